"""
What is compared: one line of the trail, and one span of the backend, as far as they tell of each other. Pure.

Source: FORMAT.md, section 4; ``semconv`` for the attributes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from otel_tool_audit import semconv

WANTED: Final = frozenset({semconv.RECORD_ID, semconv.STREAM, semconv.SEQUENCE, semconv.HASH, semconv.OPERATION})
"""The attributes that a source has to read of a span; all others are skipped."""

_ID: Final = re.compile(r"[0-9a-f]{32}").fullmatch
_HASH: Final = re.compile(r"[0-9a-f]{64}").fullmatch


class Recorded(NamedTuple):
    """
    A record of a call, as the trail has it.

    Attributes:
        call: The call's id, 16 bytes.
        chain: Where it stands.
        seq: Its position there.
        hash: Of its bytes as they are now, 32 bytes; not what the line claims.
        ended: Whether it tells how the call ended.
        at: When, in nanoseconds since the Unix epoch.
        traced: Whether there was a span.
        sampled: False when that span was not sampled, so that nobody exported it.
    """

    call: bytes
    chain: str
    seq: int
    hash: bytes
    ended: bool
    at: int
    traced: bool
    sampled: bool


class ExportedSpan(NamedTuple):
    """
    A span that names a record, as the backend has it.

    Attributes:
        call: The id of the call, 16 bytes.
        trail: The trail it names, 32 hex digits; None when it names none.
        chain: Where the record stands, as the span says.
        seq: Its position there, likewise.
        hash: The record's hash, 32 bytes; None: the span itself says that there is no record of how the call ended.
        trace: The trace, 16 bytes.
        span: The span, 8 bytes.
        at: When it started, in nanoseconds since the Unix epoch.
    """

    call: bytes
    trail: str | None
    chain: str | None
    seq: int | None
    hash: bytes | None
    trace: bytes
    span: bytes
    at: int


@dataclass(frozen=True, slots=True)
class Window:
    """
    The time that is looked at.

    Attributes:
        since: Inclusive, in nanoseconds since the Unix epoch.
        until: Exclusive, likewise.
    """

    since: int
    until: int

    def holds(self, at: int) -> bool:
        """Tell whether a moment lies in it."""
        return self.since <= at < self.until


def seen(attributes: Mapping[str, Any], trace: bytes, span: bytes, at: int) -> ExportedSpan | None:
    """
    Read what a span says of its record; None when it names none.

    Args:
        attributes: Those of :data:`WANTED` that it has.
        trace: Its trace's id.
        span: Its id.
        at: When it started, in nanoseconds.
    """
    call, stream = attributes.get(semconv.RECORD_ID), attributes.get(semconv.STREAM)
    if not isinstance(call, str) or not _ID(call):
        return None
    trail, _, chain = stream.partition("/") if isinstance(stream, str) else ("", "", "")
    seq, digest = attributes.get(semconv.SEQUENCE), attributes.get(semconv.HASH)
    return ExportedSpan(
        bytes.fromhex(call), trail or None, chain or None, seq if type(seq) is int and 0 <= seq < 1 << 63 else None,
        bytes.fromhex(digest) if isinstance(digest, str) and _HASH(digest) else None, trace, span, at,
    )  # fmt: skip
