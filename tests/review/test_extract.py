"""What an index keeps of lines is what folding them gives, whatever stands in them and however many are taken in at once."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from otel_tool_audit.format.events import AMENDED, FINISHED, OBSERVED, STARTED
from otel_tool_audit.record.model import new_call
from otel_tool_audit.review.calls.filters import EQUALITIES
from otel_tool_audit.review.calls.fold import Folding
from otel_tool_audit.review.index.columns import row
from otel_tool_audit.review.index.extract import KEPT, ROW, Extraction
from otel_tool_audit.review.source.segments import parse

IDS = ["a" * 32, "b" * 32, "c" * 32]
ODD = st.sampled_from([None, "unknown", "text", "paused", "denied", "", 0, 1, -1, 2**53, 2**63, 2**64 - 1, 1.5, True, False, [], {}, ["a" * 32]])
FIELDS = [*KEPT, "success", "error", "outcome", "call_id", "seq", "event", "joins", "details"]


@st.composite
def lines(draw: st.DrawFn) -> list[bytes]:
    """Lines of few calls: most as a writer makes them, some changed by somebody else."""
    out = []
    for number in range(draw(st.integers(0, 24))):
        event = draw(st.sampled_from([STARTED, STARTED, FINISHED, FINISHED, FINISHED, OBSERVED, AMENDED, "trail.opened", "tool_call.new"]))
        call = new_call(draw(st.sampled_from(IDS)) if draw(st.integers(0, 4)) else f"{number:032x}", "tool", f"2026-03-01T00:00:{number:02d}.000000Z")
        record: dict[str, Any] = {"seq": number, "previous_hash": "0" * 64, "event": event, **call}
        if event in {FINISHED, OBSERVED}:
            record |= {"success": draw(st.sampled_from([True, False, None])), "duration_ms": draw(st.sampled_from([1.5, 2, None]))}
            if not draw(st.integers(0, 3)):
                record |= {
                    "success": draw(st.sampled_from([None, None, False])),
                    "outcome": draw(st.sampled_from(["paused", "denied", "interrupted"])),
                }
        if event == "trail.opened":
            record |= {"call_id": None}
        for field in draw(st.lists(st.sampled_from(FIELDS), max_size=2)):
            record[field] = draw(ODD)
        if not draw(st.integers(0, 9)):
            record.pop(draw(st.sampled_from(FIELDS)), None)
        line = orjson.dumps(record)
        spoilt = draw(st.integers(0, 40))
        if spoilt == 0:
            line = line.replace(b'"user_id":', b'"user_id":"twice","\\u0075ser_id":')
        elif spoilt == 1:
            line = line.replace(b'"purpose":', b'"\\u006aoins":["x"],"purpose":')
        elif spoilt == 2:
            line = draw(st.binary(max_size=40)).replace(b"\n", b" ")
        elif spoilt == 3:
            line = line[:-1]
        elif spoilt == 4:
            line = line.replace(b"null", b"NaN", 1)
        out.append(line)
    return out


def extracted(data: list[bytes], at_once: int) -> Extraction:
    found, at = Extraction(), 0
    for begin in range(0, len(data), at_once):
        at = found.feed(data[begin : begin + at_once], at)
    assert at == sum(map(len, data)) + len(data)
    return found


def rows_of(found: Extraction) -> list[dict[str, Any]]:
    return sorted((dict(zip(ROW, values, strict=True)) for values in zip(*found.columns, strict=True)), key=lambda one: one["last_at"])


NO_TIME = orjson.dumps({"seq": 0, "previous_hash": "", "event": OBSERVED, **new_call(IDS[0], "tool", ""), "timestamp": None})


@settings(max_examples=400, deadline=None)
@given(lines())
@example([NO_TIME])
def test_rows_are_what_folding_gives(data: list[bytes]) -> None:
    """A row holds what its lines fold to, and a line is part of one row, loose, or of the trail's own life."""
    found = extracted(data, 1000)
    places, at = {}, 0
    for line in data:
        places[at] = line
        at += len(line) + 1
    used = [at for at, _ in (*found.loose, *found.waiting(), *found.events)]
    for one in rows_of(found):
        here = dict.fromkeys((one["first_at"], one["last_at"]))
        used += here
        assert (len(places[one["first_at"]]), len(places[one["last_at"]])) == (one["first_bytes"], one["last_bytes"])
        records = [parse(places[at]) for at in here]
        folding = Folding(one["call_id"])
        for record in records:
            assert record is not None
            assert one["call_id"] == record["call_id"]
            folding.add(record)
        assert (records[0]["seq"], records[-1]["seq"]) == (one["first_seq"], one["last_seq"])
        call = row(folding.call(lambda _: True))
        assert {name: call[name] for name in (*KEPT, "status")} == {name: one[name] for name in (*KEPT, "status")}
        assert list(map(type, (call["duration_ms"], call["turn_number"]))) == list(map(type, (one["duration_ms"], one["turn_number"])))
    assert sorted(places) == sorted(used)


@settings(max_examples=300, deadline=None)
@given(lines(), st.integers(1, 7))
def test_taking_in_many_lines_at_once_is_taking_in_each(data: list[bytes], at_once: int) -> None:
    """Rows, loose lines and events are the same whether lines come one by one, a few or all at once."""
    whole, parts = extracted(data, 1000), extracted(data, at_once)
    assert rows_of(whole) == rows_of(parts)
    for name in ("loose", "events"):
        assert sorted(getattr(whole, name)) == sorted(getattr(parts, name))
    assert whole.waiting() == parts.waiting()


@settings(max_examples=300, deadline=None)
@given(lines())
def test_no_record_that_a_reader_sees_is_lost_for_the_index(data: list[bytes]) -> None:
    """Of every call that is no row, all records are among the loose lines; what belongs to no call is not in a row."""
    found = extracted(data, 1000)
    rows = rows_of(found)
    loose = {at for at, _ in (*found.loose, *found.waiting())}
    at = 0
    for line in data:
        record = parse(line)
        if record is not None and isinstance(record.get("call_id"), str):
            assert at in loose or any(at in {one["first_at"], one["last_at"]} and one["call_id"] == record["call_id"] for one in rows)
        at += len(line) + 1


def test_paused_and_denied_calls_are_rows() -> None:
    """What neither succeeded nor failed is a row like every other, so that a question for it reads no lines."""
    calls = [new_call(f"{number:032x}", "tool", f"2026-03-01T00:00:0{number}.000000Z") for number in range(3)]
    told = [(STARTED, calls[0]), (FINISHED, {**calls[0], "outcome": "paused"}), (OBSERVED, {**calls[1], "outcome": "denied"}), (OBSERVED, calls[2])]
    found = extracted([orjson.dumps({"seq": number, "previous_hash": "", "event": event, **call}) for number, (event, call) in enumerate(told)], 1000)
    assert [] == found.loose
    assert ["paused", "denied", "interrupted"] == [one["status"] for one in rows_of(found)]


def test_usual_calls_are_rows() -> None:
    """Calls of two lines, under way at once, and observed ones are rows; so is one whose user is learned only at its end."""
    calls = [new_call(f"{number:032x}", "tool", f"2026-03-01T00:00:0{number}.000000Z") for number in range(6)]
    ends = [{**call, "success": True, "duration_ms": 2.5, "user_id": "usr_1"} for call in calls]
    told = [(STARTED, one) for one in calls[:4]] + [(FINISHED, one) for one in reversed(ends[:4])] + [(OBSERVED, one) for one in ends[4:]]
    data = [orjson.dumps({"seq": number, "previous_hash": "", "event": event, **call}) for number, (event, call) in enumerate(told)]
    found = extracted(data, 1000)
    assert (6, [], []) == (len(found), found.loose, found.waiting())
    assert {("usr_1", 2.5, "success")} == {(one["user_id"], one["duration_ms"], one["status"]) for one in rows_of(found)}


def test_an_index_keeps_every_field_that_is_filtered_by() -> None:
    """A filter on a field that no index has would make every question to an index fail."""
    assert set() == {*EQUALITIES.values(), "subject", "timestamp"} - {*ROW}
