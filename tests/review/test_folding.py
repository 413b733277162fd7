"""Which ids name one call is worked out in time that grows with the amendments, and as the format says."""

from __future__ import annotations

import sys
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from otel_tool_audit.format.events import AMENDED
from otel_tool_audit.review.calls.stream import Amendments

NAMES = st.sampled_from([f"{number:02d}" for number in range(12)])
AMENDMENTS = st.lists(
    st.tuples(NAMES, st.lists(NAMES, max_size=3)).map(lambda pair: {"event": AMENDED, "call_id": pair[0], "joins": pair[1]}), max_size=20
)


def plainly(records: list[dict[str, Any]]) -> tuple[dict[str, str], dict[str, int]]:
    """Join as one would by hand: an amendment puts its ids, and the groups they are in, together under the least name."""
    groups: list[tuple[str, set[str], int]] = []
    for record in records:
        ids = {record["call_id"], *record["joins"]}
        touched = [group for group in groups if group[1] & ids]
        groups = [group for group in groups if not group[1] & ids]
        name = min((group[0] for group in touched), default=record["call_id"])
        groups.append((name, ids.union(*(group[1] for group in touched)), 1 + sum(group[2] for group in touched)))
    return {i: name for name, ids, _ in groups for i in ids}, {name: number for name, _, number in groups}


@settings(max_examples=300, deadline=None)
@given(AMENDMENTS)
def test_ids_are_joined_as_by_hand(records: list[dict[str, Any]]) -> None:
    """However amendments name calls, each id goes by the name of its group, and each group awaits all its amendments."""
    found = Amendments(records)
    assert (found.names, found.awaited) == plainly(records)


def _steps(records: list[dict[str, Any]]) -> int:
    """Count the lines of Python that joining takes: a measure that no other process disturbs."""
    count = 0

    def trace(frame: Any, event: str, _: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        Amendments(records)
    finally:
        sys.settrace(before)
    return count


def test_many_amendments_cost_as_much_each_as_few() -> None:
    """Ten times as many amendments, apart or all of one call, forwards or backwards, take less than fifteen times the steps."""
    for forwards in (True, False):
        for one_call in (True, False):

            def made(count: int, one_call: bool = one_call, forwards: bool = forwards) -> list[dict[str, Any]]:
                numbers = range(count) if forwards else range(count, 0, -1)
                return [{"event": AMENDED, "call_id": f"{n:08d}", "joins": [f"{n + 1:08d}" if one_call else f"x{n:08d}"]} for n in numbers]

            assert _steps(made(2_000)) < 15 * _steps(made(200))
