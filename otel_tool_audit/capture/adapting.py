"""
What the adapters have in common: who a framework says is calling, and what its texts say of a result.

An adapter puts a framework's tool calls through the gate, at the hook that the framework has for it: no durable record, no
tool. Each is a module that imports its framework, and is imported by whoever uses that. The framework's own span of the same
call needs no care: the processor finds that it tells of a call that is on record.

Source: ARCHITECTURE.md, D18.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from otel_tool_audit.propagation.context import Attribution, attribution, attribution_over, current
from otel_tool_audit.recognise.caller import is_made_up
from otel_tool_audit.record.jsonsafe import parse_json

_OF_ONE_CALL: Final = frozenset({"attempt", "retry_of", "trigger"})

Who = Callable[[Any], Mapping[str, Any]]
"""Tells from what a framework hands to its hook who calls: arguments of ``attribution()``, by name."""

About = Mapping[str, Mapping[str, Any]]
"""What there is to say about tools, by name: what ``tool_call()`` takes, for instance ``{"open_chart": {"subject": "patient_id"}}``."""


def attributed(known: Mapping[str, Any], who: Who | None, handed: object) -> attribution:
    """
    Say who calls, for one call.

    Args:
        known: What the framework knows; it holds where the application said nothing.
        who: The application's own answer; what it says holds.
        handed: What the framework gave its hook.

    Raises:
        SettingsError: The answer has a trigger that is unknown, or a number that is none.
    """
    return attribution_over(_adapted(current(), known), {} if who is None else who(handed))


def _adapted(here: Attribution, known: Mapping[str, Any]) -> Attribution:
    """
    Put what a framework knows under what the application said.

    What an adapter said further out is of another agent: that one's call has called this agent. So its agent and model give way to
    this one's, also where these are not known, and its being a retry is its own. Its conversation goes on, unless its id is made up.
    """
    values, adapted = dict(here.values), set(here.adapted)
    for name in here.adapted:
        if name in _OF_ONE_CALL or (name in known and name != "conversation"):
            del values[name]
            adapted.discard(name)
    for name, value in known.items():
        if value is None:
            continue
        replaced = name in adapted and is_made_up(values[name]) and not is_made_up(value)
        if values.get(name) is None or replaced:
            values[name] = value
            adapted.add(name)
    return Attribution(values, here.metadata, here.claimed, frozenset(adapted))


def parsed(text: object) -> object:
    """
    Read JSON text: models and protocols give arguments and results as text, records have them by key.

    Args:
        text: Whatever a framework gave.

    Returns:
        What the text says; the same object when it is no text, or not JSON.
    """
    if not isinstance(text, (str, bytes)) or not text[:1].strip():
        return text
    try:
        return parse_json(text)
    except ValueError:
        return text


def by_name(arguments: object) -> Mapping[str, Any]:
    """Give arguments as a record has them; what has no names is kept whole under one."""
    value = parsed(arguments)
    if isinstance(value, Mapping):
        return value
    return {} if value is None or value == "" else {"arguments": value}
