"""
OpenAI Agents SDK: a tool runs only when its start is on record, and a failure that only the model hears of is one.

The SDK turns what a tool raises into a text for the model, and its spans redact that; the gate sees the exception itself.
The model is a stub.
"""

from __future__ import annotations

import json
import sys

from agents import Agent, ModelResponse, Runner, Usage, function_tool, set_tracing_disabled
from agents.models.interface import Model
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

import otel_tool_audit as audit
from otel_tool_audit.capture.openai_agents import audited


def get_order(order_id: str, api_key: str) -> dict[str, str]:
    return {"order_id": order_id, "status": "shipped"}


def cancel_order(order_id: str) -> dict[str, str]:
    message = f"{order_id} has been shipped"
    raise ValueError(message)


WANTED = [("call_1", "get_order", {"order_id": "ORD-1", "api_key": "sk-live-51H8xYzKq0"}), ("call_2", "cancel_order", {"order_id": "ORD-1"})]


class StubModel(Model):
    """Asks for one tool after the other."""

    model = "stub-model"

    def __init__(self) -> None:
        self.turn = 0

    async def get_response(self, *_: object, **__: object) -> ModelResponse:
        """Ask for the next tool, or be done."""
        turn, self.turn = self.turn, self.turn + 1
        if turn < len(WANTED):
            call_id, name, arguments = WANTED[turn]
            item = ResponseFunctionToolCall(type="function_call", call_id=call_id, name=name, arguments=json.dumps(arguments))
        else:
            text = ResponseOutputText(type="output_text", text="It is on its way already.", annotations=[])
            item = ResponseOutputMessage(id="m", type="message", role="assistant", status="completed", content=[text])
        return ModelResponse(output=[item], usage=Usage(), response_id=None)

    def stream_response(self, *_: object, **__: object) -> object:
        """Not needed here."""
        raise NotImplementedError


def main(trail: str) -> None:
    set_tracing_disabled(True)  # the SDK's own traces go to OpenAI
    agent = Agent(name="support", model=StubModel(), tools=audited([function_tool(get_order), function_tool(cancel_order)]))
    caller = audit.attribution(user="usr_98765", role="customer", conversation="conv_abc123", turn=1, trigger="user_request")
    with audit.configure(trail, service_name="support"), caller:
        print(Runner.run_sync(agent, "Cancel ORD-1.").final_output)
    print(audit.TrailReader(trail).timeline("conv_abc123"))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "./audit")
