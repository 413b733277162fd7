"""
What an index keeps of a segment: of each call that begins and ends in it what is asked for most, and where its lines stand.

Most calls are two lines of one segment, or one. Such a *whole* call is one row: its fields as :mod:`~otel_tool_audit.review.calls.fold` folds them.
All other lines of calls (ends and starts without each other, what was learned later, what is not shaped as usual) are *loose*: only where
they stand is kept, and whoever asks reads and folds them. Many lines are taken in at once, column by column; where one of them
is unusual, call by call. Pure.

Source: FORMAT.md, sections 2 and 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, repeat
from operator import contains, itemgetter
from typing import Any, Final, NamedTuple

import orjson

from otel_tool_audit.format.events import FINISHED, OBSERVED, STARTED
from otel_tool_audit.format.nesting import MAX_NESTING
from otel_tool_audit.record.model import INTERRUPTED, OUTCOMES, UNKNOWN
from otel_tool_audit.review.calls.fold import ERROR, SUCCESS
from otel_tool_audit.review.index.columns import COLUMNS, INTEGER, NUMBER, TEXT, fits
from otel_tool_audit.review.source.segments import parse

KEPT: Final = (
    "timestamp", "conversation_id", "user_id", "user_role", "agent", "model", "tool_name", "trigger", "purpose", "subject", "retention_class",
    "trace_id", "error_type", "duration_ms", "turn_number", "attempt",
)  # fmt: skip
"""Fields that a row keeps as the call has them."""
PLACES: Final = ("first_seq", "first_at", "first_bytes", "last_seq", "last_at", "last_bytes")
"""Where the first and the last line of a call stand in their segment: seq, offset and length in bytes; one line: both are the same."""
ROW: Final = ("call_id", "status", *KEPT, *PLACES)
"""The columns of a row."""
KINDS: Final = {name: COLUMNS.get(name, INTEGER) for name in ROW}
"""Of each column of a row, what :data:`~otel_tool_audit.review.index.columns.COLUMNS` calls its kind."""

_FOLDED: Final = tuple(name for name in KEPT if name != "timestamp")
_READ: Final = ("event", "call_id", "seq", "timestamp", *_FOLDED, "success", "error")
_fields_of = itemgetter(*_READ)
_EVENT, _CALL, _SEQ, _TIME = range(4)
_NAMES: Final = frozenset(_READ)
_OUTCOME: Final = tuple(map(_READ.index, ("success", "error", "error_type", "duration_ms")))
_COUNTED: Final = ("turn_number", "attempt", "first_seq", "last_seq")
"""Integers that somebody else chose."""
_SUCCESS: Final = _READ.index("success")
_STATUS: Final[dict[Any, str]] = {True: SUCCESS, False: ERROR, **{(outcome,): outcome for outcome in OUTCOMES}}
"""By what a line says came of the call: its ``success``, or in its place a tuple (no JSON is one) of its ``outcome``."""
_UNUSUAL: Final = ("joins", "outcome")
"""Fields of few lines; those that have one are looked at each by itself."""
_ALLOWED: Final = {TEXT: frozenset({str, type(None)}), INTEGER: frozenset({int, type(None)}), NUMBER: frozenset({float, type(None)})}
_USUAL: Final = frozenset({(str, int)})
_WITH_LF: Final = (1).__add__
_BATCH: Final = 128
"""Lines that are parsed at once: so many that their values are still in the processor's cache when they are looked at."""


class Loose(NamedTuple):
    """A line of a call that is no part of a row: its offset and length in bytes."""

    at: int
    bytes: int


_Line = tuple[tuple[Any, ...], int, int]
"""A line of a call: the values of :data:`_READ`, its offset and length in bytes."""


class Extraction:
    """
    One segment while its lines come in.

    Attributes:
        columns: The rows: a list of values for each of :data:`ROW`.
        loose: Lines that are no part of a row, starts that still wait for their end not among them.
        events: Lines of the trail's own life.
    """

    def __init__(self) -> None:
        self.columns: tuple[list[Any], ...] = tuple([] for _ in ROW)
        self.loose: list[Loose] = []
        self.events: list[Loose] = []
        self._starts: dict[str, _Line] = {}
        self._known: set[str] = set()

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.columns[0])

    def feed(self, lines: Sequence[bytes], at: int) -> int:
        """
        Take in lines.

        Args:
            lines: Whole, without their LF, in order.
            at: The offset of the first of them, in bytes.

        Returns:
            The offset after the last of them.
        """
        for begin in range(0, len(lines), _BATCH):
            at = self._feed(lines[begin : begin + _BATCH], at)
        return at

    def waiting(self) -> list[Loose]:
        """List the starts whose end has not come in."""
        return [Loose(at, size) for _, at, size in self._starts.values()]

    def _feed(self, lines: Sequence[bytes], at: int) -> int:
        sizes = list(map(len, lines))
        places = list(accumulate(map(_WITH_LF, sizes), initial=at))
        starts, known = self._starts, self._known
        firsts: list[_Line] = []
        lasts: list[_Line] = []
        alone: list[_Line] = []
        for line in zip(self._said(lines, places), places, sizes):  # noqa: B905 - places has the end as well
            said, at, size = line
            if not said:
                continue
            event, call = said[_EVENT], said[_CALL]
            if event == FINISHED and call in starts:
                firsts.append(starts.pop(call))
                lasts.append(line)
            elif event == STARTED and call not in known:
                known.add(call)
                starts[call] = line
            elif event == OBSERVED and call not in known:
                known.add(call)
                alone.append(line)
            else:
                # whoever folds a call that is told of once more must see all its lines
                self.loose.append(Loose(at, size))
        self._take(firsts, lasts)
        self._take(alone, alone)
        return places[-1]

    def _said(self, lines: Sequence[bytes], places: Sequence[int]) -> list[tuple[Any, ...]]:
        """Read what lines say of calls; of a line that is loose, or tells of the trail's own life, nothing."""
        try:
            records = list(map(orjson.loads, lines))
            found = list(map(_fields_of, records))
            # what may be too deep for a record is looked at line by line
            brackets = max(map(bytes.count, lines, repeat(b"{"))) + max(map(bytes.count, lines, repeat(b"[")))
            unusual = brackets > MAX_NESTING or any(any(map(contains, records, repeat(name))) for name in _UNUSUAL)
            if not unusual and _USUAL.issuperset(map(_types, found)):
                return found
        except (ValueError, KeyError, TypeError):
            pass
        return [self._one(line, at) for line, at in zip(lines, places, strict=False)]

    def _one(self, line: bytes, at: int) -> tuple[Any, ...]:
        record = parse(line)
        if record is not None and record.get("call_id", "") is None:
            self.events.append(Loose(at, len(line)))
        elif record is None or "joins" in record or not isinstance(record.get("call_id"), str) or not record.keys() >= _NAMES:
            # a line that is no record is loose as well: whoever reads it counts it
            self.loose.append(Loose(at, len(line)))
        else:
            fields = _fields_of(record)
            outcome, success = record.get("outcome"), record["success"]
            counts = isinstance(outcome, str) and (not isinstance(success, bool) or (outcome == INTERRUPTED and not success))
            return (*fields[:_SUCCESS], (outcome,), *fields[_SUCCESS + 1 :]) if counts else fields
        return ()

    def _take(self, firsts: list[_Line], lasts: list[_Line]) -> None:
        """Make rows of calls, all at once; where one is no row, each by itself."""
        found = _columns(firsts, lasts) if lasts else []
        if found is not None:
            for column, values in zip(self.columns, found, strict=False):
                column.extend(values)
        elif len(lasts) > 1:
            for first, last in zip(firsts, lasts, strict=True):
                self._take([first], [last])
        else:
            self.loose += {Loose(at, size) for _, at, size in (firsts[0], lasts[0])}


def _types(said: tuple[Any, ...]) -> tuple[type, type]:
    return type(said[_CALL]), type(said[_SEQ])


def _columns(firsts: list[_Line], lasts: list[_Line]) -> list[Sequence[Any]] | None:
    """Fold calls, and give the columns of their rows; None when one of them is no row."""
    before: list[Sequence[Any]] = list(zip(*[said for said, _, _ in firsts], strict=True))
    after: list[Sequence[Any]] = list(zip(*[said for said, _, _ in lasts], strict=True))
    alone = firsts[0] is lasts[0]
    if not alone and any(value is not None for at in _OUTCOME for value in before[at]):
        # a start that says what only an end can know
        return None
    fields = dict(zip(_READ, after if alone else map(_folded, before, after), strict=True))
    durations = fields["duration_ms"]
    if int in set(map(type, durations)):
        fields["duration_ms"] = [float(value) if type(value) is int else value for value in durations]
    fields |= {
        "timestamp": before[_TIME], "status": _statuses(fields["success"], fields["error"], fields["error_type"]),
        "first_seq": before[_SEQ], "first_at": [at for _, at, _ in firsts], "first_bytes": [size for _, _, size in firsts],
        "last_seq": after[_SEQ], "last_at": [at for _, at, _ in lasts], "last_bytes": [size for _, _, size in lasts],
    }  # fmt: skip
    fitting = None not in fields["timestamp"] and all(_ALLOWED[kind].issuperset(map(type, fields[name])) for name, kind in KINDS.items())
    return [fields[name] for name in ROW] if fitting and all(_small(fields[name]) for name in _COUNTED) else None


def _folded(before: Sequence[Any], after: Sequence[Any]) -> Sequence[Any]:
    """Fold what first and last lines say in one field, as :class:`~otel_tool_audit.review.calls.fold.Folding` does."""
    if before == after:
        return after
    return [first if last is None or last == UNKNOWN else last for first, last in zip(before, after, strict=True)]


def _statuses(successes: Sequence[Any], errors: Sequence[Any], error_types: Sequence[Any]) -> list[str]:
    if {bool}.issuperset(map(type, successes)):
        return list(map(_STATUS.__getitem__, successes))
    return [
        (_STATUS.get(success) if isinstance(success, (bool, tuple)) else None) or (INTERRUPTED if error is None and error_type is None else ERROR)
        for success, error, error_type in zip(successes, errors, error_types, strict=True)
    ]


def _small(values: Iterable[Any]) -> bool:
    found = set(values) - {None}
    return not found or (fits(min(found), INTEGER) and fits(max(found), INTEGER))
