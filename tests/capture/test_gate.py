"""No durable start, no tool: whatever the reason."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from opentelemetry import context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Sampler
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

import otel_tool_audit as audit
from otel_tool_audit.capture import gate
from otel_tool_audit.recording import unbind
from otel_tool_audit.setup import configure
from otel_tool_audit.testing import audit_trail


@pytest.fixture
def ran():
    """What ran; a tool that notes its number there."""
    return []


@pytest.fixture
def tool(ran):
    return audit.tool(name="tool")(lambda n=0: ran.append(n) or {"id": n})


def test_unbound_tools_do_not_run(tool, ran):
    """Without configure() a tool raises, and the message names it."""
    with pytest.raises(audit.AuditUnavailable, match=r"configure\("):
        tool()
    assert ran == []


def test_switched_off_tools_run_and_say_so_once(tool, ran, monkeypatch, capsys):
    """DISABLED lets tools run, with one line on standard error."""
    monkeypatch.setenv("OTEL_TOOL_AUDIT_DISABLED", "true")
    tool(1)
    tool(2)
    assert ran == [1, 2]
    assert capsys.readouterr().err.count("OTEL_TOOL_AUDIT_DISABLED") == 1
    unbind()


def test_required_beats_disabled(tool, ran, monkeypatch):
    """REQUIRED=true ignores DISABLED."""
    monkeypatch.setenv("OTEL_TOOL_AUDIT_DISABLED", "true")
    monkeypatch.setenv("OTEL_TOOL_AUDIT_REQUIRED", "true")
    with pytest.raises(audit.AuditUnavailable):
        tool()
    assert ran == []


def test_a_full_disk_refuses_calls_until_it_has_room(bench, tool, ran):
    """No record, no call; the counter and the error say so; afterwards calls run again."""
    one = bench()
    one.disk.full = True
    with pytest.raises(audit.AuditUnavailable, match=r"tool was not run.*No space left"):
        tool(1)
    with pytest.raises(audit.AuditUnavailable):
        asyncio.run(audit.execute_tool("atool", {}, _never))
    one.disk.full = False
    tool(2)
    assert ran == [2]
    assert one.trail.counters["refused"] == 2
    assert one.trail.counters["lost"] == 0
    assert [2] == [c["arguments"]["n"] for c in one.calls()]


async def _never():
    raise AssertionError


def test_refused_calls_end_their_spans_as_failed(bench, tool):
    """An operator sees the refusal in the backend."""
    one = bench()
    one.disk.full = True
    with pytest.raises(audit.AuditUnavailable):
        tool(1)
    (span,) = one.exporter.get_finished_spans()
    assert span.attributes["error.type"] == "AuditUnavailable"
    assert "not run" in span.status.description


def test_an_outcome_that_cannot_be_written_costs_the_caller_nothing(bench, caplog):
    """The caller gets the result; the call stays interrupted; the loss is counted, logged and recorded as a gap."""
    one = bench()

    @audit.tool
    def fills_the_disk():
        one.disk.full = True
        return "done"

    with caplog.at_level(logging.ERROR, "otel_tool_audit"):
        assert fills_the_disk() == "done"
    assert "could not be written" in caplog.text
    assert one.trail.counters["lost"] == 1
    with pytest.raises(audit.AuditUnavailable):
        fills_the_disk()
    one.disk.full = False
    assert audit.execute_tool("next", {}, lambda: 1) == 1
    events = [r["event"] for r in audit.TrailReader(one.path).records("general")]
    assert ["tool_call.started", "trail.gap", "tool_call.started", "tool_call.finished"] == events
    one.close()
    calls = list(audit.TrailReader(one.path).calls())
    assert ["interrupted", "success"] == [c["status"] for c in calls]
    assert audit.verify(one.path).completeness == "known gaps"


def test_allow_runs_the_tool_and_owns_up_later(bench, tool, ran):
    """With `allow` the tool runs, the loss is counted, and a gap is written when the trail is back."""
    one = bench(on_unavailable="allow")
    one.disk.full = True
    assert tool(1) == {"id": 1}
    assert asyncio.run(audit.execute_tool("atool", {}, _one)) == 1
    assert ran == [1]
    assert one.trail.counters["lost"] >= 2
    one.disk.full = False
    tool(2)
    gaps = [r for r in audit.TrailReader(one.path).records("general") if r["event"] == "trail.gap"]
    assert [g["details"]["calls"] >= 2 for g in gaps] == [True]


async def _one():
    return 1


def test_a_tampered_trail_refuses(bench, tool, ran):
    """What contradicts its head is not written to, and the tool does not run."""
    one = bench()
    tool(1)
    segment = Path(one.path, "general", "000000000000.jsonl")
    segment.write_bytes(segment.read_bytes() + b'{"forged":1}\n')
    with pytest.raises(audit.AuditUnavailable, match=r"recover|forged|longer"):
        tool(2)
    assert ran == [1]


def test_a_closed_trail_refuses(bench, tool, ran):
    """After close() nothing runs unrecorded."""
    one = bench()
    one.trail.close()
    with pytest.raises(audit.AuditUnavailable, match="closed"):
        tool()
    assert ran == []


def test_a_subject_without_a_key_refuses(tmp_path, monkeypatch, ran):
    """A pseudonym that cannot be made is no reason to store the clear text, nor to run unrecorded."""
    monkeypatch.setenv("OTEL_TOOL_AUDIT_STATE", "none")
    with configure(tmp_path / "audit", state="none", tracer_provider=TracerProvider(shutdown_on_exit=False), forward=Nothing()):
        view = audit.tool(name="view", subject="patient")(lambda patient: ran.append(patient) or 1)
        with pytest.raises(audit.AuditUnavailable, match="OTEL_TOOL_AUDIT_PSEUDONYM_KEY"):
            view("4711")
    assert ran == []


class Nothing:
    def on_end(self, span): ...

    def force_flush(self, timeout_millis=0):
        return True

    def shutdown(self): ...


def test_unsampled_calls_are_recorded(bench, tool):
    """An inbound traceparent that ends in -00 drops the span, not the record."""
    one = bench()
    parent = NonRecordingSpan(SpanContext(1 << 64, 7, is_remote=True, trace_flags=TraceFlags(0)))
    token = context.attach(set_span_in_context(parent))
    tool(1)
    context.detach(token)
    (call,) = one.calls()
    assert call["status"] == "success"
    assert call["trace_id"] == f"{1 << 64:032x}"
    assert call["parent_span_id"] == f"{7:016x}"
    assert one.trail.counters["unsampled"] == 1
    assert one.exporter.get_finished_spans() == ()


class Broken(Sampler):
    def should_sample(self, *_, **__):
        raise RuntimeError("sampler")

    def get_description(self):
        return "Broken"


@pytest.mark.parametrize("provider", [None, TracerProvider(sampler=ALWAYS_OFF), TracerProvider(sampler=Broken())])
def test_whatever_provider_is_there_calls_are_recorded(bench, tool, provider):
    """Missing, replaced, dropping all or broken: the gate writes itself."""
    one = bench()
    one.processor.binding.provider = provider
    assert tool(1) == {"id": 1}
    assert ["success"] == [c["status"] for c in one.calls()]


def test_a_processor_that_raises_does_not_reach_the_caller(bench, tool):
    """Others' processors cannot fail a call."""
    one = bench()

    class Raising(Nothing):
        def on_start(self, span, parent_context=None): ...

        def _on_ending(self, span): ...

        def on_end(self, span):
            raise RuntimeError("processor")

    one.provider.add_span_processor(Raising())
    assert tool(1) == {"id": 1}
    assert ["success"] == [c["status"] for c in one.calls()]


def test_a_disabled_sdk_records_all_the_same(tmp_path):
    """OTEL_SDK_DISABLED switches spans off, not the trail."""
    code = (
        "import otel_tool_audit as a\n"
        f"with a.configure({str(tmp_path / 'audit')!r}):\n"
        "    print(a.execute_tool('t', {}, lambda: 'ran'))\n"
        "    try: a.require_active()\n"
        "    except a.AuditUnavailable as e: print(e)\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"OTEL_SDK_DISABLED": "true"}, capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert out.startswith("ran\n")
    assert "unset OTEL_SDK_DISABLED" in out
    assert ["success"] == [c["status"] for c in audit.TrailReader(tmp_path / "audit").calls()]


def test_a_tool_may_have_a_trail_of_its_own(trail, tmp_path):
    """tool(trail=…) writes there and nowhere else."""
    with audit.Trail.open(tmp_path / "other", durability="os") as other:
        audit.tool(name="apart", trail=other)(lambda: 1)()
    assert trail.calls() == []
    assert ["apart"] == [c["tool_name"] for c in audit.TrailReader(tmp_path / "other").calls()]


@pytest.mark.parametrize("durability", ["os", "fsync"])
def test_cancelling_while_the_start_is_written_keeps_the_body_from_running(bench, durability, monkeypatch):
    """The body does not run, and the record says that the call was cancelled."""
    one = bench(durability=durability)
    ran = []
    waiting = threading.Event()
    written = one.processor.recorder.write_started_async

    async def slowly(call):
        waiting.set()
        await asyncio.sleep(0.05)
        return await written(call)

    monkeypatch.setattr(one.processor.recorder, "write_started_async", slowly)

    async def body():
        ran.append(1)

    async def main():
        task = asyncio.create_task(audit.execute_tool("late", {}, body))
        while not waiting.is_set():  # noqa: ASYNC110 - set by what is patched in, not by a task
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    (call,) = one.calls()
    assert (ran, call["status"], call["error"], call["error_type"]) == ([], "interrupted", "cancelled", "CancelledError")
    assert call["duration_ms"] == 0


def test_cancelling_while_the_outcome_is_written_keeps_the_record_whole(bench, monkeypatch):
    """The tool had finished: the record says so, and the cancellation is raised after it."""
    one = bench(durability="fsync")
    waiting = threading.Event()
    written = one.processor.recorder.write_finished_async

    async def slowly(call):
        waiting.set()
        await asyncio.sleep(0.05)
        return await written(call)

    monkeypatch.setattr(one.processor.recorder, "write_finished_async", slowly)

    async def main():
        task = asyncio.create_task(audit.execute_tool("quick", {}, _one))
        while not waiting.is_set():  # noqa: ASYNC110 - set by what is patched in, not by a task
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    (call,) = one.calls()
    assert call["status"] == "success"
    assert one.exporter.get_finished_spans()[0].attributes["audit.outcome"] == "success"


def test_a_cancelled_task_does_not_wait_for_a_disk_that_hangs(monkeypatch):
    """Patience has an end: then the task is cancelled without a receipt."""
    monkeypatch.setattr(gate, "_PATIENCE", 0.05)

    async def main():
        async def forever():
            await asyncio.Event().wait()

        waiting = asyncio.create_task(gate.settled(forever()))
        await asyncio.sleep(0.01)
        waiting.cancel()
        receipt, cancelled = await waiting
        assert receipt is None
        assert isinstance(cancelled, asyncio.CancelledError)

    asyncio.run(main())


def test_missing_attribution_is_unknown_counted_and_told_once(trail, caplog):
    """Never a crash, never silent."""
    with caplog.at_level(logging.WARNING, "otel_tool_audit"):
        audit.execute_tool("lonely", {}, lambda: 1)
        audit.execute_tool("lonely", {}, lambda: 1)
    call = trail.assert_recorded("lonely", times=2)
    assert ("unknown", "unknown", "unknown") == (call["user_id"], call["conversation_id"], call["model"])
    assert trail.audit.trail.counters["unattributed"] == 2
    assert caplog.text.count("without user, conversation or model") == 1


@pytest.mark.usefixtures("who")
def test_the_span_carries_the_call_and_its_record(trail):
    """Attribution, sanitized arguments and the record's place are attributes of an ended, exported span."""
    audit.tool(name="pay", purpose="billing")(lambda order_id, api_key: {"id": 1})("ORD-1", "sk-1234567890")
    (span,) = trail.spans()
    finished = trail.records()[-1]
    expected = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "pay",
        "gen_ai.tool.call.arguments": '{"order_id":"ORD-1","api_key":"***REDACTED***"}',
        "gen_ai.tool.call.result": '{"success":true,"id":1,"_result_size":8}',
        "gen_ai.conversation.id": "conv_1",
        "gen_ai.request.model": "gpt-4.1",
        "user.id": "usr_1",
        "user.roles": ("agent",),
        "audit.record.id": finished["call_id"],
        "audit.actor.id": "usr_1",
        "audit.actor.type": "user",
        "audit.action": "execute_tool",
        "audit.outcome": "success",
        "audit.target.type": "tool",
        "audit.target.id": "pay",
        "audit.sequence.number": finished["seq"],
        "audit.sequence.previous_hash": finished["previous_hash"],
        "audit.sequence.stream_id": f"{trail.audit.trail.trail_id}/general",
        "tool_audit.hash": finished["hash"],
        "tool_audit.trigger": "user_request",
        "tool_audit.turn": 1,
        "tool_audit.purpose": "billing",
        "tool_audit.redactions": ("arguments.api_key (secret-key)",),
    }
    assert expected == dict(span.attributes)
    assert span.name == "execute_tool pay"
    assert span.kind.name == "INTERNAL"
    assert (finished["trace_id"], finished["span_id"]) == (f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}")


@pytest.mark.usefixtures("who")
def test_a_failed_span_has_a_sanitized_status_and_event(trail):
    """The exception's text is sanitized; its stack has places and no values."""

    @audit.tool
    def leaky(token):
        raise ValueError(f"bad password={token}")

    with pytest.raises(ValueError, match="hunter2"):
        leaky("hunter2hunter2")
    (span,) = trail.spans()
    (event,) = span.events
    assert span.status.description == "bad password=***REDACTED***"
    assert event.attributes["exception.message"] == "bad password=***REDACTED***"
    assert ", in leaky" in event.attributes["exception.stacktrace"]
    assert "hunter2" not in span.to_json()
    assert span.attributes["error.type"] == "ValueError"


@pytest.mark.usefixtures("who")
def test_openinference_names_are_added_when_asked_for():
    """Phoenix and the like render the call by these."""
    with audit_trail(openinference=True) as trail, audit.attribution(conversation="conv_1"):
        audit.execute_tool("add", {"a": 1}, lambda a: {"id": a})
        (span,) = trail.spans()
    assert span.attributes["openinference.span.kind"] == "TOOL"
    assert span.attributes["tool.name"] == "add"
    assert span.attributes["input.value"] == '{"a":1}'
    assert span.attributes["output.value"] == '{"success":true,"id":1,"_result_size":8}'


@pytest.mark.parametrize(
    ("known", "missing"),
    [({"conversation": "c"}, "user or model:"), ({"user": "u", "model": "m"}, "conversation:"), ({}, "user, conversation or model:")],
)
def test_the_warning_names_what_is_missing(trail, caplog, known, missing):
    """Whoever named the conversation is not told that he has not."""
    with caplog.at_level(logging.WARNING, "otel_tool_audit"), audit.attribution(**known):
        audit.execute_tool("lonely", {}, lambda: 1)
    assert f"without {missing}" in caplog.text
