"""What was said about a tool once, when it was decorated or named."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypedDict

from otel_tool_audit.errors import SettingsError
from otel_tool_audit.policy.retention import check_class
from otel_tool_audit.record.model import TRIGGERS
from otel_tool_audit.record.summary import Fails
from otel_tool_audit.redaction import ToolRules

LONGEST_NAME: Final = 200
"""Characters of a tool's name that are recorded."""


@dataclass(frozen=True, slots=True, eq=False)
class ToolSpec:
    """
    A tool, as its author describes it. Two specs are the same only if they are one object.

    Attributes:
        name: What the record calls it.
        subject: Which argument says whose data it touches.
        purpose: Why it touches data, unless the attribution says otherwise.
        trigger: Why it is called, unless the attribution says otherwise.
        retention: Its retention class, unless the packaged table or the settings say.
        rules: What is removed from, kept of or disguised in its arguments.
        disguising: The same rules where subjects are no internal ids: a pseudonym beside the clear text hides nothing.
        answering: What ``rules`` says of a result that repeats an argument; ``keep`` speaks of arguments alone.
        answering_disguised: The same of ``disguising``.
        fails: Tells a failure from a result.
    """

    name: str
    subject: str | None = None
    purpose: str | None = None
    trigger: str | None = None
    retention: str | None = None
    rules: ToolRules | None = None
    disguising: ToolRules | None = None
    answering: ToolRules | None = None
    answering_disguised: ToolRules | None = None
    fails: Fails | None = None


class ToolOptions(TypedDict, total=False):
    """What there is to say about a tool, as arguments of ``tool_call()`` and ``execute_tool()``, for type checkers and editors."""

    subject: str | None
    purpose: str | None
    trigger: str | None
    retention: str | None
    redact: Iterable[str]
    keep: Iterable[str] | None
    pseudonymize: Mapping[str, str] | Iterable[str]
    fails: Fails | None


def tool_spec(
    name: str,
    *,
    subject: str | None = None,
    purpose: str | None = None,
    trigger: str | None = None,
    retention: str | None = None,
    redact: Iterable[str] = (),
    keep: Iterable[str] | None = None,
    pseudonymize: Mapping[str, str] | Iterable[str] = (),
    fails: Fails | None = None,
) -> ToolSpec:
    """
    Check and collect what is said about a tool.

    Args:
        name: What the record calls it.
        subject: The argument that says whose data it touches.
        purpose: Why it touches data.
        trigger: Why it is called.
        retention: Its retention class.
        redact: Arguments, by name or dotted path, that are never stored.
        keep: The only arguments that are stored; all others are redacted.
        pseudonymize: Arguments stored as pseudonyms: names (each its own kind), or name to kind (``subject``, ``email``, …).
        fails: Tells a failure from a result: something true, best the error.

    Raises:
        SettingsError: A trigger is unknown, or a retention class cannot be one.
    """
    if not name:
        message = f"a tool cannot be named {name!r}; give it a text of at least one character"
        raise SettingsError(message)
    if trigger is not None and trigger not in TRIGGERS:
        message = f"trigger={trigger!r} of tool {name!r} is unknown; a call is triggered by one of: {', '.join(TRIGGERS)}"
        raise SettingsError(message)
    if retention is not None:
        check_class(retention)
    for given, value in (("redact", redact), ("keep", keep), ("pseudonymize", pseudonymize)):
        if isinstance(value, str):
            message = f"{given}={value!r} of tool {name!r} must be a list of names: [{value!r}]"
            raise SettingsError(message)
    kinds = dict(pseudonymize) if isinstance(pseudonymize, Mapping) else {argument: argument for argument in pseudonymize}
    kept = None if keep is None else frozenset(keep)
    redacted = frozenset(redact)
    rules = ToolRules(redacted, kept, kinds) if redacted or kept is not None or kinds else None
    disguising = rules
    if subject is not None:
        disguising = ToolRules(redacted, kept, {**kinds, subject: "subject"})
    answers = (_of_results(rules), _of_results(disguising))
    return ToolSpec(name[:LONGEST_NAME], subject, purpose, trigger, retention, rules, disguising, *answers, fails)


def _of_results(rules: ToolRules | None) -> ToolRules | None:
    return None if rules is None or not (rules.redact or rules.pseudonymize) else ToolRules(rules.redact, None, rules.pseudonymize)


@functools.lru_cache(maxsize=1024)
def plain_spec(name: str) -> ToolSpec:
    """Make the spec of a tool of which only the name is known; once, so that what is prepared for it is found again."""
    return tool_spec(name)
