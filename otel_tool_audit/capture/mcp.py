"""
MCP: a server whose tools run only when their start is on record, on behalf of whom the client says.

    audit_server(server)                                                     # FastMCP or MCPServer, or the low-level Server
    await session.call_tool("get_order", {"order_id": "ORD-1"}, meta=outgoing())     # a client, with the SDK's version 1

The attribution crosses the process in the request's ``_meta``, beside ``traceparent``, signed with the key that both sides
share (``OTEL_TOOL_AUDIT_ATTRIBUTION_KEY``); without one it is kept as ``claimed``. The SDK's version 2 writes ``_meta`` itself,
and so do instrumentations of version 1: a client needs ``outgoing()`` only without either.

Source: mcp 1.30 and 2.3, fastmcp 4.1; MCP specification, "_meta"; SEP-414 (trace context in ``_meta``).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

from opentelemetry import context as otel
from opentelemetry import propagate

from otel_tool_audit.capture.adapting import About, Who, attributed, parsed
from otel_tool_audit.capture.block import adapted_call
from otel_tool_audit.capture.far import FarCall, far_call
from otel_tool_audit.errors import AuditUnavailable, SettingsError
from otel_tool_audit.propagation.header import AttributionHeader, keys_in
from otel_tool_audit.recognise.results import NOT_SAID
from otel_tool_audit.recording import Failed, Raised, Returned, bound

Server = TypeVar("Server")
Handler = Callable[[Any], Awaitable[Any]]

_CALL: Final = "tools/call"
_ADAPTER: Final = "mcp"
_log = logging.getLogger("otel_tool_audit")


def outgoing(meta: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """
    Write the ``_meta`` of a request: where the trace is, and on whose behalf this process asks.

    Args:
        meta: What else stands in it.
    """
    carrier = dict(meta or {})
    propagate.inject(carrier)
    return carrier


def audit_server(server: Server, *, who: Who | None = None, about: About | None = None) -> Server:
    """
    Put a server's tool calls through the gate; after its tools, or before: both work.

    Args:
        server: ``FastMCP`` of the package fastmcp or of the SDK's version 1, ``MCPServer`` of version 2, or a low-level ``Server``.
        who: Tells from the parameters of a request (``name``, ``arguments``, ``_meta``) who calls. What it says beats what the client said.
        about: What there is to say about tools, by name.

    Returns:
        The same server. Without a durable record its client gets an error, and the tool does not run.

    Raises:
        SettingsError: It is no such server, or a low-level one that has no handler for tool calls yet.
    """
    gate = _Gate(who, about or {})
    low: Any = getattr(server, "_lowlevel_server", None) or getattr(server, "_mcp_server", None) or server
    if isinstance(getattr(low, "middleware", None), list):
        low.middleware.append(gate.middleware)
        return server
    handlers: dict[Any, Handler] = getattr(low, "request_handlers", {})
    request = next((kind for kind in handlers if getattr(kind, "__name__", "") == "CallToolRequest"), None)
    if request is None:
        message = f"{server!r} has no handler for tool calls: hand an MCP server to audit_server(), a low-level one after its @server.call_tool()"
        raise SettingsError(message)
    handlers[request] = gate.handler(handlers[request])
    return server


class _Gate:
    """One server's gate."""

    def __init__(self, who: Who | None, about: About) -> None:
        self._who = who
        self._about = about

    async def middleware(self, context: Any, call_next: Handler) -> Any:  # noqa: ANN401 - the SDK's own
        """Stand in the SDK's version 2, which hands parameters on as they came."""
        if context.method != _CALL:
            return await call_next(context)
        return await self._run(context.params or {}, lambda: call_next(context))

    def handler(self, inner: Handler) -> Handler:
        """Stand in the SDK's version 1, before the handler that was registered."""

        async def handle(request: Any) -> Any:  # noqa: ANN401 - the SDK's own
            return await self._run(request.params.model_dump(by_alias=True, exclude_none=True), lambda: inner(request))

        return handle

    async def _run(self, params: Mapping[str, Any], proceed: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401 - the SDK's own
        name, arguments = str(params.get("name")), params.get("arguments") or {}
        token = otel.attach(_received(params.get("_meta")))
        try:
            with attributed({}, self._who, params):
                far = far_call(name, arguments, _ADAPTER)
                if far is not None:
                    return await _within(far, proceed)
                async with adapted_call(_ADAPTER, name, arguments, None, self._about.get(name, {})) as call:
                    result = await proceed()
                    told = _told(result)
                    if isinstance(told, Failed):
                        call.fail(*told)
                    else:
                        call.result(told.result)
            return result
        except AuditUnavailable as error:
            # a client is told that, and not where this server keeps its trail
            _log.error("%s", error)
            message = f"{name}: its call cannot be recorded, so it is not run; the server's log says why"
            raise AuditUnavailable(message) from None
        finally:
            otel.detach(token)


def _received(meta: object) -> otel.Context:
    """Read the attribution, and nothing else: where the trace is, the SDK or its instrumentation has read."""
    if not isinstance(meta, Mapping):
        return otel.get_current()
    binding = bound()
    said = binding.recorder.settings.attribution_key if binding is not None else None
    return AttributionHeader(keys_in(said), unsigned=False).extract(meta)


async def _within(far: FarCall, proceed: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401 - the SDK's own
    """Run the tool as the call that a client's adapter in this process has on record."""
    far.enter()
    try:
        result = await proceed()
    except BaseException as error:
        far.finish(Raised(error))
        raise
    far.finish(_told(result))
    return result


def _told(result: Any) -> Failed | Returned:  # noqa: ANN401 - a result, as a model or as it goes over the wire
    """Tell what came of it: a result that tells of an error is one."""
    told = getattr(result, "root", result)
    told = told if isinstance(told, Mapping) else told.model_dump(by_alias=True, exclude_none=True)
    text = next((block.get("text") for block in told.get("content") or () if block.get("type") == "text"), None)
    if told.get("isError") is True:
        return Failed(text or NOT_SAID)
    structured = told.get("structuredContent")
    return Returned(parsed(text) if structured is None else structured)
