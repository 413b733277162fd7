"""Span in; record out where nobody else wrote it; stamped and sanitized copy forwarded."""

from __future__ import annotations

from otel_tool_audit.processor.neighbours import exporting_neighbours, exports, processors
from otel_tool_audit.processor.processor import AuditSpanProcessor
from otel_tool_audit.processor.sampler import RecordAll, follows_callers, records_all

__all__ = ["AuditSpanProcessor", "RecordAll", "exporting_neighbours", "exports", "follows_callers", "processors", "records_all"]
