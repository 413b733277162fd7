"""
The Model Context Protocol's spans: of its SDKs, of servers, and by OpenTelemetry's conventions.

``mcp.session.id`` is the transport's, not the conversation's, and is left out on purpose.

Source: OpenTelemetry semantic conventions 1.38, "Semantic conventions for Model Context Protocol"; MCP 2025-11-25, "tools/call".
"""

from __future__ import annotations

from typing import Final

from otel_tool_audit.recognise import convention as c

MCP: Final = c.Convention(
    "mcp",
    {
        c.KIND: ("mcp.method.name", "mcp.method", "rpc.method", "fastmcp.component.type"),
        c.NAME: ("mcp.tool.name", "mcp.request.tool.name"),
        c.CALL_ID: ("mcp.tool.call.id",),
        c.ARGUMENTS: ("mcp.tool.arguments", "mcp.tool.args", "mcp.tool.input", "mcp.request.params.arguments"),
        c.INPUT: ("mcp.request.params", "mcp.request.value", "mcp.request.argument", "request"),
        c.RESULT: ("mcp.tool.result", "mcp.tool.output", "mcp.tool.response"),
        c.OUTPUT: ("mcp.response.value", "mcp.response", "response"),
        c.FAILED: ("mcp.tool.result.is_error", "mcp.tool.is_error", "mcp.response.is_error", "mcp.tool.error"),
    },
)
