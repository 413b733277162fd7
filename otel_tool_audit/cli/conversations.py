"""``timeline``: a conversation, told turn by turn."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
from rich.text import Text

from otel_tool_audit.cli import options as opt
from otel_tool_audit.cli import output
from otel_tool_audit.cli.answer_status import leave
from otel_tool_audit.cli.calls import pieces_of
from otel_tool_audit.cli.options import directory_and
from otel_tool_audit.cli.questions import AnswerRequest, asks, request_options
from otel_tool_audit.export import markdown
from otel_tool_audit.review.calls.timeline import line


@asks
def timeline(
    first: opt.Directory = None,
    conversation: Annotated[str | None, typer.Argument(metavar="CONVERSATION", help="The conversation's id.", show_default=False)] = None,
    *,
    zone: opt.TimeZone = None,
    request: Annotated[AnswerRequest, request_options(style=opt.Rows)],
) -> None:
    """Tell a conversation, turn by turn.

    What shows a subject's data is recorded in the trail. Exit 1 when the trail is seen to be broken.
    """
    directory, wanted = directory_and(first, conversation, "CONVERSATION")
    chosen = request.format(opt.ROWS)
    clocks = opt.asked(None, None, None, zone).zone
    reader = request.open(directory)
    found = reader.calls(conversation=wanted, recorded_as="timeline")
    status = functools.cache(reader.status)
    if chosen == "table":
        _print(found, wanted)
    elif chosen == "md":
        output.give(markdown.conversation(wanted, found, clocks), request.file)
    else:
        output.give(pieces_of(found, chosen, lambda: {"trail": status().as_dict()}), request.file)
    leave(status())


def _print(found: Iterable[Mapping[str, Any]], wanted: str) -> None:
    console = output.stdout()
    nothing = True
    for call in found:
        console.print(Text(output.safe(line(call))))
        nothing = False
    if nothing:
        output.say(f"no calls in conversation {wanted}", "dim")
