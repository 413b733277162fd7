"""``tail``: the latest calls, and with ``-f`` those that come."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from otel_tool_audit.access.following import LatestCalls
from otel_tool_audit.access.question import Question
from otel_tool_audit.cli import BadUsage, output
from otel_tool_audit.cli import options as opt
from otel_tool_audit.cli.answer_status import leave, say
from otel_tool_audit.cli.calls import COLUMNS, pieces_of, row
from otel_tool_audit.cli.options import trail_directory
from otel_tool_audit.cli.output import Column
from otel_tool_audit.cli.questions import AnswerRequest, asks, request_options
from otel_tool_audit.export import delimited
from otel_tool_audit.review.calls.clocks import zone_name

FORMATS: Final = ("table", "json", "jsonl", "csv")
_Format = Annotated[str | None, opt.format_option("table (default), json (without -f), jsonl (one object a line) or csv.", lambda: FORMATS)]
_WIDTHS: Final = (19, 11, 14, 16, 22, 7, 0)
"""What a table's columns have at least, in characters: its rows are not known yet."""


@asks
def tail(
    directory: opt.Directory = None,
    *,
    question: Question,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with calls as they end; stop with Ctrl-C.", show_default=False)] = False,
    count: Annotated[int, typer.Option("--lines", "-n", metavar="N", help="So many of the latest, by default 10.", show_default=False)] = 10,
    request: Annotated[AnswerRequest, request_options(file=False, style=_Format)],
) -> None:
    """Show the latest calls; -f goes on with those that come.

    What shows a subject's data is recorded in the trail. Exit 1 when the trail is seen to be broken, 3 when there is no key to recognise the subject by.
    """
    chosen = request.format(FORMATS)
    if chosen == "json" and follow:
        raise BadUsage("a list that goes on is no JSON document: --format jsonl")
    if count < 0:
        raise BadUsage("--lines must be 0 or more")
    reader = request.open(trail_directory(directory))
    end = LatestCalls(reader, count, question.filters(), follow=follow)
    status = reader.status(question.only.get("subject"))
    if chosen == "json":
        output.give(pieces_of(reversed(end.latest), "json", lambda: {"trail": status.as_dict()}), None)
        leave(status)
        return
    show = _shower(chosen, question, end.latest)
    for call in reversed(end.latest):
        show(call)
    if not follow:
        if not end.latest:
            output.say("no calls", "dim")
        leave(status)
        return
    say(status)
    output.say("waiting for calls; stop with Ctrl-C", "dim")
    for ended in end.coming():
        show(ended)


def _shower(style: str, question: Question, latest: Sequence[Mapping[str, Any]]) -> Callable[[Mapping[str, Any]], None]:
    if style == "jsonl":
        return lambda call: output.write_stdout(output.json_lines([call]), flush=True)
    if style == "csv":
        output.write_stdout([delimited.header()], flush=True)
        return lambda call: output.write_stdout([delimited.encode([call])], flush=True)
    zone = question.time.zone
    table = output.OpenTable((Column(f"TIME ({zone_name(zone)})"), *COLUMNS), _WIDTHS, [row(call, zone) for call in latest])
    return lambda call: table.add(row(call, zone))
