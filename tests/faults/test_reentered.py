"""Code that runs in the middle of a record and calls the trail itself: signal handlers, finalizers, audit hooks, logging handlers."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from checker import read_trail
from helpers import REPOSITORY
from worker import call, call_id

from otel_tool_audit.errors import AuditUnavailable
from otel_tool_audit.format.events import FINISHED, STARTED
from otel_tool_audit.trail.trail import Trail
from otel_tool_audit.trail.worker import ReentrantCallError

PACKAGE = str(REPOSITORY / "otel_tool_audit")
STALL = 4.0
"""Seconds that nothing here takes, even on a busy machine; whoever waits for itself waits for 30."""


class Visitor:
    """Runs *visit* at the n-th line of the package, as a signal handler or a finalizer would, and lets the thread go on."""

    def __init__(self, number: int, visit: Callable[[], None]) -> None:
        self.number = number
        self.visit = visit
        self.lines = 0
        self.at = ""

    def __call__(self, frame: FrameType, event: str, arg: object) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        if event == "line":
            self.lines += 1
            if self.lines == self.number:
                self.at = f"{frame.f_code.co_filename}:{frame.f_lineno}"
                # no tracing in here: what visits is ordinary code
                sys.settrace(None)
                self.visit()
                sys.settrace(self)
        return self

    def during(self, work: Callable[[], object]) -> None:
        before = sys.gettrace()
        sys.settrace(self)
        try:
            work()
        finally:
            sys.settrace(before)


def lines_of(work: Callable[[], object]) -> range:
    counting = Visitor(0, lambda: None)
    counting.during(work)
    return range(1, counting.lines + 1)


@pytest.mark.parametrize("durability", ["os", "fsync"])
def test_a_record_within_a_record_is_written_or_refused_at_once(tmp_path: Path, durability: str) -> None:
    """At each line of an append another append is recorded, or refused with the reason; neither waits, and the first one is recorded."""
    told: list[str] = []

    def visit() -> None:
        begun = time.monotonic()
        try:
            trail.append(STARTED, call(number, "v"))
            told.append("recorded")
        except ReentrantCallError as refused:
            told.append("refused" if "inside of the recorder" in str(refused) else str(refused))
        assert STALL > time.monotonic() - begun, visitor.at

    with Trail.open(tmp_path / "trail", state=tmp_path / "state", durability=durability) as trail:
        trail.append(FINISHED, call(0, "n"))
        lines = lines_of(lambda: trail.append(FINISHED, call(0, "n")))
        for number in lines:
            visitor = Visitor(number, visit)
            begun = time.monotonic()
            visitor.during(lambda number=number: trail.append(FINISHED, call(number, "n")))
            assert STALL > time.monotonic() - begun, visitor.at
    assert {"recorded", "refused"} == set(told)
    ids = [record["call_id"] for record in read_trail(tmp_path / "trail", tmp_path / "state")["general"]]
    assert {call_id(number, "n") for number in lines} <= set(ids)
    assert told.count("recorded") == len([i for i in ids if i and i.startswith(b"v".hex())])


@pytest.mark.parametrize("durability", ["os", "fsync"])
def test_what_is_handed_over_within_a_record_is_written(tmp_path: Path, durability: str) -> None:
    """At each line of an append another record can be handed over; it is written when the thread has gone on."""
    with Trail.open(tmp_path / "trail", state=tmp_path / "state", durability=durability) as trail:
        trail.append(FINISHED, call(0, "n"))
        lines = lines_of(lambda: trail.append(FINISHED, call(0, "n")))
        visited = []
        for number in lines:
            visitor = Visitor(number, lambda number=number: visited.append(trail.submit(FINISHED, call(number, "v"), lambda _: None)))
            visitor.during(lambda number=number: trail.append(FINISHED, call(number, "n")))
        assert trail.flush()
    assert all(visited)
    ids = [record["call_id"] for record in read_trail(tmp_path / "trail", tmp_path / "state")["general"]]
    assert {call_id(number, "n") for number in lines} <= set(ids)
    # not every append runs as many lines: it may find the chain's own thread at work
    assert len(visited) == len([i for i in ids if i and i.startswith(b"v".hex())]) > len(lines) / 2


@pytest.mark.parametrize("durability", ["os", "fsync"])
def test_closing_within_a_record_does_not_wait(tmp_path: Path, durability: str) -> None:
    """At each line of an append the trail can be closed: at once, or as soon as the thread goes on; it is closed clean either way."""
    counted = Trail.open(tmp_path / "trail", state=tmp_path / "state", durability=durability)
    counted.append(FINISHED, call(0, "n"))
    lines = lines_of(lambda: counted.append(FINISHED, call(0, "n")))
    counted.close()
    for number in lines:
        trail = Trail.open(tmp_path / "trail", state=tmp_path / "state", durability=durability)
        trail.append(FINISHED, call(number, "n"))
        visitor = Visitor(number, trail.close)
        begun = time.monotonic()
        with contextlib.suppress(AuditUnavailable):
            visitor.during(lambda trail=trail, number=number: trail.append(FINISHED, call(number, "w")))
        trail.close()
        assert STALL > time.monotonic() - begun, visitor.at
    events = [record["event"] for record in read_trail(tmp_path / "trail", tmp_path / "state")["trail"]]
    assert events.count("trail.opened") == events.count("trail.closed") == len(lines) + 1


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("tool_audit")
    handlers, level = list(logger.handlers), logger.level
    yield logger
    logger.handlers[:] = handlers
    logger.setLevel(level)


@pytest.mark.parametrize("handed_over", [False, True], ids=["appended", "handed over"])
@pytest.mark.parametrize("durability", ["os", "fsync"])
def test_a_logging_handler_that_records_is_refused(tmp_path: Path, logger: logging.Logger, durability: str, handed_over: bool) -> None:
    """A handler of the logger ``tool_audit`` that records what it is told would never end: it is refused, in whichever thread it runs."""
    refused: list[ReentrantCallError] = []

    class Recording(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            try:
                trail.append(STARTED, call(1, "v"))
            except ReentrantCallError as error:
                refused.append(error)

    logger.addHandler(Recording())
    logger.setLevel(logging.INFO)
    with Trail.open(tmp_path / "trail", state=tmp_path / "state", durability=durability) as trail:
        begun = time.monotonic()
        for number in range(3):
            if handed_over:
                trail.submit(FINISHED, call(number, "n"), lambda _: None)
            else:
                trail.append(FINISHED, call(number, "n"))
        assert trail.flush()
        assert STALL > time.monotonic() - begun
    assert len(refused) >= 3
    ids = [record["call_id"] for record in read_trail(tmp_path / "trail", tmp_path / "state")["general"]]
    assert [call_id(number, "n") for number in range(3)] == ids


def test_a_receipt_that_calls_the_trail_is_refused_a_start_and_hands_an_end_over(tmp_path: Path) -> None:
    """Who hears of a receipt, on one of the trail's threads, may hand records over, and close the trail; waiting there is refused."""
    refused: list[ReentrantCallError] = []
    with Trail.open(tmp_path / "trail", state=tmp_path / "state") as trail:

        def heard(_: object) -> None:
            try:
                trail.append(STARTED, call(1, "v"))
            except ReentrantCallError as error:
                refused.append(error)
            trail.submit(FINISHED, call(2, "v"), lambda _: None)

        trail.submit(FINISHED, call(0, "n"), heard)
        assert trail.flush()
    assert 1 == len(refused)
    ids = [record["call_id"] for record in read_trail(tmp_path / "trail", tmp_path / "state")["general"]]
    assert [call_id(0, "n"), call_id(2, "v")] == ids
