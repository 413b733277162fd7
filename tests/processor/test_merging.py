"""One record a call: several spans tell of one, and some that look alike are several."""

from __future__ import annotations

import gc
import json
import os
import threading
import time
import tracemalloc

import pytest
from opentelemetry import trace

import otel_tool_audit as audit
from otel_tool_audit.observe.open_spans import MOST_OPEN

TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "get_order"}
ARGUMENTS = {"gen_ai.tool.call.arguments": json.dumps({"order_id": "ORD-1"})}
OTHERS = {"gen_ai.tool.call.arguments": json.dumps({"order_id": "ORD-2"})}
OPENINFERENCE = {"openinference.span.kind": "TOOL", "tool.name": "get_order", "input.value": json.dumps({"order_id": "ORD-1"})}
AGENT = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "shop"}
MODEL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4.1"}


@pytest.fixture
def scopes(trail):
    """Tracers of several instrumentations."""
    return trail.audit.provider.get_tracer("one"), trail.audit.provider.get_tracer("two"), trail.audit.provider.get_tracer("three")


def tool(tracer, **attributes):
    return tracer.start_as_current_span("execute_tool get_order", attributes=TOOL | attributes)


def beside(tracer, attributes):
    """A span in a trace of its own, as callbacks make them."""
    return tracer.start_span("t", context=trace.set_span_in_context(trace.INVALID_SPAN), attributes=attributes)


def events_of(trail):
    return [record["event"] for record in trail.records()]


def test_a_call_told_by_three_nested_spans_is_one(trail, scopes):
    """Framework, MCP client, MCP server: what each knows comes together, and all three lead to the record."""
    one, two, three = scopes
    with (
        tool(one, **{"gen_ai.tool.call.id": "c1"}),
        two.start_as_current_span("MCP send tools/call get_order", attributes={"mcp.method.name": "tools/call"}),
        three.start_as_current_span("tools/call get_order", attributes={"mcp.method.name": "tools/call", **TOOL, **ARGUMENTS}),
    ):
        pass
    call = trail.assert_recorded("get_order", times=1, tool_call_id="c1", arguments={"order_id": "ORD-1"})
    assert ["tool_call.observed", "tool_call.amended"] == events_of(trail)
    assert {call["call_id"]} == {span.attributes["audit.record.id"] for span in trail.spans()}
    assert {r["hash"] for r in trail.records()} == {span.attributes["tool_audit.hash"] for span in trail.spans()}


def test_a_failure_that_one_span_saw_is_the_calls(trail, scopes):
    """A client's span often says nothing of the server's error."""
    one, two, _ = scopes
    with tool(one) as outer, tool(two):
        outer.set_attribute("error.type", "ToolError")
        outer.set_attribute("error.message", "no such order")
    trail.assert_recorded("get_order", times=1, success=False, error="no such order", error_type="ToolError", status="error")


def test_two_instrumentations_beside_each_other_are_one_call(trail, scopes):
    """Also in two traces; the second one that tells nothing new has no record."""
    one, two, _ = scopes
    first, second = beside(one, TOOL | ARGUMENTS), beside(two, OPENINFERENCE)
    first.end()
    second.end()
    call = trail.assert_recorded("get_order", times=1)
    assert ["tool_call.observed"] == events_of(trail)
    assert [(call["call_id"], call["hash"])] * 2 == [(s.attributes["audit.record.id"], s.attributes["tool_audit.hash"]) for s in trail.spans()]


def test_parallel_calls_of_one_tool_stay_apart(trail, scopes):
    """Two instrumentations tell of two calls at once, in any order: each finds its own."""
    one, two, _ = scopes
    spans = [beside(one, TOOL | ARGUMENTS), beside(one, TOOL | OTHERS), beside(two, TOOL | OTHERS), beside(two, TOOL | ARGUMENTS)]
    for span in spans:
        span.end()
    assert [{"order_id": "ORD-1"}, {"order_id": "ORD-2"}] == sorted((c["arguments"] for c in trail.calls()), key=str)


def test_parallel_calls_that_nothing_tells_apart_are_counted_right(trail, scopes):
    """Without arguments and ids each instrumentation's spans still are as many as the calls."""
    one, two, _ = scopes
    spans = [beside(tracer, TOOL) for tracer in (one, one, two, two)]
    for span in spans:
        span.end()
    trail.assert_recorded("get_order", times=2)


def test_retries_stay_apart(trail, scopes):
    """One after the other, the same tool with the same arguments."""
    one, two, _ = scopes
    for _ in range(3):
        with tool(one, **ARGUMENTS), tool(two, **ARGUMENTS):
            pass
    trail.assert_recorded("get_order", times=3)


def test_other_ids_or_arguments_keep_nested_spans_apart(trail, scopes):
    """A tool that calls itself is two calls."""
    one, _, _ = scopes
    with tool(one, **ARGUMENTS), tool(one, **OTHERS):
        pass
    with tool(one, **{"gen_ai.tool.call.id": "a"}), tool(one, **{"gen_ai.tool.call.id": "b"}):
        pass
    trail.assert_recorded("get_order", times=4)


@pytest.mark.parametrize("between", [AGENT, MODEL, TOOL | {"gen_ai.tool.name": "ask_agent"}])
def test_an_agent_a_model_or_another_tool_between_makes_two_calls(trail, scopes, between):
    """An agent used as a tool may call a tool of the same name."""
    one, _, _ = scopes
    with tool(one), one.start_as_current_span("between", attributes=between), tool(one):
        pass
    assert 2 == sum(call["tool_name"] == "get_order" for call in trail.calls())


def test_a_chain_between_makes_no_difference(trail, scopes):
    """Frameworks wrap tools in spans that are nothing of their own."""
    one, two, _ = scopes
    with tool(one), one.start_as_current_span("tools", attributes={"openinference.span.kind": "CHAIN"}), tool(two):
        pass
    trail.assert_recorded("get_order", times=1)


def test_a_server_before_the_tools_name_makes_no_difference(trail, scopes):
    """Some agents call a tool of an MCP server by both names."""
    one, two, _ = scopes
    with tool(one, **{"gen_ai.tool.name": "mcp__shop__get_order"}), tool(two):
        pass
    assert 1 == len(trail.calls())


def test_a_span_that_only_names_a_call_again_is_no_other(trail, scopes):
    """The same id and tool from another instrumentation, later in the same trace; a retry under the same id is one."""
    one, two, _ = scopes
    named = {"gen_ai.tool.call.id": "c1"}
    with one.start_as_current_span("agent"):
        one.start_span("t", attributes=TOOL | named | ARGUMENTS).end()
        time.sleep(0.005)
        two.start_span("t", attributes=TOOL | named).end()
        one.start_span("t", attributes=TOOL | named).end()
    trail.assert_recorded("get_order", times=2)


def test_a_method_around_a_named_call_is_that_call(trail, scopes):
    """A server's span may be named for the method alone."""
    one, two, _ = scopes
    with one.start_as_current_span("tools/call", attributes={"mcp.method.name": "tools/call"}), tool(two, **ARGUMENTS):
        pass
    assert ["get_order"] == [call["tool_name"] for call in trail.calls()]


def test_a_part_of_a_call_that_names_no_tool_is_none(trail, scopes):
    """Some tell an error as a span of its own inside the tool's; whether or not the outer one is known by then."""
    one, _, _ = scopes
    part = {"openinference.span.kind": "TOOL", "input.value": json.dumps({"error": "x", "input": {"order_id": "ORD-1"}})}
    with one.start_as_current_span("get_order", attributes=OPENINFERENCE):
        one.start_span("error", attributes=part).end()
    with one.start_as_current_span("get_order") as outer:
        one.start_span("error", attributes=part).end()
        outer.set_attributes(OPENINFERENCE)
    trail.assert_recorded("get_order", times=2, arguments={"order_id": "ORD-1"})
    assert 2 == len(trail.calls())


def test_a_span_around_an_own_tool_is_the_same_call(trail, scopes):
    """The gate's record stands, with what the framework knew added."""
    one, _, _ = scopes
    with tool(one, **{"gen_ai.tool.call.id": "c1", "gen_ai.request.model": "gpt-4.1", "user.id": "u", "gen_ai.tool.call.result": '{"error": "x"}'}):
        audit.execute_tool("get_order", {"order_id": "ORD-1"}, lambda order_id: {"status": "shipped"})
    call = trail.assert_recorded("get_order", times=1, tool_call_id="c1", model="gpt-4.1", user_id="u", success=True)
    assert {"order_id": "ORD-1"} == call["arguments"]
    assert ["tool_call.started", "tool_call.finished", "tool_call.amended"] == events_of(trail)
    assert call["source"].startswith("tool_audit + gen_ai")


def test_a_span_inside_or_beside_an_own_tool_is_the_same_call(trail, scopes):
    """While the tool runs; another tool inside is a call of its own."""
    one, two, _ = scopes

    def body(order_id):
        with tool(one, **{"gen_ai.tool.call.id": "c1"}):
            pass
        beside(two, TOOL | ARGUMENTS).end()
        with one.start_as_current_span("execute_tool other", attributes=TOOL | {"gen_ai.tool.name": "other"}):
            return {"ok": True}

    audit.execute_tool("get_order", {"order_id": "ORD-1"}, body)
    trail.assert_recorded("get_order", times=1, tool_call_id="c1", success=True)
    trail.assert_recorded("other", times=1)


def test_own_calls_of_another_trail_are_left_alone(trail, scopes, tmp_path):
    """A tool bound to a second trail; the first one's record of the framework's span is its own."""
    other = audit.Trail.open(tmp_path / "other", durability="os")

    @audit.tool(trail=other)
    def get_order():
        return 1

    with tool(scopes[0]):
        get_order()
    other.close()
    trail.assert_recorded("get_order", times=1, source="gen_ai")


def test_what_an_ancestor_tells_at_its_end_is_added(trail, scopes):
    """Some write user and conversation only then; what was known stays."""
    one, _, _ = scopes
    with one.start_as_current_span("agent", attributes=AGENT) as agent:
        with tool(one, **{"session.id": "s1"}):
            pass
        agent.set_attributes({"user.id": "u", "gen_ai.conversation.id": "c", "gen_ai.request.model": "gpt-4.1"})
    call = trail.assert_recorded("get_order", times=1, user_id="u", model="gpt-4.1", conversation_id="s1", agent="shop")
    assert ["tool_call.observed", "tool_call.amended"] == [r["event"] for r in call["records"]]
    assert "user=ancestor" in call["source"]


def test_the_model_is_that_of_the_span_that_asked(trail, scopes):
    """Beside the tool's span, ended before it; the nearest one counts."""
    one, _, _ = scopes
    asked = json.dumps([{"role": "assistant", "parts": [{"type": "tool_call", "id": "c9", "name": "get_order", "arguments": {"order_id": "ORD-1"}}]}])
    with one.start_as_current_span("outer", attributes=AGENT):
        one.start_span("chat", attributes=MODEL | {"gen_ai.request.model": "far"}).end()
        with one.start_as_current_span("inner", attributes=AGENT):
            one.start_span("chat", attributes=MODEL | {"gen_ai.output.messages": asked}).end()
            with tool(one):
                pass
    call = trail.assert_recorded("get_order", times=1, model="gpt-4.1", tool_call_id="c9", arguments={"order_id": "ORD-1"})
    assert {"model=model_span", "arguments=model_span", "tool_call_id=model_span"} <= set(call["source"].split())


def test_a_model_that_streams_while_the_tool_runs_is_named_later(trail, scopes):
    """Its span ends after the tool's."""
    one, _, _ = scopes
    with one.start_as_current_span("agent"):
        chat = one.start_span("x")
        with tool(one):
            pass
        chat.set_attributes(MODEL)
        chat.end()
    trail.assert_recorded("get_order", times=1, model="gpt-4.1")


def test_what_a_tool_gave_back_in_a_span_of_its_own_belongs_to_the_call(trail, scopes):
    """It follows the call's span, from the same instrumentation."""
    one, _, _ = scopes
    with one.start_as_current_span("agent"):
        one.start_span("tool_call [get_order]", attributes={"tool_call_args": '{"order_id": "ORD-1"}'}).end()
        answer = json.dumps({"function_response": {"id": "c1", "name": "get_order", "response": {"status": "shipped"}}})
        one.start_span("tool_response [get_order]", attributes={"tool_response": answer}).end()
    call = trail.assert_recorded("get_order", times=1, arguments={"order_id": "ORD-1"}, tool_call_id="c1")
    assert "shipped" == call["result_summary"]["status"]


def test_an_error_told_once_more_belongs_to_the_call(trail, scopes):
    """In a span of its own after the call's; a tool that is only called so, or whose namesake went well, keeps its call."""
    one, _, _ = scopes
    with one.start_as_current_span("agent", attributes=AGENT):
        for name, broken in (("shop.get_order", True), ("get_order_error", True), ("log_error", True), ("read", False), ("read_error", True)):
            span = one.start_span(name, attributes={"acme_event_type": "tool", **({} if "error" in name else {"acme_inputs.order_id": "ORD-1"})})
            if broken:
                span.record_exception(ValueError("it broke"))
                span.set_status(trace.StatusCode.ERROR)
            span.end()
    assert ["shop.get_order", "log_error", "read", "read_error"] == [call["tool_name"] for call in trail.calls()]


def test_a_component_that_runs_several_tools_makes_a_record_of_each(trail, scopes):
    """The exported span leads to the first; the others name it as the span around them."""
    one, _, _ = scopes
    results = [{"result": str(n), "error": n == 2, "origin": {"tool_name": "get_order", "arguments": {"n": n}, "id": f"c{n}"}} for n in range(3)]
    with one.start_as_current_span("agent", attributes=AGENT):
        one.start_span("run", attributes={"acme.component.type": "ToolInvoker", "acme.component.output": json.dumps(results)}).end()
    calls = trail.calls()
    assert [({"n": 0}, True), ({"n": 1}, True), ({"n": 2}, False)] == [(call["arguments"], call["success"]) for call in calls]
    (span,) = [span for span in trail.spans() if span.name == "run"]
    own = f"{span.context.span_id:016x}"
    assert calls[0]["call_id"] == span.attributes["audit.record.id"]
    assert [(own, f"{span.parent.span_id:016x}"), (None, own), (None, own)] == [(call["span_id"], call["parent_span_id"]) for call in calls]
    assert {"shop"} == {call["agent"] for call in calls}


def test_a_clients_silence_is_told_from_an_answer(trail, scopes):
    """A request that was answered may have failed: where the client's span tells no more, the record says that success is assumed."""
    one, _, _ = scopes
    for told, kind in (({}, trace.SpanKind.CLIENT), ({"gen_ai.tool.call.result": "{}"}, trace.SpanKind.CLIENT), ({}, trace.SpanKind.INTERNAL)):
        one.start_span("tools/call get_order", kind=kind, attributes={"mcp.method.name": "tools/call", **told}).end()
    assert ["mcp success=assumed", "gen_ai", "mcp"] == [call["source"] for call in trail.calls()]


@pytest.mark.parametrize(
    "told",
    [
        {"llm.invocation_parameters": '{"model": "gpt-4.1"}', "openinference.span.kind": "LLM"},
        {"traceloop.span.kind": "task", "llm.request.model": "gpt-4.1"},
        {"gen_ai.response.model": "gpt-4.1"},
        {"span.type": "inference", "entity.2.type": "model.llm.gpt-4.1", "entity.2.name": "gpt-4.1"},
        {"acme.component.type": "ChatGenerator", "acme.component.output": '{"replies": [{"meta": {"model": "gpt-4.1"}}]}'},
        {"gen_ai.operation.name": "chat", "gen_ai.request.model": "unknown", "traceloop.association.properties.ls_model_name": "gpt-4.1"},
    ],
)
def test_a_model_is_named_in_many_ways(trail, scopes, told):
    """Among its parameters, on a span that says only that it is a task, or on one that says nothing of its kind."""
    one, _, _ = scopes
    with one.start_as_current_span("agent"):
        one.start_span("x", attributes=told).end()
        with tool(one):
            pass
    trail.assert_recorded("get_order", times=1, model="gpt-4.1")


def test_what_a_model_asked_for_may_stand_where_a_tools_own_does(trail, scopes):
    """Of several calls each attribute lists all; each tool finds its own by the provider's id."""
    one, _, _ = scopes
    asked = {"gen_ai.tool.name": "get_order, get_order", "gen_ai.tool.args": '{"n": 1}, {"n": 2}', "gen_ai.tool.call.id": "c1, c2"}
    with one.start_as_current_span("agent"):
        one.start_span("chat", attributes=MODEL | asked).end()
        for call_id in ("c2", "c1"):
            one.start_span("t", attributes=TOOL | {"gen_ai.tool.call.id": call_id}).end()
    assert [("c2", {"n": 2}), ("c1", {"n": 1})] == [(call["tool_call_id"], call["arguments"]) for call in trail.calls()]


def test_an_id_that_an_instrumentation_made_hides_no_request(trail, scopes):
    """A run's UUID is no provider's id: the nearby model that asked for this tool alone tells its arguments. In another trace it tells none."""
    one, _, _ = scopes
    asked = json.dumps([{"role": "assistant", "parts": [{"type": "tool_call", "id": "c7", "name": "get_order", "arguments": {"n": 1}}]}])
    run = TOOL | {"gen_ai.tool.call.id": "01a21791-d4f4-7387-a39b-b95fac859c8c"}
    with one.start_as_current_span("agent"):
        one.start_span("chat", attributes=MODEL | {"gen_ai.output.messages": asked}).end()
        one.start_span("t", attributes=run).end()
    beside(one, run).end()
    assert [{"n": 1}, None] == [call["arguments"] for call in trail.calls()]


def test_the_model_in_another_trace_is_found_by_the_calls_id(trail, scopes):
    """Where nothing else joins the two traces."""
    one, _, _ = scopes
    asked = json.dumps([{"role": "assistant", "parts": [{"type": "tool_call", "id": "c7", "name": "get_order", "arguments": {"order_id": "ORD-1"}}]}])
    beside(one, MODEL | {"gen_ai.output.messages": asked}).end()
    beside(one, TOOL | {"gen_ai.tool.call.id": "c7"}).end()
    beside(one, TOOL | {"gen_ai.tool.call.id": "c8"}).end()
    assert [("c7", "gpt-4.1", {"order_id": "ORD-1"}), ("c8", "unknown", None)] == [
        (c["tool_call_id"], c["model"], c["arguments"]) for c in trail.calls()
    ]


def test_a_span_that_never_ends_is_an_interrupted_call(trail, scopes):
    """Reported at shutdown, once, also when two spans tell of it; it is not exported."""
    one, two, _ = scopes
    kept = [one.start_span("execute_tool get_order", attributes=TOOL | ARGUMENTS)]
    kept.append(two.start_span("get_order", context=trace.set_span_in_context(kept[0]), attributes=OPENINFERENCE))
    kept.append(one.start_span("other work"))
    trail.audit.processor.shutdown()
    call = trail.assert_recorded("get_order", times=1, status="interrupted", success=None, arguments={"order_id": "ORD-1"}, sampled=False)
    assert ["tool_call.observed"] == [r["event"] for r in call["records"]]
    for span in kept[::-1]:
        span.end()
    trail.assert_recorded("get_order", times=1, success=True, call_id=call["call_id"])


def test_ten_thousand_spans_that_never_end_are_fine(trail, scopes):
    """They are remembered up to a bound, some kilobytes each, and cost the others nothing."""
    one, _, _ = scopes
    gc.collect()
    tracemalloc.start()
    kept = [one.start_span("work", attributes={"a": 1}) for _ in range(10_000)]
    spans, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert spans / 10_000 < 10_000
    with tool(one):
        pass
    trail.assert_recorded("get_order", times=1)
    assert len(kept) == len(trail.audit.processor._watcher.spans)


def test_the_oldest_open_span_goes_first_and_a_tools_is_not_lost(trail, scopes, monkeypatch):
    """Its call is reported as interrupted, and joined when it ends after all."""
    monkeypatch.setattr("otel_tool_audit.observe.open_spans.MOST_OPEN", 10)
    one, _, _ = scopes
    first = one.start_span("execute_tool get_order", attributes=TOOL | ARGUMENTS)
    kept = [one.start_span("work") for _ in range(20)]
    assert 10 == len(trail.audit.processor._watcher.spans)
    trail.assert_recorded("get_order", times=1, status="interrupted")
    first.end()
    trail.assert_recorded("get_order", times=1, status="success")
    assert 20 == len(kept)
    assert MOST_OPEN <= 65_536


def test_calls_below_a_root_that_never_ends_are_bounded(trail, scopes):
    """A server's root span may live for weeks."""
    one, _, _ = scopes
    with one.start_as_current_span("server") as root:
        for n in range(700):
            with tool(one, **{"gen_ai.tool.call.id": str(n)}):
                pass
        entry = trail.audit.processor._watcher.spans._open[root.get_span_context().span_id]
        assert len(entry.below) <= 512
        assert len(entry.children) <= 8
    assert 700 == len(trail.calls())


def test_two_threads_that_tell_of_one_call_make_one_record(trail, scopes):
    """At the same moment, many times."""
    one, two, _ = scopes
    ready = threading.Barrier(2)

    def ends(spans):
        for span in spans:
            ready.wait()
            span.end()

    firsts, seconds = [], []
    for n in range(50):
        more = {"gen_ai.tool.call.id": f"c{n}"}
        firsts.append(beside(one, TOOL | more))
        seconds.append(beside(two, TOOL | more))
    threads = [threading.Thread(target=ends, args=(spans,)) for spans in (firsts, seconds)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    trail.assert_recorded("get_order", times=50)
    assert trail.verify().ok


def test_a_forks_child_joins_nothing_of_its_parents(trail, scopes):
    """And is not held up by a lock that a thread of the parent held."""
    one, two, _ = scopes
    with tool(one, **ARGUMENTS):
        pass
    lock = trail.audit.processor._watcher._lock
    lock.acquire()
    pid = os.fork()
    if pid == 0:
        try:
            with tool(two, **ARGUMENTS):
                pass
            trail.audit.processor.force_flush(5000)
        finally:
            os._exit(0)
    deadline = time.monotonic() + 20
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    lock.release()
    trail.assert_recorded("get_order", times=2)
