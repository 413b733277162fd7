"""
From a record's values to the bytes that are hashed, as far as they do not depend on the record's place.

``seq`` and ``previous_hash`` are known only under the chain's lock, so the codec makes everything after them
(the *tail*), and :func:`body` joins the two under the lock.

Source: FORMAT.md, sections 2 and 4.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from otel_tool_audit.errors import AuditError
from otel_tool_audit.format.line import MAX_BODY
from otel_tool_audit.format.nesting import is_too_deep
from otel_tool_audit.record.jsonsafe import json_safe
from otel_tool_audit.record.model import ToolCall

_PREFIX_ROOM: Final = len('{"seq":18446744073709551615,"previous_hash":"",') + 64
MAX_TAIL: Final = MAX_BODY - _PREFIX_ROOM
"""The largest tail, in bytes: what is left of a body when the longest ``seq`` has been written."""

_CUTTABLE: Final = ("arguments", "result_summary", "session_metadata", "claimed", "error", "redactions", "joins", "details", "waits_for", "denial")
_CALL_ID_END: Final = len('{"call_id":"') + 32 + len('",')
_JSON_OPTIONS: Final = orjson.OPT_STRICT_INTEGER
_NS: Final = 1_000_000_000

Digest = Callable[[bytes], "str | None"]
"""A keyed digest of bytes, or None where there is no key."""


def timestamp(nanoseconds: int) -> str:
    """
    Write a moment as RFC 3339 in UTC with microseconds.

    Args:
        nanoseconds: Since the Unix epoch.

    Source: RFC 3339, section 5.6.
    """
    seconds, rest = divmod(nanoseconds, _NS)
    t = time.gmtime(seconds)
    return f"{t[0]:04d}-{t[1]:02d}-{t[2]:02d}T{t[3]:02d}:{t[4]:02d}:{t[5]:02d}.{rest // 1000:06d}Z"


def cut(encoded: bytes, digest: Digest) -> dict[str, Any]:
    """Make what stands in a record for a value too large to keep: its size in bytes and a keyed digest."""
    return {"_cut": True, "_size": len(encoded), "_digest": digest(encoded)}


def call_tail(event: str, call: ToolCall, *, salt: str, writer: str, service: bytes, digest: Digest) -> bytes:
    """
    Encode an event of a call: everything after ``previous_hash``.

    Args:
        event: One of ``CALL_EVENTS``.
        call: Sanitized, JSON-safe values.
        salt: 32 hex digits, fresh for each record.
        writer: 32 hex digits.
        service: The service's name as JSON (``b'"name"'`` or ``b"null"``).
        digest: Makes the keyed digest of what has to be cut.

    Returns:
        At most ``MAX_TAIL`` bytes; the largest fields are cut until it fits.

    Source: FORMAT.md, section 4.
    """
    encoded = _encode(call)
    if len(encoded) > MAX_TAIL - 512:
        encoded = _encode(_fit(call, digest))
    head = f'"event":"{event}","call_id":"{call["call_id"]}","salt":"{salt}","writer":"{writer}","service":'
    return b"%b%b,%b" % (head.encode(), service, encoded[_CALL_ID_END:])


def trail_tail(event: str, when: str, details: Mapping[str, Any], *, salt: str, writer: str, service: bytes, digest: Digest) -> bytes:
    """
    Encode an event of the trail's own life: everything after ``previous_hash``.

    Args:
        event: An event whose ``call_id`` is null.
        when: Timestamp (see :func:`timestamp`).
        details: JSON-safe values.
        salt: 32 hex digits.
        writer: 32 hex digits.
        service: The service's name as JSON.
        digest: Makes the keyed digest of what has to be cut.

    Source: FORMAT.md, section 4.
    """
    encoded = _encode({"details": details})
    if len(encoded) > MAX_TAIL - 512:
        encoded = _encode(_fit({"details": details}, digest))
    head = f'"event":"{event}","call_id":null,"salt":"{salt}","writer":"{writer}","service":'
    return head.encode() + service + f',"timestamp":"{when}",'.encode() + encoded[1:]


def _encode(value: Mapping[str, Any]) -> bytes:
    try:
        encoded = orjson.dumps(value, option=_JSON_OPTIONS)
    except TypeError:
        encoded = b""
    if not encoded or is_too_deep(encoded):
        # a caller handed in what the sanitizer never lets through; marked text is better than a lost record
        encoded = orjson.dumps(json_safe(dict(value)), option=_JSON_OPTIONS)
    return encoded


def _fit(record: Mapping[str, Any], digest: Digest) -> Mapping[str, Any]:
    """Cut the largest fields, one by one, until the record fits in a line."""
    fitted = dict(record)
    sizes = {name: _encode({"": value}) for name, value in record.items()}
    room = MAX_TAIL - 512
    total = sum(len(e) + len(n) for n, e in sizes.items())
    for name in sorted(sizes, key=lambda n: len(sizes[n]), reverse=True):
        if total <= room:
            break
        replacement: Any = cut(sizes[name][4:-1], digest)
        if name not in _CUTTABLE:
            # an identifier stays text: its beginning, and how long it was
            value = record[name]
            if not isinstance(value, str):
                continue
            replacement = f"{value[:200]}… <{len(value)} characters>"
        elif name == "redactions":
            replacement = [{"path": "", "rule": "cut", "count": len(record[name])}]
        fitted[name] = replacement
        total -= len(sizes[name]) - len(_encode({"": replacement}))
    if total > room:
        message = f"a record of {total} bytes cannot be cut to {MAX_BODY}; the largest field is {max(sizes, key=lambda n: len(sizes[n]))!r}"
        raise AuditError(message)
    return fitted
