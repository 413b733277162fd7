"""smolagents: instrumented by OpenInference."""

from __future__ import annotations

import common
from smolagents import ChatMessage, Model, ToolCallingAgent, tool
from smolagents.models import ChatMessageToolCall, ChatMessageToolCallFunction, MessageRole

common.configured()
common.instrument("smolagents", "SmolagentsInstrumentor")


class Stub(Model):
    """Asks for one tool after the other."""

    def __init__(self):
        super().__init__(model_id="stub-model")
        self.turn = 0

    def generate(self, messages, **kwargs):
        turn, self.turn = self.turn, self.turn + 1
        if turn < len(common.ASKED):
            call_id, name, arguments = common.ASKED[turn]
        else:
            call_id, name, arguments = "call_9", "final_answer", {"answer": "done"}
        asked = ChatMessageToolCall(id=call_id, type="function", function=ChatMessageToolCallFunction(name=name, arguments=arguments))
        return ChatMessage(role=MessageRole.ASSISTANT, content="", tool_calls=[asked])


agent = ToolCallingAgent(tools=[tool(common.get_order), tool(common.cancel_order)], model=Stub(), name="support", verbosity_level=0)
common.run(lambda: agent.run("Where is ORD-123? Cancel ORD-456."))
