"""What went wrong, in words: of a tool, and of recording it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from otel_tool_audit.errors import AuditError, AuditUnavailable
from otel_tool_audit.text import readable


class RecordedFailure(NamedTuple):
    """
    Why a call failed, sanitized.

    Attributes:
        message: For the record, the summary and the span's status.
        type: Of the exception; None when the tool returned its error.
    """

    message: str
    type: str | None


_MOST_LEAVES: Final = 16


def error_text(error: BaseException) -> str:
    """
    Give an exception's message without addresses of objects; its type's name where it has none or cannot be shown.

    Args:
        error: Any; of a group each exception in it is named, because the group's own message only counts them.
    """
    text = _own_text(error)
    if not isinstance(error, BaseExceptionGroup):
        return text
    leaves = list(leaves_of(error))
    shown = [f"{error_type(leaf)}: {_own_text(leaf)}" for leaf in leaves[:_MOST_LEAVES]]
    more = [f"and {len(leaves) - _MOST_LEAVES} more"] if len(leaves) > _MOST_LEAVES else []
    return f"{text}: {'; '.join([*shown, *more])}"


def _own_text(error: BaseException) -> str:
    try:
        return readable(str(error)) or type(error).__name__
    except Exception:  # noqa: BLE001 - an exception's own __str__ may do anything
        return f"<{type(error).__name__} that cannot be shown>"


def leaves_of(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """Give the exceptions in a group and in groups inside it, in their order."""
    waiting: list[BaseException] = [group]
    while waiting:
        error = waiting.pop()
        if isinstance(error, BaseExceptionGroup):
            waiting.extend(reversed(error.exceptions))
        else:
            yield error


def error_type(error: BaseException) -> str:
    """Name an exception's type, for ``error_type`` and ``error.type``."""
    return type(error).__qualname__


def refusal(tool: str, error: BaseException) -> AuditUnavailable:
    """Make the error that says why a tool was not run."""
    reason = str(error) if isinstance(error, AuditError) else f"{type(error).__name__}: {error}"
    return AuditUnavailable(f"{tool} was not run, because its call could not be recorded: {reason}")
