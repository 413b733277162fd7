"""One JSON object a line, a call each, with everything the reader knows of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

NAME: Final = "calls.jsonl"


def header() -> bytes:
    """Nothing stands before the first line."""
    return b""


def encode(calls: Iterable[Mapping[str, Any]]) -> bytes:
    """Write calls, a line each."""
    return b"".join([orjson.dumps(call, default=str, option=orjson.OPT_APPEND_NEWLINE) for call in calls])
