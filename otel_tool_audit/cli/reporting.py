"""``report access``, ``report conversation`` and ``report activity``: what a reviewer hands on, on the terminal, as JSON, as HTML or as PDF."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, TypeVar

import typer

import otel_tool_audit
from otel_tool_audit.access.journal import Journal, Reading, announce, recognisable
from otel_tool_audit.access.question import Question
from otel_tool_audit.cli import options as opt
from otel_tool_audit.cli import output, pages
from otel_tool_audit.cli.answer_status import broken
from otel_tool_audit.cli.options import BadUsage, choose, trail_directory
from otel_tool_audit.cli.output import ReportFormat
from otel_tool_audit.cli.verdicts import progress
from otel_tool_audit.export import html, pdf
from otel_tool_audit.export.contents import Heading, access_document, activity_document, conversation_document
from otel_tool_audit.export.document import ReportDocument
from otel_tool_audit.review.reader import TrailReader
from otel_tool_audit.review.reports import AccessReport, ActivityReport, ConversationReport, Verdict
from otel_tool_audit.review.verify.findings import BROKEN
from otel_tool_audit.review.verify.verifier import verify

report: Final = typer.Typer(help="Reports that people read: who saw what, and what happened.", rich_markup_mode=None)

_HOURLY: Final = timedelta(days=3)
_SLOW_ROWS: Final = 2_000
_Values = TypeVar("_Values", AccessReport, ConversationReport, ActivityReport)

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

    Exit 1 when the trail is broken; the report says where. Exit 3 when there is no key to recognise the subject by. The report is recorded
    in the trail.
    """
    if "subject" not in question.only:
        raise BadUsage("whose data? Name the subject: --subject ID")
    asked = _Asked(
        "report access",
        question,
        Journal(trail_directory(directory), state, name=name, reason=reason),
        file,
        choose(ReportFormat, style, file, json=json),
    )
    filters = question.filters()
    subject, start, end = (filters.pop(key) for key in ("subject", "since", "until"))
    found = asked.reader.access_report(subject, start, end, check=False, **filters)
    asked.answer(found, len(found.rows), access_document)
    if not found.recognisable:
        raise typer.Exit(output.CANNOT_TELL)


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
    asked = _Asked(
        "report activity",
        question,
        Journal(trail_directory(directory), state, name=name, reason=reason),
        file,
        choose(ReportFormat, style, file, json=json),
    )
    filters = question.filters()
    start, end = filters.pop("since"), filters.pop("until")
    found = asked.reader.activity_report(start, end, every=_stretch(start, end), check=False, **filters)
    asked.answer(found, found.total.calls, activity_document)
    if not asked.certain:
        raise typer.Exit(output.CANNOT_TELL)


def _stretch(start: datetime | None, end: datetime | None) -> str:
    length = None if start is None else (end or datetime.now(UTC)) - start
    return "hour" if length is not None and length <= _HOURLY else "day"


def conversation(
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
    """Tell what happened in a conversation, call by call.

    Exit 1 when the trail is broken; the report says where. The report is recorded in the trail.
    """
    if "conversation" not in question.only:
        raise BadUsage("which conversation? Name it: --conversation ID")
    asked = _Asked(
        "report conversation",
        question,
        Journal(trail_directory(directory), state, name=name, reason=reason),
        file,
        choose(ReportFormat, style, file, json=json),
    )
    filters = question.filters()
    wanted, start, end = (filters.pop(key) for key in ("conversation", "since", "until"))
    found = asked.reader.conversation_report(wanted, start, end, check=False, **filters)
    asked.answer(found, len(found.rows), conversation_document)
    if not asked.certain:
        raise typer.Exit(output.CANNOT_TELL)


class _Asked:
    """A report that was asked for: everything that can be wrong with the question is found before the trail is read."""

    def __init__(self, what: str, question: Question, journal: Journal, file: str | None, style: ReportFormat) -> None:
        _check(style, file)
        self._what = what
        self._question = question
        self._journal = journal
        self._file = file
        self._style = style
        self.reader = TrailReader(journal.path, state=journal.state)

    @property
    def certain(self) -> bool:
        """Whether the subject, if one was named, can be told from others."""
        subject = self._question.only.get("subject")
        return subject is None or recognisable(subject, self._journal.path, self._journal.state)

    def answer(self, values: _Values, count: int, lay_out: Callable[[_Values, Heading], ReportDocument]) -> None:
        """
        Verify the trail, put the reading on record, and give the report.

        Args:
            values: The report's, without a verdict.
            count: How many calls it tells of.
            lay_out: Makes a document of them.

        Raises:
            typer.Exit: The trail is broken.
        """
        self._refuse_what_no_page_takes(values)
        with progress() as told:
            verdict = Verdict.of(verify(self._journal.path, state=self._journal.state, progress=told))
        found = dataclasses.replace(values, verdict=verdict)
        entry = self._journal.note(Reading(self._what, self._question.on_record()), count)
        announce(entry)
        document = lay_out(found, self._heading(entry.address or f"no: {entry.obstacle}"))
        if self._style is ReportFormat.table:
            pages.show(document)
        else:
            output.give(_pieces(found, document, self._style), self._file)
        if verdict.integrity == BROKEN:
            output.say(broken(verdict.findings), "bold red")
            raise typer.Exit(output.BROKEN)

    def _refuse_what_no_page_takes(self, values: AccessReport | ConversationReport | ActivityReport) -> None:
        """Say how a report that is too long for a PDF can be had, before it is on record that it was given."""
        rows = () if isinstance(values, ActivityReport) else values.rows
        if self._style is ReportFormat.pdf and len(rows) > pdf.MOST_ROWS:
            months = list(dict.fromkeys(row.timestamp[:7] for row in rows))
            parts = " to ".join(
                f"--during {month}" for month in ((months[0], months[-1]) if len(months) > 1 else (rows[0].timestamp[:10], rows[-1].timestamp[:10]))
            )
            raise BadUsage(
                f"{len(rows):,} calls are more than a PDF takes ({pdf.MOST_ROWS:,}): ask for HTML (-o report.html), or for parts of the time, from {parts}"
            )

    def _heading(self, on_record: str) -> Heading:
        who = self._journal.who()
        account = f"account {who['os_user']} on {who['host']}"
        return Heading(
            who=f"{who['as']} ({account})" if who["as"] else account, reason=self._journal.reason, made=datetime.now(UTC).isoformat(),
            zone=self._question.time.zone, filters=self._question.only, on_record=on_record, tool=f"{output.NAME} {otel_tool_audit.__version__}",
        )  # fmt: skip


def _check(style: ReportFormat, file: str | None) -> None:
    """Find out what a report could not be given for, before the trail is read."""
    if style is ReportFormat.html:
        html.jinja2()
    elif style is ReportFormat.pdf:
        pdf.typst()
        if file is None and sys.stdout.isatty():
            raise BadUsage("a PDF is nothing for a terminal: --output FILE")


def _pieces(found: AccessReport | ConversationReport | ActivityReport, document: ReportDocument, style: ReportFormat) -> Iterable[str | bytes]:
    if style is ReportFormat.html:
        return html.render(document)
    if style is ReportFormat.pdf:
        rows = sum(len(table.rows) for table in document.tables)
        if rows > _SLOW_ROWS:
            output.say(f"setting {rows:,} rows as PDF takes a while; HTML is quicker", "dim")
        return [pdf.render(document)]
    facts: dict[str, Any] = {fact.name.lower().replace(" ", "_"): fact.value for fact in document.facts}
    return [output.as_json({"report": document.title, "heading": facts, **dataclasses.asdict(found)}, indent=2) + "\n"]
