"""
What was taken out, to be found again wherever it recurs: in the same text, in the same call, in other spans of its trace.

A tool that says ``no patient 4711`` tells what its argument no longer shows. What is taken out is known by its value then, whatever it
looks like where it recurs. One memory has one scope and may stand inside a wider one; each holds so many values, in memory only.

Which values are looked for where they recur:

- in its own text and call: secrets of four characters or more that are no placeholder, on their own or beside punctuation, never as a part of
  a longer word or number; what a pseudonym stands for, whatever its length;
- in other spans of its trace: those of eight characters or more, or six with letters and digits together; what a pseudonym stands for, from four.

Source: ARCHITECTURE.md, R3, R17 and R31.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, quote_plus

from otel_tool_audit.redaction.judging import is_choice, is_placeholder
from otel_tool_audit.redaction.keys import NAME_WORDS
from otel_tool_audit.redaction.objects import as_fields, as_text
from otel_tool_audit.redaction.spans import Span
from otel_tool_audit.redaction.values import MARK, Redaction

MOST_VALUES: Final = 256
"""Values that one memory holds; what comes after is hidden where it stands, and not looked for elsewhere."""

MOST_TRACES: Final = 512
"""Traces whose values are remembered; the one that was used least lately is forgotten first."""

LONGEST_VALUE: Final = 4_096
"""Characters of the longest value that is remembered."""

_SHORTEST_SECRET: Final = 4
_SHORTEST_IN_TRACE: Final = 8
_SHORTEST_TELLING: Final = 6
_SHORTEST_SUBJECT: Final = 4
_SHORTEST_IN_VALUES: Final = 3
"""An id of one or two digits is looked for in messages, and not among all numbers that other arguments hold."""

_DEEPEST: Final = 8

Instead = tuple[str, str]
"""What stands in a value's place, and why."""

Spelt = tuple[dict[str, Instead], tuple[tuple[str, str], ...]]

_UNSPELT: Final[Instead] = (MARK, "argument")


class RedactedValues:
    """The values that one scope may not show."""

    __slots__ = ("_above", "_known", "_shortest", "_spelt", "_version", "_waiting")

    def __init__(self, above: RedactedValues | None = None) -> None:
        """
        Nothing is taken out yet.

        Args:
            above: The memory of the wider scope: its values are looked for, too, and it gets those that are telling enough.
        """
        self._above = above
        self._known: dict[str, Instead] = {}
        self._waiting: list[tuple[str, str, str]] = []
        self._shortest = LONGEST_VALUE
        self._version = 0
        self._spelt: dict[int, tuple[tuple[int, int], Spelt]] = {}

    def __bool__(self) -> bool:
        """Whether anything is."""
        return bool(self._known or self._waiting) or (self._above is not None and bool(self._above))

    @property
    def is_shared(self) -> bool:
        """Whether a wider scope gets what is found."""
        return self._above is not None

    def share(self, above: RedactedValues) -> None:
        """
        Stand inside a wider scope that began later, and hand it what is known.

        Args:
            above: Its memory.
        """
        self._above = above
        for text, shown, rule in (*self._waiting, *((text, *instead) for text, instead in self._known.items())):
            if _tells_elsewhere(text, shown):
                above._add(text, shown, rule)

    def add(self, value: object, shown: str, rule: str) -> None:
        """
        Remember a value that was taken out, or each value in it.

        Args:
            value: Raw.
            shown: What stands in its place.
            rule: Why.
        """
        if type(value) is str:
            self._add(value, shown, rule)
        else:
            for text in _leaves(value, 0):
                self._add(text, shown, rule)

    def out_of(self, text: str, path: str, shortest: int = 1) -> tuple[str, tuple[Redaction, ...]]:
        """
        Take out of a text what may not be shown, as it is, quoted, escaped or in a URL, in whatever case.

        Args:
            text: Raw.
            path: Where it stands, for the redactions.
            shortest: Characters of the shortest value that is looked for.
        """
        here = self._in(text, shortest)
        if not here:
            return text, ()
        spelt = self._spellings(shortest)[0]
        counts: dict[str, int] = {}

        def shown(found: re.Match[str]) -> str:
            instead, rule = spelt.get(found.group().casefold(), _UNSPELT)
            counts[rule] = counts.get(rule, 0) + 1
            return instead

        clean = _finder(here).sub(shown, text)
        return clean, tuple(Redaction(path, rule, count) for rule, count in counts.items())

    def out_of_value(self, value: Any, path: str) -> tuple[Any, tuple[Redaction, ...]]:  # noqa: ANN401 - any JSON value
        """
        As :meth:`out_of`, of each text in a JSON value, and of numbers that may not be shown.

        Args:
            value: Sanitized.
            path: Where it stands, for the redactions.

        Returns:
            The same object when it shows none of them.
        """
        if not self._touches(value):
            return value, ()
        removed: list[Redaction] = []
        return self._within(value, path, removed), tuple(removed)

    def _add(self, text: str, shown: str, rule: str) -> None:
        # most values are never looked for: what they tell is asked when the first text is long enough to hold one
        size = len(text)
        if 0 < size <= LONGEST_VALUE and len(self._waiting) < MOST_VALUES:
            self._waiting.append((text, shown, rule))
            # a part of it may stand alone
            self._shortest = min(self._shortest, _SHORTEST_PART if size > _SHORTEST_PART and _PARTED.search(text) else size)
        if self._above is not None and _tells_elsewhere(text, shown):
            self._above._add(text, shown, rule)  # noqa: SLF001 - of the same kind

    def _settle(self) -> None:
        waiting, self._waiting = self._waiting, []
        for text, shown, rule in waiting:
            for value in parts(text) if shown == MARK else (text,):
                if len(self._known) < MOST_VALUES and value not in self._known and (shown != MARK or is_telling(value)):
                    self._known[value] = (shown, rule)
                    self._version += 1
        if self._above is not None:
            self._above._settle()  # noqa: SLF001 - of the same kind

    def _least(self) -> int:
        return self._shortest if self._above is None else min(self._shortest, self._above._shortest)  # noqa: SLF001 - of the same kind

    def _in(self, text: str, shortest: int) -> tuple[str, ...]:
        """List the values in a text, as it spells them."""
        if len(text) < self._least() or text == MARK:
            return ()
        folded = text.casefold()
        return tuple(spelling for spelling, small in self._spellings(shortest)[1] if small in folded)

    def _instead(self, text: str) -> Instead | None:
        return self._known.get(text) or (None if self._above is None else self._above._instead(text))  # noqa: SLF001 - of the same kind

    def _all(self) -> dict[str, Instead]:
        # a copy: other threads' spans add to a trace's values
        own = self._known.copy()
        return own if self._above is None else {**self._above._all(), **own}  # noqa: SLF001 - of the same kind

    def _spellings(self, shortest: int) -> Spelt:
        """Give what stands in the place of each spelling, in small letters, and the spellings as they are."""
        self._settle()
        version = (self._version, 0 if self._above is None else self._above._version)  # noqa: SLF001 - of the same kind
        known = self._spelt.get(shortest)
        if known is None or known[0] != version:
            wanted = {value: instead for value, instead in self._all().items() if len(value) >= shortest}
            spelt = {spelling: instead for value, instead in wanted.items() for spelling in _spellings(value)}
            pairs = tuple((spelling, spelling.casefold()) for spelling in spelt)
            known = (version, ({small: spelt[spelling] for spelling, small in pairs}, pairs))
            self._spelt[shortest] = known
        return known[1]

    def _touches(self, value: Any) -> bool:  # noqa: ANN401 - any JSON value
        least = self._least()
        if type(value) is dict:
            for key, item in value.items():
                if len(key) >= least and self._in(key, 1):
                    return True
                if (type(item) is not str or len(item) >= least) and self._touches(item):
                    return True
            return False
        if isinstance(value, list | tuple):
            return any(map(self._touches, value))
        if isinstance(value, str):
            return bool(self._in(value, 1))
        return isinstance(value, int) and not isinstance(value, bool) and bool(self._in(str(value), 1))

    def _within(self, value: Any, path: str, removed: list[Redaction]) -> Any:  # noqa: ANN401 - any JSON value
        if isinstance(value, (str, int)) and not isinstance(value, bool) and (instead := self._instead(str(value))) is not None:
            shown, rule = instead
            removed.append(Redaction(path, rule, 1))
            return shown
        if isinstance(value, str):
            clean, found = self.out_of(value, path, _SHORTEST_IN_VALUES)
            removed.extend(found)
            return clean
        if isinstance(value, dict):
            return {
                self._within(key, path, removed): self._within(item, f"{path}.{key}" if path else str(key), removed) for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [self._within(item, f"{path}[{at}]", removed) for at, item in enumerate(value)]
        return value


class TraceValues:
    """The memories of traces, bounded."""

    __slots__ = ("_traces",)

    def __init__(self) -> None:
        """No trace is known yet."""
        # no lock guards this: a fork's child may not inherit a held one; each step is atomic
        self._traces: dict[int, RedactedValues] = {}

    def of(self, trace_id: int) -> RedactedValues:
        """
        Give the memory of a trace.

        Args:
            trace_id: As OpenTelemetry holds it.
        """
        found = self._traces.pop(trace_id, None) or RedactedValues()
        found = self._traces.setdefault(trace_id, found)
        while len(self._traces) > MOST_TRACES:
            try:
                self._traces.pop(next(iter(self._traces)), None)
            except (RuntimeError, StopIteration):
                # another thread adds at this moment, and forgets the oldest itself
                break
        return found


def parts(value: str) -> tuple[str, ...]:
    """Give a value, and those words in it that are telling alone: a key behind its scheme, a line of a private key, one of several cookies."""
    if value.isalnum():
        return (value,)
    words = [word for whole in _BETWEEN.split(value) for word in (whole, whole.partition("=")[2])]
    return (
        value,
        *[word for word in words if len(word) >= _SHORTEST_PART and word != value and any(map(str.isdigit, word)) and any(map(str.isalpha, word))],
    )


_PARTED: Final = re.compile(r"[\s;,&\"'=]")
_BETWEEN: Final = re.compile(r"[\s;,&\"']+")
_SHORTEST_PART: Final = 8
"""Characters of the shortest word inside a value that is looked for alone."""


def recurring(text: str, spans: Iterable[Span], remember: Callable[[str, str, str], None], shown: Callable[[str, str], str]) -> list[Span]:
    """
    Add to the places where rules found something those where the same stands again.

    Args:
        text: Where they were found.
        spans: What rules found.
        remember: Gets each value, what stands in its place, and why.
        shown: Tells what stands in the place of a value that one rule found.
    """
    found = list(spans)
    values: dict[str, str] = {}
    for start, end, rule in found:
        value = text[start:end].strip()
        if rule != NO_VALUE and len(values) < MOST_VALUES and is_telling(value):
            remember(value, shown(value, rule), rule)
            values.update(dict.fromkeys(parts(value[:LONGEST_VALUE]), rule))
    escaped = "%" in text or "\\" in text or "+" in text
    for value, rule in values.items():
        for spelling in _spellings(value) if escaped and not value.isalnum() else (value, *encoded(value)):
            if text.find(spelling) != text.rfind(spelling) or (spelling != value and spelling in text):
                found += ((m.start(), m.end(), rule) for m in re.finditer(_bounded(spelling), text))
    return found


NO_VALUE: Final = "gcp-service-account"
"""The rule whose finds say what a file is, and are no secret themselves."""


def is_telling(text: str) -> bool:
    """Tell whether a value that was taken out is one that may be looked for elsewhere: long enough, no placeholder, no choice."""
    return (
        _SHORTEST_SECRET <= len(text) <= LONGEST_VALUE
        and not is_placeholder(text)
        and not is_choice(text)
        and text.lower() not in NAME_WORDS
        and text not in MARK
    )


def _tells_elsewhere(text: str, shown: str) -> bool:
    size = len(text)
    if shown != MARK:
        return size >= _SHORTEST_SUBJECT
    mixed = any(c.isdigit() for c in text) and any(c.isalpha() for c in text)
    return size >= _SHORTEST_IN_TRACE or (mixed and size >= _SHORTEST_TELLING)


def _leaves(value: object, depth: int) -> Iterator[str]:
    """Give the texts and numbers in a value, as a tool would print them."""
    if isinstance(value, str):
        yield str.__str__(value)
    elif value is None or isinstance(value, bool) or depth > _DEEPEST:
        return
    elif isinstance(value, float):
        yield repr(value)
    elif isinstance(value, (bytes, bytearray)):
        yield bytes(value).decode("utf-8", "replace")
    elif (text := as_text(value)) is not None:
        yield text
    else:
        fields = as_fields(value)
        items = fields.values() if fields is not None else value if isinstance(value, (list, tuple, set, frozenset)) else ()
        for item in items:
            yield from _leaves(item, depth + 1)


@lru_cache(maxsize=1_024)
def _spellings(value: str) -> frozenset[str]:
    """Write a text in the ways in which messages repeat it; escapes of a letter are other ones when it is written large."""
    spelt: set[str] = set()
    for text in {value, value.upper(), value.lower(), value.casefold()} if not value.isascii() else {value}:
        escaped = json.dumps(text)[1:-1]
        in_url = text.encode("utf-8", "replace")
        spelt |= {
            *encoded(text),
            text,
            escaped,
            escaped.replace('\\"', '"'),
            repr(text)[1:-1],
            quote(in_url, safe=""),
            quote(in_url),
            quote_plus(in_url),
        }
    return frozenset(spelt)


@lru_cache(maxsize=1_024)
def encoded(value: str) -> tuple[str, ...]:
    """Write a text in base64, both alphabets, with and without the line's end that a shell puts behind it (RFC 4648, sections 4 and 5)."""
    if len(value) < _SHORTEST_ENCODED:
        return ()
    raw = value.encode("utf-8", "replace")
    written = {b64encode(each).decode().rstrip("=") for each in (raw, raw + b"\n")}
    return tuple(written | {each.translate(_URL_SAFE) for each in written})


_SHORTEST_ENCODED: Final = 6
_URL_SAFE: Final = str.maketrans("+/", "-_")


@lru_cache(maxsize=256)
def _finder(spellings: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(_bounded, sorted(spellings, key=len, reverse=True))), re.IGNORECASE)


def _bounded(spelling: str) -> str:
    """Match a spelling, but no part of a longer number or word."""
    return _edge(spelling[0], "(?<!{})") + re.escape(spelling) + _edge(spelling[-1], "(?!{})")


def _edge(character: str, look: str) -> str:
    if character.isdigit():
        return look.format("[0-9]")
    return look.format(r"[^\W\d_]") if character.isalpha() else ""
