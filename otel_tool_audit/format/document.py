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
        version, trail_id = content["format"], content["trail_id"]
    except (ValueError, KeyError, TypeError) as error:
        raise TrailCorrupt(f"{path} is not the document of a trail ({type(error).__name__}: {error}); this is no trail, or it was damaged") from error
    if isinstance(version, int) and version > FORMAT:
        raise UnsupportedFormat(f"{path} is of format {version}; this version reads up to {FORMAT}: use a newer otel-tool-audit")
    # not isinstance(): true is no format
    if type(version) is not int or version < 1 or not isinstance(trail_id, str) or not valid_trail_id(trail_id):
        raise TrailCorrupt(f"{path} names no valid format and trail id; this is no trail, or it was damaged")
    return TrailDocument(trail_id, text, hashlib.sha256(data).hexdigest(), content)
