"""The options that several verbs share, and what their text means."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand

from otel_tool_audit.access.question import Asked
from otel_tool_audit.cli import BadUsage, output
from otel_tool_audit.format.names import DOCUMENT
from otel_tool_audit.record.model import TRIGGERS
from otel_tool_audit.review.calls import times
from otel_tool_audit.settings import variable
from otel_tool_audit.text import one_of


class Status(StrEnum):
    """What came of a call."""

    success = "success"
    error = "error"
    interrupted = "interrupted"
    running = "running"
    paused = "paused"
    denied = "denied"


Trigger = StrEnum("Trigger", {name: name for name in TRIGGERS})  # type: ignore[misc]  # the names stand in one place only


def _option(*names: str, help: str, metavar: str | None = None) -> Any:  # noqa: A002, ANN401 - typer's names and types
    return typer.Option(*names, help=help, metavar=metavar, show_default=False, show_envvar=False)


def format_option(help: str, names: Callable[[], Sequence[str]]) -> Any:  # noqa: A002, ANN401 - as above
    """
    Make the option ``--format``.

    Args:
        help: What it says of itself.
        names: Gives the formats that there are.
    """

    def one(text: str) -> str:
        if text not in names():
            raise typer.BadParameter(f"{text!r} is not one of {', '.join(map(repr, names()))}.")
        return text

    return typer.Option(
        "--format", metavar="FORMAT", help=help, show_default=False, show_envvar=False, parser=one, autocompletion=lambda: list(names())
    )


ROWS: Final = ("table", "json", "jsonl", "csv", "md")
"""The formats of rows of any columns."""

Directory = Annotated[str | None, typer.Argument(metavar="DIR", help=f"The trail; by default what {variable('trail')} names.", show_default=False)]
State = Annotated[
    str | None, _option("--state", metavar="DIR", help=f"The state directory, or 'none'; by default {variable('state')}, else the user's own.")
]
TableOrJson = Annotated[str, format_option("table (default) or json.", lambda: ("table", "json"))]
Rows = Annotated[str | None, format_option("table (default), json, jsonl, csv or md.", lambda: ROWS)]
TableOrRows = Annotated[str | None, format_option("table (default), json (one document), jsonl (one object a line), csv or md.", lambda: ROWS)]
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
Since = Annotated[
    str | None, _option("--since", metavar="TIME", help="From then on: 2026-03-01, '2026-03-01 09:30', March, yesterday, '2 days ago', 7d.")
]
Until = Annotated[str | None, _option("--until", metavar="TIME", help="Before then; of a day or month its beginning.")]
During = Annotated[
    str | None, _option("--during", metavar="PERIOD", help="Within: March, 'March 2026', 2026-Q1, 2026-03-01, yesterday, 'last week'.")
]
TimeZone = Annotated[
    str | None, _option("--time-zone", metavar="ZONE", help="Times are meant, and shown to people, in it: UTC (default), Europe/Berlin, +01:00.")
]
Retention = Annotated[str | None, _option("--retention", metavar="CLASS", help="Kept in this retention class.")]
Words = Annotated[str | None, _option("--text", metavar="TEXT", help="Stands in the arguments, upper and lower case alike.")]
Trace = Annotated[str | None, _option("--trace-id", metavar="HEX", help="In this trace, 32 hex digits.")]
As = Annotated[str | None, _option("--as", metavar="NAME", help="Who asks; recorded beside the name of the account.")]
Reason = Annotated[str | None, _option("--reason", metavar="TEXT", help="Why you ask; recorded.")]
Output = Annotated[
    str | None, typer.Option("--output", "-o", metavar="FILE", help="Write it there; the file's name names the format, too.", show_default=False)
]
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
    above = os.path.dirname(os.path.abspath(path))
    if not os.path.lexists(os.path.join(path, DOCUMENT)) and os.path.lexists(os.path.join(above, DOCUMENT)):
        raise BadUsage(f"{path} is a part of the trail {above}: name that one")
    return path


def choose(names: Sequence[str], style: str | None, file: str | None, *, json: bool) -> str:
    """
    Tell in which format a result is wanted: as is said, as the file's name says, else as a table.

    Args:
        names: Of the formats that there are.
        style: What ``--format`` says.
        file: What ``--output`` says.
        json: Whether ``--json`` was given.

    Raises:
        BadUsage: A file would get a table.
        SettingsError: The file cannot be written.
    """
    ending = (file or "").rpartition(".")[2].lower()
    chosen = "json" if json else style or (ending if ending in names else "table")
    if file is not None:
        if chosen == "table":
            endings = one_of([f".{known}" for known in names if known != "table"])
            what = "a table is for the terminal" if style is not None else f"the name {file} says none of the formats that there are"
            raise BadUsage(f"{what}: let it end in {endings}, or give --format")
        output.check_file(file)
    return chosen


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
    if second is None and not os.environ.get(variable("trail")) and os.path.isdir(first):
        raise BadUsage(f"{first} is a directory: which {name} of the trail there? Write both: DIR {name}")
    return (trail_directory(None), first) if second is None else (trail_directory(first), second)


def asked(since: str | None, until: str | None, during: str | None, zone: str | None, now: datetime | None = None) -> Asked:
    """
    Read which time is asked about, and say on stderr how it was understood.

    Args:
        since: What ``--since`` says.
        until: What ``--until`` says.
        during: What ``--during`` says.
        zone: What ``--time-zone`` says.
        now: What "ago" counts from.

    Raises:
        BadUsage: One of them cannot be understood, or they contradict each other.
    """
    now = now or datetime.now(UTC)
    if during is not None and (since is not None or until is not None):
        raise BadUsage("--during names both ends of the time: leave --since and --until out, or --during")
    try:
        named = times.read_zone(zone) if zone is not None else UTC
    except times.AmbiguousTimeError as error:
        raise BadUsage(f"--time-zone: {error}") from None
    found = {name: _read(name, text, now, named) for name, text in (("--since", since), ("--until", until), ("--during", during)) if text is not None}
    within = found.get("--during")
    if within is not None and within.begin == within.end:
        raise BadUsage(f"--during {during!r} names a moment; name a day, week, month or year, or give --since and --until")
    if within is not None:
        answer = Asked(within.begin, within.end, named)
    else:
        begin, end = (found[name].begin if name in found else None for name in ("--since", "--until"))
        answer = Asked(begin, end, named)
    if answer.since is not None and answer.until is not None and answer.since >= answer.until:
        raise BadUsage(f"--since must lie before --until; understood was: {answer.in_words()}")
    if found:
        assumed = zone is None and any(period.assumed for period in found.values())
        output.say(f"{answer.in_words()}{' (assumed: no zone was named; --time-zone names one)' if assumed else ''}", "dim")
    return answer


def _read(name: str, text: str, now: datetime, zone: tzinfo) -> times.Period:
    try:
        return times.read_time(text, now, zone)
    except times.AmbiguousTimeError as error:
        raise BadUsage(f"{name}: {error}") from None
