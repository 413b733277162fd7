"""A real Prometheus with the committed configuration, rules and dashboard, reading real Collectors at work."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
from fixtures import CONFIGURATION, Starter
from otlp import request, send, span
from running import Program, free_ports, wait_for
from watched import RULES, expressions

ALARM = "ToolAuditDroppedForGood"


class Watched(NamedTuple):
    """Prometheus, and what it reads: a Collector that the gateway knows, and one that it does not."""

    prometheus: Program
    agent: Program
    stranger: Program

    def ask(self, path: str, **parameters: str) -> Any:
        """Ask Prometheus' HTTP API."""
        return json.loads(self.prometheus.get("web", f"/api/v1/{path}?{urlencode(parameters)}"))["data"]

    def alarms(self) -> dict[str, dict[str, str]]:
        """Give the labels of each alarm that has gone off, by its name."""
        return {a["labels"]["alertname"]: a["labels"] for a in self.ask("alerts")["alerts"] if a["state"] == "firing"}


@pytest.fixture(scope="module")
def watched(module_starter: Starter, prometheus_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """All of it running, and scraped once; the committed configuration with other addresses, and seconds for quarters of a minute."""
    gateway = module_starter.gateway()
    agent, stranger = module_starter.agent(gateway=gateway), module_starter.agent(gateway=gateway, token="wrong")
    home = tmp_path_factory.mktemp("prometheus")
    targets = {
        "agent:8888": [agent.address("metrics"), stranger.address("metrics")],
        "agent:8889": [agent.address("trail_metrics")],
        "gateway:8888": [gateway.address("metrics")],
        "gateway:8889": [gateway.address("tool_metrics")],
    }
    text = (CONFIGURATION / "prometheus" / "prometheus.yaml").read_text(encoding="utf-8").replace("15s", "1s")
    for committed, addresses in targets.items():
        assert f'["{committed}"]' in text
        text = text.replace(f'["{committed}"]', json.dumps(addresses))
    (home / "prometheus.yaml").write_text(text, encoding="utf-8")
    (home / "alerts.yaml").write_bytes(RULES.read_bytes())
    ports = free_ports("web")
    command = [
        str(prometheus_program), f"--storage.tsdb.path={home / 'data'}", f"--web.listen-address=127.0.0.1:{ports['web']}",
        f"--config.file={home / 'prometheus.yaml'}",
    ]  # fmt: skip
    prometheus = module_starter.run(command, {}, ports, lambda p: "Server is ready to receive web requests" in p.text())
    made = Watched(prometheus, agent, stranger)
    wait_for(lambda: 5 == len(made.ask("query", query="up == 1")["result"]), prometheus.text)
    return made


@pytest.fixture(scope="module")
def at_work(watched: Watched, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An audited process makes calls and tells of its trail, through the Collector that the gateway knows."""
    shop = [sys.executable, Path(__file__).with_name("shop.py"), tmp_path_factory.mktemp("shop") / "audit", "100000", "--metrics"]
    process = subprocess.Popen(shop, env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{watched.agent.address('grpc')}"})
    yield
    process.kill()
    process.wait()


def test_an_alarm_goes_off_when_the_gateway_refuses_for_good(watched: Watched) -> None:
    """Nothing is wrong until a Collector with a wrong token sends; then that alarm goes off, and names it."""
    assert {} == watched.alarms()
    assert 200 == send(watched.stranger, request(span(1)))
    wait_for(lambda: ALARM in watched.alarms(), lambda: f"there are only {watched.alarms()}; it said:\n{watched.prometheus.text()[-2000:]}")
    (name, labels), *others = watched.alarms().items()
    assert (ALARM, []) == (name, others)
    assert ("critical", "tool-audit-agents", "otlp_grpc/gateway") == (labels["severity"], labels["job"], labels["exporter"])
    assert watched.stranger.address("metrics") == labels["instance"]


@pytest.mark.parametrize("expression", expressions("10s", "1m"))
def test_every_panel_shows_something(watched: Watched, at_work: None, expression: str) -> None:
    """Each of the dashboard's expressions has an answer of numbers, from what running programs tell."""

    def shown() -> list[str]:
        return [series["value"][1] for series in watched.ask("query", query=expression)["result"]]

    wait_for(lambda: bool(shown()) and "NaN" not in shown(), lambda: f"{expression}: {shown()}")


def test_what_was_dropped_is_shown_to_the_last_span(watched: Watched) -> None:
    """A counter that begins with its first failure is counted from nothing, which a rise alone would not show."""
    assert 200 == send(watched.stranger, request(*(span(n) for n in range(2, 9))))
    (expression,) = (e for e in expressions("10s", "1h") if "send_failed" in e)
    read = re.compile(r"^otelcol_exporter_send_failed_spans\{.*\} (\d+)$", re.MULTILINE)

    def dropped() -> int:
        return sum(map(int, read.findall(watched.stranger.get("metrics", "/metrics"))))

    wait_for(lambda: dropped() >= 7, watched.stranger.text)
    wait_for(lambda: str(dropped()) == watched.ask("query", query=expression)["result"][0]["value"][1], "the panel shows something else")
