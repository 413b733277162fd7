"""
The trail's events, in one table: where each stands, what its details hold, and what it does to the two verdicts. Pure.

Source: FORMAT.md, section 4; PROTOCOL.md, "Verdicts".
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

from otel_tool_audit.format.names import TRAIL_CHAIN

STARTED: Final = "tool_call.started"
FINISHED: Final = "tool_call.finished"
OBSERVED: Final = "tool_call.observed"
AMENDED: Final = "tool_call.amended"
CALL_EVENTS: Final = (STARTED, FINISHED, OBSERVED, AMENDED)

OPENED: Final = "trail.opened"
CHAIN_CREATED: Final = "trail.chain_created"
HEARTBEAT: Final = "trail.heartbeat"
CLOSED: Final = "trail.closed"
SEGMENT_OPENED: Final = "trail.segment_opened"
RECOVERED: Final = "trail.recovered"
GAP: Final = "trail.gap"
EPOCH: Final = "trail.epoch"
PRUNED: Final = "trail.pruned"
KEY_ROTATED: Final = "trail.key_rotated"
CONFIGURATION_CHANGED: Final = "trail.configuration_changed"
READ: Final = "trail.read"
EXPORTED: Final = "trail.exported"

CONCERNED: Final = "concerned"
"""Stands for the chain that an event concerns, where the event of one chain stands in that chain itself."""


class Integrity(StrEnum):
    """What an event does to integrity."""

    NOTHING = "nothing"
    WITNESS = "its `heads` are held against the chains"
    CREATION = "a chain that none names was added, one that it names must be there"
    FILES = "the segments before it are as it says"
    DOUBT = "`cannot tell`"
    DOCUMENT = "`document_sha256` is that of trail.json from here on"


class Completeness(StrEnum):
    """What an event does to completeness."""

    NOTHING = "nothing"
    WRITER = "its writer must close, or live"
    COUNTERS = "its `counters` are held against the records"
    CRASH = "what the host lost is a known gap with durability `os`, else `cannot tell`"
    GAP = "`known gaps`"
    EPOCH = "`known gaps`, but for a taking over that skips no seq"


class Event(NamedTuple):
    """
    An event of the trail's own life.

    Attributes:
        name: Its name.
        chain: Where it stands: :data:`TRAIL_CHAIN`, or :data:`CONCERNED`.
        details: The keys of its details.
        further: Keys that stand there only when they tell something, or that older writers of the same format did not write.
        integrity: What it does to integrity.
        completeness: What it does to completeness.
        doubt: Why integrity cannot be told when it stands on record; ``{where}`` is its address, every other field one of its details.
        gap: What completeness lacks when it stands on record, likewise.
        since: The first format version that has it.
        opens: Whether it stands as the first line of a segment, and nowhere else.
    """

    name: str
    chain: str
    details: tuple[str, ...]
    further: tuple[str, ...] = ()
    integrity: Integrity = Integrity.NOTHING
    completeness: Completeness = Completeness.NOTHING
    doubt: str = ""
    gap: str = ""
    since: int = 1
    opens: bool = False

    def in_words(self, template: str, where: str, details: Mapping[str, Any]) -> str:
        """
        Tell what a record of it means.

        Args:
            template: :attr:`doubt` or :attr:`gap`.
            where: The record's address.
            details: The record's; what it does not say stands as ``None``.
        """
        return template.format(where=where, **{key: details.get(key) for key in (*self.details, *self.further)})


_READING: Final = ("what", "who", "reason", "filters", "count", "begun", "complete")
_WRITTEN: Final = ("writer", "counters", "heads")

EVENTS: Final[Mapping[str, Event]] = {
    event.name: event
    for event in (
        Event(
            OPENED, TRAIL_CHAIN,
            ("writer", "host", "pid", "boot_id", "versions", "document_sha256", "state", "path", "moved_from", "durability", "heads"),
            ("vouching", "vouched_from"), integrity=Integrity.WITNESS, completeness=Completeness.WRITER,
        ),
        Event(CHAIN_CREATED, TRAIL_CHAIN, ("chain",), integrity=Integrity.CREATION),
        Event(HEARTBEAT, TRAIL_CHAIN, _WRITTEN, integrity=Integrity.WITNESS, completeness=Completeness.COUNTERS),
        Event(CLOSED, TRAIL_CHAIN, _WRITTEN, integrity=Integrity.WITNESS, completeness=Completeness.COUNTERS),
        Event(SEGMENT_OPENED, CONCERNED, ("previous", "void_attempts", "reason"), integrity=Integrity.FILES, opens=True),
        Event(RECOVERED, CONCERNED, ("kind", "from", "to", "durability"), ("vouched",), completeness=Completeness.CRASH),
        Event(
            GAP, CONCERNED, ("from", "to", "calls", "records", "reason"), completeness=Completeness.GAP,
            gap="{records} records of {calls} calls are missing before {where}: {reason}",
        ),
        Event(
            EPOCH, CONCERNED, ("epoch", "old_head", "files", "who", "reason", "previous"), ("kind", "claimed", "claims_before"),
            integrity=Integrity.DOUBT, doubt="a loss was accepted at {where}: what lies before it is what was found, not what was written",
            completeness=Completeness.EPOCH, gap="a loss was accepted at {where}: {reason}", opens=True,
        ),
        Event(PRUNED, CONCERNED, ("segments", "reason"), integrity=Integrity.FILES),
        Event(KEY_ROTATED, TRAIL_CHAIN, ("kind", "id"), ("document_sha256",), integrity=Integrity.DOCUMENT),
        Event(CONFIGURATION_CHANGED, TRAIL_CHAIN, ("kind", "id"), ("from", "to", "document_sha256"), integrity=Integrity.DOCUMENT),
        Event(READ, TRAIL_CHAIN, _READING),
        Event(EXPORTED, TRAIL_CHAIN, (*_READING, "format", "manifest_sha256")),
    )
}  # fmt: skip
"""Every event of the trail's own life, by name. A reader keeps one that is not here, and its verdicts pass it over."""


_UNKNOWN: Final = Event("", CONCERNED, ())


def kind_of(record: Mapping[str, Any]) -> Event:
    """Look up a record's event; one that this version does not know, or of a call, has no details and no effect."""
    return EVENTS.get(str(record.get("event")), _UNKNOWN)


TAKEN_OVER: Final = "taken_over"
"""What an epoch's ``kind`` is that began because a trail was taken over, not because a loss was accepted."""


def doubt_of(record: Mapping[str, Any], where: str) -> str:
    """
    Tell why integrity cannot be told because of a record; empty where the record leaves no doubt.

    Args:
        record: Of the trail's own life.
        where: Its address.
    """
    event, details = kind_of(record), _details(record)
    if event.name == EPOCH and details.get("kind") == TAKEN_OVER:
        return f"the trail was taken over at {where}: for what lies before it only the chain itself speaks"
    return event.in_words(event.doubt, where, details)


def gap_of(record: Mapping[str, Any], where: str) -> str:
    """
    Tell what completeness lacks because of a record; empty where it lacks nothing.

    Args:
        record: Of the trail's own life.
        where: Its address.
    """
    event, details = kind_of(record), _details(record)
    if event.name != EPOCH or details.get("kind") != TAKEN_OVER:
        return event.in_words(event.gap, where, details)
    files, begin = details.get("files"), record.get("seq")
    found = files.get("count") if isinstance(files, dict) else None
    if type(found) is not int or type(begin) is not int or found >= begin:
        return ""
    return f"records {found} to {begin - 1} are not here: others speak of them, and the files that were taken over at {where} end before them"


def _details(record: Mapping[str, Any]) -> Mapping[str, Any]:
    details = record.get("details")
    return details if isinstance(details, dict) else {}
