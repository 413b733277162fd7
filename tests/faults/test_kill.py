"""kill -9: at random moments, and before, inside and after every system call of the protocol."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
from helpers import assert_kept, end, forked, receipts, spawn, was_killed


def orders(tmp_path: Path, **more: object) -> dict[str, object]:
    return {"path": str(tmp_path / "trail"), "state": str(tmp_path / "state"), "tag": "a", "count": 3, **more}


@pytest.mark.slow
def test_killed_at_random_moments_two_writers_lose_nothing_they_acknowledged(tmp_path: Path) -> None:
    """In 60 rounds two writers are killed at random; every acknowledged record stays, chains follow, the next writers open."""
    chance = random.Random(20260301)
    promised: list[tuple[str, str, int, str]] = []
    for number in range(60):
        durability = chance.choice(["os", "fsync"])
        order = orders(tmp_path, count=-1, durability=durability, segment_bytes=20_000)
        second = chance.choice(["general", "financial"])
        children = [spawn(**{**order, "tag": tag, "start": number * 100_000, "chain": chain}) for tag, chain in (("a", "general"), ("b", second))]
        for child, _ in children:
            time.sleep(chance.random() * 0.04)
            os.kill(child, signal.SIGKILL)
        for child, pipe in children:
            status, told = end(child, pipe)
            assert was_killed(status), told
            promised += receipts(told)
        if number % 6 == 5:
            assert_kept(tmp_path / "trail", tmp_path / "state", promised)
    status, told = forked(**orders(tmp_path, start=9_000_000))
    assert (0, "closed") == (status, told[-1])
    chains = assert_kept(tmp_path / "trail", tmp_path / "state", promised + receipts(told))
    # a test in which nobody came to write would prove nothing
    assert len(promised) > 500
    assert {"financial", "general", "trail"} == set(chains)


STEPS = [
    *((kind, when) for kind in ("open", "fsync", "fdatasync", "rename", "mkdir", "unlink", "put") for when in ("before", "after")),
    ("put", "torn"), ("write", "before"), ("write", "after"), ("write", "1"), ("write", "150"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "when"), STEPS, ids=str)
def test_killed_at_a_first_open_the_next_writer_completes_it(tmp_path: Path, kind: str, when: str) -> None:
    """Killed around the n-th call of a kind from the first open to the close, for every n: nothing acknowledged is lost, nobody accused."""
    for number in range(1, 400):
        where = tmp_path / str(number)
        status, told = forked(**orders(where, kill=(kind, number, when), durability="fsync"))
        if not was_killed(status):
            assert (0, "closed") == (status, told[-1]), told
            break
        assert_next_writer_works(where, receipts(told))
    else:
        pytest.fail("no run survived")
    assert number > 1, f"no {kind} was seen"


@pytest.mark.parametrize(
    ("durability", "kind", "when"),
    [
        (durability, *step)
        for step in STEPS
        if step[0] != "mkdir"
        for durability in ("os", "fsync")
        if step != ("open", "after") and (step[0] != "open" or durability == "os")
    ],
    ids=str,
)
def test_killed_while_segments_are_left(tmp_path: Path, kind: str, when: str, durability: str) -> None:
    """On a trail that is already there, killed at every call of appends that leave a segment each: all acknowledged records stay, in one chain."""
    status, told = forked(**orders(tmp_path, close=False))
    promised = receipts(told)
    assert (0, 3) == (status, len(promised))
    for number in range(1, 400):
        status, told = forked(**orders(tmp_path, start=number * 10, count=2, kill=(kind, number, when), durability=durability, segment_bytes=1))
        promised += receipts(told)
        if not was_killed(status):
            assert (0, "closed") == (status, told[-1]), told
            break
    assert_next_writer_works(tmp_path, promised)


def assert_next_writer_works(where: Path, promised: list[tuple[str, str, int, str]]) -> None:
    status, told = forked(**orders(where, start=1_000_000, tag="next", count=1))
    assert (0, "closed") == (status, told[-1]), told
    assert_kept(where / "trail", where / "state", promised + receipts(told))
