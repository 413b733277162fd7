"""An exception out of any line of the thread that calls: the call is lost, interrupted or recorded, never half, and the next one works."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import pytest
from checker import read_trail
from helpers import REPOSITORY
from worker import call, call_id

from otel_tool_audit.format.events import FINISHED, STARTED
from otel_tool_audit.review.verify.verifier import verify
from otel_tool_audit.trail.trail import Trail

PACKAGE = str(REPOSITORY / "otel_tool_audit")
READING = str(REPOSITORY / "otel_tool_audit" / "review")
SOON = 4.0
"""Seconds that a call after an interrupted one may take on a busy machine; whoever waits for something that nobody gives back waits longer."""


class Stopped(KeyboardInterrupt):
    """What a signal handler raises."""


class Fault:
    """Raises at the n-th step that this thread makes in the package, counted in lines or in instructions of the interpreter."""

    def __init__(self, event: str, number: int = 0) -> None:
        self.event = event
        self.number = number
        self.steps = 0
        self.at = ""

    def __call__(self, frame: FrameType, event: str, arg: object) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE) or frame.f_code.co_filename.startswith(READING):
            return None
        frame.f_trace_opcodes = self.event == "opcode"
        if event == self.event:
            self.steps += 1
            if self.steps == self.number:
                self.at = f"{frame.f_code.co_filename}:{frame.f_lineno}"
                raise Stopped(self.at)
        return self

    def during(self, work: Callable[[], object]) -> bool:
        """Run *work*; whether it was interrupted."""
        before = sys.gettrace()
        sys.settrace(self)
        try:
            work()
        except Stopped:
            return True
        finally:
            sys.settrace(before)
        return False


class Steps(NamedTuple):
    """Where calls are interrupted: at every line, or at every so many instructions."""

    event: str
    every: int

    def of(self, work: Callable[[int], object]) -> range:
        """The numbers of the steps that *work* makes."""
        fault = Fault(self.event)
        assert not fault.during(lambda: work(0))
        return range(1, fault.steps + 1, self.every)

    def fault(self, number: int) -> Fault:
        return Fault(self.event, number)


EACH = pytest.mark.parametrize(
    "steps",
    [Steps("line", 1), Steps("opcode", 11), pytest.param(Steps("opcode", 1), marks=pytest.mark.soak)],
    ids=lambda steps: f"{steps.event}s by {steps.every}",
)


def appending(trail: Trail) -> Callable[[int], object]:
    return lambda number: trail.append(STARTED, call(number, "i"))


def appending_async(trail: Trail, loop: asyncio.AbstractEventLoop) -> Callable[[int], object]:
    return lambda number: loop.run_until_complete(trail.append_async(STARTED, call(number, "i")))


def handing_over(trail: Trail) -> Callable[[int], object]:
    return lambda number: trail.submit(STARTED, call(number, "i"), lambda _: None)


def assert_works_on(trail: Trail, number: int, tag: str, where: str) -> None:
    """The next call, undisturbed, is recorded soon."""
    begun = time.monotonic()
    receipt = trail.append(FINISHED, call(number, tag))
    assert SOON > time.monotonic() - begun, where
    assert receipt.hash, where


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited", "ignore::pytest.PytestUnraisableExceptionWarning")
@EACH
@pytest.mark.parametrize("way", ["append", "append_async", "submit"])
@pytest.mark.parametrize("durability", ["os", "fsync"])
def test_an_append_may_be_interrupted_at_any_line(tmp_path: Path, durability: str, way: str, steps: Steps) -> None:
    """Interrupted at each line of an append, one after the other, the next append of this writer and of another is recorded at once, and the trail verifies."""
    loop = asyncio.new_event_loop()
    where = {"path": tmp_path / "trail", "state": tmp_path / "state", "durability": durability}
    with Trail.open(**where) as trail, Trail.open(**where) as other:
        trail.append(STARTED, call(0, "first"))
        work = {"append": appending(trail), "append_async": appending_async(trail, loop), "submit": handing_over(trail)}[way]
        lines = steps.of(work)
        assert len(lines) > 10
        hits = 0
        for number in lines:
            fault = steps.fault(number)
            hits += fault.during(lambda number=number: work(number))
            # in either order: the other writer may find what the interrupted one left, too
            for writer, tag in [(trail, "n"), (other, "o")][:: 1 if number % 2 else -1]:
                assert_works_on(writer, number, tag, fault.at)
        # a turn more or less of a waiting thread moves lines by a few
        assert hits > len(lines) * 0.9
    loop.close()
    assert_honest(tmp_path, {call_id(number, tag) for number in lines for tag in "no"})


@EACH
@pytest.mark.parametrize("durability", ["os", "fsync"])
def test_a_chain_may_be_interrupted_while_it_is_made(tmp_path: Path, durability: str, steps: Steps) -> None:
    """Interrupted at each line of the first append to a class, the next append makes the chain or finds it made."""
    chains = iter(range(10_000))

    def first(number: int) -> object:
        return trail.append(STARTED, call(number, "i", chain=f"class-{next(chains)}"))

    with Trail.open(tmp_path / "trail", state=tmp_path / "state", durability=durability) as trail:
        lines = steps.of(first)
        for number in lines:
            fault = steps.fault(number)
            fault.during(lambda number=number: first(number))
            assert_works_on(trail, number, "n", fault.at)
    assert_honest(tmp_path, {call_id(number, "n") for number in lines})


@EACH
@pytest.mark.parametrize("durability", ["os", "fsync"])
def test_closing_may_be_interrupted_at_any_line(tmp_path: Path, durability: str, steps: Steps) -> None:
    """Interrupted at each line of close(), a second close() ends what the first one began, and the trail is closed clean."""
    where = {"state": tmp_path / "state", "durability": durability}

    def opened(number: int) -> Trail:
        trail = Trail.open(tmp_path / f"trail{number}", **where)
        trail.append(FINISHED, call(number, "n"))
        return trail

    first = opened(0)
    lines = steps.of(lambda _: first.close())
    for number in lines:
        trail = opened(number)
        fault = steps.fault(number)
        fault.during(trail.close)
        begun = time.monotonic()
        trail.close()
        assert SOON > time.monotonic() - begun, fault.at
        found = verify(str(tmp_path / f"trail{number}"), state=str(tmp_path / "state"))
        assert ("intact", "complete") == (found.integrity, found.completeness), fault.at


@EACH
def test_opening_may_be_interrupted_at_any_line(tmp_path: Path, steps: Steps) -> None:
    """Interrupted at each line of open(), the next open() works at once, and when it is closed nobody lives."""
    where = {"path": tmp_path / "trail", "state": tmp_path / "state"}
    lines = steps.of(lambda _: Trail.open(**where).close())
    for number in lines:
        fault = steps.fault(number)
        fault.during(lambda: Trail.open(**where).close())
        begun = time.monotonic()
        with Trail.open(**where) as trail:
            trail.append(FINISHED, call(number, "n"))
        assert SOON > time.monotonic() - begun, fault.at
    assert_honest(tmp_path, {call_id(number, "n") for number in lines})


def assert_honest(where: Path, recorded: set[str]) -> None:
    chains = read_trail(where / "trail", where / "state")
    ids = [record["call_id"] for record in chains["general"] if record["call_id"] is not None]
    assert recorded <= set(ids)
    found = verify(str(where / "trail"), state=str(where / "state"))
    assert "intact" == found.integrity, found
