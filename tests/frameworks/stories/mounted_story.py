"""FastMCP: a server mounted in another one, both audited; and a client's adapter around the same server."""

from __future__ import annotations

import asyncio

import common
from fastmcp import Client, FastMCP

import otel_tool_audit as audit
from otel_tool_audit.capture.block import adapted_call
from otel_tool_audit.capture.mcp import audit_server

common.configured()
shop = FastMCP("shop")


def stock(sku: str) -> dict[str, str]:
    """Look."""
    common.ran.append(f"stock {sku}")
    if sku == "bad":
        raise ValueError("no such item")
    return {"item_id": sku}


shop.tool(audit.tool(stock) if "decorated" in __import__("sys").argv else stock)
main = FastMCP("main")
main.mount(shop)
audit_server(shop)
audit_server(main)


async def story() -> str:
    async with Client(main) as client:
        await client.call_tool("stock", {"sku": "A1"})
        # as a framework's adapter does it, around the same call
        async with adapted_call("client", "stock", {"sku": "A2"}, "call_2", {}) as call:
            call.result((await client.call_tool("stock", {"sku": "A2"})).data)
        try:
            async with adapted_call("client", "stock", {"sku": "bad"}, "call_3", {}):
                await client.call_tool("stock", {"sku": "bad"})
        except Exception as error:
            return type(error).__name__
    return "nothing raised"


common.run(lambda: asyncio.run(story()))
