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
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, NamedTuple, TypeVar

from otel_tool_audit.cli import output
from otel_tool_audit.errors import AuditError
from otel_tool_audit.record.model import EXPORTED, READ
from otel_tool_audit.review.files import Folder, Refused, resolve
from otel_tool_audit.review.place import Relation, place_of, read_document, relation
from otel_tool_audit.review.state import StateView
from otel_tool_audit.review.subjects import stored_forms
from otel_tool_audit.settings import Settings, variable

PEEK: Final = 1_000
"""Rows that are counted before the first one is given; a longer answer is recorded before it begins and again when it ends."""

MARK: Final = "***REDACTED***"
"""Stands for a subject in clear for which there is no key."""

_TEXTS: Final = frozenset({"text", "sql", "purpose"})
_Row = TypeVar("_Row")


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
        path: The trail's directory.
        state: The state directory, or ``none``, or None.
        name: Who asks, as he says himself.
        reason: Why, in words.
    """

    def __init__(self, path: str, state: str | None, *, name: str | None = None, reason: str | None = None) -> None:
        """
        Take notes for a trail; nothing is opened yet.

        Args:
            path: The trail's directory.
            state: The state directory, or ``none``; by default as the environment says.
            name: Who asks, as he says himself.
            reason: Why, in words.
        """
        self.path = path
        self.state = state
        self.name = name
        self.reason = reason

    def who(self) -> dict[str, Any]:
        """Say who asks: the name of the account is the system's word, ``as`` his own."""
        return {"os_user": _account(), "uid": _uid(), "host": socket.gethostname(), "as": self.name}

    def note(self, reading: Reading, count: int | None, *, begun: str | None = None, complete: bool = True) -> Entry:
        """
        Record a reading, where this reader may.

        Args:
            reading: What is read.
            count: Rows given; None when that is not known yet.
            begun: Address of the record that stood before the first row.
            complete: False when it was broken off.
        """
        obstacle = _obstacle(self.path, self.state)
        if obstacle is not None:
            return Entry(None, obstacle)
        try:
            return Entry(self._append(reading, {"count": count, "begun": begun, "complete": complete}), None)
        except (AuditError, OSError) as error:
            return Entry(None, str(error))

    def _append(self, reading: Reading, outcome: Mapping[str, Any]) -> str:
        from otel_tool_audit.sanitize import Keyring, Sanitizer  # noqa: PLC0415 - as below
        from otel_tool_audit.trail.trail import Trail  # noqa: PLC0415 - the writer, which reading alone never loads

        settings = Settings.resolve()
        with Trail.open(
            self.path, state=self.state, service=output.NAME, pseudonym_key=settings.pseudonym_key, group=_group(self.path)
        ) as trail:
            keyring = Keyring(trail.keys, settings.tenant)
            sanitizer = Sanitizer(keyring, secret_keys=settings.secret_keys, keep_keys=settings.keep_keys)
            said = {"reason": None if self.reason is None else sanitizer.text(self.reason).value}
            filters = {name: _filter(name, value, keyring, sanitizer) for name, value in reading.filters.items() if value is not None}
            details = {"what": reading.what, "who": self.who(), **said, "filters": filters, **outcome, **(reading.more or {})}
            return trail.tell(reading.event, details).address


def audited(rows: Iterable[_Row], journal: Journal, reading: Reading) -> Iterator[_Row]:
    """
    Give rows that are on record before the first of them is given.

    A short answer is counted first and recorded once. A long one is recorded without a count, and once more when it ends, also when
    it is broken off; if this process is killed meanwhile, the first record stands.

    Args:
        rows: What is read.
        journal: Where it is recorded.
        reading: What is read, in words.
    """
    several = iter(rows)
    first = list(islice(several, PEEK + 1))
    whole = len(first) <= PEEK
    entry = journal.note(reading, len(first) if whole else None)
    announce(entry)
    if whole:
        yield from first
        return
    count, complete = 0, False
    try:
        for source in (first, several):
            for row in source:
                count += 1
                yield row
        complete = True
    finally:
        if entry.address is not None:
            journal.note(reading, count, begun=entry.address, complete=complete)


def announce(entry: Entry) -> None:
    """Say on stderr whether a reading is on record."""
    output.say(entry.in_words(), "dim" if entry.address else "yellow")


def exported(what: str, filters: Mapping[str, Any], style: str, manifest_sha256: str | None = None) -> Reading:
    """
    Describe an export.

    Args:
        what: The command.
        filters: What was asked for.
        style: The files' format.
        manifest_sha256: Of the manifest, 64 hex digits, when it stands.
    """
    return Reading(what, filters, EXPORTED, {"format": style, "manifest_sha256": manifest_sha256})


def stored_subject(subject: str, path: str, state: str | None) -> str:
    """
    Give a subject as it is stored, for what is handed on; a subject in clear never is.

    Args:
        subject: As it was asked for.
        path: The trail's directory.
        state: The state directory, or ``none``.
    """
    from otel_tool_audit.sanitize.keyring import is_pseudonym  # noqa: PLC0415 - most readers never ask for a subject

    if is_pseudonym(subject):
        return subject
    view = StateView.of(resolve(path), state)
    try:
        found = sorted(stored_forms(subject, view) - {subject})
    finally:
        view.close()
    return ", ".join(found) or MARK


def without_key(subject: str | None, path: str, state: str | None) -> list[str]:
    """
    Say that a subject may be there and not be found: without a key nobody can tell which pseudonym is his.

    Args:
        subject: As it was asked for; None: nobody was.
        path: The trail's directory.
        state: The state directory, or ``none``.
    """
    if subject is None or stored_subject(subject, path, state) != MARK:
        return []
    where = f"with the state directory of the trail's writers, or with {variable('pseudonym_key')}"
    return [f"there is no pseudonym key here: a subject in clear is found only where it is stored in clear; ask with its pseudonym (psn:…), {where}"]


def _filter(name: str, value: Any, keyring: Any, sanitizer: Any) -> Any:  # noqa: ANN401 - the writer's types are loaded only where it writes
    if name == "subject":
        from otel_tool_audit.sanitize.keyring import is_pseudonym  # noqa: PLC0415 - as above

        text = str(value)
        return text if is_pseudonym(text) else keyring.pseudonym(text, "subject") if keyring.has_key else None
    if isinstance(value, str):
        return (sanitizer.text if name in _TEXTS else sanitizer.identifier)(value).value
    return sanitizer.value(value).value


def _obstacle(path: str, state: str | None) -> str | None:
    """Say why this reader may not write, before anything is touched; None when a writer would be the same user at the same place."""
    if os.name == "nt":
        return "a trail can only be read on Windows"
    resolved = resolve(path)
    view = StateView.of(resolved, state)
    try:
        with Folder.at(resolved) as root:
            return view.trouble or next(_reasons(root, resolved, view), None)
    except (AuditError, Refused, OSError) as error:
        return str(error)
    finally:
        view.close()


def _reasons(root: Folder, resolved: str, view: StateView) -> Iterator[str]:
    found = relation(root, place_of(view, read_document(root).trail_id), resolved)
    if found is not Relation.OWN:
        yield _RELATIONS[found]
    for what, owner in (("trail", root.owner), ("state directory", view.owner)):
        if owner != _uid():
            yield f"the {what} belongs to another user (uid {owner})"
    for what, where in (("trail", resolved), ("state directory", os.path.realpath(view.path))):
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
