"""
Which files of a chain count, in which order, and where each of them ends. Pure.

A segment's end is what its successor's first record says (for the open segment: what the head says), never "the first bad line". So a
chain is laid out from its end to its beginning. What does not lie on that way is void, empty, given up by an epoch, or was put there.

Source: FORMAT.md, section 3; PROTOCOL.md, rules 3, 9 and 10, ROTATE.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from otel_tool_audit.format.events import EPOCH, SEGMENT_OPENED
from otel_tool_audit.format.head import NONE, ZERO_HASH, Head, Previous
from otel_tool_audit.format.line import leaf_hash, split_line
from otel_tool_audit.format.names import parse_segment_name, segment_name
from otel_tool_audit.format.nesting import read_json

_REMEMBERED: Final = 1024

Key = tuple[int, int]
"""First seq and attempt: what names a segment."""


class Ending(NamedTuple):
    """
    How a segment ended, as its successor says.

    Attributes:
        key: Which segment.
        valid_end: Its length in bytes as far as it belongs to the chain.
        aside_bytes: Bytes after that; they prove nothing.
        aside_sha256: Their SHA-256 in hex, or None when they are not judged.
        unsynced_from: Seq and byte from which on its lines may be gone after a crash of the host; None when all were synced.
    """

    key: Key
    valid_end: int
    aside_bytes: int
    aside_sha256: str | None
    unsynced_from: tuple[int, int] | None


class EpochStart(NamedTuple):
    """
    What a segment's first record says of the epoch that it begins.

    Attributes:
        number: The epoch.
        files: The count and the hash (hex) of the last good line of what was there before.
        claims_before: Claims of records of chain ``trail`` with a seq below it are explained by the epoch; 0 where it does not say.
        taken_over: Whether it began because a trail was taken over, not because a loss was accepted.
    """

    number: int
    files: tuple[int, str]
    claims_before: int
    taken_over: bool


class First(NamedTuple):
    """
    A segment's first record, as far as it matters for the order.

    Attributes:
        ending: How the segment before ended; None when it does not say.
        epoch: The epoch it begins, or None.
        void_attempts: How many attempts at this segment are void.
        reason: Why the segment before was left, or empty.
    """

    ending: Ending | None
    epoch: EpochStart | None
    void_attempts: int
    reason: str


class SegmentPart(NamedTuple):
    """
    A segment that counts.

    Attributes:
        key: First seq and attempt.
        name: The file's name.
        size: Its size in bytes, when it was looked at.
        ending: How it ended, by what comes after it; None for the open one, or when nobody says.
        first: Its first record, None when that cannot be read.
        cut: Whether an epoch follows it: then its end is where its good lines ended, and its seal says nothing.
    """

    key: Key
    name: str
    size: int
    ending: Ending | None
    first: First | None
    cut: bool

    @property
    def end(self) -> int:
        """Where its lines end, as far as its successor decides; else its size."""
        return self.size if self.ending is None else self.ending.valid_end


class Missing(NamedTuple):
    """A segment that something names, but that is not there."""

    key: Key
    ending: Ending | None
    named_by: str
    next_seq: int | None


class SegmentOrder(NamedTuple):
    """
    A chain's files in order.

    Attributes:
        parts: The segments that count, first to last.
        missing: Segments that should be among them.
        strangers: (seq, what is wrong) of files that no writer leaves.
        notes: What is worth saying and no finding.
        seals: Names of seals.
        missing_open: Whether the segment that the head names is missing.
    """

    parts: list[SegmentPart]
    missing: list[Missing]
    strangers: list[tuple[int | None, str]]
    notes: list[str]
    seals: list[str]
    missing_open: bool


class ChainFolder(NamedTuple):
    """
    What lies in a chain's directory.

    Attributes:
        path: Where it lies, for messages.
        sizes: The segments that are files as they must be, and their sizes in bytes.
        unsafe: What carries the name of a segment and is none, and why.
        seals: Names of seals.
        others: Names of everything else.
    """

    path: str
    sizes: Mapping[Key, int]
    unsafe: Mapping[Key, str]
    seals: list[str]
    others: list[str]


def order_of(folder: ChainFolder, head: Head | None, first_of: Callable[[Key], First | None], opened_since: Callable[[Key], bool]) -> SegmentOrder:
    """
    Find the order of a chain's segments.

    Args:
        folder: What lies there.
        head: The head that speaks for these files, or None.
        first_of: Reads a segment's first record.
        opened_since: Tells whether a writer opened that segment after the head was read.
    """
    parts, missing, missing_open = _way(folder.sizes, head, first_of)
    strangers, notes = _beside(folder, head, parts, opened_since)
    return SegmentOrder(parts, missing, strangers, notes, list(folder.seals), missing_open)


def _way(sizes: Mapping[Key, int], head: Head | None, first_of: Callable[[Key], First | None]) -> tuple[list[SegmentPart], list[Missing], bool]:
    parts: list[SegmentPart] = []
    missing: list[Missing] = []
    counting = _counting(sizes)
    target = max(counting, default=None) if head is None else (head.first_seq, head.attempt)
    ending: Ending | None = None
    named_by, next_seq, cut = "its head", None, False
    opening, missing_open = True, False
    while target is not None:
        if target not in sizes:
            if not (opening and head is not None and head.written.offset == 0 and head.prev.first_seq == NONE and not sizes):
                missing.append(Missing(target, ending, named_by, next_seq))
            missing_open = missing_open or (opening and head is not None)
            declared = _of_head(head) if opening else None
            next_seq, cut = None, False
        else:
            first = first_of(target)
            parts.append(SegmentPart(target, segment_name(*target), sizes[target], ending, first, cut))
            declared = first.ending if first is not None else _of_head(head) if opening else None
            named_by, next_seq = f"the first record of {segment_name(*target)}", target[0]
            if first is not None and declared is None and (first.epoch is not None or target[0] == 0 or first.void_attempts):
                break
            cut = first is not None and first.epoch is not None
        if declared is not None and declared.key < target:
            ending, target = declared, declared.key
        else:
            ending, target = None, max((key for key in counting if key[0] < target[0]), default=None)
        opening = False
    parts.reverse()
    return parts, missing, missing_open


def _counting(sizes: Mapping[Key, int]) -> list[Key]:
    """Of each first seq the highest attempt, none that is empty."""
    highest: dict[int, int] = {}
    for (first_seq, attempt), size in sizes.items():
        if size:
            highest[first_seq] = max(attempt, highest.get(first_seq, 0))
    return list(highest.items())


def _beside(
    folder: ChainFolder, head: Head | None, parts: list[SegmentPart], opened_since: Callable[[Key], bool]
) -> tuple[list[tuple[int | None, str]], list[str]]:
    """Tell what lies beside the way: void attempts, leftovers, what an epoch gave up; anything else was put there."""
    on_way = {part.key for part in parts}
    attempts = {part.key[0]: part.key[1] for part in parts}
    given_up_to = max((part.key[0] for part in parts if part.first is not None and part.first.epoch is not None), default=-1)
    strangers: list[tuple[int | None, str]] = []
    notes = [f"{folder.path}/{name} is no file of the trail; it was left aside" for name in folder.others]
    for key, size in sorted({**folder.sizes, **dict.fromkeys(folder.unsafe, 1)}.items()):
        name = segment_name(*key)
        if key in on_way or (key[1] < attempts.get(key[0], 0) and key not in folder.unsafe):
            continue
        if size == 0:
            notes.append(f"{folder.path}/{name} is empty: a rotation that was cut off left it, it belongs to nothing")
        elif key[0] <= given_up_to:
            notes.append(f"{folder.path}/{name} lies in what an epoch gave up; it proves nothing")
        elif key in folder.unsafe:
            strangers.append((key[0], folder.unsafe[key]))
        elif not opened_since(key):
            beyond = head is not None and key > max(on_way, default=(-1, 0))
            why = "the chain's head names another open segment" if beyond else "nothing in the chain leads to it"
            strangers.append((key[0], f"segment {name} is no part of the chain ({why}): added, or left by a forger"))
    return strangers, notes


@lru_cache(_REMEMBERED)
def read_first(line: bytes) -> First | None:
    """
    Read a segment's first record; None when its hash does not hold, or it says what no writer says.

    Args:
        line: With its LF. What was found in the same bytes is remembered.
    """
    taken = split_line(line)
    if taken is None or leaf_hash(taken[0]).encode() != taken[1]:
        return None
    try:
        record = read_json(taken[0])
        event = record.get("event")
        if event not in {SEGMENT_OPENED, EPOCH}:
            return First(None, None, 0, "")
        details = record["details"]
        previous = details.get("previous")
        void_attempts, reason = details.get("void_attempts", 0), details.get("reason", "")
        return First(
            None if previous is None else _ending(previous),
            _epoch(details) if event == EPOCH else None,
            void_attempts if type(void_attempts) is int else 0,
            reason if type(reason) is str else "",
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None


def _epoch(details: dict[str, Any]) -> EpochStart:
    files, claims_before = details["files"], details.get("claims_before", 0)
    number, count, digest = details["epoch"], files["count"], files["hash"]
    _check_counts(number, count, claims_before)
    return EpochStart(number, (count, str(digest)), claims_before, details.get("kind") == "taken_over")


def _ending(previous: dict[str, Any]) -> Ending:
    sha256, unsynced = previous["aside_sha256"], previous["unsynced_from"]
    first_seq, attempt, valid_end, aside = (previous[name] for name in ("first_seq", "attempt", "valid_end", "aside_bytes"))
    since = None if unsynced is None else (unsynced["count"], unsynced["offset"])
    _check_counts(first_seq, attempt, valid_end, aside, *(since or ()))
    if parse_segment_name(previous["segment"]) != (first_seq, attempt):
        raise ValueError(previous["segment"])
    return Ending((first_seq, attempt), valid_end, aside, None if sha256 is None else str(sha256), since)


def _check_counts(*numbers: object) -> None:
    # true is a number to Python and none to anybody else; what is no number here would become a path or a sum
    if any(type(number) is not int or number < 0 for number in numbers):
        raise ValueError(numbers)


def _of_head(head: Head | None) -> Ending | None:
    return None if head is None else of_previous(head.prev)


def of_previous(prev: Previous) -> Ending | None:
    """Read how the segment before ended from a head's ``prev``."""
    if prev.first_seq == NONE:
        return None
    sha256 = None if prev.aside_sha256 == ZERO_HASH else prev.aside_sha256.hex()
    since = None if prev.unsynced_count == NONE else (prev.unsynced_count, prev.unsynced_offset)
    return Ending((prev.first_seq, prev.attempt), prev.valid_end, prev.aside_bytes, sha256, since)
