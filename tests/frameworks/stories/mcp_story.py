"""MCP: a client in this process, for whose user a server in another process runs the tools."""

from __future__ import annotations

import asyncio
import os
import sys

import common
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from otel_tool_audit.capture.mcp import outgoing

DIRECTORY = common.DIRECTORY
common.DIRECTORY = f"{DIRECTORY}/client"
os.mkdir(common.DIRECTORY)
common.configured()
common.instrument("mcp", "MCPInstrumentor" if common.INSTRUMENTATION == "openinference" else "McpInstrumentor")
server = StdioServerParameters(
    command=sys.executable, args=["-W", "ignore", f"{os.path.dirname(__file__)}/mcp_server.py", DIRECTORY, *sys.argv[2:]], env=dict(os.environ)
)


async def story():
    told = []
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        for _, name, arguments in common.ASKED:
            try:
                result = await session.call_tool(name, arguments, **({"meta": outgoing()} if "meta" in sys.argv else {}))
                told.append(str(result.content[0].text))
            except Exception as error:
                told.append(f"{type(error).__name__}: {error}")
    return " | ".join(told)


common.BROKEN = False
common.run(lambda: asyncio.run(story()))
