"""What came of a call, when several records tell it: the last that tells it counts, and takes the others back."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from otel_tool_audit.format.events import AMENDED, FINISHED, OBSERVED, STARTED
from otel_tool_audit.record.model import new_call
from otel_tool_audit.review.calls.fold import fold

PAUSED = {"outcome": "paused", "waits_for": {"kind": "answer", "reason": None}}
DENIED = {"outcome": "denied", "denial": {"rule": None, "reason": "no", "by": None}}
WORKED = {"success": True, "result_summary": {"success": True}}
FAILED = {"success": False, "error": "boom", "error_type": "ValueError", "result_summary": {"success": False, "error": "boom"}}
CUT_OFF = {**FAILED, "outcome": "interrupted"}
TOLD: list[tuple[str, dict[str, Any]]] = [("paused", PAUSED), ("denied", DENIED), ("success", WORKED), ("error", FAILED), ("interrupted", CUT_OFF)]


def records(told: list[dict[str, Any]], event: str = OBSERVED) -> list[dict[str, Any]]:
    call = new_call("a" * 32, "refund", "2026-03-01T00:00:00.000000Z")
    return [{**call, "event": event if at == 0 else AMENDED, "seq": at, **fields} for at, fields in enumerate(told)]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([*TOLD, ("", {})]), min_size=1, max_size=5))
def test_the_last_record_that_tells_an_outcome_counts(told: list[tuple[str, dict[str, Any]]]) -> None:
    """Status, error, denial and pause are those of the last record that told any; nothing of an earlier one is left beside it."""
    call = fold(records([fields for _, fields in told])).call(lambda _: False)
    status, fields = next(((status, fields) for status, fields in reversed(told) if status), ("interrupted", {}))
    assert status == call["status"]
    if status in {"paused", "denied"}:
        left = ("success", "error", "error_type", "result_summary", "waits_for", "denial")
        assert {name: fields.get(name) for name in left} == {name: call[name] for name in left}
    elif status in {"success", "error"}:
        assert {"outcome": None, "waits_for": None, "denial": None} == {name: call[name] for name in ("outcome", "waits_for", "denial")}


def test_a_started_call_that_pauses_does_not_run_any_more() -> None:
    """Its writer may live for days: the call has ended, and waits."""
    call = new_call("a" * 32, "refund", "2026-03-01T00:00:00.000000Z")
    found = fold([{**call, "event": STARTED, "seq": 0, "writer": "b" * 32}, {**call, "event": FINISHED, "seq": 1, **PAUSED}])
    assert "paused" == found.call(lambda _: True)["status"]


def test_an_outcome_of_another_version_is_none() -> None:
    """A word that this version does not know makes no status of its own, and is shown as it stands."""
    call = fold(records([{"outcome": "postponed"}])).call(lambda _: False)
    assert ("interrupted", "postponed") == (call["status"], call["outcome"])
