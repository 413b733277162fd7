"""The verbs joined to one command, and what becomes of errors: one line and an exit code, never a stack trace for a user's mistake."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperGroup
from typer.main import get_command

import otel_tool_audit
from otel_tool_audit import exit_codes
from otel_tool_audit.cli import NAME, BadUsage
from otel_tool_audit.errors import AuditError


class Verb(NamedTuple):
    """
    A verb that is imported when it is the one that was asked for.

    Attributes:
        module: Where its function, or group, of the same name is.
        help: What the list of verbs says of it: the first line of its own help.
        directory_may_be_left_out: Whether it has a second argument, which stands alone where ``DIR`` is left out.
    """

    module: str
    help: str
    directory_may_be_left_out: bool = False


VERBS: Final = {
    "demo": Verb("demonstration", "Watch an agent work, its trail verify, a forger fail."),
    "verify": Verb("verdicts", "Check a trail: intact, broken, or cannot tell."),
    "recover": Verb("verdicts", "Say what a broken trail needs; --accept lets it go on."),
    "calls": Verb("calls", "List tool calls, oldest first."),
    "show": Verb("showing", "Show one record, or one call with all its records.", directory_may_be_left_out=True),
    "timeline": Verb("conversations", "Tell a conversation, turn by turn.", directory_may_be_left_out=True),
    "tail": Verb("following", "Show the latest calls; -f goes on with those that come."),
    "stats": Verb("statistics", "Count calls, tool by tool: outcomes, durations, users, over time."),
    "sql": Verb("sql", "Put a SELECT to the tables calls and records.", directory_may_be_left_out=True),
    "export": Verb("exporting", "Write calls to files with a manifest, or check such files."),
    "reconcile": Verb("reconciling", "Compare a trail with a trace backend, both ways."),
    "sanitize": Verb("sanitizing", "Show what would be stored of a value, and what not."),
    "doctor": Verb("diagnosis", "Find what could keep calls off the record."),
    "report": Verb("reporting", "Reports that people read: who saw what, and what happened."),
}

_CHOICE: Final = re.compile(r"(?:Value error, )?'([^']*)' is not one of ((?:'[^']*'(?:, )?)+)")
INTERRUPTED: Final = 130
CLOSED_PIPE: Final = 141
"""What shells report for a process that SIGPIPE ended; it says nothing about the trail."""


class _Verbs(TyperGroup):
    """Lists the verbs by their lines, and imports the one that runs."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:  # noqa: ANN401 - typer's own, whose homes differ between versions
        """Find the verb that was asked for."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command if name is None else _load(name), rest


def _load(name: str) -> Any:  # noqa: ANN401 - as above
    verb = VERBS[name]
    found = getattr(import_module(f"{__package__}.{verb.module}"), name)
    if isinstance(found, typer.Typer):
        return get_command(found)
    from otel_tool_audit.cli.options import DirectoryMayBeLeftOut  # noqa: PLC0415 - the verb has imported it by now

    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command(cls=DirectoryMayBeLeftOut if verb.directory_may_be_left_out else None)(found)
    return get_command(alone)


def _print_nothing() -> None:
    """Stand for a verb in the list."""


app = typer.Typer(
    cls=_Verbs,
    help="Ask, check and mend the evidence of what AI agents did with their tools.",
    epilog="Exit codes: 0 good, 1 verified not to hold, 2 usage, 3 cannot tell. Times: UTC, or --time-zone.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
for _name, _verb in VERBS.items():
    app.command(_name, help=_verb.help)(_print_nothing)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"{NAME} {otel_tool_audit.__version__}")  # noqa: T201 - the console that prints all else takes longer to import than this
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
    _speak_utf8()
    try:
        code = app(list(arguments), prog_name=NAME, standalone_mode=False)
        sys.stdout.flush()
    except BadUsage as error:
        # a UsageError knows its message and, once a verb was recognised, its context; typer's versions share no class that says so
        from otel_tool_audit.cli import output  # noqa: PLC0415 - as for the version

        usage: Any = error
        output.fail(_nearest_first(usage.format_message()))
        output.say(f"try: {usage.ctx.command_path if usage.ctx else NAME} --help", "dim")
        return exit_codes.USAGE
    except AuditError as error:
        from otel_tool_audit.cli import output  # noqa: PLC0415 - as for the version

        output.fail(str(error))
        return exit_codes.code_of(error)
    except BrokenPipeError:
        _leave_stdout()
        return CLOSED_PIPE
    except (OSError, MemoryError) as error:
        # what the host does not let be read says nothing of a trail, and an uncaught error would end with the code that says "broken"
        from otel_tool_audit.cli import output  # noqa: PLC0415 - as for the version

        why = getattr(error, "strerror", None) or str(error) or "out of memory"
        output.fail(f"something could not be read or written: {why}; that says nothing of the trail, try again")
        return exit_codes.CANNOT_TELL
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    return code if isinstance(code, int) else exit_codes.GOOD


def _nearest_first(message: str) -> str:
    """Sort the values that an option takes by how near they are to what was given."""
    found = _CHOICE.search(message)
    if found is None:
        return message
    import difflib  # noqa: PLC0415 - for a mistake

    valid = re.findall(r"'([^']*)'", found[2])
    listed = ", ".join(sorted(valid, key=lambda value: -difflib.SequenceMatcher(None, found[1].lower(), value.lower()).ratio()))
    return f"{message[: found.start()]}there is no {found[1]!r}; there are: {listed}{message[found.end() :].removeprefix('.')}"


def _leave_stdout() -> None:
    """Send what is still buffered nowhere, or the interpreter would complain about the pipe when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _speak_utf8() -> None:
    """Let both streams carry any text, whatever the locale says; what cannot be encoded is escaped."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace")
