"""
What a tool hands back before it has done its work: the call ends when that ends.

The caller gets what the tool gave: a future is the same object, an awaitable object too where Python lets its class be changed; a
coroutine or a generator is one of the same kind and name around it.

Source: PEP 492 (awaitables), PEP 525 (asynchronous generators); ``asyncio.Future`` and ``concurrent.futures.Future``, ``add_done_callback``.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, Final, cast

from otel_tool_audit.capture.gate import OpenCall
from otel_tool_audit.capture.joining import NestedCall
from otel_tool_audit.capture.streams import async_stream, stream
from otel_tool_audit.recording import Raised, Returned, error_text, error_type

Open = OpenCall | NestedCall

_AT_HAND: Final = frozenset({dict, list, tuple, str, bytes, int, float, bool, type(None)})
"""Types of which nothing is to come: nearly every result."""

_OPENED: Final = "_tool_audit_opened"


def handed_back(opened: Open | None, result: Any, *given: Iterable[object], reraise: bool = True) -> Any:  # noqa: ANN401 - the tool's own
    """
    End a call with what its tool gave back, or let it end when that does.

    Args:
        opened: The call, which was entered; None: it is not recorded.
        result: What the tool gave back.
        given: What the tool was given: of this it only hands something on.
        reraise: Whether an exception of what is awaited goes on to the caller.

    Returns:
        What the caller gets.
    """
    follow = None if type(result) in _AT_HAND else _following(result, given, reraise)
    if opened is None:
        return awaited(None, result, reraise) if follow is awaited else result
    if follow is None:
        opened.finish(Returned(result))
        return result
    opened.leave()
    return follow(opened, result, reraise)


async def handed_back_async(opened: Open, result: Any, *given: Iterable[object]) -> Any:  # noqa: ANN401 - as handed_back
    """As :func:`handed_back`, on an event loop."""
    follow = None if type(result) in _AT_HAND else _following(result, given, reraise=True)
    if follow is None:
        await opened.finish_async(Returned(result))
        return result
    opened.leave()
    return follow(opened, result, True)


async def awaited(opened: Open | None, result: Awaitable[Any], reraise: bool) -> Any:  # noqa: ANN401 - the tool's own; as all that follow a result
    """
    Put the end of a call behind what is awaited.

    Args:
        opened: The call; it was entered and left. None: it is not recorded.
        result: What the function returned.
        reraise: Whether an exception goes on to the caller.
    """
    if opened is not None:
        opened.enter()
    try:
        value = await result
    except BaseException as error:
        done = None if opened is None else await opened.finish_async(Raised(error))
        if reraise or not isinstance(error, Exception):
            raise
        return told_instead(done, error)
    return value if opened is None else await handed_back_async(opened, value)


def told_instead(done: Any, error: Exception) -> dict[str, Any]:  # noqa: ANN401 - a call, or None
    """Make what the caller gets in place of an exception: what is recorded of it."""
    if done is None:
        return {"error": error_text(error), "error_type": error_type(error)}
    return {"error": done["error"], "error_type": done["error_type"]}


_Following = Callable[[Any, Any, bool], Any]


def _following(result: object, given: Iterable[Iterable[object]], reraise: bool) -> _Following | None:
    """Tell how the end of something is followed; None when it is at hand, or not the tool's own."""
    if any(value is result for values in given for value in values):
        return None
    # by its type alone: isinstance() asks a lazy object for its __class__, which is that of what it would have to fetch
    kind = type(result)
    known = _KINDS.get(kind)
    if known is not None:
        return known
    if not reraise and hasattr(kind, "__await__"):
        # what is told in place of an exception, the object itself cannot give
        return awaited
    if callable(getattr(kind, "add_done_callback", None)) and callable(getattr(kind, "cancelled", None)):
        return _follow_future
    return _follow_object if hasattr(kind, "__await__") else None


def _named(made: Any, original: Any) -> Any:  # noqa: ANN401 - a coroutine or generator of any kind
    made.__name__, made.__qualname__ = original.__name__, original.__qualname__
    return made


def _follow_coroutine(opened: Open, result: CoroutineType[Any, Any, Any], reraise: bool) -> Any:  # noqa: ANN401 - as handed_back
    return _named(awaited(opened, result, reraise), result)


def _follow_generator(opened: Open, result: GeneratorType[Any, Any, Any], reraise: bool) -> Any:  # noqa: ANN401 - as handed_back; an item is what the caller asked for
    if result.gi_code.co_flags & inspect.CO_ITERABLE_COROUTINE:
        # a coroutine of the old kind
        return _follow_coroutine(opened, cast("CoroutineType[Any, Any, Any]", result), reraise)
    return _named(stream(opened, lambda: result), result)


def _follow_async_generator(opened: Open, result: AsyncGeneratorType[Any, Any], reraise: bool) -> Any:  # noqa: ANN401, ARG001 - as above
    return _named(async_stream(opened, result), result)


def _follow_future(opened: Open, result: Any, reraise: bool) -> Any:  # noqa: ANN401, ARG001 - any future; whoever asks it gets its exception
    # Ours is the first callback unless the tool added some itself, so that whoever awaits a future of asyncio goes on after the record.
    result.add_done_callback(functools.partial(_future_done, opened))
    return result


def _future_done(opened: Open, future: Any) -> None:  # noqa: ANN401 - any future
    import asyncio  # noqa: PLC0415 - costs more than all else that a decorated tool imports, and most tools give no future

    error: BaseException | None
    if future.cancelled():
        error = asyncio.CancelledError()
    elif asyncio.isfuture(future):
        # exception() would tell asyncio that somebody has seen it, and nobody would be warned when nobody has
        error = getattr(future, "_exception", None)
    else:
        error = future.exception()
    opened.finish(Returned(future.result()) if error is None else Raised(error))


def _follow_object(opened: Open, result: Any, reraise: bool) -> Any:  # noqa: ANN401 - any awaitable
    original: Any = type(result)
    kind = _recorded(original)
    if reraise and kind is not None:
        try:
            # in the object itself, which may have no place for a weak reference
            setattr(result, _OPENED, opened)
            result.__class__ = kind
        except (AttributeError, TypeError):
            # a class of C, or with slots: it has no room for another one's
            getattr(result, "__dict__", {}).pop(_OPENED, None)
        else:
            return result
    return awaited(opened, result, reraise)


@functools.lru_cache(maxsize=256)
def _recorded(kind: Any) -> type | None:  # noqa: ANN401 - a type, which the cache's own annotation does not know for hashable
    """Make the class of an awaitable object whose awaiting or entering ends a call; None where no class can be derived from its own."""

    def opened_of(self: Any) -> Open | None:  # noqa: ANN401 - the object
        self.__class__ = kind
        opened: Open | None = vars(self).pop(_OPENED, None)
        return opened

    def await_recorded(self: Any) -> Generator[Any, Any, Any]:  # noqa: ANN401 - as above
        return awaited(opened_of(self), self, True).__await__()

    async def enter_recorded(self: Any) -> Any:  # noqa: ANN401 - as above
        # an HTTP library's request can be awaited, and entered
        return await awaited(opened_of(self), self.__aenter__(), True)

    body: dict[str, Any] = {"__await__": await_recorded, "__module__": kind.__module__, "__qualname__": kind.__qualname__}
    if hasattr(kind, "__aenter__"):
        body["__aenter__"] = enter_recorded
    try:
        return type(kind.__name__, (kind,), body)
    except TypeError:
        return None


_KINDS: Final[Mapping[type, _Following]] = {
    CoroutineType: _follow_coroutine,
    GeneratorType: _follow_generator,
    AsyncGeneratorType: _follow_async_generator,
}
