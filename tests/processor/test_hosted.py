"""Calls that the model's provider ran itself: on record although nobody here ran them, and marked as such."""

from __future__ import annotations

import json

import pytest

MODEL = {"openinference.span.kind": "LLM", "llm.model_name": "m-main"}
AGENT = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "main"}
FOUND = [{"type": "text", "text": "sunny"}]

ANSWERS = {
    "OpenAI, web search": ({"output": [{"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "weather"}}]}, "web_search", "ws_1", "success"),
    "OpenAI, code": ({"output": [{"type": "code_interpreter_call", "id": "ci_1", "status": "completed", "code": "1/0", "outputs": [{"type": "logs", "logs": "1"}]}]}, "code_interpreter", "ci_1", "success"),
    "OpenAI, MCP": ({"output": [{"type": "mcp_call", "id": "mcp_1", "name": "find", "server_label": "shop", "arguments": '{"q": 1}', "output": "x", "error": None}]}, "find", "mcp_1", "success"),
    "OpenAI, MCP that failed": ({"output": [{"type": "mcp_call", "id": "mcp_1", "name": "find", "arguments": "{}", "output": None, "error": {"type": "mcp_tool_execution_error", "content": FOUND}}]}, "find", "mcp_1", "error"),
    "OpenAI, MCP that asks first": ({"output": [{"type": "mcp_approval_request", "id": "mcpr_1", "name": "buy", "server_label": "shop", "arguments": '{"q": 1}'}]}, "buy", "mcpr_1", "paused"),
    "OpenAI, still at it": ({"output": [{"type": "file_search_call", "id": "fs_1", "status": "searching", "queries": ["x"]}]}, "file_search", "fs_1", "interrupted"),
    "Anthropic": ({"content": [{"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "weather"}}, {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": FOUND}]}, "web_search", "srvtoolu_1", "success"),
    "Anthropic, that failed": ({"content": [{"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}, {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"}}]}, "web_search", "srvtoolu_1", "error"),
    "Anthropic, MCP": ({"content": [{"type": "mcp_tool_use", "id": "mcptoolu_1", "name": "find", "server_name": "shop", "input": {"q": 1}}, {"type": "mcp_tool_result", "tool_use_id": "mcptoolu_1", "is_error": True, "content": FOUND}]}, "find", "mcptoolu_1", "error"),
    "Vercel": ({"toolCalls": [{"type": "tool-call", "toolCallId": "t_1", "toolName": "web_search", "input": {"q": 1}, "providerExecuted": True}]}, "web_search", "t_1", "interrupted"),
    "Pydantic AI": ([{"role": "assistant", "parts": [{"type": "tool_call", "id": "b_1", "name": "web_search", "arguments": {"q": 1}, "builtin": True}, {"type": "tool_call_response", "id": "b_1", "name": "web_search", "result": "sunny", "builtin": True}]}], "web_search", "b_1", "success"),
}  # fmt: skip


@pytest.mark.parametrize("told", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("attribute", ["output.value", "gen_ai.output.messages"])
def test_what_the_provider_ran_is_on_record(trail, tracer, attribute, told):
    """Under the provider's id, by the agent and the model, marked as run elsewhere; told of again, it is the same call."""
    said, tool, number, status = told
    with tracer.start_as_current_span("invoke_agent main", attributes=AGENT):
        for _ in range(2):
            with tracer.start_as_current_span("response", attributes=MODEL | {attribute: json.dumps(said)}) as span:
                pass
    call = trail.assert_recorded(tool, times=1, tool_call_id=number, status=status, agent="main", model="m-main", span_id=None, duration_ms=None)
    assert "run=elsewhere" in call["source"].split()
    assert ["tool_call.observed"] == [record["event"] for record in call["records"]]
    assert f"{span.get_span_context().trace_id:032x}" == call["trace_id"]


@pytest.mark.parametrize(
    "said",
    [
        {"output": [{"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "get_order", "arguments": "{}"}]},
        {"output": [{"type": "computer_call", "id": "cu_1", "call_id": "c1", "action": {"type": "click"}}]},
        {"content": [{"type": "tool_use", "id": "t1", "name": "get_order", "input": {}}]},
        {
            "tools": [{"type": "web_search"}],
            "output": [{"type": "message", "content": [{"type": "output_text", "text": 'a "web_search_call" is …'}]}],
        },
    ],
)
def test_what_runs_here_is_not_taken_for_it(trail, tracer, said):
    """A function, a computer's use, and text about such calls."""
    with tracer.start_as_current_span("response", attributes=MODEL | {"output.value": json.dumps(said)}):
        pass
    assert [] == trail.calls()


def test_what_went_in_is_no_call(trail, tracer):
    """The history that a model is given was told of when it happened."""
    said = json.dumps(ANSWERS["OpenAI, web search"][0])
    with tracer.start_as_current_span("response", attributes=MODEL | {"input.value": said, "gen_ai.input.messages": said, "llm.prompts": said}):
        pass
    assert [] == trail.calls()
