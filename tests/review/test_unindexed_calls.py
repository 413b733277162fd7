"""Calls that are no rows of an index cost little memory, however many they are and however long their lines."""

from __future__ import annotations

import sys
import tracemalloc

import pytest
from making import Made
from test_index import quick, slow

from otel_tool_audit.format.events import AMENDED, FINISHED, OBSERVED, STARTED
from otel_tool_audit.record.model import new_call
from otel_tool_audit.review import planner
from otel_tool_audit.trail.trail import Trail

pytest.importorskip("duckdb")
pytest.importorskip("pyarrow")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="writers run on Linux")
LONG = "x" * 20_000


def _unusual(made: Made, calls: int) -> None:
    """Calls that are amended, that end in a later segment, that never end, and that two ids name; each line is long."""
    with Trail.open(made.path, state=made.state, durability="os", segment_bytes=1 << 20) as trail:
        late = []
        for number in range(calls):
            call = new_call(f"{number:032x}", f"tool_{number % 3}", f"2026-03-01T00:{number // 60 % 60:02d}:{number % 60:02d}.000000Z")
            call["arguments"] = {"text": LONG}
            if number % 4 == 0:
                trail.append(OBSERVED, {**call, "success": True})  # type: ignore[arg-type]
                trail.append(AMENDED, {**call, "user_id": "usr_late", "joins": []})  # type: ignore[arg-type]
            elif number % 4 == 1:
                trail.append(STARTED, call)
                late.append(call)
            elif number % 4 == 2:
                trail.append(STARTED, call)
            else:
                other = new_call(f"{number + (1 << 40):032x}", call["tool_name"], call["timestamp"])
                trail.append(OBSERVED, {**call, "success": False})  # type: ignore[arg-type]
                trail.append(OBSERVED, {**other, "arguments": {"text": LONG}})  # type: ignore[arg-type]
                trail.append(AMENDED, {**call, "joins": [other["call_id"]]})  # type: ignore[arg-type]
        for call in late:
            trail.append(FINISHED, {**call, "success": True, "duration_ms": 1.0})  # type: ignore[arg-type]


def test_their_lines_stay_in_the_trail(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is held of amended, joined, late and open calls is a fraction of their lines, at its peak as well; the answers are those of the trail."""
    monkeypatch.setattr(planner, "WORTH_AN_INDEX", 0)
    calls = 400
    _unusual(made, calls)
    in_lines = sum(path.stat().st_size for path in made.path.rglob("*.jsonl"))
    quick(made).statistics()
    reader = quick(made)
    tracemalloc.start()
    try:
        found = reader.statistics()
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert slow(made).statistics() == found
    assert calls == found[0].calls
    assert held < 4_096 * calls < in_lines / 8
    assert peak < in_lines / 2
    assert list(slow(made).calls(user="usr_late", order_by="timestamp")) == list(reader.calls(user="usr_late", order_by="timestamp"))
    assert calls // 4 == len(list(reader.calls(status="running", order_by="timestamp"))) + len(
        list(reader.calls(status="interrupted", order_by="timestamp"))
    )
