"""
Evidence of every tool call of an AI agent: an OpenTelemetry span, and records in a trail that can be verified.

The names here are the public ones and nothing else; each is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from otel_tool_audit.access.reader import TrailReader
    from otel_tool_audit.capture import execute_tool, retention_for, tool, tool_call
    from otel_tool_audit.diagnosis.process import require_active
    from otel_tool_audit.errors import AuditError, AuditUnavailable, SettingsError, TrailCorrupt, TrailTampered, UnsupportedFormat
    from otel_tool_audit.processor import AuditSpanProcessor
    from otel_tool_audit.propagation.context import attribution, carry
    from otel_tool_audit.record.model import SCHEMA_VERSION
    from otel_tool_audit.recording import sanitize
    from otel_tool_audit.redaction.recognizers import Pattern, Recognizer
    from otel_tool_audit.review.verify.verifier import verify
    from otel_tool_audit.setup import Audit, configure, shutdown
    from otel_tool_audit.trail.trail import Trail

__all__ = [
    "SCHEMA_VERSION", "Audit", "AuditError", "AuditSpanProcessor", "AuditUnavailable", "Pattern", "Recognizer", "SettingsError", "Trail", "TrailCorrupt", "TrailReader",
    "TrailTampered", "UnsupportedFormat", "attribution", "carry", "configure", "execute_tool", "require_active", "retention_for", "sanitize",
    "shutdown", "tool", "tool_call", "verify",
]  # fmt: skip

__version__ = "0.1.0"

_HOMES: Final = {
    "SCHEMA_VERSION": "record.model", "Audit": "setup", "AuditError": "errors", "AuditSpanProcessor": "processor", "AuditUnavailable": "errors",
    "Pattern": "redaction.recognizers", "Recognizer": "redaction.recognizers",
    "SettingsError": "errors", "Trail": "trail.trail", "TrailCorrupt": "errors", "TrailReader": "access.reader", "TrailTampered": "errors",
    "UnsupportedFormat": "errors", "attribution": "propagation.context", "carry": "propagation.context", "configure": "setup",
    "execute_tool": "capture", "require_active": "diagnosis.process", "retention_for": "capture", "sanitize": "recording", "shutdown": "setup",
    "tool": "capture", "tool_call": "capture", "verify": "review.verify.verifier",
}  # fmt: skip


def __getattr__(name: str) -> Any:  # noqa: ANN401 - as many types as public names
    home = _HOMES.get(name)
    if home is None:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
