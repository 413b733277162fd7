"""Pydantic AI: calls that wait for approval or for a result from elsewhere, approved, denied, answered; an agent inside a tool."""

from __future__ import annotations

import asyncio

import common
from pydantic_ai import (
    Agent,
    ApprovalRequired,
    CallDeferred,
    DeferredToolRequests,
    DeferredToolResults,
    InstrumentationSettings,
    ModelRetry,
    RunContext,
    ToolDenied,
)
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel

from otel_tool_audit.capture.pydantic_ai import AuditCapability

audited = common.configured()
if common.INSTRUMENTATION != "none":
    Agent.instrument_all(InstrumentationSettings(tracer_provider=audited.provider))


def asking(name, *wanted):
    """A model that asks for calls, and is done then."""

    def answer(messages, info):
        if any(isinstance(message, ModelResponse) for message in messages):
            return ModelResponse(parts=[TextPart("done")])
        return ModelResponse(parts=[ToolCallPart(tool, args, tool_call_id=i) for i, tool, args in wanted])

    return FunctionModel(answer, model_name=name)


def agent(name, model, **more):
    made = Agent(model, name=name, output_type=[str, DeferredToolRequests], capabilities=[AuditCapability()], **more)

    @made.tool
    def refund(ctx: RunContext, amount: int) -> str:
        if not ctx.tool_call_approved:
            raise ApprovalRequired(metadata={"reason": "over the limit"})
        common.ran.append(f"refund {amount}")
        return f"refunded {amount}"

    @made.tool_plain(requires_approval=True)
    def erase(path: str) -> str:
        common.ran.append(f"erase {path}")
        return "erased"

    @made.tool_plain
    def compute(n: int) -> str:
        raise CallDeferred

    @made.tool_plain
    def look(what: str) -> str:
        common.ran.append(f"look {what}")
        return f"saw {what}"

    @made.tool_plain(retries=1)
    def again(n: int) -> str:
        raise ModelRetry("try another number")

    @made.tool_plain
    async def ask_expert(question: str) -> str:
        return (await agent("expert", asking("m-sub", ("call_in", "look", {"what": "inside"}))).run(question)).output

    return made


async def story() -> str:
    wanted = [
        ("call_r", "refund", {"amount": 5}),
        ("call_n", "refund", {"amount": 7}),
        ("call_e", "erase", {"path": "x"}),
        ("call_x", "erase", {"path": "y"}),
        ("call_d", "compute", {"n": 1}),
    ]
    made = agent("main", asking("m-main", *wanted))
    first = await made.run("go")
    results = DeferredToolResults(
        approvals={"call_r": True, "call_n": ToolDenied("too much"), "call_e": True, "call_x": False}, calls={"call_d": "42"}
    )
    await made.run(message_history=first.all_messages(), deferred_tool_results=results)
    await agent("main", asking("m-main", ("call_out", "ask_expert", {"question": "?"}))).run("ask")
    await agent("main", asking("m-main", ("call_a", "look", {"what": "x"}), ("call_b", "look", {"what": "x"}), ("call_t", "again", {"n": 1}))).run(
        "look"
    )
    return "done"


common.run(lambda: asyncio.run(story()))
