"""
Which files of a chain count, in which order, and where each of them ends.

A segment's end is what its successor's first record says (for the open segment: what the head says), never "the first bad line". So a
chain is laid out from its end to its beginning. What does not lie on that way is void, empty, given up by an accepted loss, or was put there.

Source: FORMAT.md, section 3; PROTOCOL.md, rules 3, 9 and 10, ROTATE.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, NamedTuple

from otel_tool_audit.format.events import EPOCH, SEGMENT_OPENED
from otel_tool_audit.format.head import NONE, ZERO_HASH, Head, Previous
from otel_tool_audit.format.line import MAX_LINE, leaf_hash, split_line
from otel_tool_audit.format.names import parse_segment_name, segment_name
from otel_tool_audit.format.nesting import read_json
from otel_tool_audit.record.untrusted import details_of
from otel_tool_audit.review.source.directory import Folder, UnsafeFileError, described, pread

_SHORT: Final = 4096
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
    """

    key: Key
    valid_end: int
    aside_bytes: int
    aside_sha256: str | None


class First(NamedTuple):
    """
    A segment's first record, as far as it matters for the order.

    Attributes:
        ending: How the segment before ended; None when it does not say.
        epoch: The epoch it begins, or None.
        given_up: For an epoch: where the files' good lines ended (a count).
        details: Of the record.
    """

    ending: Ending | None
    epoch: int | None
    given_up: int
    details: dict[str, Any]


class SegmentPart(NamedTuple):
    """
    A segment that counts.

    Attributes:
        key: First seq and attempt.
        name: The file's name.
        size: Its size in bytes, when it was looked at.
        ending: How it ended, by what comes after it; None for the open one, or when nobody says.
        first: Its first record, None when that cannot be read.
    """

    key: Key
    name: str
    size: int
    ending: Ending | None
    first: First | None

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


def order_segments(
    folder: Folder, head: Head | None, names: list[str] | None = None, read_head: Callable[[], Head | None] | None = None
) -> SegmentOrder:
    """
    Find the order of a chain's segments.

    Args:
        folder: The chain's directory.
        head: The head that speaks for these files, or None.
        names: What was in the directory when the head was read; by default what is in it now.
        read_head: Reads the head once more: segments that a writer opened meanwhile are left for the next time.

    Raises:
        TrailUnreadable: The directory, or a segment, could not be read.
    """
    return _Path(folder, head, folder.names() if names is None else names, read_head).walk()


class _Path:
    def __init__(self, folder: Folder, head: Head | None, names: list[str], read_head: Callable[[], Head | None] | None) -> None:
        self.folder = folder
        self.head = head
        self.read_head = read_head
        self.sizes: dict[Key, int] = {}
        self.out = SegmentOrder([], [], [], [], [], missing_open=False)
        for name in names:
            key = parse_segment_name(name)
            if key is not None:
                self._take(key, name)
            elif name.endswith(".seal"):
                self.out.seals.append(name)
            elif not name.endswith(".tmp"):
                self.out.notes.append(f"{folder.path}/{name} is no file of the trail; it was left aside")

    def _take(self, key: Key, name: str) -> None:
        try:
            with self.folder.opened(name) as descriptor:
                self.sizes[key] = described(descriptor).st_size
        except UnsafeFileError as refused:
            self.out.strangers.append((key[0], str(refused)))
        except FileNotFoundError:
            self.out.strangers.append((key[0], f"{self.folder.path}/{name} went away while it was looked at"))

    def walk(self) -> SegmentOrder:
        head = self.head
        target: Key | None = max(self._counting(), default=None)
        ending: Ending | None = None
        named_by, next_seq = "its head", None
        if head is not None:
            target = (head.first_seq, head.attempt)
        first_step = True
        while target is not None:
            if target not in self.sizes:
                if not (first_step and head is not None and head.written.offset == 0 and head.prev.first_seq == NONE and not self.sizes):
                    self.out.missing.append(Missing(target, ending, named_by, next_seq))
                missing_open = first_step and head is not None
                if missing_open:
                    self.out = self.out._replace(missing_open=True)
                declared = _of_head(head) if missing_open else None
                next_seq = None
            else:
                first = self._first(target)
                self.out.parts.append(SegmentPart(target, segment_name(*target), self.sizes[target], ending, first))
                declared = first.ending if first is not None else _of_head(head) if first_step else None
                named_by, next_seq = f"the first record of {segment_name(*target)}", target[0]
                if first is not None and declared is None and (first.epoch is not None or target[0] == 0 or first.details.get("void_attempts")):
                    break
            if declared is not None and declared.key < target:
                ending, target = declared, declared.key
            else:
                target, ending = max((k for k in self._counting() if k[0] < target[0]), default=None), None
            first_step = False
        self.out.parts.reverse()
        self._judge_the_rest()
        return self.out

    def _counting(self) -> list[Key]:
        """Of each first seq the highest attempt, none that is empty."""
        highest: dict[int, int] = {}
        for (first_seq, attempt), size in self.sizes.items():
            if size:
                highest[first_seq] = max(attempt, highest.get(first_seq, 0))
        return list(highest.items())

    def _first(self, key: Key) -> First | None:
        try:
            with self.folder.opened(segment_name(*key)) as descriptor:
                # a first record is short, but for an accepted loss
                line = pread(descriptor, _SHORT, 0).split(b"\n", 1)
                if len(line) == 1:
                    line = pread(descriptor, MAX_LINE, 0).split(b"\n", 1)
        except (FileNotFoundError, UnsafeFileError):
            return None
        return read_first(line[0] + b"\n") if len(line) > 1 else None

    def _judge_the_rest(self) -> None:
        """Tell what lies beside the way: void attempts, leftovers, what an accepted loss gave up; anything else was put there."""
        on_way = {part.key for part in self.out.parts}
        attempts = {part.key[0]: part.key[1] for part in self.out.parts}
        lost = [(p.first.given_up, p.key[0]) for p in self.out.parts if p.first is not None and p.first.epoch is not None]
        for key, size in sorted(self.sizes.items()):
            name = segment_name(*key)
            if key in on_way or key[1] < attempts.get(key[0], 0):
                continue
            if size == 0:
                self.out.notes.append(f"{self.folder.path}/{name} is empty: a rotation that was cut off left it, it belongs to nothing")
            elif any(key[0] <= begin for _, begin in lost):
                self.out.notes.append(f"{self.folder.path}/{name} lies in what an accepted loss gave up; it proves nothing")
            elif not self._opened_meanwhile(key):
                beyond = self.head is not None and key > max(on_way, default=(-1, 0))
                why = "the chain's head names another open segment" if beyond else "nothing in the chain leads to it"
                self.out.strangers.append((key[0], f"segment {name} is no part of the chain ({why}): added, or left by a forger"))

    def _opened_meanwhile(self, key: Key) -> bool:
        head, later = self.head, None if self.read_head is None else self.read_head()
        if head is None or later is None or later.generation == head.generation:
            return False
        return (head.first_seq, head.attempt) < key <= (later.first_seq, later.attempt)


@lru_cache(_REMEMBERED)
def read_first(line: bytes) -> First | None:
    """
    Read a segment's first record; None when its hash does not hold.

    Args:
        line: With its LF. What was found in the same bytes is remembered.
    """
    taken = split_line(line)
    if taken is None or leaf_hash(taken[0]).encode() != taken[1]:
        return None
    try:
        record = read_json(taken[0])
        details = details_of(record)
        event = record.get("event")
        if event not in {SEGMENT_OPENED, EPOCH}:
            return First(None, None, 0, {})
        previous = details.get("previous")
        ending = None if previous is None else _ending(previous)
        epoch = int(details["epoch"]) if event == EPOCH else None
        given_up = int(details["files"]["count"]) if event == EPOCH else 0
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None
    return First(ending, epoch, given_up, details)


def _ending(previous: dict[str, Any]) -> Ending:
    sha256 = previous["aside_sha256"]
    numbers = [previous[name] for name in ("first_seq", "attempt", "valid_end", "aside_bytes")]
    if any(type(number) is not int or number < 0 for number in numbers):
        raise ValueError(numbers)
    return Ending((numbers[0], numbers[1]), numbers[2], numbers[3], None if sha256 is None else str(sha256))


def _of_head(head: Head | None) -> Ending | None:
    return None if head is None else of_previous(head.prev)


def of_previous(prev: Previous) -> Ending | None:
    """Read how the segment before ended from a head's ``prev``."""
    if prev.first_seq == NONE:
        return None
    sha256 = None if prev.aside_sha256 == ZERO_HASH else prev.aside_sha256.hex()
    return Ending((prev.first_seq, prev.attempt), prev.valid_end, prev.aside_bytes, sha256)
