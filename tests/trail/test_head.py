"""The head file: slots, torn slots, generations (FORMAT.md, section 5)."""

from __future__ import annotations

import struct
import zlib

from hypothesis import given
from hypothesis import strategies as st

from otel_tool_audit.format.head import (
    HEAD_BYTES,
    NO_PENDING,
    NO_PREVIOUS,
    NONE,
    SLOT_BYTES,
    SLOT_PACKED,
    SLOT_PLAIN,
    Head,
    Pending,
    Position,
    Previous,
    first_head,
    generations,
    slot_offset,
)

U32, U64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
HASH = st.binary(min_size=32, max_size=32)
MARKS = st.builds(Position, U64, U64, HASH)
HEADS = st.builds(
    Head, st.integers(1, 2**64 - 2), HASH, st.binary(min_size=16, max_size=16), st.integers(0, 7), U64, U32, MARKS, MARKS,
    st.builds(Pending, U32, U32, HASH), st.builds(Previous, U64, U32, U64, U64, U64, U64, HASH),
    U64, st.binary(min_size=8, max_size=8),
)  # fmt: skip


def file_of(*heads: Head) -> bytes:
    file = bytearray(HEAD_BYTES)
    for head in heads:
        at = slot_offset(head.generation)
        file[at : at + SLOT_PACKED] = head.pack()
    return bytes(file)


@given(HEADS)
def test_a_head_is_read_as_it_was_written(head: Head) -> None:
    """Every field survives; the slot is 324 bytes, as the format says."""
    assert 324 == len(head.pack())
    assert head == Head.unpack(file_of(head))


@given(HEADS)
def test_the_fields_lie_where_the_format_says(head: Head) -> None:
    """The table of FORMAT.md, section 5, offset by offset."""
    packed = head.pack()
    assert (b"OTAHEAD1", head.generation) == struct.unpack_from("<8sQ", packed, 0)
    assert (head.origin, head.boot, head.flags) == struct.unpack_from("<32s16sI", packed, 16)
    assert (head.first_seq, head.attempt) == struct.unpack_from("<QI", packed, 68)
    assert tuple(head.written) == struct.unpack_from("<QQ32s", packed, 80)
    assert tuple(head.synced) == struct.unpack_from("<QQ32s", packed, 128)
    assert tuple(head.pending) == struct.unpack_from("<II32s", packed, 176)
    assert tuple(head.prev) == struct.unpack_from("<QIQQQQ32s", packed, 216)
    assert zlib.crc32(packed[:292]) == struct.unpack_from("<I", packed, 292)[0]


@given(HEADS, HEADS)
def test_the_higher_generation_counts(old: Head, new: Head) -> None:
    """Of two valid slots the newer one is read, in whichever slot it lies."""
    old = old._replace(generation=min(old.generation, 2**64 - 3))
    new = new._replace(generation=old.generation + 1)
    assert new == Head.unpack(file_of(old, new))
    assert {old.generation, new.generation} == set(generations(file_of(old, new)))


@given(HEADS, HEADS, st.integers(0, SLOT_PACKED))
def test_a_torn_put_leaves_the_head_before_or_after(old: Head, new: Head, copied: int) -> None:
    """However many bytes of a slot were copied when the writer died, its end first, the file holds the one head or the other."""
    old = old._replace(generation=min(old.generation, 2**64 - 4))
    older = old._replace(generation=max(old.generation - 1, 0), flags=old.flags ^ 1)
    new = new._replace(generation=old.generation + 1)
    file = bytearray(file_of(older, old))
    at = slot_offset(new.generation)
    pieces = [(SLOT_PLAIN, new.pack()[SLOT_PLAIN:]), (0, new.pack()[:SLOT_PLAIN])]
    left = copied
    for start, piece in pieces:
        file[at + start : at + start + min(left, len(piece))] = piece[:left]
        left -= min(left, len(piece))
    assert Head.unpack(bytes(file)) in (old, new)
    if copied == SLOT_PACKED:
        assert new == Head.unpack(bytes(file))


@given(HEADS, st.integers(0, SLOT_PACKED * 8 - 1))
def test_a_flipped_bit_makes_a_slot_invalid(head: Head, bit: int) -> None:
    """No single bit of a slot can change unseen; in what says who vouches it makes that unknown."""
    file = bytearray(file_of(head))
    file[slot_offset(head.generation) + bit // 8] ^= 1 << bit % 8
    unknown = head._replace(vouched_from=NONE, key_id=bytes(8))
    assert (None if bit // 8 < SLOT_PLAIN else unknown) == Head.unpack(bytes(file))


@given(HEADS, HEADS)
def test_a_put_of_an_older_version_says_nothing_of_who_vouches(before: Head, after: Head) -> None:
    """An older version copies 296 bytes over a slot that a newer one left: the head counts, and nothing is said to be vouched for."""
    before = before._replace(generation=min(before.generation, 2**64 - 4))
    after = after._replace(generation=before.generation + 2)
    file = bytearray(file_of(before))
    at = slot_offset(after.generation)
    file[at : at + SLOT_PLAIN] = after.pack()[:SLOT_PLAIN]
    assert after._replace(vouched_from=NONE, key_id=bytes(8)) == Head.unpack(bytes(file))


@given(st.binary(max_size=HEAD_BYTES))
def test_no_bytes_make_the_reader_fail(data: bytes) -> None:
    """Too short, too long, random: no head, and no exception."""
    assert None is Head.unpack(data)


def test_the_first_head_has_nothing() -> None:
    """Count and offset 0, nothing pending, no segment before, neither clean nor poisoned."""
    head = first_head(b"o" * 32, b"b" * 16, b"k" * 8)
    assert (Position(0, 0, b"o" * 32), head.written, NO_PENDING, NO_PREVIOUS) == (head.written, head.synced, head.pending, head.prev)
    assert (NONE, False, False) == (head.prev.first_seq, head.clean, head.poisoned)


def test_the_slots_do_not_share_a_page_with_each_other() -> None:
    """Generations alternate between offset 0 and 2,048."""
    assert [0, SLOT_BYTES, 0] == [slot_offset(g) for g in (2, 3, 4)]
