"""``report access`` and ``report activity``: what a reviewer hands on, on the terminal, as JSON, as HTML or as PDF."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer

import otel_tool_audit
from otel_tool_audit.cli import options as opt
from otel_tool_audit.cli import output, pages
from otel_tool_audit.cli.journal import Entry, Journal, Reading, announce, without_key
from otel_tool_audit.cli.options import BadUsage, named_format, trail_directory
from otel_tool_audit.cli.output import ReportFormat
from otel_tool_audit.cli.questions import Question
from otel_tool_audit.cli.verdicts import progress
from otel_tool_audit.export import html, pdf
from otel_tool_audit.export.contents import Heading, access_document, activity_document
from otel_tool_audit.export.document import Document
from otel_tool_audit.review.reader import TrailReader
from otel_tool_audit.review.reports import AccessReport, ActivityReport, Verdict
from otel_tool_audit.review.verify import verify

report: Final = typer.Typer(help="Reports that people read: who saw what, and what happened.", rich_markup_mode=None)

_HOURLY: Final = timedelta(days=3)
_DAILY: Final = timedelta(days=100)
_SLOW_ROWS: Final = 2_000

_Format = Annotated[ReportFormat | None, typer.Option("--format", metavar="FORMAT", help="table (default), json, html or pdf.", show_default=False)]


def access(
    directory: opt.Directory = None,
    *,
    question: Question,
    name: opt.As = None,
    reason: opt.Reason = None,
    file: opt.Output = None,
    style: _Format = None,
    json: opt.Json = False,
    state: opt.State = None,
) -> None:
    """Tell who saw a subject's data.

    Exit 1 when the trail is broken; the report says where. The report is recorded in the trail.
    """
    if "subject" not in question.only:
        raise BadUsage("whose data? Name the subject: --subject ID")
    chosen = _format(style, file, json=json)
    path = trail_directory(directory)
    reader = TrailReader(path, state=state)
    filters = question.filters()
    subject, start, end = (filters.pop(key) for key in ("subject", "since", "until"))
    answer = reader.access_report(subject, start, end, check=False, **filters)
    notes = (*answer.notes, *without_key(subject, path, state))
    found = dataclasses.replace(answer, verdict=_verdict(path, state), notes=notes)
    entry = _record("report access", question, len(found.rows), Journal(path, state, name=name, reason=reason))
    document = access_document(found, _heading(question, Journal(path, state, name=name, reason=reason), entry, without="subject"))
    _give(found, document, chosen, file)
    _leave(found.verdict)


def activity(
    directory: opt.Directory = None,
    *,
    question: Question,
    name: opt.As = None,
    reason: opt.Reason = None,
    file: opt.Output = None,
    style: _Format = None,
    json: opt.Json = False,
    state: opt.State = None,
) -> None:
    """Tell what happened in a period.

    Volume, failures, tools, users, triggers, refused calls, gaps, integrity. Exit 1 when the trail is broken; the report says where. The
    report is recorded in the trail.
    """
    chosen = _format(style, file, json=json)
    path = trail_directory(directory)
    reader = TrailReader(path, state=state)
    filters = question.filters()
    start, end = filters.pop("since"), filters.pop("until")
    found = dataclasses.replace(
        reader.activity_report(start, end, every=_stretch(start, end), check=False, **filters), verdict=_verdict(path, state)
    )
    journal = Journal(path, state, name=name, reason=reason)
    entry = _record("report activity", question, found.total.calls, journal)
    _give(found, activity_document(found, _heading(question, journal, entry)), chosen, file)
    _leave(found.verdict)


def _format(style: ReportFormat | None, file: str | None, *, json: bool) -> ReportFormat:
    if json:
        return ReportFormat.json
    chosen = style or named_format(file, ReportFormat) or ReportFormat.table
    if chosen is ReportFormat.pdf and file is None and sys.stdout.isatty():
        raise BadUsage("a PDF is nothing for a terminal: --output FILE")
    return chosen


def _verdict(path: str, state: str | None) -> Verdict:
    with progress() as told:
        return Verdict.of(verify(path, state=state, progress=told))


def _stretch(start: datetime | None, end: datetime | None) -> str:
    length = None if start is None else (end or datetime.now(UTC)) - start
    return "day" if length is None else "hour" if length <= _HOURLY else "day" if length <= _DAILY else "month"


def _record(what: str, question: Question, count: int, journal: Journal) -> Entry:
    entry = journal.note(Reading(what, question.on_record()), count)
    announce(entry)
    return entry


def _heading(question: Question, journal: Journal, entry: Entry, without: str | None = None) -> Heading:
    who = journal.who()
    account = f"account {who['os_user']} on {who['host']}"
    return Heading(
        who=f"{who['as']} ({account})" if who["as"] else account, reason=journal.reason, made=datetime.now(UTC).isoformat(), zone=question.time.zone,
        filters={key: value for key, value in question.only.items() if key != without}, on_record=entry.address or f"no: {entry.obstacle}",
        tool=f"{output.NAME} {otel_tool_audit.__version__}",
    )  # fmt: skip


def _give(found: AccessReport | ActivityReport, document: Document, style: ReportFormat, file: str | None) -> None:
    if style is ReportFormat.table and file is None:
        pages.show(document)
        return
    pieces = _pieces(found, document, style)
    if file is None:
        output.write_stdout(pieces)
    else:
        output.write_file(pieces, file)


def _pieces(found: AccessReport | ActivityReport, document: Document, style: ReportFormat) -> Iterable[str | bytes]:
    if style is ReportFormat.json:
        facts: dict[str, Any] = {fact.name.lower().replace(" ", "_"): fact.value for fact in document.facts}
        return [output.as_json({"report": document.title, "heading": facts, **dataclasses.asdict(found)}, indent=2) + "\n"]
    if style is ReportFormat.html:
        return html.render(document)
    if style is ReportFormat.pdf:
        rows = sum(len(table.rows) for table in document.tables)
        if rows > _SLOW_ROWS:
            output.say(f"setting {rows:,} rows as PDF takes a while; HTML is quicker", "dim")
        return [pdf.render(document)]
    raise BadUsage("a table is for the terminal; for a file name another format: --format html, pdf or json")


def _leave(verdict: Verdict | None) -> None:
    if verdict is not None and verdict.integrity == "broken":
        output.say("the trail is broken: `otel-tool-audit verify` has all findings", "bold red")
        raise typer.Exit(output.BROKEN)
