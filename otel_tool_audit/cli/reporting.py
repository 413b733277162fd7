"""``report access``, ``report conversation`` and ``report activity``: what a reviewer hands on, on the terminal, as JSON, as HTML or as PDF."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final

import typer

from otel_tool_audit.access.heading import heading_of
from otel_tool_audit.access.question import Question
from otel_tool_audit.access.reports import Report, TooManyRowsError, stretch_for
from otel_tool_audit.cli import BadUsage, output, pages, progress
from otel_tool_audit.cli import options as opt
from otel_tool_audit.cli.options import trail_directory
from otel_tool_audit.cli.questions import AnswerRequest, asks, request_options
from otel_tool_audit.export import html, pdf
from otel_tool_audit.export.contents import Heading, access_document, activity_document, conversation_document
from otel_tool_audit.export.document import ReportDocument

report: Final = typer.Typer(help="Reports that people read: who saw what, and what happened.", add_completion=False, rich_markup_mode=None)

_SLOW_ROWS: Final = 2_000

FORMATS: Final = ("table", "json", "html", "pdf")
_Format = Annotated[str | None, opt.format_option("table (default), json, html or pdf.", lambda: FORMATS)]
_Request = Annotated[AnswerRequest, request_options(style=_Format)]


@asks
def access(directory: opt.Directory = None, *, question: Question, request: _Request) -> None:
    """Tell who saw a subject's data.

    Exit 1 when the trail is broken; the report says where. Exit 3 when there is no key to recognise the subject by. The report is recorded
    in the trail.
    """
    if "subject" not in question.only:
        raise BadUsage("whose data? Name the subject: --subject ID")
    asked = _Asked(question, request, directory)
    filters = question.filters()
    subject, start, end = (filters.pop(key) for key in ("subject", "since", "until"))
    with asked.short_enough():
        found = asked.reader.access_report(subject, start, end, most=asked.most, verifying=progress.of_bytes, **filters)
    asked.give(found, access_document)


@asks
def activity(directory: opt.Directory = None, *, question: Question, request: _Request) -> None:
    """Tell what happened in a period.

    Volume, failures, tools, users, triggers, refused calls, gaps, integrity. Exit 1 when the trail is broken; the report says where. The
    report is recorded in the trail.
    """
    asked = _Asked(question, request, directory)
    filters = question.filters()
    start, end = filters.pop("since"), filters.pop("until")
    asked.give(asked.reader.activity_report(start, end, every=stretch_for(start, end), verifying=progress.of_bytes, **filters), activity_document)


@asks
def conversation(directory: opt.Directory = None, *, question: Question, request: _Request) -> None:
    """Tell what happened in a conversation, call by call.

    Exit 1 when the trail is broken; the report says where. The report is recorded in the trail.
    """
    if "conversation" not in question.only:
        raise BadUsage("which conversation? Name it: --conversation ID")
    asked = _Asked(question, request, directory)
    filters = question.filters()
    wanted, start, end = (filters.pop(key) for key in ("conversation", "since", "until"))
    with asked.short_enough():
        found = asked.reader.conversation_report(wanted, start, end, most=asked.most, verifying=progress.of_bytes, **filters)
    asked.give(found, conversation_document)


class _Asked:
    """A report that was asked for: everything that can be wrong with the question is found before the trail is read."""

    def __init__(self, question: Question, request: AnswerRequest, directory: str | None) -> None:
        self._question = question
        self._file = request.file
        self._style = request.format(FORMATS)
        self.reader = request.open(trail_directory(directory))
        _check(self._style, self._file)
        self.most = pdf.MOST_ROWS if self._style == "pdf" else None

    @contextmanager
    def short_enough(self) -> Iterator[None]:
        """Say how a report that is too long for a PDF can be had."""
        try:
            yield
        except TooManyRowsError as found:
            first, last = found.first[:7], found.last[:7]
            parts = (first, last) if first != last else (found.first[:10], found.last[:10])
            raise BadUsage(
                f"{found.rows:,} calls are more than a PDF takes ({pdf.MOST_ROWS:,}): ask for HTML (-o report.html), "
                f"or for parts of the time, from --during {parts[0]} to --during {parts[1]}"
            ) from None

    def give(self, found: Report, as_document: Callable[[Report, Heading], ReportDocument]) -> None:
        """
        Give the report, which is on record by now.

        Args:
            found: Its values.
            as_document: Makes a document of them.

        Raises:
            typer.Exit: The trail is broken, or the subject cannot be recognised.
        """
        document = as_document(found, heading_of(self.reader.journal, self._question.only, self._question.time.zone))
        if self._style == "table":
            pages.show(document)
        else:
            output.give(_pieces(found, document, self._style), self._file)
        status = self.reader.status(self._question.only.get("subject"), found.verdict)
        if status.broken:
            output.say(str(status.in_words()), "bold red")
        if status.exit_code:
            raise typer.Exit(status.exit_code)


def _check(style: str, file: str | None) -> None:
    """Find out what a report could not be given for, before the trail is read."""
    if style == "html":
        html.jinja2()
    elif style == "pdf":
        pdf.typst()
        if file is None and sys.stdout.isatty():
            raise BadUsage("a PDF is nothing for a terminal: --output FILE")


def _pieces(found: Report, document: ReportDocument, style: str) -> Iterable[str | bytes]:
    if style == "html":
        return html.render(document)
    if style == "pdf":
        rows = sum(len(table.rows) for table in document.tables)
        if rows > _SLOW_ROWS:
            output.say(f"setting {rows:,} rows as PDF takes a while; HTML is quicker", "dim")
        return [pdf.render(document)]
    facts: dict[str, Any] = {fact.name.lower().replace(" ", "_"): fact.value for fact in document.facts}
    return [output.as_json({"report": document.title, "heading": facts, **dataclasses.asdict(found)}, indent=2) + "\n"]


for _verb in (access, conversation, activity):
    report.command()(_verb)
