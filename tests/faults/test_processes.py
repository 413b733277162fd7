"""Many processes on one chain, and a fork in the middle."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest
from checker import read_trail
from helpers import assert_kept, end, receipts, spawn
from worker import call, call_id

from otel_tool_audit.format.events import STARTED
from otel_tool_audit.trail.trail import Trail


@pytest.mark.slow
@pytest.mark.parametrize(("durability", "writers", "count"), [("os", 16, 1000), ("fsync", 6, 60)])
def test_many_processes_write_one_chain(tmp_path: Path, durability: str, writers: int, count: int) -> None:
    """Every record of every process stands once, at the seq of its receipt; the chain follows; the last to leave closes it."""
    order = {"path": str(tmp_path / "trail"), "state": str(tmp_path / "state"), "durability": durability, "segment_bytes": 2_000_000}
    children = [spawn(**order, tag=f"p{number}", count=count) for number in range(writers)]
    # all pipes are read at once, or a full one would hold its writer up
    outcomes: list[tuple[int, list[object]]] = []
    readers = [threading.Thread(target=lambda pair=pair: outcomes.append(end(*pair))) for pair in children]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert all(status == 0 and told[-1] == "closed" for status, told in outcomes), [told[-1] for _, told in outcomes]
    promised = [row for _, told in outcomes for row in receipts(told)]
    chain = assert_kept(tmp_path / "trail", tmp_path / "state", promised)["general"]
    ids = [record["call_id"] for record in chain if record["call_id"] is not None]
    assert (writers * count, writers * count) == (len(ids), len(set(ids)))
    assert {call_id(n, f"p{w}") for w in range(writers) for n in range(count)} == set(ids)


@pytest.mark.parametrize("durability", ["os", "fsync"])
def test_parent_and_child_go_on_after_a_fork(tmp_path: Path, durability: str) -> None:
    """A child writes as a writer of its own into the same chain; the parent's receipts and the child's all stand, and the parent closes clean."""
    trail = Trail.open(tmp_path / "trail", state=tmp_path / "state", durability=durability)
    promised = [row(trail, 0, "parent")]
    parents = trail.writer
    children = []
    for child in range(3):
        read_end, write_end = os.pipe()
        pid = os.fork()
        if not pid:
            code = 1
            try:
                made = [row(trail, number, f"c{child}") for number in range(20)]
                os.write(write_end, json.dumps([trail.writer, made]).encode())
                trail.close()
                code = 0
            finally:
                os._exit(code)
        os.close(write_end)
        children.append((pid, read_end))
    promised += [row(trail, number, "parent") for number in range(1, 20)]
    writers = {parents}
    for pid, pipe in children:
        with os.fdopen(pipe, "rb") as file:
            writer, made = json.loads(file.read())
        writers.add(writer)
        promised += map(tuple, made)
        assert 0 == os.waitpid(pid, 0)[1]
    assert parents == trail.writer
    trail.close()
    chains = assert_kept(tmp_path / "trail", tmp_path / "state", promised)
    assert 4 == len(writers)
    assert writers == {r["writer"] for r in chains["general"]} == {r["writer"] for r in chains["trail"] if r["event"] == "trail.opened"}
    assert 4 == sum(r["event"] == "trail.closed" for r in chains["trail"])


def row(trail: Trail, number: int, tag: str) -> tuple[str, str, int, str]:
    receipt = trail.append(STARTED, call(number, tag))
    return call_id(number, tag), receipt.chain, receipt.seq, receipt.hash


def test_a_fork_while_threads_append_leaves_no_lock_behind(tmp_path: Path) -> None:
    """Forked while four threads are inside appends, each child still appends and closes, and so does the parent."""
    trail = Trail.open(tmp_path / "trail", state=tmp_path / "state", durability="os")
    stop = threading.Event()
    promised: list[tuple[str, str, int, str]] = []

    def busy(tag: str) -> None:
        number = 0
        while not stop.is_set():
            promised.append(row(trail, number, tag))
            number += 1

    threads = [threading.Thread(target=busy, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    try:
        for child in range(8):
            pid = os.fork()
            if not pid:
                code = 1
                try:
                    row(trail, 1, f"c{child}")
                    trail.close()
                    code = 0
                finally:
                    os._exit(code)
            assert 0 == os.waitpid(pid, 0)[1]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    trail.close()
    chain = assert_kept(tmp_path / "trail", tmp_path / "state", promised)["general"]
    assert {call_id(1, f"c{child}") for child in range(8)} <= {record["call_id"] for record in chain}


def test_a_child_that_never_writes_leaves_no_trace(tmp_path: Path) -> None:
    """A fork that only ends takes nothing of the parent's with it: no record, no lock, no clean mark."""
    trail = Trail.open(tmp_path / "trail", state=tmp_path / "state")
    row(trail, 0, "a")
    pid = os.fork()
    if not pid:
        os._exit(0)
    assert 0 == os.waitpid(pid, 0)[1]
    row(trail, 1, "a")
    trail.close()
    assert 1 == sum(r["event"] == "trail.opened" for r in read_trail(tmp_path / "trail", tmp_path / "state")["trail"])
