"""
What an exception means: a failure, a pause, somebody's no, a change of agents, or that the call was cut off.

Frameworks raise to wait for a person, to hand over and to stop. Their names say so, and each word here is one that several of them use;
a class is known by its own name and by those of its bases, a span's exception by the one name that the span tells.

Source: LangGraph, ``langgraph.errors``; Pydantic AI, ``pydantic_ai.exceptions``; OpenAI Agents SDK, ``agents.exceptions``; MCP 2025-11-25,
"URL elicitation required"; Python, ``asyncio.CancelledError``, ``TimeoutError``; ARCHITECTURE.md, R29.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from otel_tool_audit.record.model import ANSWER, APPROVAL, RESULT
from otel_tool_audit.record.outcomes import Denied, Ending, Failed, Interrupted, Paused, Returned
from otel_tool_audit.text import readable

CANCELLED: Final = "cancelled"
TIMED_OUT: Final = "timed out"

_REQUIRED: Final = r"(?:Is)?(?:Required|Needed|Pending|Requested|Request)"
_PAUSES: Final = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        (APPROVAL, rf"(?:Approval|Confirmation|Consent){_REQUIRED}|(?:Requires?|Needs?|Await(?:s|ing)?|Pending)(?:Human|User|Tool)?(?:Approval|Confirmation|Consent)"),
        (RESULT, r"^(?:Call|Tool|ToolCall|Task|Action|Execution)Deferred|^Deferred(?:Call|Tool|Task|Execution)|^Defer(?:Call|Tool|ToolCall|Execution)|External(?:Tool)?(?:Execution|Call)"),
        (ANSWER, rf"(?:Human|User)(?:Input|Feedback|Answer|Response){_REQUIRED}|^(?:Input|Feedback){_REQUIRED}(?:Exception|Signal)?$|Elicitation{_REQUIRED}|(?:Requires?|Needs?|Await(?:s|ing)?|Pending)(?:Human|User)?(?:Input|Feedback|Answer)|^(?:Ask|WaitFor|WaitingFor|AwaitFor)(?:Human|User)|HumanInTheLoop"),
        (ANSWER, r"(?<!Keyboard)Interrupt(?:ion)?(?:Exception|Error|Signal|Raised)?$"),
        (None, r"BubbleUp(?:Exception|Error)?$|(?:^|Run|Agent|Tool|Workflow|Task|Execution|Graph)(?:Paused?|Suspend(?:ed)?|Suspension)(?:Exception|Error|Signal|Execution|Run)?$|^WaitFor|^Waiting"),
    )
)  # fmt: skip
"""What is waited for, and how frameworks name the exception that waits; the first that fits counts."""

_HANDED_OVER: Final = re.compile(r"^ParentCommand$|^Hand[oO]ff(?:Requested|Signal|Exception|To\w*)?$|^TransferTo")
_DENIALS: Final = (
    (APPROVAL, re.compile(r"(?:Approval|Confirmation|Consent|Tool|ToolCall|ToolUse|ToolExecution|User|Human)(?:Was)?(?:Denied|Rejected|Declined|Refused|NotApproved)")),
    ("guardrail", re.compile(r"InputGuardrail|GuardrailBlocked")),
    ("policy", re.compile(r"^(?:Tool)?Policy(?:Denied|Violation|Rejected|Blocked)|Tool(?:Call)?Blocked")),
)  # fmt: skip
_CUT_OFF: Final = re.compile(
    r"^(?:Task|Future|Operation|Tool|ToolCall|ToolExecution|Call|Run|Request|Execution|Job|Agent)?Cancell?ed(?:Error|Exception|ByUser)?$"
)
_LATE: Final = re.compile(r"Time(?:d)?[oO]ut(?:Error|Exception|Expired)?$|TimeLimitExceeded$|DeadlineExceeded(?:Error)?$")

_INTERRUPT_VALUE: Final = re.compile(r"\bInterrupt\(value=(.+?), (?:id|resumable|ns|when|interrupt_id|response_schema)=", re.DOTALL)
_CANCEL_TALK: Final = re.compile(
    r"\s*(?:(?:asyncio\.|concurrent\.futures\.)?(?:exceptions\.)?(?:_base\.)?Cancelled(?:Error)?(?:\(\))?:?|(?:the )?(?:task|future|call|operation) (?:was|has been|got) cancell?ed\.?|"
    r"cancell?ed(?: (?:via|by) (?:a )?(?:cancel scope|task\w*)?.*)?\.?|a task(?: (?:was|got) cancell?ed)?\.?)?\s*",
    re.IGNORECASE | re.DOTALL,
)
"""What says no more than that something was cancelled, once objects are out of it; the whole message."""


def names_of(error: BaseException) -> tuple[str, ...]:
    """Name an exception's class and its bases, the class first."""
    return tuple(kind.__name__ for kind in type(error).__mro__ if issubclass(kind, BaseException) and kind not in {Exception, BaseException})


def ending(names: Sequence[str], message: str | None, kind: str | None) -> Ending:
    """
    Tell how a call ended by what was raised.

    Args:
        names: Of the exception's class, and of its bases where they are known; a module may stand before each.
        message: In words, raw; None when there are none.
        kind: What the record calls the error.
    """
    short = [name.rpartition(".")[2] for name in names]
    late = any(map(_LATE.search, short))
    meant = None if late else _meaning(short, message)
    if meant is not None:
        return meant
    words = readable(message)
    if late and (not words or words.rstrip(": ").rpartition(".")[2] in short):
        words = TIMED_OUT
    return Failed(words or (short[0] if short else kind), kind)


def _meaning(short: Iterable[str], message: str | None) -> Ending | None:
    for name in short:
        # a base tells less than what was made of it: GraphInterrupt and ParentCommand both bubble up
        if _HANDED_OVER.search(name):
            return Returned(None)
        if _CUT_OFF.search(name):
            return Interrupted(cancelled(message), name)
        for rule, pattern in _DENIALS:
            if pattern.search(name):
                return Denied(rule, readable(message) or None)
        for awaited, pattern in _PAUSES:
            if pattern.search(name):
                return Paused(awaited, asked(message))
    return None


def asked(message: str | None) -> str | None:
    """Give what is asked of whoever is waited for, out of a message that may show an object around it."""
    if message is None:
        return None
    found = _INTERRUPT_VALUE.search(message)
    return (found.group(1).strip("'\"") if found else readable(message)) or None


def is_interrupt(message: str | None) -> bool:
    """Tell whether a message is nothing but a LangGraph interrupt, whatever exception is said to carry it."""
    return message is not None and message.lstrip("([ ")[:16].startswith("Interrupt(value=") and _INTERRUPT_VALUE.search(message) is not None


def cancelled(message: str | None) -> str:
    """Say that a call was cancelled, and why where somebody gave a reason."""
    words = readable(message)
    return CANCELLED if _CANCEL_TALK.fullmatch(words) else words
