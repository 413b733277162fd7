"""Adapters: real frameworks' tools run only when their start is on record."""

from __future__ import annotations

import os
import subprocess

import pytest
from environments import interpreter
from telling import ROOT

pytestmark = [pytest.mark.timeout(600, func_only=True)]

STORIES = ["pydantic_ai_story", "openai_agents_story", "langchain_story"]
GET, CANCEL = "get_order", "cancel_order"


def facts(call):
    return (call["tool_name"], call["status"], call["tool_call_id"], call["user_id"], call["conversation_id"], call["agent"], call["model"])


@pytest.mark.parametrize("instrumentation", ["none", "openinference"])
@pytest.mark.parametrize("story", STORIES)
def test_a_gated_agents_calls_are_on_record_with_all_that_is_known(tell, story, instrumentation):
    """Who asked, which agent and model, with what, and how it failed; the framework's own spans of it add no record."""
    told = tell(story, instrumentation, "gate")
    assert [GET, CANCEL] == told.ran
    get, cancel = told.calls()
    known = ("user-alice", "conv-789", "support", "stub-model")
    assert (GET, "success", "call_1", *known) == facts(get)
    assert (CANCEL, "error", "call_2", *known) == facts(cancel)
    assert {"order_id": "ORD-123", "api_key": "***REDACTED***"} == get["arguments"]
    assert {"success": True, "order_id": "ORD-123", "status": "shipped"}.items() <= get["result_summary"].items()
    assert ("Cannot cancel shipped order", "ValueError") == (cancel["error"], cancel["error_type"])
    assert {"tool_audit"} == {get["source"], cancel["source"]}
    assert [] == told.leaks()


@pytest.mark.parametrize("story", [*STORIES, "fastmcp_story"])
def test_a_gated_agents_decorated_tools_are_recorded_once(tell, story):
    """The adapter's call and the decorator's are one, with what either of them knows, and the exception's own type."""
    told = tell(story, "none", "gate", "decorated")
    assert [GET, CANCEL] == told.ran
    get, cancel = told.calls()
    assert [("financial", "success", None), ("financial", "error", "ValueError")] == [
        (c["chain"], c["status"], c["error_type"]) for c in (get, cancel)
    ]
    assert "Cannot cancel shipped order" == cancel["error"]
    assert story == "fastmcp_story" or ("call_1", "support") == (get["tool_call_id"], get["agent"])


@pytest.mark.parametrize("story", STORIES)
def test_without_a_durable_record_no_tool_runs(tell, story):
    """The framework's run ends, with an exception that says why; no tool's body was entered."""
    told = tell(story, "none", "gate", "broken")
    assert [] == told.ran
    assert "AuditUnavailable" in told.outcome
    assert "get_order was not run" in told.outcome
    assert [] == told.calls()


@pytest.mark.parametrize(("environment", "instrumentation"), [("frameworks", "native"), ("mcp1", "none")])
def test_an_mcp_server_records_on_behalf_of_its_clients_user(tell, environment, instrumentation):
    """Both versions of the SDK: the signed attribution crosses from process to process in the request."""
    told = tell("mcp_story", instrumentation, "gate", *(["meta"] if environment == "mcp1" else []), environment=environment)
    assert "get_order cancel_order" == (told.directory / "ran").read_text()
    own = told.calls()
    assert [(GET, "success"), (CANCEL, "error")] == [(call["tool_name"], call["status"]) for call in own]
    assert {("user-alice", "customer", "conv-789", 1)} == {(c["user_id"], c["user_role"], c["conversation_id"], c["turn_number"]) for c in own}
    assert {"order_id": "ORD-123", "api_key": "***REDACTED***"} == own[0]["arguments"]
    assert {"success": True, "order_id": "ORD-123", "status": "shipped"}.items() <= own[0]["result_summary"].items()
    assert "cancel_order" in own[1]["error"]
    assert [] == told.leaks()


@pytest.mark.parametrize("environment", ["frameworks", "mcp1"])
def test_an_mcp_server_without_a_trail_runs_nothing(tell, environment):
    """Its client is told so, and not where the trail is."""
    told = tell("mcp_story", "none", "gate", "broken", environment=environment)
    assert "" == (told.directory / "ran").read_text()
    assert 2 == told.outcome.count("its call cannot be recorded, so it is not run")
    assert str(told.directory) not in told.outcome


OLD = """
import importlib.metadata as metadata
known = metadata.version
metadata.version = lambda name: "0.11.1" if name == "openai-agents" else known(name)
from otel_tool_audit.capture.openai_agents import audited
try:
    audited([])
except Exception as error:
    print(type(error).__name__, error)
"""


def test_an_sdk_that_hides_failures_is_refused():
    """Before 0.12 nobody outside learns that a tool of the OpenAI Agents SDK failed: a trail that calls it a success is worse than none."""
    done = subprocess.run(
        [interpreter("frameworks"), "-c", OLD],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=100,
    )
    assert done.stdout.startswith("SettingsError openai-agents 0.11.1 makes a text of a tool's failure")
    assert "use 0.12 or newer" in done.stdout


def test_corners_of_the_adapters(tell):
    """Async agents, calls side by side, a time-out, arguments that fit no tool, an exception that goes through: one record each."""
    told = tell("edges_story", "none")
    calls = {call["tool_call_id"] + call["tool_name"]: call for call in told.calls()}
    assert 7 == len(told.calls()) == len(calls)
    succeeded = {name for name, call in calls.items() if call["status"] == "success"}
    assert {"lc_1wait", "lc_2wait", "oa_0wait", "oa_2get_order"} == succeeded
    assert "CancelledError" == calls["oa_1slow"]["error_type"]
    assert ("error", "ModelBehaviorError") == (calls["oa_3get_order"]["status"], calls["oa_3get_order"]["error_type"])
    assert ("error", "LookupError") == (calls["oa_0by_hand"]["status"], calls["oa_0by_hand"]["error_type"])
    assert [] == told.leaks()


def test_a_server_of_the_package_fastmcp_passes_the_same_gate(tell):
    """Client, protocol and server make five spans of each call: one record has them, with the exception's own words."""
    told = tell("fastmcp_story", "native", "gate")
    assert [GET, CANCEL] == told.ran
    get, cancel = told.calls()
    assert ((GET, "success"), (CANCEL, "error")) == ((get["tool_name"], get["status"]), (cancel["tool_name"], cancel["status"]))
    assert {"order_id": "ORD-123", "api_key": "***REDACTED***"} == get["arguments"]
    assert "Cannot cancel shipped order" in cancel["error"]
    assert [] == told.leaks()


def test_a_server_of_the_package_fastmcp_without_a_trail_runs_nothing(tell):
    """Its client hears of an error, which the package words itself."""
    told = tell("fastmcp_story", "native", "gate", "broken")
    assert [] == told.ran
    assert 2 == told.outcome.count("MCPError")


def by_id(told):
    """Calls by the provider's id, in the order of their starts."""
    found = {}
    for call in told.calls():
        found.setdefault(call["tool_call_id"], []).append(call)
    return found


@pytest.mark.parametrize("instrumentation", ["none", "openinference"])
def test_what_waits_for_a_person_is_no_outcome_and_each_agents_calls_are_its_own(tell, instrumentation):
    """OpenAI Agents SDK on the Responses API: approved, rejected, side by side, agent as a tool, handoff, MCP server; one record a call."""
    told = tell("approvals_story", instrumentation, "gate")
    assert "done" == told.outcome
    calls = by_id(told)
    (asked, approved), (asked_too, rejected) = calls["call_yes"], calls["call_no"]
    assert ["paused", "success", "paused", "denied"] == [call["status"] for call in (asked, approved, asked_too, rejected)]
    assert ({"kind": "approval", "reason": None}, "approval") == (asked["waits_for"], rejected["denial"]["rule"])
    assert (asked["call_id"], asked_too["call_id"]) == (approved["continues"], rejected["continues"])
    assert "refund 7" not in told.ran
    who = {i: (found[-1]["agent"], found[-1]["model"], found[-1]["status"]) for i, found in calls.items() if i}
    assert ("support", "m-main", "success") == who["call_a"] == who["call_b"]
    assert (("main", "m-main", "success"), ("expert", "m-sub", "success")) == (who["call_out"], who["call_in"])
    assert ("other", "m-other", "success") == who["call_h"]
    assert (("buyer", "m-main", "success"), ("buyer", "m-main", "error")) == (who["call_m"], who["call_e"])
    assert "no such item" == calls["call_e"][0]["error"]
    assert {"yes": 2, "no": 2} == {i: len(calls[f"call_{i}"]) for i in ("yes", "no")}
    assert all(1 == len(found) for i, found in calls.items() if i not in {"call_yes", "call_no"})
    assert "those of MCP server 'shop'; use audited(agent)" in told.errors


@pytest.mark.parametrize("instrumentation", ["none", "openinference"])
def test_a_graph_that_interrupts_itself_waits_for_an_answer(tell, instrumentation):
    """LangGraph: paused with what is asked, linked when it is resumed; a command that holds a failure; a sub-agent's call is its own."""
    told = tell("interrupt_story", instrumentation, "gate")
    assert "done" == told.outcome
    calls = by_id(told)
    asked, resumed = calls["call_r"]
    assert ("paused", {"kind": "answer", "reason": "pay back?"}) == (asked["status"], asked["waits_for"])
    assert ("success", asked["call_id"]) == (resumed["status"], resumed["continues"])
    ((command,), (outer,), (inner,)) = (calls[i] for i in ("call_c", "call_out", "call_in"))
    assert ("error", "no such order") == (command["status"], command["error"])
    assert (("main", "m-main"), ("expert", "m-sub")) == ((outer["agent"], outer["model"]), (inner["agent"], inner["model"]))
    assert 5 == len(told.calls())


@pytest.mark.parametrize("instrumentation", ["none", "native"])
def test_deferred_calls_wait_and_go_on_or_are_denied(tell, instrumentation):
    """Pydantic AI: by an exception or by the tool's definition; approved, denied, answered elsewhere; each agent's calls are its own."""
    told = tell("deferred_story", instrumentation, "gate")
    assert "done" == told.outcome
    calls = by_id(told)
    statuses = {i: [call["status"] for call in found] for i, found in calls.items()}
    assert {"call_r": ["paused", "success"], "call_e": ["paused", "success"], "call_n": ["paused", "denied"], "call_x": ["paused", "denied"]} == {
        i: statuses[i] for i in ("call_r", "call_e", "call_n", "call_x")
    }
    assert all(later["continues"] == first["call_id"] for first, later in (calls[i] for i in ("call_r", "call_e", "call_n", "call_x")))
    assert ("approval", "approval", "result") == tuple(calls[i][0]["waits_for"]["kind"] for i in ("call_r", "call_e", "call_d"))
    assert {"rule": "approval", "reason": "too much", "by": None} == calls["call_n"][1]["denial"]
    assert ("expert", "m-sub", "main", "m-main") == (
        calls["call_in"][0]["agent"], calls["call_in"][0]["model"], calls["call_out"][0]["agent"], calls["call_out"][0]["model"],
    )  # fmt: skip
    assert (["success"], ["success"], ["error"]) == (statuses["call_a"], statuses["call_b"], statuses["call_t"])
    assert {"refund 7", "erase y"}.isdisjoint(told.ran)


@pytest.mark.parametrize("more", [(), ("decorated",)])
@pytest.mark.parametrize("instrumentation", ["none", "native"])
def test_a_mounted_server_and_a_client_around_it_are_one_call(tell, instrumentation, more):
    """FastMCP: both servers audited, a client's adapter, a decorator: whoever tells of it, each call is on record once."""
    told = tell("mounted_story", instrumentation, "gate", *more)
    assert ["stock A1", "stock A2", "stock bad"] == told.ran
    calls = told.calls()
    assert [("stock", None, "success"), ("stock", "call_2", "success"), ("stock", "call_3", "error")] == [
        (call["tool_name"], call["tool_call_id"], call["status"]) for call in calls
    ]
    assert "no such item" in calls[2]["error"]
    assert ["A1", "A2"] == [call["result_summary"]["item_id"] for call in calls[:2]]
