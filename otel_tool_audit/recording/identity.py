"""
Who calls, as it stands in a record: an attribution, sanitized once and kept with it.

Source: ARCHITECTURE.md, R7 and R9 (baggage is a claim; subjects are pseudonyms).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from types import MappingProxyType
from typing import Any, Final

from opentelemetry import baggage
from opentelemetry.context import Context

from otel_tool_audit.errors import SettingsError
from otel_tool_audit.keys.pseudonyms import Keyring
from otel_tool_audit.propagation.context import FIELDS, Attribution, checked, current
from otel_tool_audit.record.model import UNKNOWN, ToolCall
from otel_tool_audit.redaction.sanitizer import Sanitizer
from otel_tool_audit.redaction.values import Redaction

_COLUMNS: Final = {
    "user": "user_id", "role": "user_role", "agent": "agent", "model": "model", "conversation": "conversation_id", "turn": "turn_number",
    "trigger": "trigger", "purpose": "purpose", "attempt": "attempt", "retry_of": "retry_of",
}  # fmt: skip
"""Names of ``attribution()`` and the record's fields they become; subject and session data are told apart below."""

BAGGAGE: Final = {
    "user.id": "user",
    "enduser.id": "user",
    "user.role": "role",
    "enduser.role": "role",
    "gen_ai.agent.name": "agent",
    "gen_ai.request.model": "model",
    "gen_ai.conversation.id": "conversation",
    "session.id": "conversation",
    "client.address": "client_ip",
    "user_agent.original": "user_agent",
} | {f"tool_audit.{name}": name for name in FIELDS}
"""Baggage keys and what they say, if a setting trusts them."""

_NUMBERS: Final = ("turn", "attempt")
_MOST_BAGGAGE: Final = 64
"""Entries of baggage that are kept; W3C Baggage asks implementations to carry as many."""

_MOST_KEPT: Final = 256
"""Sanitized forms that one attribution keeps; a process has far fewer tools and recorders."""


Made = tuple[ToolCall, dict[str, Any]]
"""A call of which only the caller and the tool are known, and the attributes that tell that much."""


_WANTED: Final = {"user_id": "user", "conversation_id": "conversation", "model": "model"}


class Caller:
    """
    An attribution as one recorder writes it.

    Attributes:
        fields: Fields of the record, sanitized; what is not known is left out.
        redactions: What was removed from them.
        unnamed: Which of user, conversation and model nobody named (R6).
        made: What the recorder prepared for the tools that this caller called, by tool.
    """

    __slots__ = ("fields", "made", "redactions", "unnamed")

    def __init__(self, fields: dict[str, Any], redactions: list[dict[str, Any]]) -> None:
        """Take what was sanitized."""
        self.fields = fields
        self.redactions = redactions
        self.unnamed = [called for name, called in _WANTED.items() if fields.get(name, UNKNOWN) == UNKNOWN]
        self.made: dict[Hashable, Made] = {}

    def keep(self, tool: Hashable, made: Made) -> Made:
        """Keep what was made for a tool, so that the next call begins with it."""
        if len(self.made) < _MOST_KEPT:
            self.made[tool] = made
        return made


class Identities:
    """Makes callers of contexts."""

    def __init__(self, sanitizer: Sanitizer, keyring: Keyring, *, subject_is_internal: bool, trusted: tuple[str, ...]) -> None:
        """
        Prepare.

        Args:
            sanitizer: Goes over every value.
            keyring: Makes pseudonyms of subjects.
            subject_is_internal: Whether subjects are stored as they are.
            trusted: Baggage keys that a trusted upstream sets.
        """
        self._sanitizer = sanitizer
        self._keyring = keyring
        self._subject_is_internal = subject_is_internal
        self._trusted = {key: BAGGAGE.get(key, key) for key in trusted}
        # nothing refers back to this object from attributions that outlive it
        self._token = object()

    def caller(self, context: Context) -> Caller:
        """
        Tell who calls in a context.

        Raises:
            SettingsError: There is a subject and no key to make its pseudonym with.
        """
        known = current(context)
        carried = baggage.get_all(context)
        key: Any = self._token if not carried else (self._token, tuple(carried.items()))
        try:
            found: Caller | None = known.cache.get(key)
        except TypeError:
            # baggage set in this process may hold anything, also what cannot be a key
            return self._caller(self._with_baggage(known, carried))
        if found is None:
            found = self._caller(self._with_baggage(known, carried) if carried else known)
            if len(known.cache) < _MOST_KEPT:
                known.cache[key] = found
        return found

    def told(self, known: Attribution, said: Mapping[str, Any], claimed: Mapping[str, str] = MappingProxyType({})) -> Caller:
        """
        Tell who called when spans said something about it too: what holds in this process counts more.

        Args:
            known: What holds in this process.
            said: What spans said, by the names of ``attribution()``.
            claimed: Fields of the record that nobody vouches for, and who claims them.
        """
        claims = {**known.claimed, "fields": dict(claimed)} if claimed else known.claimed
        return self._caller(Attribution({**said, **known.values}, known.metadata, claims))

    def subject(self, value: object) -> str | None:
        """
        Write a subject as the record shows it.

        Raises:
            SettingsError: There is no key to make its pseudonym with.
        """
        if value is None:
            return None
        text = value if isinstance(value, str) else str(value)
        if self._subject_is_internal:
            return str(self._sanitizer.identifier(text, "subject").value)
        return self._keyring.pseudonym(text, "subject")

    def with_baggage(self, context: Context) -> Attribution:
        """Join what holds in a context with what its baggage says, trusted or claimed."""
        carried = baggage.get_all(context)
        return self._with_baggage(current(context), carried) if carried else current(context)

    def _with_baggage(self, known: Attribution, carried: Mapping[str, object]) -> Attribution:
        trusted: dict[str, Any] = {}
        metadata: dict[str, Any] = {}
        claimed: dict[str, Any] = {}
        for key, value in list(carried.items())[:_MOST_BAGGAGE]:
            name = self._trusted.get(key)
            if name is None:
                claimed[key] = value
            elif name in FIELDS:
                trusted[name] = _number(value) if name in _NUMBERS else value
            else:
                metadata[key] = value
        try:
            trusted = checked(trusted)
        except SettingsError:
            claimed, trusted = claimed | trusted, {}
        claims = {**known.claimed, "baggage": claimed} if claimed else known.claimed
        return Attribution({**trusted, **known.values}, {**metadata, **known.metadata}, claims)

    def _caller(self, known: Attribution) -> Caller:
        fields: dict[str, Any] = {}
        removed: list[Redaction] = []
        session: dict[str, Any] = {}
        for name, value in known.values.items():
            if value is None:
                continue
            column = _COLUMNS.get(name)
            if name == "subject":
                fields["subject"] = self.subject(value)
            elif name in _NUMBERS:
                fields[_COLUMNS[name]] = value
            elif column is not None:
                fields[column] = self._identifier(value, column, removed)
            else:
                session[name] = self._identifier(value, f"session_metadata.{name}", removed)
        if known.metadata:
            safe = self._sanitizer.value(dict(known.metadata), "session_metadata")
            removed.extend(safe.redactions)
            if isinstance(safe.value, dict):
                session = {**safe.value, **session}
        if session:
            fields["session_metadata"] = session
        if known.claimed:
            safe = self._sanitizer.value(dict(known.claimed), "claimed")
            removed.extend(safe.redactions)
            fields["claimed"] = safe.value
        return Caller(fields, as_entries(removed))

    def _identifier(self, value: object, path: str, removed: list[Redaction]) -> str:
        safe = self._sanitizer.identifier(value, path)
        removed.extend(safe.redactions)
        return safe.value if isinstance(safe.value, str) else str(safe.value)


def as_entries(removed: list[Redaction] | tuple[Redaction, ...]) -> list[dict[str, Any]]:
    """Write redactions as the record holds them (FORMAT.md, section 4)."""
    return [{"path": r.path, "rule": r.rule, "count": r.count} for r in removed]


def _number(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 10 else value  # noqa: PLR2004 - nine digits
