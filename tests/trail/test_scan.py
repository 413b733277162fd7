"""Reading lines that anybody may have written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worker import call

from otel_tool_audit.format.events import STARTED
from otel_tool_audit.format.following import follow
from otel_tool_audit.format.head import Position
from otel_tool_audit.format.line import body, good_line, leaf_hash, line
from otel_tool_audit.host.system import System
from otel_tool_audit.trail.chain.scan import first_record, last_hash_before, named_ending, reading
from otel_tool_audit.trail.trail import Trail

ENDING = {
    "segment": "000000000000.jsonl",
    "first_seq": 0,
    "attempt": 0,
    "valid_end": 10,
    "aside_bytes": 0,
    "aside_sha256": None,
    "unsynced_from": None,
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda x: st.lists(x, max_size=2) | st.dictionaries(st.text(max_size=5), x, max_size=2),
    max_leaves=4,
)


def chained(count: int) -> tuple[bytes, Position]:
    previous, data = "0" * 64, b""
    for seq in range(count):
        content = body(seq, previous, b'"event":"x","call_id":null,"n":%d}' % seq)
        previous = leaf_hash(content)
        data += line(content, previous)
    return data, Position(count, len(data), bytes.fromhex(previous))


def test_what_a_writer_says_of_an_ending_is_read() -> None:
    """An ending as FORMAT.md describes it comes back as it is."""
    assert ENDING == named_ending({"details": {"previous": ENDING}})


@pytest.mark.parametrize(
    "change",
    [{"segment": "../../../tmp/evil.jsonl"}, {"segment": "/etc/passwd"}, {"segment": "000000000001.jsonl"}, {"segment": None}, {"segment": 7},
     {"valid_end": -1}, {"valid_end": "10"}, {"valid_end": True}, {"attempt": None}, {"first_seq": 1.0}, {"unsynced_from": 3},
     {"unsynced_from": {"count": 1}}, {"aside_bytes": None}],
    ids=str,
)  # fmt: skip
def test_what_no_writer_says_is_as_good_as_nothing(change: dict[str, object]) -> None:
    """Names that lead elsewhere, other types, missing numbers: none of it reaches a path or a sum."""
    assert None is named_ending({"details": {"previous": {**ENDING, **change}}})


@given(JSON)
def test_no_value_makes_the_reader_of_endings_fail(value: object) -> None:
    """Whatever JSON stands in the place of an ending, the answer is a dictionary or None."""
    found = named_ending({"details": {"previous": value}})
    assert found is None or isinstance(found, dict)


def test_a_forged_first_record_never_makes_a_seal_outside_the_chain(tmp_path: Path, opened: Callable[..., Trail]) -> None:
    """An attacker who names another path as "the segment before" gets no file written there, and no exception out of the writer's close."""
    trail = opened(segment_bytes=1)
    for number in range(3):
        trail.append(STARTED, call(number, "a"))
    for path in sorted((tmp_path / "trail" / "general").glob("*.jsonl"))[1:3]:
        record = json.loads(path.read_bytes().split(b"\n")[0])
        record["details"]["previous"]["segment"] = "../../planted.jsonl"
        del record["hash"]
        content = json.dumps(record, separators=(",", ":")).encode()
        rest = path.read_bytes().split(b"\n", 1)[1]
        path.write_bytes(line(content, leaf_hash(content)) + rest)
    (tmp_path / "planted.jsonl").write_bytes(chained(3)[0])
    trail.close()
    assert not (tmp_path / "planted.seal").exists()


@given(st.integers(1, 6), st.data())
def test_following_ends_at_the_first_line_that_is_not_good(count: int, data: st.DataObject) -> None:
    """Of any prefix, with any byte changed, the whole good lines before the change are followed, and no more."""
    whole, end = chained(count)
    at = data.draw(st.integers(0, len(whole) - 1))
    cut = data.draw(st.integers(0, len(whole)))
    changed = (whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])[:cut]
    descriptor = os.memfd_create("segment")
    try:
        os.write(descriptor, changed)
        found = follow(reading(System(), descriptor), Position(0, 0, bytes(32)), len(changed))
    finally:
        os.close(descriptor)
    good = whole[: min(at, cut)].count(b"\n")
    assert good == found.lines
    assert (len(b"".join(whole.splitlines(keepends=True)[:good])),) == (found.offset,)
    assert found.lines < count or end == found


def test_the_last_line_is_found_without_reading_the_rest(tmp_path: Path) -> None:
    """The hash of the line that ends at an offset; None where no whole line does."""
    whole, end = chained(3)
    path = tmp_path / "segment"
    path.write_bytes(whole)
    with path.open("rb") as file:
        assert end.hash == last_hash_before(System(), file.fileno(), len(whole))
        assert None is last_hash_before(System(), file.fileno(), len(whole) - 1)
        assert None is last_hash_before(System(), file.fileno(), len(whole) + 5)
        assert {} == {k: v for k, v in first_record(System(), file.fileno()).items() if k not in {"seq", "previous_hash", "event", "call_id", "n"}}


def test_a_line_that_is_too_long_is_none() -> None:
    """A body has at most 65,535 bytes."""
    content = body(0, "0" * 64, b'"event":"x","call_id":null,"n":"' + b"x" * 65_600 + b'"}')
    assert None is good_line(line(content, leaf_hash(content)), 0, bytes(32))
