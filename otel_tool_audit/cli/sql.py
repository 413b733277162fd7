"""``sql``: for those who know what they want. It reads, and can do nothing else."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from otel_tool_audit.cli import options as opt
from otel_tool_audit.cli import output
from otel_tool_audit.cli.journal import Journal, Reading, announce
from otel_tool_audit.cli.options import BadUsage, directory_and, named_format
from otel_tool_audit.cli.output import AnswerFormat, Cell, Column
from otel_tool_audit.cli.questions import Question, missing
from otel_tool_audit.export import delimited
from otel_tool_audit.review.reader import TrailReader


def sql(
    first: opt.Directory = None,
    select: Annotated[str | None, typer.Argument(metavar="SELECT", help="One SELECT, or - to read it from stdin.", show_default=False)] = None,
    *,
    question: Question,
    name: opt.As = None,
    reason: opt.Reason = None,
    file: opt.Output = None,
    style: Annotated[AnswerFormat | None, typer.Option("--format", metavar="FORMAT", help="table (default), json, jsonl or csv.", show_default=False)] = None,
    json: opt.Json = False,
    state: opt.State = None,
) -> None:
    """Put a SELECT to the tables calls and records.

    The filters say which calls the table holds. It cannot write, open files or reach the network. The question is recorded in the trail.
    """
    directory, text = directory_and(first, select, "SELECT")
    chosen = AnswerFormat.json if json else style or named_format(file, AnswerFormat) or AnswerFormat.table
    reader = TrailReader(directory, state=state)
    answer = reader.sql(sys.stdin.read() if text == "-" else text, **question.filters())
    reading = Reading("sql", {**question.on_record(), "sql": text})
    announce(Journal(directory, state, name=name, reason=reason).note(reading, len(answer.rows)))
    if chosen is AnswerFormat.table and file is None:
        columns = [Column(title.upper(), shrinks=True) for title in answer.names]
        if not output.print_table(columns, ([Cell(_shown(value)) for value in row] for row in answer.rows)):
            output.say("no rows", "dim")
    else:
        _give(answer.names, answer.rows, chosen, file)
    for note in missing(reader):
        output.say(note, "yellow")


def _give(names: tuple[str, ...], rows: list[tuple[Any, ...]], style: AnswerFormat, file: str | None) -> None:
    if style is AnswerFormat.table:
        raise BadUsage("a table is for the terminal; for a file name another format: --format json, jsonl or csv")
    objects = (dict(zip(names, row, strict=True)) for row in rows)
    pieces: Iterable[str | bytes] = output.json_array(objects) if style is AnswerFormat.json else output.json_lines(objects)
    if style is AnswerFormat.csv:
        plain = (bool, int, float, str)
        pieces = (delimited.line([v if v is None or isinstance(v, plain) else str(v) for v in row]) for row in (names, *rows))
    if file is None:
        output.write_stdout(pieces)
    else:
        output.write_file(pieces, file)


def _shown(value: Any) -> str:  # noqa: ANN401 - any value of SQL
    return "" if value is None else value if isinstance(value, str) else output.as_json(value)
