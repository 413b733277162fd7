"""
One chain as one process writes it: open, append a group, make it durable, close.

Any number of processes do this at once, each with an object of its own; the head's lock puts them in order, and within a process the section does.

Source: PROTOCOL.md, "Protocol".
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from otel_tool_audit.errors import AuditError, AuditUnavailable, TrailTampered
from otel_tool_audit.format.head import CLEAN, HEAD_BYTES, NONE, OS, POISONED, SLOT_PACKED, Head, Position, first_head, slot_offset
from otel_tool_audit.format.names import parse_segment_name, segment_name
from otel_tool_audit.host.directory import Directory
from otel_tool_audit.host.locks import LOCK_DEADLINE
from otel_tool_audit.host.system import NO_BOOT
from otel_tool_audit.trail.chain import recovery
from otel_tool_audit.trail.chain.files import ChainFiles, Segment, WriteFailedError, Written
from otel_tool_audit.trail.chain.scan import first_record, last_hash_before, named_ending
from otel_tool_audit.trail.chain.seals import seal_left_segments
from otel_tool_audit.trail.chain.section import Section
from otel_tool_audit.trail.worker import PATIENCE

_log = logging.getLogger("otel_tool_audit")

_TRIES: Final = 5
_NS: Final = 1_000_000_000
_PLACE_AND_HASH: Final = 200
"""Bytes that a line has besides its tail, at most."""
LONGEST_GROUP: Final = 512
"""Records in one write, at most."""


class Rotation(NamedTuple):
    """
    When a segment is left for a new one.

    Attributes:
        bytes: Its size.
        seconds: Its age, from its first record's timestamp.
    """

    bytes: int
    seconds: float


class Others(NamedTuple):
    """
    The other writers of a trail, as their locks show them.

    Attributes:
        live: Whether any lives.
        older: Whether one of them is of a version that does not vouch for its lines.
    """

    live: bool
    older: bool


class Unsettled(NamedTuple):
    """
    Lines of which nobody can say yet whether they are on disk.

    Attributes:
        written: The lines.
        synced: Whether the sync itself succeeded.
    """

    written: Written
    synced: bool


class Chain:
    """
    A chain of one process. A fork's child closes it and opens its own.

    All of it is for the trail's own threads, but :meth:`append_here`, which is for any.

    Attributes:
        name: The chain's.
        files: Its head, directory and open segment.
        dirty: Whether something happened that the background sync has not seen.
    """

    def __init__(self, files: ChainFiles, rotation: Rotation, flags: int) -> None:
        self.name = files.name
        self.files = files
        self._system = files.system
        self._rotation = rotation
        self._flags = flags
        self._sealed_before = (0, 0)
        self._kept: OSError | None = None
        self._syncing = False
        self.dirty = False
        self._section: Section[Written | Unsettled | AuditError] = Section(f"chain {files.name}", self._append_in_turn, self._mend)

    # --- opening and closing, under <state>/lock

    def open(self, others: Others) -> bool:
        """
        Take the chain into use: settle what killed writers or a crashed host left.

        Args:
            others: Which other writers of the trail live; none can begin or end meanwhile.

        Returns:
            Whether the host had crashed.

        Raises:
            TrailTampered: The files contradict the head.
            AuditUnavailable: The disk does not take what must be written.
        """
        files = self.files
        with self._locked():
            head = files.current()
            boot = self._system.boot_id()
            if head.clean:
                self._check_equal(head)
            # locks end with the host: while anybody lives, a boot id that differs is that of another sandbox, not of another boot
            crashed = not head.clean and (boot == NO_BOOT or boot != head.boot) and not others.live
            if crashed:
                head = recovery.after_host_crash(files, head)
            files.put(head._replace(boot=boot, flags=head.flags & ~CLEAN))
            self._sync_head()
            head = self._ready(0)
            vouched_from = NONE if others.older else self._vouched_from(head)
            if (vouched_from, files.voucher.id) != (head.vouched_from, head.key_id):
                files.put(head._replace(vouched_from=vouched_from, key_id=files.voucher.id))
                self._sync_head()
            self.dirty = True
            return crashed

    def _vouched_from(self, head: Head) -> int:
        """Tell from which seq on lines are vouched for if every living writer vouches: what the head says, else from its end on."""
        known = head.key_id == self.files.voucher.id and head.vouched_from != NONE
        return head.vouched_from if known else head.written.lines

    def vouched_from(self) -> int | None:
        """Tell from which seq on every line of the chain is vouched for; None while a writer of an older version lives."""
        head = self.head()
        return None if head.vouched_from == NONE else head.vouched_from

    def _check_equal(self, head: Head) -> None:
        """A chain that was closed: the files must equal the head exactly."""
        files = self.files
        segment = files.segment(head)
        size = files.size(segment)
        extra = size - head.written.offset
        if extra:
            more = (
                f"{extra} bytes longer than its head: forged, or the state restored?"
                if extra > 0
                else f"{-extra} bytes shorter than its head: cut, or an older backup?"
            )
            raise TrailTampered(
                f"segment {self.name}/{segment.name} was closed and is {more} Run `otel-tool-audit verify`, then `otel-tool-audit recover --accept --reason …`"
            )
        if size and last_hash_before(self._system, segment.fd, size) != head.written.hash:
            raise TrailTampered(
                f"segment {self.name}/{segment.name} was closed at seq {head.written.lines - 1} with another hash than its last line has: changed. Run `otel-tool-audit verify`"
            )

    def mark_clean(self) -> None:
        """Say that nobody writes any more: everything is synced, the files equal the head."""
        with self._locked():
            head = self.files.current()
            if head.poisoned or head.pending.lines or head.synced.lines != head.written.lines:
                return
            self.files.put(head._replace(flags=(head.flags | CLEAN) & ~OS))
            self._sync_head()

    def close(self) -> None:
        """Close the descriptors when nobody is within; a second time does nothing."""
        with contextlib.suppress(AuditUnavailable), self._section.held(PATIENCE):
            self.files.close()

    def abandon(self) -> None:
        """Close the descriptors, in a fork's child: what the parent's threads hold is not held here."""
        self.files.close()

    # --- appending

    def append(self, tails: Sequence[bytes], *, sync_follows: bool = False, deadline: float = LOCK_DEADLINE) -> Written:
        """
        Append a group. With ``os`` durability it is acknowledged by this; else by :meth:`make_durable`, which must follow.

        Args:
            tails: The records, without place; at most ``LONGEST_GROUP``.
            sync_follows: Whether :meth:`make_durable` will be called: it needs the segment's descriptor open until then.
            deadline: Seconds to wait for other writers.

        Raises:
            AuditUnavailable: Nothing durable came of it.
            TrailTampered: The files contradict the head.
        """
        with self._locked(deadline):
            head = self._ready(sum([len(tail) + _PLACE_AND_HASH for tail in tails]))
            written = recovery.write(self.files, head, tails, self._flags)[1]
            if sync_follows:
                written.segment.users += 1
            self.dirty = True
            return written

    def append_here(self, tail: bytes) -> Written | Unsettled | None:
        """
        Append one record, in any thread, if nothing stands in the way. It is acknowledged then, with ``fsync`` durability synced.

        Returns:
            None when somebody else is at it, or something is to be done first: then :meth:`append` or :meth:`commit` does it. What is written and not
            acknowledged is for :meth:`settle`.

        Raises:
            AuditUnavailable: Nothing durable came of it.
            TrailTampered: The files contradict the head.
        """
        written = self._section.take_turn(tail)
        if isinstance(written, AuditError):
            raise written
        return written

    def _append_in_turn(self, tail: bytes) -> Written | Unsettled | AuditError | None:
        """
        Append where the chain is in order, and leave everything else to the trail's own threads. An exception may come out of any line.

        What the process remembers is then dropped (:meth:`_mend`); what stands on disk is what a killed writer leaves.
        """
        try:
            written = self._write_in_turn(tail)
            return written if self._flags & OS or written is None else self._sync_in_turn(written)
        except WriteFailedError:
            return None
        except OSError as error:
            return self._unusable("written", error)
        except AuditError as error:
            return error

    def _write_in_turn(self, tail: bytes) -> Written | None:
        files, system = self.files, self._system
        # closed: whoever got this far before the trail was closed is told so by the queue
        if files.head_fd < 0 or files.failed_sync is not None or not system.lock_now(files.head_fd):
            return None
        try:
            head = files.current()
            segment = files.opened(head)
            offset = head.written.offset
            if (
                segment is None
                or not offset
                or head.pending.lines
                or head.flags & (CLEAN | POISONED)
                or offset + len(tail) + _PLACE_AND_HASH > self._rotation.bytes
                or system.monotonic() >= files.paths_due
                or files.size(segment) != offset
            ):
                return None
            self.dirty = True
            return files.write(head, segment, (tail,), self._flags)[1]
        finally:
            self._give_back()

    def _sync_in_turn(self, written: Written) -> Written | Unsettled:
        self._syncing = True
        synced = self.files.sync(written.segment, written.segment.callers_fd)
        self._system.lock(self.files.head_fd, self.files.head_path)
        try:
            acknowledged = self._note_sync(written, synced=synced)
        finally:
            self._give_back()
        self._syncing = False
        return written if acknowledged else Unsettled(written, synced)

    def _note_sync(self, written: Written, *, synced: bool) -> bool:
        """Say in the head what came of a sync; False when that does not tell whether the lines are on disk."""
        files = self.files
        head = files.current()
        segment, mark = written.segment, written.mark
        if (head.first_seq, head.attempt) != (segment.first_seq, segment.attempt) or head.poisoned:
            return False
        if not synced:
            files.poison(head)
        elif mark.lines > head.synced.lines:
            flags = head.flags & ~OS if mark.lines == head.written.lines else head.flags
            files.put(head._replace(synced=mark, flags=flags))
        return synced

    def settle(self, unsettled: Unsettled, tails: Sequence[bytes]) -> Written:
        """
        Find out what became of lines that were written and not acknowledged; append them again if they were set aside.

        Raises:
            AuditUnavailable: The disk does not take it.
            TrailTampered: The files contradict the head.
        """
        with self._locked():
            if self._acknowledge(unsettled.written, synced=unsettled.synced):
                return unsettled.written
        return self.commit(tails)

    def _mend(self) -> None:
        """
        After a turn that was broken off: believe only what is on disk, and give the lock back that may still be ours.

        Whoever was interrupted around its sync may have been the only one to whom the kernel told an error. This thread has a descriptor of its own to be told.

        Raises:
            AuditUnavailable: The chain cannot be used.
        """
        files = self.files
        files.forget()
        try:
            if self._syncing:
                self._system.lock(files.head_fd, files.head_path)
                head = files.current()
                segment = files.opened(head)
                if segment is not None and not head.poisoned and not files.sync(segment, segment.fd):
                    files.poison(head)
                self._syncing = False
        except OSError as error:
            raise self._unusable("used", error) from error
        finally:
            self._give_back()
        self.dirty = True

    def _give_back(self) -> None:
        """Give the head's lock back. Where the kernel does not take it, every append tries again, and the background sync within a second."""
        try:
            self._system.unlock(self.files.head_fd)
            self._kept = None
        except OSError as error:
            # told by the background sync: a logging handler must not run in here
            self._kept = error
            self.dirty = True

    def _unusable(self, how: str, error: OSError) -> AuditUnavailable:
        unavailable = AuditUnavailable(f"chain {self.name} cannot be {how} ({error.strerror or error}); mend that, tools are refused until then")
        unavailable.__cause__ = error
        return unavailable

    def _ready(self, incoming: int) -> Head:
        """Bring the chain to where a write may follow: open, settled, in a segment with room."""
        files = self.files
        head = files.current()
        if head.flags & (CLEAN | POISONED):
            if head.clean:
                head = files.put(head._replace(flags=head.flags & ~CLEAN))
                self._sync_head()
            if head.poisoned:
                head = recovery.rotate(files, head, "poisoned")
        segment = files.segment(head)
        size = files.size(segment)
        if head.pending.lines or size != head.written.offset:
            head = recovery.recover(files, head, size)
            segment = files.segment(head)
        elif size == 0:
            head = recovery.first_record(files, head, "resumed")
        offset = head.written.offset
        if self._system.monotonic() >= files.paths_due:
            files.check_paths(segment)
            if incoming and offset and self._system.now() - segment.started > self._rotation.seconds * _NS:
                return recovery.rotate(files, head, "age")
        if incoming and offset and offset + incoming > self._rotation.bytes:
            return recovery.rotate(files, head, "size")
        return head

    def _sync_head(self) -> None:
        try:
            self.files.sync_head()
        except OSError as error:
            raise AuditUnavailable(f"the head {self.files.head_path} cannot be synced ({error.strerror or error}): mend the disk") from error

    # --- durability

    def commit(self, tails: Sequence[bytes]) -> Written:
        """
        Append a group and return when it is on disk; lines that a failed sync set aside are appended again.

        Raises:
            AuditUnavailable: The disk does not take it.
            TrailTampered: The files contradict the head.
        """
        with self._section.reserved():
            for _ in range(_TRIES):
                written = self.append(tails, sync_follows=True)
                if self.make_durable(written):
                    return written
        raise AuditUnavailable(f"chain {self.name}: {_TRIES} segments in a row failed to sync; mend the disk")

    def make_durable(self, written: Written) -> bool:
        """
        Bring what was appended to disk.

        A successful fdatasync alone acknowledges nothing: somebody else's failed sync of the same file may have eaten the error, and says so in the head.

        Returns:
            False when the lines were set aside and must be appended again.

        Raises:
            AuditUnavailable: Nobody can say whether they are on disk.
        """
        segment = written.segment
        try:
            synced = self.files.sync(segment, segment.fd)
            with self._locked():
                return self._acknowledge(written, synced=synced)
        finally:
            with contextlib.suppress(AuditUnavailable), self._section.held(PATIENCE):
                self.files.release(segment)

    def _acknowledge(self, written: Written, *, synced: bool) -> bool:
        if self._note_sync(written, synced=synced):
            return True
        head = self.files.current()
        segment, mark = written.segment, written.mark
        if (head.first_seq, head.attempt) == (segment.first_seq, segment.attempt):
            head = recovery.rotate(self.files, head, "poisoned")
        return self._settled_by_rotation(head, segment, mark)

    def _settled_by_rotation(self, head: Head, segment: Segment, mark: Position) -> bool:
        """Tell whether the rotation out of *segment* synced the lines before *mark*, or set them aside."""
        prev = head.prev
        if (prev.first_seq, prev.attempt) == (segment.first_seq, segment.attempt):
            return mark.offset <= min(prev.valid_end, prev.unsynced_offset)
        for name in self.files.directory.names():
            parsed = parse_segment_name(name)
            if parsed is None or parsed <= (segment.first_seq, segment.attempt):
                continue
            ending = self._ending_named_by(name)
            if ending is not None and ending.get("segment") == segment.name:
                unsynced = ending["unsynced_from"]
                return bool(mark.offset <= min(ending["valid_end"], unsynced["offset"] if unsynced else NONE))
        # void whole: a later attempt at the same first seq
        return False

    def _ending_named_by(self, name: str) -> dict[str, Any] | None:
        fd = self.files.directory.open_file(name, os.O_RDONLY)
        try:
            return named_ending(first_record(self._system, fd))
        finally:
            self._system.close(fd)

    def sync(self) -> Position:
        """
        The background sync: bring everything written to disk, then the head.

        Returns:
            What is synced now.

        Raises:
            AuditUnavailable, TrailTampered: As for :meth:`append`.
        """
        try:
            self.dirty = False
            return self._sync()
        except AuditError:
            self.dirty = True
            raise

    def _sync(self) -> Position:
        if self._kept is not None:
            _log.warning("the lock of %s could not be released (%s): other processes wait for it; trying again", self.files.head_path, self._kept)
        with self._locked():
            head = self.files.current()
            if head.written.lines == head.synced.lines and not head.poisoned:
                self._sync_head()
                return head.synced
            if head.poisoned:
                head = recovery.rotate(self.files, head, "poisoned")
            segment = self.files.segment(head)
            segment.users += 1
        self.make_durable(Written([], [], segment, head.written))
        self._sync_head()
        return self.synced()

    def seal_old(self) -> None:
        """Seal the segments that were left since the last time. Needs no lock."""
        head = self.head()
        if (head.first_seq, head.attempt) != self._sealed_before:
            seal_left_segments(self.files.directory, (head.first_seq, head.attempt))
            self._sealed_before = (head.first_seq, head.attempt)

    def synced(self) -> Position:
        """Tell what is known to be on disk (the mark's offset is in the open segment)."""
        with self._locked():
            return self.files.current().synced

    def head(self) -> Head:
        """Read the head as it is now."""
        with self._locked():
            return self.files.current()

    @property
    def broken(self) -> bool:
        """Whether a caller was interrupted within, and nobody has mended since."""
        return self._section.broken

    @contextlib.contextmanager
    def _locked(self, deadline: float = LOCK_DEADLINE) -> Iterator[None]:
        with self._section.held(PATIENCE):
            try:
                self._system.lock(self.files.head_fd, self.files.head_path, deadline)
                try:
                    self.files.say_what_failed()
                    yield
                finally:
                    self._give_back()
            except OSError as error:
                raise self._unusable("used", error) from error


def create_head(heads: Directory, name: str, origin: bytes, boot: bytes, key_id: bytes) -> None:
    """
    Make the head of a chain that has no record yet: whole and durable before anybody maps it.

    Args:
        heads: The trail's directory of heads.
        name: The chain.
        origin: SHA-256 of its origin.
        boot: This boot's id.
        key_id: Id of the vouching key.
    """
    write_head(heads, name, first_head(origin, boot, key_id))


def write_head(heads: Directory, name: str, head: Head) -> None:
    """Put a head file in place that nobody has open: 4,096 bytes, durable with its name."""
    # in the slot of its generation: the next PUT must go to the other one
    at = slot_offset(head.generation)
    heads.replace_file(name, bytes(at) + head.pack() + bytes(HEAD_BYTES - at - SLOT_PACKED))


def create_chain_directory(root: Directory, name: str) -> None:
    """Make a chain's directory and first segment, durable. Called again after a crash it completes what is missing."""
    directory = root.make_directory(name)
    try:
        fd = directory.open_file(segment_name(0, 0), os.O_RDWR | os.O_CREAT)
        try:
            # once a line stands there, whether its sync failed must be said in the head (it is told once), and nobody says so here
            if not directory.system.fstat(fd).st_size:
                directory.system.fsync(fd)
        finally:
            directory.system.close(fd)
        directory.sync()
    finally:
        directory.close()
