"""
What every source of spans gives, and how it says what it could not read.

Source: ARCHITECTURE.md, D13.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from otel_tool_audit import semconv
from otel_tool_audit.review.reconcile.values import ExportedSpan, Window, seen
from otel_tool_audit.review.source.workers import Pool, Worker

Progress = Callable[[str, int, "int | None"], None]
"""Is told what is being done, how much of it is done, and how much there is (None: nobody knows)."""

MOST_SERVICES: Final = 100
"""Services whose unrecorded tool spans are told by name."""

OTHERS: Final = "others"
"""Stands for all services after these."""


class Help(NamedTuple):
    """
    What a source may use.

    Attributes:
        moments: Gives, for a number of records, moments between which about so many were written.
        pool: Gives who does work of a kind, of which there are so many bytes.
        progress: Is told how far it is.
    """

    moments: Callable[[int], list[int]]
    pool: Callable[[type[Worker], int], Pool]
    progress: Progress


class SourceTally:
    """
    Looks at spans, and counts.

    Attributes:
        spans_read: How many spans were looked at.
        unrecorded: By service, how many tool spans name no record at all: their process is not audited.
    """

    def __init__(self, spans_read: int = 0, unrecorded: Mapping[str, int] | None = None) -> None:
        """
        Begin.

        Args:
            spans_read: What was counted already.
            unrecorded: Likewise.
        """
        self.spans_read = spans_read
        self.unrecorded = Counter(unrecorded or {})

    def take(self, attributes: Mapping[str, Any], service: Callable[[], str], trace: bytes, span: bytes, at: int) -> ExportedSpan | None:
        """
        Look at one span.

        Args:
            attributes: Those that are wanted.
            service: Gives the name of its service.
            trace: Its trace's id.
            span: Its id.
            at: When it started, in nanoseconds.
        """
        self.spans_read += 1
        found = seen(attributes, trace, span, at) if attributes else None
        if found is None and attributes.get(semconv.OPERATION) == semconv.EXECUTE_TOOL:
            self._count(service(), 1)
        return found

    def add(self, other: SourceTally) -> None:
        """Add what another one counted."""
        self.spans_read += other.spans_read
        for name, number in other.unrecorded.items():
            self._count(name, number)

    def _count(self, service: str, number: int) -> None:
        known = service in self.unrecorded or len(self.unrecorded) < MOST_SERVICES
        self.unrecorded[service if known else OTHERS] += number


class Source(ABC):
    """
    A backend's spans.

    Attributes:
        name: What it is, for people.
        tally: What was counted.
        unread: What could not be read, in words.
    """

    def __init__(self, name: str) -> None:
        """
        Begin.

        Args:
            name: What it is, for people.
        """
        self.name = name
        self.tally = SourceTally()
        self.unread: list[str] = []

    @abstractmethod
    def spans(self, window: Window, helping: Help) -> Iterator[list[bytes]]:
        """
        Give the spans that started in a window and name a record, packed, some at a time.

        Args:
            window: When.
            helping: What may be used for it.

        Raises:
            AuditError: The backend cannot be read.
        """
