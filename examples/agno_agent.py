"""
agno: OpenInference makes spans of its tool calls, and these become records.

Nothing is changed in the tools. The model is agno's own class for OpenAI's protocol; what answers it is a stub.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import httpx
from agno.agent import Agent
from agno.models.openai import OpenAIChat
from openinference.instrumentation.agno import AgnoInstrumentor

import otel_tool_audit as audit

wanted = iter([("get_order", {"order_id": "ORD-1"})])


def get_order(order_id: str) -> dict[str, str]:
    """
    Look an order up.

    Args:
        order_id: Which.
    """
    return {"order_id": order_id, "status": "shipped"}


def provider(_: httpx.Request) -> httpx.Response:
    """Answer as a model would: ask for one tool after the other."""
    name, arguments = next(wanted, (None, None))
    message: dict[str, Any] = {"role": "assistant", "content": "It has been shipped."}
    if name is not None:
        function = {"name": name, "arguments": json.dumps(arguments)}
        message = {"role": "assistant", "content": None, "tool_calls": [{"id": f"call_{name}", "type": "function", "function": function}]}
    answer = {"id": "c", "object": "chat.completion", "created": 0, "model": "stub-model"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    return httpx.Response(200, json={**answer, "choices": [{"index": 0, "finish_reason": "stop", "message": message}], "usage": usage})


def main(trail: str) -> None:
    client = httpx.Client(transport=httpx.MockTransport(provider))
    with audit.configure(trail, service_name="support") as audited:
        AgnoInstrumentor().instrument(tracer_provider=audited.provider)
        model = OpenAIChat(id="stub-model", api_key="none", http_client=client)
        agent = Agent(name="support", model=model, tools=[get_order], telemetry=False)
        with audit.attribution(user="usr_98765", role="customer", conversation="conv_abc123", turn=1, trigger="user_request"):
            print(agent.run("Where is ORD-1?").content)
    for call in audit.TrailReader(trail).calls():
        print(f"{call['tool_name']}: {call['status']}, {call['arguments']}, by {call['user_id']}, asked for by {call['model']}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "./audit")
