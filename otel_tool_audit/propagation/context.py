"""
Who acts, on whose behalf, and why: values that travel in the OpenTelemetry context.

Source: ARCHITECTURE.md, R6 to R9.
"""

from __future__ import annotations

import contextlib
import difflib
import enum
import functools
import inspect
import logging
import numbers
import operator
import os
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from types import FrameType, TracebackType
from typing import Any, Final, ParamSpec, Self, TypeVar, cast

from opentelemetry import context as otel

from otel_tool_audit.errors import SettingsError
from otel_tool_audit.propagation.frames import has_yielded, suspending_frame
from otel_tool_audit.record.model import TRIGGERS

_log: Final = logging.getLogger("otel_tool_audit")

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])

KEY: Final = otel.create_key("tool-audit-attribution")
"""Where the context keeps the :class:`Attribution`."""

FIELDS: Final = (
    "user", "role", "agent", "model", "conversation", "turn", "trigger", "purpose", "subject", "client_ip", "user_agent", "attempt", "retry_of",
)  # fmt: skip
"""The names that :class:`attribution` knows; all others are metadata."""

_RECORDED_AS: Final = {"user_id": "user", "user_role": "role", "conversation_id": "conversation", "turn_number": "turn"}
"""Names that records have for fields."""

_NEAR: Final = 0.8
"""How alike a name must be to be taken for a slip (0 to 1): ``usr`` and ``user`` are 0.86, ``agent_id`` and ``agent`` 0.77."""

_NUMBERS: Final = ("turn", "attempt")
_NOTHING: Final[Mapping[str, Any]] = {}


class Attribution:
    """
    What is known about who calls and why; never changed after it was made.

    Attributes:
        values: Of ``FIELDS`` those that are known.
        metadata: What the application adds.
        claimed: What somebody else said and nobody vouches for, by where it came from.
        adapted: Names of values that a framework's adapter said, of the agent whose call it is; further in another agent may call.
        cache: What a recorder made of it, so that the same attribution is sanitized once and not for each call.
    """

    __slots__ = ("adapted", "cache", "claimed", "metadata", "values")

    def __init__(
        self,
        values: Mapping[str, Any] = _NOTHING,
        metadata: Mapping[str, Any] = _NOTHING,
        claimed: Mapping[str, Any] = _NOTHING,
        adapted: frozenset[str] = frozenset(),
    ) -> None:
        """Take the mappings as they are; the caller no longer changes them."""
        self.values = values
        self.metadata = metadata
        self.claimed = claimed
        self.adapted = adapted
        self.cache: dict[Any, Any] = {}

    def __repr__(self) -> str:
        """Show what is known, for a log or a debugger."""
        known = ", ".join(f"{name}={value!r}" for name, value in {**self.values, **self.metadata}.items())
        return f"Attribution({known})"

    def get(self, name: str) -> Any:  # noqa: ANN401 - text or number, as the field is
        """Give one of ``FIELDS``, None when it is not known."""
        return self.values.get(name)

    def joined(self, values: Mapping[str, Any], metadata: Mapping[str, Any], claimed: Mapping[str, Any] = _NOTHING) -> Attribution:
        """Make the attribution that holds inside this one: new values win, the others stay."""
        return Attribution({**self.values, **values}, {**self.metadata, **metadata}, {**self.claimed, **claimed}, self.adapted - values.keys())


NOBODY: Final = Attribution()
"""The attribution where nobody set one."""


class _Block:
    """
    An attribution that was entered, and the one that held before it.

    Attributes:
        made: What it says, over what held where it was entered.
        before: What OpenTelemetry's context had there.
        outer: The block that was entered before it in this context, whether or not it is around it.
        around: The block that held where it was entered.
        frame: Of the generator in which it was entered; None where a function was left with it.
        process: In which process, counted by forks.
        entered: Whether it has been left.
        token: Of what was attached to OpenTelemetry's context; None when nothing was.
    """

    __slots__ = ("around", "before", "entered", "frame", "made", "outer", "process", "token")

    def __init__(self, made: Attribution, before: object, outer: _Block | None, frame: FrameType | None) -> None:
        self.made = made
        self.before = before
        self.outer = outer
        self.around = _holding()
        self.frame = frame
        self.process = _forks[0]
        self.entered = True
        self.token: Any = None

    def holds(self) -> bool:
        """Tell whether it is one's own: a generator that waits for its reader has left it to nobody."""
        return self.entered and self.process == _forks[0] and not (self.frame is not None and has_yielded(self.frame))


_forks: Final = [0]
"""How many forks lead to this process; what was entered before the last one belongs to another process."""

_innermost: Final[ContextVar[_Block | None]] = ContextVar("tool_audit_block", default=None)
"""
A second memory beside OpenTelemetry's context: whoever attached a context before a block was entered may detach it while the block lasts,
and puts an older one back. So FastAPI does with its span around dependencies, one of which says who the user is.
"""


def _holding() -> _Block | None:
    """Give the innermost block that holds here: generators that are read in turn enter and leave theirs in any order."""
    block = found = _innermost.get()
    while found is not None and not found.holds():
        found = found.outer
    while block is not None and found is not None:
        if block.frame is not None and block.holds() and not _is_around(block, found):
            # a generator that was suspended when the other block was entered, and is read inside of it
            found = block
        block = block.outer
    return found


def _is_around(block: _Block, inner: _Block) -> bool:
    at: _Block | None = inner
    while at is not None and at is not block:
        at = at.around
    return at is block


def _is_made_by_blocks(said: object) -> bool:
    block = _innermost.get()
    while block is not None and block.made is not said:
        block = block.outer
    return block is not None


def _entered(block: _Block | None) -> _Block | None:
    """Give the first of a chain of blocks that has not been left: what has been is not remembered any longer."""
    while block is not None and not block.entered:
        block = block.outer
    return block


def _forget() -> None:
    """In a fork's child: what held in the parent when it forked is nothing that this process works for."""
    _forks[0] += 1
    _innermost.set(None)
    held = otel.get_current()
    if KEY in held:
        otel.attach(otel.Context({name: value for name, value in held.items() if name != KEY}))


os.register_at_fork(after_in_child=_forget)


def detach(token: Any) -> bool:  # noqa: ANN401 - a token of whichever runtime context OpenTelemetry has
    """
    Let hold again what held before a context was attached; OpenTelemetry's own function logs an error where that cannot be.

    Returns:
        Whether it does: not if the context was attached in another task, or another one was put back meanwhile.
    """
    if not isinstance(token, Token):
        otel.detach(token)
        return True
    try:
        token.var.reset(token)
    except (ValueError, RuntimeError):
        return False
    return True


def current_context(context: otel.Context | None = None) -> otel.Context:
    """
    Give the context that holds here, with the attribution that holds here.

    Args:
        context: One that was made here, instead of the current one.
    """
    found = otel.get_current() if context is None else context
    block = _holding()
    if block is None:
        return found
    said = found.get(KEY)
    # a generator attaches nothing: what stands there may be its reader's
    covers = said is block.before or (block.frame is not None and _is_made_by_blocks(said))
    return otel.set_value(KEY, block.made, found) if covers else found


def run_in(context: otel.Context) -> Callable[[], None]:
    """
    Let a context hold that was taken elsewhere, with its attribution alone.

    Args:
        context: From :func:`current_context`.

    Returns:
        What lets hold again what held before.
    """
    token, block = otel.attach(context), _innermost.set(None)

    def leave() -> None:
        with contextlib.suppress(ValueError):
            # in another context, where whoever runs this is left alone: nothing of it holds there
            _innermost.reset(block)
        detach(token)

    return leave


def current(context: otel.Context | None = None) -> Attribution:
    """
    Give the attribution that holds here.

    Args:
        context: Look there instead.
    """
    found = (current_context() if context is None else context).get(KEY)
    return found if isinstance(found, Attribution) else NOBODY


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """
    Check values of ``FIELDS`` and leave out what was not given.

    What a value means unambiguously it may mean in another type: a member of an enumeration, a number of NumPy, ``3.0``.

    Raises:
        SettingsError: There is no such trigger, or a number is none.
    """
    values = {name: value.value if isinstance(value, enum.Enum) else value for name, value in given.items() if value is not None}
    trigger = values.get("trigger")
    if trigger is not None and trigger not in TRIGGERS:
        said = str(trigger).strip().lower().replace("-", "_").replace(" ", "_")
        if said not in TRIGGERS:
            message = f"trigger={trigger!r} is unknown; a call is triggered by one of: {', '.join(TRIGGERS)}"
            raise SettingsError(message)
        values["trigger"] = said
    for name in _NUMBERS:
        number = values.get(name, 0)
        if type(number) is not int:
            values[name] = _whole(name, number)
        elif number < 0:
            raise SettingsError(_no_number(name, number))
    return values


def _whole(name: str, value: object) -> int:
    number = -1
    given: Any = value
    # a truth value counts nothing, NumPy's neither, and text may mean anything
    with contextlib.suppress(ArithmeticError, TypeError, ValueError):
        if not isinstance(value, bool) and "bool" not in type(value).__name__:
            number = (int(given) if given == int(given) else -1) if isinstance(value, numbers.Number) else operator.index(given)
    if number < 0:
        raise SettingsError(_no_number(name, value))
    return number


def _no_number(name: str, value: object) -> str:
    return f"{name}={value!r} must be a whole number, 0 or more"


class attribution:  # noqa: N801 - used like a function, as contextlib's own managers are
    """
    Say who acts and why, for everything called inside.

    A context manager for sync and async code, and a decorator for functions and coroutine functions. Attributions nest:
    what an inner one does not say holds on.

    Args:
        user: The human, or named system principal, on whose behalf the agent acts.
        role: That user's role.
        agent: The agent that decided to call.
        model: The model that decided to call.
        conversation: Id of the conversation.
        turn: Number of the turn in it.
        trigger: ``user_request``, ``proactive``, ``retry``, ``follow_up`` or ``system``.
        purpose: Why data is touched: ``treatment``, ``billing``, …
        subject: Whose data; stored as a pseudonym.
        client_ip: Address of the user's client.
        user_agent: What the user's client calls itself.
        attempt: Which attempt this is, counted from 1.
        retry_of: ``call_id`` of the call that is tried again.
        **metadata: Whatever else the application wants to see in ``session_metadata``; a name that is almost a field's is warned of, once.

    Raises:
        SettingsError: A trigger is unknown, or a number is none.

    Source: ARCHITECTURE.md, R7 and R9.
    """

    __slots__ = ("_base", "_blocks", "_metadata", "_values")

    def __init__(
        self,
        *,
        user: str | None = None,
        role: str | None = None,
        agent: str | None = None,
        model: str | None = None,
        conversation: str | None = None,
        turn: int | None = None,
        trigger: str | None = None,
        purpose: str | None = None,
        subject: str | None = None,
        client_ip: str | None = None,
        user_agent: str | None = None,
        attempt: int | None = None,
        retry_of: str | None = None,
        **metadata: object,
    ) -> None:
        """Check the values; nothing holds before the block is entered."""
        given = (user, role, agent, model, conversation, turn, trigger, purpose, subject, client_ip, user_agent, attempt, retry_of)
        self._values = checked(dict(zip(FIELDS, given, strict=True)))
        for name in metadata:
            _tell_of_slip(name)
        self._metadata = metadata
        self._base: Attribution | None = None
        self._blocks: list[_Block] = []

    def __enter__(self) -> Attribution:
        """Let the values hold from here on."""
        made = (current() if self._base is None else self._base).joined(self._values, self._metadata)
        block = _Block(made, otel.get_value(KEY), _entered(_innermost.get()), suspending_frame(__file__))
        if block.frame is None:
            # what a generator attached would stay there while it is suspended
            block.token = otel.attach(otel.set_value(KEY, made))
        _innermost.set(block)
        self._blocks.append(block)
        return made

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Let hold again what held before."""
        block = self._blocks.pop()
        block.entered = False
        if _innermost.get() is block:
            _innermost.set(_entered(block.outer))
        if block.token is not None and otel.get_value(KEY) is block.made and not detach(block.token):
            otel.attach(otel.set_value(KEY, block.before))
        # a generator's frame refers to its block, and the other way round
        block.frame = block.token = block.around = None

    async def __aenter__(self) -> Attribution:
        """Let the values hold from here on."""
        return self.__enter__()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Let hold again what held before."""
        self.__exit__(kind, error, trace)

    def __call__(self, function: F) -> F:
        """
        Let the values hold in every call of *function*.

        Raises:
            SettingsError: It is a generator function: between two items its attribution would hold for whoever reads it.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            message = f"attribution() cannot decorate the generator {function.__qualname__}; write `with attribution(…):` around its use"
            raise SettingsError(message)
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def attributed(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the decorated function's own
                with self._again():
                    return await function(*args, **kwargs)
        else:

            @functools.wraps(function)
            def attributed(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the decorated function's own
                with self._again():
                    return function(*args, **kwargs)

        return cast("F", attributed)

    def _again(self) -> Self:
        """Make a copy with tokens of its own: a decorated function runs in many threads and tasks at a time."""
        copy = type(self)()
        copy._values, copy._metadata = self._values, self._metadata  # noqa: SLF001 - another one of our own
        return copy


def attribution_over(base: Attribution, said: Mapping[str, Any]) -> attribution:
    """
    Let values hold over an attribution instead of over the one that holds where the block is entered.

    Args:
        base: What an adapter made of that one.
        said: Arguments of ``attribution()``.

    Raises:
        SettingsError: A trigger is unknown, or a number is none.
    """
    made = attribution(**said)
    made._base = base  # noqa: SLF001 - of this module
    return made


@functools.lru_cache(256)
def _tell_of_slip(name: str) -> None:
    """Warn, once for each name, when metadata is called almost as a field is: the field would stay unknown without a word."""
    near = _RECORDED_AS.get(name) or next(iter(difflib.get_close_matches(name, FIELDS, 1, _NEAR)), None)
    if near is not None:
        _log.warning("attribution(%s=…) is kept as metadata: there is no such field. Did you mean %s=…? (told once)", name, near)


def carry(function: Callable[P, R]) -> Callable[P, R]:
    """
    Bind *function* to the context that holds here, wherever it will run.

    Use it for callbacks and pools that neither the language nor ``configure()`` carries the context through.

    Args:
        function: A function or a coroutine function.
    """
    context = current_context()
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def carried_async(*args: P.args, **kwargs: P.kwargs) -> Any:  # noqa: ANN401 - the function's own
            leave = run_in(context)
            try:
                return await function(*args, **kwargs)
            finally:
                leave()

        return cast("Callable[P, R]", carried_async)

    @functools.wraps(function)
    def carried(*args: P.args, **kwargs: P.kwargs) -> R:
        leave = run_in(context)
        try:
            return function(*args, **kwargs)
        finally:
            leave()

    return carried
