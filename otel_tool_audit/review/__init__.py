"""
Reading and checking a trail: records, calls, timelines, and whether all of it is what its writers left.

Nothing in here writes a byte of a trail, takes a lock, or shares code with the writer beyond the arithmetic of the format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otel_tool_audit.review.findings import Finding, Verification
    from otel_tool_audit.review.reader import TrailReader
    from otel_tool_audit.review.timeline import one_line
    from otel_tool_audit.review.verify import verify

__all__ = ["Finding", "TrailReader", "Verification", "one_line", "verify"]

_HOMES = {
    "Finding": "findings",
    "TrailReader": "reader",
    "Verification": "findings",
    "one_line": "timeline",
    "verify": "verify",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562
    """Import a name when it is first used: the checking processes need only one small module of this room."""
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
