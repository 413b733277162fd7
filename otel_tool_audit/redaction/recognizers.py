"""
The user's own rules: patterns, functions, other engines. Each tells where in a text something stands, and what is to become of it.

A recognizer that raises, or takes too long, fails closed: the text it was looking at is hidden whole. It is named once in the log, and
asked again for the next text.

Source: ARCHITECTURE.md, R31; google-re2 (linear time) where it is installed.
"""

from __future__ import annotations

import importlib
import logging
import os
import queue
import re
import threading
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from otel_tool_audit.errors import SettingsError
from otel_tool_audit.extras import optional
from otel_tool_audit.redaction.spans import Span

_log = logging.getLogger("otel_tool_audit")

Action = Literal["redact", "pseudonym", "keep"]
"""What becomes of what is found: the mark; a pseudonym; it stays, whatever other rules say of its look."""

Find = Callable[[str], Iterable[tuple[int, int]]]
"""Tells where in a text something stands: start and end, in characters."""

ACTIONS: Final = ("redact", "pseudonym", "keep")
PATIENCE: Final = 0.25
"""Seconds that a function may look at one text."""

_MOST_STUCK: Final = 4
"""Functions that may hang at a time; while as many do, texts are hidden without asking."""

_WINDOW, _OVERLAP = 1_024, 256
_REPEATS: Final = frozenset({"MAX_REPEAT", "MIN_REPEAT"})
_UNBOUNDED: Final = 64


class RecognizerFailed(Exception):
    """A recognizer could not be asked: its name, and why."""

    def __init__(self, name: str, why: str) -> None:
        """Say which one, and why; never what it was looking at."""
        super().__init__(f"{name} {why}")
        self.name = name


@dataclass(frozen=True)
class Recognizer:
    """
    A function that finds what patterns cannot.

    Attributes:
        name: What ``redactions`` calls it.
        find: Tells where in a text something stands. It runs in a thread of its own, for at most 0.25 seconds a text.
        action: What becomes of what it finds.
        kind: The kind of the pseudonym (``subject``, ``email``, …); else the name.
    """

    name: str
    find: Find = field(repr=False)
    action: Action = "redact"
    kind: str | None = None

    def __post_init__(self) -> None:
        """
        Check.

        Raises:
            SettingsError: The name is empty, or the action unknown.
        """
        if not self.name or self.action not in ACTIONS:
            message = f"recognizer {self.name!r} with action={self.action!r} cannot be used: it needs a name, and an action of: {', '.join(ACTIONS)}"
            raise SettingsError(message)

    def spans(self, text: str) -> list[Span]:
        """
        Ask for one text.

        Raises:
            RecognizerFailed: It raised, took too long, or gave what are no places in the text.
        """
        try:
            found = [(start, end, self.name) for start, end in self._found(text)]
        except RecognizerFailed:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a user's function raises
            # its message may hold the text
            raise RecognizerFailed(self.name, f"raised {type(error).__name__}") from None
        for start, end, _ in found:
            if not (type(start) is int and type(end) is int and 0 <= start < end <= len(text)):
                raise RecognizerFailed(self.name, f"gave ({start!r}, {end!r}), which is no place in a text of {len(text)} characters")
        return found

    def _found(self, text: str) -> Iterable[tuple[int, int]]:
        return _workers.ask(self.name, self.find, text)


@dataclass(frozen=True, init=False)
class Pattern(Recognizer):
    """
    A regular expression; what it matches is found, or its first group where it has one.

    With google-re2 installed it runs in linear time. Without it, a match is at most 256 characters long, and an expression that
    could take exponential time is refused.

    Attributes:
        regex: In the syntax of ``re``; of RE2, where that is installed and takes it.
    """

    regex: str = ""

    def __init__(self, name: str, regex: str, *, action: Action = "redact", kind: str | None = None) -> None:
        """
        Compile.

        Args:
            name: What ``redactions`` calls it.
            regex: In the syntax of ``re``.
            action: What becomes of what it matches.
            kind: The kind of the pseudonym; else the name.

        Raises:
            SettingsError: It is no regular expression, matches nothing at all, or could take exponential time.
        """
        for attribute, value in (("name", name), ("regex", regex), ("action", action), ("kind", kind), ("find", _compiled(name, regex))):
            object.__setattr__(self, attribute, value)
        self.__post_init__()

    def _found(self, text: str) -> Iterable[tuple[int, int]]:
        return self.find(text)


def as_recognizers(given: object) -> tuple[Recognizer, ...]:
    """
    Read what a user gives as recognizers.

    Args:
        given: The path of a TOML file, or recognizers and functions; a function is known by its name.

    Raises:
        SettingsError: It cannot be read.
    """
    if given is None:
        return ()
    if isinstance(given, (str, os.PathLike)):
        return read_recognizers(given)
    if not isinstance(given, Iterable):
        raise SettingsError(
            f"recognizers cannot be {type(given).__name__}: they must be a list of Pattern(…), Recognizer(…) and functions, or a TOML file"
        )
    return tuple(map(_as_recognizer, given))


def _as_recognizer(given: object) -> Recognizer:
    if isinstance(given, Recognizer):
        return given
    if callable(given):
        return Recognizer(getattr(given, "__name__", type(given).__name__), given)
    raise SettingsError(
        f"a recognizer cannot be {type(given).__name__}: it must be a Pattern(…), a Recognizer(…), or a function from a text to places in it"
    )


def read_recognizers(path: str | os.PathLike[str]) -> tuple[Recognizer, ...]:
    """
    Read recognizers from a TOML file: tables ``[[pattern]]`` with ``name`` and ``regex``, and ``[[function]]`` with ``use = "module:name"``.

    Both may have ``action`` and ``kind``, and ``examples`` that must be found: they are tried when the file is read.

    Args:
        path: The file.

    Raises:
        SettingsError: It cannot be read, or says what cannot be.
    """
    where = os.fspath(path)
    try:
        with open(where, "rb") as file:
            told = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"the recognizers' file {where} cannot be read: {error}") from error
    if unknown := sorted(told.keys() - {"pattern", "function"}):
        raise SettingsError(f"{where} has {unknown[0]!r}, which is no table of recognizers; they stand in [[pattern]] and [[function]]")
    return tuple(_read(where, table, entry) for table in ("pattern", "function") for entry in told.get(table, ()))


def _read(where: str, table: str, entry: dict[str, Any]) -> Recognizer:
    known = {"name", "regex" if table == "pattern" else "use", "action", "kind", "examples"}
    if unknown := sorted(entry.keys() - known):
        raise SettingsError(f"{where}: a [[{table}]] has no {unknown[0]!r}; it has: {', '.join(sorted(known))}")
    said: dict[str, Any] = {key: value for key, value in entry.items() if key in ("action", "kind")}
    try:
        if table == "pattern":
            made: Recognizer = Pattern(entry["name"], entry["regex"], **said)
        else:
            module, _, attribute = entry["use"].partition(":")
            found = getattr(importlib.import_module(module), attribute)
            made = Recognizer(entry.get("name", attribute), found.find if isinstance(found, Recognizer) else found, **said)
    except (KeyError, ImportError, AttributeError, TypeError) as error:
        raise SettingsError(f"{where}: a [[{table}]] cannot be used ({type(error).__name__}: {error})") from error
    for example in entry.get("examples", ()):
        if not made.spans(example):
            raise SettingsError(f"{where}: {made.name} does not find its own example {example!r}")
    return made


def failed(error: RecognizerFailed) -> None:
    """Tell of a recognizer that failed, once each."""
    if error.name not in _told:
        _told.add(error.name)
        _log.warning("the recognizer %s: what it was looking at is hidden whole, and it is asked again for the next text (told once)", error)


_told: Final[set[str]] = set()


def _compiled(name: str, regex: str) -> Find:
    try:
        plain = re.compile(regex)
    except (re.error, TypeError) as error:
        raise SettingsError(f"the pattern {name!r} is no regular expression: {error}") from error
    if plain.fullmatch(""):
        raise SettingsError(f"the pattern {name!r} matches nothing at all, and would stand everywhere")
    group = 1 if plain.groups else 0
    linear = _by_re2(regex)
    if linear is not None:
        return lambda text: [match.span(group) for match in linear.finditer(text) if match.span(group)[0] < match.span(group)[1]]
    if _risky(importlib.import_module("re._parser").parse(regex), 0) > _MOST_REPEATS:
        raise SettingsError(f"the pattern {name!r} could take exponential time: bound its repeats ({{1,40}} instead of +), or install google-re2")
    return lambda text: sorted(set(_in_windows(plain, group, text)))


_MOST_REPEATS: Final = 2


def _by_re2(regex: str) -> Any:  # noqa: ANN401 - an engine's own pattern
    try:
        engine = importlib.import_module("re2")
        return engine.compile(regex)
    except Exception:  # noqa: BLE001 - not installed, or an expression that RE2 does not have
        return None


def _risky(tree: Any, inside: int) -> int:  # noqa: ANN401 - the parser's own
    """Count unbounded repeats; one inside another counts as many."""
    found = 0
    for operator, argument in tree:
        kind = str(operator)
        if kind in _REPEATS:
            unbounded = int(argument[1]) > _UNBOUNDED
            found += (_MOST_REPEATS + 1 if inside else 1) if unbounded else 0
            found += _risky(argument[2], inside + (int(argument[1]) > 1))
        elif kind == "BRANCH":
            found += sum(_risky(branch, inside) for branch in argument[1])
        elif kind in {"SUBPATTERN", "ASSERT", "ASSERT_NOT", "ATOMIC_GROUP", "POSSESSIVE_REPEAT"}:
            found += _risky(argument[-1] if isinstance(argument, tuple) else argument, inside)
    return found


def _in_windows(pattern: re.Pattern[str], group: int, text: str) -> Iterator[tuple[int, int]]:
    for begin in range(0, max(1, len(text) - _OVERLAP), _WINDOW - _OVERLAP):
        for match in pattern.finditer(text, begin, begin + _WINDOW):
            if match.start(group) < match.end(group):
                yield match.span(group)


class _Workers:
    """Threads that ask functions, so that one that hangs holds nobody up."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._idle: list[queue.SimpleQueue[Any]] = []
        self._stuck = 0

    def ask(self, name: str, find: Find, text: str) -> Sequence[tuple[int, int]]:
        """
        Ask one function.

        Raises:
            RecognizerFailed: It takes too long.
            Exception: What it raised.
        """
        if self._pid != os.getpid():
            # in a fork's child no thread of the parent's runs
            self._begin()
        if self._stuck >= _MOST_STUCK:
            raise RecognizerFailed(name, f"was not asked, for {self._stuck} calls of recognizers hang")
        try:
            worker = self._idle.pop()
        except IndexError:
            worker = queue.SimpleQueue()
            threading.Thread(target=_work, args=(worker,), name="tool-audit-recognizer", daemon=True).start()
        answer: queue.SimpleQueue[Any] = queue.SimpleQueue()
        worker.put((find, text, answer))
        try:
            found, error = answer.get(timeout=PATIENCE)
        except queue.Empty:
            self._stuck += 1
            worker.put((self._back, worker, None))
            raise RecognizerFailed(name, f"took more than {PATIENCE} seconds") from None
        self._idle.append(worker)
        if error is not None:
            raise error
        places: Sequence[tuple[int, int]] = found
        return places

    def _back(self, worker: queue.SimpleQueue[Any]) -> None:
        """A function that hung has come back after all."""
        self._stuck -= 1
        self._idle.append(worker)


def _work(tasks: queue.SimpleQueue[Any]) -> None:
    while True:
        find, given, answer = tasks.get()
        told: tuple[list[tuple[int, int]] | None, Exception | None]
        try:
            found = find(given)
            told = (None if answer is None else list(found), None)
        except Exception as error:  # noqa: BLE001 - handed over to whoever asked
            told = (None, error)
        if answer is not None:
            answer.put(told)


_workers: Final = _Workers()


def betterleaks() -> Recognizer:
    """
    Ask Betterleaks, an engine with several hundred rules of its own: the extra ``[secrets]``.

    Raises:
        SettingsError: It is not installed.
    """
    scan = optional("betterleaks", "Betterleaks is not installed: pip install 'otel-tool-audit[secrets]'").scan_string

    # its rules are read now: the first text shall not wait for them
    scan("")

    def find(text: str) -> Iterator[tuple[int, int]]:
        for value in {finding.match.value for finding in scan(text)}:
            at = text.find(value) if value else -1
            while at >= 0:
                yield at, at + len(value)
                at = text.find(value, at + len(value))

    return Recognizer("betterleaks", find)
