"""
What was taken out of a call's arguments, to be found again where the tool repeats it: in its error, or its result.

A tool that says ``no patient 4711`` tells what its argument no longer shows. What is withheld is known by its value then, whatever
it looks like. It is held in memory while the call runs, and nowhere else.

Source: ARCHITECTURE.md, R3 and R17.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote, quote_plus

from otel_tool_audit.redaction.objects import as_fields, as_text
from otel_tool_audit.redaction.randomness import is_placeholder
from otel_tool_audit.redaction.values import MARK, Redaction

_MOST: Final = 64
"""Values that are remembered of one call; their number is that of its arguments, rarely more."""

_LONGEST: Final = 4_096
_SHORTEST_SECRET: Final = 4
"""Secrets shorter than this many characters stand in too many words to be looked for in prose."""

_SHORTEST_IN_VALUES: Final = 3
"""An id of one or two digits is looked for in messages, and not among all numbers that other arguments hold."""

_DEEPEST: Final = 8

Instead = tuple[str, str]
"""What stands in a value's place, and why."""

_UNSPELT: Final[Instead] = (MARK, "argument")


class RedactedValues:
    """The values that one call may not show."""

    __slots__ = ("_finders", "_known")

    def __init__(self) -> None:
        """Nothing is withheld yet."""
        self._known: dict[str, Instead] = {}
        self._finders: dict[int, tuple[re.Pattern[str] | None, dict[str, Instead]]] = {}

    def __bool__(self) -> bool:
        """Whether anything is."""
        return bool(self._known)

    def add(self, value: object, shown: str, rule: str) -> None:
        """
        Remember a value that was taken out, or each value in it.

        Args:
            value: Raw.
            shown: What stands in its place.
            rule: Why.
        """
        for text in _leaves(value, 0):
            if len(self._known) >= _MOST:
                return
            if text and len(text) <= _LONGEST and (shown != MARK or (len(text) >= _SHORTEST_SECRET and not is_placeholder(text))):
                self._known.setdefault(text, (shown, rule))
                self._finders.clear()

    def out_of(self, text: str, path: str, shortest: int = 1) -> tuple[str, tuple[Redaction, ...]]:
        """
        Take out of a text what is withheld, as it is, quoted, escaped or in a URL, in whatever case.

        Args:
            text: Raw.
            path: Where it stands, for the redactions.
            shortest: Characters of the shortest value that is looked for.
        """
        if not self._known:
            return text, ()
        pattern, spelt = self._finders.get(shortest) or self._finders.setdefault(shortest, self._finder(shortest))
        if pattern is None:
            return text, ()
        counts: dict[str, int] = {}

        def shown(found: re.Match[str]) -> str:
            instead, rule = spelt.get(found.group().casefold(), _UNSPELT)
            counts[rule] = counts.get(rule, 0) + 1
            return instead

        clean = pattern.sub(shown, text)
        return clean, tuple(Redaction(path, rule, count) for rule, count in counts.items())

    def out_of_value(self, value: Any, path: str) -> tuple[Any, tuple[Redaction, ...]]:  # noqa: ANN401 - any JSON value
        """
        As :meth:`out_of`, of each text in a JSON value, and of numbers that are withheld.

        Args:
            value: Sanitized.
            path: Where it stands, for the redactions.
        """
        if not self._known:
            return value, ()
        removed: list[Redaction] = []
        return self._within(value, path, removed), tuple(removed)

    def _finder(self, shortest: int) -> tuple[re.Pattern[str] | None, dict[str, Instead]]:
        wanted = {value: instead for value, instead in self._known.items() if len(value) >= shortest}
        spelt = {spelling.casefold(): instead for value, instead in wanted.items() for spelling in _spellings(value)}
        longest_first = sorted({spelling for value in wanted for spelling in _spellings(value)}, key=len, reverse=True)
        return (re.compile("|".join(map(_bounded, longest_first)), re.IGNORECASE) if longest_first else None), spelt

    def _within(self, value: Any, path: str, removed: list[Redaction]) -> Any:  # noqa: ANN401 - any JSON value
        if isinstance(value, (str, int)) and not isinstance(value, bool) and str(value) in self._known:
            shown, rule = self._known[str(value)]
            removed.append(Redaction(path, rule, 1))
            return shown
        if isinstance(value, str):
            clean, found = self.out_of(value, path, _SHORTEST_IN_VALUES)
            removed.extend(found)
            return clean
        if isinstance(value, dict):
            return {self._within(key, path, removed): self._within(item, f"{path}.{key}", removed) for key, item in value.items()}
        if isinstance(value, list):
            return [self._within(item, f"{path}[{at}]", removed) for at, item in enumerate(value)]
        return value


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


def _spellings(value: str) -> set[str]:
    """Write a text in the ways in which messages repeat it; escapes of a letter are other ones when it is written large."""
    spelt: set[str] = set()
    for text in {value, value.upper(), value.lower()} if not value.isascii() else {value}:
        escaped = json.dumps(text)[1:-1]
        in_url = text.encode("utf-8", "replace")
        spelt |= {text, escaped, escaped.replace('\\"', '"'), repr(text)[1:-1], quote(in_url, safe=""), quote(in_url), quote_plus(in_url)}
    return spelt


def _bounded(spelling: str) -> str:
    """Match a spelling, but no part of a longer number or word."""
    return _edge(spelling[0], "(?<!{})") + re.escape(spelling) + _edge(spelling[-1], "(?!{})")


def _edge(character: str, look: str) -> str:
    if character.isdigit():
        return look.format("[0-9]")
    return look.format(r"[^\W\d_]") if character.isalpha() else ""
