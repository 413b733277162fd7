"""Sanitizing: nothing is written or exported before it has been through here."""

from __future__ import annotations

from otel_tool_audit.keys.pseudonyms import Keyring
from otel_tool_audit.redaction.redacted_values import RedactedValues, TraceValues
from otel_tool_audit.redaction.sanitizer import Sanitizer, out_of_attributes
from otel_tool_audit.redaction.values import MARK, Redaction, Sanitized, ToolRules

__all__ = ["MARK", "Keyring", "RedactedValues", "Redaction", "Sanitized", "Sanitizer", "ToolRules", "TraceValues", "out_of_attributes"]
