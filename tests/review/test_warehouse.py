"""examples/warehouse: what DuckDB and PostgreSQL answer about exported calls is what the trail itself answers."""

from __future__ import annotations

import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from making import Made
from test_index import fill

from otel_tool_audit.cli.app import run as cli
from otel_tool_audit.review.calls.values import ToolStatistics
from otel_tool_audit.review.reader import UnauditedReader

pytest.importorskip("pyarrow")
pytest.importorskip("duckdb")
SCRIPT = Path(__file__).parents[2] / "examples" / "warehouse" / "ask.py"


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> UnauditedReader:
    """A trail with all kinds of calls."""
    place = tmp_path_factory.mktemp("warehouse")
    made = Made(place / "trail", place / "state")
    fill(made, 80)
    return UnauditedReader(made.path, state=str(made.state), index="none")


@pytest.fixture(scope="module")
def given(trail: UnauditedReader, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its calls, exported as the README says."""
    path = tmp_path_factory.mktemp("exported") / "given"
    assert 0 == cli(["export", str(trail.path), "--state", str(Path(trail.path).with_name("state")), "--format", "parquet", "-o", str(path)])
    return path


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = spec_from_file_location("ask", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _server_programs() -> Path | None:
    found = shutil.which("postgres")
    places = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((place for place in places if (place / "initdb").exists()), None)


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """A real server on loopback, run by a user who is not root: its URL."""
    dbapi = pytest.importorskip("pg8000.dbapi")
    programs = _server_programs()
    if programs is None:
        if os.environ.get("CI"):
            pytest.fail("PostgreSQL is not installed")
        pytest.skip("PostgreSQL is not installed")
    user = {"user": "nobody"} if os.geteuid() == 0 else {}
    # short: a socket's path has at most 107 characters
    place = Path(subprocess.run(["mktemp", "-d", "/tmp/pg.XXXXXX"], capture_output=True, text=True, check=True, **user).stdout.strip())
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    subprocess.run(
        [programs / "initdb", "-D", place / "data", "-U", "audit", "--auth=trust", "--encoding=UTF8", "--no-sync"],
        check=True,
        capture_output=True,
        cwd="/",
        env=environment,
        **user,
    )
    server = subprocess.Popen(
        [programs / "postgres", "-D", place / "data", "-p", str(port), "-h", "127.0.0.1", "-k", place, "-F"],
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=environment,
        **user,
    )
    try:
        _wait(lambda: dbapi.connect(user="audit", host="127.0.0.1", port=port, database="postgres").close(), server)
        yield f"postgresql://audit@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGINT)  # a fast shutdown: open connections do not hold it up
        server.wait()
        shutil.rmtree(place, ignore_errors=True)


def _wait(ready: Callable[[], object], server: subprocess.Popen[bytes]) -> None:
    while True:
        try:
            ready()
        except Exception:
            if server.poll() is not None:
                raise
            time.sleep(0.1)
        else:
            return


@pytest.fixture(params=["duckdb", "postgresql"])
def asked(script: ModuleType, given: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., list[tuple[object, ...]]]]:
    """Put SQL to an engine that has the calls."""
    with script.over_duckdb(given) if request.param == "duckdb" else script.over_postgresql(given, request.getfixturevalue("postgresql")) as ask:
        yield ask


def test_both_engines_answer_as_the_trail_does(trail: UnauditedReader, script: ModuleType, asked: Callable[..., list[tuple[object, ...]]]) -> None:
    """Counts, durations, days and the calls about a subject, to the last digit."""
    total, tools = trail.statistics(every="day")

    def row(tool: ToolStatistics) -> tuple[object, ...]:
        times = (None if taken is None else round(taken * 1000) for taken in (tool.max_ms, tool.p50_ms, tool.p95_ms))
        return tool.tool, tool.calls, tool.succeeded, tool.failed, tool.interrupted, *times, tool.unique_users

    def theirs(tool: str, *numbers: object) -> tuple[object, ...]:
        whole = [None if number is None else int(number) for number in numbers]  # type: ignore[call-overload]
        return tool, *whole[:4], *whole[5:]

    assert [row(tool) for tool in tools] == [theirs(*found) for found in asked(script.TOOLS, [])]
    sums = {str(found[0]): int(found[5] or 0) for found in asked(script.TOOLS, [])}  # type: ignore[call-overload]
    durations = [(call["tool_name"], math.floor(call["duration_ms"] * 1000 + 0.5)) for call in trail.calls() if call["duration_ms"] is not None]
    assert {tool: sum(taken for name, taken in durations if name == tool) for tool in sums} == sums
    assert [(bucket.start[:10], bucket.calls, bucket.failed) for bucket in total.series] == asked(script.DAYS, [])
    for subject in ("P-1", "nobody", "o'brien; DROP TABLE calls"):
        wanted = sorted((call["timestamp"], call["call_id"]) for call in trail.calls() if call["subject"] == subject)
        assert [when for when, _ in wanted] == [found[0] for found in asked(script.SUBJECT, [subject])]


def test_a_warehouse_holds_what_was_exported(trail: UnauditedReader, asked: Callable[..., list[tuple[object, ...]]]) -> None:
    """Each column of each call, and null where the trail has nothing, which is no empty text."""
    rows = trail.calls().arrow().to_pylist()
    found = asked(f"SELECT {', '.join(rows[0])} FROM calls ORDER BY call_id", [])
    assert [tuple(row.values()) for row in sorted(rows, key=lambda row: row["call_id"])] == found


@pytest.mark.parametrize("engine", ["duckdb", "postgresql"])
def test_the_script_prints_the_answers(trail: UnauditedReader, given: Path, engine: str, request: pytest.FixtureRequest) -> None:
    """Run as its README says."""
    url = [request.getfixturevalue("postgresql")] if engine == "postgresql" else []
    done = subprocess.run([sys.executable, SCRIPT, given, *url], capture_output=True, encoding="utf-8", check=False, timeout=120)
    assert (0, "") == (done.returncode, done.stderr)
    assert done.stdout.splitlines()[0].startswith(f"tool_0\t{trail.tool_statistics('tool_0').calls}\t")
    assert "\n2026-03-01\t" in done.stdout
