"""
What ``@tool`` said of a tool, for whoever calls it by its name: an adapter, ``tool_call()``, ``execute_tool()``.

A framework hands a call to its adapter before the decorated function is reached; what must not be written has to be known by then.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, NamedTuple

from otel_tool_audit.policy.retention import RetentionClass, class_named, class_of
from otel_tool_audit.recording import ToolSpec, bound, plain_spec, tool_spec
from otel_tool_audit.settings import Settings

_MARK: Final = "__tool_audit__"
_MOST: Final = 64
"""Tools of one name that are remembered, the latest: a notebook's cell defines its tools anew each time."""

_lock: Final = threading.Lock()
_by_name: Final[dict[str, list[weakref.ref[Callable[..., Any]]]]] = {}


class Declared(NamedTuple):
    """
    One decorated tool.

    Attributes:
        spec: What is known of it.
        parameters: Its parameters' names; None when it takes any.
    """

    spec: ToolSpec
    parameters: frozenset[str] | None


def declare(wrapper: Callable[..., Any], declared: Declared) -> None:
    """
    Remember a tool while its function lives.

    Args:
        wrapper: What ``@tool`` made.
        declared: What is known of it.
    """
    setattr(wrapper, _MARK, declared)
    name = declared.spec.name
    # read, changed and put back: without the lock, of two threads that decorate at once one would lose its tool. Reading takes none: a list
    # is replaced as a whole
    with _lock:
        alive = [known for known in _by_name.get(name, ()) if known() is not None]
        _by_name[name] = [weakref.ref(wrapper), *alive][:_MOST]


def spec_of(name: str, said: Mapping[str, Any], arguments: Collection[str]) -> ToolSpec:
    """
    Tell what is known of a tool that is called by its name.

    Args:
        name: What the caller calls it.
        said: What the caller says of it; that holds over what its author said.
        arguments: Their names: of several tools of one name, the latest that takes them is meant.

    Raises:
        SettingsError: Something that was said cannot be.
    """
    for known in _by_name.get(name, ()):
        declared = getattr(known(), _MARK, None)
        if isinstance(declared, Declared) and (declared.parameters is None or declared.parameters.issuperset(arguments)):
            return tool_spec(name, **{**_said(declared.spec), **said}) if said else declared.spec
    return tool_spec(name, **said) if said else plain_spec(name)


def retention_for(tool: str | Callable[..., Any]) -> RetentionClass:
    """
    Tell in which retention class the records of a tool are, and for how long they are kept.

    What ``@tool(retention=…)`` said holds over what ``configure(retention=…)`` or the environment says, and both over the packaged classes.

    Args:
        tool: Its name, as records have it, or the decorated function. What only another process said of a tool is not known here.

    Returns:
        ``name`` of the class, and so of its chain; ``days`` that records are kept at least; ``years``, the calendar years that must have
        passed, too; ``tools`` that belong to the class unless told otherwise. A class that is not packaged is kept as long as the longest one.

    Raises:
        SettingsError: The name is empty; or nothing is configured, and a variable of the environment cannot be understood.

    Source: ARCHITECTURE.md, R12.
    """
    declared = getattr(tool, _MARK, None)
    name = tool if isinstance(tool, str) else str(getattr(tool, "__name__", ""))
    spec = declared.spec if isinstance(declared, Declared) else spec_of(name, {}, ())
    binding = bound()
    settings = Settings.resolve() if binding is None else binding.recorder.settings
    return class_named(spec.retention or class_of(spec.name, settings.retention))


def _said(spec: ToolSpec) -> dict[str, Any]:
    """Give what a tool's author said of it, as it would be said again."""
    rules = spec.rules
    ruled = {} if rules is None else {"redact": rules.redact, "keep": rules.keep, "pseudonymize": rules.pseudonymize}
    return {"subject": spec.subject, "purpose": spec.purpose, "trigger": spec.trigger, "retention": spec.retention, "fails": spec.fails, **ruled}
