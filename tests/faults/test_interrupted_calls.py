"""A tool call that is interrupted at any line of ours: the next call is recorded, on its own, and nothing of the first one hangs on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import context as otel
from opentelemetry.sdk.trace import TracerProvider
from test_interrupted import EACH, SOON, Steps, assert_honest

import otel_tool_audit as audit
from otel_tool_audit.processor import AuditSpanProcessor, RecordAll
from otel_tool_audit.recording import unbind
from otel_tool_audit.review.reader import UnauditedReader
from otel_tool_audit.settings import Settings

NAME = "get_order"


@pytest.fixture(params=["os", "fsync"])
def bound(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[audit.Trail]:
    """A trail that tools write into, with a processor that looks at every span."""
    provider = TracerProvider()
    provider.sampler = RecordAll(provider.sampler)
    with audit.Trail.open(tmp_path / "trail", state=tmp_path / "state", durability=request.param) as trail:
        processor = AuditSpanProcessor(trail, settings=Settings.resolve(), tracer_provider=provider)
        provider.add_span_processor(processor)
        yield trail
        processor.shutdown()
        unbind(processor.binding)
    provider.shutdown()


@audit.tool(name=NAME)
def sync_tool(number: int) -> dict[str, int]:
    return {"order_id": number}


@audit.tool(name=NAME)
async def async_tool(number: int) -> dict[str, int]:
    return {"order_id": number}


@audit.tool(name=NAME)
def streaming_tool(number: int) -> Iterator[int]:
    yield number


def block(number: int) -> None:
    with audit.tool_call(NAME, {"number": number}):
        pass


def run_async(number: int) -> None:
    asyncio.run(async_tool(number))


WAYS: dict[str, Callable[[int], Any]] = {
    "sync": sync_tool,
    "async": run_async,
    "stream": lambda number: list(streaming_tool(number)),
    "block": block,
    "execute": lambda number: audit.execute_tool(NAME, {"number": number}, lambda number: number),
}


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited", "ignore::pytest.PytestUnraisableExceptionWarning")
@EACH
@pytest.mark.parametrize("way", WAYS)
def test_a_call_may_be_interrupted_at_any_line(tmp_path: Path, bound: audit.Trail, way: str, steps: Steps) -> None:
    """Interrupted at each line of a call, the thread's context is as before, and the next call is recorded whole, as nobody's child."""
    call = WAYS[way]
    call(-1)
    lines = steps.of(lambda _: call(-1))
    assert len(lines) > 20
    left_behind = []
    for number in lines:
        before = otel.get_current()
        fault = steps.fault(number)
        fault.during(lambda number=number: call(-1))
        if otel.get_current() != before:
            left_behind.append(fault.at)
            otel.attach(before)
        begun = time.monotonic()
        sync_tool(number)
        assert SOON > time.monotonic() - begun, fault.at
    bound.close()
    with UnauditedReader(tmp_path / "trail", state=tmp_path / "state") as reader:
        calls = {c["arguments"]["number"]: c for c in reader.calls() if c["arguments"]["number"] >= 0}
    assert set(lines) == set(calls)
    assert {(NAME, "success", None)} == {(c["tool_name"], c["status"], c["parent_span_id"]) for c in calls.values()}
    assert_honest(tmp_path, set())
    assert [] == left_behind
