"""The server of the MCP story: in a process of its own, with a trail of its own; of the SDK's version 1 or 2."""

from __future__ import annotations

import os
from pathlib import Path

import common

audited = common.configured()
common.instrument("mcp", "MCPInstrumentor" if common.INSTRUMENTATION == "openinference" else "McpInstrumentor")
try:
    from mcp.server.mcpserver import MCPServer as Server
except ImportError:
    from mcp.server.fastmcp import FastMCP as Server

server = Server("shop")
server.tool()(common.get_order)
server.tool()(common.cancel_order)
if common.GATE:
    from otel_tool_audit.capture.mcp import audit_server

    audit_server(server)
if common.BROKEN:
    common.break_the_trail()
server.run()
audited.shutdown()
Path(common.DIRECTORY, "ran").write_text(" ".join(common.ran), encoding="utf-8")
os._exit(0)
