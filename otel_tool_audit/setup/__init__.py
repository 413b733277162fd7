"""``configure()`` and ``shutdown()``, and what tells whether recording is active."""

from __future__ import annotations

from otel_tool_audit.setup.audit import Audit, configure, shutdown
from otel_tool_audit.setup.diagnosis import Finding, diagnose, require_active

__all__ = ["Audit", "Finding", "configure", "diagnose", "require_active", "shutdown"]
