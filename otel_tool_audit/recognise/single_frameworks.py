"""
Names that single frameworks and platforms use, where they are not what the general rules would find.

Source: the frameworks' own documentation and spans: pydantic-ai (Logfire), Vercel AI SDK, Haystack, MLflow, LangSmith, Laminar,
AgentOps, Spring AI, Braintrust, Genkit, agentUniverse, google-genai, LiveKit Agents, LlamaIndex, Monocle.
"""

from __future__ import annotations

from typing import Final

from otel_tool_audit.recognise import convention as c

_SOURCES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "pydantic_ai": {c.ARGUMENTS: ("tool_arguments",), c.RESULT: ("tool_response",), c.MODEL: ("model_name",), c.AGENT: ("agent_name",)},
    "vercel_ai": {
        c.KIND: ("ai.operationId", "operation.name"),
        c.NAME: ("ai.toolCall.name",),
        c.CALL_ID: ("ai.toolCall.id",),
        c.ARGUMENTS: ("ai.toolCall.args", "ai.toolCall.input"),
        c.RESULT: ("ai.toolCall.result", "ai.toolCall.output"),
        c.MODEL: ("ai.model.id", "ai.response.model"),
        c.OUTPUT: ("ai.response.toolCalls",),
        c.USER: ("ai.telemetry.metadata.userId",),
        c.CONVERSATION: ("ai.telemetry.metadata.conversationId", "ai.telemetry.metadata.chatId", "ai.telemetry.metadata.threadId"),
        c.SESSION: ("ai.telemetry.metadata.sessionId",),
    },
    "haystack": {
        c.NAME: ("haystack.tool.name",),
        c.CALL_ID: ("haystack.tool.call.id",),
        c.ARGUMENTS: ("haystack.agent.step.tool.input", "haystack.tool.input"),
        c.RESULT: ("haystack.agent.step.tool.output", "haystack.tool.output"),
        c.FAILED: ("haystack.tool.error", "haystack.agent.step.tool.error"),
        c.OUTPUT: ("haystack.agent.step.llm.output",),
    },
    "mlflow": {
        c.KIND: ("mlflow.spanType",),
        c.LABEL: ("mlflow.spanFunctionName",),
        c.INPUT: ("mlflow.spanInputs",),
        c.OUTPUT: ("mlflow.spanOutputs",),
        c.USER: ("mlflow.trace.user",),
        c.SESSION: ("mlflow.trace.session",),
    },
    "langsmith": {
        c.KIND: ("langsmith.span.kind", "ls.run_type"),
        c.LABEL: ("langsmith.trace.name", "gen_ai.serialized.name"),
        c.INPUT: ("gen_ai.prompt", "inputs"),
        c.OUTPUT: ("gen_ai.completion", "outputs"),
        c.CONVERSATION: ("langsmith.metadata.thread_id", "langsmith.metadata.conversation_id"),
        c.SESSION: ("langsmith.metadata.session_id",),
    },
    "laminar": {c.KIND: ("lmnr.span.type",), c.INPUT: ("lmnr.span.input",), c.OUTPUT: ("lmnr.span.output",)},
    "agentops": {
        c.KIND: ("agentops.span.kind",),
        c.RESULT: ("tool.result",),
        c.LABEL: ("agentops.entity.name",),
        c.INPUT: ("agentops.entity.input",),
        c.OUTPUT: ("agentops.entity.output",),
    },
    "spring_ai": {
        c.KIND: ("spring.ai.kind",),
        c.NAME: ("spring.ai.tool.definition.name",),
        c.ARGUMENTS: ("spring.ai.tool.call.arguments",),
        c.RESULT: ("spring.ai.tool.call.result",),
    },
    "braintrust": {
        c.KIND: ("braintrust.span_attributes",),
        c.INPUT: ("braintrust.input_json", "braintrust.input"),
        c.OUTPUT: ("braintrust.output_json", "braintrust.output"),
        c.METADATA: ("braintrust.metadata",),
    },
    "genkit": {
        c.KIND: ("genkit:metadata:subtype", "genkit:type"),
        c.LABEL: ("genkit:name",),
        c.INPUT: ("genkit:input",),
        c.OUTPUT: ("genkit:output",),
        c.STATUS: ("genkit:state",),
    },
    "openai_agents": {c.SESSION: ("group_id",)},
    "google_genai": {c.RESULT: ("code.function.return.value",)},
    "llama_index": {c.KIND: ("llamaindex.step.input_event",), c.INPUT: ("llamaindex.step.input_summary",)},
    "monocle": {c.LABEL: ("entity.1.name",), c.SESSION: ("scope.agentic.session",)},
    "agno": {c.ARGUMENTS: ("tool.args", "tool.arguments")},
}

SINGLE_FRAMEWORKS: Final = tuple(c.Convention(name, sources) for name, sources in _SOURCES.items())
