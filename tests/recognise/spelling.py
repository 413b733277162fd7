"""Spans of one call as many instrumentations spell it: name, attributes, events."""

from __future__ import annotations

import json

ARGUMENTS = {"order_id": "ORD-1", "api_key": "k"}
AS_JSON = json.dumps(ARGUMENTS)
RESULT = json.dumps({"status": "shipped"})

TOLD = {
    "gen_ai": (
        "execute_tool get_order",
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "get_order",
            "gen_ai.tool.call.id": "c1",
            "gen_ai.tool.call.arguments": AS_JSON,
        },
    ),
    "gen_ai, name only in the span's": ("execute_tool get_order", {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.arguments": AS_JSON}),
    "openlit": ("execute_tool get_order", {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "get_order", "gen_ai.tool.args": AS_JSON}),
    "openinference": ("get_order", {"openinference.span.kind": "TOOL", "input.value": AS_JSON, "output.value": RESULT}),
    "openinference of smolagents": (
        "SimpleTool",
        {
            "openinference.span.kind": "TOOL",
            "tool.name": "get_order",
            "tool.parameters": '{"order_id": {"type": "string", "description": "The id."}}',
            "input.value": json.dumps({"args": [], "sanitize_inputs_outputs": True, "kwargs": ARGUMENTS}),
        },
    ),
    "openinference of agno": ("get_order", {"openinference.span.kind": "TOOL", "tool.name": "get_order", "tool.parameters": AS_JSON}),
    "openinference of llama-index": (
        "FunctionTool.acall",
        {"openinference.span.kind": "TOOL", "tool.name": "get_order", "input.value": json.dumps({"kwargs": ARGUMENTS})},
    ),
    "openinference of crewai": (
        "ToolUsage._use",
        {"openinference.span.kind": "TOOL", "tool.name": "get_order", "input.value": json.dumps({"tool_name": "get_order", "arguments": ARGUMENTS})},
    ),
    "traceloop": (
        "get_order.tool",
        {
            "traceloop.span.kind": "tool",
            "traceloop.entity.name": "get_order",
            "traceloop.entity.input": json.dumps({"args": [], "kwargs": ARGUMENTS}),
        },
    ),
    "traceloop of langchain": (
        "get_order.tool",
        {
            "traceloop.span.kind": "tool",
            "traceloop.entity.name": "get_order",
            "traceloop.entity.input": json.dumps({"input_str": str(ARGUMENTS), "tags": [], "metadata": {}, "inputs": None, "kwargs": {}}),
        },
    ),
    "langfuse": ("get_order", {"langfuse.observation.type": "tool", "langfuse.observation.input": json.dumps({"args": [], "kwargs": ARGUMENTS})}),
    "mcp server": ("tools/call get_order", {"mcp.method.name": "tools/call", "gen_ai.tool.name": "get_order", "mcp.request.argument": AS_JSON}),
    "mcp of the raw request": (
        "MCP request: tools/call get_order",
        {
            "rpc.method": "tools/call",
            "request": json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "get_order", "arguments": ARGUMENTS}}),
        },
    ),
    "pydantic-ai": (
        "running tool: get_order",
        {"gen_ai.tool.name": "get_order", "tool_arguments": AS_JSON, "logfire.msg": "running tool: get_order"},
    ),
    "logfire of openai-agents": (
        "Function: get_order",
        {"logfire.msg": "Function: get_order", "name": "get_order", "input": AS_JSON, "output": RESULT},
    ),
    "vercel ai": (
        "ai.toolCall",
        {
            "ai.operationId": "ai.toolCall",
            "operation.name": "ai.toolCall support",
            "ai.toolCall.name": "get_order",
            "ai.toolCall.id": "c1",
            "ai.toolCall.args": AS_JSON,
            "ai.toolCall.result": RESULT,
        },
    ),
    "langsmith": ("get_order", {"langsmith.span.kind": "tool", "gen_ai.prompt": json.dumps({"input": str(ARGUMENTS)}), "gen_ai.completion": RESULT}),
    "mlflow": (
        "get_order",
        {"mlflow.spanType": '"TOOL"', "mlflow.spanInputs": AS_JSON, "mlflow.spanOutputs": RESULT, "mlflow.spanFunctionName": '"get_order"'},
    ),
    "haystack": (
        "haystack.agent.step.tool",
        {"haystack.tool.name": "get_order", "haystack.agent.step.tool.input": AS_JSON, "haystack.agent.step.tool.output": RESULT},
    ),
    "agentops": (
        "get_order.tool",
        {"agentops.span.kind": "tool", "operation.name": "get_order", "tool.name": "get_order", "tool.parameters": AS_JSON, "tool.result": RESULT},
    ),
    "spring ai": (
        "tool_call get_order",
        {
            "spring.ai.kind": "tool_call",
            "gen_ai.operation.name": "framework",
            "spring.ai.tool.definition.name": "get_order",
            "spring.ai.tool.call.arguments": AS_JSON,
        },
    ),
    "braintrust": ("get_order", {"braintrust.span_attributes": json.dumps({"type": "tool", "name": "get_order"}), "braintrust.input_json": AS_JSON}),
    "laminar": ("get_order", {"lmnr.span.type": "TOOL", "lmnr.span.input": AS_JSON}),
    "genkit": ("get_order", {"genkit:type": "action", "genkit:metadata:subtype": "tool", "genkit:name": "get_order", "genkit:input": AS_JSON}),
    "google-genai": (
        "execute_tool get_order",
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "get_order",
            "code.function.parameters.order_id.type": "str",
            "code.function.parameters.order_id.value": "ORD-1",
        },
    ),
    "google-genai, in one attribute": (
        "execute_tool get_order",
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "get_order",
            "gen_ai.tool.call.arguments": json.dumps(
                {"code.function.parameters.order_id.type": "str", "code.function.parameters.order_id.value": "ORD-1"}
            ),
        },
    ),
    "livekit": (
        "function_tool",
        {"lk.function_tool.name": "get_order", "lk.function_tool.id": "c1", "lk.function_tool.arguments": AS_JSON, "lk.function_tool.output": RESULT},
    ),
    "agent universe": ("whatever", {"au.span.kind": "tool", "au.tool.name": "get_order", "au.tool.input": AS_JSON, "au.tool.status": "success"}),
    "nobody's, by its kind": ("x", {"acme.span.type": "Tool", "acme.toolName": "get_order", "acme.toolArguments": AS_JSON}),
    "nobody's, by its names": ("x", {"acme.tool_call.name": "get_order", "acme.tool_call.arguments": AS_JSON, "acme.tool_call.id": "c1"}),
    "nobody's, one attribute for each argument": ("x", {"gen_ai.tool.name": "get_order", "gen_ai.tool.arguments.order_id": "ORD-1"}),
    "python's notation": ("get_order", {"openinference.span.kind": "TOOL", "input.value": str(ARGUMENTS)}),
    "named arguments in python's notation": (
        "get_order",
        {"openinference.span.kind": "TOOL", "input.value": "GetOrder(order_id='ORD-1', api_key='k')"},
    ),
    "a mapping, against the specification": ("get_order", {"openinference.span.kind": "TOOL", "input.value": ARGUMENTS}),
    "bytes": ("get_order", {"openinference.span.kind": "TOOL", "input.value": AS_JSON.encode()}),
    "json in json": ("get_order", {"openinference.span.kind": "TOOL", "input.value": json.dumps(AS_JSON)}),
    "an envelope with id and name": (
        "get_order",
        {"openinference.span.kind": "TOOL", "input.value": json.dumps({"id": "c1", "name": "get_order", "arguments": AS_JSON, "type": "tool_call"})},
    ),
    "a list with one call": (
        "get_order",
        {"openinference.span.kind": "TOOL", "input.value": json.dumps([{"name": "get_order", "args": ARGUMENTS, "id": "c1", "type": "tool_call"}])},
    ),
    "bedrock": (
        "get_order",
        {"openinference.span.kind": "TOOL", "input.value": json.dumps({"toolUse": {"toolUseId": "c1", "name": "get_order", "input": ARGUMENTS}})},
    ),
    "a task with a tool's name and arguments": (
        "Agent.task",
        {"traceloop.span.kind": "task", "traceloop.entity.name": "Agent.task", "tool.name": "get_order", "tool.arguments": AS_JSON},
    ),
    "a name in brackets": ("tool_call [get_order]", {"gcp.vertex.agent.tool_call_args": AS_JSON}),
    "a wrapper named for itself": (
        "ToolInvoker.run",
        {
            "openinference.span.kind": "TOOL",
            "input.value": json.dumps({"messages": [{"content": [{"tool_call": {"tool_name": "get_order", "arguments": ARGUMENTS, "id": "c1"}}]}]}),
        },
    ),
    "a component": (
        "component.run",
        {
            "acme.component.type": "ToolInvoker",
            "acme.component.input": json.dumps({"tool_name": "get_order", "tool_kwargs": ARGUMENTS, "tool_id": "c1"}),
        },
    ),
    "a class and the tool": ("Tool.get_order", {"mlflow.spanType": '"TOOL"', "mlflow.spanInputs": AS_JSON}),
    "a callable": ("get_order.__call__", {"openinference.span.kind": "TOOL", "input.value": json.dumps({"kwargs": ARGUMENTS})}),
    "input beside options": (
        "get_order",
        {"openinference.span.kind": "TOOL", "tool.name": "get_order", "input.value": json.dumps({"input": ARGUMENTS, "options": None})},
    ),
    "a value with its type beside it": (
        "get_order",
        {"langwatch.span.type": "tool", "langwatch.input": json.dumps({"type": "json", "value": ARGUMENTS})},
    ),
    "arguments in attributes of their own": (
        "get_order",
        {"acme_event_type": "tool", "acme_inputs.order_id": "ORD-1", "acme_inputs.api_key": "k", "acme_metadata.user_id": "u"},
    ),
    "a kind with its family before it": (
        "agents.FunctionTool",
        {"span.type": "agentic.tool.invocation", "entity.1.name": "get_order", "entity.1.type": "tool.acme", "input": AS_JSON},
    ),
    "an event that is a call": (
        "FunctionTool.acall",
        {
            "llamaindex.step.input_event": "ToolCall",
            "llamaindex.step.input_summary": f"ToolCall(tool_name='get_order', tool_kwargs={ARGUMENTS}, tool_id='c1')",
        },
    ),
    "a component of any name": (
        "component.run",
        {
            "haystack.component.name": "desk",
            "haystack.component.type": "ToolInvoker",
            "haystack.component.input": json.dumps(
                {
                    "messages": [
                        {
                            "content": [
                                {"tool_call": {"tool_name": "get_order", "arguments": ARGUMENTS, "id": "c1"}},
                                {"tool_call": {"tool_name": "cancel_order", "arguments": {"a": 1}, "id": "c2"}},
                            ]
                        }
                    ]
                }
            ),
        },
    ),
    "a name after a colon": ("tool:get_order", {"acme.span.kind": "tool", "input": AS_JSON}),
}
"""All tell of ``get_order(order_id="ORD-1", …)``."""

NO_TOOLS = {
    "a model": ("chat gpt", {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt", "gen_ai.tool.definitions": "[]"}),
    "a chunk of a model's answer": ("model_chunk a", {"gen_ai.operation.name": "model_chunk", "acme.metadata.toolName": "get_order"}),
    "what names a tool in its metadata": ("work", {"acme.metadata.toolName": "get_order", "acme.metadata.toolCallId": "c1"}),
    "a model that names a tool": ("chat", {"openinference.span.kind": "LLM", "tool.name": "get_order"}),
    "an agent": ("invoke_agent a", {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "a"}),
    "a chain that runs tools": ("tools", {"openinference.span.kind": "CHAIN", "input.value": '[{"name": "get_order", "args": {}}]'}),
    "a task": ("execute_task tools", {"traceloop.span.kind": "task", "gen_ai.operation.name": "execute_task"}),
    "a retriever": ("search", {"openinference.span.kind": "RETRIEVER", "input.value": "x"}),
    "a list of tools": ("tools/list", {"mcp.method.name": "tools/list"}),
    "a request": ("GET /tools/call", {"http.request.method": "GET", "url.path": "/tools/call", "user.id": "u"}),
    "a query": ("SELECT tools", {"db.system": "postgresql", "db.statement": "select tool_name from tools", "status": "error"}),
    "an RPC": ("grpc", {"rpc.method": "Echo", "rpc.service": "s", "error.type": "x"}),
    "an RPC about tools": ("shop.v1.Tools/GetTool", {"rpc.method": "GetTool", "rpc.service": "shop.v1.Tools"}),
    "an RPC about tools, with its service": ("shop.v1.Tools/RunTool", {"rpc.method": "shop.v1.Tools/RunTool"}),
    "a task that has no tool": ("Agent.task", {"traceloop.span.kind": "task", "traceloop.entity.input": AS_JSON}),
    "a component that asks a model": (
        "component.run",
        {
            "haystack.component.type": "OpenAIChatGenerator",
            "haystack.component.output": json.dumps({"replies": [{"content": [{"tool_call": {"tool_name": "get_order", "arguments": ARGUMENTS}}]}]}),
        },
    ),
    "a step of an agent": ("agent.step", {"llamaindex.step.input_event": "AgentSetup", "llamaindex.step.input_summary": "AgentSetup(input=[])"}),
    "what comes after a call": (
        "agent.step",
        {
            "llamaindex.step.input_event": "ToolCallResult",
            "llamaindex.step.input_summary": "ToolCallResult(tool_name='get_order', tool_kwargs={'a': 1})",
        },
    ),
    "an agent's turn": ("agents.run", {"span.type": "agentic.turn", "entity.1.name": "support", "entity.1.type": "agent.acme"}),
    "an inference": (
        "completions.create",
        {"span.type": "inference.framework", "span.subtype": "tool_call", "entity.3.name": "get_order", "entity.3.type": "tool.function"},
    ),
    "nothing": ("work", {}),
    "pydantic-ai's group": ("running 2 tools", {"tools": ("get_order", "cancel_order")}),
}
