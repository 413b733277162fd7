"""What is told beside every answer: the trail's condition, what the answer lacks, and the exit code that follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import typer

from otel_tool_audit.access.journal import recognisable
from otel_tool_audit.access.question import Question, missing
from otel_tool_audit.cli import output
from otel_tool_audit.review.reader import TrailReader
from otel_tool_audit.review.verify import findings as f
from otel_tool_audit.review.verify.quick import Condition, quick_verify


class AnswerStatus(NamedTuple):
    """
    What an answer is worth.

    Attributes:
        reader: Who answered.
        condition: What was noticed of the trail.
        notes: What the answer lacks, a sentence each.
        certain: False when nobody here can tell whether the answer is whole: the subject's pseudonym is not known.
    """

    reader: TrailReader
    condition: Condition
    notes: tuple[str, ...]
    certain: bool

    @property
    def broken(self) -> bool:
        """Whether what was read is not what was written."""
        return self.condition.integrity == f.BROKEN or self.reader.unreadable > 0

    def as_dict(self) -> dict[str, Any]:
        """Give it as JSON shows it beside an answer."""
        return {
            "path": self.reader.path, "trail_id": self.reader.trail_id, "integrity": f.BROKEN if self.broken else self.condition.integrity,
            "findings": list(self.condition.findings[:FINDINGS_SHOWN]), "doubts": list(self.condition.doubts), "notes": list(self.notes),
        }  # fmt: skip

    def say(self) -> None:
        """Say it on stderr."""
        for note in self.notes:
            output.say(note, "yellow")
        if self.broken:
            output.say(broken(self.condition.findings), "bold red")
        elif self.condition.integrity == f.CANNOT_TELL and self.condition.doubts:
            output.say(f"whether this trail is what was written cannot be told: {self.condition.doubts[0]}", "dim")

    def leave(self) -> None:
        """
        Say it on stderr, and leave with its exit code.

        Raises:
            typer.Exit: The trail is broken (1), or the answer may lack what was asked for (3).
        """
        self.say()
        if self.broken:
            raise typer.Exit(output.BROKEN)
        if not self.certain:
            raise typer.Exit(output.CANNOT_TELL)


def broken(findings: Sequence[str], number: int | None = None) -> str:
    """
    Say that a trail is broken, and where first.

    Args:
        findings: What was found, or the first of it.
        number: How much was found in all; by default no more than *findings*.
    """
    beyond = (len(findings) if number is None else number) - 1
    more = f" (and {beyond:,} more)" if beyond > 0 else ""
    return f"the trail is broken: {f'{findings[0]}{more}; ' if findings else ''}`otel-tool-audit verify` has all findings"


FINDINGS_SHOWN: Final = 20
"""Findings that are listed beside an answer; ``verify`` has all."""


def standing(reader: TrailReader, state: str | None, question: Question | None = None) -> AnswerStatus:
    """
    Look at the trail that was asked, once its answer was read.

    Args:
        reader: Who answered.
        state: The state directory, or ``none``.
        question: What was asked, where it had filters.
    """
    subject = question.only.get("subject") if question is not None else None
    return AnswerStatus(
        reader, quick_verify(reader.path, state=state), tuple(missing(reader)), subject is None or recognisable(subject, reader.path, state)
    )
