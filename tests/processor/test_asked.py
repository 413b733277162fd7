"""Who asked for a call, under which id and in which conversation, where agents run inside of agents and several calls at a time."""

from __future__ import annotations

import json

import pytest

import otel_tool_audit as audit

AGENT = {"gen_ai.operation.name": "invoke_agent"}
ASKED = {"order_id": "1"}


def model(tracer, name, *calls):
    """A model that asks for calls of get_order, in the form of OpenAI's Responses API: each an item with an id, and the id of its answer."""
    items = [
        {"type": "function_call", "id": f"fc_{number}", "call_id": number, "name": tool, "arguments": json.dumps(arguments)}
        for number, tool, arguments in calls
    ]
    told = {"openinference.span.kind": "LLM", "llm.model_name": name, "output.value": json.dumps({"output": items})}
    return tracer.start_as_current_span(f"chat {name}", attributes=told)


def agent(tracer, name, **more):
    return tracer.start_as_current_span(f"invoke_agent {name}", attributes=AGENT | {"gen_ai.agent.name": name} | more)


def told_of(name, **arguments):
    return {"openinference.span.kind": "TOOL", "tool.name": name, "input.value": json.dumps(arguments), "output.value": "done"}


def tool(tracer, name, **arguments):
    return tracer.start_as_current_span(name, attributes=told_of(name, **arguments))


@pytest.mark.parametrize("own", [{}, {"tool_call.id": "fc_c1"}, {"tool_call.id": "c1"}])
def test_the_id_of_a_call_is_the_one_that_its_answer_has(trail, tracer, own):
    """Whether the span tells no id, the item's, or the call's."""
    with agent(tracer, "main"):
        with model(tracer, "m-main", ("c1", "get_order", ASKED)):
            pass
        with tracer.start_as_current_span("get_order", attributes=told_of("get_order", **ASKED) | own):
            pass
    trail.assert_recorded("get_order", times=1, tool_call_id="c1")


@pytest.mark.parametrize("known", ["c1", None])
def test_a_gate_inside_a_span_is_the_same_call(trail, tracer, known):
    """The gate knows the id of the answer; what the span is completed with does not contradict it."""
    with agent(tracer, "main"):
        with model(tracer, "m-main", ("c1", "get_order", ASKED)):
            pass
        with tool(tracer, "get_order", **ASKED), audit.tool_call("get_order", ASKED, tool_call_id=known) as call:
            call.result("done")
    trail.assert_recorded("get_order", times=1, tool_call_id="c1")


def test_equal_calls_at_a_time_have_an_id_each(trail, tracer):
    """Asked for in one answer, with the same arguments: two calls, two ids."""
    with agent(tracer, "main"):
        with model(tracer, "m-main", ("c1", "get_order", ASKED), ("c2", "get_order", ASKED), ("c3", "get_order", {"order_id": "2"})):
            pass
        with tool(tracer, "get_order", **ASKED):
            pass
        with tool(tracer, "get_order", **ASKED):
            pass
        with tool(tracer, "get_order", order_id="2"):
            pass
    assert ["c1", "c2", "c3"] == sorted(call["tool_call_id"] for call in trail.calls())


def test_two_instrumentations_of_equal_calls_tell_of_two_calls(trail, tracer):
    """Each call has two spans and one id."""
    other = trail.audit.provider.get_tracer("other")
    with agent(tracer, "main"):
        with model(tracer, "m-main", ("c1", "get_order", ASKED), ("c2", "get_order", ASKED)):
            pass
        for _ in range(2):
            with tool(tracer, "get_order", **ASKED), tool(other, "get_order", **ASKED):
                pass
    assert ["c1", "c2"] == sorted(call["tool_call_id"] for call in trail.calls())


def test_an_agent_as_a_tool_was_asked_for_by_the_model_outside(trail, tracer):
    """What ran inside asked for its own calls only; the next tool of the outer agent is the outer model's again."""
    with agent(tracer, "main"):
        with model(tracer, "m-main", ("c1", "ask_expert", {"q": "?"}), ("c4", "get_order", ASKED)):
            pass
        with tool(tracer, "ask_expert", q="?"), agent(tracer, "expert"):
            with model(tracer, "m-sub", ("c2", "look", {})):
                pass
            with tool(tracer, "look"):
                pass
            with model(tracer, "m-sub"):
                pass
        with tool(tracer, "get_order", **ASKED):
            pass
    asked = {call["tool_name"]: (call["agent"], call["model"], call["tool_call_id"]) for call in trail.calls()}
    assert {"ask_expert": ("main", "m-main", "c1"), "look": ("expert", "m-sub", "c2"), "get_order": ("main", "m-main", "c4")} == asked


MADE_UP = "01a223f4-8183-7537-b251-eb26be3abbee"


def test_a_made_up_conversation_gives_way_to_the_named_one_around(trail, tracer):
    """An inner run's instrumentation makes up an id; the conversation is the application's."""
    with (
        agent(tracer, "main", **{"gen_ai.conversation.id": "conv-789"}),
        tool(tracer, "ask_expert"),
        agent(tracer, "expert", **{"gen_ai.conversation.id": MADE_UP}),
        tool(tracer, "look"),
    ):
        pass
    assert {"conv-789"} == {call["conversation_id"] for call in trail.calls()}


@pytest.mark.parametrize("name", ["session_id", "session.id", "acme.session_id", "thread_id"])
def test_a_made_up_conversation_gives_way_to_the_session_on_the_span(trail, tracer, name):
    """The application's own id stands beside the instrumentation's."""
    told = told_of("look") | {name: "conv-789", "gen_ai.conversation.id": MADE_UP}
    with tracer.start_as_current_span("look", attributes=told):
        pass
    trail.assert_recorded("look", times=1, conversation_id="conv-789")


def test_a_conversation_that_the_application_gave_stands(trail, tracer):
    """A session around it, an HTTP server's maybe, is no better name; nor is any other for what attribution() said."""
    with tracer.start_as_current_span("POST /chat", attributes={"session.id": "cookie"}), tool(tracer, "look") as span:
        span.set_attribute("gen_ai.conversation.id", MADE_UP)
    trail.assert_recorded("look", times=1, conversation_id=MADE_UP)
    said = "11a223f4-8183-4537-b251-eb26be3abbee"
    with audit.attribution(conversation=said), agent(tracer, "main", **{"gen_ai.conversation.id": "conv-789"}), tool(tracer, "see"):
        pass
    trail.assert_recorded("see", times=1, conversation_id=said)
