"""The verbs joined to one command, and what becomes of errors: one line and an exit code, never a stack trace for a user's mistake."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer

import otel_tool_audit
from otel_tool_audit import exit_codes
from otel_tool_audit.cli import output
from otel_tool_audit.cli.calls import calls
from otel_tool_audit.cli.conversations import timeline
from otel_tool_audit.cli.demonstration import demo
from otel_tool_audit.cli.diagnosis import doctor
from otel_tool_audit.cli.exporting import export
from otel_tool_audit.cli.following import tail
from otel_tool_audit.cli.options import BadUsage, DirectoryMayBeLeftOut
from otel_tool_audit.cli.questions import asks
from otel_tool_audit.cli.reconciling import reconcile
from otel_tool_audit.cli.reporting import access, activity, conversation, report
from otel_tool_audit.cli.sanitizing import sanitize
from otel_tool_audit.cli.showing import show
from otel_tool_audit.cli.sql import sql
from otel_tool_audit.cli.statistics import stats
from otel_tool_audit.cli.verdicts import recover, verify
from otel_tool_audit.errors import AuditError

_CHOICE: Final = re.compile(r"(?:Value error, )?'([^']*)' is not one of ((?:'[^']*'(?:, )?)+)")
INTERRUPTED: Final = 130
CLOSED_PIPE: Final = 141
"""What shells report for a process that SIGPIPE ended; it says nothing about the trail."""

app = typer.Typer(
    help="Ask, check and mend the evidence of what AI agents did with their tools.",
    epilog="Exit codes: 0 good, 1 verified not to hold, 2 usage, 3 cannot tell. Times: UTC, or --time-zone.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command()(demo)
app.command()(verify)
app.command()(recover)
app.command()(asks(calls))
app.command(cls=DirectoryMayBeLeftOut)(show)
app.command(cls=DirectoryMayBeLeftOut)(timeline)
app.command()(asks(tail))
app.command()(asks(stats))
report.command()(asks(access))
report.command()(asks(conversation))
report.command()(asks(activity))
app.add_typer(report, name="report")
app.command(cls=DirectoryMayBeLeftOut)(asks(sql))
app.command()(asks(export))
app.command()(reconcile)
app.command()(sanitize)
app.command()(doctor)


def _print_version(wanted: bool) -> None:
    if wanted:
        output.stdout().print(f"{output.NAME} {otel_tool_audit.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.", is_eager=True, callback=_print_version)] = False,
) -> None:
    """Ask, check and mend the evidence of what AI agents did with their tools."""


def run(arguments: Sequence[str]) -> int:
    """
    Run the command.

    Args:
        arguments: What follows the command's name.

    Returns:
        The exit code: 0 good, 1 verified not to hold, 2 usage, 3 cannot tell; 130 interrupted, 141 nobody reads any more.
    """
    output.speak_utf8()
    try:
        code = app(list(arguments), prog_name=output.NAME, standalone_mode=False)
        sys.stdout.flush()
    except BadUsage as error:
        # a UsageError knows its message and, once a verb was recognised, its context; typer's versions share no class that says so
        usage: Any = error
        output.fail(_nearest_first(usage.format_message()))
        output.say(f"try: {usage.ctx.command_path if usage.ctx else output.NAME} --help", "dim")
        return exit_codes.USAGE
    except AuditError as error:
        output.fail(str(error))
        return exit_codes.code_of(error)
    except BrokenPipeError:
        _leave_stdout()
        return CLOSED_PIPE
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    return code if isinstance(code, int) else exit_codes.GOOD


def _nearest_first(message: str) -> str:
    """Sort the values that an option takes by how near they are to what was given."""
    found = _CHOICE.search(message)
    if found is None:
        return message
    valid = re.findall(r"'([^']*)'", found[2])
    listed = ", ".join(sorted(valid, key=lambda value: -difflib.SequenceMatcher(None, found[1].lower(), value.lower()).ratio()))
    return f"{message[: found.start()]}there is no {found[1]!r}; there are: {listed}{message[found.end() :].removeprefix('.')}"


def _leave_stdout() -> None:
    """Send what is still buffered nowhere, or the interpreter would complain about the pipe when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
