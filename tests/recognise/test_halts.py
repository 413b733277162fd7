"""What a span tells of a call that waits, was refused or was cut off, however its instrumentation spells that."""

from __future__ import annotations

import json

import pytest

from otel_tool_audit.recognise import Roles, facts_of
from otel_tool_audit.record.outcomes import Denied, Interrupted, Paused

ROLES = Roles()
TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "refund", "gen_ai.tool.call.arguments": '{"amount": 5}'}
RESULT = {"gen_ai.tool.call.result": "refunded 5"}


def halt(attributes=(), events=()):
    told = {**TOOL, **dict(attributes)}
    found = facts_of("execute_tool refund", told, ROLES.found(told), events, ROLES)
    assert found is not None
    return found.halt


PAUSES = {
    "Pydantic AI": ({"pydantic_ai.tool.deferral.name": "ApprovalRequired", "pydantic_ai.tool.deferral.metadata": '{"why": "x"}'}, Paused("approval", '{"why": "x"}')),
    "Pydantic AI, elsewhere": ({"pydantic_ai.tool.deferral.name": "CallDeferred"}, Paused("result", None)),
    "a deferral of one's own": ({"acme.tool.deferral.name": "NotNow"}, Paused("result", None)),
    "an approval's state": ({"gen_ai.tool.approval.status": "pending"}, Paused("approval", None)),
    "a confirmation's state": ({"acme.confirmation.state": "awaiting"}, Paused("approval", None)),
    "a call's state": ({"tool.status": "awaiting_approval"}, Paused("approval", None)),
    "a call's state, A2A": ({"task.state": "input-required"}, Paused("answer", None)),
    "a call's state, camel case": ({"toolCall.status": "requiresAction"}, Paused(None, None)),
    "a call's state, an enum": ({"tool.status": "ToolStatus.PAUSED"}, Paused(None, None)),
    "a truth": ({"acme.requires_confirmation": True}, Paused("approval", None)),
    "a truth in words": ({"agno.tool.requires_user_input": "true"}, Paused("answer", None)),
    "an interrupt": ({"langgraph.interrupt": "sure?"}, Paused("answer", "sure?")),
    "an interrupt's reason": ({"strands.interrupt.reason": "sure?"}, Paused("answer", "sure?")),
    "waiting for a human": ({"waiting_for_human": True}, Paused("answer", None)),
    "suspended": ({"workflow.suspended": True}, Paused(None, None)),
    "an error's type": ({"error.type": "langgraph.errors.GraphInterrupt"}, Paused("answer", None)),
}  # fmt: skip


@pytest.mark.parametrize(("attributes", "told"), PAUSES.values(), ids=PAUSES)
def test_an_attribute_says_that_the_call_waits(attributes, told):
    """Any framework's words for it, each with what is waited for as far as the name says."""
    assert told == halt(attributes)


NO_PAUSES = {
    "approved": {"gen_ai.tool.approval.status": "approved"},
    "not needed": {"tool.approval.required": False},
    "not needed, in words": {"acme.requires_approval": "false"},
    "never": {"gen_ai.tool.approval.decision": "never"},
    "nothing": {"acme.interrupt": ""},
    "done": {"tool.status": "success"},
    "a mode": {"acme.approval_mode": "always_require"},
    "a configuration": {"graph.interrupt_before": "tools"},
    "a number": {"queue.pending": 3},
    "a time": {"acme.waiting_ms": 3},
    "an error": {"error.type": "ValueError"},
}


@pytest.mark.parametrize("attributes", NO_PAUSES.values(), ids=NO_PAUSES)
def test_what_has_been_decided_does_not_wait(attributes):
    """Nor does what only speaks of waiting."""
    assert halt(attributes) is None


@pytest.mark.parametrize("attributes", [{"acme.requires_confirmation": True}, {"acme.approval.id": "a1"}, {"strands.interrupt.reason": "sure?"}])
def test_a_tool_that_gave_a_result_has_not_waited(attributes):
    """That its tool needs an approval is true of every call of it, also of one that was approved and ran."""
    assert halt(attributes) is not None
    assert halt(attributes | RESULT) is None


@pytest.mark.parametrize(
    "attributes",
    [{"gen_ai.tool.approval.status": "rejected"}, {"acme.approval.decision": "denied"}, {"tool.status": "denied"}, {"error.type": "ApprovalDenied"}, {"output.value": "The tool call was denied."}],
)  # fmt: skip
def test_somebody_said_no(attributes):
    """A word, an exception or what the model was told."""
    found = halt(attributes)
    assert isinstance(found, Denied)
    assert found.rule in {"approval", None}


@pytest.mark.parametrize(
    "attributes", [{"tool.status": "cancelled"}, {"error.type": "CancelledError"}, {"error.type": "asyncio.exceptions.CancelledError"}]
)
def test_a_cancelled_call_was_cut_off(attributes):
    """Nobody says that the tool failed."""
    found = halt(attributes)
    assert isinstance(found, Interrupted)
    assert "cancelled" == found.message


EVENTS = {
    "asked": ([("tool.approval.requested", {"reason": "sure?"})], Paused("approval", "sure?")),
    "interrupted": ([("interrupt", {"value": "sure?"})], Paused("answer", "sure?")),
    "paused": ([("agent.paused", {})], Paused(None, None)),
    "deferred": ([("call.deferred", {})], Paused("result", None)),
    "asked and approved": ([("approval.requested", {}), ("approval.granted", {})], None),
    "asked and decided": ([("confirmation_required", {}), ("confirmation.response", {"decision": "approved"})], None),
    "resumed": ([("interrupt", {}), ("resumed", {})], None),
    "asked and refused": ([("human_approval", {}), ("rejected", {"reason": "too much"})], Denied("approval", "too much")),
    "refused": ([("approval.denied", {"message": "too much"})], Denied("approval", "too much")),
    "asked again": ([("approval.requested", {}), ("approval.granted", {}), ("approval.requested", {"reason": "more"})], Paused("approval", "more")),
    "raised": ([("exception", {"exception.type": "langgraph.errors.GraphInterrupt", "exception.message": "(Interrupt(value='sure?', id='1'),)"})], Paused("answer", "sure?")),
    "failed": ([("exception", {"exception.type": "ValueError", "exception.message": "approval of 5 $ missing"})], None),
    "anything": ([("gen_ai.choice", {"message": "waiting"})], None),
}  # fmt: skip


@pytest.mark.parametrize(("events", "told"), EVENTS.values(), ids=EVENTS)
def test_events_tell_in_their_order(events, told):
    """What was asked for may have been answered since."""
    assert told == halt((), events)


def test_a_result_tells_of_a_pause_in_its_envelope():
    """Google ADK answers the model in place of the tool."""
    value = json.dumps({"id": "c", "name": "refund", "response": {"error": "This tool call requires confirmation, please approve or reject."}})
    assert Paused("approval", "This tool call requires confirmation, please approve or reject.") == halt({"output.value": value})
