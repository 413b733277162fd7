"""
An async web service: who calls is known from the request, and holds for every tool and task below it.

The identity comes from what the service itself has authenticated, never from a header that a client may write as it likes.
"""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.request
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

import otel_tool_audit as audit

# what a session store or a verified token would tell
SESSIONS = {"Bearer session-anna": ("usr_anna", "customer"), "Bearer session-ben": ("usr_ben", "support_agent")}


class AttributionMiddleware:
    """Attributes everything that a request causes to the user whose session it is."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        session = SESSIONS.get(request.headers.get("authorization", ""))
        if session is None:
            await JSONResponse({"error": "who are you?"}, status_code=401)(scope, receive, send)
            return
        user, role = session
        client = request.client.host if request.client else None
        with audit.attribution(user=user, role=role, client_ip=client, user_agent=request.headers.get("user-agent"), trigger="user_request"):
            await self.app(scope, receive, send)


@audit.tool
async def get_order(order_id: str) -> dict[str, Any]:
    await asyncio.sleep(0.01)
    return {"order_id": order_id, "status": "shipped"}


@audit.tool
async def estimate_delivery(order_id: str) -> dict[str, Any]:
    await asyncio.sleep(0.01)
    return {"order_id": order_id, "count": 2}


async def chat(request: Request) -> JSONResponse:
    asked = await request.json()
    with audit.attribution(model="gpt-4.1", agent="shop", conversation=request.path_params["conversation"], turn=asked["turn"]):
        # tasks keep the attribution that holds where they are made
        order, delivery = await asyncio.gather(get_order(asked["order_id"]), estimate_delivery(asked["order_id"]))
    return JSONResponse({**order, "days": delivery["count"]})


app = Starlette(routes=[Route("/chat/{conversation}", chat, methods=["POST"])], middleware=[Middleware(AttributionMiddleware)])


def ask(port: int, session: str, conversation: str, order_id: str) -> bytes:
    """Be a client."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/chat/{conversation}",
        data=json.dumps({"turn": 1, "order_id": order_id}).encode(),
        headers={"Authorization": session, "User-Agent": "ShopApp/5.2"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - our own address
        answer: bytes = response.read()
        return answer


async def serve_and_ask() -> None:
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        # two users at the same time, in one process
        print(await asyncio.gather(
            asyncio.to_thread(ask, port, "Bearer session-anna", "conv_anna", "ORD-1"),
            asyncio.to_thread(ask, port, "Bearer session-ben", "conv_ben", "ORD-2"),
        ))  # fmt: skip
    finally:
        server.should_exit = True
        await serving


def main(trail: str) -> None:
    with audit.configure(trail, service_name="shop"):
        asyncio.run(serve_and_ask())
    reader = audit.TrailReader(trail)
    for conversation in ("conv_anna", "conv_ben"):
        print(reader.timeline(conversation))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "./audit")
