"""
In which order calls are given, and where a page of them ends. Pure.

Whatever is sorted by, calls that are equal in it stand in the order of their first records' addresses: the order is total,
so that the page after a key neither repeats nor leaves out a call.

Source: ARCHITECTURE.md, R13.
"""

from __future__ import annotations

import base64
import heapq
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from otel_tool_audit.errors import SettingsError
from otel_tool_audit.format.nesting import read_json
from otel_tool_audit.review.calls.filters import as_text, check_names
from otel_tool_audit.review.calls.fold import FIELDS, Call

ORDERS: Final = (*FIELDS, "status", "writer", "chain", "seq")
"""What calls can be sorted by."""
BY_TIME: Final = "timestamp"

Key = tuple[int, Any]
"""Of a value: numbers before text before nothing; within its kind as Python compares."""
Place = tuple[Any, str, int]
"""Of a call in an order: the value sorted by, the first record's chain and seq."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order of calls."""

    by: str = BY_TIME
    descending: bool = False
    limit: int | None = None
    """At most so many calls."""
    after: Place | None = None
    """Only what comes after this place."""
    asked: bool = False
    """Whether anybody asked for an order; else calls may come as they stream by."""

    @classmethod
    def of(cls, by: str | None, after: str | None, limit: int | None, *, descending: bool) -> Order:
        """
        Read what was asked for.

        Args:
            by: A field; None is the time of the start.
            after: A key, as :func:`key_of` makes it.
            limit: At most so many calls.
            descending: The largest first.

        Raises:
            SettingsError: There is no such field, *after* is no key, or it belongs to another order.
        """
        name = by or BY_TIME
        check_names([name], ORDERS, "field to sort by")
        if limit is not None and limit < 0:
            raise SettingsError(f"limit={limit} is no number of calls")
        place = None if after is None else _place_of_key(after, name, descending=descending)
        return cls(name, descending, limit, place, asked=bool(by or after or descending))

    def arrange(self, calls: Iterable[Call]) -> list[Call]:
        """Sort calls and cut them to the page; with a limit, no more than it are held at once."""
        rest = calls if self.after is None else (call for call in calls if self.comes_later(call))
        if self.limit is not None:
            return heapq.nsmallest(self.limit, rest, key=self.rank)
        return sorted(rest, key=self.rank)

    def comes_later(self, call: Mapping[str, Any]) -> bool:
        """Tell whether a call comes after the page's key."""
        return self.after is None or self.rank(call) > self._rank(self.after)

    def rank(self, call: Mapping[str, Any]) -> Any:  # noqa: ANN401 - something that compares
        """Give what calls are compared by."""
        return self._rank(place_in(call, self.by))

    def _rank(self, place: Place) -> Any:  # noqa: ANN401 - as rank()
        (kind, value), chain, seq = _key(place[0]), place[1], place[2]
        # nothing comes last either way, and equal calls keep the order of their addresses
        return (kind, _Reversed(value) if self.descending else value, chain, seq) if kind != _NOTHING else (kind, "", chain, seq)

    def key_of(self, call: Mapping[str, Any]) -> str:
        """Give the key after which the next page begins, when this call was the last of a page."""
        return base64.urlsafe_b64encode(json.dumps([self.by, self.descending, *place_in(call, self.by)]).encode()).decode().rstrip("=")


class _Reversed:
    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:  # noqa: ANN401 - something that compares
        self.value = value

    def __lt__(self, other: _Reversed) -> bool:
        return bool(other.value < self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Reversed) and bool(other.value == self.value)

    def __hash__(self) -> int:
        return hash(self.value)


_NUMBER: Final = 0
_TEXT: Final = 1
_NOTHING: Final = 2


def _key(value: object) -> Key:
    if value is None:
        return _NOTHING, ""
    if isinstance(value, (int, float)):
        return _NUMBER, value
    return _TEXT, value if isinstance(value, str) else as_text(value)


def place_in(call: Mapping[str, Any], by: str) -> Place:
    """Give a call's place in an order by that field."""
    first = call["records"][0]
    value = call.get(by)
    if value is not None and not isinstance(value, (str, int, float)):
        value = as_text(value)
    return value, str(first["chain"]), int(first["seq"])


def _place_of_key(key: str, by: str, *, descending: bool) -> Place:
    try:
        name, down, value, chain, seq = read_json(base64.urlsafe_b64decode(key + "=" * (-len(key) % 4)))
        place = (value, str(chain), int(seq))
    except (ValueError, TypeError) as error:
        raise SettingsError(f"after={key!r} is no key of a page; take the one that came with the page before") from error
    if (name, down) != (by, descending) or isinstance(value, (dict, list)):
        raise SettingsError(
            f"after={key!r} belongs to an order by {name}{', descending' if down else ''}; ask for the next page in the order of the one before"
        )
    return place
