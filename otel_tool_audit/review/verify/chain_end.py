"""
How far the open segment of a chain reaches, by its head: what a writer would do on opening, done in thought only.

Source: FORMAT.md, section 5 (table); PROTOCOL.md, RECOVER, HOST CRASH, "A live verify".
"""

from __future__ import annotations

from typing import Final, NamedTuple

from otel_tool_audit.format.head import OS, Head, Position
from otel_tool_audit.review.source.directory import pread
from otel_tool_audit.review.source.segment_order import MAX_LINE
from otel_tool_audit.review.verify.blocks import check_block

_BLOCK: Final = 1 << 20


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
        behind: After a crash: how many records the head had seen written that are not there.
        note: What is worth saying.
    """

    end: int
    upto: int
    hash: str
    wrong: tuple[int | None, str] | None = None
    crashed: str | None = None
    from_count: int = 0
    behind: int = 0
    note: str | None = None


def expected_end(  # noqa: PLR0911 - one return for each row of the format's table
    head: Head, descriptor: int | None, size: int, boot: bytes | None, later: Head | None
) -> ChainEnd:
    """
    Tell where the open segment ends.

    Args:
        head: The chain's head, read before *size* was.
        descriptor: The open segment, or None when it is not there.
        size: Its size in bytes.
        boot: This boot's id, None when it cannot be read.
        later: The head, read once more after *size* was.
    """
    written = head.written
    plain = ChainEnd(written.offset, written.lines, written.hash.hex())
    extra = size - written.offset
    if head.clean:
        return plain if extra == 0 else _unequal(plain, extra, "was closed and ")
    if boot is None or boot != head.boot:
        return _after_crash(head, descriptor, size)
    if head.poisoned:
        base = written if head.flags & OS else head.synced
        found = ChainEnd(base.offset, base.lines, base.hash.hex(), note="a write or sync failed in the open segment; the next writer leaves it")
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
    return _adopted(head, descriptor, plain)


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


def _adopted(head: Head, descriptor: int | None, plain: ChainEnd) -> ChainEnd:
    """A write that was announced and is whole belongs to the chain, if it is the one that was announced."""
    pending, written = head.pending, head.written
    block = None if descriptor is None else check_block(pread(descriptor, pending.size, written.offset))
    if (
        block is None
        or (block.first_seq, block.previous) != (written.lines, written.hash.hex())
        or (block.lines, block.last) != (pending.lines, pending.hash.hex())
    ):
        return plain._replace(wrong=(written.lines, f"{pending.size} bytes stand at the end that are not the lines the head announced: forged"))
    return ChainEnd(
        written.offset + pending.size, written.lines + pending.lines, pending.hash.hex(),
        note=f"the last {pending.lines} records were written by a writer that was killed before it could say so; they belong to the chain",
    )  # fmt: skip


def _after_crash(head: Head, descriptor: int | None, size: int) -> ChainEnd:
    """After a crash of the host the file must reach what was synced; good lines after it belong to the chain."""
    synced = head.synced
    durability = "os" if head.flags & OS else "fsync"
    start = ChainEnd(synced.offset, synced.lines, synced.hash.hex(), crashed=durability, from_count=synced.lines)
    if size < synced.offset:
        return _unequal(start, size - synced.offset, "")
    good = start if descriptor is None else _follow(descriptor, start, synced, size)
    if head.poisoned and not head.flags & OS:
        good = start
    left = size - good.end
    return good._replace(
        behind=max(0, head.written.lines - good.upto),
        note=f"{left} bytes after the last good line were torn by a crash of the host" if left else None,
    )  # fmt: skip


def _follow(descriptor: int, start: ChainEnd, synced: Position, size: int) -> ChainEnd:
    end, count, last = synced.offset, synced.lines, synced.hash.hex()
    rest = b""
    while end + len(rest) < size:
        data = rest + pread(descriptor, min(_BLOCK, size - end - len(rest)), end + len(rest))
        if len(data) == len(rest):
            break
        whole = data.rfind(b"\n") + 1
        for line in _lines(data[:whole]):
            block = check_block(line)
            if block is None or (block.first_seq, block.previous) != (count, last):
                return start._replace(end=end, upto=count, hash=last)
            end, count, last = end + len(line), count + 1, block.last
        rest = data[whole:]
        if len(rest) > MAX_LINE:
            break
    return start._replace(end=end, upto=count, hash=last)


def _lines(data: bytes) -> list[bytes]:
    return [line + b"\n" for line in data.split(b"\n")[:-1]]
