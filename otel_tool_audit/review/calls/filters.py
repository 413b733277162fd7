"""
Which calls are asked for, and in which order. Pure.

Source: ARCHITECTURE.md, R13; the filters are named like the arguments of ``attribution()``.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final, TypedDict

import orjson

from otel_tool_audit.errors import SettingsError
from otel_tool_audit.review.calls.fold import STATUSES

# Another filter is a field of `Query` and of `CommonFilters` or `Filters`, and a line here; people give it by an option (cli/options.py,
# cli/questions.py). Its field must be one that an index keeps: if it is new there, it goes into `KEPT` (review/index/extract.py), and
# `VERSION` (review/index/store.py) goes up, since an index that was made before lacks the column.
EQUALITIES: Final = {
    "conversation": "conversation_id", "user": "user_id", "role": "user_role", "agent": "agent", "model": "model", "tool": "tool_name",
    "trigger": "trigger", "purpose": "purpose", "status": "status", "retention": "retention_class", "trace_id": "trace_id",
}  # fmt: skip
"""Filters that want one value of one field: filter to field."""

Moment = str | date | datetime


class CommonFilters(TypedDict, total=False):
    """What calls, statistics and reports are filtered by; each that is given must hold, None is not given."""

    conversation: str | None
    """``conversation_id``."""
    user: str | None
    """``user_id``."""
    role: str | None
    """``user_role``."""
    agent: str | None
    """The agent."""
    model: str | None
    """The model."""
    trigger: str | None
    """Why it was called."""
    purpose: str | None
    """What for."""
    status: str | None
    """``success``, ``error``, ``interrupted``, ``running``, ``paused`` or ``denied``."""
    retention: str | None
    """``retention_class``."""
    trace_id: str | None
    """32 hex digits."""
    text: str | None
    """Stands in the arguments, in a key or a value, upper and lower case alike."""
    since: Moment | None
    """Not before this moment (text without a zone is UTC)."""
    until: Moment | None
    """Before this moment."""


class Filters(CommonFilters, total=False):
    """What calls are filtered by."""

    tool: str | None
    """``tool_name``."""
    subject: str | None
    """Whose data; in clear or as stored."""


FILTERS: Final = (*CommonFilters.__annotations__, "tool", "subject")


@dataclass(frozen=True, slots=True)
class Query:
    """Filters on calls; each that is given must hold."""

    conversation: str | None = None
    user: str | None = None
    role: str | None = None
    agent: str | None = None
    model: str | None = None
    tool: str | None = None
    trigger: str | None = None
    subjects: frozenset[str] | None = None
    """The subject as it may be stored: in clear, and as a pseudonym under each key that the reader has."""
    purpose: str | None = None
    status: str | None = None
    retention: str | None = None
    trace_id: str | None = None
    text: str | None = None
    """In lower case, as :meth:`str.casefold` makes it."""
    since: str | None = None
    """Inclusive, as timestamps are written in records."""
    until: str | None = None
    """Exclusive, likewise."""

    def __post_init__(self) -> None:
        """
        Check what can be checked before anything is read.

        Raises:
            SettingsError: There is no such status.
        """
        if self.status is not None and self.status not in STATUSES:
            raise SettingsError(f"there is no status {self.status!r}; a call is one of: {', '.join(nearest(self.status, STATUSES))}")

    @property
    def narrow(self) -> bool:
        """Whether it wants less than everything, by more than the text of arguments."""
        return (
            self.subjects is not None
            or self.since is not None
            or self.until is not None
            or any(getattr(self, name) is not None for name in EQUALITIES)
        )

    def matches(self, call: Mapping[str, Any]) -> bool:
        """Tell whether a folded call is one of those asked for."""
        return self.matcher()(call)

    def matcher(self) -> Callable[[Mapping[str, Any]], bool]:
        """Give :meth:`matches` for many calls."""
        wanted = [(field, getattr(self, name)) for name, field in EQUALITIES.items() if getattr(self, name) is not None]
        subjects, text, since, until = self.subjects, self.text, self.since, self.until

        def matches(call: Mapping[str, Any]) -> bool:
            for field, value in wanted:
                if call.get(field) != value:
                    return False
            if subjects is not None and call.get("subject") not in subjects:
                return False
            if text is not None and text not in as_text(call.get("arguments")).casefold():
                return False
            when = str(call.get("timestamp"))
            return (since is None or when >= since) and (until is None or when < until)

        return matches


def query_of(filters: Mapping[str, Any], stored_forms: Callable[[str], frozenset[str]]) -> Query:
    """
    Read filters as they are given.

    Args:
        filters: :class:`Filters`.
        stored_forms: Gives what a subject may look like in records; it is asked only if there is a filter ``subject``.

    Raises:
        SettingsError: One cannot be understood.
    """
    check_names(filters, FILTERS, "filter")
    given: dict[str, Any] = dict(filters)
    subject, text = given.pop("subject", None), given.pop("text", None)
    since, until = moment(given.pop("since", None), "since"), moment(given.pop("until", None), "until")
    subjects = None if subject is None else stored_forms(subject)
    return Query(**given, subjects=subjects, text=None if text is None else text.casefold(), since=since, until=until)


def as_text(value: object) -> str:
    """Write a value as JSON does, as it stands in a record; text that is no valid Unicode with marks in its place."""
    try:
        return orjson.dumps(value).decode()
    except (orjson.JSONEncodeError, TypeError):
        return repr(value)


def nearest(wrong: str, right: Iterable[str]) -> list[str]:
    """List what could have been meant, the nearest first."""
    return sorted(right, key=lambda name: -difflib.SequenceMatcher(None, wrong.lower(), name).ratio())


def check_names(given: Iterable[str], known: Iterable[str], what: str) -> None:
    """
    Check that all names are known.

    Args:
        given: Names that somebody gave.
        known: Names that there are.
        what: What they name, for the message: ``filter``.

    Raises:
        SettingsError: One is not; the message lists those that there are, the nearest first.
    """
    valid = tuple(known)
    for name in given:
        if name not in valid:
            raise SettingsError(f"there is no {what} {name!r}; did you mean one of: {', '.join(nearest(name, valid))}?")


def moment(value: Moment | None, name: str) -> str | None:
    """
    Write a moment as records do, so that text compares as time.

    Args:
        value: A datetime, a date (its beginning), or either as ISO 8601 text; without a zone it is UTC.
        name: Of the argument, for the message.

    Raises:
        SettingsError: It is no moment.

    Source: RFC 3339, section 5.6.
    """
    if value is None:
        return None
    found = value
    if isinstance(found, str):
        try:
            found = datetime.fromisoformat(found)
        except ValueError as error:
            message = f"{name}={value!r} is no date or time; write 2026-03-01 or 2026-03-01T12:00:00Z"
            raise SettingsError(message) from error
    if not isinstance(found, datetime):
        found = datetime.combine(found, time.min)
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    return found.strftime("%Y-%m-%dT%H:%M:%S.") + f"{found.microsecond:06d}Z"
