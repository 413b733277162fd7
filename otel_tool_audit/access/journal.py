"""
Reading is audited: who asked for whose data, with which filters, why, and how much was given, in the trail itself.

A reader writes only where a writer of the same user would: into the trail that its state directory knows at this very place. On a
copy, on read-only media, as another user or without the state it writes nothing, says why, and the question is answered all the same:
whoever needs to read evidence may not have to be able to change it.

Source: FORMAT.md, section 4 (``trail.read``, ``trail.exported``).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, NamedTuple, TypeVar

from otel_tool_audit.errors import AuditError
from otel_tool_audit.format.events import READ
from otel_tool_audit.record.model import REDACTED
from otel_tool_audit.review.source.directory import UnsafeFileError
from otel_tool_audit.review.source.location import Relation, place_of
from otel_tool_audit.review.source.opened import OpenedTrail
from otel_tool_audit.review.source.subjects import stored_forms
from otel_tool_audit.settings import Settings

SERVICE: Final = "otel-tool-audit"
"""The ``service`` of records that readers write, whichever front end they came through."""

PEEK: Final = 1_000
"""Rows that are counted before the first one is given; a longer answer is recorded before it begins and again when it ends."""

_TEXTS: Final = frozenset({"text", "sql", "purpose"})
_Call = TypeVar("_Call", bound=Mapping[str, Any])


class Entry(NamedTuple):
    """
    What became of a record of reading.

    Attributes:
        address: ``CHAIN/SEQ``, or None.
        obstacle: Why there is none, or None.
    """

    address: str | None
    obstacle: str | None

    def in_words(self) -> str:
        """Tell it in one line."""
        return f"this reading is on record: {self.address}" if self.address else f"this reading is not on record: {self.obstacle}"


@dataclass(frozen=True, slots=True)
class Reading:
    """
    What is read.

    Attributes:
        what: The command, such as ``report access``.
        filters: What was asked for, in clear; a subject is recorded as its pseudonym.
        event: ``trail.read`` or ``trail.exported``.
        more: What else the record says.
    """

    what: str
    filters: Mapping[str, Any]
    event: str = READ
    more: Mapping[str, Any] | None = None


class Journal:
    """
    Writes into a trail who read it.

    Attributes:
        trail: The trail that is read; what is written goes through a writer that opens it for itself.
        asked_by: Who asks, as they say themselves.
        reason: Why, in words.
        entry: What became of the latest record that stood before something was given; None while nothing had to be recorded.
    """

    def __init__(
        self, trail: OpenedTrail, *, asked_by: str | None = None, reason: str | None = None, tell: Callable[[Entry], object] | None = None
    ) -> None:
        """
        Take notes for a trail; nothing is written yet.

        Args:
            trail: Stays the caller's.
            asked_by: Who asks, as they say themselves.
            reason: Why, in words.
            tell: Is told what became of a record, before what it is about is given.
        """
        self.trail = trail
        self.asked_by = asked_by
        self.reason = reason
        self.entry: Entry | None = None
        self._tell = tell

    def who(self) -> dict[str, Any]:
        """Say who asks: the name of the account is the system's word, ``as`` their own."""
        return {"os_user": _account(), "uid": _uid(), "host": socket.gethostname(), "as": self.asked_by}

    def begin(self, reading: Reading, count: int | None) -> Entry:
        """
        Record a reading before it is given, where this reader may, and tell what became of that.

        Args:
            reading: What is read.
            count: Rows that will be given; None when that is not known yet.
        """
        return self.announce(self.note(reading, count))

    def announce(self, entry: Entry) -> Entry:
        """Tell what became of a record, before what it is about is given."""
        self.entry = entry
        if self._tell is not None:
            self._tell(entry)
        return entry

    def note(self, reading: Reading, count: int | None, *, begun: str | None = None, complete: bool = True) -> Entry:
        """
        Record a reading, where this reader may.

        Args:
            reading: What is read.
            count: Rows given; None when that is not known yet.
            begun: Address of the record that stood before the first row.
            complete: False when it was broken off.
        """
        obstacle = _obstacle(self.trail)
        if obstacle is not None:
            return Entry(None, obstacle)
        try:
            return Entry(self._append(reading, {"count": count, "begun": begun, "complete": complete}), None)
        except (AuditError, OSError) as error:
            return Entry(None, str(error))

    def _append(self, reading: Reading, outcome: Mapping[str, Any]) -> str:
        from otel_tool_audit.redaction import Keyring, Sanitizer  # noqa: PLC0415 - as below
        from otel_tool_audit.trail.trail import Trail  # noqa: PLC0415 - the writer, which reading alone never loads

        settings, path = Settings.resolve(), self.trail.path
        with Trail.open(path, state=self.trail.given_state, service=SERVICE, pseudonym_key=settings.pseudonym_key, group=_group(path)) as trail:
            keyring = Keyring(trail.keys, settings.tenant)
            sanitizer = Sanitizer.of(settings, keyring)
            said = {"reason": None if self.reason is None else sanitizer.text(self.reason).value}
            filters = {name: _filter(name, value, keyring, sanitizer) for name, value in reading.filters.items() if value is not None}
            details = {"what": reading.what, "who": self.who(), **said, "filters": filters, **outcome, **(reading.more or {})}
            return trail.tell(reading.event, details).address


def audited(calls: Iterable[_Call], journal: Journal, reading: Reading) -> Iterator[_Call]:
    """
    Give calls; those that show a subject's data, and all that were asked for by subject, are on record before they are given.

    A short answer is counted first and recorded once. A long one is recorded without a count, and once more when it ends, also when
    it is broken off; if this process is killed meanwhile, the first record stands.

    Args:
        calls: What is read.
        journal: Where it is recorded.
        reading: What is read, in words.
    """
    several = iter(calls)
    first = list(islice(several, PEEK + 1))
    whole = len(first) <= PEEK
    watch = Watch(journal, reading)
    watch.about(first, len(first) if whole else None)
    if whole:
        yield from first
        return
    count, complete = 0, False
    try:
        for source in (first, several):
            for call in source:
                watch.about((call,), None)
                count += 1
                yield call
        complete = True
    finally:
        if watch.entry is not None and watch.entry.address is not None:
            journal.note(reading, count, begun=watch.entry.address, complete=complete)


class Watch:
    """
    Puts a reading on record, once: when a subject was asked for, or the first time that a subject's data is about to be given.

    Attributes:
        entry: What became of the record; None while there was nothing to be recorded.
    """

    def __init__(self, journal: Journal, reading: Reading) -> None:
        """
        Begin; nothing is recorded yet.

        Args:
            journal: Where it is recorded.
            reading: What is read, in words.
        """
        self._journal = journal
        self._reading = reading
        self._asked = reading.filters.get("subject") is not None
        self.entry: Entry | None = None

    def about(self, calls: Iterable[Mapping[str, Any]], count: int | None) -> None:
        """
        Look at calls before they are given.

        Args:
            calls: Calls, or records.
            count: How many there will be in all; None when that is not known.
        """
        if self.entry is None and (self._asked or any(call.get("subject") is not None for call in calls)):
            self.entry = self._journal.begin(self._reading, count)


def stored_subject(subject: str, trail: OpenedTrail) -> str:
    """
    Give a subject as it is stored, for what is handed on; a subject in clear never is.

    Args:
        subject: As it was asked for.
        trail: The state directory of its writers has the keys.
    """
    from otel_tool_audit.keys.pseudonyms import is_pseudonym  # noqa: PLC0415 - most readers never ask for a subject

    if is_pseudonym(subject):
        return subject
    return ", ".join(sorted(stored_forms(subject, trail.state) - {subject})) or REDACTED


def _filter(name: str, value: Any, keyring: Any, sanitizer: Any) -> Any:  # noqa: ANN401 - the writer's types are loaded only where it writes
    if name == "subject":
        from otel_tool_audit.keys.pseudonyms import is_pseudonym  # noqa: PLC0415 - as above

        text = str(value)
        return text if is_pseudonym(text) else keyring.pseudonym(text, "subject") if keyring.has_key else None
    if isinstance(value, str):
        return (sanitizer.text if name in _TEXTS else sanitizer.identifier)(value).value
    return sanitizer.value(value).value


def _obstacle(trail: OpenedTrail) -> str | None:
    """Say why this reader may not write, before anything is touched; None when a writer would be the same user at the same place."""
    if os.name == "nt":
        return "a trail can only be read on Windows"
    try:
        return trail.state.trouble or next(_reasons(trail), None)
    except (AuditError, UnsafeFileError, OSError) as error:
        return str(error)


def _reasons(trail: OpenedTrail) -> Iterator[str]:
    if not trail.lies_here():
        # a writer goes by the path, and would begin a new trail where nothing is
        yield f"the trail that was read lies no longer at {trail.path}"
    found = trail.relation_to(place_of(trail.state, trail.document.trail_id))
    if found is not Relation.OWN:
        yield _RELATIONS[found]
    for what, owner in (("trail", trail.root.owner), ("state directory", trail.state.owner)):
        if owner != _uid():
            yield f"the {what} belongs to another user (uid {owner})"
    for what, where in (("trail", trail.path), ("state directory", os.path.realpath(trail.state.path))):
        if not os.access(where, os.W_OK | os.X_OK):
            yield f"the {what} {where} cannot be written"


_RELATIONS: Final = {
    Relation.UNKNOWN: "the state directory has never known this trail",
    Relation.MOVED: "the trail was moved, and no writer has opened it here yet",
    Relation.COPY: "this is a copy of the trail",
    Relation.CREATING: "the trail is being made",
}


def _group(path: str) -> str | None:
    """Name the group that may read the trail, so that what is written here it may read, too."""
    import grp  # noqa: PLC0415 - does not exist on Windows, where nothing is written

    found = os.stat(path)
    try:
        return grp.getgrgid(found.st_gid).gr_name if found.st_mode & 0o050 else None
    except KeyError:
        return None


def _uid() -> int | None:
    return os.geteuid() if hasattr(os, "geteuid") else None


def _account() -> str:
    """The account's name by the system's book: the environment's may be anybody's."""
    try:
        import pwd  # noqa: PLC0415 - does not exist on Windows

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        return "unknown"
