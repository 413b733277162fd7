"""Real frameworks, each with its usual instrumentation, and nothing of ours but the processor and an attribution around the run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "examples" / "README.md"
pytestmark = [pytest.mark.timeout(600, func_only=True)]

# what the instrumentations of the GenAI working group need to tell arguments and results
CONTENT = {"OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental", "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY"}
EXPECTED = {
    "get_order": {
        "status": "success",
        "tool_call_id": "call_1",
        "arguments": {"order_id": "ORD-123", "api_key": "***REDACTED***"},
        "error": None,
        "error_type": None,
    },
    "cancel_order": {
        "status": "error",
        "tool_call_id": "call_2",
        "arguments": {"order_id": "ORD-456"},
        "error": "Cannot cancel shipped order",
        "error_type": "ValueError",
    },
}
ALWAYS = {"user_id": "user-alice", "user_role": "customer", "conversation_id": "conv-789", "turn_number": 1, "trigger": "user_request"}
MODEL = {"agent": "support", "model": "stub-model"}
SUMMARY = {"success": True, "order_id": "ORD-123", "status": "shipped"}

# what a framework or its instrumentation does not tell of this story; the table in examples/README.md has it in words
CASES = [
    ("pydantic_ai_story", "native", ""),
    ("pydantic_ai_story", "openinference", ""),
    ("openai_agents_story", "openinference", "error error_type"),
    ("openai_agents_story", "traceloop", "tool_call_id error error_type"),
    ("openai_agents_story", "genai", "tool_call_id model error error_type"),
    ("langchain_story", "openinference", ""),
    ("langchain_story", "traceloop", "model"),
    ("langchain_story", "genai", ""),
    ("smolagents_story", "openinference", "agent"),
    ("agno_story", "openinference", "error_type"),
]


def test_the_table_says_what_is_measured_here():
    """One line for each case, in this order, with what is hidden in its last column; and one for the MCP server's own spans."""
    rows = re.findall(r"^\| (?:Pydantic|OpenAI|LangChain|smol|agno).*?\| (.*?) \|.*\|(.*?)\|$", README.read_text(encoding="utf-8"), re.MULTILINE)
    kinds = {"its own": "native"}
    table = [(kinds.get(kind, kind.lower()), set(re.findall(r"`(\w+)`", last)) - {"final_answer"}) for kind, last in rows]
    assert [(instrumentation, set(hidden.split())) for _, instrumentation, hidden in CASES] == table[-len(CASES) :]


def wrong(call, hidden):
    """Name the facts that are neither right nor, where the framework hides them, missing."""
    expected = {**EXPECTED[call["tool_name"]], **ALWAYS, **MODEL}
    found = {name for name, value in expected.items() if call[name] != value}
    return {name for name in found if name not in hidden or (call[name] not in (None, "unknown") and not name.startswith("error"))}


@pytest.mark.parametrize(("story", "instrumentation", "hidden"), CASES)
def test_every_call_is_on_record_once_and_complete(tell, story, instrumentation, hidden):
    """Exactly one record of each call, with all that the framework tells; the failure is one, the secret is nowhere."""
    told = tell(story, instrumentation, **(CONTENT if instrumentation == "genai" else {}))
    assert ["get_order", "cancel_order"] == told.ran
    # smolagents ends a run by calling a tool for it, which is on record as any other
    calls = [call for call in told.calls() if call["tool_name"] != "final_answer"]
    assert ["get_order", "cancel_order"] == [call["tool_name"] for call in calls]
    assert [set(), set()] == [wrong(call, hidden.split()) for call in calls]
    assert SUMMARY.items() <= calls[0]["result_summary"].items()
    assert calls[1]["error"]
    assert [] == told.leaks()


@pytest.mark.parametrize(("story", "instrumentation", "hidden"), [CASES[0], CASES[5]])
def test_the_exported_tool_spans_carry_their_record(tell, story, instrumentation, hidden):
    """Who looks at a trace finds the record, by its id and its hash."""
    told = tell(story, instrumentation)
    ids = {span["attributes"].get("audit.record.id") for span in told.spans()} - {None}
    assert {call["call_id"] for call in told.calls()} == ids


def test_an_mcp_servers_own_spans_say_for_whom_they_ran(tell):
    """Version 2 of the SDK makes spans by itself: which tool, for whom and whether it failed, not with what."""
    told = tell("mcp_story", "native")
    get, cancel = told.calls()
    assert [("get_order", "success"), ("cancel_order", "error")] == [(call["tool_name"], call["status"]) for call in (get, cancel)]
    assert [ALWAYS, ALWAYS] == [{name: call[name] for name in ALWAYS} for call in (get, cancel)]
    assert [] == told.leaks()
