"""Generators as tools."""

from __future__ import annotations

import asyncio
import gc

import pytest
from opentelemetry import trace as otel_trace

import otel_tool_audit as audit
from otel_tool_audit.propagation.context import current

pytestmark = pytest.mark.usefixtures("who")


@audit.tool
def talk(n):
    """Send, throw, close and return all matter here."""
    heard = []
    for number in range(n):
        try:
            heard.append((yield number))
        except LookupError as error:
            heard.append(str(error))
    return {"id": "end", "heard": heard}


@audit.tool
async def atalk(n):
    heard = []
    for number in range(n):
        try:
            heard.append((yield number))
        except LookupError as error:
            heard.append(str(error))
    yield heard


def test_what_is_sent_thrown_and_returned_goes_through(trail):
    """A wrapped generator is driven like a bare one."""
    stream = talk(3)
    assert next(stream) == 0
    assert stream.send("a") == 1
    assert stream.throw(LookupError("b")) == 2
    with pytest.raises(StopIteration) as end:
        stream.send("c")
    assert end.value.value == {"id": "end", "heard": ["a", "b", "c"]}
    call = trail.assert_recorded("talk", times=1, success=True, arguments={"n": 3})
    assert call["result_summary"]["id"] == "end"


def test_yield_from_gets_the_return_value(trail):
    """Delegation works through the wrapper."""

    def outer():
        return (yield from talk(1))

    assert list(outer()) == [0]


def test_nothing_is_recorded_before_the_first_item(trail):
    """A generator that nobody reads has not run."""
    talk(3)
    assert trail.calls() == []


def test_a_closed_generator_is_recorded_as_closed(trail):
    """Closing is neither success nor the tool's own failure."""
    stream = talk(3)
    next(stream)
    stream.close()
    trail.assert_recorded("talk", times=1, success=False, error_type="GeneratorExit")


def test_a_collected_generator_is_recorded_as_closed(trail):
    """The collector closes what nobody holds any more."""
    stream = talk(3)
    next(stream)
    holder = [stream]
    holder.append(holder)
    del stream, holder
    gc.collect()
    trail.assert_recorded("talk", times=1, success=False, error_type="GeneratorExit")


def test_a_generator_that_raises_is_recorded_so(trail):
    """The exception reaches the reader and the record."""

    @audit.tool
    def broken():
        yield 1
        raise ValueError("broken off")

    with pytest.raises(ValueError, match="broken off"):
        list(broken())
    trail.assert_recorded("broken", times=1, success=False, error="broken off")


def test_between_two_items_the_readers_own_context_holds(trail):
    """Neither the tool's span nor its attribution leaks to who reads it."""
    seen = []

    @audit.tool
    def inside():
        seen.append(otel_trace.get_current_span().get_span_context().is_valid)
        yield 1
        seen.append(otel_trace.get_current_span().get_span_context().is_valid)

    stream = inside()
    next(stream)
    assert not otel_trace.get_current_span().get_span_context().is_valid
    with audit.attribution(user="other"):
        next(stream, None)
        assert current().get("user") == "other"
    assert seen == [True, True]
    trail.assert_recorded("inside", user_id="usr_1")


def test_items_count_for_the_size(trail):
    """What came in pieces has a size, too."""
    list(audit.tool(name="items")(_items)())
    assert trail.calls()[0]["result_summary"] == {"success": True, "_result_size": 2 * len('"abc"')}


def _items():
    yield "abc"
    yield "def"


def test_async_generators_are_driven_alike(trail):
    """asend, athrow and the end go through."""

    async def main():
        stream = atalk(2)
        assert await anext(stream) == 0
        assert await stream.asend("a") == 1
        assert await stream.athrow(LookupError("b")) == ["a", "b"]
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    asyncio.run(main())
    trail.assert_recorded("atalk", times=1, success=True)


def test_a_closed_async_generator_is_recorded_as_closed(trail):
    """aclose() is recorded, and so is a reader that stops reading."""

    async def main():
        stream = atalk(2)
        await anext(stream)
        await stream.aclose()
        async for _ in atalk(3):
            break
        # the event loop closes in a task of its own what nobody reads any more
        await asyncio.sleep(0.05)

    asyncio.run(main())
    trail.assert_recorded("atalk", times=2, success=False, error_type="GeneratorExit")


def test_a_cancelled_async_generator_is_recorded_as_cancelled(trail):
    """The task's cancellation is the call's."""

    @audit.tool
    async def slow():
        yield 1
        await asyncio.sleep(60)

    async def read():
        return [item async for item in slow()]

    async def main():
        task = asyncio.create_task(read())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    trail.assert_recorded("slow", times=1, success=False, error_type="CancelledError")
