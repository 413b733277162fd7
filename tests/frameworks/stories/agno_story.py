"""agno: instrumented by OpenInference."""

from __future__ import annotations

import json

import common
from agno.agent import Agent
from agno.models.base import Model
from agno.models.response import ModelResponse

common.configured()
common.instrument("agno", "AgnoInstrumentor")


class Stub(Model):
    """Asks for one tool after the other."""

    turn = 0

    def invoke(self, *args, **kwargs):
        turn, self.turn = self.turn, self.turn + 1
        if turn < len(common.ASKED):
            call_id, name, arguments = common.ASKED[turn]
            call = {"id": call_id, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
            return ModelResponse(role="assistant", tool_calls=[call])
        return ModelResponse(role="assistant", content="done")

    async def ainvoke(self, *args, **kwargs):
        raise NotImplementedError

    def invoke_stream(self, *args, **kwargs):
        raise NotImplementedError

    async def ainvoke_stream(self, *args, **kwargs):
        raise NotImplementedError

    def _parse_provider_response(self, response, **kwargs):
        return response

    def _parse_provider_response_delta(self, response):
        return response


agent = Agent(name="support", model=Stub(id="stub-model"), tools=[common.get_order, common.cancel_order], telemetry=False)
common.run(lambda: agent.run("Where is ORD-123? Cancel ORD-456.").content)
