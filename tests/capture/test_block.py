"""``tool_call()`` and ``execute_tool()``."""

from __future__ import annotations

import asyncio
import functools

import pytest

import otel_tool_audit as audit

pytestmark = pytest.mark.usefixtures("who")


def test_a_block_is_one_call(trail):
    """Arguments, result and the provider's id are recorded."""
    with audit.tool_call("charge_payment", {"order_id": "ORD-1"}, tool_call_id="call_7") as call:
        assert len(call.call_id) == 32
        call.result({"payment_id": "PAY-1"})
    found = trail.assert_recorded("charge_payment", times=1, success=True, tool_call_id="call_7", arguments={"order_id": "ORD-1"})
    assert found["result_summary"]["payment_id"] == "PAY-1"
    assert found["retention_class"] == "financial"
    assert found["call_id"] == call.call_id


def test_a_block_may_fail_in_words_or_raise(trail):
    """fail() and an exception are both failures; the exception goes on."""
    with audit.tool_call("quiet") as call:
        call.fail("out of stock", "StockError")
    with pytest.raises(ValueError, match="loud"), audit.tool_call("loud"):
        raise ValueError("loud")
    trail.assert_recorded("quiet", success=False, error="out of stock", error_type="StockError")
    trail.assert_recorded("loud", success=False, error="loud", error_type="ValueError")


def test_an_async_block_awaits_its_records(trail):
    """The same on an event loop, cancellation included."""

    async def main():
        async with audit.tool_call("ok") as call:
            call.result([1, 2])
        async with audit.tool_call("failed") as call:
            call.fail("no")
        with pytest.raises(asyncio.TimeoutError):
            async with asyncio.timeout(0.02), audit.tool_call("slow"):
                await asyncio.sleep(60)

    asyncio.run(main())
    trail.assert_recorded("ok", success=True)
    trail.assert_recorded("failed", success=False, error="no")
    trail.assert_recorded("slow", success=False, error_type="CancelledError")


def test_a_block_can_be_entered_again(trail):
    """One object, two calls, each with its own outcome."""
    block = audit.tool_call("twice")
    with block:
        block.fail("first")
    with block:
        block.result(2)
    assert [False, True] == [c["success"] for c in trail.calls()]


def test_a_handler_is_called_with_the_arguments_by_name(trail):
    """The middleware runs any handler and hands its result through."""
    assert audit.execute_tool("add", {"a": 1, "b": 2}, lambda a, b: a + b) == 3
    assert audit.execute_tool("nothing", None, lambda: "x") == "x"
    trail.assert_recorded("add", success=True, arguments={"a": 1, "b": 2})


def test_an_exception_goes_on_or_is_returned_as_asked(trail):
    """reraise=False gives the recorded failure, sanitized; an interruption always goes on."""

    def refuse():
        raise PermissionError("password=hunter2hunter2 is wrong")

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(PermissionError):
        audit.execute_tool("refuse", {}, refuse)
    told = audit.execute_tool("refuse", {}, refuse, reraise=False)
    assert told == {"error": "password=***REDACTED***", "error_type": "PermissionError"}
    with pytest.raises(KeyboardInterrupt):
        audit.execute_tool("interrupt", {}, interrupt, reraise=False)
    trail.assert_recorded("refuse", times=2, success=False, error=told["error"])
    trail.assert_recorded("interrupt", success=False, error_type="KeyboardInterrupt")


class Handler:
    async def __call__(self, n):
        return n + 1


async def plus(n, more=1):
    if n < 0:
        raise ValueError("negative")
    return n + more


@pytest.mark.parametrize("handler", [plus, functools.partial(plus, more=1), Handler(), lambda n: plus(n)])  # noqa: PLW0108 - async in all but name
def test_async_handlers_give_an_awaitable(trail, handler):
    """Whatever way a handler is async, its result is awaited and recorded once."""

    async def main():
        return await audit.execute_tool("plus", {"n": 1}, handler)

    assert asyncio.run(main()) == 2
    trail.assert_recorded("plus", times=1, success=True)


@pytest.mark.parametrize("handler", [plus, lambda n: plus(n)])  # noqa: PLW0108 - as above
def test_async_failures_are_returned_as_asked(trail, handler):
    """reraise=False holds for awaited handlers as well."""

    async def main():
        return await audit.execute_tool("plus", {"n": -1}, handler, reraise=False)

    assert asyncio.run(main()) == {"error": "negative", "error_type": "ValueError"}
    trail.assert_recorded("plus", times=1, success=False)


def test_a_handler_that_does_not_take_the_arguments_fails_as_itself(trail):
    """The handler's TypeError is raised and recorded."""
    with pytest.raises(TypeError, match="unexpected keyword"):
        audit.execute_tool("odd", {"x": 1}, lambda y: y)
    trail.assert_recorded("odd", success=False, error_type="TypeError", arguments={"x": 1})
