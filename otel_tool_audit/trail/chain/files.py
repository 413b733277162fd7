"""
The files of one chain as one process sees them: its head, its directory, its open segment, and the single write between two PUTs.

Everything here runs under the head's lock, except where it says otherwise.

Source: PROTOCOL.md, "Protocol"; FORMAT.md, sections 2, 3 and 5.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from otel_tool_audit.errors import TrailTampered
from otel_tool_audit.format.head import (  # fmt: skip
    HEAD_BYTES,
    NO_PENDING,
    OS,
    POISONED,
    SLOT_BYTES,
    SLOT_PACKED,
    SLOT_PLAIN,
    Head,
    Pending,
    Position,
    slot_offset,
)
from otel_tool_audit.format.line import body, leaf_digest, line
from otel_tool_audit.format.names import segment_name
from otel_tool_audit.format.vouching import Voucher
from otel_tool_audit.host.directory import Directory
from otel_tool_audit.host.system import MAPPED_FILESYSTEMS, System, filesystem_type
from otel_tool_audit.record.model import Receipt

_APPEND: Final = os.O_RDWR | os.O_APPEND
_PATHS_SECONDS: Final = 1.0
_SECOND_PLAIN: Final = SLOT_BYTES + SLOT_PLAIN
_SECOND_END: Final = SLOT_BYTES + SLOT_PACKED

Compose = Callable[[str, Mapping[str, Any]], bytes]
"""Makes the tail of an event of the trail from its name and details."""


class WriteFailedError(Exception):
    """
    A write did not do what it was asked.

    Attributes:
        unchanged: Whether the file kept its size, so that nothing is poisoned.
        reason: What the system said.
    """

    def __init__(self, reason: str, *, unchanged: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.unchanged = unchanged


class Segment:
    """
    An open segment. A sync runs on its descriptor without the lock, so it is closed only when nobody uses it.

    Attributes:
        fd: Writes, and syncs in the trail's own threads.
        callers_fd: Syncs in callers' threads. The kernel tells an error of a sync once to each of the two, so a caller that is interrupted keeps it from nobody.
        users: Syncs that run on ``fd``.
        retired: Whether it was left.
    """

    def __init__(self, fd: int, callers_fd: int, first_seq: int, attempt: int, identity: tuple[int, int], started: int) -> None:
        self.fd = fd
        self.callers_fd = callers_fd
        self.first_seq = first_seq
        self.attempt = attempt
        self.identity = identity
        self.started = started
        self.users = 0
        self.retired = False

    @property
    def name(self) -> str:
        """The file's name."""
        return segment_name(self.first_seq, self.attempt)


class Written(NamedTuple):
    """
    Lines that stand in a segment and may not be on disk yet.

    Attributes:
        receipts: One for each line; they count only once :meth:`Chain.make_durable` said so (``os``: at once).
        lines: The lines as written.
        segment: Where they stand, in use until made durable.
        mark: The place after them.
    """

    receipts: list[Receipt]
    lines: list[bytes]
    segment: Segment
    mark: Position


class ChainFiles:
    """The head, the directory and the open segment of one chain."""

    def __init__(
        self, system: System, name: str, root: Directory, heads: Directory, compose: Compose, voucher: Voucher, *, append_only: bool = False,
    ) -> None:  # fmt: skip
        """
        Open the head; the chain's directory is opened by :meth:`open_directory`.

        Args:
            system: The system calls.
            name: The chain's name.
            root: The trail's directory; stays the caller's.
            heads: The directory of this trail's heads; stays the caller's.
            compose: Makes events of the trail.
            voucher: Vouches for every line that is written.
            append_only: Set the append-only attribute on segments, where the host allows it.

        Raises:
            FileNotFoundError: The chain has no head file.
            TrailTampered: The head file is not 4,096 bytes.
        """
        self.system = system
        self.name = name
        self.compose = compose
        self.voucher = voucher
        self._append_only = append_only
        self.head_path = f"{heads.path}/{name}"
        self._root = root
        self._heads = heads
        self._directory: Directory | None = None
        self._segment: Segment | None = None
        self._head: Head | None = None
        self._generations = (b"", b"")
        self.paths_due = 0.0
        self.failed_sync: tuple[int, int] | None = None
        # there a PUT is a copy in memory; elsewhere the page may need room, and only a system call tells that there is none
        self._in_place = filesystem_type(system.mounts(), heads.path) in MAPPED_FILESYSTEMS
        self.head_fd = heads.open_file(name, os.O_RDWR)
        try:
            found = system.fstat(self.head_fd)
            if stat.S_IMODE(found.st_mode) & 0o077:
                # whoever can open it can lock it, and keep every writer waiting
                system.chmod(self.head_fd, 0o600)
            if found.st_size != HEAD_BYTES:
                raise TrailTampered(f"the head {self.head_path} is not {HEAD_BYTES} bytes long: the state directory was damaged")
            self._map = system.map(self.head_fd)
        except BaseException:
            system.close(self.head_fd)
            raise

    # --- the head

    def current(self) -> Head:
        """
        Read the head; it is parsed again only if somebody PUT since.

        Raises:
            TrailTampered: No slot is valid.
        """
        file = self._map
        if self._head is None or (file[8:16], file[SLOT_BYTES + 8 : SLOT_BYTES + 16]) != self._generations:
            whole = file[0:HEAD_BYTES]
            head = Head.unpack(whole)
            if head is None:
                raise TrailTampered(f"no slot of the head {self.head_path} is valid: the state directory was damaged; see `otel-tool-audit recover`")
            self._generations = (whole[8:16], whole[SLOT_BYTES + 8 : SLOT_BYTES + 16])
            self._head = head
        return self._head

    def forget(self) -> None:
        """Believe nothing that was read before: whoever read it may not have come to note what it did."""
        self._head = None

    def put(self, head: Head) -> Head:
        """
        PUT: raise the generation and copy the slot, its end first.

        If we crash inside the copy the slot's checksum fails and the other slot counts: as if this had not been called. Copied from its beginning, a slot could
        stand whole with the end of an older one, which would look as if a writer of an older version had PUT it.
        """
        return self._put_next(Head(head.generation + 1, *head[1:]))

    def _put_next(self, head: Head) -> Head:
        """PUT a head whose generation has been raised already."""
        packed = head.pack()
        before = self._generations
        second = head.generation % 2
        if not self._in_place:
            # within one page, so nobody who is killed leaves a part of it
            self.system.overwrite(self.head_fd, packed, slot_offset(head.generation))
        elif second:
            self._map[_SECOND_PLAIN:_SECOND_END] = packed[SLOT_PLAIN:]
            self._map[SLOT_BYTES:_SECOND_PLAIN] = packed[:SLOT_PLAIN]
        else:
            self._map[SLOT_PLAIN:SLOT_PACKED] = packed[SLOT_PLAIN:]
            self._map[0:SLOT_PLAIN] = packed[:SLOT_PLAIN]
        self._generations = (before[0], packed[8:16]) if second else (packed[8:16], before[1])
        self._head = head
        return head

    def sync(self, segment: Segment, fd: int) -> bool:
        """
        Bring a segment's lines to disk. Needs no lock.

        Args:
            segment: Which.
            fd: One of its descriptors.

        Returns:
            False when that failed; the kernel tells it once, so it is remembered until the head says so.
        """
        try:
            self.system.fdatasync(fd)
        except OSError:
            self.failed_sync = (segment.first_seq, segment.attempt)
            return False
        return True

    def poison(self, head: Head) -> Head:
        """Say that nobody may go on in the open segment."""
        head = self.put(head._replace(flags=head.flags | POISONED))
        self.failed_sync = None
        return head

    def say_what_failed(self) -> None:
        """Poison the open segment if its sync failed and that could not be said then."""
        if self.failed_sync is not None:
            head = self.current()
            if (head.first_seq, head.attempt) == self.failed_sync and not head.poisoned:
                self.poison(head)
            self.failed_sync = None

    def sync_head(self) -> None:
        """Bring the head to disk."""
        self.system.fdatasync(self.head_fd)

    # --- the directory and the segment

    @property
    def directory(self) -> Directory:
        """
        The chain's directory.

        Raises:
            TrailTampered: It is gone.
        """
        if self._directory is None:
            try:
                self._directory = self._root.open_directory(self.name)
            except FileNotFoundError as error:
                message = f"the chain {self._root.path}/{self.name} is gone, its head is not: restore it, or `otel-tool-audit recover --accept`"
                raise TrailTampered(message) from error
        return self._directory

    def segment(self, head: Head) -> Segment:
        """
        Open the segment that the head names.

        Raises:
            TrailTampered: It is gone, or not what the trail put there.
        """
        current = self.opened(head)
        if current is not None:
            return current
        name = segment_name(head.first_seq, head.attempt)
        try:
            fd = self.directory.open_file(name, _APPEND)
        except FileNotFoundError as error:
            message = f"segment {self.name}/{name} is missing, its head is not; rotated by logrotate, or removed? `otel-tool-audit verify` tells"
            raise TrailTampered(message) from error
        return self._take(fd, head.first_seq, head.attempt)

    def opened(self, head: Head) -> Segment | None:
        """Give the segment that the head names if it is open already."""
        current = self._segment
        return current if current is not None and current.first_seq == head.first_seq and current.attempt == head.attempt else None

    def create_segment(self, first_seq: int, attempt: int) -> None:
        """
        Make an empty segment, durable with its name. No head names it yet.

        If we crash before the head names it, it stays empty and belongs to nothing; the same rotation uses it again.

        Raises:
            TrailTampered: A file with bytes in it stands there, which no writer put there.
            OSError: As the system says.
        """
        name = segment_name(first_seq, attempt)
        try:
            fd = self.directory.open_file(name, _APPEND | os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            fd = self.directory.open_file(name, _APPEND)
        try:
            if self.system.fstat(fd).st_size:
                raise TrailTampered(
                    f"segment {self.name}/{name} has bytes in it, but no head ever named it: it was put there; look at it, then remove it"
                )
            self.system.fsync(fd)
            self.directory.sync()
        except BaseException:
            self.system.close(fd)
            raise
        self._take(fd, first_seq, attempt)

    def _take(self, fd: int, first_seq: int, attempt: int) -> Segment:
        try:
            found = self.system.fstat(fd)
            if self._append_only:
                self.system.set_append_only(fd)
            started = _first_moment(self.system.read(fd, 4096, 0)) or self.system.now()
            callers_fd = self.directory.open_file(segment_name(first_seq, attempt), os.O_RDONLY)
        except BaseException:
            self.system.close(fd)
            raise
        self.retire()
        self._segment = Segment(fd, callers_fd, first_seq, attempt, (found.st_dev, found.st_ino), started)
        return self._segment

    def retire(self) -> None:
        """Let go of the open segment; its descriptor is closed as soon as no sync uses it."""
        segment, self._segment = self._segment, None
        if segment is not None:
            segment.retired = True
            self.release(segment, users=0)

    def release(self, segment: Segment, users: int = 1) -> None:
        """End the use of a segment. In the chain's section; the head's lock is not needed."""
        segment.users -= users
        if segment.retired and segment.users == 0 and segment.fd >= 0:
            self.system.close(segment.fd)
            self.system.close(segment.callers_fd)
            segment.fd = segment.callers_fd = -1

    def check_paths(self, segment: Segment) -> None:
        """
        Check, when ``paths_due`` has come, that the paths still lead to the files that are open (PROTOCOL.md, rule 4).

        Raises:
            TrailTampered: A file or directory was moved, removed or replaced while it was open.
        """
        expected = (
            (self._root.path, None, self._root.identity()),
            (self.name, self._root, self.directory.identity()),
            (segment.name, self.directory, segment.identity),
            (self.name, self._heads, _identity(self.system.fstat(self.head_fd))),
        )
        for name, place, identity in expected:
            where = f"{place.path}/{name}" if place else name
            try:
                found = _identity(self.system.stat(name, dir_fd=place.fd if place else None))
            except FileNotFoundError:
                found = None
            if found != identity:
                what = "gone" if found is None else "another file"
                raise TrailTampered(f"{where} is {what}, while this process still has it open: moved, removed or rotated from outside? put it back")
        self.paths_due = self.system.monotonic() + _PATHS_SECONDS

    # --- the write

    def write(self, head: Head, segment: Segment, tails: Sequence[bytes], flags: int) -> tuple[Head, Written]:
        """
        Announce a group of lines, write it once, confirm it.

        If we crash before the write, a pending write of which nothing stands is forgotten. If we crash inside or after it, recovery finds
        a part (set aside) or the whole (adopted, since it chains from the head to the announced hash).

        Args:
            head: The current head; nothing pending, the file as long as it says.
            segment: The open segment.
            tails: One for each record, without place.
            flags: ``OS`` if the caller acknowledges without sync.

        Raises:
            WriteFailedError: And what must follow from it is the caller's.
        """
        g, origin, boot, old_flags, first_seq, attempt, written, synced, _, prev, vouched_from, key_id = head
        vouch = self.voucher.vouch
        count, offset, last = written
        previous = last.hex()
        receipts: list[Receipt] = []
        lines: list[bytes] = []
        for seq, tail in enumerate(tails, count):
            content = vouch(body(seq, previous, tail))
            last = leaf_digest(content)
            found = last.hex()
            receipts.append(Receipt(self.name, seq, previous, found))
            lines.append(line(content, found))
            previous = found
        data = lines[0] if len(lines) == 1 else b"".join(lines)
        mark = Position(count + len(lines), offset + len(data), last)
        flags |= old_flags
        pending = Pending(len(lines), len(data), last)
        head = self._put_next(Head(g + 1, origin, boot, flags, first_seq, attempt, written, synced, pending, prev, vouched_from, key_id))
        try:
            done = self.system.write(segment.fd, data)
            whole = done == len(data) and self.system.position(segment.fd) == mark.offset
            reason = f"{done} of {len(data)} bytes were written"
        except OSError as error:
            whole, reason = False, error.strerror or str(error)
        if not whole:
            raise self._failed(head, segment, reason)
        head = self._put_next(Head(g + 2, origin, boot, flags, first_seq, attempt, mark, synced, NO_PENDING, prev, vouched_from, key_id))
        return head, Written(receipts, lines, segment, mark)

    def _failed(self, head: Head, segment: Segment, reason: str) -> WriteFailedError:
        """Say in the head what a failed write left: nothing, or a segment that everybody must leave."""
        unchanged = False
        with contextlib.suppress(OSError):
            unchanged = self.system.fstat(segment.fd).st_size == head.written.offset
        if unchanged:
            self.put(head._replace(pending=NO_PENDING))
        else:
            self.poison(head)
        return WriteFailedError(reason, unchanged=unchanged)

    def size(self, segment: Segment) -> int:
        """
        Tell the segment's size in bytes.

        Raises:
            TrailTampered: It has no name any more, or more than one.
        """
        size, links = self.system.length(segment.fd)
        if links != 1:
            raise TrailTampered(f"segment {self.name}/{segment.name} has {links} names instead of one: removed or linked from outside")
        return size

    def close(self) -> None:
        """Close all descriptors; a second time does nothing. Takes no lock and releases none that a parent process holds."""
        self.retire()
        if self._directory is not None:
            self._directory.close()
            self._directory = None
        if self.head_fd >= 0:
            self._map.close()
            self.system.close(self.head_fd)
            self.head_fd = -1


def os_flag(durability: str) -> int:
    """Tell the head's flag for a durability."""
    return OS if durability == "os" else 0


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _first_moment(start: bytes) -> int | None:
    """Read the timestamp of a segment's first record (ns since the epoch), from which its age is counted; None when it has none."""
    at = start.find(b'"timestamp":"')
    if at < 0:
        return None
    try:
        return int(datetime.fromisoformat(start[at + 13 : at + 40].decode("ascii")).timestamp() * 1e9)
    except ValueError:
        return None
