"""
``@tool``: a function whose every call is recorded.

What the tool returned or raised reaches the caller unchanged; the wrapper is of the same kind as the function (coroutine
function, generator function, …), because frameworks look.

Source: ARCHITECTURE.md, R5.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from otel_tool_audit.capture.arguments import Binder, binder
from otel_tool_audit.capture.declared import Declared, declare
from otel_tool_audit.capture.joining import begin_tool, begin_tool_async
from otel_tool_audit.capture.later import handed_back, handed_back_async
from otel_tool_audit.capture.streams import wrap_async_generator, wrap_generator
from otel_tool_audit.errors import SettingsError
from otel_tool_audit.record.summary import Fails
from otel_tool_audit.recording import Raised, ToolSpec, tool_spec

if TYPE_CHECKING:
    from otel_tool_audit.trail.trail import Trail

F = TypeVar("F", bound=Callable[..., Any])


@overload
def tool(function: F, /) -> F: ...


@overload
def tool(
    *,
    name: str | None = None,
    subject: str | None = None,
    purpose: str | None = None,
    trigger: str | None = None,
    retention: str | None = None,
    redact: Iterable[str] = (),
    keep: Iterable[str] | None = None,
    pseudonymize: Mapping[str, str] | Iterable[str] = (),
    fails: Fails | None = None,
    trail: Trail | None = None,
) -> Callable[[F], F]: ...


def tool(function: F | None = None, /, *, name: str | None = None, trail: Trail | None = None, **said: Any) -> F | Callable[[F], F]:
    """
    Record every call of a function, before it runs and after.

    Use it bare or with what there is to say about the tool. Functions, coroutine functions, generators of both kinds, methods,
    ``partial`` objects and callable objects can be tools.

    Args:
        function: The tool.
        name: What records call it; else the function's name.
        trail: Where to record, if not where ``configure()`` said.
        **said: ``subject`` (the parameter that says whose data it touches), ``purpose``, ``trigger``, ``retention`` (class),
            ``redact``, ``keep``, ``pseudonymize`` (arguments by name or dotted path) and ``fails`` (tells a failure from a result).

    Raises:
        SettingsError: Something that was said cannot be.
        AuditUnavailable: Raised by the tool when called, before its body runs: no durable record, so no call.

    Source: ARCHITECTURE.md, R5.
    """
    if function is None:
        return lambda given: _tool(given, name, trail, said)
    return cast("F", _tool(function, name, trail, said))


def _tool(given: Any, name: str | None, trail: Trail | None, said: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any callable, and a wrapper of its kind
    if isinstance(given, (staticmethod, classmethod)):
        inner = _tool(given.__func__, name, trail, said)
        return type(given)(inner)
    if isinstance(given, type) or not callable(given):
        what = given.__name__ if isinstance(given, type) else f"a {type(given).__name__}"
        message = (
            f"tool() makes tools of functions and callable objects, not of {what}; put it below a framework's own decorator, next to the function"
        )
        raise SettingsError(message)
    function, ahead, always = _unwrapped(given)
    spec = tool_spec(name or _name(function), **said)
    bind = binder(function, ahead, always)
    parameters = _parameters(function)
    _check_subject(spec, parameters)
    wrap = _wrapping(given, function)
    wrapper = functools.update_wrapper(wrap(given, spec, bind, trail), given)
    declare(wrapper, Declared(spec, parameters))
    return wrapper


def _unwrapped(given: Any) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:  # noqa: ANN401 - any callable
    """Look through ``partial`` objects: what they bind are arguments of the call, too."""
    ahead: tuple[Any, ...] = ()
    always: dict[str, Any] = {}
    while isinstance(given, functools.partial):
        ahead, always = (*given.args, *ahead), {**given.keywords, **always}
        given = given.func
    return given, ahead, always


def _name(function: Any) -> str:  # noqa: ANN401 - any callable
    return str(getattr(function, "__name__", None) or type(function).__name__)


def _parameters(function: Callable[..., Any]) -> frozenset[str] | None:
    """Name a function's parameters; None when it takes any, or nobody can tell."""
    try:
        parameters = inspect.signature(function).parameters
    except (ValueError, TypeError):
        return None
    return None if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()) else frozenset(parameters)


def _check_subject(spec: ToolSpec, parameters: frozenset[str] | None) -> None:
    if spec.subject is not None and parameters is not None and spec.subject.partition(".")[0] not in parameters:
        message = f"subject={spec.subject!r} is no parameter of {spec.name}; it has: {', '.join(sorted(parameters))}"
        raise SettingsError(message)


def _wrapping(given: Any, function: Any) -> Callable[[Any, ToolSpec, Binder, Trail | None], Callable[..., Any]]:  # noqa: ANN401 - any callable
    body = function if inspect.isroutine(function) else type(function).__call__
    for tells, wrap in (
        (inspect.iscoroutinefunction, _wrap_coroutine),
        (inspect.isasyncgenfunction, wrap_async_generator),
        (inspect.isgeneratorfunction, wrap_generator),
    ):
        if tells(given) or tells(body):
            return wrap
    return _wrap_function


def _wrap_function(function: Any, spec: ToolSpec, bind: Binder, trail: Trail | None) -> Callable[..., Any]:  # noqa: ANN401 - any callable
    def wrapper(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the tool's own
        opened = None
        # all of it inside: an interrupt may come between any two lines, and what was entered must be left
        try:
            opened = begin_tool(spec, bind(args, kwargs), trail)
            if opened is not None:
                opened.enter()
            result = function(*args, **kwargs)
            return result if opened is None else handed_back(opened, result, args, kwargs.values())
        except BaseException as error:
            if opened is not None:
                opened.finish(Raised(error))
            raise

    return wrapper


def _wrap_coroutine(function: Any, spec: ToolSpec, bind: Binder, trail: Trail | None) -> Callable[..., Any]:  # noqa: ANN401 - any callable
    async def wrapper(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the tool's own
        opened = None
        try:
            opened = await begin_tool_async(spec, bind(args, kwargs), trail)
            if opened is not None:
                opened.enter()
            result = await function(*args, **kwargs)
            return result if opened is None else await handed_back_async(opened, result, args, kwargs.values())
        except BaseException as error:
            if opened is not None:
                await opened.finish_async(Raised(error))
            raise

    return wrapper
