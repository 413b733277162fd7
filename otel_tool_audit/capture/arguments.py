"""Arguments by parameter name, also those given by position; worked out once for each tool, because every call pays for it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, get_args, get_origin

Binder = Callable[[tuple[Any, ...], dict[str, Any]], dict[str, Any]]
"""Turns what a call was given into arguments by name; never raises."""

_MISSING: Final = object()
_FRAMEWORKS: Final = frozenset({
    "agent_framework", "agents", "agno", "autogen_core", "crewai", "fastmcp", "google", "haystack", "langchain", "langchain_core", "langgraph",
    "llama_index", "mcp", "pydantic_ai", "semantic_kernel", "smolagents", "strands", "uncalled_for",
})  # fmt: skip
_INJECTED: Final = re.compile(
    r"(?:\w*Context(?:Wrapper)?|(?:Tool)?Runtime|RunnableConfig|(?:Async)?CallbackManager\w*|Injected\w+|BaseStore|StreamWriter|CancellationToken|"
    r"_?Depend(?:s|ency)|CurrentContext|ToolCallId)"
)
"""What frameworks call the types, or marks, of what they fill in: contexts, runtimes, configurations."""

_WORD: Final = re.compile(r"[A-Za-z_]\w*")
_BOUND_TO: Final = frozenset({"self", "cls", "mcs"})
"""First parameters by which a method is told; what it is bound to is no argument."""


def binder(function: Callable[..., Any], ahead: tuple[Any, ...] = (), always: Mapping[str, Any] | None = None) -> Binder:
    """
    Work out how calls of *function* become arguments by name.

    Args:
        function: The function whose parameters have the names.
        ahead: Positional arguments that a ``partial`` puts in front.
        always: Keyword arguments that a ``partial`` adds.
    """
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):
        # some builtins have no signature: their arguments have places, not names
        return lambda args, kwargs: unbound((*ahead, *args), {**(always or {}), **kwargs})
    hidden = [parameters[0].name] if _is_method(function, parameters) else []
    plan = _BindingPlan(parameters, [*hidden, *_injected(function, parameters)])
    if not ahead and not always:
        return plan.bind
    return lambda args, kwargs: plan.bind((*ahead, *args), {**(always or {}), **kwargs})


def unbound(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Write arguments that fit no signature: the call will fail, and the record shows with what."""
    return {"args": list(args), **kwargs} if args else dict(kwargs)


class _BindingPlan:
    """The parameters of one function, sorted for use."""

    __slots__ = ("_hidden", "_known", "_names", "_only_positional", "_plain", "_required", "_template", "_var_keyword", "_var_positional")

    def __init__(self, parameters: list[inspect.Parameter], hidden: list[str]) -> None:
        positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        named = [p for p in parameters if p.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)]
        self._names = tuple(p.name for p in parameters if p.kind in positional)
        self._only_positional = frozenset(p.name for p in parameters if p.kind is inspect.Parameter.POSITIONAL_ONLY)
        self._known = frozenset(p.name for p in named) - self._only_positional
        self._template = {p.name: _MISSING if p.default is inspect.Parameter.empty else p.default for p in named}
        self._required = tuple(p.name for p in named if p.default is inspect.Parameter.empty)
        self._var_positional = next((p.name for p in parameters if p.kind is inspect.Parameter.VAR_POSITIONAL), None)
        self._var_keyword = next((p.name for p in parameters if p.kind is inspect.Parameter.VAR_KEYWORD), None)
        self._hidden = tuple(hidden)
        only_named = len(named) == len(parameters) and not self._only_positional
        self._plain = len(named) if only_named else 0

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Bind one call, in the order of the parameters."""
        given = len(args)
        if not self._plain or given + len(kwargs) != self._plain or given > len(self._names):
            return self._bind_any(args, kwargs)
        if not kwargs.keys().isdisjoint(self._names[:given]):
            return self._bind_any(args, kwargs)
        # the usual call: each parameter given once, nothing else
        bound = self._template.copy()
        bound.update(zip(self._names, args, strict=False))
        bound.update(kwargs)
        if len(bound) != self._plain:
            return self._bind_any(args, kwargs)
        for name in self._hidden:
            del bound[name]
        return bound

    def _bind_any(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        bound = self._template.copy()
        names = self._names
        bound.update(zip(names, args, strict=False))
        by_place = names[: len(args)]
        more = args[len(names) :]
        extra: dict[str, Any] = {}
        for name, value in kwargs.items():
            if name in self._known and name not in by_place:
                bound[name] = value
            elif self._var_keyword is not None and name not in self._known:
                extra[name] = value
            else:
                return self._misfit(args, kwargs)
        if more and self._var_positional is None:
            return self._misfit(args, kwargs)
        for name in self._required:
            if bound[name] is _MISSING:
                return self._misfit(args, kwargs)
        if self._var_positional is not None:
            bound[self._var_positional] = list(more)
        if extra:
            self._add(bound, extra)
        for name in self._hidden:
            bound.pop(name, None)
        return bound

    def _add(self, bound: dict[str, Any], extra: dict[str, Any]) -> None:
        """Put ``**kwargs`` beside the parameters, or under their own name where one would hide another."""
        if self._var_keyword is not None and any(name in bound for name in extra):
            bound[self._var_keyword] = extra
        else:
            bound.update(extra)

    def _misfit(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        ahead = sum(1 for name in self._names[: len(args)] if name in self._hidden)
        return unbound(args[ahead:], {name: value for name, value in kwargs.items() if name not in self._hidden})


def _is_method(function: Callable[..., Any], parameters: list[inspect.Parameter]) -> bool:
    """Tell whether the first parameter is what the function is bound to, so that it is no argument of the tool."""
    if not parameters or parameters[0].name not in _BOUND_TO:
        return False
    outer, _, _ = getattr(function, "__qualname__", "").rpartition(".")
    return bool(outer) and not outer.endswith("<locals>")


def _injected(function: Callable[..., Any], parameters: list[inspect.Parameter]) -> list[str]:
    """Name the parameters that a framework fills in itself, as their annotations tell: they are no arguments of the tool."""
    return [p.name for p in parameters if p.annotation is not inspect.Parameter.empty and _is_injected(p.annotation, function)]


def _is_injected(annotation: Any, function: Callable[..., Any]) -> bool:  # noqa: ANN401 - a type, or text that names one
    if isinstance(annotation, str):
        # the text alone where its names cannot be looked up; else what they stand for, because a class may be called anything
        namespace = getattr(inspect.unwrap(function), "__globals__", {})
        names = _WORD.findall(annotation)
        known = [namespace[name] for name in names if name in namespace]
        return any(_is_injected(each, function) for each in known if not isinstance(each, str)) or any(
            _INJECTED.fullmatch(name) is not None for name in names if name not in namespace
        )
    each = (annotation, get_origin(annotation), *get_args(annotation), *getattr(annotation, "__metadata__", ()))
    return any(_of_framework(part) for part in each) or any(_is_injected(part, function) for part in get_args(annotation) if get_args(part))


def _of_framework(part: Any) -> bool:  # noqa: ANN401 - a type, or what stands in its annotation
    kind = part if isinstance(part, type) else type(part)
    names = [getattr(part, "__name__", "")] if callable(part) else []
    module = str(getattr(part if callable(part) else kind, "__module__", "")).partition(".")[0]
    return module in _FRAMEWORKS and any(_INJECTED.fullmatch(name) for name in [*names, kind.__name__])
