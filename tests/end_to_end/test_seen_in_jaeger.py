"""From a tool's call through SDK and Collectors to a real Jaeger, and back: what its API tells is what the trail has."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import jaeger_api
import pytest
from environments import interpreter
from jaeger_api import Chain
from making import lines_of, rewrite
from running import wait_for

import otel_tool_audit as audit
from otel_tool_audit.cli.app import run
from otel_tool_audit.cli.demo.script import CARD, CARRIER_KEY

ROOT = Path(__file__).parents[2]
DEMO, AGENT = "demo-shop", "support"
ATTRIBUTED = {"user.id": "user_id", "gen_ai.conversation.id": "conversation_id", "gen_ai.tool.name": "tool_name", "tool_audit.trigger": "trigger", "gen_ai.request.model": "model", "gen_ai.agent.name": "agent", "tool_audit.turn": "turn_number"}  # fmt: skip

Reconciled = Callable[..., tuple[int, dict]]


@pytest.fixture
def reconciled(capsys: pytest.CaptureFixture[str]) -> Reconciled:
    def command(trail: Path, state: Path, *arguments: object) -> tuple[int, dict]:
        capsys.readouterr()
        code = run(["reconcile", str(trail), "--state", str(state), *map(str, arguments), "--json"])
        return code, json.loads(capsys.readouterr().out)

    return command


def run_with(chain: Chain, *command: object, python: Path | str = sys.executable, **settings: str) -> None:
    """Run a program that exports to the agent's Collector, as its user would."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_") or name == "OTEL_TOOL_AUDIT_STATE"}
    environment = {**kept, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{chain.agent.address('grpc')}", "PYTHONPATH": str(ROOT), **settings}
    done = subprocess.run([python, *map(str, command)], env=environment, capture_output=True, encoding="utf-8", check=False, timeout=120)
    assert done.returncode == 0, done.stderr


def arrived(chain: Chain, service: str, number: int) -> list[dict]:
    """Wait until Jaeger has as many tool spans of a service as there should be, and give them by record."""

    def there() -> list[dict]:
        return [span for span in jaeger_api.spans(chain.jaeger, service) if "tool_audit.hash" in span["tags"]]

    wait_for(lambda: len(there()) >= number, f"Jaeger never had {number} spans of {service}")
    return there()


def agree(calls: list[dict], spans: list[dict]) -> None:
    """Every call has its span, with who called, why, with what, and where its record stands."""
    by_id = {span["tags"]["audit.record.id"]: span["tags"] for span in spans}
    assert sorted(by_id) == sorted(call["call_id"] for call in calls)
    for call in calls:
        tags = by_id[call["call_id"]]
        assert {name: tags.get(name) for name in ATTRIBUTED} == {name: call[field] for name, field in ATTRIBUTED.items()}
        assert json.loads(tags["gen_ai.tool.call.arguments"]) == call["arguments"]
        assert json.loads(tags["gen_ai.tool.call.result"]) == call["result_summary"]
        assert (tags["tool_audit.hash"], int(tags["audit.sequence.number"])) == (call["hash"], call["seq"])
        assert tags["audit.sequence.stream_id"].endswith("/" + call["chain"])
        assert ("success" if call["status"] == "success" else "failure") == tags["audit.outcome"]


def test_the_demo(chain: Chain, tmp_path: Path, reconciled: Reconciled) -> None:
    """
    Every call that ended is in Jaeger with attribution, trigger, sanitized arguments, sequence and hash; its secrets are nowhere.

    Then both agree, by Jaeger and by the gateway's file; and after a record is removed, and after the trail is written anew, they do not.
    """
    demo = tmp_path / "demo"
    run_with(chain, "-m", "otel_tool_audit", "demo", "--dir", demo)
    trail, state = demo / "audit", demo / "state"
    calls = [call for call in audit.TrailReader(trail, state=state).calls() if call["status"] in {"success", "error"}]
    agree(calls, arrived(chain, DEMO, len(calls)))
    wait_for(lambda: sum(file.read_bytes().count(b'"tool_audit.hash"') for file in chain.audit_files) >= len(calls), "the audit file is not whole")

    held = jaeger_api.everything(chain.jaeger, DEMO) + chain.kept().decode(errors="replace")
    assert "***REDACTED***" in held
    assert [] == [secret for secret in (CARRIER_KEY, CARD, CARD.replace(" ", "")) if secret in held]

    url = f"http://{chain.jaeger.address('grpc')}"
    files = [argument for file in chain.audit_files for argument in ("--otlp-file", file)]
    for backend in (["--jaeger", url], files):
        code, found = reconciled(trail, state, *backend)
        assert (0, "agrees", len(calls)) == (code, found["verdict"], found["counts"]["agreed"]), found
        assert 1 == found["counts"]["not_ended"], "the worker was killed inside its call"

    segment = trail / "financial" / "000000000000.jsonl"
    before = lines_of(segment)
    shutil.rmtree(state / "heads")
    for changed, kind in ((before[:-3], "missing in trail"), (rewrite(before, 1, user_id="usr_nobody"), "mismatched")):
        segment.write_bytes(b"".join(changed))
        for backend in (["--jaeger", url], files):
            code, found = reconciled(trail, state, *backend)
            assert 1 == code
            assert kind in {finding["kind"] for finding in found["findings"]}


def test_a_frameworks_agent(chain: Chain, tmp_path: Path, reconciled: Reconciled) -> None:
    """pydantic-ai's own spans of agent, model and tools arrive in one trace, the tools' stamped; by tag they are found."""
    trail, state = tmp_path / "audit", Path(os.environ["OTEL_TOOL_AUDIT_STATE"])
    run_with(chain, ROOT / "examples" / "pydantic_ai_agent.py", trail)
    calls = list(audit.TrailReader(trail).calls())
    assert {"get_order", "issue_refund"} == {call["tool_name"] for call in calls}
    spans = arrived(chain, AGENT, len(calls))
    assert sorted(call["call_id"] for call in calls) == sorted(span["tags"]["audit.record.id"] for span in spans)
    hashes = {record["hash"] for call in calls for record in call["records"]}
    assert {span["tags"]["tool_audit.hash"] for span in spans} <= hashes
    (trace,) = jaeger_api.traces(chain.jaeger, AGENT)
    operations = [jaeger_api.named(span["tags"]).get("gen_ai.operation.name") for span in trace["spans"]]
    assert {"invoke_agent", "chat", "execute_tool"} <= set(operations)
    for tag, value in (
        ("user.id", "usr_98765"),
        ("gen_ai.tool.name", "issue_refund"),
        ("gen_ai.conversation.id", "conv_abc123"),
        ("tool_audit.trigger", "user_request"),
    ):
        assert [trace["traceID"]] == [found["traceID"] for found in jaeger_api.traces(chain.jaeger, AGENT, {tag: value})], tag
        assert [] == jaeger_api.traces(chain.jaeger, AGENT, {tag: value + "x"})
    code, found = reconciled(trail, state, "--jaeger", f"http://{chain.jaeger.address('grpc')}")
    assert (0, len(calls)) == (code, found["counts"]["agreed"]), found


def test_failures_are_found_by_their_type(chain: Chain, tmp_path: Path) -> None:
    """`error.type` finds what failed, whether it raised or told so; the span's status and its event say what happened."""
    demo = tmp_path / "demo"
    run_with(chain, "-m", "otel_tool_audit", "demo", "--dir", demo)
    arrived(chain, DEMO, 10)

    def tagged(tag: str, value: str) -> list[dict]:
        """Those of the spans that a search by tag leads to which have the tag: Jaeger gives whole traces."""
        return [span for span in jaeger_api.spans(chain.jaeger, DEMO, {tag: value}) if span["tags"].get(tag) == value]

    (span,) = tagged("error.type", "PaymentTimeout")
    assert ("execute_tool charge_payment", "ERROR", "internal") == (
        span["operationName"],
        span["tags"]["otel.status_code"],
        span["tags"]["span.kind"],
    )
    assert "did not answer" in span["tags"]["otel.status_description"]
    (event,) = span["logs"]
    assert ("exception", "PaymentTimeout") == tuple(jaeger_api.named(event["fields"])[name] for name in ("event", "exception.type"))
    assert ["issue_refund"] == [span["tags"]["gen_ai.tool.name"] for span in tagged("error.type", "tool_error")]
    assert 3 == len(tagged("audit.outcome", "failure"))
    (again,) = tagged("tool_audit.trigger", "retry")
    assert ("2", span["tags"]["audit.record.id"]) == (str(again["tags"]["tool_audit.attempt"]), again["tags"]["tool_audit.retry_of"])


def test_nested_agents_are_one_trace_and_a_graph_of_services(chain: Chain, tmp_path: Path, reconciled: Reconciled) -> None:
    """An agent that another process' agent called: one trace, the same user in both, an edge in the service graph, and two trails that agree."""
    run_with(chain, Path(__file__).parent / "agents.py", "planner", tmp_path, OTEL_TOOL_AUDIT_ATTRIBUTION_KEY="0123456789abcdef0123456789abcdef")
    (clerks,) = (span for span in arrived(chain, "clerk", 2) if span["operationName"] == "execute_tool refund")
    (trace,) = jaeger_api.traces(chain.jaeger, "clerk")
    assert {"invoke_agent planner", "execute_tool plan", "invoke_agent clerk", "execute_tool refund"} == {s["operationName"] for s in trace["spans"]}
    assert {"planner", "clerk"} == {process["serviceName"] for process in trace["processes"].values()}
    assert ("usr_1", "conv_1", "clerk") == tuple(clerks["tags"][name] for name in ("user.id", "gen_ai.conversation.id", "gen_ai.agent.name"))
    assert {"order_id": "ORD-1", "token": "***REDACTED***"} == json.loads(clerks["tags"]["gen_ai.tool.call.arguments"])
    assert ("planner", "clerk", 1) in edges(chain)
    for service in ("planner", "clerk"):
        code, found = reconciled(tmp_path / service, Path(os.environ["OTEL_TOOL_AUDIT_STATE"]), "--jaeger", f"http://{chain.jaeger.address('grpc')}")
        assert (0, 1, 1) == (code, found["counts"]["agreed"], found["counts"]["spans_of_other_trails"]), found


def edges(chain: Chain) -> list[tuple[str, str, int]]:
    """Give the service graph: who called whom, how often."""
    found = json.loads(chain.jaeger.get("http", f"/api/dependencies?endTs={time.time_ns() // 10**6 + 60_000}&lookback=3600000"))["data"]
    return [(edge["parent"], edge["child"], edge["callCount"]) for edge in found]


def test_a_tool_on_an_mcp_server_is_one_trace_from_the_agent_on(chain: Chain, tmp_path: Path) -> None:
    """The client's span, the server's, and the call that ran are one below the other, on behalf of one user; the graph leads to the server."""
    python = interpreter("frameworks")
    run_with(chain, "-W", "ignore", ROOT / "examples" / "mcp_client_and_server.py", tmp_path / "audit", python=python)
    arrived(chain, "shop-tools", 3)
    (trace,) = jaeger_api.traces(chain.jaeger, "shop-tools", {"gen_ai.tool.name": "get_order"})
    by_id = {span["spanID"]: span for span in trace["spans"]}
    (ran,) = (span for span in trace["spans"] if span["operationName"] == "execute_tool get_order")
    way = [ran]
    while way[-1]["references"]:
        way.append(by_id[way[-1]["references"][0]["spanID"]])
    told = [(trace["processes"][span["processID"]]["serviceName"], jaeger_api.named(span["tags"])) for span in way]
    assert [("shop-tools", "internal"), ("shop-tools", "server"), ("shop-agent", "client")] == [
        (service, tags["span.kind"]) for service, tags in told
    ]
    assert {("usr_98765", "conv_abc123", "get_order")} == {
        tuple(tags[n] for n in ("user.id", "gen_ai.conversation.id", "gen_ai.tool.name")) for _, tags in told
    }
    assert {"shop-agent"} == {parent for parent, child, _ in edges(chain) if child == "shop-tools" != parent}


def test_a_trace_is_drawn(chain: Chain, tmp_path: Path) -> None:
    """The picture in README is what the example draws of Jaeger's answer: every span, and of calls the record and its hash."""
    run_with(chain, "-m", "otel_tool_audit", "demo", "--dir", tmp_path / "demo")
    arrived(chain, DEMO, 11)
    command = [sys.executable, ROOT / "examples" / "draw_trace.py", f"http://{chain.jaeger.address('http')}", DEMO, "conversation=conv_ben"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=60)
    assert (0, "") == (done.returncode, done.stderr)
    drawn = [element.text or "" for element in ET.fromstring(done.stdout).iter("{http://www.w3.org/2000/svg}text")]
    for call in audit.TrailReader(tmp_path / "demo" / "audit", state=tmp_path / "demo" / "state").calls(conversation="conv_ben"):
        assert f"execute_tool {call['tool_name']}" in drawn
        assert f"{call['chain']}/{call['seq']}  sha256 {call['hash'][:12]}…" in drawn
    assert ["invoke_agent support-agent", *["chat demo-model-1"] * 4] == [text for text in drawn if text.startswith(("invoke", "chat"))]
    assert [] == [text for text in ET.parse(ROOT / "examples" / "trace.svg").iter() if text.tag.endswith("script")]
