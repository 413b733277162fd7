"""Auditing without a line of code: real processes, started as an operator would."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio, TraceIdRatioBased

import otel_tool_audit as audit
from otel_tool_audit import settings
from otel_tool_audit.processor import RecordAll, processors
from otel_tool_audit.setup import exporter_takeover, exporters, zero_code

AGENT = Path(__file__).parent / "agent.py"
INSTRUMENT = "from opentelemetry.instrumentation.auto_instrumentation import run; run()"

CONFIGURATION = """
file_format: "1.0"
tracer_provider:
  sampler: {SAMPLER}
  processors:
    - simple:
        exporter:
          console: {}
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the agent, with OpenTelemetry's command unless told otherwise; gives exit code, standard output and standard error."""
    if not entry_points(group="opentelemetry_pre_instrument", name="tool_audit") and os.environ.get("CI") != "true":
        pytest.skip("the entry points are not installed: pip install -e . once more")

    # whoever verifies here looks where the agent wrote
    monkeypatch.setenv("OTEL_TOOL_AUDIT_STATE", str(tmp_path / "state"))

    def start(*agent: str, options: tuple[str, ...] = (), instrumented: bool = True, **variables: str):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
        environment |= {"OTEL_TOOL_AUDIT_STATE": os.environ["OTEL_TOOL_AUDIT_STATE"], "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
        environment |= {"OTEL_TRACES_EXPORTER": "console", **variables}
        command = [sys.executable, str(AGENT), *agent]
        if instrumented:
            command = [sys.executable, "-c", INSTRUMENT, *options, *command]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False, timeout=120)
        return done.returncode, done.stdout, done.stderr

    return start


def recorded(trail):
    """Give what a trail that is whole holds."""
    found = audit.verify(trail)
    assert ("intact", "complete") == (found.integrity, found.completeness)
    return [(call["tool_name"], call["arguments"]) for call in audit.TrailReader(trail).calls()]


ONE_CALL = [("find_bed", {"ward": 3, "password": "***REDACTED***"})]


def test_an_agent_is_audited_by_variables_alone(run, tmp_path):
    """One record; the exporter that the SDK set up exports every span sanitized, and the tool's with its record's id."""
    code, out, err = run(OTEL_TOOL_AUDIT_TRAIL="audit")
    assert (0, 1, 1) == (code, out.count('"name": "execute_tool find_bed"'), out.count("audit.record.id")), err
    assert "the agent is done" in out
    assert "hunter2" not in out + err
    assert ONE_CALL == recorded(tmp_path / "audit")


def test_settings_are_options_of_the_command(run, tmp_path):
    """--tool_audit_trail is OTEL_TOOL_AUDIT_TRAIL; what the sampler drops is on record, and not exported."""
    code, out, _ = run(options=("--tool_audit_trail", "audit", "--traces_sampler", "always_off"))
    assert (0, "the agent is done\n") == (code, out)
    assert ONE_CALL == recorded(tmp_path / "audit")


def test_keys_are_no_options():
    """A command line can be read by everyone on the host."""
    options = {name for name in dir(settings) if name.startswith("OTEL_")}
    assert {"OTEL_TOOL_AUDIT_TRAIL", "OTEL_TOOL_AUDIT_REQUIRED"} <= options
    assert not {name for name in options if name.endswith("_KEY")}


def test_the_sampler_by_entry_point_exports_what_its_root_samples(run, tmp_path):
    """OTEL_TRACES_SAMPLER=tool_audit with a ratio of nothing records all, exports nothing."""
    code, out, err = run(OTEL_TOOL_AUDIT_TRAIL="audit", OTEL_TRACES_SAMPLER="tool_audit", OTEL_TRACES_SAMPLER_ARG="traceidratio=0")
    assert (0, "the agent is done\n") == (code, out), err
    assert ONE_CALL == recorded(tmp_path / "audit")


def test_the_provider_by_entry_point_needs_no_command(run, tmp_path):
    """OTEL_PYTHON_TRACER_PROVIDER=tool_audit audits a process that nobody instruments from outside."""
    code, out, err = run(instrumented=False, OTEL_TOOL_AUDIT_TRAIL="audit", OTEL_PYTHON_TRACER_PROVIDER="tool_audit")
    assert (0, 1) == (code, out.count("audit.record.id")), err
    assert "hunter2" not in out + err
    assert ONE_CALL == recorded(tmp_path / "audit")


def test_a_backend_that_the_agent_sets_up_itself_gets_sanitized_spans(run, tmp_path):
    """Processors added later are stood before, too; they still hear when spans start."""
    code, out, err = run("backend", OTEL_TOOL_AUDIT_TRAIL="audit", OTEL_TRACES_EXPORTER="none")
    assert (0, 1, 2) == (code, out.count("audit.record.id"), out.count("at its start")), err
    assert "hunter2" not in out + err
    assert "UNSANITIZED" not in err
    assert ONE_CALL == recorded(tmp_path / "audit")


@pytest.mark.skipif(find_spec("opentelemetry.configuration") is None, reason="opentelemetry-configuration needs the newest SDK")
@pytest.mark.parametrize(("sampler", "exported"), [("{always_on: }", 2), ("{always_off: }", 0), ("{tool_audit: }", 2)])
def test_a_provider_made_by_a_configuration_file_is_audited(run, tmp_path, sampler, exported):
    """OTEL_CONFIG_FILE decides sampler and exporters; its exporters get sanitized spans, and what it drops is on record."""
    (tmp_path / "otel.yaml").write_text(CONFIGURATION.replace("{SAMPLER}", sampler), encoding="utf-8")
    code, out, err = run(OTEL_TOOL_AUDIT_TRAIL="audit", OTEL_CONFIG_FILE="otel.yaml")
    assert (0, exported) == (code, out.count('"name": "execute_tool') + out.count('"name": "invoke_agent')), err
    assert "hunter2" not in out + err
    assert ONE_CALL == recorded(tmp_path / "audit")


@pytest.mark.parametrize(
    ("variables", "code", "why"),
    [
        ({"OTEL_TOOL_AUDIT_TRAIL": "a-file"}, 2, "choose a directory"),
        ({"OTEL_TOOL_AUDIT_TRAIL": ""}, 2, "OTEL_TOOL_AUDIT_TRAIL"),
        ({"OTEL_TOOL_AUDIT_TRAIL": "audit", "OTEL_SDK_DISABLED": "true"}, 3, "unset OTEL_SDK_DISABLED"),
        ({"OTEL_TOOL_AUDIT_TRAIL": "audit", "OTEL_TOOL_AUDIT_QUEUE_SIZE": "many"}, 2, "OTEL_TOOL_AUDIT_QUEUE_SIZE"),
    ],
)
def test_required_a_process_that_cannot_be_audited_does_not_start(run, tmp_path, variables, code, why):
    """One line on standard error says why; not a line of the agent runs."""
    (tmp_path / "a-file").write_text("no trail", encoding="utf-8")
    found, out, err = run(OTEL_TOOL_AUDIT_REQUIRED="true", **variables)
    assert (code, "", 1) == (found, out, err.count("\n")), err
    assert err.startswith("otel-tool-audit: auditing could not start, so this process does not: ")
    assert why in err


def test_not_required_it_says_so_and_exports_as_it_would_have(run, tmp_path):
    """Without auditing the application's spans go where they went before; standard error names the way to refuse."""
    (tmp_path / "a-file").write_text("no trail", encoding="utf-8")
    code, out, err = run(OTEL_TOOL_AUDIT_TRAIL="a-file")
    assert (0, 1, 0) == (code, out.count('"name": "execute_tool find_bed"'), out.count("audit.record.id"))
    assert "auditing could not start: " in err
    assert "OTEL_TOOL_AUDIT_REQUIRED=true" in err


def test_the_provider_by_entry_point_refuses_where_opentelemetry_went_on(run):
    """What fails in the SDK's own set-up ends in a process without telemetry; asked for a tracer, ours ends that process."""
    required = {"OTEL_TOOL_AUDIT_TRAIL": "audit", "OTEL_TOOL_AUDIT_REQUIRED": "true", "OTEL_TRACES_EXPORTER": "pigeon"}
    code, out, err = run(**required, OTEL_PYTHON_TRACER_PROVIDER="tool_audit", OTEL_PYTHON_DISTRO="of a vendor")
    assert (2, "") == (code, out)
    assert "so this process does not: OTEL_TRACES_EXPORTER='pigeon'" in err


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        ((), {"OTEL_TOOL_AUDIT_REQUIRED": "true"}),
        (("--tool_audit_required", "true"), {}),
        (("--tool_audit_required=yes",), {"OTEL_TOOL_AUDIT_REQUIRED": "false"}),
    ],
)
@pytest.mark.parametrize("failing", [{"OTEL_TRACES_EXPORTER": "pigeon"}, {"OTEL_PYTHON_ID_GENERATOR": "dice"}])
def test_required_the_command_alone_refuses_where_opentelemetry_would_go_on(run, tmp_path, options, variables, failing):
    """What fails in OpenTelemetry's own set-up is told in one line, and not a line of the agent runs."""
    if not entry_points(group="opentelemetry_distro", name="tool_audit") and os.environ.get("CI") != "true":
        pytest.skip("the entry points are not installed: pip install -e . once more")
    code, out, err = run(options=options, **{"OTEL_TOOL_AUDIT_TRAIL": "audit", "OTEL_METRICS_EXPORTER": "none", **variables, **failing})
    assert (3, "") == (code, out), err
    assert "so this process does not: OpenTelemetry's own set-up failed (" in err
    assert next(iter(failing.values())) in err
    assert not (tmp_path / "audit").exists()


def test_required_is_told_before_the_agent_starts(monkeypatch):
    """By the variable or by the command's option, and not against another distro that somebody chose."""
    monkeypatch.setenv("OTEL_PYTHON_DISTRO", "restored when the test is over")
    for required, option, distro in (
        (None, None, None),
        ("no", None, None),
        ("true", None, "tool_audit"),
        (None, "true", "tool_audit"),
        (None, "off", None),
    ):
        monkeypatch.delenv("OTEL_PYTHON_DISTRO", raising=False)
        monkeypatch.setenv("OTEL_TOOL_AUDIT_REQUIRED", required or "")
        monkeypatch.setattr("sys.argv", ["opentelemetry-instrument", *(["--tool_audit_required", option] if option else []), "python"])
        importlib.reload(importlib.import_module("otel_tool_audit.required"))
        assert distro == os.environ.get("OTEL_PYTHON_DISTRO")
    monkeypatch.setenv("OTEL_PYTHON_DISTRO", "another")
    monkeypatch.setenv("OTEL_TOOL_AUDIT_REQUIRED", "true")
    importlib.reload(importlib.import_module("otel_tool_audit.required"))
    assert "another" == os.environ["OTEL_PYTHON_DISTRO"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the oldest SDK's own, when it is imported
def test_the_distro_by_entry_point_is_the_one_that_would_have_been_taken(monkeypatch):
    """It adds nothing where auditing is not required, and stands in for none."""
    monkeypatch.delenv("OTEL_TOOL_AUDIT_REQUIRED", raising=False)
    assert "OpenTelemetryDistro" == type(zero_code.distro()).__name__


def test_installed_and_not_asked_for_it_does_nothing(run, tmp_path):
    """Without a setting the process is as if the package were not there; switched off, it says so."""
    code, out, err = run()
    assert (0, 0, "") == (code, out.count("audit.record.id"), err)
    assert [] == os.listdir(tmp_path)
    code, out, err = run(OTEL_TOOL_AUDIT_TRAIL="audit", OTEL_TOOL_AUDIT_DISABLED="true")
    assert (0, 1) == (code, out.count('"name": "execute_tool find_bed"'))
    assert "not recorded" in err
    assert not (tmp_path / "audit").exists()


def test_the_sampler_takes_the_name_of_another_one():
    """With its argument behind an equals sign; an unknown one is refused, by names that there are."""
    made = zero_code.sampler("parentbased_traceidratio=0.25")
    assert isinstance(made, RecordAll)
    assert isinstance(made.root, ParentBasedTraceIdRatio)
    assert "RecordAll{ParentBased{root:AlwaysOnSampler" in zero_code.sampler().get_description()
    assert TraceIdRatioBased(0.5).get_description() in zero_code.sampler("traceidratio=0.5").get_description()
    for wrong in ("sometimes", "tool_audit", "traceidratio", "traceidratio=2"):
        with pytest.raises(audit.SettingsError, match=f"OTEL_TRACES_SAMPLER_ARG='{wrong}'.*traceidratio"):
            zero_code.sampler(wrong)


def test_what_was_taken_can_be_given_back():
    """The provider has its own processors again, in their order."""
    provider = TracerProvider(shutdown_on_exit=False)
    first, second = (SimpleSpanProcessor(InMemorySpanExporter()) for _ in range(2))
    provider.add_span_processor(first)
    provider.add_span_processor(second)
    taken = exporter_takeover.take(provider)
    assert [first, second] == [one.inner for one in taken]
    assert (first, second) != processors(provider)
    exporter_takeover.give_back(provider, taken)
    assert (first, second) == processors(provider)
    provider.shutdown()


def test_after_shutdown_added_processors_are_none_of_its_business(tmp_path, monkeypatch):
    """While audited, an exporter that is added is stood before; afterwards it is added as it is."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    provider = TracerProvider(shutdown_on_exit=False)
    made = audit.configure(tmp_path / "audit", tracer_provider=provider, durability="os")
    exporter_takeover.take_later(provider, made.processor)
    backends = [InMemorySpanExporter() for _ in range(3)]
    provider.add_span_processor(SimpleSpanProcessor(backends[0]))
    provider.add_span_processor(SimpleSpanProcessor(backends[1]))
    provider.get_tracer("t").start_span("a", attributes={"password": "hunter2-and-more"}).end()
    made.shutdown()
    plain = SimpleSpanProcessor(backends[2])
    provider.add_span_processor(plain)
    assert plain in processors(provider)
    assert [1, 1, 0] == [len(one.get_finished_spans()) for one in backends]
    assert "***REDACTED***" == backends[1].get_finished_spans()[0].attributes["password"]
    provider.shutdown()


def test_a_backend_that_fails_takes_nothing_from_the_others():
    """Each one gets the span and is shut down; what one raised is raised when all have had their turn."""

    class Failing(SimpleSpanProcessor):
        def on_end(self, span):
            raise LookupError("the backend is gone")

        def shutdown(self):
            raise LookupError("the backend is gone")

    kept, down = InMemorySpanExporter(), []
    last = SimpleSpanProcessor(kept)
    last.shutdown = lambda: down.append(last)
    several = exporters.Several([Failing(InMemorySpanExporter()), last])
    span = TracerProvider(shutdown_on_exit=False).get_tracer("t").start_span("a")
    span.end()
    for does in (lambda: several.on_end(span), several.shutdown):
        with pytest.raises(LookupError, match="gone"):
            does()
    assert (1, [last]) == (len(kept.get_finished_spans()), down)


def test_a_misspelt_variable_does_not_keep_an_agent_off_the_record_in_silence(run, tmp_path):
    """Nothing asks for auditing then, so the agent runs; standard error names the variable and what may be meant."""
    code, _, err = run(OTEL_TOOL_AUDIT_TRIAL="audit")
    assert (0, "otel-tool-audit: OTEL_TOOL_AUDIT_TRIAL is no setting and does nothing; is OTEL_TOOL_AUDIT_TRAIL meant?\n") == (code, err)
    assert [] == os.listdir(tmp_path)
