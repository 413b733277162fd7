"""
A call in one line, for people. Pure.

Whatever a record holds, its line stays one line: control, format and separator characters are shown as escapes, so that
no value forges a line, hides text, or drives a terminal.

Source: ARCHITECTURE.md, R7, R15.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from otel_tool_audit.record.model import DENIED, INTERRUPTED, PAUSED
from otel_tool_audit.record.untrusted import mapping
from otel_tool_audit.review.calls.fold import ERROR, RUNNING, SUCCESS
from otel_tool_audit.text import as_json, printable

MARKS: Final = {SUCCESS: "✅", ERROR: "❌", INTERRUPTED: "⛔", RUNNING: "⏳", PAUSED: "⏸", DENIED: "🚫"}
_ENDINGS: Final = {INTERRUPTED: "interrupted: it started, no end is on record", RUNNING: "running"}
_AWAITED: Final = {"approval": "approval", "answer": "an answer", "result": "a result from elsewhere"}
_TEN_MS: Final = 10
_SHOWN_MS: Final = 0.05


def line(call: Mapping[str, Any]) -> str:
    """
    Show a call as a line of its conversation's timeline.

    Args:
        call: As :class:`~otel_tool_audit.review.reader.TrailReader` gives it.

    Source: ARCHITECTURE.md, R15.
    """
    turn = call.get("turn_number")
    status = str(call.get("status"))
    arguments = call.get("arguments")
    shown = why_not(call) or _ENDINGS.get(status) or as_json(_result(call))
    duration = call.get("duration_ms")
    took = f" [{_milliseconds(duration)}]" if isinstance(duration, (int, float)) else ""
    name = printable(call.get("tool_name"))
    return f"[Turn {'?' if turn is None else printable(turn)}] {MARKS.get(status, '?')} {name}({_arguments(arguments)}) → {shown}{took}"


def one_line(call: Mapping[str, Any]) -> str:
    """
    Tell in one line who did what through whom, and why.

    Args:
        call: Needs ``user_id``, ``user_role``, ``agent``, ``model``, ``tool_name``, ``trigger``; what is not known is left out.

    Source: ARCHITECTURE.md, R7.
    """
    role, agent, trigger = call.get("user_role"), call.get("agent"), call.get("trigger")
    user = printable(call.get("user_id")) + (f" ({printable(role)})" if role else "")
    through = [printable(part) for part in (agent, call.get("model"), call.get("tool_name")) if part]
    return " → ".join((f"User {user}", *through)) + (f" [{printable(trigger)}]" if trigger else "")


def why_not(call: Mapping[str, Any]) -> str | None:
    """
    Say what a paused call waits for, who denied it and why, or what cut it off; None for any other.

    Args:
        call: As :class:`~otel_tool_audit.review.reader.TrailReader` gives it.
    """
    status = call.get("status")
    if status == PAUSED:
        waits_for = mapping(call.get("waits_for"))
        kind, reason = waits_for.get("kind"), waits_for.get("reason")
        words = "paused" if kind is None else f"paused, waits for {_AWAITED.get(str(kind), printable(kind))}"
    elif status == DENIED:
        denial = mapping(call.get("denial"))
        by, rule, reason = denial.get("by"), denial.get("rule"), denial.get("reason")
        words = "denied" + (f" by {printable(by)}" if by is not None else "") + (f" ({printable(rule)})" if rule is not None else "")
    elif status == INTERRUPTED and call.get("outcome") == INTERRUPTED:
        words, reason = INTERRUPTED, call.get("error")
    else:
        return None
    return words if reason is None else f"{words}: {printable(reason)}"


def _arguments(arguments: object) -> str:
    if isinstance(arguments, Mapping) and arguments.get("_cut") is True:
        return f"… {printable(arguments.get('_size'))} bytes, cut …"
    return "" if arguments is None else as_json(arguments)


def _result(call: Mapping[str, Any]) -> dict[str, Any]:
    summary = call.get("result_summary")
    result = {k: v for k, v in summary.items() if not str(k).startswith("_")} if isinstance(summary, Mapping) else {}
    if "success" not in result:
        result = {"success": call.get("status") == SUCCESS, **result}
    if call.get("status") == ERROR and result.get("error") is None:
        result["error"] = call.get("error") if call.get("error") is not None else call.get("error_type")
    return result


def _milliseconds(duration: float) -> str:
    if duration >= _TEN_MS or duration == int(duration):
        return f"{round(duration)}ms"
    return f"{duration:.1f}ms" if duration >= _SHOWN_MS else "<0.1ms"
