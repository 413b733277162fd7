"""FastMCP, the package: a client and a server in one process, which both make spans."""

from __future__ import annotations

import asyncio

import common
from fastmcp import Client, FastMCP

common.configured()
server = FastMCP("shop")
server.tool(common.get_order)
server.tool(common.cancel_order)
if common.GATE:
    from otel_tool_audit.capture.mcp import audit_server

    audit_server(server)


async def story() -> str:
    told = []
    async with Client(server) as client:
        for _, name, arguments in common.ASKED:
            try:
                told.append(str((await client.call_tool(name, arguments)).data))
            except Exception as error:
                told.append(f"{type(error).__name__}: {error}")
    return " | ".join(told)


common.run(lambda: asyncio.run(story()))
