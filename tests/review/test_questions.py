"""Questions to a trail: filters, orders, pages, statistics and reports."""

from __future__ import annotations

from typing import Any

import pytest
from making import Made, call, write

from otel_tool_audit.access.reader import TrailReader
from otel_tool_audit.errors import SettingsError
from otel_tool_audit.format.events import FINISHED, GAP, OBSERVED, STARTED
from otel_tool_audit.record.model import new_call
from otel_tool_audit.review.reader import UnauditedReader
from otel_tool_audit.trail.trail import Trail


def reader(made: Made) -> TrailReader:
    return TrailReader(made.path, state=str(made.state))


def fill(made: Made) -> None:
    """Ten calls: two tools, three users, failures, one without an end."""
    with Trail.open(made.path, state=made.state) as trail:
        for number in range(10):
            fields: dict[str, Any] = {
                "user_id": f"usr_{number % 3}", "subject": f"P-{number % 2}", "purpose": "treatment", "arguments": {"Patient": f"P-{number % 2}", "n": number},
                "retention_class": "healthcare" if number % 2 else "general", "trigger": "user_request",
            }  # fmt: skip
            made_call = new_call(
                f"{number:032x}", "get_record" if number < 6 else "send_mail", f"2026-03-0{1 + number // 5}T12:00:{number:02d}.000000Z"
            )
            made_call.update(fields)  # type: ignore[typeddict-item]
            trail.append(STARTED, made_call)
            if number != 9:
                failed = number in {2, 7}
                outcome = {"success": not failed, "error": "no" if failed else None, "error_type": "ValueError" if failed else None}
                trail.append(
                    FINISHED,
                    {
                        **made_call,
                        **outcome,
                        "duration_ms": float(number),
                        "result_summary": {"success": not failed, "record_id": "R-1", "_result_size": 9},
                    },
                )  # type: ignore[typeddict-unknown-key]


def turns(found: Any) -> list[int]:
    return [int(c["call_id"], 16) for c in found]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"retention": "healthcare"}, [1, 3, 5, 7, 9]),
        ({"text": "patient", "tool": "send_mail"}, [6, 7, 8, 9]),
        ({"text": '"N":4'}, [4]),
        ({"subject": "P-0", "user": "usr_0"}, [0, 6]),
        ({"status": "error"}, [2, 7]),
        ({"since": "2026-03-02"}, [5, 6, 7, 8, 9]),
    ],
)
def test_filters_combine(made: Made, filters: dict[str, Any], expected: list[int]) -> None:
    """Every filter that is given holds for every call that is given, and no call for which all hold is left out."""
    fill(made)
    assert expected == turns(reader(made).calls(**filters))


def test_any_field_sorts_and_pages_join_seamlessly(made: Made) -> None:
    """Pages of an order, put together, are the whole order: nothing twice, nothing left out; what has no value comes last either way."""
    fill(made)
    asked = reader(made)
    for field in ("duration_ms", "user_id", "timestamp", "error_type", "arguments"):
        for descending in (False, True):
            whole = turns(asked.calls(order_by=field, descending=descending))
            assert sorted(whole) == list(range(10))
            pages, key = [], None
            while True:
                page = asked.calls(order_by=field, descending=descending, limit=3, after=key)
                found = turns(page)
                pages += found
                key = page.next_key
                if key is None:
                    break
            assert whole == pages
    assert turns(asked.calls(order_by="duration_ms", descending=True)) == [8, 7, 6, 5, 4, 3, 2, 1, 0, 9]


def test_what_is_misspelt_is_answered_with_what_there_is(made: Made) -> None:
    """An unknown filter, field, status or stretch names the valid ones, the nearest first; a key of another order is refused."""
    fill(made)
    asked = reader(made)
    with pytest.raises(SettingsError, match=r"no filter 'toll'; did you mean one of: tool,"):
        asked.calls(toll="x")  # type: ignore[call-arg]
    with pytest.raises(SettingsError, match="no field to sort by 'user'; did you mean one of: user_"):
        asked.calls(order_by="user")
    with pytest.raises(SettingsError, match="'failed'"):
        asked.calls(status="failed")
    with pytest.raises(SettingsError, match="'dya'; there are: day,"):
        asked.tool_statistics(every="dya")
    first = asked.calls(order_by="user_id", limit=1)
    list(first)
    with pytest.raises(SettingsError, match="belongs to an order by user_id"):
        asked.calls(order_by="agent", after=first.next_key)
    with pytest.raises(SettingsError, match="is no key"):
        asked.calls(after="###")


def test_short_ways_ask_the_same(made: Made) -> None:
    """``by_user``, ``by_conversation`` and ``failures`` are filters under another name."""
    fill(made)
    asked = reader(made)
    assert [1, 4, 7] == turns(asked.by_user("usr_1"))
    assert [7] == turns(asked.by_user("usr_1", since="2026-03-02"))
    assert list(range(10)) == turns(asked.by_conversation("unknown"))
    assert [2, 7] == turns(asked.failures())
    assert [7] == turns(asked.failures(since="2026-03-02"))


def test_statistics_count_exactly(made: Made) -> None:
    """Calls, outcomes, durations, percentiles, users, and the same by day, for one tool and for all."""
    fill(made)
    found = reader(made).tool_statistics("get_record", every="day")
    assert (6, 5, 1, 0, 0) == (found.calls, found.succeeded, found.failed, found.interrupted, found.running)
    assert 5 / 6 == found.success_rate
    assert (2.5, 5.0, 2.0, 5.0, 5.0) == (found.mean_ms, found.max_ms, found.p50_ms, found.p95_ms, found.p99_ms)
    assert 3 == found.unique_users
    assert [("2026-03-01T00:00:00Z", 5, 1), ("2026-03-02T00:00:00Z", 1, 0)] == [(b.start, b.calls, b.failed) for b in found.series]
    total, tools = reader(made).statistics()
    assert (10, 1) == (total.calls, total.interrupted)
    assert ["get_record", "send_mail"] == [tool.tool for tool in tools]
    nothing = reader(made).tool_statistics("none")
    assert (0, None, None, None) == (nothing.calls, nothing.success_rate, nothing.mean_ms, nothing.p99_ms)


def test_what_did_not_run_is_neither_success_nor_failure(made: Made) -> None:
    """Paused and denied calls have figures of their own, and no rate, failure or error counts them."""
    with Trail.open(made.path, state=made.state) as trail:
        call(trail, 1)
        call(trail, 2, end=False)
        for number, fields in (
            (3, {"outcome": "paused", "waits_for": {"kind": "approval", "reason": "sure?"}}),
            (4, {"outcome": "denied", "denial": {"rule": "approval", "reason": "no", "by": None}}),
            (5, {"success": False, "error": "boom"}),
        ):
            trail.append(OBSERVED, {**new_call(f"{number:032x}", "issue_refund", "2026-03-01T12:00:09.000000Z"), **fields})  # type: ignore[typeddict-item]
    asked = reader(made)
    total = asked.statistics(every="day")[0]
    assert (5, 1, 1, 1, 0, 1, 1) == (total.calls, total.succeeded, total.failed, total.interrupted, total.running, total.paused, total.denied)
    assert (3, 1 / 3) == (total.ended, total.success_rate)
    assert [(1, 1)] == [(bucket.paused, bucket.denied) for bucket in total.series]
    assert [5] == turns(asked.failures())
    assert [3] == turns(asked.calls(status="paused"))
    assert [4] == turns(asked.calls(status="denied"))
    report = asked.activity_report(check=False)
    assert (1, 1, 1) == (report.total.failed, report.total.paused, report.total.denied)
    assert [(None, 1)] == [(count.name, count.calls) for count in report.errors]
    assert ["⏸", "🚫"] == [mark for mark in ("⏸", "🚫") if mark in "".join(asked.timeline("unknown"))]


def test_an_access_report_says_who_saw_what(made: Made) -> None:
    """Rows name their records, what was viewed and by whom; the verdict and the heads are those of the verification."""
    fill(made)
    unseen = UnauditedReader(made.path, state=str(made.state))
    report = unseen.access_report("P-1", "2026-03-01", "2026-03-03")
    assert [1, 3, 5, 7, 9] == [int(row.call_id, 16) for row in report.rows]
    first = report.rows[0]
    assert {"success": True, "record_id": "R-1"} == first.viewed
    assert ("Patient", "n", "record_id") == first.fields
    assert ("healthcare", 64) == (first.chain, len(first.hash))
    assert report.verdict is not None
    assert "intact" == report.verdict.integrity
    assert {"general", "healthcare", "trail"} == {head.chain for head in report.verdict.heads}
    assert report.verdict.heads == unseen.heads()
    assert {("usr_1", 2), ("usr_0", 2), ("usr_2", 1)} == {(count.name, count.calls) for count in report.users}
    assert unseen.access_report("P-1", check=False).verdict is None


def test_an_activity_report_tells_a_period(made: Made) -> None:
    """Volume, failures, users and triggers of the period, and what the trail itself says is missing."""
    fill(made)
    report = reader(made).activity_report("2026-03-02", "2026-03-03", every="hour")
    assert (5, 1) == (report.total.calls, report.total.failed)
    assert [("ValueError", 1)] == [(count.name, count.calls) for count in report.errors]
    assert [("user_request", 5)] == [(count.name, count.calls) for count in report.triggers]
    assert ["send_mail", "get_record"] == [tool.tool for tool in report.tools]
    assert (0, 0, ()) == (report.refused, report.lost, report.gaps)


def test_gaps_and_refusals_are_told(made: Made) -> None:
    """What writers counted as refused or lost, and every gap record, stand in the report of their time."""
    from otel_tool_audit.review.activity import life  # noqa: PLC0415 - pure, no trail needed

    def beat(when: str, refused: int, event: str = "trail.heartbeat") -> dict[str, Any]:
        return {
            "event": event,
            "timestamp": when,
            "seq": 1,
            "chain": "trail",
            "details": {"writer": "w", "counters": {"refused": refused, "lost": 0}},
        }

    gap = {"event": GAP, "timestamp": "2026-03-02T01", "seq": 9, "chain": "general", "details": {"calls": 4, "reason": "disk full"}}
    records = [beat("2026-03-01", 3), beat("2026-03-02", 5), beat("2026-03-02T02", 8, "trail.closed"), beat("2026-03-04", 9), gap]
    found = life(records, "2026-03-02", "2026-03-03")
    assert 5 == found.refused
    assert [("general", 9, 4, "disk full")] == [(g.chain, g.seq, g.calls, g.reason) for g in found.gaps]
    assert 9 == life(records, None, None).refused


def test_answers_become_tables(made: Made) -> None:
    """An answer is an Arrow table of known columns, whatever records hold."""
    pytest.importorskip("pyarrow")
    write(made, 1, 2)
    with Trail.open(made.path, state=made.state) as trail:
        call(trail, 3, arguments={"a": [1]}, turn_number="three")
    table = reader(made).calls().arrow()
    assert [1, 2, None] == table["turn_number"].to_pylist()
    assert '{"a":[1]}' == table["arguments"].to_pylist()[2]
    assert '{"turn_number":"three"}' == table["other"].to_pylist()[2]
    assert 0 == reader(made).calls(user="nobody").arrow().num_rows
