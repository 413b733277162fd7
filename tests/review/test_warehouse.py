"""Every engine answers the same: the trail itself, DuckDB, PostgreSQL, ClickHouse and Spark."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from environments import interpreter
from making import Made
from test_index import fill

from otel_tool_audit.errors import AuditError, SettingsError
from otel_tool_audit.review.index.columns import COLUMNS, INTEGER, NUMBER, TRUTH
from otel_tool_audit.review.index.warehouse import Warehouse
from otel_tool_audit.review.reader import UnauditedReader

pytest.importorskip("sqlglot")
pytest.importorskip("pyarrow")

ROOT = Path(__file__).parents[2]
FILTERS: list[dict[str, Any]] = [
    {}, {"user": "usr_1", "status": "error"}, {"subject": "P-1"}, {"since": "2026-03-02", "retention": "general"}, {"text": "stra", "tool": "tool_1"}, {"user": "o'brien"},
    {"tool": "'; DROP TABLE calls; --"},
]  # fmt: skip


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> UnauditedReader:
    """A trail with all kinds of calls."""
    place = tmp_path_factory.mktemp("warehouse")
    made = Made(place / "trail", place / "state")
    fill(made, 80)
    return UnauditedReader(made.path, state=str(made.state), index="none")


@pytest.fixture(scope="module")
def exported(trail: UnauditedReader, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its calls as Parquet."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

    path = tmp_path_factory.mktemp("exported") / "calls.parquet"
    pq.write_table(trail.calls().arrow(), path)
    return path


@pytest.fixture(scope="module")
def duckdb_warehouse(exported: Path) -> Warehouse:
    import duckdb  # noqa: PLC0415 - an extra

    database = duckdb.connect()
    database.execute(f"CREATE VIEW calls AS SELECT * FROM read_parquet('{exported}')")
    return Warehouse(lambda text, parameters: database.execute(text, parameters).fetchall(), "duckdb")


def _server_programs() -> Path | None:
    found = shutil.which("postgres")
    places = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((place for place in places if (place / "initdb").exists()), None)


@pytest.fixture(scope="module")
def postgresql(trail: UnauditedReader) -> Iterator[Warehouse]:
    """A real server on loopback, run by a user who is not root."""
    sqlalchemy = pytest.importorskip("sqlalchemy")
    pytest.importorskip("pg8000")
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
    url = f"postgresql+pg8000://audit@127.0.0.1:{port}/postgres"
    try:
        engine = sqlalchemy.create_engine(url)
        _wait(lambda: engine.connect().close())
        types = {INTEGER: "BIGINT", NUMBER: "DOUBLE PRECISION", TRUTH: "BOOLEAN"}
        rows = trail.calls().arrow().to_pylist()
        with engine.begin() as connection:
            declared = ", ".join(f"{name} {types.get(kind, 'TEXT')}" for name, kind in COLUMNS.items())
            connection.execute(sqlalchemy.text(f"CREATE TABLE calls ({declared})"))
            connection.execute(sqlalchemy.text(f"INSERT INTO calls VALUES ({', '.join(f':{name}' for name in COLUMNS)})"), rows)
        engine.dispose()
        yield Warehouse.connect(url)
    finally:
        server.send_signal(signal.SIGINT)  # a fast shutdown: open connections do not hold it up
        server.wait()
        shutil.rmtree(place, ignore_errors=True)


def _wait(ready: Callable[[], object], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            ready()
            return
        except Exception:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


@contextmanager
def _apart(engine: str, exported: Path, directory: Path) -> Iterator[Warehouse]:
    """An engine in a process and an environment of its own."""
    command = [interpreter("engines"), Path(__file__).parent / "engine.py", engine, exported]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SPARK_LOCAL_IP": "127.0.0.1"}
    with (
        (directory / f"{engine}.log").open("w+", encoding="utf-8") as log,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, encoding="utf-8", cwd=directory, env=environment
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        questions, answers = process.stdin, process.stdout

        def answer() -> list[list[Any]]:
            line = answers.readline()
            if not line:
                log.seek(0)
                raise RuntimeError(f"{engine} is gone:\n{log.read()[-4000:]}")
            found = json.loads(line)
            if "error" in found:
                raise RuntimeError(found["error"])
            rows: list[list[Any]] = found["rows"]
            return rows

        def run(text: str, parameters: Any) -> list[list[Any]]:
            questions.write(json.dumps({"text": text, "parameters": list(parameters)}) + "\n")
            questions.flush()
            return answer()

        answer()
        yield Warehouse(run, engine)


@pytest.fixture(scope="module")
def clickhouse(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """ClickHouse, embedded."""
    with _apart("clickhouse", exported, tmp_path_factory.mktemp("clickhouse")) as warehouse:
        yield warehouse


@pytest.fixture(scope="module")
def spark(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """Spark inside this host; it needs Java, from 17 on."""
    if shutil.which("java") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no `java` on the path to run Spark with")
        pytest.skip("no `java` on the path to run Spark with")
    with _apart("spark", exported, tmp_path_factory.mktemp("spark")) as warehouse:
        yield warehouse


# making the environment, once, takes minutes
@pytest.mark.timeout(180, func_only=True)
@pytest.mark.parametrize("engine", ["duckdb_warehouse", "postgresql", "clickhouse", pytest.param("spark", marks=pytest.mark.slow)])
def test_every_engine_answers_the_same(trail: UnauditedReader, engine: str, request: pytest.FixtureRequest) -> None:
    """Statistics, series, counts and rows are those that the trail itself gives, to the last digit."""
    warehouse: Warehouse = request.getfixturevalue(engine)
    for filters in FILTERS:
        assert trail.statistics(every="day", **filters) == warehouse.statistics(every="day", **filters), filters
        report = trail.activity_report(filters.get("since"), check=False, **{k: v for k, v in filters.items() if k != "since"})
        for name, counts in warehouse.counts(**filters).items():
            assert getattr(report, name) == counts, (name, filters)
        ours = {call["call_id"]: call for call in trail.calls(**filters).arrow().to_pylist()}
        theirs = {row["call_id"]: row for row in warehouse.calls(**filters)}
        assert ours == theirs, filters
    longest = [(row["call_id"], row["duration_ms"]) for row in warehouse.calls(order_by="duration_ms", descending=True, limit=5)]
    assert [row[1] for row in longest] == sorted((call["duration_ms"] for call in trail.calls() if call["duration_ms"]), reverse=True)[:5]
    assert trail.tool_statistics("tool_1") == warehouse.tool_statistics("tool_1")


@pytest.mark.parametrize("dialect", ["postgres", "clickhouse", "trino", "spark", "databricks"])
def test_no_value_stands_in_the_text(dialect: str) -> None:
    """Whatever is asked for reaches a warehouse as a parameter, in every dialect; and the text reads as SQL of that dialect."""
    sqlglot = pytest.importorskip("sqlglot")
    seen: list[tuple[str, Any]] = []
    warehouse = Warehouse(lambda text, parameters: seen.append((text, parameters)) or [(None, *[0] * 12, None, None)][:0], dialect, "audit.calls")  # type: ignore[func-returns-value]
    list(warehouse.calls(user="x'; DROP TABLE calls; --", text="needle", since="2026-03-01", limit=3))
    warehouse.counts(tool="x'; DROP")
    for text, parameters in seen:
        assert "DROP" not in text
        assert "needle" not in text
        assert text.count("?") == len(parameters)
        assert "audit.calls" in text
        sqlglot.parse_one(text, read=dialect)


def test_what_is_no_warehouse_is_said(tmp_path: Path) -> None:
    """An unknown scheme, a table's name that is none, and a server that does not answer are told apart, without a stack trace."""
    with pytest.raises(SettingsError, match="there is no warehouse 'postgres'; there are: postgresql,"):
        Warehouse.connect("postgres://x")
    with pytest.raises(SettingsError, match="is no name of a table"):
        Warehouse(lambda *_: [], "trino", "calls; DROP TABLE x")
    pytest.importorskip("pg8000")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(AuditError, match="the warehouse did not answer"):
        Warehouse.connect(f"postgresql+pg8000://x@127.0.0.1:{port}/x").statistics()
