"""
A stream of records becomes a stream of calls, in the order in which they started. Pure.

Source: FORMAT.md, section 4.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import Any, Final, Protocol

from otel_tool_audit.format.events import AMENDED
from otel_tool_audit.review.calls.fold import Folding

_WINDOW: Final = 10_000


class Record(Protocol):
    """A record, or what was kept of one."""

    def get(self, name: str, /) -> Any:  # noqa: ANN401 - a value of a record
        """Give a field; None when it is not there."""


class Amendments:
    """
    What was learned later: which ids name one call, and how many amendments each call still awaits.

    Attributes:
        names: Of each joined id, the one that the call goes by.
        awaited: How many amendments a call has.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        """
        Look at all amendments.

        Args:
            records: Ordered by time; other events among them do not matter.
        """
        above: dict[str, str] = {}
        named: dict[str, str] = {}
        counted: dict[str, int] = {}

        def root(i: str) -> str:
            while (up := above[i]) != i:
                above[i] = i = above[up]
            return i

        for record in records:
            if record.get("event") != AMENDED:
                continue
            ids = ids_of(record)
            roots = {root(i) for i in ids if i in above}
            joined = min((named[i] for i in roots), default=str(record.get("call_id")))
            # of several groups the largest stays: so no id moves more often than groups double
            top = max(roots, key=lambda i: counted[i], default=joined)
            above.update(dict.fromkeys(roots | (ids - above.keys()) | {top}, top))
            counted[top] = sum(counted.pop(i) for i in roots) + 1
            named[top] = joined
        self.names: dict[str, str] = {i: named[root(i)] for i in above}
        self.awaited: dict[str, int] = {named[i]: number for i, number in counted.items()}

    def complete(self, folding: Folding) -> bool:
        """Tell whether all is known of a call that will ever be."""
        return folding.ended and folding.amendments >= self.awaited.get(folding.call_id, 0)


def foldings(records: Iterable[dict[str, Any]], amendments: Amendments) -> Iterator[Folding]:
    """
    Fold records; hold a call back until every call that started before it has ended, within a window of 10,000 calls.

    Args:
        records: Ordered by time, ``chain`` added.
        amendments: Those among them.
    """
    waiting: dict[str, Folding] = {}
    late: dict[str, Folding] = {}
    for record in records:
        own = record.get("call_id")
        if not isinstance(own, str):
            continue
        call_id = amendments.names.get(own, own)
        folding = waiting.get(call_id) or late.get(call_id)
        if folding is None:
            folding = waiting[call_id] = Folding(call_id)
        folding.add(record)
        if call_id in late and amendments.complete(folding):
            yield late.pop(call_id)
        while waiting:
            first = next(iter(waiting))
            if amendments.complete(waiting[first]):
                yield waiting.pop(first)
            elif len(waiting) > _WINDOW:
                late[first] = waiting.pop(first)
            else:
                break
    yield from heapq.merge(late.values(), waiting.values(), key=lambda folding: folding.timestamp)


def ids_of(record: Record) -> set[str]:
    """Give all ids by which a record names its call."""
    joins = record.get("joins")
    return {i for i in (record.get("call_id"), *(joins if isinstance(joins, list) else ())) if isinstance(i, str)}
