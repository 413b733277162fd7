"""What a new trail's document says."""

from __future__ import annotations

import orjson

from otel_tool_audit.format.document import TrailDocument, parse_document
from otel_tool_audit.format.names import FORMAT
from otel_tool_audit.policy.retention import as_document


def new_document(trail_id: str, created: str) -> TrailDocument:
    """Make the document of a new trail."""
    content = {"format": FORMAT, "trail_id": trail_id, "created": created, "retention_classes": as_document(), "public_keys": []}
    return parse_document(orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n", "trail.json")
