"""A call becomes a span and records: ``@tool``, ``tool_call()``, ``execute_tool()``, and the gate behind them."""

from __future__ import annotations

from otel_tool_audit.capture.block import execute_tool, tool_call
from otel_tool_audit.capture.declared import retention_for
from otel_tool_audit.capture.decorator import tool

__all__ = ["execute_tool", "retention_for", "tool", "tool_call"]
