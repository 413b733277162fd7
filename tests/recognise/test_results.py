"""What a result says of its call: the same rules for what a tool returned and for what a span tells of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from otel_tool_audit.recognise.results import NOT_SAID, judged
from otel_tool_audit.record.outcomes import Denied, Failed, Paused


class Part(BaseModel):
    type: str
    text: str


class CallToolResult(BaseModel):
    content: list[Part]
    isError: bool = False  # noqa: N815 - MCP's own spelling


class ToolMessage(BaseModel):
    content: Any
    tool_call_id: str = "call_1"
    status: str = "success"


@dataclass
class Command:
    update: Any = None
    goto: Any = ()
    graph: str | None = None
    resume: Any = None


@dataclass
class Answer:
    error: Any = None
    orders: list[str] = field(default_factory=list)


BROKE = [{"type": "text", "text": "it broke"}]
FAILURES = {
    "an error": ({"error": "it broke"}, "it broke"),
    "an error of several fields": ({"error": {"code": 7}}, {"code": 7}),
    "a code": ({"error": 404}, 404),
    "a mark": ({"error": True}, NOT_SAID),
    "an object's error": (Answer(error="it broke"), "it broke"),
    "the words beside a class name": ({"error": "RuntimeError", "details": "it broke"}, "it broke"),
    "MCP, an object": (CallToolResult(content=[Part(type="text", text="it broke")], isError=True), "it broke"),
    "MCP, on the wire": ({"content": BROKE, "isError": True}, "it broke"),
    "MCP, several parts": ({"content": [{"type": "image", "data": "…"}, *BROKE], "isError": True}, "it broke"),
    "MCP, nothing said": ({"content": [], "isError": True}, NOT_SAID),
    "snake case": ({"content": BROKE, "is_error": True}, "it broke"),
    "one part that stands alone": ({"type": "text", "text": "Error executing tool cancel_order"}, "Error executing tool cancel_order"),
    "one part in a list": ([{"type": "text", "text": "Error executing tool cancel_order"}], "Error executing tool cancel_order"),
    "Bedrock": ({"toolUseId": "t1", "status": "error", "content": [{"text": "it broke"}]}, "it broke"),
    "a status and a text": ({"status": "error", "content": "it broke"}, "it broke"),
    "a status and parts": ({"status": "error", "content": [{"text": "it broke"}]}, "it broke"),
    "LangChain, an object": (ToolMessage(content="it broke", status="error"), "it broke"),
    "LangChain, several in a command": (Command(update={"messages": [ToolMessage(content="ok"), ToolMessage(content="it broke", status="error")]}), "it broke"),
    "LangChain, a command on a span": ({"update": {"messages": [{"type": "tool", "tool_call_id": "c", "content": "it broke", "status": "error"}]}, "goto": "x", "graph": None}, "it broke"),
    "Anthropic": ({"type": "tool_result", "tool_use_id": "t", "is_error": True, "content": "it broke"}, "it broke"),
    "text": ("Error: it broke", "Error: it broke"),
    "text of an exception": ("ValueError: it broke", "ValueError: it broke"),
}  # fmt: skip
NONE: dict[str, Any] = {
    "nothing": None, "text": "done", "no error": {"error": None}, "false": {"error": False}, "an empty text": {"error": ""}, "blanks": {"error": "  "}, "an empty list": {"error": []},
    "an empty mapping": {"error": {}}, "a deviation": {"value": 3.2, "error": 0.1}, "zero": {"error": 0}, "a state of one's own": {"status": "error", "job": 7}, "errors by name": {"errors": 0},
    "MCP": CallToolResult(content=[Part(type="text", text="done")]), "LangChain": ToolMessage(content="done"), "a command": Command(update={"messages": [ToolMessage(content="done")]}),
    "a change of agents": Command(goto="expert"), "an object": Answer(), "a word about errors": "There is no Error in order 7", "an order that was rejected": {"status": "rejected", "order_id": "ORD-1"},
    "what a bank said": "Your refund request was rejected by the bank", "a pending ticket": {"status": "pending", "ticket": "T-1"}, "a policy": "Approval is required for refunds above 100 $; this one is below.",
}  # fmt: skip
DENIALS = [
    "Tool execution was not approved.",
    "User rejected the tool call for `refund` with id call_1. The tool was not executed. Do not retry this tool call unless the user explicitly requests it.",
    "The tool call was denied.",
    "This tool call is rejected.",
    "Error: Tool call invocation was rejected by user.",
    "The user doesn't want to proceed with this tool use. The tool use was rejected.",
    "Permission to use refund was denied by the user.",
    "Tool call not executed: denied",
    "tool cancelled by user",
    "Function call was blocked by policy",
    "Human declined the request to run the tool",
]
PAUSES = [
    ("This tool call requires confirmation, please approve or reject.", "approval"),
    ("Tool execution requires approval", "approval"),
    ("The function call is awaiting human approval", "approval"),
    ("Waiting for approval", "approval"),
    ("Pending user confirmation", "approval"),
    ("This tool needs user input", "answer"),
    ("Awaiting input from the user", "answer"),
]


@pytest.mark.parametrize(("result", "message"), FAILURES.values(), ids=FAILURES)
def test_a_failure_is_told_with_its_message(result, message):
    """Whoever looks: the object that a tool returned, and its form on the wire."""
    assert Failed(message) == judged(result)


@pytest.mark.parametrize("result", [result for result, _ in FAILURES.values() if isinstance(result, (dict, list))])
def test_a_failure_on_a_span_is_the_one_at_the_gate(result):
    """JSON of a result is judged as the result."""
    assert judged(result) == judged(json.dumps(result))


@pytest.mark.parametrize("result", NONE.values(), ids=NONE)
def test_what_says_nothing_of_failure_is_none(result):
    """Empty errors are how many interfaces say that there was none, and a tool's own words are its own."""
    assert judged(result) is None


@pytest.mark.parametrize("text", DENIALS)
@pytest.mark.parametrize("around", ["alone", "under error", "in an envelope", "in a message"])
def test_somebodys_no_is_a_denial(text, around):
    """What a model is given in place of a result tells that nobody ran the tool, in whatever envelope."""
    forms: dict[str, Any] = {
        "alone": text,
        "under error": {"error": text},
        "in an envelope": {"content": [{"type": "text", "text": text}], "isError": True},
        "in a message": ToolMessage(content=text, status="error"),
    }
    assert Denied("approval", text) == judged(forms[around])


@pytest.mark.parametrize(("text", "kind"), PAUSES)
def test_what_waits_for_somebody_is_a_pause(text, kind):
    """The same of a call that nobody has decided on yet."""
    assert Paused(kind, text) == judged(text)
    assert Paused(kind, text) == judged({"id": "c", "name": "refund", "response": {"error": text}})


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.sampled_from(["error", "content", "status", "type", "update", "goto", "isError", "result"]), inner, max_size=4), max_leaves=12))  # fmt: skip
def test_any_result_is_judged(value):
    """No result makes the rules raise, and none but its own words decide."""
    found = judged(value)
    assert found is None or isinstance(found, (Failed, Denied, Paused))
