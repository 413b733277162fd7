"""
The settings, each with its environment variable.

An argument beats the variable ``OTEL_TOOL_AUDIT_<FIELD>``, which beats the default.

Source: ARCHITECTURE.md, R34.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Final, Literal, Self, TypedDict

from otel_tool_audit.errors import SettingsError

PREFIX: Final = "OTEL_TOOL_AUDIT_"
_BESIDE: Final = ("index", "jaeger_headers")
"""Variables that readers know and writers do not."""


STATELESS: Final = "none"
"""The stated way to run without a state directory apart from the trail."""

QUEUE: Final = 10_000
"""
Records that may wait for the trail's thread when they were handed over without waiting; more are counted as lost. As many as two seconds of
5,000 calls a second: fewer than spans may wait for their exporter would lose the record of a span that is delivered.
"""

MINIMUM_KEY: Final = 16
"""Shared secrets shorter than this many characters can be tried out one by one, and are refused."""

_TRUE: Final = frozenset({"true", "1", "yes", "on"})
_FALSE: Final = frozenset({"false", "0", "no", "off"})


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be set. Made by :meth:`resolve`; equal settings compare equal."""

    trail: str | None = None
    """The trail directory. ``OTEL_TOOL_AUDIT_TRAIL``."""

    state: str | None = None
    """The state directory, or ``none``; see :func:`state_directory`. ``OTEL_TOOL_AUDIT_STATE``."""

    service_name: str | None = None
    """``service.name`` of records and spans. ``OTEL_TOOL_AUDIT_SERVICE_NAME``, else ``OTEL_SERVICE_NAME``."""

    durability: str = "fsync"
    """``fsync``: acknowledged means on disk; ``os``: survives a crash of the process only. ``OTEL_TOOL_AUDIT_DURABILITY``."""

    on_unavailable: str = "refuse"
    """``refuse``: without a durable record no tool runs; ``allow``: it runs and the loss is told. ``OTEL_TOOL_AUDIT_ON_UNAVAILABLE``."""

    disabled: bool = False
    """Tools run without records; ignored when ``required``. ``OTEL_TOOL_AUDIT_DISABLED``."""

    required: bool = False
    """Nothing may switch recording off. ``OTEL_TOOL_AUDIT_REQUIRED``."""

    propagate_threads: bool = True
    """New threads and executor jobs keep the attribution. ``OTEL_TOOL_AUDIT_PROPAGATE_THREADS``."""

    segment_bytes: int = 64 * 1024 * 1024
    """A segment is sealed when it would grow beyond this many bytes. ``OTEL_TOOL_AUDIT_SEGMENT_BYTES``."""

    segment_seconds: float = 86_400.0
    """A segment is sealed when it is this many seconds old. ``OTEL_TOOL_AUDIT_SEGMENT_SECONDS``."""

    heartbeat_seconds: float = 60.0
    """Seconds between heartbeats, if something happened. ``OTEL_TOOL_AUDIT_HEARTBEAT_SECONDS``."""

    group: str | None = None
    """A group that may read the trail. ``OTEL_TOOL_AUDIT_GROUP``."""

    append_only_flag: bool = False
    """Set the file system's append-only attribute on segments. ``OTEL_TOOL_AUDIT_APPEND_ONLY_FLAG``."""

    subject_is_internal: bool = False
    """Subjects are internal ids, no personal data, and are stored as they are. ``OTEL_TOOL_AUDIT_SUBJECT_IS_INTERNAL``."""

    tenant: str = ""
    """Part of every pseudonym's input. ``OTEL_TOOL_AUDIT_TENANT``."""

    pseudonym_key: str | None = field(default=None, repr=False)
    """The key of pseudonyms and digests; else one from the state directory. ``OTEL_TOOL_AUDIT_PSEUDONYM_KEY``."""

    attribution_key: str | None = field(default=None, repr=False)
    """Shared keys that sign the header between processes, separated by commas; the first signs. ``OTEL_TOOL_AUDIT_ATTRIBUTION_KEY``."""

    result_identifiers: tuple[str, ...] = ()
    """More keys of a result that its summary keeps. ``OTEL_TOOL_AUDIT_RESULT_IDENTIFIERS``."""

    secret_keys: tuple[str, ...] = ()
    """More names of keys whose values are secret. ``OTEL_TOOL_AUDIT_SECRET_KEYS``."""

    keep_keys: tuple[str, ...] = ()
    """Names of keys that are not secret although they look so. ``OTEL_TOOL_AUDIT_KEEP_KEYS``."""

    recognizers: str | tuple[object, ...] | None = None
    """Rules of your own: ``Pattern``, ``Recognizer`` and functions, or a TOML file that names them. ``OTEL_TOOL_AUDIT_RECOGNIZERS`` (the file)."""

    personal_ids: tuple[str, ...] = ()
    """Groups of personal numbers that are hidden under their own names and labels, or ``all``. ``OTEL_TOOL_AUDIT_PERSONAL_IDS``."""

    trusted_baggage: tuple[str, ...] = ()
    """Baggage keys that a trusted upstream sets; all others stay ``claimed``. ``OTEL_TOOL_AUDIT_TRUSTED_BAGGAGE``."""

    openinference: bool = False
    """Add OpenInference's attributes to spans. ``OTEL_TOOL_AUDIT_OPENINFERENCE``."""

    retention: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Retention classes of tools, beside the packaged ones (``tool=class,…``). ``OTEL_TOOL_AUDIT_RETENTION``."""

    queue_size: int = QUEUE
    """Foreign spans that may wait for their record; more are lost, and counted. ``OTEL_TOOL_AUDIT_QUEUE_SIZE``."""

    merge_seconds: float = 2.0
    """Seconds after its end in which a call can still be told of by a span beside its own. ``OTEL_TOOL_AUDIT_MERGE_SECONDS``."""

    flush_on_sigterm: bool = False
    """Shut down in order when SIGTERM comes. ``OTEL_TOOL_AUDIT_FLUSH_ON_SIGTERM``."""

    @classmethod
    def resolve(cls, **arguments: Any) -> Self:  # noqa: ANN401 - as many types as fields; each is checked
        """
        Decide every setting: argument, else variable, else default.

        Args:
            **arguments: Fields by name; None counts as not given.

        Raises:
            SettingsError: There is no such setting, or a value cannot be used.
        """
        known = {f.name: f for f in fields(cls)}
        if unknown := sorted(set(arguments) - set(known)):
            message = f"there is no setting {unknown[0]!r}; {_meant(unknown[0], known, 'is {} meant? ')}settings are: {', '.join(known)}"
            raise SettingsError(message)
        values: dict[str, Any] = {}
        for name, declared in known.items():
            given = arguments.get(name)
            source = f"{name}="
            if given is None:
                source = variable(name)
                given = os.environ.get(source) or None
            if given is None and name == "service_name":
                source = "OTEL_SERVICE_NAME"
                given = os.environ.get(source) or None
            if given is not None:
                values[name] = _READERS[str(declared.type)](given, source)
        settings = cls(**values)
        _check(settings)
        return settings

    @property
    def off(self) -> bool:
        """Whether recording is switched off, and may be."""
        return self.disabled and not self.required


class Arguments(TypedDict, total=False):
    """The fields of :class:`Settings` as arguments of ``configure()``, for type checkers and editors; its ``path`` is the trail."""

    state: str | os.PathLike[str] | None
    service_name: str | None
    durability: Literal["fsync", "os"] | None
    on_unavailable: Literal["refuse", "allow"] | None
    disabled: bool | None
    required: bool | None
    propagate_threads: bool | None
    segment_bytes: int | None
    segment_seconds: float | None
    heartbeat_seconds: float | None
    group: str | None
    append_only_flag: bool | None
    subject_is_internal: bool | None
    tenant: str | None
    pseudonym_key: str | None
    attribution_key: str | None
    result_identifiers: Collection[str] | None
    secret_keys: Collection[str] | None
    keep_keys: Collection[str] | None
    recognizers: Collection[object] | str | os.PathLike[str] | None
    personal_ids: Collection[str] | None
    trusted_baggage: Collection[str] | None
    openinference: bool | None
    retention: Mapping[str, str] | str | None
    queue_size: int | None
    merge_seconds: float | None
    flush_on_sigterm: bool | None


def variable(name: str) -> str:
    """Name the environment variable of a setting."""
    return PREFIX + name.upper()


def is_required(value: str) -> bool:
    """Tell whether a value of ``OTEL_TOOL_AUDIT_REQUIRED`` means yes: before settings can be resolved, what is not clearly a no does."""
    word = value.strip().lower()
    return bool(word) and word not in _FALSE


def slips() -> list[str]:
    """Say which variables of the environment look like settings and are none: a slip in a name must not keep calls off the record unnoticed."""
    known = [variable(name) for name in (*(f.name for f in fields(Settings)), *_BESIDE)]
    wrong = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
    return [f"{name} is no setting and does nothing{_meant(name, known, '; is {} meant?')}" for name in wrong]


def _meant(slip: str, known: Iterable[str], question: str) -> str:
    """Ask whether the name that is nearest to a slip is meant; nothing where none is near."""
    import difflib  # noqa: PLC0415 - only a slip needs it

    return "".join(map(question.format, difflib.get_close_matches(slip, known, 1)))


def state_directory(state: str | os.PathLike[str] | None = None) -> str:
    """
    Tell where writers keep what protects the trail: heads, keys, places.

    Args:
        state: A directory or ``none``; without it the environment decides.

    Returns:
        A path (not necessarily existing), or ``none``.

    Source: FORMAT.md, section 1.
    """
    chosen = os.fspath(state) if state is not None else os.environ.get(variable("state"), "")
    if chosen:
        return chosen if chosen == STATELESS else os.path.expanduser(chosen)
    home = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(home, "otel-tool-audit")


def index_directory(index: str | os.PathLike[str] | None = None) -> str:
    """
    Tell where readers keep copies of sealed segments that are quick to ask.

    Args:
        index: A directory or ``none``; without it ``OTEL_TOOL_AUDIT_INDEX`` decides, else it lies in the user's cache directory.

    Returns:
        A path (not necessarily existing), or ``none``.
    """
    chosen = os.fspath(index) if index is not None else os.environ.get(variable("index"), "")
    if chosen:
        return chosen if chosen == STATELESS else os.path.expanduser(chosen)
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(home, "otel-tool-audit", "index")


# Under their own names here, variables are options of `opentelemetry-instrument` (--tool_audit_trail, …), which looks for them in
# the modules of the entry point `opentelemetry_environment_variables`; keys are none: a command line can be read by everyone.
globals().update({variable(declared.name): variable(declared.name) for declared in fields(Settings) if declared.repr})


def _text(value: object, source: str) -> str:
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str):
        raise _wrong(source, value, "text")
    return value


def _flag(value: object, source: str) -> bool:
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else None
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise _wrong(source, value, "true or false")


def _whole(value: object, source: str) -> int:
    number = _number(value, source)
    if number != int(number):
        raise _wrong(source, value, "a whole number")
    return int(number)


def _number(value: object, source: str) -> float:
    try:
        number = float(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else float("nan")
    except (ValueError, OverflowError):
        number = float("nan")
    if not 0 < number < float("inf"):
        raise _wrong(source, value, "a number above zero")
    return number


def _rules(value: object, source: str) -> str | tuple[object, ...]:
    if isinstance(value, (str, os.PathLike)):
        return os.fspath(value) if isinstance(value, os.PathLike) else value
    if isinstance(value, (list, tuple)):
        return tuple(value)
    raise _wrong(source, value, "a list of Pattern(…), Recognizer(…) and functions, or the path of a TOML file")


def _names(value: object, source: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, (list, tuple, set, frozenset)) and all(isinstance(v, str) for v in value):
        return tuple(sorted(value) if isinstance(value, (set, frozenset)) else value)
    raise _wrong(source, value, "names, separated by commas")


def _pairs(value: object, source: str) -> Mapping[str, str]:
    if isinstance(value, str):
        parts = [part.partition("=") for part in _names(value, source)]
        value = {name.strip(): chosen.strip() for name, _, chosen in parts}
    if not isinstance(value, Mapping) or not all(isinstance(k, str) and k and isinstance(v, str) and v for k, v in value.items()):
        raise _wrong(source, value, "tool=class pairs, separated by commas")
    return MappingProxyType(dict(value))


_READERS: Final[Mapping[str, Callable[[object, str], Any]]] = {
    "str": _text, "str | None": _text, "bool": _flag, "int": _whole, "float": _number, "tuple[str, ...]": _names, "Mapping[str, str]": _pairs, "str | tuple[object, ...] | None": _rules,
}  # fmt: skip


def _check(settings: Settings) -> None:
    for name, allowed in (("durability", ("fsync", "os")), ("on_unavailable", ("refuse", "allow"))):
        chosen = getattr(settings, name)
        if chosen not in allowed:
            raise _wrong(variable(name), chosen, " or ".join(allowed))
    for part in (settings.attribution_key or "").split(","):
        if settings.attribution_key is not None and len(part.strip()) < MINIMUM_KEY:
            # the value is a secret: the message must not show it
            message = f"{variable('attribution_key')} is shorter than {MINIMUM_KEY} characters; use a random one, the same in every process"
            raise SettingsError(message)


def _wrong(source: str, value: object, valid: str) -> SettingsError:
    shown = repr(value) if len(repr(value)) < 80 else type(value).__name__  # noqa: PLR2004 - what fits in a line
    return SettingsError(f"{source} cannot be {shown}: it must be {valid}")
