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
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final, NamedTuple, ParamSpec, Self, TypeVar, cast

from opentelemetry import context as otel

from otel_tool_audit.errors import SettingsError
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


class _Said(NamedTuple):
    """What the innermost block says, and what OpenTelemetry's context had when it was entered."""

    made: Attribution
    before: object


_said: Final[ContextVar[_Said | None]] = ContextVar("tool_audit_said", default=None)
"""
A second memory beside OpenTelemetry's context: whoever attached a context before a block was entered may detach it while the block lasts,
and puts an older one back. So FastAPI does with its span around dependencies, one of which says who the user is.
"""


def current_context(context: otel.Context | None = None) -> otel.Context:
    """
    Give the context that holds here, with the attribution that holds here.

    Args:
        context: One that was made here, instead of the current one.
    """
    found = otel.get_current() if context is None else context
    said = _said.get()
    return found if said is None or found.get(KEY) is not said.before else otel.set_value(KEY, said.made, found)


def run_in(context: otel.Context) -> Callable[[], None]:
    """
    Let a context hold that was taken elsewhere, with its attribution alone.

    Args:
        context: From :func:`current_context`.

    Returns:
        What lets hold again what held before.
    """
    token, said = otel.attach(context), _said.set(None)

    def leave() -> None:
        _said.reset(said)
        otel.detach(token)

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
    # a truth value counts nothing, and text may mean anything
    if not isinstance(value, bool) and isinstance(value, numbers.Number):
        with contextlib.suppress(ArithmeticError, TypeError, ValueError):
            given: Any = value
            number = int(given) if given == int(given) else -1
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

    __slots__ = ("_base", "_metadata", "_tokens", "_values")

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
        self._tokens: list[Any] = []

    def __enter__(self) -> Attribution:
        """Let the values hold from here on."""
        before = otel.get_value(KEY)
        made = (current() if self._base is None else self._base).joined(self._values, self._metadata)
        self._tokens.append((made, otel.attach(otel.set_value(KEY, made)), _said.set(_Said(made, before))))
        return made

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Let hold again what held before."""
        made, token, said = self._tokens.pop()
        with contextlib.suppress(ValueError):
            # entered in another context, as generators are that somebody else closes
            _said.reset(said)
        if otel.get_value(KEY) is made:
            otel.detach(token)

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
