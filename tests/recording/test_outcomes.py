"""Calls that neither succeeded nor failed, from raw words to records, spans and whoever goes on with them."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.context import Context

from otel_tool_audit import attribution, semconv
from otel_tool_audit.propagation.context import current_context
from otel_tool_audit.recording import Denied, Paused, Returned, tool_spec
from otel_tool_audit.recording.recorder import Recorder
from otel_tool_audit.testing import RecordedCalls, audit_trail

SECRET = "sk-live-51H8xYzKq0AbCdEfGh"
SPEC = tool_spec("refund", redact=["card"])


@pytest.fixture
def trail() -> Any:
    with audit_trail() as found:
        yield found


def recorder_of(trail: RecordedCalls) -> Recorder:
    found = trail.audit.processor.recorder  # type: ignore[union-attr]
    assert isinstance(found, Recorder)
    return found


def begun(recorder: Recorder, number: str | None = "call_1", context: Context | None = None) -> tuple[Any, Any]:
    call, _, withheld = recorder.calls.started(SPEC, {"amount": 5, "card": "my-card"}, context or current_context(), number)
    recorder.write_started(call)
    return call, withheld


def test_a_paused_call_says_what_it_waits_for(trail: RecordedCalls) -> None:
    """Its words go through the sanitizer, its success is null, and its span tells a pause and no error."""
    recorder = recorder_of(trail)
    call, withheld = begun(recorder)
    done = recorder.calls.finished(call, SPEC, Paused("approval", f"pay with my-card and {SECRET}?"), 5_000_000, withheld)
    recorder.write_finished(done)
    found = trail.assert_recorded("refund", times=1, status="paused", outcome="paused", success=None, error=None, result_summary=None, denial=None)
    assert ("approval", True) == (found["waits_for"]["kind"], found["waits_for"]["reason"].startswith("pay with ***REDACTED***"))
    assert SECRET not in str(trail.records())
    assert {"waits_for.reason"} <= {entry["path"] for entry in found["redactions"]}
    told = semconv.stamp(done, None, "0" * 32)
    assert ("paused", "approval") == (told[semconv.OUTCOME], told[semconv.WAITS_FOR])
    assert semconv.ERROR_TYPE not in told


def test_a_denied_call_says_who_said_no(trail: RecordedCalls) -> None:
    """A rule, a reason, and a person where one is known."""
    recorder = recorder_of(trail)
    call, withheld = begun(recorder)
    done = recorder.calls.finished(call, SPEC, Denied("approval", "too much", "ada"), None, withheld)
    recorder.write_finished(done)
    found = trail.assert_recorded("refund", times=1, status="denied", success=None, duration_ms=None)
    assert {"rule": "approval", "reason": "too much", "by": "ada"} == found["denial"]
    told = semconv.stamp(done, None, "0" * 32)
    assert ("denied", "approval", "ada") == tuple(told[name] for name in (semconv.OUTCOME, semconv.DENIAL_RULE, semconv.DENIED_BY))
    assert trail.verify().ok


@pytest.mark.parametrize(
    ("later", "number", "linked"),
    [
        ({"user": "usr_1", "conversation": "conv_1"}, "call_1", True),
        ({"user": "usr_1"}, "call_1", True),
        ({"user": "usr_2", "conversation": "conv_1"}, "call_1", False),
        ({"user": "usr_1", "conversation": "conv_2"}, "call_1", False),
        ({"user": "usr_1", "conversation": "conv_1"}, "call_2", False),
        ({"user": "usr_1", "conversation": "conv_1"}, None, False),
    ],
)
def test_the_call_that_goes_on_later_is_linked(trail: RecordedCalls, later: dict[str, str], number: str | None, linked: bool) -> None:
    """The same tool under the same id goes on with the paused call; another id, user or conversation does not."""
    recorder = recorder_of(trail)
    with attribution(user="usr_1", conversation="conv_1"):
        paused, withheld = begun(recorder)
        recorder.write_finished(recorder.calls.finished(paused, SPEC, Paused(), 0, withheld))
    with attribution(**later):
        call, withheld = begun(recorder, number)
        recorder.write_finished(recorder.calls.finished(call, SPEC, Returned("done"), 0, withheld))
    found = trail.assert_recorded("refund", times=1, status="success")
    assert (paused["call_id"] if linked else None) == found["continues"]


def test_a_call_that_pauses_twice_goes_on_with_the_latter(trail: RecordedCalls) -> None:
    """Each link names the pause before it, so that a chain of pauses can be followed."""
    recorder = recorder_of(trail)
    ids = []
    for _ in range(3):
        call, withheld = begun(recorder)
        ids.append(call["call_id"])
        recorder.write_finished(recorder.calls.finished(call, SPEC, Paused("answer"), 0, withheld))
    assert [None, *ids[:2]] == [call["continues"] for call in trail.calls(order_by="timestamp")]
