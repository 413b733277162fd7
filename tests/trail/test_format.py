"""Names, origins and lines (FORMAT.md, sections 1 to 3)."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_tool_audit.format.line import body, leaf_hash, line, parse_place, split_line
from otel_tool_audit.format.names import genesis, parse_segment_name, seal_name, segment_name, valid_chain, valid_trail_id

ID = "0123456789abcdef" * 2
SEQS = st.integers(0, 2**64 - 1)


@given(SEQS, st.integers(0, 10**9 - 1))
def test_segment_names_are_read_as_they_were_made(first_seq: int, attempt: int) -> None:
    """First seq and attempt survive the way through a file's name."""
    assert (first_seq, attempt) == parse_segment_name(segment_name(first_seq, attempt))


@pytest.mark.parametrize(
    "name",
    ["", "0.jsonl", "00000000000a.jsonl", "000000000000.json", "000000000000.jsonl.gz", "000000000000-0.jsonl", "000000000000-01.jsonl",
     "0000000000000.jsonl", "000000000000.jsonl\n", "-00000000001.jsonl", "٠٠٠٠٠٠٠٠٠٠٠٠.jsonl", "000000000000.seal", "../000000000000.jsonl"],
)  # fmt: skip
def test_only_the_one_spelling_is_a_segments_name(name: str) -> None:
    """What a writer would not have named so is no segment."""
    assert None is parse_segment_name(name)


@given(st.text(max_size=30))
def test_any_name_that_is_read_is_the_name_that_would_be_made(name: str) -> None:
    """There are no two names for one segment."""
    parsed = parse_segment_name(name)
    assert parsed is None or name == segment_name(*parsed)


def test_names_stand_as_the_format_prints_them() -> None:
    """The examples of FORMAT.md, section 1."""
    assert "000000000000.jsonl" == segment_name(0, 0)
    assert "000000000042-2.jsonl" == segment_name(42, 2)
    assert "000000000042-2.seal" == seal_name(segment_name(42, 2))


@pytest.mark.parametrize("name", ["a", "0", "financial", "a-b", "x" * 63])
def test_a_chain_may_be_named(name: str) -> None:
    """Lower-case letters, digits and hyphens, 1 to 63 of them."""
    assert valid_chain(name)


@pytest.mark.parametrize("name", ["", "-a", "A", "a_b", "a/b", "..", ".", "a.b", "x" * 64, "a\n", "é", "a b", "a\x00"])
def test_a_chain_may_not_be_named(name: str) -> None:
    """Nothing that could be a path, a hidden file or another spelling."""
    assert not valid_chain(name)


@pytest.mark.parametrize("text", ["", ID[:-1], ID + "0", ID.upper(), ID[:-1] + "g", ID + "\n", "../" + ID[3:]])
def test_a_trail_id_is_32_lower_case_hex_digits(text: str) -> None:
    """Everything else is none, so none of it ever becomes a path."""
    assert valid_trail_id(ID)
    assert not valid_trail_id(text)


def test_origins_differ_by_trail_chain_and_epoch() -> None:
    """Epoch 0 has the bare origin; later ones name their number."""
    assert hashlib.sha256(f"{ID}/general".encode()).digest() == genesis(ID, "general")
    assert hashlib.sha256(f"{ID}/general/12".encode()).digest() == genesis(ID, "general", 12)


@given(SEQS, st.binary(min_size=32, max_size=32), st.text().map(lambda t: t.replace("\n", "")))
def test_a_line_is_taken_apart_as_it_was_put_together(seq: int, previous: bytes, text: str) -> None:
    """Body and claimed hash come back whole, whatever stands in between; also a hash-like text inside."""
    made = body(seq, previous.hex(), b'"event":"x","call_id":null,"details":"' + text.encode("utf-8", "replace") + b',\\"hash\\":\\""}')
    found = split_line(line(made, leaf_hash(made)))
    assert (made, leaf_hash(made).encode()) == found
    assert (seq, previous.hex().encode()) == parse_place(made)


@given(st.binary(max_size=400))
def test_no_bytes_make_the_line_reader_fail(data: bytes) -> None:
    """Whatever stands in a file, the answer is a line or None, never an exception."""
    parts = split_line(data)
    assert parts is None or data == parts[0][:-1] + b',"hash":"' + parts[1] + b'"}\n'
    parse_place(data)


@pytest.mark.parametrize("start", [b'{"seq":01,', b'{"seq":-1,', b'{"seq": 1,', b'{"seq":,', b'{"seq":1.0,', b'{"seq":+1,', b'{"sEq":1,'])
def test_a_seq_has_one_spelling(start: bytes) -> None:
    """Leading zeros, signs, spaces and fractions are not what a writer writes."""
    assert None is parse_place(start + b'"previous_hash":"' + b"0" * 64 + b'","event":"x","call_id":null}')


def test_a_leaf_is_hashed_as_rfc_6962_says() -> None:
    """SHA-256 of a zero byte and the body."""
    assert hashlib.sha256(b'\x00{"a":1}').hexdigest() == leaf_hash(b'{"a":1}')
