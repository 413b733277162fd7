"""
What every source of spans gives, and how it says what it could not read.

Source: ARCHITECTURE.md, R26.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from otel_tool_audit import semconv
from otel_tool_audit.review.reconcile.values import Seen, Window, seen

Progress = Callable[[str, int, "int | None"], None]
"""Is told what is being done, how much of it is done, and how much there is (None: nobody knows)."""

MOST_SERVICES: Final = 100
"""Services whose unrecorded tool spans are told by name."""


class Source(ABC):
    """
    A backend's spans.

    Attributes:
        name: What it is, for people.
        spans_read: How many spans were looked at.
        unrecorded: By service, how many tool spans name no record at all: their process is not audited.
        unread: What could not be read, in words.
    """

    def __init__(self, name: str) -> None:
        """
        Begin.

        Args:
            name: What it is, for people.
        """
        self.name = name
        self.spans_read = 0
        self.unrecorded: Counter[str] = Counter()
        self.unread: list[str] = []

    @abstractmethod
    def spans(self, window: Window, moments: Callable[[int], list[int]], progress: Progress) -> Iterator[Seen]:
        """
        Give the spans that started in a window and name a record.

        Args:
            window: When.
            moments: Gives, for a number of records, moments between which about so many were written.
            progress: Is told how far it is.

        Raises:
            AuditError: The backend cannot be read.
        """

    def take(self, attributes: Mapping[str, Any], service: Callable[[], str], trace: bytes, span: bytes, at: int) -> Seen | None:
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
            name = service()
            self.unrecorded[name if name in self.unrecorded or len(self.unrecorded) < MOST_SERVICES else "others"] += 1
        return found
