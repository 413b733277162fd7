"""
How far the open segment of a chain reaches, by its head: what a writer would do on opening, done in thought only.

Source: FORMAT.md, section 5 (table); PROTOCOL.md, RECOVER, HOST CRASH, "A live verify".
"""

from __future__ import annotations

from typing import NamedTuple

from otel_tool_audit.format.following import follow, follow_after_crash
from otel_tool_audit.format.head import OS, Head, Position
from otel_tool_audit.format.vouching import Voucher
from otel_tool_audit.review.source.directory import pread


class HeadView(NamedTuple):
    """
    A chain's head, and what else decides where the chain ends.

    Attributes:
        head: The head.
        crashed: Whether the host went down while the chain was open.
        voucher: After that: the key that writers vouch for their lines with; None when it cannot be had.
    """

    head: Head
    crashed: bool
    voucher: Voucher | None


class ChainEnd(NamedTuple):
    """
    Where a chain ends.

    Attributes:
        end: In the open segment, in bytes.
        upto: The seq after the last record.
        hash: The last record's, in hex.
        wrong: (seq, what is wrong), or None; without a seq it is about the first record that is missing.
        crashed: ``fsync`` or ``os`` when the host went down while the chain was open, else None.
        from_count: After a crash of the host: up to where records are known to have been synced.
        vouched: After a crash: the seq after the last record of these that is vouched for, or was synced.
        behind: After a crash: how many records the head had seen written that are not there.
        note: What is worth saying.
    """

    end: int
    upto: int
    hash: str
    wrong: tuple[int | None, str] | None = None
    crashed: str | None = None
    from_count: int = 0
    vouched: int = 0
    behind: int = 0
    note: str | None = None


def expected_end(view: HeadView, descriptor: int | None, size: int, later: Head | None) -> ChainEnd:  # noqa: PLR0911 - one return for each row of the format's table
    """
    Tell where the open segment ends.

    Args:
        view: The chain's head, read before *size* was.
        descriptor: The open segment, or None when it is not there.
        size: Its size in bytes.
        later: The head, read once more after *size* was.
    """
    head, written = view.head, view.head.written
    plain = _at(written)
    extra = size - written.offset
    if head.clean:
        return plain if extra == 0 else _unequal(plain, extra, "was closed and ")
    if view.crashed:
        return _after_crash(view, descriptor, size)
    if head.poisoned:
        base = written if head.flags & OS else head.synced
        found = _at(base)._replace(note="a write or sync failed in the open segment; the next writer leaves it")
        return found if size >= base.offset else _unequal(found, size - base.offset, "")
    if extra < 0:
        return _unequal(plain, extra, "")
    if extra == 0:
        return plain
    if _explained(head, later, size):
        return plain
    if extra > head.pending.size:
        return _unequal(plain, extra - head.pending.size, "")
    if extra < head.pending.size:
        return plain._replace(note=f"{extra} bytes of a write that was killed stand at the end; they were never acknowledged")
    return _adopted(head, descriptor, size)


def _at(place: Position) -> ChainEnd:
    return ChainEnd(place.offset, place.lines, place.hash.hex())


def _explained(head: Head, later: Head | None, size: int) -> bool:
    """A writer was at work while this reader looked: what it appended meanwhile is what its head now says."""
    return (
        later is not None
        and later.generation != head.generation
        and (later.first_seq, later.attempt) == (head.first_seq, head.attempt)
        and size <= later.written.offset + later.pending.size
    )


def _unequal(tail: ChainEnd, extra: int, closed: str) -> ChainEnd:
    if extra > 0:
        what = f"the open segment {closed}is {extra} bytes longer than the head: forged, or the state restored?"
    else:
        what = f"the open segment {closed}is {-extra} bytes shorter than the head: a backup?"
    return tail._replace(wrong=(tail.upto if extra > 0 else None, what))


def _adopted(head: Head, descriptor: int | None, size: int) -> ChainEnd:
    """A write that was announced and is whole belongs to the chain, if it is the one that was announced."""
    pending, written = head.pending, head.written
    announced = Position(written.lines + pending.lines, size, pending.hash)
    if descriptor is None or follow(lambda want, at: pread(descriptor, want, at), written, size) != announced:
        return _at(written)._replace(
            wrong=(written.lines, f"{pending.size} bytes stand at the end that are not the lines the head announced: forged")
        )
    return _at(announced)._replace(
        note=f"the last {pending.lines} records were written by a writer that was killed before it could say so; they belong to the chain"
    )


def _after_crash(view: HeadView, descriptor: int | None, size: int) -> ChainEnd:
    """After a crash of the host the file must reach what was synced; good lines after it belong to the chain as far as they are vouched for."""
    head = view.head
    synced = head.synced
    durability = "os" if head.flags & OS else "fsync"
    start = _at(synced)._replace(crashed=durability, from_count=synced.lines, vouched=synced.lines)
    if size < synced.offset:
        return _unequal(start, size - synced.offset, "")
    if descriptor is None:
        return start
    found = follow_after_crash(lambda want, at: pread(descriptor, want, at), head, size, view.voucher)
    end = found.counting
    added = found.good.lines - end.lines
    what = f"{added} of its lines hold their hashes, and nobody vouches for them: added; " if added else ""
    return _at(end)._replace(
        crashed=durability, from_count=synced.lines, vouched=found.vouched.lines,
        behind=max(0, head.written.lines - end.lines),
        note=f"{size - end.offset} bytes after the last line that counts are set aside since the host went down ({what}they prove nothing)"
        if size > end.offset else None,
    )  # fmt: skip
