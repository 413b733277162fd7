"""``sql``: for those who know what they want. It reads, and can do nothing else."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final

import typer

from otel_tool_audit.access.answer import AnswerStatus
from otel_tool_audit.access.question import Question
from otel_tool_audit.cli import options as opt
from otel_tool_audit.cli import output
from otel_tool_audit.cli.answer_status import leave
from otel_tool_audit.cli.options import directory_and
from otel_tool_audit.cli.output import Cell, Column
from otel_tool_audit.cli.questions import AnswerRequest, asks, request_options
from otel_tool_audit.export import delimited, markdown

_MEMORY: Final = 4 << 30
"""Bytes that answering may take beside what the process has."""


@asks
def sql(
    first: opt.Directory = None,
    select: Annotated[str | None, typer.Argument(metavar="SELECT", help="One SELECT, or - to read it from stdin.", show_default=False)] = None,
    *,
    question: Question,
    request: Annotated[AnswerRequest, request_options(style=opt.Rows)],
) -> None:
    """Put a SELECT to the tables calls and records.

    The filters say which calls the table holds. It cannot write, open files or reach the network. The question is recorded in the trail.
    Exit 1 when the trail is seen to be broken, 3 when there is no key to recognise the subject by.
    """
    directory, text = directory_and(first, select, "SELECT")
    chosen = request.format(opt.ROWS)
    reader = request.open(directory)
    asked = sys.stdin.read() if text == "-" else text
    with _memory_bounded():
        answer = reader.sql(asked, **question.filters())
    status = reader.status(question.only.get("subject"))
    if chosen == "table":
        columns = [Column(title.upper(), shrinks=True) for title in answer.names]
        if not output.print_table(columns, ([Cell(_shown(value)) for value in row] for row in answer.rows)):
            output.say("no rows", "dim")
    else:
        output.give(_pieces(answer.names, answer.rows, chosen, status), request.file)
    leave(status)


@contextlib.contextmanager
def _memory_bounded() -> Iterator[None]:
    """Keep one huge value, which DuckDB does not count, from taking the host's memory; where the host has no such limit, nothing is bound."""
    try:
        import resource  # noqa: PLC0415 - POSIX only

        with open("/proc/self/statm", encoding="ascii") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    except (ImportError, OSError):
        yield
        return
    most = [limit for limit in (used + _MEMORY, soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min(most), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _pieces(names: tuple[str, ...], rows: list[tuple[Any, ...]], style: str, status: AnswerStatus) -> Iterable[str | bytes]:
    if style == "csv":
        plain = (bool, int, float, str)
        return (delimited.line([v if v is None or isinstance(v, plain) else str(v) for v in row]) for row in (names, *rows))
    if style == "md":
        return markdown.table(names, (map(_shown, row) for row in rows))
    objects = (dict(zip(names, row, strict=True)) for row in rows)
    return output.json_document("rows", objects, lambda: {"trail": status.as_dict()}) if style == "json" else output.json_lines(objects)


def _shown(value: Any) -> str:  # noqa: ANN401 - any value of SQL
    return "" if value is None else value if isinstance(value, str) else output.as_json(value)
