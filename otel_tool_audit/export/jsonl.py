"""One JSON object a line, a call each, with everything the reader knows of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from otel_tool_audit.export.files import Stored
from otel_tool_audit.format.nesting import read_json
from otel_tool_audit.review.calls.fold import Call


def encode(calls: Iterable[Mapping[str, Any]]) -> bytes:
    """Write calls, a line each."""
    return b"".join([orjson.dumps(call, default=str, option=orjson.OPT_APPEND_NEWLINE) for call in calls])


def decode(path: str) -> Iterator[Stored]:
    """Read the rows of a file."""
    with open(path, "rb") as lines:
        for line in lines:
            fields = read_json(line)
            yield Stored(fields, fields["seq"], fields["records"])


def row(call: Call) -> dict[str, Any]:
    """Give what :func:`decode` reads of a call."""
    fields: dict[str, Any] = read_json(encode([call]))
    return fields
