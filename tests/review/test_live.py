"""Verifying and reading while writers write, rotate and are killed: no honest writer is ever accused."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from making import Made, call

from otel_tool_audit.review.reader import TrailReader
from otel_tool_audit.review.verify import verify
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


@pytest.mark.parametrize("settings", [{"durability": "os", "segment_bytes": 20_000}, {"durability": "fsync"}, {"durability": "os", "heartbeat_seconds": 0.05}])
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
            seqs = [r["seq"] for r in TrailReader(made.path, state=str(made.state)).records("general")]
            assert list(range(len(seqs))) == seqs
