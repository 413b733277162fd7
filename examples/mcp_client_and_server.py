"""
MCP: a client, and a server in another process that records on behalf of the client's user.

The attribution crosses in the request, signed with a key that both share; a client without it could only claim to be someone.
Written for the SDK's version 2, whose client sends it by itself; with version 1, say `meta=outgoing()` in `call_tool()`.
"""

from __future__ import annotations

import asyncio
import os
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.server.mcpserver import MCPServer

import otel_tool_audit as audit
from otel_tool_audit.capture.mcp import audit_server

KEY = "OTEL_TOOL_AUDIT_ATTRIBUTION_KEY"


def get_order(order_id: str) -> dict[str, str]:
    """Look an order up."""
    return {"order_id": order_id, "status": "shipped"}


def serve(trail: str) -> None:
    """Be the server."""
    server = MCPServer("shop", log_level="WARNING")
    server.add_tool(get_order)
    audit_server(server)
    with audit.configure(trail, service_name="shop-tools"):
        server.run()


async def ask(trail: str) -> str:
    """Be the client."""
    server = StdioServerParameters(command=sys.executable, args=[__file__, trail, "serve"], env=dict(os.environ))
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        answer = await session.call_tool("get_order", {"order_id": "ORD-1"})
        return str(answer.content[0].text)


def main(trail: str) -> None:
    os.environ.setdefault(KEY, "in production: a random key from your secret store")
    caller = audit.attribution(user="usr_98765", role="customer", agent="shop", model="stub-model", conversation="conv_abc123")
    with audit.configure(f"{trail}-of-the-client", service_name="shop-agent"), caller:
        print(asyncio.run(ask(trail)))
    for call in audit.TrailReader(trail).calls():
        print(f"{call['tool_name']}: {call['status']}, by {call['user_id']} through {call['agent']}, claimed: {call['claimed']}")


if __name__ == "__main__":
    directory = sys.argv[1] if len(sys.argv) > 1 else "./audit"
    if sys.argv[2:] == ["serve"]:
        serve(directory)
    else:
        main(directory)
