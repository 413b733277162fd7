"""
How fast questions are answered, as ratios to a plain DuckDB scan of the JSON lines and to a Python loop over them, in one run.

``BENCHMARK_CALLS=1000000 pytest -m benchmark tests/benchmarks/test_questions.py -s`` prints the table for another size;
``BENCHMARK_TRAIL=DIR`` asks a trail that ``python tests/benchmarks/asking.py DIR/trail DIR/state CALLS`` made.

Source: ARCHITECTURE.md.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from asking import CONVERSATION, PATIENT, fill

from otel_tool_audit.review.reader import UnauditedReader

pytestmark = pytest.mark.benchmark
CALLS = int(os.environ.get("BENCHMARK_CALLS", "100000"))
ROUNDS = 5
SUBJECT, TALK = PATIENT.format(7), CONVERSATION.format(7)


def _seconds(ask: Callable[[], object], rounds: int = ROUNDS) -> float:
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        ask()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def _scan(place: Path, question: str) -> Callable[[], object]:
    """The least that DuckDB does without an index: it reads the lines, and of each what the question needs."""
    import duckdb  # noqa: PLC0415 - an extra

    database = duckdb.connect()
    columns = "{event: 'VARCHAR', call_id: 'VARCHAR', subject: 'VARCHAR', conversation_id: 'VARCHAR', tool_name: 'VARCHAR', success: 'BOOLEAN', duration_ms: 'DOUBLE'}"
    lines = f"read_json('{place}/trail/healthcare/*.jsonl', format='newline_delimited', columns={columns})"
    return lambda: database.execute(question.replace("lines", lines)).fetchall()


def _loop(place: Path, field: str, wanted: str) -> int:
    """The least that Python does."""
    found = 0
    for path in sorted((place / "trail" / "healthcare").glob("*.jsonl")):
        with path.open("rb") as file:
            for line in file:
                found += orjson.loads(line).get(field) == wanted
    return found


def test_questions_cost_a_fraction_of_reading(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A patient's report, a timeline and statistics take at most a fifth of a plain scan; the two sides alternate in one run."""
    place = Path(os.environ.get("BENCHMARK_TRAIL", tmp_path))
    if not (place / "trail").exists():
        fill(place / "trail", place / "state", CALLS)
    reader = UnauditedReader(place / "trail", state=str(place / "state"), index=tmp_path / "index")
    start = time.perf_counter()
    list(reader.calls(subject=SUBJECT))
    building = time.perf_counter() - start
    records = sum(head.count for head in reader.heads())
    asked: dict[str, tuple[Callable[[], Any], str]] = {
        "report of a patient": (lambda: reader.access_report(SUBJECT, check=False), f"SELECT * FROM lines WHERE subject = '{SUBJECT}'"),
        "timeline of a conversation": (lambda: reader.timeline(TALK), f"SELECT * FROM lines WHERE conversation_id = '{TALK}'"),
        "statistics over all": (
            reader.statistics,
            "SELECT tool_name, count(*), avg(duration_ms), quantile_disc(duration_ms, [0.5, 0.95, 0.99]) FROM lines GROUP BY 1",
        ),
    }
    rows = [(name, _seconds(ours), _seconds(_scan(place, scan), 1)) for name, (ours, scan) in asked.items()]
    loop = _seconds(lambda: _loop(place, "subject", SUBJECT), 1)
    with capsys.disabled():
        load = os.getloadavg()[0]
        sys.stdout.write(
            f"\n{platform.machine()} {os.cpu_count()} cores (load {load:.1f}), Python {platform.python_version()}, {records:,} records; Python loop {loop:.2f} s\n"
        )
        sys.stdout.write(f"  index and first answer {building:.2f} s, {records / building:,.0f} records/s\n")
        for name, ours, scan in rows:
            sys.stdout.write(f"  {name:<28} {ours * 1000:>8.1f} ms   DuckDB over the lines {scan * 1000:>8.0f} ms   ratio {ours / scan:.3f}\n")
    assert all(ours <= scan / 5 for _, ours, scan in rows), rows


def test_a_copy_costs_a_few_times_parsing(tmp_path: Path) -> None:
    """Making the copy of a segment takes at most six times the processor time of parsing its lines, and nothing else, in one run."""
    from otel_tool_audit.review.index.extract import Extraction  # noqa: PLC0415 - only here
    from otel_tool_audit.review.index.store import IndexedSegment, to_parquet  # noqa: PLC0415 - an extra

    fill(tmp_path / "trail", tmp_path / "state", 10_000)
    data = min((tmp_path / "trail" / "healthcare").glob("*.jsonl")).read_bytes()
    lines = data.split(b"\n")[:-1]

    def copied() -> float:
        start = time.process_time()
        found = Extraction()
        found.feed(lines, 0)
        to_parquet(found, IndexedSegment("healthcare", "000000000000.jsonl", len(data)), {})
        return time.process_time() - start

    def parsed() -> float:
        start = time.process_time()
        for _ in map(orjson.loads, lines):
            pass
        return time.process_time() - start

    ours, plain = (min(one) for one in zip(*((copied(), parsed()) for _ in range(5)), strict=True))
    sys.stdout.write(f"\n  a copy {len(lines) / ours:,.0f} records/s of a core, parsing {len(lines) / plain:,.0f}, ratio {ours / plain:.1f}\n")
    assert ours < 6 * plain


def test_memory_grows_little(tmp_path: Path) -> None:
    """Asking takes at most 400 MiB over the bare interpreter, DuckDB and Arrow themselves among it."""
    import subprocess  # noqa: PLC0415 - only here

    place = Path(os.environ.get("BENCHMARK_TRAIL", tmp_path))
    if not (place / "trail").exists():
        fill(place / "trail", place / "state", CALLS)
    program = (
        "import sys\nfrom otel_tool_audit.review.reader import UnauditedReader\n"
        "reader = UnauditedReader(sys.argv[1], state=sys.argv[2], index=sys.argv[3])\n"
        "reader.statistics()\nsum(1 for _ in reader.calls(subject=sys.argv[4]))\n"
        "print(next(int(line.split()[1]) for line in open('/proc/self/status') if line.startswith('VmHWM')) // 1024)"
    )
    arguments = [sys.executable, "-c", program, place / "trail", place / "state", tmp_path / "index", SUBJECT]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])})
    assert int(done.stdout) <= 400, done.stdout
