"""A call in one line."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_tool_audit.review.calls.timeline import line, one_line


def _call(**fields: Any) -> dict[str, Any]:
    return {
        "turn_number": 3, "tool_name": "initiate_return", "arguments": {"order_id": "ORD-456"}, "status": "success", "success": True,
        "result_summary": {"success": True, "return_id": "RET-789"}, "error": None, "error_type": None, "duration_ms": 156.0,
        "user_id": "usr_98765", "user_role": "support_agent", "agent": None, "model": "gpt-4.1", "trigger": "user_request",
    } | fields  # fmt: skip


def test_a_success_reads_as_required() -> None:
    """R15, letter by letter."""
    assert '[Turn 3] ✅ initiate_return({"order_id": "ORD-456"}) → {"success": true, "return_id": "RET-789"} [156ms]' == line(_call())


@pytest.mark.parametrize(("status", "mark"), [("error", "❌"), ("success", "✅")])
def test_the_mark_tells_what_came_of_it(status: str, mark: str) -> None:
    """Failures stand out."""
    assert line(_call(status=status, success=status == "success")).startswith(f"[Turn 3] {mark} initiate_return(")


@pytest.mark.parametrize("status", ["interrupted", "running"])
def test_a_call_without_end_says_so(status: str) -> None:
    """Neither mark of an end stands before a call that has none."""
    told = line(_call(status=status, success=None, result_summary=None, duration_ms=None))
    assert status in told
    assert not {"✅", "❌"} & set(told)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"status": "paused", "outcome": "paused", "waits_for": {"kind": "approval", "reason": "sure?"}}, '⏸ initiate_return({"order_id": "ORD-456"}) → paused, waits for approval: sure? [156ms]'),
        ({"status": "paused", "outcome": "paused", "waits_for": {"kind": None, "reason": None}}, '⏸ initiate_return({"order_id": "ORD-456"}) → paused [156ms]'),
        ({"status": "denied", "outcome": "denied", "denial": {"rule": "approval", "reason": "too much", "by": "Ada"}}, '🚫 initiate_return({"order_id": "ORD-456"}) → denied by Ada (approval): too much [156ms]'),
        ({"status": "denied", "outcome": "denied", "denial": "forged\nline"}, '🚫 initiate_return({"order_id": "ORD-456"}) → denied [156ms]'),
    ],
)  # fmt: skip
def test_what_did_not_run_says_why(fields: dict[str, Any], told: str) -> None:
    """A pause tells what it waits for, a denial who said no: neither looks like a success or a failure."""
    assert f"[Turn 3] {told}" == line(_call(success=None, result_summary=None, **fields))


def test_private_keys_of_the_summary_are_left_out() -> None:
    """Keys that begin with an underscore are the recorder's own."""
    assert "_type" not in line(_call(result_summary={"success": True, "_type": "dict", "_size": 3}))


def test_a_failure_shows_its_error() -> None:
    """What went wrong stands where the result would."""
    assert '"error": "no money"' in line(_call(status="error", success=False, result_summary=None, error="no money"))


def test_the_summary_of_who_did_what() -> None:
    """R7, letter by letter; what is not known is left out."""
    call = _call(tool_name="issue_refund")
    assert "User usr_98765 (support_agent) → gpt-4.1 → issue_refund [user_request]" == one_line(call)
    assert "User usr_98765 → triage → gpt-4.1 → issue_refund" == one_line({**call, "user_role": None, "trigger": None, "agent": "triage"})


@given(
    text=st.text(),
    other=st.recursive(st.none() | st.text() | st.integers() | st.floats(), lambda c: st.lists(c) | st.dictionaries(st.text(), c), max_leaves=5),
)
def test_no_value_forges_a_line(text: str, other: Any) -> None:
    """Whatever stands in a record, its line is one line without control characters."""
    call = _call(
        tool_name=text,
        arguments={text: other},
        result_summary={text: other},
        user_id=text,
        user_role=text,
        trigger=text,
        model=text,
        error=text,
        status="error",
    )
    for told in (line(call), one_line(call)):
        assert len(told.splitlines()) == 1
        assert not {unicodedata.category(c) for c in told} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_text_in_other_scripts_stays_readable() -> None:
    """Only what drives terminals is escaped, not the world's languages."""
    assert "Zoë 山田 😀" in line(_call(arguments={"name": "Zoë 山田 😀"}))
    assert json.dumps({"a": 1}) in line(_call(arguments={"a": 1}))
