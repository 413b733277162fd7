"""What the adapters have in common, and those whose framework is at hand; real stories of all of them: tests/frameworks."""

from __future__ import annotations

import asyncio
import contextvars
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_ai import Agent, ModelRetry
from pydantic_ai.models.test import TestModel

import otel_tool_audit as audit
from otel_tool_audit.capture.adapting import attributed, by_name, parsed
from otel_tool_audit.capture.block import adapted_call
from otel_tool_audit.capture.mcp import audit_server, outgoing
from otel_tool_audit.capture.pydantic_ai import AuditCapability
from otel_tool_audit.propagation.header import AttributionHeader
from otel_tool_audit.testing import audit_trail

KEY = "a-key-that-both-sides-share"


@given(st.one_of(st.none(), st.text(), st.binary(), st.integers(), st.dictionaries(st.text(), st.integers())))
def test_texts_are_read_where_they_are_json_and_kept_where_not(value):
    """Nothing that a framework hands over makes reading raise, and arguments always come by name."""
    parsed(value)
    assert all(isinstance(name, str) for name in by_name(value))


def test_arguments_without_names_are_kept_whole():
    """A list is no mapping, an empty text no argument."""
    assert {"arguments": [1, 2]} == by_name("[1, 2]")
    assert {} == by_name("") == by_name(None)
    assert {"a": 1} == by_name('{"a": 1}') == by_name({"a": 1})
    assert "{broken" == parsed("{broken")
    assert {"order": 10**20 + 1} == by_name(f'{{"order": {10**20 + 1}}}')


def support(**settings):
    agent = Agent(TestModel(), name="support", deps_type=str, capabilities=[AuditCapability(**settings)])
    tries = []

    @agent.tool_plain(retries=2)
    def open_chart(patient_id: str) -> dict[str, str]:
        tries.append(patient_id)
        if len(tries) == 1:
            message = "again"
            raise ModelRetry(message)
        return {"record_id": "REC-7"}

    return agent


def test_a_pydantic_ai_run_says_who_calls_and_tools_what_there_is_to_say(trail):
    """`who` reads the run's own dependencies, `about` makes a subject a pseudonym; a second try knows the first."""
    agent = support(
        who=lambda ctx: {"user": ctx.deps, "role": "physician", "conversation": "conv_1"},
        about={"open_chart": {"subject": "patient_id", "purpose": "treatment", "retention": "healthcare"}},
    )
    asyncio.run(agent.run("open it", deps="dr_meyer"))
    first, second = trail.calls()
    assert {("dr_meyer", "physician", "support", "test")} == {(c["user_id"], c["user_role"], c["agent"], c["model"]) for c in (first, second)}
    assert [("error", "ToolRetryError"), ("success", None)] == [(c["status"], c["error_type"]) for c in (first, second)]
    assert ("healthcare", "treatment") == (second["chain"], second["purpose"])
    assert second["subject"] == second["arguments"]["patient_id"]
    assert second["subject"] not in (None, "", "a")
    assert ("retry", 2, first["call_id"]) == (second["trigger"], second["attempt"], second["retry_of"])


def test_what_the_application_says_beats_what_the_framework_knows(trail):
    """A framework's name for an agent holds only where nobody said another; `who` beats both."""
    with audit.attribution(user="usr_1", agent="outer", model="gpt-4.1"):
        asyncio.run(support(who=lambda _: {"model": "from who"}).run("open it", deps=""))
    call = trail.calls()[-1]
    assert ("usr_1", "outer", "from who") == (call["user_id"], call["agent"], call["model"])


def nested(outer, inner):
    with attributed(outer, None, None), audit.tool_call("ask", {}), attributed(inner, None, None), audit.tool_call("look", {}):
        pass


def test_a_sub_agents_calls_are_its_own(trail):
    """What an adapter said further out is of the agent that called this one, and so is its being a retry; the conversation goes on."""
    nested(
        {"agent": "main", "model": "m-main", "conversation": "conv_1", "attempt": 2, "trigger": "retry"},
        {"agent": "expert", "model": "m-sub", "conversation": "01a223f4-8183-7537-b251-eb26be3abbee"},
    )
    ask, look = trail.calls()
    assert ("main", "m-main", 2, "retry") == tuple(ask[name] for name in ("agent", "model", "attempt", "trigger"))
    assert ("expert", "m-sub", None, None) == tuple(look[name] for name in ("agent", "model", "attempt", "trigger"))
    assert {"conv_1"} == {ask["conversation_id"], look["conversation_id"]}


def test_a_sub_agent_without_a_name_does_not_get_the_outer_ones(trail):
    """No name is better than another agent's; an adapter that knows of no agents says nothing of them."""
    nested({"agent": "main", "model": "m-main"}, {"agent": None, "model": None})
    assert (None, "unknown") == (trail.calls()[1]["agent"], trail.calls()[1]["model"])
    nested({"agent": "main", "model": "m-main"}, {})
    assert ("main", "m-main") == (trail.calls()[3]["agent"], trail.calls()[3]["model"])


def test_a_named_conversation_takes_the_place_of_one_that_an_adapter_made_up(trail):
    """Further in somebody knew it better; what the application said holds everywhere."""
    nested({"conversation": "01a223f4-8183-7537-b251-eb26be3abbee"}, {"conversation": "conv_1"})
    with audit.attribution(agent="support", conversation="conv_2"):
        nested({"agent": "main", "conversation": "conv_1"}, {"agent": "expert"})
    assert ["conv_1", "conv_2", "conv_2"] == [call["conversation_id"] for call in trail.calls()[1:]]
    assert {"support"} == {call["agent"] for call in trail.calls()[2:]}


def test_spans_of_a_sub_agent_inside_a_gated_call_are_the_sub_agents(trail):
    """What they tell of agent and model counts more than what the adapter said of the call around; that counts where they tell nothing."""
    tracer = trail.audit.provider.get_tracer("another.instrumentation")
    tool = {"gen_ai.operation.name": "execute_tool"}
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "expert", "gen_ai.request.model": "m-sub"}
    with attributed({"agent": "main", "model": "m-main", "attempt": 2}, None, None), audit.tool_call("ask", {}):
        with tracer.start_as_current_span("invoke_agent", attributes=agent), tracer.start_as_current_span("look", attributes=tool):
            pass
        with tracer.start_as_current_span("find", attributes=tool):
            pass
    found = {call["tool_name"]: (call["agent"], call["model"], call["attempt"]) for call in trail.calls()}
    assert {"ask": ("main", "m-main", 2), "look": ("expert", "m-sub", None), "find": ("main", "m-main", None)} == found


class Handlers:
    """As the MCP SDK's version 1 has them."""

    def __init__(self, handler):
        self.request_handlers = {type("CallToolRequest", (), {}): handler}

    async def call(self, params):
        (handler,) = self.request_handlers.values()
        return await handler(SimpleNamespace(params=SimpleNamespace(model_dump=lambda **_: params)))


class Chain:
    """As its version 2 has it."""

    def __init__(self, handler):
        self.middleware = []
        self._handler = handler

    async def call(self, params, method="tools/call"):
        (middleware,) = self.middleware
        return await middleware(SimpleNamespace(method=method, params=params), self._handler)


def answering(result):
    async def handler(_):
        return result

    return handler


@pytest.mark.parametrize("kind", [Handlers, Chain])
def test_an_mcp_request_carries_the_attribution_signed(kind):
    """The receiver believes what the shared key signed, keeps the rest as claimed, and `who` beats both."""
    text = {"content": [{"type": "text", "text": '{"order_id": "ORD-1"}'}]}
    with audit_trail(attribution_key=KEY) as trail:
        server = audit_server(kind(answering(text)))
        with audit.attribution(user="usr_1", conversation="conv_1"):
            signed, forged = {}, {}
            AttributionHeader((KEY,)).inject(signed)
            AttributionHeader(("some-other-key-of-somebody",)).inject(forged)
        for meta in (signed, forged, "no mapping"):
            asyncio.run(server.call({"name": "get_order", "arguments": {"order_id": "ORD-1"}, "_meta": meta}))
        named = audit_server(kind(answering(text)), who=lambda params: {"user": params["_meta"]["tenant"]})
        asyncio.run(named.call({"name": "get_order", "_meta": {**signed, "tenant": "usr_9"}}))
        calls = trail.calls()
    assert ["usr_1", "unknown", "unknown", "usr_9"] == [call["user_id"] for call in calls]
    assert "usr_1" == calls[1]["claimed"]["header"]["user"]
    assert {"ORD-1"} == {call["result_summary"]["order_id"] for call in calls}


@pytest.mark.parametrize(
    ("result", "status"),
    [
        ({"isError": True, "content": []}, "error"),
        ({"isError": False, "structuredContent": {"error": "sold out"}}, "error"),
        ({"structuredContent": {"order_id": "ORD-1"}, "content": [{"type": "image"}]}, "success"),
    ],
)
def test_an_mcp_result_that_tells_of_an_error_is_a_failure(trail, result, status):
    """By the protocol's own mark, or by what a tool returned as its structure."""
    model = SimpleNamespace(root=SimpleNamespace(model_dump=lambda **_: result))
    asyncio.run(audit_server(Handlers(answering(model))).call({"name": "t"}))
    assert [status] == [call["status"] for call in trail.calls()]


def test_only_tool_calls_pass_the_gate(trail):
    """Listing tools is no call."""
    assert "listed" == asyncio.run(audit_server(Chain(answering("listed"))).call({}, method="tools/list"))
    assert [] == trail.calls()


def test_what_is_no_mcp_server_is_refused():
    """With what to do instead."""
    with pytest.raises(audit.SettingsError, match="has no handler for tool calls"):
        audit_server(SimpleNamespace())


def test_a_request_says_where_the_trace_is_and_keeps_what_stands_in_it(trail):
    """outgoing() adds to a request's own _meta."""
    with audit.tool_call("t"):
        meta = outgoing({"progressToken": 1})
    assert {"progressToken", "traceparent"} <= set(meta)


@pytest.mark.parametrize(
    ("server_said", "arguments", "records"), [({}, {"sku": "A1"}, 1), ({"user": "usr_2"}, {"sku": "A1"}, 2), ({}, {"sku": "B2"}, 2)]
)
def test_a_clients_and_a_servers_gate_in_one_process_are_one_call(trail, server_said, arguments, records):
    """The server's runs in a task of its own; another user's call, or one with other arguments, is another one."""
    inner = audit.tool(name="stock")(lambda sku: {"item_id": sku})

    async def handler(_):
        return {"structuredContent": inner(**arguments)}

    server = audit_server(Handlers(handler), who=lambda _: server_said)

    async def main():
        begun = contextvars.Context()
        async with adapted_call("client", "stock", {"sku": "A1"}, "call_1", {}) as call:
            request = {"name": "stock", "arguments": arguments}
            result = await asyncio.get_running_loop().create_task(server.call(request), context=begun)
            call.result(result["structuredContent"])

    with audit.attribution(user="usr_1", conversation="conv_1"):
        asyncio.run(main())
    calls = trail.calls()
    assert records == len(calls)
    assert ("call_1", "usr_1", {"sku": "A1"}) == tuple(calls[0][name] for name in ("tool_call_id", "user_id", "arguments"))
    assert {"success"} == {call["status"] for call in calls}


def test_what_one_adapter_tells_twice_happened_twice(trail):
    """Two calls with the same arguments, side by side, are two; each is told of again once."""
    server = audit_server(Handlers(answering({"structuredContent": {"item_id": "A1"}})))

    async def one(call_id):
        async with adapted_call("client", "stock", {"sku": "A1"}, call_id, {}):
            await asyncio.sleep(0.01)
            await server.call({"name": "stock", "arguments": {"sku": "A1"}})

    async def main():
        await asyncio.gather(one("call_1"), one("call_2"))
        await server.call({"name": "stock", "arguments": {"sku": "A1"}})

    asyncio.run(main())
    assert ["call_1", "call_2", None] == [call["tool_call_id"] for call in trail.calls()]
