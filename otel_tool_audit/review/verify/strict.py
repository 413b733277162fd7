"""
Reading a line as strictly as it was written: what a lenient parser would pass over is found.

Source: FORMAT.md, sections 2 and 4; RFC 8259, section 4 (names within an object SHOULD be unique), RFC 7493 (I-JSON).
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

import orjson

from otel_tool_audit.format.events import AMENDED, CALL_EVENTS
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
_PIECE: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}:,]|[^\s"\[\]{}:,]+', re.DOTALL)
_INTEGER: Final = re.compile(r"-?[0-9]+")
_FRACTION: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_NO_NUMBERS: Final = frozenset({"NaN", "Infinity", "-Infinity"})


def flaw_of(line: bytes) -> str | None:
    """
    Tell what is wrong with the content of a line, or None.

    Args:
        line: Without its LF; its hash holds.
    """
    if is_too_deep(line):
        return f"it is nested too deep: more than {MAX_NESTING} levels"
    try:
        record = orjson.loads(line)
        # written again it is the same bytes only if no key stood twice and every number, string and escape was as records have them
        if orjson.dumps(record, option=orjson.OPT_STRICT_INTEGER) == line:
            return _shape(record)
    except (ValueError, TypeError):
        pass
    try:
        return _flaw_in(line.decode("utf-8")) or _shape(orjson.loads(line))
    except UnicodeDecodeError as error:
        return f"it is not UTF-8 (byte {error.start})"
    except ValueError as error:
        return f"it is not JSON ({error})"


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
