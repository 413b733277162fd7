"""
What reports say: of accesses, a conversation, or a period, laid out as a document. Pure: the clock is passed in.

Source: ARCHITECTURE.md, R16, R19; the values are those of review/reports.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any, Final

from otel_tool_audit.export import document as doc
from otel_tool_audit.export.document import BAD, GOOD, PLAIN, UNSURE, Fact, ReportCell, ReportColumn, ReportDocument, Table, Tile, cell, count, text
from otel_tool_audit.record.model import DENIED, INTERRUPTED, PAUSED
from otel_tool_audit.review.calls.clocks import in_zone, zone_name
from otel_tool_audit.review.calls.fold import ERROR, RUNNING, SUCCESS
from otel_tool_audit.review.calls.intervals import filled
from otel_tool_audit.review.calls.values import Count, ToolStatistics
from otel_tool_audit.review.reports import Access, AccessReport, ActivityReport, ConversationReport, ReportedGap, Verdict
from otel_tool_audit.text import as_json, duration, percent, plural

SHOWN: Final = 10
"""Values of a field that a chart shows; it says how many more there are."""

LONGEST: Final = 400
"""Characters of arguments or summary that a row shows; it says how many more there are."""

MOST_BARS: Final = 100
"""Bars of a chart over time; a longer time is shown by longer stretches, at most by months."""

_TONES: Final = {SUCCESS: GOOD, ERROR: BAD, INTERRUPTED: UNSURE, RUNNING: UNSURE, PAUSED: UNSURE, DENIED: UNSURE}
_VERDICTS: Final = {"intact": GOOD, "complete": GOOD, "broken": BAD, "known gaps": UNSURE, "cannot tell": UNSURE}
_SENTENCES: Final = {
    "intact": "What is here is what was written: no record was changed, removed, added or moved.",
    "broken": "What is here is not what was written. The findings name the records.",
    "cannot tell": "Whether what is here is what was written cannot be told from here. The doubts say why.",
}
_OUTCOME: Final = (ReportColumn("Outcome", 11), ReportColumn("Proof", 21))
_MONTH: Final = len("2026-03")
_DATE: Final = len("2026-03-01")
_MINUTE: Final = len("2026-03-01 12:00")
_MIDNIGHT: Final = "T00:00:00Z"
_UNVERIFIED: Final = "The trail was not verified for this report."


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands above a report and is not in its values."""

    who: str
    """Who asked."""
    reason: str | None
    """Why."""
    made: str
    """When, as records write it (UTC)."""
    zone: tzinfo
    """Whose clocks the reader is shown."""
    filters: Mapping[str, Any]
    """What else was asked for, besides subject and time."""
    on_record: str
    """Where this reading stands in the trail, or why it does not."""
    tool: str
    """Name and version of what made it."""


def access_document(report: AccessReport, heading: Heading) -> ReportDocument:
    """
    Lay out who saw a subject's data.

    Args:
        report: The values.
        heading: What stands above them.
    """
    states = Counter(row.status for row in report.rows)
    tiles = (
        Tile("accesses", count(len(report.rows))), Tile("people", count(len(report.users))), Tile("tools", count(len(report.tools))), _failed(states[ERROR]),
        *_did_not_run(states[PAUSED], states[DENIED]),
        *(Tile(name, in_zone(report.rows[at].timestamp, heading.zone)[:10] if report.rows else text(None)) for name, at in (("first", 0), ("last", -1))),
    )  # fmt: skip
    stored = ", ".join(name for name in map(text, report.stored_as) if name != text(report.subject)) or text(report.subject)
    about = (Fact("Subject", text(report.subject)), Fact("Stored as", stored, code=True))
    columns = (ReportColumn("Time", 11), ReportColumn("Who", 14), ReportColumn("What and why", 17), ReportColumn("Data viewed", 26), *_OUTCOME)
    rows = tuple(_access_row(row, heading.zone) for row in report.rows)
    table = Table("Every access", columns, rows, _NO_ACCESS if report.recognisable else _CANNOT_TELL, _what_is_shown("Data viewed"))
    counted = {"By user": report.users, "By tool": report.tools, "By purpose": report.purposes}
    series = _accesses(report.rows, heading.zone)
    return _document(report, _without(heading, "subject"), "Access report", text(report.subject), tiles, counted, (table,), series, about)


def conversation_document(report: ConversationReport, heading: Heading) -> ReportDocument:
    """
    Lay out what happened in a conversation.

    Args:
        report: The values.
        heading: What stands above them.
    """
    states = Counter(row.status for row in report.rows)
    tiles = (
        Tile("calls", count(len(report.rows))), Tile("turns", count(len({row.turn_number for row in report.rows if row.turn_number is not None}))),
        _failed(states[ERROR]), Tile("interrupted", count(states[INTERRUPTED]), tone=UNSURE if states[INTERRUPTED] else PLAIN),
        *_did_not_run(states[PAUSED], states[DENIED]), Tile("people", count(len(report.users))), Tile("tools", count(len(report.tools))),
    )  # fmt: skip
    columns = (
        ReportColumn("Turn", 6), ReportColumn("Time", 11), ReportColumn("Who", 14), ReportColumn("What and why", 16),
        ReportColumn("Asked and answered", 24), *_OUTCOME,
    )  # fmt: skip
    rows = tuple((cell(row.turn_number), *_access_row(row, heading.zone, within=report.conversation)) for row in report.rows)
    table = Table("Call by call", columns, rows, _NO_CALL, _what_is_shown("Asked and answered"))
    counted = {"By user": report.users, "By tool": report.tools}
    return _document(report, _without(heading, "conversation"), "Conversation", text(report.conversation), tiles, counted, (table,))


def activity_document(report: ActivityReport, heading: Heading) -> ReportDocument:
    """
    Lay out what happened in a period.

    Args:
        report: The values.
        heading: What stands above them.
    """
    total = report.total
    tiles = (
        Tile("calls", count(total.calls)), Tile("success", percent(total.success_rate), f"{count(total.succeeded)} of {count(total.ended)}"),
        _failed(total.failed), Tile("interrupted", count(total.interrupted), "no end is on record", UNSURE if total.interrupted else PLAIN),
        *_did_not_run(total.paused, total.denied), Tile("users", count(total.unique_users)),
        Tile("refused", count(report.refused), "could not be recorded, so did not run", UNSURE if report.refused else PLAIN),
        Tile("lost records", count(report.lost), tone=BAD if report.lost else PLAIN),
        Tile("median duration", duration(total.p50_ms), f"95 %: {duration(total.p95_ms)}"),
    )  # fmt: skip
    counted = {
        "By user": report.users, "By role": report.roles, "By trigger": report.triggers, "By purpose": report.purposes, "By agent": report.agents,
        "By model": report.models, "Failures by kind": report.errors,
    }  # fmt: skip
    widths = {
        "Calls": 8, "Success": 8, "Failed": 7, "Interrupted": 10, "Paused": 7, "Denied": 7, "Users": 6, "Mean": 7, "50 %": 7, "95 %": 7, "Max": 7,
    }  # fmt: skip
    columns = (ReportColumn("Tool", 20), *(ReportColumn(title, width, right=True) for title, width in widths.items()))
    gap_columns = (
        ReportColumn("Time", 16), ReportColumn("What", 18), ReportColumn("Why", 36), ReportColumn("Calls", 12, right=True), ReportColumn("Record", 18),
    )  # fmt: skip
    gaps = tuple(_gap_row(gap, heading.zone) for gap in report.gaps)
    tables = (
        Table("Tools", columns, tuple(_tool_row(tool) for tool in report.tools), "No tool was called in this time, as far as the trail tells."),
        Table("Gaps", gap_columns, gaps, "The trail names no gap in this time.", "What the trail itself says is missing, or was given up."),
    )
    subject, series = _period(report.start, report.end, heading.zone), _calls_over_time(report, heading.zone)
    return _document(report, heading, "Activity report", subject, tiles, counted, tables, series)


def _document(  # noqa: PLR0917 - in the order in which a report shows them
    report: AccessReport | ConversationReport | ActivityReport, heading: Heading, title: str, subject: str, tiles: tuple[Tile, ...],
    counted: Mapping[str, Sequence[Count]], tables: tuple[Table, ...], series: doc.Series | None = None, about: tuple[Fact, ...] = (),
) -> ReportDocument:  # fmt: skip
    return ReportDocument(
        title, subject, (*about, *_facts(report, heading)), _seal(report.verdict), tiles, series,
        tuple(_ranking(name, counts) for name, counts in counted.items() if counts), tables, _remarks(report.notes), _proof(report.path),
    )  # fmt: skip


def _without(heading: Heading, name: str) -> Heading:
    """What a report is about stands in its title, and not among its filters."""
    return replace(heading, filters={key: value for key, value in heading.filters.items() if key != name})


_NO_CALL: Final = "No call was made in this conversation, as far as the trail tells."
_NO_ACCESS: Final = "No call touched this subject's data in this time, as far as the trail tells."
_CANNOT_TELL: Final = (
    "Whether a call touched this subject's data cannot be told: records name subjects by pseudonyms, and there is no key here to make this one's. "
    "Ask with the writers' state directory, or with the pseudonym (psn:…)."
)


def _failed(number: int) -> Tile:
    return Tile("failed", count(number), tone=BAD if number else PLAIN)


def _did_not_run(paused: int, denied: int) -> tuple[Tile, ...]:
    """Count the calls that neither succeeded nor failed, where there are any."""
    tiles = (Tile("paused", count(paused), "wait for somebody", UNSURE), Tile("denied", count(denied), "somebody said no, so did not run", UNSURE))
    return tuple(tile for tile, number in zip(tiles, (paused, denied), strict=True) if number)


def _what_is_shown(column: str) -> str:
    return (
        f"{column}: the names of what was asked for and what came back, and the result's summary. Contents of results are never stored. "
        "Proof: where the call's last record stands, and its hash."
    )


def _facts(report: AccessReport | ConversationReport | ActivityReport, heading: Heading) -> tuple[Fact, ...]:
    filters = ", ".join(f"{name}: {value}" for name, value in heading.filters.items() if value is not None)
    return (
        Fact("Period", _period(report.start, report.end, heading.zone)), Fact("Filters", text(filters) if filters else "none"),
        Fact("Time zone", zone_name(heading.zone)), Fact("Asked by", text(heading.who)),
        Fact("Reason", text(heading.reason) if heading.reason else "none was given"),
        Fact("Made", f"{in_zone(heading.made, heading.zone)} {zone_name(heading.zone)}, with {text(heading.tool)}"),
        Fact("On record", text(heading.on_record)), Fact("Trail", f"{report.trail_id} at {text(report.path)}", code=True),
    )  # fmt: skip


def _period(start: str | None, end: str | None, zone: tzinfo) -> str:
    if start is None and end is None:
        return "All that is on record"
    begin, stop = (None if moment is None else in_zone(moment, zone).removesuffix(" 00:00:00") for moment in (start, end))
    parts = (begin and f"from {begin}", stop and f"until before {stop}")
    words = " ".join(part for part in parts if part)
    return f"{words[:1].upper()}{words[1:]}, {zone_name(zone)}"


def _seal(verdict: Verdict | None) -> doc.VerdictPanel:
    if verdict is None:
        return doc.VerdictPanel("not verified", "not verified", UNSURE, UNSURE, _UNVERIFIED, (), ())
    heads = tuple(Fact(f"{text(head.chain)}, {plural(head.count, 'record')}", head.hash, code=True) for head in verdict.heads)
    said = (("Findings", verdict.findings, BAD), ("Doubts", verdict.doubts, UNSURE), ("Gaps", verdict.gaps, UNSURE), ("Notes", verdict.notes, PLAIN))
    return doc.VerdictPanel(
        verdict.integrity, verdict.completeness, _VERDICTS.get(verdict.integrity, UNSURE), _VERDICTS.get(verdict.completeness, UNSURE),
        _SENTENCES.get(verdict.integrity, ""), heads,
        tuple(doc.Remarks(title, tuple(map(text, items)), tone) for title, items, tone in said if items),
    )  # fmt: skip


def _access_row(row: Access, zone: tzinfo, within: str | None = None) -> tuple[ReportCell, ...]:
    date, _, clock = in_zone(row.timestamp, zone).partition(" ")
    through = " → ".join(text(name) for name in (row.agent, row.model) if name)
    why = " · ".join(text(name) for name in (row.purpose, row.trigger) if name)
    viewed = [_short(as_json(value)) for value in (row.arguments, dict(row.viewed)) if value not in (None, {}, [])]
    took = duration(row.duration_ms) if row.duration_ms is not None else None
    return (
        cell(date, clock or None),
        cell(row.user_id, row.user_role, through or None),
        cell(row.tool_name, why or None, None if row.conversation_id == within else f"conversation {row.conversation_id}"),
        cell(", ".join(map(str, row.fields)) or None, code=viewed),
        cell(row.status, took, row.error or row.why_not, tone=_TONES.get(row.status, PLAIN)),
        cell(f"{row.chain}/{row.seq}", code=(row.hash,)),
    )


def _short(shown: str) -> str:
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}… ({len(shown) - LONGEST:,} more characters; the record has them)"


def _tool_row(tool: ToolStatistics) -> tuple[ReportCell, ...]:
    return (
        cell(tool.tool), cell(count(tool.calls)), cell(percent(tool.success_rate)), cell(count(tool.failed), tone=BAD if tool.failed else PLAIN),
        *(cell(count(number), tone=UNSURE if number else PLAIN) for number in (tool.interrupted, tool.paused, tool.denied)),
        cell(count(tool.unique_users)),
        *(cell(duration(value)) for value in (tool.mean_ms, tool.p50_ms, tool.p95_ms, tool.max_ms)),
    )  # fmt: skip


def _gap_row(gap: ReportedGap, zone: tzinfo) -> tuple[ReportCell, ...]:
    return (
        cell(in_zone(gap.timestamp, zone)), cell(gap.event), cell(gap.reason), cell("not counted" if gap.calls is None else count(gap.calls)),
        cell(f"{gap.chain}/{gap.seq}"),
    )  # fmt: skip


def _ranking(title: str, counts: Sequence[Count]) -> doc.Ranking:
    bars = tuple(doc.Bar(text(c.name) if c.name is not None else "nobody named it", (c.calls - c.failed, c.failed)) for c in counts[:SHOWN])
    return doc.Ranking(title, ("not failed", "failed"), bars, max(0, len(counts) - SHOWN))


def _accesses(rows: Iterable[Access], zone: tzinfo) -> doc.Series | None:
    """Count accesses by day on the clocks of the zone, or by month where there would be too many days."""
    found: dict[str, tuple[int, ...]] = {}
    for day, failed in sorted((in_zone(row.timestamp, zone)[:_DATE], row.status == ERROR) for row in rows):
        calls, bad = found.get(day, (0, 0))
        found[day] = (calls + (not failed), bad + failed)
    every, counted = filled({f"{day}{_MIDNIGHT}": numbers for day, numbers in found.items()}, "day", MOST_BARS)
    return _series("Accesses over time", ("not failed", "failed"), counted, every, ("access", "accesses")) if counted else None


def _calls_over_time(report: ActivityReport, zone: tzinfo) -> doc.Series | None:
    found: dict[str, tuple[int, ...]] = {b.start: (b.succeeded, b.running, b.paused, b.denied, b.interrupted, b.failed) for b in report.total.series}
    every, counted = filled(found, report.every or "day", MOST_BARS)
    if not counted:
        return None
    if every in {"minute", "hour"}:
        counted = {in_zone(start, zone): numbers for start, numbers in counted.items()}
    # stretches of a day and more are those of UTC, on whichever clocks the reader looks
    title = "Calls over time" if every in {"minute", "hour"} or zone_name(zone) == "UTC" else f"Calls over time, by {every}s in UTC"
    return _series(title, ("succeeded", "running", "paused", "denied", "interrupted", "failed"), counted, every, ("call", "calls"))


def _series(title: str, parts: tuple[str, ...], counted: Mapping[str, tuple[int, ...]], every: str, things: tuple[str, str]) -> doc.Series:
    width = {"month": _MONTH, "day": _DATE}.get(every, _MINUTE)
    return doc.Series(title, parts, tuple(doc.Bar(text(start[:width]), numbers) for start, numbers in counted.items()), every, things)


def _remarks(notes: Sequence[str]) -> tuple[doc.Remarks, ...]:
    return (doc.Remarks("What could not be read or told", tuple(map(text, notes)), UNSURE),) if notes else ()


def _proof(path: str) -> tuple[str, ...]:
    where = text(path)
    return (f"otel-tool-audit verify {where}", f"otel-tool-audit show {where} CHAIN/SEQ")
