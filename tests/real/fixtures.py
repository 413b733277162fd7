"""
The real programs for tests: ``run_agent``, ``run_gateway``, ``run_collector`` and ``run_jaeger`` start them, and end what they started.

Every test directory has these fixtures. Without Go the tests that use them are skipped and say why; with ``CI=true`` they fail.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from parts import AUDITCHECK, COLLECTOR, COMPOSE, GITLEAKS, JAEGER, KAFKA, PROMETHEUS, PROMTOOL, ROOT, Part, PartMissing, built
from running import Program, free_ports

CONFIGURATION = ROOT / "collector-config"
BUILT_FIRST = frozenset(
    {"auditcheck_program", "collector_program", "compose", "gitleaks", "jaeger_program", "kafka_program", "prometheus_program", "promtool"}
)
SENDER, TOKEN = "agent-1", "t0ken-of-agent-1-0123456789abcdef"
LONGEST = 600
"""Seconds for the body of a test that uses a real program; the program may have to be built before it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Don't count the build of a program, which may take minutes once, into the time of the test that happens to need it first."""
    for item in items:
        if BUILT_FIRST & set(getattr(item, "fixturenames", ())) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(LONGEST, func_only=True))


@pytest.fixture(scope="session")
def collector_program() -> Path:
    """The Collector that ``collector-config/builder.yaml`` describes."""
    return _built(COLLECTOR)


@pytest.fixture(scope="session")
def promtool() -> Path:
    """What judges alert rules."""
    return _built(PROMTOOL)


@pytest.fixture(scope="session")
def prometheus_program() -> Path:
    """What scrapes Collectors and raises alarms."""
    return _built(PROMETHEUS)


@pytest.fixture(scope="session")
def compose() -> Path:
    """What reads Compose files as Docker does, and prints them resolved."""
    return _built(COMPOSE)


@pytest.fixture(scope="session")
def gitleaks() -> Path:
    """What looks for secrets by rules of its own."""
    return _built(GITLEAKS)


@pytest.fixture(scope="session")
def kafka_program() -> Path:
    """A Kafka broker in memory."""
    return _built(KAFKA)


@pytest.fixture(scope="session")
def auditcheck_program() -> Path:
    """A verifier of trails that shares nothing with the package but FORMAT.md."""
    return _built(AUDITCHECK)


@pytest.fixture(scope="session")
def jaeger_program() -> Path:
    """Jaeger v2, as released."""
    return _built(JAEGER)


class Starter:
    """
    Starts real programs below one directory, and ends what it started, the last first.

    Made by the fixture ``starter`` for one test, and by ``module_starter`` where starting for each takes too long.
    """

    def __init__(self, directory: Path, collector: Path, jaeger: Callable[[], Path]) -> None:
        """Say where, and what; Jaeger is asked for only when it is needed."""
        self.directory = directory
        self.started: list[Program] = []
        self._collector = collector
        self._jaeger = jaeger

    def collector(self, configuration: Path, environment: dict[str, str], *, start: bool = True, **ports: int) -> Program:
        """Start a Collector with any configuration; ``start=False`` leaves starting to the test, here and below."""
        command = [str(self._collector), "--config", str(configuration)]
        return self.run(command, environment, ports, lambda p: "Everything is ready" in p.text(), start=start)

    def agent(
        self, *, to: str = "", gateway: Program | None = None, name: str = SENDER, token: str = TOKEN, start: bool = True, **settings: str
    ) -> Program:
        """
        Start a Collector with ``collector-config/agent.yaml``.

        ``agent(to="127.0.0.1:4317")`` sends straight to a Jaeger, ``agent(gateway=gateway, name=…, token=…)`` to a gateway.
        Its ports: ``grpc`` and ``http`` take spans, ``trail_metrics``, ``metrics`` and ``health`` tell of trails and of it.
        Settings by name are added to its environment, here and below.
        """
        ports = free_ports("grpc", "http", "trail_metrics", "metrics", "health")
        home = self._home("agent")
        (home / "token").write_text(token)
        environment = {
            **listening("AGENT", ports),
            "AGENT_QUEUE": str(home / "queue"),
            "AGENT_TOKEN_FILE": str(home / "token"),
            "AGENT_NAME": name,
            "AGENT_TO": gateway.address("grpc") if gateway else to,
            "AGENT_EXPORTER": "otlp_grpc/gateway" if gateway else "otlp_grpc/jaeger",
            "AGENT_CA": gateway.environment["GATEWAY_CERT"] if gateway else "",
            **settings,
        }
        return self.collector(CONFIGURATION / "agent.yaml", environment, start=start, **ports)

    def gateway(self, *, jaeger: Program | None = None, start: bool = True, **settings: str) -> Program:
        """
        Start a Collector with ``collector-config/gateway.yaml``; it knows :data:`SENDER` by :data:`TOKEN`.

        Its ports: ``grpc`` and ``http`` take spans over TLS with a token, ``tool_metrics``, ``metrics`` and ``health`` tell of it.
        ``GATEWAY_AUDIT_DIRECTORY`` in its environment holds the audit file.
        """
        ports = free_ports("grpc", "http", "loop", "tool_metrics", "metrics", "health")
        home = self._home("gateway")
        certificate(home)
        (home / "senders").write_text(f"{SENDER}:{hashed(TOKEN)}\n")
        environment = {
            **listening("GATEWAY", ports),
            "GATEWAY_QUEUE": str(home / "queue"),
            "GATEWAY_AUDIT_DIRECTORY": str(home / "audit"),
            "GATEWAY_CERT": str(home / "gateway.crt"),
            "GATEWAY_KEY": str(home / "gateway.key"),
            "GATEWAY_SENDERS": str(home / "senders"),
            "GATEWAY_JAEGER": jaeger.address("otlp_grpc") if jaeger else f"127.0.0.1:{free_ports('nobody')['nobody']}",
            "GATEWAY_DECISION_WAIT": "1s",
            **settings,
        }
        return self.collector(CONFIGURATION / "gateway.yaml", environment, start=start, **ports)

    def jaeger(self, *, backend: str = "memory", start: bool = True) -> Program:
        """
        Start a Jaeger with ``collector-config/jaeger.yaml``.

        Its ports: ``otlp_grpc`` and ``otlp_http`` take spans; ``http`` is the API that its pages use, ``grpc`` streams traces.
        """
        ports = free_ports("otlp_grpc", "otlp_http", "http", "grpc", "health", "metrics")
        environment = {**listening("JAEGER", ports), "JAEGER_BACKEND": backend, "JAEGER_DATA": str(self._home("jaeger"))}
        command = [str(self._jaeger()), "--config", str(CONFIGURATION / "jaeger.yaml")]
        return self.run(command, environment, ports, _healthy, start=start)

    def run(
        self, command: list[str], environment: dict[str, str], ports: dict[str, int], ready: Callable[[Program], bool], *, start: bool = True
    ) -> Program:
        """Start any program."""
        log = self.directory / f"{Path(command[-1]).stem}-{len(self.started)}.log"
        program = Program(command, log, environment, ports, ready)
        self.started.append(program)
        return program.start() if start else program

    def stop(self) -> None:
        """End everything."""
        for program in reversed(self.started):
            program.stop()

    def _home(self, name: str) -> Path:
        home = self.directory / f"{name}-{len(self.started)}"
        home.mkdir()
        return home


@pytest.fixture
def starter(tmp_path: Path, collector_program: Path, request: pytest.FixtureRequest) -> Iterator[Starter]:
    """What starts real programs for one test."""
    made = Starter(tmp_path, collector_program, lambda: request.getfixturevalue("jaeger_program"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def module_starter(tmp_path_factory: pytest.TempPathFactory, collector_program: Path, request: pytest.FixtureRequest) -> Iterator[Starter]:
    """What starts real programs for all tests of a file."""
    made = Starter(tmp_path_factory.mktemp("real"), collector_program, lambda: request.getfixturevalue("jaeger_program"))
    yield made
    made.stop()


@pytest.fixture
def run_collector(starter: Starter) -> Callable[..., Program]:
    """Start a Collector: :meth:`Starter.collector`."""
    return starter.collector


@pytest.fixture
def run_agent(starter: Starter) -> Callable[..., Program]:
    """Start an agent's Collector: :meth:`Starter.agent`."""
    return starter.agent


@pytest.fixture
def run_gateway(starter: Starter) -> Callable[..., Program]:
    """Start a gateway: :meth:`Starter.gateway`."""
    return starter.gateway


@pytest.fixture
def run_jaeger(starter: Starter, jaeger_program: Path) -> Callable[..., Program]:
    """Start a Jaeger: :meth:`Starter.jaeger`."""
    assert jaeger_program.exists()
    return starter.jaeger


def listening(prefix: str, ports: dict[str, int]) -> dict[str, str]:
    """Say in the configurations' variables where to listen."""
    told = {f"{prefix}_{name.upper()}": f"127.0.0.1:{port}" for name, port in ports.items() if name != "metrics"}
    return {**told, f"{prefix}_METRICS_PORT": str(ports["metrics"])}


def certificate(directory: Path) -> None:
    """Make ``gateway.crt`` for loopback, signed by itself, and ``gateway.key``."""
    subject = ["-subj", "/CN=gateway", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    _openssl("req", *kind, *subject, "-keyout", str(directory / "gateway.key"), "-out", str(directory / "gateway.crt"))


def hashed(token: str) -> str:
    """Give what the gateway's file of senders holds of a token."""
    return _openssl("passwd", "-6", "-stdin", text=token).strip()


def _openssl(*arguments: str, text: str = "") -> str:
    if shutil.which("openssl") is None and os.environ.get("CI") != "true":
        pytest.skip("no `openssl` on the path to make certificates with")
    done = subprocess.run(["openssl", *arguments], input=text, capture_output=True, encoding="utf-8", check=False, timeout=60)
    assert 0 == done.returncode, done.stderr
    return done.stdout


def _healthy(program: Program) -> bool:
    try:
        return program.alive and '"healthy":true' in program.get("health", "/status")
    except OSError:
        return False


def _built(part: Part) -> Path:
    try:
        return built(part)
    except PartMissing as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
