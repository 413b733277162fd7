"""
Who called, as spans, contexts and baggage tell it: which of several answers counts.

Frameworks, instrumentations and applications name users and conversations at the same time, and not the same ones. What names the
conversation itself counts more than what names a session; what was said of this very call more than what was copied from the
context; and an id that the application put into the context more than one that an instrumentation made up.

Source: ARCHITECTURE.md, "Spans of other instrumentations".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from otel_tool_audit.recognise import convention as c
from otel_tool_audit.recognise.convention import FactMatch
from otel_tool_audit.recognise.roles import Roles
from otel_tool_audit.recognise.values import parsed, scalar

OWN: Final = "own"
CONTEXT: Final = "context"
BAGGAGE: Final = "baggage"
ANCESTOR: Final = "ancestor"
MODEL_SPAN: Final = "model_span"
ADAPTER: Final = "adapter"
"""What a framework's adapter knew of the call around; an agent further in may have another name and model."""

_IN_METADATA: Final = (c.USER, c.ROLE, c.CONVERSATION, c.SESSION, c.AGENT)
_RANKS: Final = {name: at for at, name in enumerate((OWN, CONTEXT, ANCESTOR, MODEL_SPAN, ADAPTER, BAGGAGE))}
"""Places in the order in which they are believed; baggage comes last: what it says is only claimed."""

_MADE_UP: Final = re.compile(r"^[0-9a-f]{8}-?[0-9a-f]{4}-?[1-8][0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$", re.IGNORECASE)
_UUID_LENGTHS: Final = range(32, 37)
_NODES: Final = frozenset(
    {
        "agent",
        "agents",
        "tools",
        "tool",
        "tool_node",
        "action",
        "actions",
        "model",
        "llm",
        "chatbot",
        "call_model",
        "assistant",
        "execute",
        "__start__",
        "__end__",
        "OpenAI Agent",
    }
)
"""Nodes of a graph that are named for what they do, and what an instrumentation calls an agent whose name it does not know."""

_MOST_ENTRIES: Final = 64
_LONGEST_VALUE: Final = 1_024


class ToldCaller(NamedTuple):
    """
    One answer.

    Attributes:
        fact: To which question.
        value: Text or a number.
        place: Where it was found.
        key: Under which name.
    """

    fact: str
    value: Any
    place: str
    key: str


class CallerSource(NamedTuple):
    """
    A place to look.

    Attributes:
        name: ``own``, ``context``, ``baggage``, ``ancestor`` or ``model_span``.
        values: By name.
        found: What the names tell.
    """

    name: str
    values: Mapping[str, Any]
    found: FactMatch


def caller_in(places: Iterable[CallerSource], roles: Roles) -> dict[str, ToldCaller]:
    """
    Decide who called.

    Args:
        places: Where to look; a place that stands more than once is nearest first.
        roles: Judges the names inside metadata.

    Returns:
        Answers by the names of ``attribution()``.
    """
    order = [place for place in places if place.found.telling]
    if len(order) == 1:
        told = answers(order[0], roles)
    else:
        told = [answer for place in sorted(order, key=_order) for answer in answers(place, roles)]
        if any(place.name == CONTEXT for place in order):
            copied = {(answer.fact, answer.value) for answer in told if answer.place == CONTEXT}
            # an attribute that only repeats the context says no more than the context does
            told = [a._replace(place=CONTEXT) if a.place == OWN and (a.fact, a.value) in copied else a for a in told]
            told.sort(key=_order_told)
    known: dict[str, ToldCaller] = {}
    for answer in told:
        if answer.fact not in known:
            known[answer.fact] = answer
    if c.CONVERSATION in known or c.SESSION in known:
        known[c.CONVERSATION] = _conversation(told, known)
        known.pop(c.SESSION, None)
    return known


def answers(place: CallerSource, roles: Roles) -> list[ToldCaller]:
    """
    Give every answer that a place holds, best first.

    Args:
        place: Where to look.
        roles: Judges the names inside metadata.
    """
    name, values, found = place
    given = []
    for fact, key in found.callers:
        plain = scalar(values[key])
        if plain is not None and (type(plain) is not str or len(plain) <= _LONGEST_VALUE) and not (fact == c.AGENT and plain in _NODES):
            given.append(ToldCaller(fact, plain, name, key))
    for key in found.metadata:
        inner = parsed(values[key])
        if isinstance(inner, Mapping):
            given.extend(_in_metadata(inner, name, roles))
    return given


def _in_metadata(inner: Mapping[Any, Any], place: str, roles: Roles) -> Iterator[ToldCaller]:
    small = {name: value for name, value in list(inner.items())[:_MOST_ENTRIES] if isinstance(name, str)}
    nested = roles.found(small)
    for fact in _IN_METADATA:
        for name in nested.keys(fact):
            plain = scalar(small[name])
            if plain is not None and not (fact == c.AGENT and plain in _NODES):
                yield ToldCaller(fact, plain, place, name)


def _order(place: CallerSource) -> int:
    return _RANKS.get(place.name, len(_RANKS))


def _order_told(answer: ToldCaller) -> int:
    return _RANKS.get(answer.place, len(_RANKS))


def _conversation(told: list[ToldCaller], known: Mapping[str, ToldCaller]) -> ToldCaller:
    best = known.get(c.CONVERSATION) or known[c.SESSION]
    if is_made_up(best.value):
        # an id that looks made up gives way to one that somebody gave: on the very span or in the context, else to the conversation around
        named = [a for fact in (c.CONVERSATION, c.SESSION) for a in told if a.fact == fact and not is_made_up(a.value)]
        near = (a for place in (CONTEXT, OWN) for a in named if a.place == place)
        around = (a for a in named if a.place == ANCESTOR and a.fact == c.CONVERSATION)
        return next(near, None) or next(around, best)
    return best


def is_made_up(value: object) -> bool:
    """Tell whether an id is a UUID: an instrumentation's own, not what an application or a provider gave."""
    return isinstance(value, str) and len(value) in _UUID_LENGTHS and _MADE_UP.match(value) is not None
