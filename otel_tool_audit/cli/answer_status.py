"""What every verb that asks has in common: a reader that says what is on record, and what is told beside its answer."""

from __future__ import annotations

import typer

from otel_tool_audit.access.answer import AnswerStatus
from otel_tool_audit.cli import output


def say(status: AnswerStatus) -> None:
    """Say on stderr what an answer is worth."""
    for note in status.notes:
        output.say(note, "yellow")
    words = status.in_words()
    if words is not None:
        output.say(words, "bold red" if status.broken else "dim")


def leave(status: AnswerStatus) -> None:
    """
    Say on stderr what an answer is worth, and leave with its exit code.

    Raises:
        typer.Exit: It is not 0.
    """
    say(status)
    if status.exit_code:
        raise typer.Exit(status.exit_code)
