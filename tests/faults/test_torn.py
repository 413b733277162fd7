"""A write that was killed in the middle: a torn tail of every length."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from checker import read_head, read_trail, segments
from helpers import assert_kept, forked, receipts, was_killed
from worker import call, call_id

from otel_tool_audit.errors import TrailTampered
from otel_tool_audit.format.events import STARTED
from otel_tool_audit.trail.trail import Trail


@pytest.fixture
def torn(tmp_path: Path) -> tuple[Path, bytes, list[tuple[str, str, int, str]]]:
    """A trail whose writer died after its last write and before it could confirm it; the bytes of that write; what was acknowledged."""
    where = tmp_path / "whole"
    order = {"path": str(where / "trail"), "state": str(where / "state"), "tag": "a", "count": 3, "durability": "fsync"}
    status, told = forked(**order, close=False)
    assert 0 == status
    # the second appends its own trail.opened first: the general chain is written by its second write
    status, more = forked(**{**order, "start": 3, "count": 1}, kill=("write", 3, "after"))
    assert was_killed(status)
    assert [] == receipts(more)
    trail_id = json.loads((where / "trail" / "trail.json").read_bytes())["trail_id"]
    head = read_head(where / "state" / "heads" / trail_id / "general")
    assert 1 == head["pending"][0]
    data = (where / "trail" / "general" / "000000000000.jsonl").read_bytes()
    return where, data[head["written"][1] :], receipts(told)


def copy(torn: Path, tmp_path: Path, tail: bytes) -> Path:
    """The same trail in the same place, its last write cut or changed."""
    where = tmp_path / "now"
    if not where.exists():
        torn.rename(where)
        shutil.copytree(where, tmp_path / "kept")
    for name in ("trail", "state"):
        _restore(tmp_path / "kept" / name, where / name)
    segment = where / "trail" / "general" / "000000000000.jsonl"
    whole = segment.read_bytes()
    start = whole.rstrip(b"\n").rfind(b"\n") + 1
    segment.write_bytes(whole[:start] + tail)
    return where


def _restore(source: Path, target: Path) -> None:
    """Bring files back without a new inode for the trail's directory: the state remembers it."""
    for path in sorted(target.rglob("*"), reverse=True):
        if not (source / path.relative_to(target)).exists():
            path.unlink() if not path.is_dir() else path.rmdir()
    for path in source.rglob("*"):
        if path.is_file():
            (target / path.relative_to(source)).write_bytes(path.read_bytes())


def test_a_torn_tail_of_every_length_is_set_aside_or_adopted(tmp_path: Path, torn: tuple[Path, bytes, list[tuple[str, str, int, str]]]) -> None:
    """Whatever part of the killed write stands, the next writer opens; a part is named as aside, the whole belongs to the chain."""
    source, last, promised = torn
    for length in range(len(last) + 1):
        where = copy(source, tmp_path, last[:length])
        with Trail.open(where / "trail", state=where / "state") as trail:
            receipt = trail.append(STARTED, call(9, "next"))
        chain = assert_kept(where / "trail", where / "state", [*promised, (call_id(9, "next"), *receipt[:2], receipt.hash)])["general"]
        ids = [record["call_id"] for record in chain]
        assert (length == len(last)) == (call_id(3, "a") in ids)
        told = [record["details"]["previous"]["aside_bytes"] for record in chain if record["event"] == "trail.segment_opened"]
        assert ([length] if 0 < length < len(last) else []) == told


def test_a_whole_write_with_any_byte_changed_is_tampering(tmp_path: Path, torn: tuple[Path, bytes, list[tuple[str, str, int, str]]]) -> None:
    """Of full length, but not what the head announced: no kill leaves that, so the writer refuses."""
    source, last, _ = torn
    for at in range(0, len(last), 7):
        where = copy(source, tmp_path, last[:at] + bytes([last[at] ^ 1]) + last[at + 1 :])
        with pytest.raises(TrailTampered):
            Trail.open(where / "trail", state=where / "state")


def test_bytes_aside_cannot_change_once_a_record_names_them(tmp_path: Path, torn: tuple[Path, bytes, list[tuple[str, str, int, str]]]) -> None:
    """What was set aside proves nothing, but its length and digest stand in the chain."""
    source, last, _ = torn
    where = copy(source, tmp_path, last[:50])
    Trail.open(where / "trail", state=where / "state").close()
    first = segments(where / "trail" / "general")[0][2]
    first.write_bytes(first.read_bytes()[:-1] + b"#")
    with pytest.raises(AssertionError, match="set aside"):
        read_trail(where / "trail", where / "state")


def test_a_longer_tail_than_announced_is_tampering(tmp_path: Path, torn: tuple[Path, bytes, list[tuple[str, str, int, str]]]) -> None:
    """One byte more than the pending write had is a byte that no writer wrote."""
    source, last, _ = torn
    where = copy(source, tmp_path, last + b"\n")
    with pytest.raises(TrailTampered, match="1 bytes longer"):
        Trail.open(where / "trail", state=where / "state")


@pytest.mark.parametrize("length", [1, 200])
def test_killed_again_while_it_sets_the_tail_aside(tmp_path: Path, torn: tuple[Path, bytes, list[tuple[str, str, int, str]]], length: int) -> None:
    """A second kill at any call of the recovery from the first changes nothing: the next writer completes it."""
    source, last, promised = torn
    for kind in ("put", "write", "fsync", "fdatasync", "open"):
        for number in range(1, 200):
            where = copy(source, tmp_path, last[:length])
            order = {"path": str(where / "trail"), "state": str(where / "state"), "tag": "b", "count": 1}
            status, told = forked(**order, kill=(kind, number, "after"))
            then = forked(**{**order, "tag": "c"})
            assert (0, "closed") == (then[0], then[1][-1]), (kind, number, then)
            assert_kept(where / "trail", where / "state", [*promised, *receipts(told), *receipts(then[1])])
            if not was_killed(status):
                break
    assert os.path.isdir(where)
