"""``configure()``, what it joins and undoes, and what tells whether recording is active."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import otel_tool_audit as audit
from otel_tool_audit.diagnosis.process import diagnose
from otel_tool_audit.processor import AuditSpanProcessor, processors
from otel_tool_audit.recording import Binding, bind, unbind
from otel_tool_audit.recording.recorder import Recorder
from otel_tool_audit.settings import Settings
from otel_tool_audit.setup import exporters
from otel_tool_audit.testing import audit_trail


@pytest.fixture
def provider():
    made = TracerProvider(shutdown_on_exit=False)
    yield made
    made.shutdown()


@pytest.fixture(autouse=True)
def nothing_left(monkeypatch):
    """Spans go nowhere unless a test says so; nothing stays configured."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    yield
    audit.shutdown()
    unbind()


def test_the_same_settings_give_the_same_object(tmp_path, provider):
    """Different ones are refused, and the message names what differs."""
    made = audit.configure(tmp_path / "audit", tracer_provider=provider, durability="os")
    assert audit.configure(tmp_path / "audit", durability="os") is made
    with pytest.raises(audit.SettingsError, match="durability and tenant"):
        audit.configure(tmp_path / "audit", tenant="acme")
    with pytest.raises(audit.SettingsError, match="tracer_provider"):
        audit.configure(tmp_path / "audit", durability="os", tracer_provider=TracerProvider(shutdown_on_exit=False))


def test_without_a_path_the_variable_counts(tmp_path, provider, monkeypatch):
    """OTEL_TOOL_AUDIT_TRAIL, or an error that names it."""
    with pytest.raises(audit.SettingsError, match="OTEL_TOOL_AUDIT_TRAIL"):
        audit.configure(tracer_provider=provider)
    monkeypatch.setenv("OTEL_TOOL_AUDIT_TRAIL", str(tmp_path / "audit"))
    with audit.configure(tracer_provider=provider) as made:
        assert str(tmp_path / "audit") == made.trail.path


def test_it_adds_to_a_provider_and_undoes_all_of_it(tmp_path):
    """Processors and sampler, tracers made earlier included, are as before; the trail is closed."""
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    before = SimpleSpanProcessor(InMemorySpanExporter())
    provider.add_span_processor(before)
    tracer = provider.get_tracer("early")
    made = audit.configure(tmp_path / "audit", tracer_provider=provider, durability="os")
    assert made.provider is provider
    assert (before, made.processor) == processors(provider)
    tracer.start_span("execute_tool t", attributes={"gen_ai.operation.name": "execute_tool"}).end()
    made.shutdown()
    made.shutdown()
    assert ((before,), ALWAYS_OFF, ALWAYS_OFF) == (processors(provider), provider.sampler, tracer.sampler)
    assert made.trail.closed
    assert ["t"] == [c["tool_name"] for c in audit.TrailReader(tmp_path / "audit").calls()]
    assert audit.verify(tmp_path / "audit").completeness == "complete"
    with pytest.raises(audit.AuditUnavailable, match="configure"):
        audit.execute_tool("t", {}, lambda: 1)


def test_a_failure_on_the_way_leaves_nothing_behind(tmp_path, provider, monkeypatch):
    """The trail is closed again, and the next attempt works."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "pigeon")
    with pytest.raises(audit.SettingsError, match="OTEL_TRACES_EXPORTER='pigeon'"):
        audit.configure(tmp_path / "audit", tracer_provider=provider)
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    audit.configure(tmp_path / "audit", tracer_provider=provider)


@pytest.mark.parametrize(("name", "wrong"), [("retention", {"t": "Trail"}), ("retention", {"t": "trail"})])
def test_settings_are_checked_before_anything_is_made(tmp_path, provider, name, wrong):
    """No trail is made for settings that cannot be."""
    with pytest.raises(audit.SettingsError):
        audit.configure(tmp_path / "audit", tracer_provider=provider, **{name: wrong})
    assert not (tmp_path / "audit").exists()


def test_switched_off_it_makes_nothing(tmp_path, provider, capsys):
    """disabled=True runs tools without records, once told."""
    with audit.configure(tmp_path / "audit", tracer_provider=provider, disabled=True) as made:
        assert made.trail is None
        assert 1 == audit.execute_tool("t", {}, lambda: 1)
        assert made.flush()
    assert not (tmp_path / "audit").exists()
    assert "not recorded" in capsys.readouterr().err


def test_tools_may_have_retention_classes_of_their_own():
    """Settings and decorator beside the packaged table."""
    with audit_trail(retention={"view_labs": "healthcare"}) as trail:
        audit.execute_tool("view_labs", {}, lambda: 1)
        audit.execute_tool("charge_payment", {}, lambda: 1)
        audit.execute_tool("other", {}, lambda: 1, retention="legal")
        assert ["healthcare", "financial", "legal"] == [c["retention_class"] for c in trail.calls()]
        assert ["healthcare", "financial", "legal"] == [c["chain"] for c in trail.calls()]


def test_secret_keys_and_identifiers_of_ones_own():
    """secret_keys, keep_keys and result_identifiers reach the sanitizer and the summary."""
    with audit_trail(secret_keys=["badge"], keep_keys=["token"], result_identifiers=["sku"]) as trail:
        audit.execute_tool("t", {"badge": "7", "token": "blue"}, lambda **_: {"sku": "S-1"})
        call = trail.assert_recorded("t", arguments={"badge": "***REDACTED***", "token": "blue"})
    assert "S-1" == call["result_summary"]["sku"]


def wrong():
    return {f.name: f.remedy for f in diagnose() if not f.ok}


def test_require_active_says_what_is_off_and_how_to_mend_it(tmp_path, provider, monkeypatch):
    """Unconfigured, processor missing, provider replaced, trail closed: each is named with its remedy."""
    with pytest.raises(audit.AuditUnavailable, match=r"configure\("):
        audit.require_active()
    made = audit.configure(tmp_path / "audit", tracer_provider=provider, durability="os")
    audit.require_active()
    assert {} == wrong()
    provider._active_span_processor._span_processors = ()
    with pytest.raises(audit.AuditUnavailable, match="replaced"):
        audit.require_active()
    provider.add_span_processor(made.processor)
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    with pytest.raises(audit.AuditUnavailable, match="OTEL_SDK_DISABLED"):
        audit.require_active()
    monkeypatch.delenv("OTEL_SDK_DISABLED")
    made.trail.close()
    with pytest.raises(audit.AuditUnavailable, match="cannot be written"):
        audit.require_active()


def test_diagnosis_names_what_was_counted(tmp_path, provider):
    """Missing attribution, blocked loops, dropped spans and a dropping sampler are findings."""
    audit.configure(tmp_path / "audit", tracer_provider=provider, durability="os")
    audit.execute_tool("t", {}, lambda: 1)
    assert {"unattributed"} == set(wrong())
    trail = audit.setup.audit._current.audit.trail
    trail.counters.add("spans_dropped")
    trail.counters.add("blocked_loop")
    trail.counters.add("lost")
    provider.sampler = ALWAYS_OFF
    assert {"unattributed", "spans_dropped", "blocked_loop", "lost", "sampler"} == set(wrong())
    audit.require_active()


def test_a_logging_setup_that_disables_loggers_hides_no_warning(tmp_path, provider, capsys):
    """dictConfig() disables what it does not name unless told otherwise: warnings go to standard error, and diagnosis says so."""
    audit.configure(tmp_path / "audit", tracer_provider=provider, durability="os")
    loggers = [logging.getLogger(name) for name in ("tool_audit", "otel_tool_audit")]
    try:
        for logger in loggers:
            logger.disabled = True
        audit.execute_tool("t", {}, lambda: 1)
        assert {"loggers", "unattributed"} == set(wrong())
        assert "otel-tool-audit: the tool t was called without user, conversation or model" in capsys.readouterr().err
        audit.require_active()
    finally:
        for logger in loggers:
            logger.disabled = False


def test_switched_off_is_not_active(monkeypatch):
    """A service that must record refuses to start."""
    monkeypatch.setenv("OTEL_TOOL_AUDIT_DISABLED", "true")
    with pytest.raises(audit.AuditUnavailable, match="unset OTEL_TOOL_AUDIT_DISABLED"):
        audit.require_active()


def test_a_bound_trail_without_processor_is_not_active(tmp_path):
    """A gate alone records own calls; diagnosis says what it does not see."""
    with audit.Trail.open(tmp_path / "audit", durability="os") as trail:
        bind(Binding(Recorder(trail, Settings.resolve())))
        with pytest.raises(audit.AuditUnavailable, match="no AuditSpanProcessor"):
            audit.require_active()


def test_another_exporter_there_means_no_guessed_one(tmp_path, provider, monkeypatch):
    """A provider that exports already gets no second OTLP exporter that nobody asked for; asked for, it does."""
    monkeypatch.delenv("OTEL_TRACES_EXPORTER")
    provider.add_span_processor(SimpleSpanProcessor(InMemorySpanExporter()))
    with audit.configure(tmp_path / "audit", tracer_provider=provider) as made:
        assert made.processor.forward is None
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:9")
    with audit.configure(tmp_path / "audit", tracer_provider=provider) as made:
        assert isinstance(made.processor.forward, BatchSpanProcessor)


def exporter_of(processor):
    inner = processor.span_exporter
    return inner, type(getattr(inner, "inner", inner)).__module__


@pytest.mark.parametrize(
    ("environment", "module"),
    [
        ({}, "opentelemetry.exporter.otlp.proto.grpc.trace_exporter"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "opentelemetry.exporter.otlp.proto.http.trace_exporter"),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"},
            "opentelemetry.exporter.otlp.proto.http.trace_exporter",
        ),
        ({"OTEL_TRACES_EXPORTER": "otlp_proto_http"}, "opentelemetry.exporter.otlp.proto.http.trace_exporter"),
    ],
)
def test_otlp_goes_by_the_standard_variables(monkeypatch, environment, module):
    """GRPC by default, HTTP when asked for, in batches."""
    monkeypatch.delenv("OTEL_TRACES_EXPORTER")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    forward = exporters.forward()
    assert isinstance(forward, BatchSpanProcessor)
    assert module == exporter_of(forward)[1]
    forward.shutdown()


def test_a_wrong_protocol_is_named(monkeypatch):
    """http/json is not there."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")
    with pytest.raises(audit.SettingsError, match="OTEL_EXPORTER_OTLP_PROTOCOL"):
        exporters.forward()


def test_several_exporters(monkeypatch, capsys):
    """OTEL_TRACES_EXPORTER may name more than one; `none` and a disabled SDK export nothing."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console,console")
    forward = exporters.forward()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(forward)
    provider.get_tracer("t").start_span("seen twice").end()
    assert forward.force_flush()
    provider.shutdown()
    assert 2 == capsys.readouterr().out.count('"seen twice"')
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    assert exporters.forward() is None
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert exporters.forward() is None


def run(code, *, wait=True, **environment):
    process = subprocess.Popen([sys.executable, "-c", code], env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return process.communicate(timeout=60) if wait else process


def test_without_a_collector_a_process_ends_quietly_and_at_once(tmp_path, monkeypatch):
    """Nobody listens where spans go: no retries, no noise but one line, and the trail is whole."""
    monkeypatch.delenv("OTEL_TRACES_EXPORTER")
    with socket.socket() as unused:
        # bound and not listening: the default port may be a real Collector's
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{unused.getsockname()[1]}")
    begun = time.monotonic()
    out, err = run(f"import otel_tool_audit as a; a.configure({str(tmp_path / 'audit')!r}); print(a.execute_tool('t', {{}}, lambda: 'ran'))")
    assert time.monotonic() - begun < 15
    assert out == "ran\n"
    assert [1, 1] == [err.count("did not reach their backend"), err.count("without user, conversation")]
    assert "Traceback" not in err
    assert audit.verify(tmp_path / "audit").completeness == "complete"


def test_it_makes_a_provider_where_there_is_none(tmp_path):
    """The global provider becomes an SDK one with the service's name."""
    out, _ = run(
        f"import otel_tool_audit as a; from opentelemetry import trace; m = a.configure({str(tmp_path / 'audit')!r}, service_name='shop')\n"
        "p = trace.get_tracer_provider(); print(p is m.provider, p.resource.attributes['service.name'], m.trail.service)"
    )
    assert out == "True shop shop\n"


INSTANCE = """
import os, otel_tool_audit as a
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
kept = InMemorySpanExporter()
a.configure(PATH, service_name="shop", forward=SimpleSpanProcessor(kept))
def seen():
    a.execute_tool("t", {}, lambda: 1)
    return kept.get_finished_spans()[-1].resource.attributes["service.instance.id"]
print(seen(), flush=True)
"""


def test_processes_of_one_service_are_told_apart(tmp_path, monkeypatch):
    """Each exports a `service.instance.id` of its own; one that the environment names is kept."""
    code = INSTANCE.replace("PATH", repr(str(tmp_path / "audit")))
    one, other = (run(code)[0].strip() for _ in range(2))
    assert [36, 36] == [len(one), len(other)]
    assert one != other
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=shop-1")
    assert "shop-1\n" == run(code)[0]


@pytest.mark.skipif(not hasattr(TracerProvider, "_handle_fork"), reason="this SDK leaves a child its parent's resource")
def test_a_forked_child_is_told_apart_from_its_parent(tmp_path):
    """What the SDK gives the child is what the child exports."""
    out, _ = run(
        INSTANCE.replace("PATH", repr(str(tmp_path / "audit")))
        + "if os.fork() == 0: print(seen(), flush=True); os._exit(0)\nos.wait(); print(seen())"
    )
    parent, child, again = out.split()
    assert parent == again != child
    assert 36 == len(child)


@pytest.mark.parametrize("handler", ["", "import signal; signal.signal(signal.SIGTERM, lambda *_: print('theirs', flush=True) or exit(7))\n"])
def test_sigterm_flushes_when_asked(tmp_path, handler):
    """The trail is closed in order, then what would have happened happens."""
    process = run(
        f"{handler}import time, otel_tool_audit as a; a.configure({str(tmp_path / 'audit')!r}, flush_on_sigterm=True)\n"
        "a.execute_tool('t', {}, lambda: 1); print('up', flush=True); time.sleep(60)",
        wait=False,
    )
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == ((7, "theirs\n") if handler else (-signal.SIGTERM, ""))
    assert audit.verify(tmp_path / "audit").completeness == "complete"


def test_sigterm_in_another_thread_is_refused_and_undone_here(tmp_path, provider):
    """Python handles signals in the main thread; shutdown() puts the old handler back."""
    before = signal.getsignal(signal.SIGTERM)
    with audit.configure(tmp_path / "audit", tracer_provider=provider, flush_on_sigterm=True):
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_foreign_kind_of_provider_is_told_of(tmp_path, caplog):
    """Own tools are recorded, and the log says what is not."""
    with caplog.at_level(logging.WARNING, "otel_tool_audit"), audit.configure(tmp_path / "audit", tracer_provider=trace.NoOpTracerProvider()):
        assert 1 == audit.execute_tool("t", {}, lambda: 1)
    assert "is not the SDK's" in caplog.text
    assert ["success"] == [c["status"] for c in audit.TrailReader(tmp_path / "audit").calls()]


def test_nothing_holds_a_trail_that_was_shut_down(tmp_path, provider):
    """Configuring again and again does not fill the memory."""
    for number in range(3):
        with audit.configure(tmp_path / f"audit{number}", tracer_provider=provider, durability="os"):
            audit.execute_tool("t", {}, lambda: 1)
    gc.collect()
    alive = [o for o in gc.get_objects() if type(o) is AuditSpanProcessor and str(tmp_path) in o.recorder.trail.path]
    assert [] == alive


def test_whoever_asks_for_a_subject_need_not_know_its_tenant(tmp_path, provider):
    """Writers of two tenants, and a reader whose environment names none: each subject is found, under the tenants' own pseudonyms."""
    for tenant in ("north", "south", "north"):
        with audit.configure(tmp_path / "audit", tracer_provider=provider, durability="os", tenant=tenant), audit.attribution(subject="4711"):
            audit.execute_tool("open_chart", {}, lambda: None)
    calls = list(audit.TrailReader(tmp_path / "audit").calls(subject="4711"))
    assert 3 == len(calls)
    assert 2 == len({call["subject"] for call in calls})


def test_without_a_key_an_answer_says_who_is_not_in_it(tmp_path, provider):
    """A copy without its state directory cannot find a subject by name, and does not claim that nobody touched his data."""
    with audit.configure(tmp_path / "audit", tracer_provider=provider, durability="os"), audit.attribution(subject="4711"):
        audit.execute_tool("open_chart", {}, lambda: None)
    reader = audit.TrailReader(tmp_path / "audit", state=tmp_path / "elsewhere")
    assert [] == list(reader.calls(subject="4711"))
    assert any("no pseudonym key" in note for note in reader.notes)


def test_a_variable_that_is_nearly_a_setting_is_told_of(tmp_path, provider, monkeypatch, caplog):
    """A misspelt name does nothing, so it is said; readers' own variables are known."""
    monkeypatch.setenv("OTEL_TOOL_AUDIT_DURABILTY", "os")
    monkeypatch.setenv("OTEL_TOOL_AUDIT_INDEX", "none")
    with audit.configure(tmp_path / "audit", tracer_provider=provider):
        pass
    assert ["OTEL_TOOL_AUDIT_DURABILTY is no setting and does nothing; is OTEL_TOOL_AUDIT_DURABILITY meant?"] == caplog.messages
