"""
What an index keeps of a segment: of each call that begins and ends in it what is asked for most, and where its lines stand.

Most calls are two lines of one segment, and their last line says everything that their first one says. Such a *whole* call is one row. All
other lines of calls (ends and starts without each other, what was learned later, what is not shaped as usual) are *loose*: only where
they stand is kept, and whoever asks reads and folds them as :mod:`~otel_tool_audit.review.fold` does. Pure.

Source: FORMAT.md, sections 2 and 4.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter
from typing import Any, Final, NamedTuple

import orjson

from otel_tool_audit.record.model import FINISHED, OBSERVED, STARTED
from otel_tool_audit.review.columns import COLUMNS, fits
from otel_tool_audit.review.fold import ERROR, INTERRUPTED, SUCCESS

KEPT: Final = (
    "timestamp", "conversation_id", "user_id", "user_role", "agent", "model", "tool_name", "trigger", "purpose", "subject", "retention_class",
    "trace_id", "error_type", "duration_ms", "turn_number", "attempt",
)  # fmt: skip
"""Fields that a row keeps as the call has them."""
PLACES: Final = ("first_seq", "first_at", "first_bytes", "last_seq", "last_at", "last_bytes")
"""Where the first and the last line of a call stand in their segment: seq, offset and length in bytes; one line: both are the same."""
ROW: Final = ("call_id", "status", *KEPT, *PLACES)
"""The columns of a row."""

_STARTED: Final = b'"event":"' + STARTED.encode() + b'","call_id":"'
_FINISHED: Final = b'"event":"' + FINISHED.encode() + b'","call_id":"'
_OBSERVED: Final = b'"event":"' + OBSERVED.encode() + b'","call_id":"'
_NO_CALL: Final = b'"call_id":null,'
_OPEN: Final = b',"result_summary":null,"success":null,"error":null,"error_type":null,"duration_ms":null,'
_ID: Final = 32
_FRONT: Final = 128
_AFTER_SEQ: Final = 64 + len(',"previous_hash":"",')
_HASH: Final = len(',"hash":""}') + 64
_TEXTS: Final = KEPT.index("duration_ms")
_KINDS: Final = tuple(COLUMNS[name] for name in KEPT[_TEXTS:])
_FITTING: Final = frozenset({str, type(None)})
_HEX: Final = frozenset(b"0123456789abcdef")


_VALUES: Final = itemgetter(*KEPT)


class Loose(NamedTuple):
    """A line of a call that is no part of a row: its offset and length in bytes."""

    at: int
    bytes: int


class _Start(NamedTuple):
    at: int
    line: bytes
    body: int


class Extraction:
    """
    One segment while its lines come in.

    Attributes:
        rows: Values in the order of :data:`ROW`.
        loose: Lines that are no part of a row, starts that still wait for their end not among them.
        events: Lines of the trail's own life.
    """

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []
        self.loose: list[Loose] = []
        self.events: list[Loose] = []
        self._starts: dict[bytes, _Start] = {}
        self._whole: set[bytes] = set()

    def feed(self, lines: Iterable[bytes], at: int) -> int:  # noqa: PLR0912 - a call a line would cost more than the line
        """
        Take in lines.

        Args:
            lines: Whole, without their LF, in order.
            at: The offset of the first of them, in bytes.

        Returns:
            The offset after the last of them.
        """
        starts = self._starts
        for line in lines:
            # {"seq":N,"previous_hash":"<64>","event":"…","call_id":"…
            event = line.find(b",", 7, 30) + _AFTER_SEQ
            if line.startswith(_STARTED, event):
                body = event + len(_STARTED)
                call = line[body : body + _ID]
                if call in starts or call in self._whole or not _HEX.issuperset(call):
                    self.loose.append(Loose(at, len(line)))
                else:
                    starts[call] = _Start(at, line, body)
            elif line.startswith(_FINISHED, event):
                body = event + len(_FINISHED)
                start = starts.pop(line[body : body + _ID], None)
                if start is None or not self._pair(start, line, at, body):
                    if start is not None:
                        self.loose.append(Loose(start.at, len(start.line)))
                    self.loose.append(Loose(at, len(line)))
                else:
                    self._whole.add(line[body : body + _ID])
            elif line.startswith(_OBSERVED, event):
                call = line[event + len(_OBSERVED) : event + len(_OBSERVED) + _ID]
                # a call that is told of twice, or is under way, is no row: whoever folds it must see all its lines
                if call in starts or call in self._whole or not _HEX.issuperset(call) or not self._single(line, at):
                    self.loose.append(Loose(at, len(line)))
                else:
                    self._whole.add(call)
            elif _NO_CALL not in line[event : event + _FRONT]:
                self.loose.append(Loose(at, len(line)))
            else:
                self.events.append(Loose(at, len(line)))
            at += len(line) + 1
        return at

    def waiting(self) -> list[Loose]:
        """List the starts whose end has not come in."""
        return [Loose(start.at, len(start.line)) for start in self._starts.values()]

    def _pair(self, start: _Start, line: bytes, at: int, body: int) -> bool:
        """Make a row of a start and its end; False when the end does not say all that the start says."""
        first = start.line
        opened = first.find(_OPEN, start.body)
        begin, end = first.find(b'"conversation_id":', start.body), body + opened - start.body
        here = begin + body - start.body
        # from the conversation to the arguments both say the same, and the start says nothing of what only the end can know
        if opened < 0 or begin < 0 or first[begin:opened] != line[here:end] or not line.startswith(b',"result_summary":', end):
            return False
        record = _record(line)
        seq = _record_seq(first)
        when = first.find(b'"timestamp":"', start.body)
        if record is None or seq is None or when < 0 or "joins" in record:
            return False
        tail = first[opened + len(_OPEN) : -_HASH]
        if not line.endswith(tail, 0, len(line) - _HASH) and not _says_no_more(tail, record):
            return False
        when += len(b'"timestamp":"')
        record["timestamp"] = first[when : first.find(b'"', when)].decode("ascii", "replace")
        return self._row(record, (seq, start.at, len(first), record["seq"], at, len(line)))

    def _single(self, line: bytes, at: int) -> bool:
        record = _record(line)
        if record is None or "joins" in record:
            return False
        place = (record["seq"], at, len(line))
        return self._row(record, (*place, *place))

    def _row(self, record: dict[str, Any], place: tuple[int, ...]) -> bool:
        try:
            values = _VALUES(record)
        except KeyError:
            return False
        if not _fit(values):
            return False
        success = record.get("success")
        if isinstance(success, bool):
            status = SUCCESS if success else ERROR
        elif record.get("error") is not None or record.get("error_type") is not None:
            status = ERROR
        else:
            status = INTERRUPTED
        self.rows.append((record["call_id"], status, *values, *place))
        return True


def _fit(values: tuple[Any, ...]) -> bool:
    """Tell whether every value is of its column's kind."""
    if _FITTING.issuperset(map(type, values[:_TEXTS])):
        return all(value is None or fits(value, kind) for value, kind in zip(values[_TEXTS:], _KINDS, strict=True))
    return False


def _says_no_more(tail: bytes, end: dict[str, Any]) -> bool:
    """Tell whether what a start says after its outcome is known from its end, as far as rows keep it."""
    try:
        said = orjson.loads(b"{" + tail + b"}")
    except ValueError:
        return False
    return all(said.get(name) is None or said.get(name) == end.get(name) for name in ("trace_id", "retention_class"))


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = orjson.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and type(record.get("seq")) is int and isinstance(record.get("call_id"), str) else None


def _record_seq(line: bytes) -> int | None:
    try:
        return int(line[len(b'{"seq":') : line.index(b",")])
    except ValueError:
        return None
