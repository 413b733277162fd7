"""The files that an operator copies: valid to the programs that read them, of one mind with each other, and refused when they are not."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
import sys
from base64 import b64decode
from pathlib import Path

import pytest
from fixtures import CONFIGURATION, SENDER, TOKEN, Starter, listening
from opentelemetry import metrics as api
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from otlp import metrics, request, send, span, told, total
from running import free_ports, wait_for
from watched import DASHBOARD, RULES, expressions

VARIABLE = re.compile(r"\$\{env:(\w+)")


def run(*command: object, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], capture_output=True, encoding="utf-8", check=False, timeout=60, **options)


@pytest.mark.parametrize("name", ["agent", "gateway"])
def test_the_collector_finds_nothing_wrong_with(name: str, collector_program: Path) -> None:
    """Each file as committed, with no variable set, is valid."""
    done = run(collector_program, "validate", "--config", CONFIGURATION / f"{name}.yaml", env={})
    assert (0, "") == (done.returncode, done.stderr)


def test_the_committed_module_is_what_the_manifest_says() -> None:
    """Every component of builder.yaml is required by collector/ in that version and built in, and nothing else is."""
    named = dict(re.findall(r"gomod: (\S+) (\S+)", (CONFIGURATION / "builder.yaml").read_text(encoding="utf-8")))
    module = (CONFIGURATION / "collector" / "go.mod").read_text(encoding="utf-8")
    required = dict(re.findall(r"^\t(\S+/(?:receiver|processor|connector|exporter|extension|provider)/\S+) (\S+)$", module, re.MULTILINE))
    assert named == required
    built_in = (CONFIGURATION / "collector" / "components.go").read_text(encoding="utf-8")
    main = (CONFIGURATION / "collector" / "main.go").read_text(encoding="utf-8")
    assert [] == [name for name in named if f'"{name}"' not in built_in + main]
    used = "".join((CONFIGURATION / f"{name}.yaml").read_text(encoding="utf-8") for name in ("agent", "gateway"))
    # a component's type is its module's name, but for these
    types = {"memorylimiter": "memory_limiter", "filestorage": "file_storage", "healthcheck": "health_check"}
    types |= {"spanmetrics": "span_metrics", "tailsampling": "tail_sampling"}
    for name in (name for name in named if "/provider/" not in name):
        last = re.sub("(receiver|processor|connector|exporter|extension)$", "", name.rpartition("/")[2])
        kind = "otlp_grpc" if name.endswith("/otlpexporter") else types.get(last, last)
        assert re.search(rf"^  {kind}(/\w+)?:", used, re.MULTILINE), name


def test_jaeger_finds_nothing_wrong_with_its_own(jaeger_program: Path) -> None:
    """jaeger.yaml as committed is valid, too; and a file that is not for it is refused."""
    done = run(jaeger_program, "validate", "--config", CONFIGURATION / "jaeger.yaml", env={})
    assert 0 == done.returncode, done.stderr
    assert 0 != run(jaeger_program, "validate", "--config", CONFIGURATION / "agent.yaml", env={}).returncode


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("max_elapsed_time: 0", "max_elapsed: 0"), "max_elapsed"),
        (("transform/close]", "transform/clos]"), "transform/clos"),
        (("set(span.links, nil)", "set(span.link, nil)"), "span.link"),
        (("storage: file_storage", "storage: file_storag"), "file_storag"),
    ],
)
def test_the_collector_refuses_a_slip(collector_program: Path, tmp_path: Path, change: tuple[str, str], complaint: str) -> None:
    """A name misspelt in agent.yaml is found: by `validate`, or where that does not look, when it starts."""
    text = (CONFIGURATION / "agent.yaml").read_text(encoding="utf-8")
    assert change[0] in text
    (tmp_path / "agent.yaml").write_text(text.replace(*change), encoding="utf-8")
    (tmp_path / "token").write_text("a token")
    ports = free_ports("grpc", "http", "health", "trail_metrics", "metrics")
    environment = {"AGENT_QUEUE": str(tmp_path / "queue"), "AGENT_TOKEN_FILE": str(tmp_path / "token"), **listening("AGENT", ports)}
    for verb in (["validate"], []):
        done = run(collector_program, *verb, "--config", tmp_path / "agent.yaml", env=environment)
        if done.returncode:
            break
    assert done.returncode != 0
    assert complaint in done.stderr


def test_straight_to_a_jaeger_no_token_is_looked_for(starter: Starter, tmp_path: Path) -> None:
    """One host, no gateway: with the variables that README.md names for it, agent.yaml starts where no token was ever made."""
    absent = str(tmp_path / "absent")
    agent = starter.agent(to="127.0.0.1:24317", AGENT_TOKEN_FILE=absent, AGENT_EXTENSIONS="[health_check, file_storage]")
    assert "Everything is ready" in agent.text()


def test_the_gateway_sends_to_kafka_as_well(starter: Starter, kafka_program: Path) -> None:
    """Switched on by one variable: without a broker the file is not held up, and when there is one it gets all that waited, whole."""
    (port,) = free_ports("kafka").values()
    gateway = starter.gateway(GATEWAY_AUDIT_TO="[otlp_grpc/loop, kafka/audit]", GATEWAY_KAFKA=f"127.0.0.1:{port}")
    sent = [span(n, **{"gen_ai.tool.call.result": "y" * 50_000}) for n in range(60)]
    assert 200 == send(gateway, request(*sent), name=SENDER, token=TOKEN)
    wait_for(lambda: total(metrics(gateway), "otelcol_exporter_sent_spans", 'exporter="file/audit"') == 60, gateway.text)
    assert 60 == total(metrics(gateway), "otelcol_exporter_queue_size", 'exporter="kafka/audit"')
    gateway.kill()
    gateway.start()

    command = [str(kafka_program), str(port), "tool-audit-spans"]
    kafka = starter.run(command, {}, {"kafka": port}, lambda p: p.text().startswith("ready"))

    def arrived() -> dict:
        requests = [ExportTraceServiceRequest.FromString(b64decode(line.split(" ")[1])) for line in kafka.text().splitlines()[1:]]
        return {s.span_id: s for r in requests for rs in r.resource_spans for scope in rs.scope_spans for s in scope.spans}

    wait_for(lambda: len(arrived()) == 60, lambda: gateway.text()[-3000:])
    for before in sent:
        after = arrived()[before.span_id]
        assert SENDER == told(after.attributes)["tool_audit.sender"]
        after.attributes.pop()
        # an empty status is there or not; that says nothing
        before.status.SetInParent()
        assert before == after
    assert 0 == total(metrics(gateway), "otelcol_exporter_send_failed_spans")


def test_metrics_are_of_every_call_and_sampling_comes_after(starter: Starter, jaeger_program: Path) -> None:
    """With one per cent sampled all calls are counted by tool and outcome, all errors reach Jaeger, and the audit file has everything."""
    jaeger = starter.jaeger()
    gateway = starter.gateway(jaeger=jaeger, GATEWAY_SAMPLING_PERCENT="1")
    spans = [span(n) for n in range(200)]
    for failed in spans[:7]:
        failed.status.code = 2
    assert 200 == send(gateway, request(*spans), name=SENDER, token=TOKEN)

    def counted() -> float:
        return total(metrics(gateway, "tool_metrics"), "tool_calls_total", 'gen_ai_tool_name="get_order"')

    wait_for(lambda: counted() == 200, lambda: f"{counted()} calls are counted")
    assert 7 == total(metrics(gateway, "tool_metrics"), "tool_calls_total", 'status_code="STATUS_CODE_ERROR"')
    assert 200 == total(metrics(gateway), "otelcol_exporter_sent_spans", 'exporter="file/audit"')
    wait_for(lambda: len(traces(jaeger)) >= 7, "the failed ones are not in Jaeger")
    assert len(traces(jaeger)) < 60
    failed_ids = {f"{n + 1:x}" for n in range(7)}
    assert failed_ids <= {trace["traceID"].lstrip("0") for trace in traces(jaeger)}


def traces(jaeger) -> list:
    return json.loads(jaeger.get("http", "/api/traces?service=shop&limit=1000"))["data"]


def test_promtool_finds_nothing_wrong_with_the_alerts(promtool: Path) -> None:
    """The rules are valid, and Prometheus' configuration that loads them is."""
    for done in (run(promtool, "check", "rules", RULES), run(promtool, "check", "config", CONFIGURATION / "prometheus" / "prometheus.yaml")):
        assert 0 == done.returncode, done.stderr
    assert "13 rules found" in done.stdout


def test_each_alert_fires_when_it_should_and_only_then(promtool: Path) -> None:
    """For each there are series that must raise it, and others that must not."""
    cases = Path(__file__).with_name("alerts_test.yaml")
    named = set(re.findall(r"- alert: (\w+)", RULES.read_text(encoding="utf-8")))
    assert named == set(re.findall(r"alertname: (\w+)", cases.read_text(encoding="utf-8")))
    done = run(promtool, "test", "rules", cases)
    assert 0 == done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(("change", "verb"), [(("expr: increase(", "expr: increase(("), "check"), (("> 0.5", "> 0.7"), "test")])
def test_promtool_refuses_a_slip(promtool: Path, tmp_path: Path, change: tuple[str, str], verb: str) -> None:
    """An expression that is none is found by checking, a threshold that is wrong by testing."""
    (tmp_path / "alerts.yaml").write_text(RULES.read_text(encoding="utf-8").replace(*change), encoding="utf-8")
    cases = Path(__file__).with_name("alerts_test.yaml").read_text(encoding="utf-8")
    (tmp_path / "test.yaml").write_text(cases.replace("../../collector-config/prometheus/alerts.yaml", "alerts.yaml"), encoding="utf-8")
    assert run(promtool, verb, "rules", tmp_path / ("alerts.yaml" if verb == "check" else "test.yaml")).returncode != 0


def test_the_dashboard_s_expressions_are_valid(promtool: Path, tmp_path: Path) -> None:
    """Prometheus can read every one; no two panels overlap or share an id."""
    rules = [{"record": f"panel:{n}", "expr": e} for n, e in enumerate(expressions())]
    assert len(rules) > 15
    (tmp_path / "rules.yaml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = run(promtool, "check", "rules", tmp_path / "rules.yaml")
    assert 0 == done.returncode, done.stdout + done.stderr
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    assert len(panels) == len({p["id"] for p in panels})
    cells = [(x, y) for p in panels for g in [p["gridPos"]] for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])]
    assert len(cells) == len(set(cells))


def test_every_metric_that_is_asked_for_exists(starter: Starter, tmp_path: Path) -> None:
    """Names in alerts and dashboard are names that running Collectors, and the package through one, really give."""
    gateway = starter.gateway()
    agent = starter.agent(gateway=gateway)
    stranger = starter.agent(gateway=gateway, token="wrong")
    full = starter.agent(gateway=gateway)
    resource.prlimit(full.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    for program in (agent, stranger, full):
        send(program, request(*(span(n, padding="x" * 1000) for n in range(50))))

    exporter = OTLPMetricExporter(endpoint=f"http://{agent.address('http')}/v1/metrics")
    provider = MeterProvider([PeriodicExportingMetricReader(exporter)], Resource({"service.name": "shop", "secret": "hunter2"}))
    meter: api.Meter = provider.get_meter("otel_tool_audit")
    from otel_tool_audit.setup.metrics import COUNTS, FREE, SECONDS  # noqa: PLC0415 - the names are what is tested

    for name, (unit, description) in COUNTS.items():
        meter.create_counter(f"tool_audit.{name}", unit, description).add(1, {"tool_audit.trail_id": "a" * 32})
    meter.create_counter(SECONDS, "s").add(1)
    meter.create_gauge(FREE, "By").set(1)
    meter.create_counter("somebody.else").add(1)
    provider.shutdown()

    def there() -> set[str]:
        pages = [metrics(p) for p in (gateway, agent, stranger, full)] + [metrics(gateway, "tool_metrics"), metrics(agent, "trail_metrics")]
        return {"up"}.union(*pages)

    text = "\n".join([*re.findall(r"^ +expr: (.*)$", RULES.read_text(encoding="utf-8"), re.MULTILINE), *expressions()])
    asked = set(re.findall(r"\b(?:up|(?:otelcol|tool|tool_audit)_[a-z_]+)\b(?=[{\[ )<>]|$)", re.sub(r'"[^"]*"', '""', text), re.MULTILINE))
    assert len(asked) > 15
    wait_for(lambda: asked <= there(), lambda: f"these are not given by anything: {sorted(asked - there())}")
    page = agent.get("trail_metrics", "/metrics")
    assert "somebody_else" not in page
    assert "hunter2" not in page
    assert 'job="shop"' in page


def test_a_trail_s_counters_can_be_read_from_its_host_s_collector(starter: Starter, tmp_path: Path) -> None:
    """An application with a meter provider tells how its trail is; Prometheus finds it beside the agent, without a gateway."""
    agent = starter.agent(to="127.0.0.1:9")
    shop = [sys.executable, Path(__file__).with_name("shop.py"), tmp_path / "audit", "150", "--metrics"]
    process = subprocess.Popen(shop, env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{agent.address('grpc')}"})
    try:
        wait_for(lambda: total(metrics(agent, "trail_metrics"), "tool_audit_calls_total", 'instance="shop-1"') > 20, agent.text)
        page = metrics(agent, "trail_metrics")
        assert total(page, "tool_audit_recorded_total", 'job="shop"') > 20
        assert 0 == total(page, "tool_audit_refused_total") == total(page, "tool_audit_lost_total")
        assert total(page, "tool_audit_free_bytes") > 0
        process.wait(60)
    finally:
        process.kill()
        process.wait()


def test_compose_is_read_as_docker_reads_it_and_names_what_exists(compose: Path, collector_program: Path) -> None:
    """Files that are mounted are there, variables that are set are read by the file they are for, and versions are those tested."""
    done = run(compose, "--format", "json", CONFIGURATION / "compose.yaml", cwd=CONFIGURATION)
    assert 0 == done.returncode, done.stderr
    model = json.loads(done.stdout)
    services = model["services"]
    assert {s["source"] for service in services.values() for s in service.get("secrets", ())} == model["secrets"].keys()
    assert {"agent", "gateway", "jaeger", "prometheus", "grafana"} == services.keys()
    version = re.search(r"version: ([\d.]+)", (CONFIGURATION / "builder.yaml").read_text(encoding="utf-8"))[1]
    for name, service in services.items():
        assert re.fullmatch(r"[a-z/-]+:v?\d+\.\d+\.\d+", service["image"])
        assert [] == [v["source"] for v in service["volumes"] if v["type"] == "bind" and not Path(v["source"]).exists()]
        if name in {"agent", "gateway", "jaeger"}:
            read = VARIABLE.findall((CONFIGURATION / f"{name}.yaml").read_text(encoding="utf-8"))
            assert set(service["environment"]) <= set(read)
        if name in {"agent", "gateway"}:
            assert service["image"].endswith(f":{version}")
    assert f"version {version}" in run(collector_program, "--version").stdout


@pytest.mark.parametrize("change", [("restart:", "restarts:"), ("127.0.0.1:4317:4317", "127.0.0.1:4317:http")])
def test_compose_refuses_a_slip(compose: Path, tmp_path: Path, change: tuple[str, str]) -> None:
    """A key that does not exist, a port that is none."""
    (tmp_path / "compose.yaml").write_text((CONFIGURATION / "compose.yaml").read_text(encoding="utf-8").replace(*change), encoding="utf-8")
    assert run(compose, tmp_path / "compose.yaml").returncode != 0


def test_the_lists_of_secret_names_are_one_list() -> None:
    """OTTL and redaction cannot share a pattern, so each is written several times; they must not drift apart."""
    text = (CONFIGURATION / "agent.yaml").read_text(encoding="utf-8").replace("\\\\", "\\")
    lists = re.findall(r"\[a-z0-9_\.-\]\*\((\?:passw.*?cvc)\)", text)
    assert [4, 7] == sorted(lists.count(one) for one in set(lists))


def test_the_readme_s_commands_make_what_the_programs_need(starter: Starter, tmp_path: Path) -> None:
    """Certificate, token and senders made as README.md says let a span through from a Collector to the gateway."""
    commands, trial = re.findall(r"^```sh\n(.*?)^```$", (CONFIGURATION / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    done = run("bash", "-euo", "pipefail", "-c", commands, cwd=tmp_path)
    assert 0 == done.returncode, done.stderr
    made = {p.name: str(p) for p in (tmp_path / "secrets").iterdir()}
    assert {"gateway.crt", "gateway.key", "agent.token", "senders"} == made.keys()
    gateway = starter.gateway(GATEWAY_CERT=made["gateway.crt"], GATEWAY_KEY=made["gateway.key"], GATEWAY_SENDERS=made["senders"])
    agent = starter.agent(gateway=gateway, name="agent-1", AGENT_TOKEN_FILE=made["agent.token"])
    assert 200 == send(agent, request(span(1)))
    wait_for(lambda: total(metrics(gateway), "otelcol_exporter_sent_spans", 'exporter="file/audit"') == 1, agent.text)
    if shutil.which("curl") is None:
        return
    here = trial.replace("gateway:4318", f"localhost:{gateway.ports['http']}")
    assert "200\n" == run("bash", "-c", here, cwd=tmp_path).stdout
    assert "401\n" == run("bash", "-c", here.replace("agent-1:", "agent-1:x"), cwd=tmp_path).stdout


def test_every_variable_is_described() -> None:
    """README.md says what each variable of the configurations is for."""
    readme = (CONFIGURATION / "README.md").read_text(encoding="utf-8")
    for name in ("agent", "gateway", "jaeger"):
        variables = set(VARIABLE.findall((CONFIGURATION / f"{name}.yaml").read_text(encoding="utf-8")))
        assert [] == sorted(v for v in variables if f"`{v}`" not in readme)
