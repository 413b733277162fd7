"""What it costs to write calls to files and reports to pages: against the plainest thing that does it, in one run."""

from __future__ import annotations

import csv
import io
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "export"))

from made_reports import access_report, heading, row

from otel_tool_audit.export import delimited, files, html, jsonl, pdf
from otel_tool_audit.export.contents import access_document
from otel_tool_audit.record.model import new_call
from otel_tool_audit.review.index.columns import row as as_row

pytestmark = pytest.mark.benchmark

COUNT = 5_000


def best(run: Callable[[], object], rounds: int = 5) -> float:
    """Time one run in seconds of this process (others may be busy): the best of some rounds."""
    found = []
    for _ in range(rounds):
        start = time.process_time()
        run()
        found.append(time.process_time() - start)
    return min(found)


def test_files() -> None:
    """A row of CSV costs less than twice what csv.writer takes for the same cells, a line less than json.dumps, a row of Parquet less than three lines of it."""
    calls = [
        {**new_call(f"{n:032x}", "get_order", "2026-03-01T12:00:00.000000Z"), "arguments": {"order_id": f"ORD-{n}", "fields": ["name", "address"]},
         "result_summary": {"success": True, "order_id": f"ORD-{n}"}, "success": True, "duration_ms": 12.5, "status": "success", "service": "shop",
         "writer": "a" * 32, "chain": "general", "seq": n, "hash": f"{n:064x}", "records": [{"chain": "general", "seq": n, "hash": f"{n:064x}"}]}
        for n in range(COUNT)
    ]  # fmt: skip

    def plain() -> None:
        csv.writer(io.StringIO()).writerows(as_row(call).values() for call in calls)

    timed = {
        "csv.writer": best(plain),
        "CSV": best(lambda: delimited.encode(calls)),
        "json.dumps": best(lambda: [json.dumps(call) for call in calls]),
        "JSON lines": best(lambda: jsonl.encode(calls)),
        "Parquet": best(lambda: sum(map(len, files.parquet(calls)))),
    }
    print()
    for name, seconds in timed.items():
        print(f"{name:>12}: {COUNT / seconds:>10,.0f} rows/s")
    assert timed["CSV"] < 2 * timed["csv.writer"]
    assert timed["JSON lines"] < timed["json.dumps"]
    assert timed["Parquet"] < 3 * timed["json.dumps"]


def test_pages() -> None:
    """The cost of a report grows with its rows, not faster."""
    timed: dict[tuple[str, int], float] = {}
    for count in (500, 2_000):
        document = access_document(access_report([row(n) for n in range(count)]), heading())
        timed["HTML", count] = best(lambda document=document: "".join(html.render(document)), 2)
        timed["PDF", count] = best(lambda document=document: pdf.render(document), 1)
    print()
    for (kind, count), seconds in timed.items():
        print(f"{kind:>12}, {count:>5} rows: {seconds:6.2f} s")
    assert timed["HTML", 2_000] < 6 * timed["HTML", 500]
    assert timed["PDF", 2_000] < 8 * timed["PDF", 500]
