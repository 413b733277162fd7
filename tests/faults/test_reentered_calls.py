"""Tools that are called, and calls that end, in the middle of another call's record: nobody waits for itself."""

from __future__ import annotations

import gc
import logging
import os
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import context as otel
from test_interrupted_calls import bound, sync_tool
from test_reentered import STALL, Visitor, lines_of

import otel_tool_audit as audit
from otel_tool_audit.errors import AuditUnavailable
from otel_tool_audit.review.reader import UnauditedReader

__all__ = ["bound"]


def calls_of(where: Path) -> list[Any]:
    with UnauditedReader(where / "trail", state=where / "state") as reader:
        return list(reader.calls())


@pytest.fixture(autouse=True)
def _own_context() -> Iterator[None]:
    """A generator that the collector closes in the middle of something leaves its context behind; the next test has its own again."""
    before = otel.get_current()
    yield
    otel.attach(before)


def held(number: int) -> Iterator[None]:
    with audit.tool_call("held", {"number": number}):
        yield


class Ring:
    """Refers to itself, so that only the collector ends it."""

    def __init__(self, ended: Callable[[], object]) -> None:
        self.ended = ended
        self.me = self

    def __del__(self) -> None:
        self.ended()


def ways(number: int) -> dict[str, Callable[[], object]]:
    """What may run in the middle of a record; whatever it needs is made before."""
    stream = held(number)
    next(stream)
    kept = {"it": Ring(lambda: None)}
    watched = weakref.ref(kept["it"], lambda _: sync_tool(number))

    def collect() -> None:
        del kept["it"].me
        assert watched() is not None
        kept.clear()

    def ring() -> None:
        Ring(lambda: sync_tool(number))
        gc.collect(0)

    return {"tool": lambda: sync_tool(number), "generator": stream.close, "finalizer": ring, "weak reference": collect}


# a finalizer that is refused a call tells sys.unraisablehook
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("way", ["tool", "generator", "finalizer", "weak reference"])
def test_within_a_call_another_one_begins_or_ends(tmp_path: Path, bound: audit.Trail, way: str) -> None:
    """At each line of a call another one begins and ends, or one that was open ends: recorded, or refused at once; the call itself is recorded."""
    sync_tool(-1)
    lines = lines_of(lambda: sync_tool(-1))
    refused, visited, took = [], [], [0.0]
    for number in lines:
        visit = ways(1_000_000 + number)[way]

        def meet(visit: Callable[[], object] = visit, number: int = number) -> None:
            begun = time.monotonic()
            visited.append(number)
            try:
                visit()
            except AuditUnavailable as error:
                refused.append(str(error))
            took.append(time.monotonic() - begun)

        visitor = Visitor(number, meet)
        begun = time.monotonic()
        visitor.during(lambda number=number: sync_tool(number))
        assert STALL > max(took[-1], time.monotonic() - begun), visitor.at
    bound.close()
    calls = calls_of(tmp_path)
    own = {c["arguments"]["number"] for c in calls if c["tool_name"] == "get_order" and c["status"] == "success"}
    assert set(lines) <= own
    assert all("inside of the recorder" in text for text in refused)
    if way == "generator":
        ended = [c for c in calls if c["tool_name"] == "held" and c["error_type"] == "GeneratorExit"]
        assert len(visited) <= len(ended)


SCRIPT = """
import os, signal, sys, time
import otel_tool_audit as audit
trail = audit.Trail.open(sys.argv[1], state=sys.argv[2], durability=sys.argv[3])

@audit.tool(trail=trail)
def last(number): return number

@audit.tool(trail=trail)
def work(number): return number

class Speaking:
    def __repr__(self):
        last(-2)
        return "speaking"
    __str__ = __repr__

told = {"recorded": 0, "refused": 0}
slowest = 0.0
def visit(*_):
    global slowest
    begun = time.monotonic()
    try:
        last(-1)
        told["recorded"] += 1
    except audit.AuditUnavailable:
        told["refused"] += 1
    slowest = max(slowest, time.monotonic() - begun)
"""

SIGNALS = """
signal.signal(signal.SIGTERM, visit)
signal.setitimer(signal.ITIMER_REAL, 0)
import threading
def send():
    for _ in range(200):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.001)
sender = threading.Thread(target=send)
sender.start()
number = 0
while sender.is_alive():
    work(number)
    number += 1
"""

HOOK = """
within = False
def hook(event, arguments):
    global within
    if event == "open" and not within and armed:
        within = True
        try:
            visit()
        finally:
            within = False
armed = False
sys.addaudithook(hook)
work(-3)
armed = True
for number in range(20):
    # a chain that is made opens files in the trail's own threads
    audit.execute_tool("t", {}, lambda: open(os.devnull).close(), retention=f"class-{number}", trail=trail)
    work(number)
armed = False
number += 1
"""

REPR = """
for number in range(20):
    audit.execute_tool("work", {"it": Speaking()}, lambda it: None, trail=trail)
number = 20
told["recorded"] += 1
"""

END = """
trail.close()
assert slowest < 4.0, slowest
print(number, told["recorded"], told["refused"])
"""


@pytest.mark.parametrize("durability", ["os", "fsync"])
@pytest.mark.parametrize("story", [SIGNALS, HOOK, REPR], ids=["signal handler", "audit hook", "repr"])
def test_code_that_nobody_called_calls_a_tool(tmp_path: Path, story: str, durability: str) -> None:
    """A signal handler, an audit hook, and the text of an argument that call a tool: recorded or refused at once; every call around them is recorded."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT + story + END, tmp_path / "trail", tmp_path / "state", durability],
        capture_output=True, text=True, check=False, timeout=120, env=os.environ,
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr[-3000:]
    number, recorded, refused = map(int, done.stdout.split())
    assert recorded + refused > 0
    assert recorded > 0
    calls = calls_of(tmp_path)
    assert {"success"} == {c["status"] for c in calls if c["tool_name"] != "last"}
    assert number <= len([c for c in calls if c["tool_name"] == "work"])


def test_the_handler_of_sigterm_may_call_a_last_tool(tmp_path: Path) -> None:
    """A handler that calls a last tool and ends the process: in whatever line it comes, both are recorded and the trail is closed clean."""
    script = (
        SCRIPT
        + """
def end(*_):
    visit()
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
while True:
    work(0)
"""
    )
    for durability in ("os", "fsync"):
        where = tmp_path / durability
        child = subprocess.Popen(
            [sys.executable, "-c", script, where / "trail", where / "state", durability],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ,
        )
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(0.2)
        begun = time.monotonic()
        child.send_signal(signal.SIGTERM)
        _, errors = child.communicate(timeout=60)
        assert 0 == child.returncode, errors[-2000:]
        # the interpreter's own end takes its time on a busy machine; waiting for a lock took 5 s
        assert 4.0 > time.monotonic() - begun
        found = audit.verify(where / "trail", state=where / "state")
        assert "intact" == found.integrity
        assert not [gap for gap in found.gaps if "never closed" in gap], found.gaps


def test_a_logging_handler_that_calls_a_tool_is_refused(tmp_path: Path) -> None:
    """A handler of the logger ``tool_audit`` that calls a tool for what it is told would never end: the tool is refused, the call goes on."""
    refused = []

    class Calling(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            try:
                noted("x")
            except AuditUnavailable as error:
                refused.append(error)

    logger = logging.getLogger("tool_audit")
    handler, level = Calling(), logger.level
    with audit.Trail.open(tmp_path / "trail", state=tmp_path / "state", durability="os") as trail:

        @audit.tool(trail=trail)
        def noted(text: str) -> str:
            return text

        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            assert "a" == noted("a")
            # what the chain's own thread wrote is logged by another one
            assert trail.flush()
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)
    assert len(refused) >= 2
    assert [{"text": "a"}] == [c["arguments"] for c in calls_of(tmp_path)]
