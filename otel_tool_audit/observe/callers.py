"""
Who called, worked out once for all spans that tell the same of it: the calls of a conversation differ in little else.

Source: ARCHITECTURE.md, "Spans of other instrumentations".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from otel_tool_audit.propagation.context import Attribution
from otel_tool_audit.recognise import CallerSource, Roles, ToldCaller, caller_in
from otel_tool_audit.recognise.caller import BAGGAGE
from otel_tool_audit.recording.identity import Caller, Identities

_COLUMNS: Final = {"user": "user_id", "role": "user_role", "agent": "agent", "model": "model", "conversation": "conversation_id"}
"""Names of ``attribution()`` that spans tell, and the record's fields they become."""

_ADAPTED: Final = {"agent": "gen_ai.agent.name", "model": "gen_ai.request.model"}
"""What an adapter says of an agent, as a span would tell it."""

_MOST: Final = 256
"""Callers that are remembered; a process serves far fewer conversations at a time."""

_LONGEST: Final = 1_024
"""Characters of a value by which a caller is remembered."""


class Calling(NamedTuple):
    """
    Who called.

    Attributes:
        told: As places tell it, by the names of ``attribution()``.
        claimed: Fields of the record that only baggage tells.
        caller: The same, sanitized, with what this process knows itself.
        subject: Whose data, raw: it is hidden where arguments and results repeat it. None when it is not told.
    """

    told: Mapping[str, ToldCaller]
    claimed: Mapping[str, str]
    caller: Caller
    subject: object


class Callers:
    """Works out who called, and remembers it by everything that it depends on."""

    __slots__ = ("_identities", "_known", "_roles")

    def __init__(self, identities: Identities, roles: Roles) -> None:
        """
        Begin with nobody.

        Args:
            identities: Sanitizes.
            roles: Judges the names inside metadata.
        """
        self._identities = identities
        self._roles = roles
        self._known: dict[tuple[Any, ...], Calling] = {}

    def of(self, known: Attribution, places: Sequence[CallerSource]) -> Calling:
        """
        Tell who called.

        Args:
            known: What this process said itself; it counts more than all places.
            places: Where to look; a place that stands more than once is nearest first.
        """
        key = _key(known, places)
        if key is None:
            return self._worked_out(known, places)
        found = self._known.get(key)
        if found is None:
            found = self._worked_out(known, places)
            if len(self._known) >= _MOST:
                # all at once: to forget the oldest alone would take a lock, and what is forgotten is only worked out again
                self._known.clear()
            self._known[key] = found
        return found

    def _worked_out(self, known: Attribution, places: Sequence[CallerSource]) -> Calling:
        told = caller_in(places, self._roles)
        claimed = _claims(known, told)
        said = {name: answer.value for name, answer in told.items() if answer.value is not None}
        caller = self._identities.told(known, said, claimed)
        return Calling(told, claimed, caller, known.get("subject") or said.get("subject"))


def apart(known: Attribution) -> tuple[Attribution, Mapping[str, Any]]:
    """
    Take what an adapter said of the call around out of what the application said: it speaks of another call, maybe of another agent.

    Args:
        known: What holds where a span starts.

    Returns:
        What the application said, and the adapter's agent and model by names of attributes.
    """
    made: tuple[Attribution, Mapping[str, Any]] | None = known.cache.get(apart)
    if made is None:
        # the conversation is the same one, whichever agent calls
        names = known.adapted - {"conversation"}
        rest = {name: value for name, value in known.values.items() if name not in names}
        said = {key: known.values[name] for name, key in _ADAPTED.items() if name in names}
        # remembered, because callers are remembered by what was said: a new one each time would be another caller
        made = known.cache[apart] = Attribution(rest, known.metadata, known.claimed), said
    return made


def _key(known: Attribution, places: Sequence[CallerSource]) -> tuple[Any, ...] | None:
    """Name what an answer depends on; None when a value is no short text, which alone is safe to be remembered by."""
    key: list[Any] = [known]
    for name, values, found in places:
        if not found.telling:
            continue
        key += (name, found)
        for at in found.telling:
            value = values[at]
            if type(value) is not str or len(value) > _LONGEST:
                return None
            key.append(value)
    return tuple(key)


def _claims(known: Attribution, told: Mapping[str, ToldCaller]) -> dict[str, str]:
    """Name the fields of the record that only baggage tells: whoever sent it may claim to be anyone."""
    return {
        _COLUMNS.get(name, name): f"{BAGGAGE} {answer.key}" for name, answer in told.items() if answer.place == BAGGAGE and name not in known.values
    }
