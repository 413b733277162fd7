"""
Reading a line as strictly as it was written: what a lenient parser would pass over is found, and what says that it stands elsewhere.

Source: FORMAT.md, sections 2 and 4; RFC 8259, section 4 (names within an object SHOULD be unique), RFC 7493 (I-JSON).
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, NamedTuple

import orjson

from otel_tool_audit.format.events import AMENDED, CALL_EVENTS, EVENTS, SEGMENT_OPENED
from otel_tool_audit.format.names import TRAIL_CHAIN
from otel_tool_audit.format.nesting import MAX_NESTING, is_too_deep
from otel_tool_audit.record.model import DENIED, OPTIONAL, PAUSED, ToolCall

LARGEST_INTEGER: Final = 2**53 - 1
_FRONT: Final = ("seq", "previous_hash", "event", "call_id", "salt", "writer", "service", "timestamp")
_CALL: Final = (*_FRONT, *(name for name in ToolCall.__annotations__ if name not in {"call_id", "timestamp", *OPTIONAL}))
_CALL_LINE: Final = (*_CALL, "hash")
_TRAIL: Final = (*_FRONT, "details")
_ID: Final = re.compile(r"[0-9a-f]{32}").fullmatch
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z").fullmatch
_CALLS: Final = frozenset(CALL_EVENTS)
_NAME: Final = re.compile(r"[a-z_.]+").fullmatch
# what is read by its place in the line is written without escapes and spaces
_AS_WRITTEN: Final = re.compile(
    rb'\{"seq":\d+,"previous_hash":"[0-9a-f]{64}","event":"[a-z_.]*","call_id":(?:null|"[0-9a-f]{32}"),"salt":"[0-9a-f]{32}","writer":"[0-9a-f]{32}"'
).match
_OPENINGS: Final = frozenset(event.name for event in EVENTS.values() if event.opens)
_PIECE: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}:,]|[^\s"\[\]{}:,]+', re.DOTALL)
_INTEGER: Final = re.compile(r"-?[0-9]+")
_FRACTION: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_NO_NUMBERS: Final = frozenset({"NaN", "Infinity", "-Infinity"})


class Place(NamedTuple):
    """
    Where a line lies.

    Attributes:
        chain: The chain.
        openings: The events that open a segment and may stand here.
        attempt: That of the segment whose first line it is; None for every other line.
    """

    chain: str
    openings: frozenset[str] = frozenset()
    attempt: int | None = None

    @classmethod
    def first(cls, chain: str, attempt: int) -> Place:
        """Give the place of a segment's first line."""
        return cls(chain, _OPENINGS, attempt)

    def behind(self, *, opening: bool) -> Place:
        """
        Give the place of the line behind the one that stands here.

        Args:
            opening: Whether that one opens the segment. Older versions left a second ``trail.segment_opened`` behind it (FORMAT.md, section 3).
        """
        return Place(self.chain, self.openings & {SEGMENT_OPENED} if opening else frozenset())


def flaw_of(line: bytes, place: Place) -> str | None:
    """
    Tell what is wrong with the content of a line, or None.

    Args:
        line: Without its LF; its hash holds.
        place: Where it lies.
    """
    if is_too_deep(line):
        return f"it is nested too deep: more than {MAX_NESTING} levels"
    try:
        record = orjson.loads(line)
        # written again it is the same bytes only if no key stood twice and every number, string and escape was as records have them
        if orjson.dumps(record, option=orjson.OPT_STRICT_INTEGER) == line:
            return _shape(record) or _misplaced(record, place)
    except (ValueError, TypeError):
        pass
    try:
        return _flaw_in(line.decode("utf-8")) or _flaw_of_form(line, place)
    except UnicodeDecodeError as error:
        return f"it is not UTF-8 (byte {error.start})"
    except ValueError as error:
        return f"it is not JSON ({error})"


def _flaw_of_form(line: bytes, place: Place) -> str | None:
    """Check a line that records would not be written as, and that says nothing which no record may hold."""
    record = orjson.loads(line)
    unwritten = None if _AS_WRITTEN(line) else "its event, call_id, salt or writer is not written as records have it: without escapes and spaces"
    return _shape(record) or unwritten or _misplaced(record, place)


def _flaw_in(text: str) -> str | None:
    """Read piece by piece, with a list of what is open instead of Python's stack, and tell of the first that no record may hold."""
    objects: list[set[str]] = []
    string = ""
    for found in _PIECE.finditer(text):
        piece, flaw = found[0], None
        if piece[0] == '"':
            string = json.loads(piece)
            flaw = "a string holds a lone surrogate" if _SURROGATE.search(string) else None
        elif piece in "{[":
            objects.append(set())
        elif piece in "}]":
            del objects[-1:]
        elif piece == ":":
            flaw = _flaw_of_name(string, objects)
        elif piece != ",":
            flaw = _flaw_of_number(piece)
        if flaw is not None:
            return flaw
    return None


def _flaw_of_name(name: str, objects: list[set[str]]) -> str | None:
    if not objects:
        return None
    if name in objects[-1]:
        return f"the key {name[:60]!r} stands twice"
    objects[-1].add(name)
    return None


def _flaw_of_number(piece: str) -> str | None:
    if piece in _NO_NUMBERS:
        return f"{piece} is no number that a record may hold"
    if _INTEGER.fullmatch(piece):
        if len(piece) > len(str(-LARGEST_INTEGER)) or abs(int(piece)) > LARGEST_INTEGER:
            return f"the integer {piece[:30]} is beyond 2^53-1"
    elif _FRACTION.fullmatch(piece) and math.isinf(float(piece)):
        return f"the number {piece[:30]} is not finite"
    return None


def _shape(record: object) -> str | None:  # noqa: PLR0911 - one return for each flaw
    """Check the fields that every record has; keys and events that this version does not know are kept."""
    if not isinstance(record, dict):
        return "it is no object"
    keys = tuple(record)
    is_call = record.get("event") in _CALLS
    if not (is_call and keys == _CALL_LINE):
        wanted = _CALL if is_call else _TRAIL if record.get("call_id") is None else _FRONT
        if keys[: len(_FRONT)] != _FRONT:
            return f"its first fields are not {', '.join(_FRONT)}"
        absent = [name for name in wanted if name not in record]
        if absent:
            return f"the field {absent[0]} is absent"
        if keys[-1] != "hash":
            return "its last field is not hash"
    if not (type(record["salt"]) is str and _ID(record["salt"]) and type(record["writer"]) is str and _ID(record["writer"])):
        return "salt and writer are not 32 hex digits each"
    if type(record["timestamp"]) is not str or not _MOMENT(record["timestamp"]):
        return "its timestamp is not of the form 2026-03-01T12:00:00.000000Z"
    if is_call:
        return _call_shape(record)
    if record["call_id"] is None and not isinstance(record["details"], dict):
        return "its details are no object"
    return None


def _call_shape(record: dict[str, Any]) -> str | None:
    if not isinstance(record["call_id"], str) or not _ID(record["call_id"]):
        return "its call_id is not 32 hex digits"
    if not isinstance(record["tool_name"], str):
        return "its tool_name is no string"
    if record["success"] is not None and type(record["success"]) is not bool:
        return "success is neither true, false nor null"
    if record["success"] is not None and record.get("outcome") in (PAUSED, DENIED):
        return f"a call that is {record['outcome']} has a success that is not null"
    if record["event"] == AMENDED and not isinstance(record.get("joins", []), list | dict):
        return "joins is no list"
    return None


def _misplaced(record: dict[str, Any], place: Place) -> str | None:
    """Hold what a record says of where it stands against where it lies, and the keys of its details against its event."""
    event, of_call = record["event"], record["call_id"] is not None
    if not _NAME(event):
        return f"its event is {event[:60]!r}, and names of events are made of the letters a to z, _ and ."
    if event.startswith("trail." if of_call else "tool_call."):
        return f"{event} has {'a' if of_call else 'no'} call_id"
    return _misplaced_call(record, place.chain) if of_call else _misplaced_event(record, place)


def _misplaced_call(record: dict[str, Any], chain: str) -> str | None:
    if chain == TRAIL_CHAIN:
        return f"{record['event']} is of a call, and no call stands in the chain of the trail's own life"
    if record.get("retention_class", chain) != chain:
        return f"its retention_class is {str(record['retention_class'])[:63]!r}, and it stands in chain {chain}"
    return None


def _misplaced_event(record: dict[str, Any], place: Place) -> str | None:
    event = EVENTS.get(record["event"])
    if event is None:
        return None
    details = record["details"]
    absent = [key for key in event.details if key not in details]
    if absent:
        return f"the details of {event.name} have no {absent[0]}"
    if event.chain == TRAIL_CHAIN != place.chain:
        return f"{event.name} stands in chain {TRAIL_CHAIN}, and in no other"
    if event.opens and event.name not in place.openings:
        return f"{event.name} is the first line of a segment, and stands nowhere else"
    void = details.get("void_attempts")
    if event.name == SEGMENT_OPENED and place.attempt is not None and (type(void) is not int or void != place.attempt):
        return f"its void_attempts are {str(void)[:20]}, and it opens attempt {place.attempt} of its segment"
    return None
