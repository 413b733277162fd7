"""Sanitizing: nothing is written or exported before it has been through here."""

from __future__ import annotations

from otel_tool_audit.sanitize.keyring import Keyring
from otel_tool_audit.sanitize.sanitizer import Sanitizer
from otel_tool_audit.sanitize.values import MARK, Redaction, Sanitized, ToolRules
from otel_tool_audit.sanitize.withheld import Withheld

__all__ = ["MARK", "Keyring", "Redaction", "Sanitized", "Sanitizer", "ToolRules", "Withheld"]
