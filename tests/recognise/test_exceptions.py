"""What an exception means by its name, and by the names of its bases."""

from __future__ import annotations

import asyncio

import pytest

from otel_tool_audit.recognise.exceptions import ending
from otel_tool_audit.record.outcomes import Denied, Failed, Interrupted, Paused, Returned
from otel_tool_audit.recording.builder import ending_of
from otel_tool_audit.text import readable

PAUSES = {
    "langgraph.errors.GraphInterrupt": "answer", "NodeInterrupt": "answer", "pydantic_ai.exceptions.ApprovalRequired": "approval", "CallDeferred": "result", "ToolDeferred": "result",
    "ConfirmationRequiredError": "approval", "ToolApprovalRequired": "approval", "NeedsApproval": "approval", "HumanInputRequired": "answer", "UserInputRequiredException": "answer",
    "UrlElicitationRequiredError": "answer", "ToolInterrupt": "answer", "AgentPaused": None, "RunPausedException": None, "SuspendExecution": None, "GraphBubbleUp": None,
    "WaitForHuman": "answer", "AwaitingApproval": "approval", "ExternalExecutionRequired": "result", "HumanInTheLoopException": "answer",
}  # fmt: skip
DENIALS = {
    "ApprovalDenied": "approval",
    "ToolCallRejected": "approval",
    "UserRejectedError": "approval",
    "ToolDenied": "approval",
    "agents.ToolInputGuardrailTripwireTriggered": "guardrail",
    "PolicyViolationError": "policy",
}
CUT_OFF = [
    "CancelledError",
    "asyncio.exceptions.CancelledError",
    "concurrent.futures._base.CancelledError",
    "Cancelled",
    "TaskCancelled",
    "OperationCanceledError",
    "ToolCancelledError",
]
FAILURES = [
    "ValueError", "KeyboardInterrupt", "InterruptedError", "PermissionError", "PermissionDenied", "google.api_core.exceptions.PermissionDenied", "OrderCancelledError", "SubscriptionCanceled",
    "ModelRetry", "ToolRetryError", "HandoffError", "ContentPolicyViolationError", "InputRequired2", "AuthenticationRequired", "RefundRejected", "PaymentRequired", "GeneratorExit",
    "ToolOutputGuardrailTripwireTriggered", "AssertionError", "ApprovalTimeout",
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind"), PAUSES.items())
def test_what_a_framework_raises_to_wait_is_a_pause(name, kind):
    """The name says what is waited for; the message is what is asked."""
    assert Paused(kind, "sure?") == ending((name,), "sure?", name)


@pytest.mark.parametrize(("name", "rule"), DENIALS.items())
def test_what_says_no_is_a_denial(name, rule):
    """The name says who; the message is why."""
    assert Denied(rule, "no") == ending((name,), "no", name)


@pytest.mark.parametrize("name", CUT_OFF)
def test_a_cancelled_call_was_cut_off(name):
    """However libraries spell it."""
    assert Interrupted("cancelled", name.rpartition(".")[2]) == ending((name,), None, name)


@pytest.mark.parametrize("name", FAILURES)
def test_everything_else_is_a_failure(name):
    """Errors of tools, of the system and of interfaces may have such words in their names."""
    assert Failed("x", name) == ending((name,), "x", name)


def test_a_change_of_agents_is_no_failure():
    """LangGraph raises a command for the graph around; the call that asked for it went well."""
    assert Returned(None) == ending(("ParentCommand", "GraphBubbleUp"), "Command(goto='expert')", "ParentCommand")


def test_a_base_class_tells_what_a_name_hides():
    """An application may name its own exceptions as it likes."""
    graph = type("GraphInterrupt", (Exception,), {})
    own = type("AskTheBoss", (graph,), {})
    assert Paused("answer", "sure?") == ending_of(own("sure?"))


def test_what_is_asked_comes_out_of_the_object_around_it():
    """LangGraph's message is a tuple of interrupts; what they ask is inside."""
    message = "(Interrupt(value={'question': 'refund 5?'}, id='cd85', response_schema=None),)"
    assert Paused("answer", "{'question': 'refund 5?'}") == ending(("GraphInterrupt",), message, None)


def test_what_decides_is_told_what_the_tool_said():
    """Pydantic AI's exceptions have no message, but metadata."""
    error = type("ApprovalRequired", (Exception,), {})()
    error.metadata = {"why": "protected"}
    assert Paused("approval", {"why": "protected"}) == ending_of(error)


@pytest.mark.parametrize("error", [TimeoutError(), type("ToolTimeout", (Exception,), {})()])
def test_a_call_that_took_too_long_says_so(error):
    """Python raises that without a word."""
    assert Failed("timed out", type(error).__name__) == ending_of(error)
    assert Failed("after 5 s", "TimeoutError") == ending_of(TimeoutError("after 5 s"))


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("", "cancelled"),
        ("Cancelled via cancel scope 7f3b2c1d0a10 by <Task pending name='Task-1' coro=<main() running at /app/a.py:3>>", "cancelled"),
        ("Cancelled by cancel scope 7f3b2c1d0a10", "cancelled"),
        ("<Future at 0x7f3b2c1d0a10 state=cancelled>", "<Future>"),
        ("the user pressed stop", "the user pressed stop"),
    ],
)
def test_a_cancellation_is_told_in_words(message, words):
    """No address of an object stands in a record: it names nothing that outlives the process."""
    found = ending_of(asyncio.CancelledError(message) if message else asyncio.CancelledError())
    assert "0x" not in str(found.message)
    assert "7f3b2c" not in str(found.message)
    assert isinstance(found, Interrupted)
    assert words in {found.message, "<Future>"}


def test_addresses_are_left_out_of_any_message():
    """Where an object is shown, its class is enough."""
    assert "got <shop.Order>" == readable("got <shop.Order object at 0x7f3b2c1d0a10>")
    wallet = "wallet 0x52908400098527886E0F7030069857D2E4169EE7 is empty"
    assert wallet == readable(wallet)
    assert "a < b and c > d" == readable("a < b and c > d")
    assert "no rows in table x<y>" == readable("no rows in table x<y>")


def test_a_group_did_what_all_in_it_did():
    """One failure among them makes it a failure that names all."""
    cut = BaseExceptionGroup("g", [asyncio.CancelledError(), asyncio.CancelledError()])
    assert isinstance(ending_of(cut), Interrupted)
    mixed = BaseExceptionGroup("g", [asyncio.CancelledError(), ValueError("x")])
    assert "ValueError: x" in str(ending_of(mixed).message)
    assert isinstance(ending_of(mixed), Failed)
