"""The table of the trail's events: what FORMAT.md says, what writers write, and what a new one does to the verdicts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from making import Made, call, crash_host, killed, write

import otel_tool_audit
from otel_tool_audit.cli.app import run
from otel_tool_audit.format import events
from otel_tool_audit.format.events import CONCERNED, EVENTS, GAP, KEY_ROTATED, PRUNED, RECOVERED, Completeness, Event, Integrity
from otel_tool_audit.format.names import TRAIL_CHAIN
from otel_tool_audit.review.verify.verifier import verify
from otel_tool_audit.trail.state.accept_loss import accept
from otel_tool_audit.trail.trail import Trail

FORMAT = (Path(otel_tool_audit.__file__).parent / "trail" / "FORMAT.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\| `trail\..*$", FORMAT.replace("or null", ""), re.MULTILINE)]


def keys(cell: str) -> list[str]:
    """The keys that a cell names, and those that stand only when they tell something."""
    further = re.findall(r"`(\w+)`", cell.partition("what changed (")[2])
    while cell != (cell := re.sub(r"\{[^{}]*\}|\([^()]*\)", "", cell)):
        pass
    return re.findall(r"`(\w+)`", cell) + further


def test_the_table_is_that_of_the_format() -> None:
    """Names, keys, effects on both verdicts and the first version of each event stand in FORMAT.md as they do in the table."""
    said: dict[str, tuple[Any, ...]] = {}
    for names, since, details, integrity, completeness in ROWS:
        for name in re.findall(r"`([a-z_.]+)`", names):
            shared = said["trail.read"][0] if details.startswith("as `trail.read`") else []
            said[name] = (sorted([*shared, *keys(details)]), integrity, completeness, int(since))
    expected = {
        event.name: (sorted((*event.details, *event.further)), event.integrity.value, event.completeness.value, event.since)
        for event in EVENTS.values()
    }
    assert expected == said


def test_the_chains_of_events_are_those_of_the_format() -> None:
    """FORMAT.md names the events that stand in the chain they concern; all others stand in chain `trail`."""
    sentence = re.search(r"In the chain they concern stand (.*?); in chain `trail` stands everything else", FORMAT)
    assert sentence is not None
    assert [event.name for event in EVENTS.values() if event.chain == CONCERNED] == re.findall(r"`(trail\.\w+)`", sentence[1])
    assert {CONCERNED, TRAIL_CHAIN} == {event.chain for event in EVENTS.values()}


def test_a_reason_is_told_where_a_verdict_changes() -> None:
    """Whatever makes integrity doubtful or completeness lacking says so in words of its own, and nothing else does."""
    for event in EVENTS.values():
        assert (event.integrity is Integrity.DOUBT, event.completeness in {Completeness.GAP, Completeness.EPOCH}) == (
            event.doubt != "",
            event.gap != "",
        )


def records(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for segment in sorted(path.glob("*/*.jsonl")):
        yield from ((segment.parent.name, json.loads(line)) for line in segment.read_bytes().splitlines())


def test_writers_write_what_the_table_says(made: Made, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each event that this version writes stands in its chain and has the keys of the table, no fewer and no others."""
    monkeypatch.setenv("OTEL_TOOL_AUDIT_STATE", str(made.state))
    write(made, segment_bytes=1000)
    killed(made, 5, 6)
    crash_host(made)
    with Trail.open(made.path, state=made.state) as trail:
        call(trail, 9, subject="cus_1")
        trail.lost(calls=1, records=2, reason="full")
    moved = Made(made.path.with_name("moved"), made.state)
    made.path.rename(moved.path)
    with Trail.open(moved.path, state=made.state, heartbeat_seconds=1e-9, durability="os") as trail:
        call(trail, 10)
        trail.tick()
    assert [0, 0] == [
        run(["calls", str(moved.path), "--subject", "cus_1"]),
        run(["export", str(moved.path), "--output", str(made.path.with_name("export"))]),
    ]
    with moved.general.open("ab") as file:
        file.write(b"{}\n")
    accept(str(moved.path), reason="tried", who="a test", state=str(made.state))
    capsys.readouterr()
    seen = set()
    for chain, record in records(moved.path):
        if "details" in record:
            event = EVENTS[record["event"]]
            seen.add(event.name)
            assert (chain == TRAIL_CHAIN) >= (event.chain == TRAIL_CHAIN), (chain, event)
            assert set(event.details) <= set(record["details"]) <= {*event.details, *event.further}, record
    assert set(EVENTS) - {PRUNED} == seen, "pruning is read, and not written yet"
    assert {GAP, KEY_ROTATED, RECOVERED} <= seen


def test_a_new_event_is_one_more_value(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event that is added to the table changes both verdicts as it says, and its words tell why."""
    name = "trail.made_up"
    written = {"kind": "flood", "number": 7}
    with Trail.open(made.path, state=made.state) as trail:
        call(trail, 1)
        trail.tell(name, written)
    before = verify(made.path, state=str(made.state))
    assert ("intact", "complete", [], []) == (before.integrity, before.completeness, before.doubts, before.gaps)
    known = Event(
        name, TRAIL_CHAIN, ("kind", "number", "why"), integrity=Integrity.DOUBT, doubt="a {kind} at {where}",
        completeness=Completeness.GAP, gap="{number} things were lost at {where} ({why})",
    )  # fmt: skip
    monkeypatch.setattr(events, "EVENTS", {**EVENTS, name: known})
    after = verify(made.path, state=str(made.state))
    assert ("cannot tell", ["a flood at trail/3"]) == (after.integrity, after.doubts)
    assert ("known gaps", ["7 things were lost at trail/3 (None)"]) == (after.completeness, after.gaps)
