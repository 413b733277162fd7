"""
``trail.json``: what a trail is. Read by writers and readers, written once, changed only by rule.

Source: FORMAT.md, section 4; PROTOCOL.md, rule 6.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final, NamedTuple

from otel_tool_audit.errors import TrailCorrupt, UnsupportedFormat
from otel_tool_audit.format.names import FORMAT, valid_trail_id
from otel_tool_audit.format.nesting import read_json

LARGEST: Final = 1 << 20


class TrailDocument(NamedTuple):
    """
    The content of ``trail.json``.

    Attributes:
        trail_id: 32 hex digits.
        text: The file's text, byte for byte.
        sha256: Its digest, 64 hex digits.
        content: Its JSON object.
    """

    trail_id: str
    text: str
    sha256: str
    content: dict[str, Any]


def parse_document(data: bytes, path: str) -> TrailDocument:
    """
    Read a ``trail.json``.

    Args:
        data: The file's bytes.
        path: Where it lies, for the message.

    Raises:
        TrailCorrupt: It is none.
        UnsupportedFormat: It is of a newer format.
    """
    try:
        text = data.decode("utf-8")
        content = read_json(data)
        newer = isinstance(content["format"], int) and content["format"] > FORMAT
        valid = isinstance(content["format"], int) and content["format"] >= 1 and valid_trail_id(content["trail_id"])
    except (ValueError, KeyError, TypeError) as error:
        raise TrailCorrupt(f"{path} cannot be read as the document of a trail ({error}): not a trail, or damaged") from error
    if newer:
        raise UnsupportedFormat(f"{path} is of format {content['format']}, this version knows up to {FORMAT}: use a newer otel-tool-audit")
    if not valid:
        raise TrailCorrupt(f"{path} names no valid format and trail id: not a trail, or damaged")
    return TrailDocument(content["trail_id"], text, hashlib.sha256(data).hexdigest(), content)
