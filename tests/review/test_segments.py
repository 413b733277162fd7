"""A record is found by its address, however long the lines around it are, and whatever stands among them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_tool_audit.format.line import MAX_LINE
from otel_tool_audit.format.segment_order import SegmentPart
from otel_tool_audit.review.source.directory import Folder
from otel_tool_audit.review.source.segments import Extent, find

FIRST = 1_000


def line(seq: int, size: int) -> bytes:
    begin = b'{"seq":%d,"previous_hash":"%s","event":"trail.opened","filler":"' % (seq, b"0" * 64)
    return begin + b"x" * max(0, size - len(begin) - 2) + b'"}'


@pytest.fixture(scope="module")
def segment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chain") / "segment.jsonl"


def found(segment: Path, data: bytes, *, end: int, seq: int) -> bytes | None:
    segment.write_bytes(data)
    with contextlib.closing(Folder.at(str(segment.parent))) as folder:
        return find(folder, [Extent(SegmentPart((FIRST, 0), segment.name, len(data), None, None, cut=False), end)], seq)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([130, 300, 700, 5_000, 30_000, MAX_LINE]), min_size=1, max_size=60), st.integers(1, 30), st.data())
def test_every_record_is_found(segment: Path, sizes: list[int], repeated: int, data: st.DataObject) -> None:
    """Each line is found by its seq, and none beside them, whatever the lines' sizes, and in whichever order they come."""
    lines = [line(FIRST + number, size) for number, size in enumerate(sizes * repeated)]
    number = data.draw(st.sampled_from([0, len(lines) // 2, len(lines) - 1, *range(min(len(lines), 100))]))
    whole = b"".join(one + b"\n" for one in lines)
    assert lines[number] == found(segment, whole, end=len(whole), seq=FIRST + number)
    assert found(segment, whole, end=len(whole), seq=FIRST + len(lines)) is None
    # what stands after the end is not looked at
    assert found(segment, whole, end=len(whole) - len(lines[-1]) - 1, seq=FIRST + len(lines) - 1) is None


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 400))
def test_what_is_no_record_hides_only_itself(segment: Path, junk: bytes, at: int) -> None:
    """A line that is no record is passed over; what is found is always the line asked for."""
    lines = [line(FIRST + number, 500) for number in range(400)]
    spoilt = [*lines[:at], junk, *lines[at:]]
    whole = b"".join(one + b"\n" for one in spoilt)
    for number in (0, 200, 399):
        assert found(segment, whole, end=len(whole), seq=FIRST + number) == lines[number]
