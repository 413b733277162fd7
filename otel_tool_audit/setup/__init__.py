"""``configure()`` and ``shutdown()``, and what tells whether recording is active."""

from __future__ import annotations

from otel_tool_audit.diagnosis.process import ProcessFinding, diagnose, require_active
from otel_tool_audit.setup.audit import Audit, configure, shutdown

__all__ = ["Audit", "ProcessFinding", "configure", "diagnose", "require_active", "shutdown"]
