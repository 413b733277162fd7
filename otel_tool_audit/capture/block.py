"""
``tool_call()``: a block of code that is one call; and ``execute_tool()``: a handler that is called as one.

Source: ARCHITECTURE.md, R5.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

from otel_tool_audit.capture.declared import spec_of
from otel_tool_audit.capture.gate import OpenCall, begin, begin_async
from otel_tool_audit.capture.joining import by_adapter
from otel_tool_audit.capture.later import handed_back, handed_back_async, told_instead
from otel_tool_audit.recording import Denied, Failed, Outcome, Paused, Raised, Returned, ToolOptions, ToolSpec

if TYPE_CHECKING:
    from otel_tool_audit.trail.trail import Trail


class tool_call:  # noqa: N801 - used like a function, as contextlib's own managers are
    """
    Record a block of code as one call of a tool; a sync and an async context manager.

    Args:
        name: What records call the tool.
        arguments: By name.
        tool_call_id: The provider's id of the call.
        trail: Where to record, if not where ``configure()`` said.
        **said: As for ``tool()``: ``subject``, ``purpose``, ``trigger``, ``retention``, ``redact``, ``keep``, ``pseudonymize``, ``fails``.

    Raises:
        SettingsError: Something that was said cannot be.
        AuditUnavailable: On entering: no durable record, so no call.

    Source: ARCHITECTURE.md, R5.
    """

    __slots__ = ("_adapter", "_arguments", "_failure", "_opened", "_result", "_spec", "_tool_call_id", "_trail")

    def __init__(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        tool_call_id: str | None = None,
        trail: Trail | None = None,
        **said: Unpack[ToolOptions],
    ) -> None:
        """Say what will be called; nothing is recorded before the block is entered."""
        self._opened: OpenCall | None = None
        self._arguments = {} if arguments is None else arguments
        self._spec = spec_of(name, said, self._arguments)
        self._tool_call_id = tool_call_id
        self._trail = trail
        self._adapter: str | None = None
        self._result: object = None
        self._failure: Failed | Paused | Denied | None = None

    @property
    def call_id(self) -> str | None:
        """Names the call in all its records; None outside the block, or while recording is off."""
        return None if self._opened is None else self._opened.call["call_id"]

    def result(self, value: object) -> None:
        """Say what came of it; it is summarised, not stored."""
        self._result = value

    def fail(self, error: object, error_type: str | None = None) -> None:
        """
        Say that it failed although nothing is raised.

        Args:
            error: The message.
            error_type: What kind of error.
        """
        self._failure = Failed(error, error_type)

    def pause(self, kind: str | None = None, reason: object = None) -> None:
        """
        Say that it waits for somebody: neither a success nor a failure.

        Args:
            kind: What it waits for: ``approval``, ``answer`` or ``result``.
            reason: Why, in words.
        """
        self._failure = Paused(kind, reason)

    def deny(self, rule: object = None, reason: object = None, by: object = None) -> None:
        """
        Say that it did not run, because somebody said no: neither a success nor a failure.

        Args:
            rule: What forbids it; ``approval`` when somebody was asked.
            reason: Why, in words.
            by: Who said no.
        """
        self._failure = Denied(rule, reason, by)

    def __enter__(self) -> Self:
        """Record the start; what is inside runs only if that is durable."""
        try:
            self._fresh()
            self._opened = begin(self._spec, self._arguments, self._trail, self._tool_call_id, by_name=True)
            by_adapter(self._opened, self._adapter)
            if self._opened is not None:
                self._opened.enter()
            return self
        except BaseException as error:
            # interrupted after the start: nobody calls __exit__
            if self._opened is not None:
                self._opened.finish(Raised(error))
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Record the end."""
        try:
            if self._opened is not None:
                self._opened.finish(self._outcome(error))
        except BaseException as interrupt:
            if self._opened is not None:
                self._opened.finish(Raised(interrupt))
            raise

    def __del__(self) -> None:
        """Let nothing belong to a block any more whose end was interrupted before its first line."""
        # arguments that do not fit leave an object that never began
        opened = getattr(self, "_opened", None)
        if opened is not None:
            opened.abandon()

    async def __aenter__(self) -> Self:
        """Record the start; what is inside runs only if that is durable."""
        try:
            self._fresh()
            self._opened = await begin_async(self._spec, self._arguments, self._trail, self._tool_call_id, by_name=True)
            by_adapter(self._opened, self._adapter)
            if self._opened is not None:
                self._opened.enter()
            return self
        except BaseException as error:
            if self._opened is not None:
                await self._opened.finish_async(Raised(error))
            raise

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Record the end."""
        if self._opened is not None:
            await self._opened.finish_async(self._outcome(error))

    def _fresh(self) -> None:
        self._opened, self._result, self._failure = None, None, None

    def _outcome(self, error: BaseException | None) -> Outcome:
        if error is not None:
            return Raised(error)
        return Returned(self._result) if self._failure is None else self._failure


def adapted_call(adapter: str, name: str, arguments: Mapping[str, Any], tool_call_id: str | None, said: Mapping[str, Any]) -> tool_call:
    """
    Make the call that a framework's adapter records: another adapter that tells of it again, in this process, joins it.

    Args:
        adapter: Which one.
        name: What records call the tool.
        arguments: By name.
        tool_call_id: The provider's id of the call.
        said: As for ``tool()``.
    """
    made = tool_call(name, arguments, tool_call_id=tool_call_id, **said)
    made._adapter = adapter  # noqa: SLF001 - of this module
    return made


def execute_tool(
    name: str,
    arguments: Mapping[str, Any] | None,
    handler: Callable[..., Any],
    *,
    reraise: bool = True,
    tool_call_id: str | None = None,
    trail: Trail | None = None,
    **said: Unpack[ToolOptions],
) -> Any:  # noqa: ANN401 - the handler's own
    """
    Call any handler as a tool, recorded and timed.

    Args:
        name: What records call the tool.
        arguments: By name; the handler gets them as keyword arguments.
        handler: A function, a coroutine function, or anything else that can be called.
        reraise: Whether an exception goes on to the caller; else ``{"error": …, "error_type": …}`` is returned in its place, sanitized.
        tool_call_id: The provider's id of the call.
        trail: Where to record, if not where ``configure()`` said.
        **said: As for ``tool()``: ``subject``, ``purpose``, ``trigger``, ``retention``, ``redact``, ``keep``, ``pseudonymize``, ``fails``.

    Returns:
        What the handler returned; for an async handler, an awaitable of it.

    Raises:
        SettingsError: Something that was said cannot be.
        AuditUnavailable: No durable record, so no call; also with ``reraise=False``.

    Source: ARCHITECTURE.md, R5.
    """
    given = {} if arguments is None else arguments
    spec = spec_of(name, said, given)
    if _is_async(handler):
        return _execute_async(spec, given, handler, tool_call_id, trail, reraise=reraise)
    opened, begun = None, False
    try:
        opened = begin(spec, given, trail, tool_call_id, by_name=True)
        begun = True
        if opened is not None:
            opened.enter()
        return handed_back(opened, handler(**given), given.values(), reraise=reraise)
    except BaseException as error:
        done = None if opened is None else opened.finish(Raised(error))
        if reraise or not begun or not isinstance(error, Exception):
            raise
        return told_instead(done, error)


async def _execute_async(
    spec: ToolSpec, given: Mapping[str, Any], handler: Callable[..., Awaitable[Any]], tool_call_id: str | None, trail: Trail | None, *, reraise: bool
) -> Any:  # noqa: ANN401 - the handler's own
    opened, begun = None, False
    try:
        opened = await begin_async(spec, given, trail, tool_call_id, by_name=True)
        begun = True
        if opened is not None:
            opened.enter()
        result = await handler(**given)
        return result if opened is None else await handed_back_async(opened, result, given.values())
    except BaseException as error:
        done = None if opened is None else await opened.finish_async(Raised(error))
        if reraise or not begun or not isinstance(error, Exception):
            raise
        return told_instead(done, error)


def _is_async(handler: Any) -> bool:  # noqa: ANN401 - any callable
    while isinstance(handler, functools.partial):
        handler = handler.func
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__)
