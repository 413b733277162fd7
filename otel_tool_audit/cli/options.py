"""The options that several verbs share, and what their text means."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, cast

import typer
from typer.core import TyperCommand

from otel_tool_audit.cli.output import Format, RowsFormat
from otel_tool_audit.record.model import TRIGGERS
from otel_tool_audit.settings import variable

BadUsage: Final = cast("type[Exception]", typer.BadParameter.__mro__[1])
"""What typer raises for wrong arguments: ``UsageError``, whose home differs between typer's versions."""

_RELATIVE: Final = re.compile(r"(\d{1,9})(s|m|h|d|w)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class Status(StrEnum):
    """What came of a call."""

    success = "success"
    error = "error"
    interrupted = "interrupted"
    running = "running"


Trigger = StrEnum("Trigger", {name: name for name in TRIGGERS})  # type: ignore[misc]  # the names stand in one place only


def _option(*names: str, help: str, metavar: str | None = None) -> Any:  # noqa: A002, ANN401 - typer's names and types
    return typer.Option(*names, help=help, metavar=metavar, show_default=False, show_envvar=False)


Directory = Annotated[
    str | None,
    typer.Argument(metavar="DIR", help=f"The trail; by default what {variable('trail')} names.", show_default=False),
]
State = Annotated[
    str | None,
    _option("--state", metavar="DIR", help=f"The state directory, or 'none'; by default {variable('state')}, else the user's own."),
]
TableOrJson = Annotated[Format, _option("--format", help="table (default) or json.", metavar="FORMAT")]
TableOrRows = Annotated[RowsFormat, _option("--format", help="table (default), json (one document) or jsonl (one object a line).", metavar="FORMAT")]
Json = Annotated[bool, _option("--json", help="The same as --format json.")]

User = Annotated[str | None, _option("--user", metavar="ID", help="On behalf of this user.")]
Role = Annotated[str | None, _option("--role", metavar="ROLE", help="… whose role was this.")]
Conversation = Annotated[str | None, _option("--conversation", metavar="ID", help="In this conversation.")]
Tool = Annotated[str | None, _option("--tool", metavar="NAME", help="Of this tool.")]
Agent = Annotated[str | None, _option("--agent", metavar="NAME", help="By this agent.")]
Model = Annotated[str | None, _option("--model", metavar="NAME", help="Decided by this model.")]
TriggerIs = Annotated[Trigger | None, _option("--trigger", metavar="WHY", help=f"Triggered by: {', '.join(TRIGGERS)}.")]
Subject = Annotated[str | None, _option("--subject", metavar="ID", help="Whose data was touched; the id itself or its pseudonym.")]
Purpose = Annotated[str | None, _option("--purpose", metavar="WHY", help="Why it was touched.")]
StatusIs = Annotated[Status | None, _option("--status", metavar="STATUS", help=f"Came to: {', '.join(Status)}.")]
Since = Annotated[str | None, _option("--since", metavar="TIME", help="At this time or later: 2026-03-01, 2026-03-01T09:30+01:00, 90m, 12h, 7d. UTC where no zone is named.")]
Until = Annotated[str | None, _option("--until", metavar="TIME", help="Before this time.")]
Trace = Annotated[str | None, _option("--trace-id", metavar="HEX", help="In this trace, 32 hex digits.")]
Limit = Annotated[int | None, _option("--limit", metavar="N", help="At most so many.")]


class DirectoryMayBeLeftOut(TyperCommand):
    """A command with two arguments of which the first, ``DIR``, may be left out."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002 - typer's context, whose home differs between versions
        """Write the arguments as people will give them."""
        second = [p.metavar for p in self.params if p.metavar][1]
        return ["[OPTIONS]", "[DIR]", str(second)]


def trail_directory(given: str | None) -> str:
    """
    Decide which trail is meant.

    Raises:
        BadUsage: None is named, or nothing is there.
    """
    path = given or os.environ.get(variable("trail"))
    if not path:
        raise BadUsage(f"which trail? Name its directory, or set {variable('trail')}")
    if not os.path.lexists(path):
        raise BadUsage(f"there is no {path}")
    if not os.path.isdir(path):
        raise BadUsage(f"{path} is not a directory; a trail is one")
    return path


def directory_and(first: str | None, second: str | None, name: str) -> tuple[str, str]:
    """
    Tell which of two arguments is the trail, and which the thing asked for.

    Args:
        first: The first one given.
        second: The second one; without it the first is what is asked for.
        name: What is asked for, as the usage calls it.

    Raises:
        BadUsage: Something is missing.
    """
    if first is None:
        raise BadUsage(f"Missing argument '{name}'.")
    return (trail_directory(None), first) if second is None else (trail_directory(first), second)


def moment(text: str | None, now: datetime | None = None) -> str | datetime | None:
    """
    Read how long ago something was (``90m``, ``12h``, ``7d``, ``2w``); anything else the reader understands, or refuses.

    Args:
        text: What was given; None stays None.
        now: What "ago" counts from.

    Raises:
        BadUsage: It was longer ago than the calendar goes.
    """
    ago = None if text is None else _RELATIVE.fullmatch(text)
    if ago is None:
        return text
    try:
        return (now or datetime.now(UTC)) - timedelta(seconds=int(ago[1]) * _SECONDS[ago[2]])
    except OverflowError:
        raise BadUsage(f"{text} ago is before the calendar begins") from None
