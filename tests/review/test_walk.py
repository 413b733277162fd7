"""Following lines past everything that is wrong with them: each wrong record once, under its own seq."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import rehash

from otel_tool_audit.review.verify.blocks import Block, check_block
from otel_tool_audit.review.verify.links import LinkCheck
from otel_tool_audit.review.verify.strict import Place, flaw_of

ORIGIN = hashlib.sha256(b"origin").digest()


def chain(count: int, origin: bytes = ORIGIN, first: int = 0) -> list[bytes]:
    """Good lines of started and finished calls."""
    made, previous = [], origin
    for seq in range(first, first + count):
        body = json.dumps(
            {"seq": seq, "previous_hash": previous.hex(), "event": f"tool_call.{'finished' if seq % 2 else 'started'}", "call_id": f"{seq // 2:032x}",
             "salt": "0" * 32, "writer": "a" * 32, "user_id": "usr_98765"},
            separators=(",", ":"),
        ).encode()  # fmt: skip
        previous = hashlib.sha256(b"\0" + body).digest()
        made.append(body[:-1] + b',"hash":"' + previous.hex().encode() + b'"}\n')
    return made


def walked(lines: list[bytes], count: int | None = None, block: int = 1 << 20) -> tuple[list[int], int]:
    """Walk along *lines* in blocks; the seqs of findings, and how many lines were accepted."""
    found: list[int] = []
    accepted: list[Block] = []
    walk = LinkCheck(0, ORIGIN.hex(), lambda _check, seq, _message: found.append(seq), accepted.append)
    for at in range(0, len(lines), block):
        data = b"".join(lines[at : at + block])
        walk.block(data, check_block(data))
    walk.settle(count)
    return found, sum(b.lines for b in accepted)


@pytest.mark.parametrize("block", [1, 3, 100])
def test_a_good_chain_has_no_findings(block: int) -> None:
    """In blocks of any size."""
    assert ([], 20) == walked(chain(20), 20, block)


@pytest.mark.parametrize("block", [1, 4, 100])
@pytest.mark.parametrize("at", [0, 1, 7, 19])
def test_a_changed_line_is_found_once(at: int, block: int) -> None:
    """And under its own seq, whatever was changed in it."""
    for change in ((b"usr_98765", b"usr_00000"), (b'"seq":', b'"seq":9'), (b'"hash":"', b'"hash":"z'), (b"tool_call", b"tool_c\xffll")):
        lines = chain(20)
        lines[at] = lines[at].replace(*change)
        assert [at] == walked(lines, 20, block)[0]


@pytest.mark.parametrize("block", [1, 4, 100])
@pytest.mark.parametrize("at", [0, 1, 7, 18])
def test_a_missing_line_is_found_once(at: int, block: int) -> None:
    """Under the seq that is missing."""
    lines = chain(20)
    del lines[at]
    assert [at] == walked(lines, 20, block)[0]


@pytest.mark.parametrize("block", [1, 4, 100])
def test_a_repeated_line_is_found_once(block: int) -> None:
    """What follows it still fits."""
    lines = chain(20)
    lines.insert(8, lines[7])
    found, accepted = walked(lines, 20, block)
    assert 1 == len(found)
    assert found[0] in {7, 8}
    assert 20 <= accepted + 1


@pytest.mark.parametrize("block", [1, 4, 100])
@pytest.mark.parametrize(("at", "other"), [(3, 4), (0, 1), (18, 19), (3, 9)])
def test_swapped_lines_are_both_found(at: int, other: int, block: int) -> None:
    """And nothing else."""
    lines = chain(20)
    lines[at], lines[other] = lines[other], lines[at]
    found, _ = walked(lines, 20, block)
    assert set(found) <= {at, other}
    assert at in found


@pytest.mark.parametrize("block", [1, 4, 100])
def test_a_line_with_its_hash_made_anew_is_found_once(block: int) -> None:
    """Where the next record names another one."""
    lines = chain(20)
    lines[7], _ = rehash(lines[7], user_id="usr_00000")
    assert [7] == walked(lines, 20, block)[0]


@pytest.mark.parametrize("block", [1, 4, 100])
def test_a_line_break_taken_out_or_put_in_is_found_once(block: int) -> None:
    """Two records in one line, or one in two."""
    lines = chain(20)
    assert [7] == walked([*lines[:7], lines[7][:-1] + b" " + lines[8], *lines[9:]], 20, block)[0]
    assert [7] == walked([*lines[:7], lines[7][:50] + b"\n", lines[7][50:], *lines[8:]], 20, block)[0]


@given(data=st.binary(max_size=2000))
def test_anything_can_be_walked(data: bytes) -> None:
    """No bytes make the walk fall over, and junk is never accepted."""
    found: list[int] = []
    walk = LinkCheck(0, ORIGIN.hex(), lambda _check, seq, _message: found.append(seq), lambda _block: pytest.fail("accepted"))
    walk.block(data, check_block(data))
    walk.settle(None)
    assert bool(data) == bool(found)


@given(flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), min_size=1, max_size=3))
def test_a_block_is_good_only_as_written(flips: list[tuple[int, int]]) -> None:
    """Any changed byte is seen by the quick check."""
    good = b"".join(chain(5))
    data = bytearray(good)
    for at, value in flips:
        data[at % len(data)] ^= value
    assert (bytes(data) == good) == (
        check_block(bytes(data)) is not None
        and check_block(bytes(data)).previous == ORIGIN.hex()
        and check_block(bytes(data)).last == check_block(good).last
    )  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b'"a":1,"a":1', "twice"),
        (b'"a":{"b":[{"c":1,"c":2}]}', "twice"),
        (b'"a":9007199254740993', "2^53"),
        (b'"a":NaN', "NaN"),
        (b'"a":1e999', "finite"),
        (b'"a":"\\ud800"', "surrogate"),
        (b'"a":"\xff"', "UTF-8"),
        (b'"a":' + b"[" * 3000 + b"]" * 3000, "deep"),
        (b'"a":', "JSON"),
    ],
)
def test_strict_reading_finds_what_a_lenient_parser_passes_over(content: bytes, what: str) -> None:
    """Each has its own message."""
    line = chain(1)[0]
    flawed = line[:-77] + b'","x":{' + content + b"}" + line[-76:-1]
    told = flaw_of(flawed, Place("general"))
    assert told is not None
    assert what in told
