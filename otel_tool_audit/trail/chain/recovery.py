"""
What a writer does with what it finds: a write that was killed, a segment that must be left, a host that crashed.

All of it runs under the head's lock, and all of it may be cut off anywhere and done again.

Source: PROTOCOL.md, "Protocol": RECOVER, ROTATE, HOST CRASH; rules 1 to 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from otel_tool_audit.errors import AuditUnavailable, TrailTampered
from otel_tool_audit.format.events import RECOVERED, SEGMENT_OPENED
from otel_tool_audit.format.following import follow, follow_after_crash
from otel_tool_audit.format.head import NO_PENDING, NONE, OS, POISONED, ZERO_HASH, Head, Position, Previous
from otel_tool_audit.format.names import segment_name
from otel_tool_audit.trail.chain.files import ChainFiles, WriteFailedError, Written
from otel_tool_audit.trail.chain.scan import last_hash_before, reading, sha256_of

_TRIES: Final = 3
"""How many segments one group may poison before the disk counts as unusable."""


def recover(files: ChainFiles, head: Head, size: int) -> Head:
    """
    RECOVER: settle what a killed writer left behind.

    Args:
        files: The chain.
        head: Its head, with something pending or with a file of another size.
        size: The open segment's size, in bytes.

    Returns:
        The head, with nothing pending and the file exactly as long as it says.

    Raises:
        TrailTampered: No killed writer leaves such a file.
    """
    extra = size - head.written.offset
    pending = head.pending
    if extra < 0:
        raise _tampered(files, head, f"is {-extra} bytes shorter than its head: cut, or an older backup?")
    if extra > pending.size:
        raise _tampered(files, head, f"is {extra - pending.size} bytes longer than its head: forged, or the state restored?")
    if extra == 0:
        head = files.put(head._replace(pending=NO_PENDING))
    elif extra == pending.size:
        found = follow(reading(files.system, files.segment(head).fd), head.written, size)
        if found != Position(head.written.lines + pending.lines, size, pending.hash):
            raise _tampered(files, head, f"ends in {extra} bytes that are not the lines its head announced at seq {head.written.lines}")
        head = files.put(head._replace(written=found, pending=NO_PENDING))
    else:
        head = rotate(files, head, "aside")
    return first_record(files, head, "resumed")


def rotate(files: ChainFiles, head: Head, reason: str) -> Head:
    """
    ROTATE: leave the open segment for a new one, and write there how the old one ended.

    The order is the protocol's: old data synced, new file and its name synced, head PUT and synced, first record. If we crash before the PUT, an empty file
    stands that no head names; after it, recovery writes the first record.

    Args:
        files: The chain.
        head: Its head.
        reason: ``size``, ``age``, ``aside``, ``poisoned``, ``host_crash`` or ``unvouched``.

    Raises:
        AuditUnavailable: The disk gives no new segment.
        TrailTampered: The old segment is shorter than what was acknowledged.
    """
    old = files.segment(head)
    if not head.poisoned and not files.sync(old, old.fd):
        # this kernel has told us once and will not tell again: the pages since `synced` may be lost
        head = files.poison(head)
    poisoned = head.poisoned
    base = head.written if not poisoned or head.flags & OS else head.synced
    size = files.size(old)
    if size < base.offset:
        raise _tampered(files, head, f"is {base.offset - size} bytes shorter than its head: cut, or an older backup?")
    if base.offset == 0:
        # not one valid line: the file is void whole, and what lies before it ended as it did
        first_seq, attempt, prev = head.first_seq, head.attempt + 1, head.prev
    else:
        first_seq, attempt = base.lines, 0
        prev = _ending(files, head, base, size, poisoned=poisoned)
    try:
        files.create_segment(first_seq, attempt)
        start = Position(base.lines, 0, base.hash)
        flags = head.flags & ~(POISONED | OS)
        head = files.put(head._replace(
            flags=flags, first_seq=first_seq, attempt=attempt, written=start, synced=start, pending=NO_PENDING, prev=prev,
        ))  # fmt: skip
        files.sync_head()
    except OSError as error:
        message = f"no new segment can be made for chain {files.name} ({error.strerror or error}): free space, or mend the disk; tools are refused until then"
        raise AuditUnavailable(message) from error
    return first_record(files, head, reason)


def _ending(files: ChainFiles, head: Head, base: Position, size: int, *, poisoned: bool) -> Previous:
    aside = size - base.offset
    unsynced = poisoned and head.synced.lines < base.lines
    # what a failed sync left may change when the kernel drops its pages: its digest would accuse an honest disk
    sha256 = sha256_of(files.system, files.segment(head).fd, base.offset, size) if aside and not poisoned else ZERO_HASH
    return Previous(
        head.first_seq, head.attempt, base.offset,
        head.synced.lines if unsynced else NONE, head.synced.offset if unsynced else NONE,
        aside, sha256,
    )  # fmt: skip


def first_record(files: ChainFiles, head: Head, reason: str) -> Head:
    """
    Write the first record of a segment that has none and needs one: it says how the one before ended.

    Raises:
        AuditUnavailable: It cannot be written.
    """
    if head.written.offset or (head.prev.first_seq == NONE and head.attempt == 0):
        return head
    try:
        files.sync_head()
    except OSError as error:
        raise AuditUnavailable(f"the head {files.head_path} cannot be synced ({error.strerror or error}): mend the disk") from error
    tail = files.compose(SEGMENT_OPENED, {"previous": _previous(head.prev), "void_attempts": head.attempt, "reason": reason})
    try:
        return files.write(head, files.segment(head), [tail], 0)[0]
    except WriteFailedError as failed:
        if failed.unchanged:
            raise _unwritable(files, failed.reason) from failed
        # leaving the segment writes the first record of the next one
        return _leave(files, 0)


def _previous(prev: Previous) -> dict[str, Any] | None:
    if prev.first_seq == NONE:
        return None
    unsynced = None if prev.unsynced_count == NONE else {"count": prev.unsynced_count, "offset": prev.unsynced_offset}
    return {
        "segment": segment_name(prev.first_seq, prev.attempt), "first_seq": prev.first_seq, "attempt": prev.attempt, "valid_end": prev.valid_end,
        "aside_bytes": prev.aside_bytes, "aside_sha256": None if prev.aside_sha256 == ZERO_HASH else prev.aside_sha256.hex(),
        "unsynced_from": unsynced,
    }  # fmt: skip


def write(files: ChainFiles, head: Head, tails: Sequence[bytes], flags: int) -> tuple[Head, Written]:
    """
    Write a group, in a new segment if the open one is poisoned by the attempt.

    Args:
        files: The chain.
        head: Its head; nothing pending.
        tails: The records.
        flags: ``OS`` or 0.

    Raises:
        AuditUnavailable: Nothing could be written; what stands of it was never acknowledged.
    """
    reason = ""
    for _ in range(_TRIES):
        try:
            return files.write(head, files.segment(head), tails, flags)
        except WriteFailedError as failed:
            reason = failed.reason
            if failed.unchanged:
                break
            head = _leave(files, flags)
    raise _unwritable(files, reason)


def _unwritable(files: ChainFiles, reason: str) -> AuditUnavailable:
    return AuditUnavailable(f"chain {files.name} cannot be written ({reason}): free space, or mend the disk; tools are refused until then")


def _leave(files: ChainFiles, flags: int) -> Head:
    head = files.current()
    if head.written.offset or head.attempt < _TRIES or flags:
        return rotate(files, head, "poisoned")
    # one segment after the other is poisoned by its very first write: more of them help nobody
    raise AuditUnavailable(f"chain {files.name} cannot be written: {head.attempt} segments in a row failed at their first record; mend the disk")


def after_host_crash(files: ChainFiles, head: Head) -> Head:
    """
    HOST CRASH: the boot changed and nobody closed the chain; pages may have reached the disk in any order.

    Good lines alone prove nothing here: whoever writes the trail's files can add some behind the head. They count as far as they are vouched for.

    Until the caller PUTs the new boot id, a crash in here leads in here again.

    Raises:
        TrailTampered: The file does not reach what was synced.
    """
    segment = files.segment(head)
    size = files.size(segment)
    synced = head.synced
    if size < synced.offset or (synced.offset and last_hash_before(files.system, segment.fd, synced.offset) != synced.hash):
        raise _tampered(files, head, f"does not reach what was synced before the host went down (seq {synced.lines}): cut, or an older backup?")
    durability = "os" if head.flags & OS else "fsync"
    found = follow_after_crash(reading(files.system, segment.fd), head, size, files.voucher)
    good = found.counting
    try:
        files.system.fdatasync(segment.fd)
    except OSError as error:
        raise AuditUnavailable(f"chain {files.name} cannot be synced after the host went down ({error.strerror or error}); mend the disk") from error
    # they count as synced from here on: the head may be older than what was acknowledged, and a later failed sync must not set those lines aside
    head = files.put(head._replace(written=good, synced=good, pending=NO_PENDING))
    if head.poisoned:
        head = rotate(files, head, "poisoned")
    elif size > good.offset:
        head = rotate(files, head, "host_crash" if good == found.good else "unvouched")
    else:
        head = first_record(files, head, "host_crash")
    details = {"kind": "host_crash", "from": _place(synced), "to": _place(good), "vouched": _place(found.vouched), "durability": durability}
    return write(files, head, [files.compose(RECOVERED, details)], 0)[0]


def _place(mark: Position) -> dict[str, Any]:
    return {"count": mark.lines, "hash": mark.hash.hex()}


def _tampered(files: ChainFiles, head: Head, what: str) -> TrailTampered:
    name = segment_name(head.first_seq, head.attempt)
    return TrailTampered(
        f"segment {files.name}/{name} {what} Nothing more is appended; run `otel-tool-audit verify`, keep a copy, "
        "and only then `otel-tool-audit recover --accept --reason …`"
    )
