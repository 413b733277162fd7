"""``configure()`` and ``shutdown()``, and what joins all parts behind them."""

from __future__ import annotations

from otel_tool_audit.setup.audit import Audit, configure, shutdown

__all__ = ["Audit", "configure", "shutdown"]
