"""
The head of a chain: 4,096 bytes that name what was written, what is on disk, and what is about to be written. Pure.

Source: FORMAT.md, section 5.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final, NamedTuple

from otel_tool_audit.format.vouching import KEY_ID_BYTES

HEAD_BYTES: Final = 4096
SLOT_BYTES: Final = 2048
MAGIC: Final = b"OTAHEAD1"
CLEAN: Final = 1
POISONED: Final = 2
OS: Final = 4
NONE: Final = 2**64 - 1
"""Stands in ``prev`` for "there is none"."""

_SLOT = struct.Struct("<8sQ32s16sIQIQQ32sQQ32sII32sQIQQQQ32s")
_GENERATION = struct.Struct("<Q")
_CRC = struct.Struct("<I")
_VOUCHING = struct.Struct("<QQ8s")
_PACKED: Final = _SLOT.size
SLOT_PLAIN: Final = _PACKED + _CRC.size
"""Bytes of a slot that every version writes; what follows says who vouches for the lines."""
SLOT_PACKED: Final = SLOT_PLAIN + _VOUCHING.size + _CRC.size
"""Bytes of a slot that mean anything."""

ZERO_HASH: Final = bytes(32)


class Position(NamedTuple):
    """
    A place in a chain.

    Attributes:
        lines: How many lines the chain has: the seq of the next one (``count`` in FORMAT.md).
        offset: Where that line begins, in bytes from the segment's start.
        hash: The hash of the line before it (32 bytes), or of the epoch's origin.
    """

    lines: int
    offset: int
    hash: bytes


class Pending(NamedTuple):
    """A write that was announced: how many lines and bytes, and the hash of its last line. All zero: none."""

    lines: int
    size: int
    hash: bytes


NO_PENDING: Final = Pending(0, 0, ZERO_HASH)


class Previous(NamedTuple):
    """
    How the segment before this one ended.

    Attributes:
        first_seq: Its first seq; ``NONE`` when there was no segment before.
        attempt: Its attempt.
        valid_end: Its length in bytes as far as it belongs to the chain.
        unsynced_count: Seq from which its lines were never synced; ``NONE`` when all were.
        unsynced_offset: The same in bytes.
        aside_bytes: How many bytes after ``valid_end`` belong to nothing.
        aside_sha256: Their SHA-256; zeros when they cannot be relied upon to stay as they are (a failed sync).
    """

    first_seq: int
    attempt: int
    valid_end: int
    unsynced_count: int
    unsynced_offset: int
    aside_bytes: int
    aside_sha256: bytes


NO_PREVIOUS: Final = Previous(NONE, 0, 0, NONE, NONE, 0, ZERO_HASH)


class Head(NamedTuple):
    """
    One slot of a head file.

    Attributes:
        generation: Counts the PUTs; the valid slot of the higher generation counts.
        origin: SHA-256 of the epoch's origin.
        boot: Boot id under which the chain was last opened; zeros when it could not be read.
        flags: ``CLEAN``, ``POISONED``, ``OS``.
        first_seq: First seq of the open segment.
        attempt: Attempt of the open segment.
        written: Up to where lines were written.
        synced: Up to where they are known to be on disk.
        pending: The write that was announced and not yet confirmed.
        prev: How the segment before ended.
        vouched_from: Seq from which on every line of the chain is vouched for; ``NONE`` when that cannot be said.
        key_id: Id of the key that vouches for them.
    """

    generation: int
    origin: bytes
    boot: bytes
    flags: int
    first_seq: int
    attempt: int
    written: Position
    synced: Position
    pending: Pending
    prev: Previous
    vouched_from: int = NONE
    key_id: bytes = bytes(KEY_ID_BYTES)

    def pack(self) -> bytes:
        """Encode the slot, checksums included (324 bytes)."""
        generation, origin, boot, flags, first_seq, attempt, written, synced, pending, prev, vouched_from, key_id = self
        packed = _SLOT.pack(
            MAGIC, generation, origin, boot, flags, first_seq, attempt, written[0], written[1], written[2],
            synced[0], synced[1], synced[2], pending[0], pending[1], pending[2], *prev,
        )  # fmt: skip
        vouching = _VOUCHING.pack(generation, vouched_from, key_id)
        return b"%b%b%b%b" % (packed, _CRC.pack(zlib.crc32(packed)), vouching, _CRC.pack(zlib.crc32(vouching)))

    @classmethod
    def unpack(cls, file: bytes) -> Head | None:
        """
        Read the newest valid slot of a head file.

        Args:
            file: The file's bytes, 4,096 of them.

        Returns:
            None when no slot is valid ("no head"), or the file is no head's length.
        """
        if len(file) != HEAD_BYTES:
            return None
        first, second = generations(file)
        newer, older = (0, SLOT_BYTES) if first > second else (SLOT_BYTES, 0)
        # a generation is believed only where its slot's checksum holds; of two that hold the newer one counts
        return _unpack(file[newer : newer + SLOT_PACKED]) or _unpack(file[older : older + SLOT_PACKED])

    @property
    def clean(self) -> bool:
        """Whether the last writer closed the chain."""
        return bool(self.flags & CLEAN)

    @property
    def poisoned(self) -> bool:
        """Whether a write or sync failed in the open segment, so that every process must leave it."""
        return bool(self.flags & POISONED)


def slot_offset(generation: int) -> int:
    """Tell where the slot of that generation begins in the file, in bytes."""
    return (generation % 2) * SLOT_BYTES


def generations(file: bytes) -> tuple[int, int]:
    """Read the generation fields of both slots, valid or not."""
    return _GENERATION.unpack_from(file, 8)[0], _GENERATION.unpack_from(file, SLOT_BYTES + 8)[0]


def first_head(origin: bytes, boot: bytes, key_id: bytes) -> Head:
    """Make the head of a chain that has no line yet; every line of it will be vouched for."""
    start = Position(0, 0, origin)
    return Head(1, origin, boot, 0, 0, 0, start, start, NO_PENDING, NO_PREVIOUS, 0, key_id)


def _unpack(slot: bytes) -> Head | None:
    if len(slot) < SLOT_PACKED or slot[:8] != MAGIC:
        return None
    packed = slot[:_PACKED]
    if _CRC.unpack_from(slot, _PACKED)[0] != zlib.crc32(packed):
        return None
    f = _SLOT.unpack(packed)
    return Head(
        f[1], f[2], f[3], f[4], f[5], f[6], Position(*f[7:10]), Position(*f[10:13]), Pending(*f[13:16]), Previous(*f[16:23]), *_vouching(slot, f[1]),
    )  # fmt: skip


def _vouching(slot: bytes, generation: int) -> tuple[int, bytes]:
    """
    Read from which seq on lines are vouched for, and with which key.

    A writer of an older version PUTs the rest of a slot and leaves these bytes as they were two generations ago: then it cannot be said.
    """
    packed = slot[SLOT_PLAIN : SLOT_PLAIN + _VOUCHING.size]
    repeated, vouched_from, key_id = _VOUCHING.unpack(packed)
    if repeated != generation or _CRC.unpack_from(slot, SLOT_PLAIN + _VOUCHING.size)[0] != zlib.crc32(packed):
        return NONE, bytes(KEY_ID_BYTES)
    return vouched_from, key_id
