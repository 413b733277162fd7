"""Verifying and reading while writers write, rotate and are killed: no honest writer is ever accused."""

from __future__ import annotations

import mmap
import os
import signal
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from making import Made, call

from otel_tool_audit.review import planner
from otel_tool_audit.review.reader import UnauditedReader
from otel_tool_audit.review.verify.verifier import verify
from otel_tool_audit.trail.trail import Trail


@contextmanager
def writing(made: Made, **settings: object) -> Iterator[int]:
    """A process that appends as fast as it can, until it is killed."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if not child:
        try:
            trail = Trail.open(made.path, state=made.state, **settings)  # type: ignore[arg-type]
            number = 0
            while True:
                number += 1
                call(trail, number, retention_class="financial" if number % 3 == 0 else "general")
                if number == 3:
                    os.write(write_end, b".")
        finally:
            os._exit(1)
    try:
        os.close(write_end)
        assert os.read(read_end, 1) == b"."
        os.close(read_end)
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@contextmanager
def two_writers(made: Made) -> Iterator[Callable[[], tuple[int, int]]]:
    """Two processes that append calls of their own to one trail, and tell after each how many are acknowledged."""
    told = mmap.mmap(-1, 16)
    children = []
    for writer in range(2):
        child = os.fork()
        if not child:
            try:
                trail = Trail.open(made.path, state=made.state, durability="os", segment_bytes=100_000)
                number = 0
                while True:
                    number += 1
                    call(trail, writer << 64 | number, turn_number=number, user_id=f"usr_{writer}", conversation_id=f"conv_{writer}")
                    struct.pack_into("q", told, 8 * writer, number)
                    # what is asked for is read whole: it must not outgrow whoever asks
                    time.sleep(0.005)
            finally:
                os._exit(1)
        children.append(child)
    try:
        yield lambda: struct.unpack("2q", told[:])
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _wait_for(acknowledged: Callable[[], tuple[int, int]], more: int) -> None:
    aim = [count + more for count in acknowledged()]
    while any(count < least for count, least in zip(acknowledged(), aim, strict=True)):
        time.sleep(0.001)


@pytest.mark.parametrize("index", ["none", "index"])
def test_an_answer_holds_all_that_was_acknowledged_before_the_question(made: Made, monkeypatch: pytest.MonkeyPatch, index: str) -> None:
    """While two processes append and segments rotate, no answer misses a call that was acknowledged before it was asked for, none has one too much."""
    if index != "none":
        pytest.importorskip("duckdb")
        monkeypatch.setattr(planner, "WORTH_AN_INDEX", 0)
        index = str(made.path.with_name("index"))
    with two_writers(made) as acknowledged:
        _wait_for(acknowledged, 20)
        reader = UnauditedReader(made.path, state=str(made.state), index=index)
        for _ in range(8):
            for writer in range(2):
                before = acknowledged()[writer]
                calls = list(reader.calls(conversation=f"conv_{writer}", order_by="turn_number"))
                counted = reader.tool_statistics(user=f"usr_{writer}").calls
                after = acknowledged()[writer]
                missing = [number for number, found in enumerate(calls, 1) if found["turn_number"] != number]
                assert [] == missing[:3], f"of {len(calls)} calls"
                # one more than is acknowledged may be under way
                assert before <= len(calls) <= counted <= after + 1
                assert {"success"} == {found["status"] for found in calls[:before]}
                assert {(f"usr_{writer}", "issue_refund", 156.0)} == {
                    (found["user_id"], found["tool_name"], found["duration_ms"]) for found in calls[:before]
                }
            _wait_for(acknowledged, 5)
        reader.close()
    assert "intact" == verify(made.path, state=str(made.state)).integrity


@pytest.mark.parametrize(
    "settings", [{"durability": "os", "segment_bytes": 20_000}, {"durability": "fsync"}, {"durability": "os", "heartbeat_seconds": 0.05}]
)
def test_a_growing_trail_is_intact_whenever_it_is_looked_at(made: Made, settings: dict[str, object]) -> None:
    """Thirty looks at a trail that a process writes as fast as it can; and one after it was killed."""
    with writing(made, **settings):
        for _ in range(30):
            found = verify(made.path, state=str(made.state))
            assert ("intact", []) == (found.integrity, found.findings), found.as_dict()
    assert "intact" == verify(made.path, state=str(made.state)).integrity


def test_reading_a_growing_trail_gives_each_record_once(made: Made) -> None:
    """While segments rotate beneath it, a reader gives every record once and in order."""
    with writing(made, durability="os", segment_bytes=20_000):
        time.sleep(0.1)
        for _ in range(10):
            seqs = [r["seq"] for r in UnauditedReader(made.path, state=str(made.state)).records("general")]
            assert list(range(len(seqs))) == seqs
