"""
Generators as tools: one call from the first item asked for to the end, however that comes.

Between two items the consumer's own context holds, not the call's. What is sent, thrown and closed reaches the tool, and its
return value the consumer.

Source: PEP 380 (delegating to a subgenerator), PEP 525 (asynchronous generators).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any

from otel_tool_audit.capture.arguments import Binder
from otel_tool_audit.capture.gate import OpenCall
from otel_tool_audit.capture.joining import NestedCall, begin_tool, begin_tool_async
from otel_tool_audit.record.summary import size
from otel_tool_audit.recording import Closed, Raised, Returned, ToolSpec

if TYPE_CHECKING:
    from otel_tool_audit.trail.trail import Trail

Stream = Generator[Any, Any, Any]
AsyncStream = AsyncGenerator[Any, Any]


def wrap_generator(function: Callable[..., Stream], spec: ToolSpec, bind: Binder, trail: Trail | None) -> Callable[..., Stream]:
    """
    Record a generator function's calls.

    Args:
        function: The tool.
        spec: What is known of it.
        bind: Names its arguments.
        trail: Its own trail, if it has one.
    """

    def wrapper(*args: Any, **kwargs: Any) -> Stream:  # noqa: ANN401 - the tool's own
        opened = None
        try:
            opened = begin_tool(spec, bind(args, kwargs), trail)
            if opened is None:
                return (yield from function(*args, **kwargs))
            # entered for each item: between two, and before the first, the consumer's context holds
            return (yield from stream(opened, lambda: function(*args, **kwargs)))
        except BaseException as error:
            # interrupted before the stream took it over; after that its end is on record
            if opened is not None:
                opened.finish(Raised(error))
            raise

    return wrapper


def stream(opened: OpenCall | NestedCall, make: Callable[[], Stream]) -> Stream:
    """
    Hand a generator's items on, and end a call with it.

    Args:
        opened: The call, which was left.
        make: Gives the generator; what it raises, for arguments that do not fit, is the call's failure.
    """
    length = 0
    try:
        generator = make()
        step: Callable[[Any], Any] = generator.send
        value = None
        while True:
            item = _within(opened, step, value)
            length += size(item)
            try:
                value = yield item
                step = generator.send
            except GeneratorExit:
                _within(opened, lambda _: generator.close(), None)
                raise
            except BaseException as error:  # noqa: BLE001 - the tool decides what it means
                step, value = generator.throw, error
    except StopIteration as end:
        opened.finish(Returned(end.value, length if end.value is None else length + size(end.value)))
        return end.value
    except GeneratorExit as error:
        opened.finish(Closed(error))
        raise
    except BaseException as error:
        opened.finish(Raised(error))
        raise


def wrap_async_generator(function: Callable[..., AsyncStream], spec: ToolSpec, bind: Binder, trail: Trail | None) -> Callable[..., AsyncStream]:
    """
    Record an async generator function's calls.

    Args:
        function: The tool.
        spec: What is known of it.
        bind: Names its arguments.
        trail: Its own trail, if it has one.
    """
    return _async_stream(lambda args, kwargs: begin_tool_async(spec, bind(args, kwargs), trail), function)


def async_stream(opened: OpenCall | NestedCall, generator: AsyncStream) -> AsyncStream:
    """
    Hand an async generator's items on, and end a call with it.

    Args:
        opened: The call, which was left.
        generator: The tool's.
    """

    async def begun(*_: object) -> OpenCall | NestedCall:
        return opened

    return _async_stream(begun, lambda: generator)()


def _async_stream(
    begin: Callable[[Any, Any], Awaitable[OpenCall | NestedCall | None]], make: Callable[..., AsyncStream]
) -> Callable[..., AsyncStream]:
    # one function for both: an async generator cannot delegate to another one, and what frameworks look at must be one itself
    async def wrapper(*args: Any, **kwargs: Any) -> AsyncStream:  # noqa: ANN401 - the tool's own
        opened, length = None, 0
        try:
            opened = await begin(args, kwargs)
            generator = make(*args, **kwargs)
            step: Callable[[Any], Any] = generator.asend
            value = None
            while True:
                item = await _within_async(opened, step, value)
                length += size(item)
                try:
                    value = yield item
                    step = generator.asend
                except GeneratorExit:
                    await _within_async(opened, lambda _: generator.aclose(), None)
                    raise
                except BaseException as error:  # noqa: BLE001 - the tool decides what it means
                    step, value = generator.athrow, error
        except StopAsyncIteration:
            if opened is not None:
                await opened.finish_async(Returned(None, length))
        except BaseException as error:
            if opened is not None:
                await opened.finish_async(Raised(error))
            raise

    return wrapper


def _within(opened: OpenCall | NestedCall, step: Callable[[Any], Any], value: Any) -> Any:  # noqa: ANN401 - the tool's own
    opened.enter()
    try:
        return step(value)
    finally:
        opened.leave()


async def _within_async(opened: OpenCall | NestedCall | None, step: Callable[[Any], Any], value: Any) -> Any:  # noqa: ANN401 - the tool's own
    if opened is None:
        return await step(value)
    opened.enter()
    try:
        return await step(value)
    finally:
        opened.leave()
