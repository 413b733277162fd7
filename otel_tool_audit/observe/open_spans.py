"""
The spans that are open, and what is around each: a span that ends knows neither who called nor what ran inside it.

Nothing here locks: every span is put in and taken out by the one call that starts or ends it, and lists are only appended to.

Source: ARCHITECTURE.md, "Spans of other instrumentations".
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from opentelemetry import context as otel
from opentelemetry.sdk.trace import ReadableSpan

from otel_tool_audit.observe.recent_calls import RecordedCall
from otel_tool_audit.recognise import Request, requests_in

MOST_OPEN: Final = 16_384
"""Open spans that are remembered: some 50 MB of spans as frameworks make them. The oldest go first; spans never ended must not fill the memory."""

_MOST_BELOW: Final = 512
_MOST_CHILDREN: Final = 8
_HIGHEST: Final = 32
"""Ancestors that are looked at."""

Attributes = Mapping[str, Any]


class ModelSeen:
    """
    A model's span, as it stands when it is looked at.

    Attributes:
        name: Of the model; None when it was not told.
        key: Under which name it was told.
        start: Nanoseconds since the Unix epoch.
    """

    __slots__ = ("_held", "_requests", "key", "name", "start")

    def __init__(self, name: str | None, key: str, start: int, attributes: Attributes, events: tuple[tuple[str, Attributes], ...]) -> None:
        """
        Remember it.

        Args:
            name: Of the model.
            key: Under which name that was told.
            start: Nanoseconds since the Unix epoch.
            attributes: Those that may hold what the model asked for; no longer changed.
            events: The span's: names and attributes.
        """
        self.name = name
        self.key = key
        self.start = start
        self._held = (attributes, events)
        self._requests: list[Request] | None = None

    @property
    def requests(self) -> list[Request]:
        """The calls that it asked for; read once, however many tools ran after it."""
        if self._requests is None:
            self._requests = requests_in(*self._held)
        return self._requests


class Descendant(NamedTuple):
    """A call inside a span: whether it is told of as directly, without another agent, model or tool between."""

    seen: RecordedCall
    directly: bool


class OpenSpan:
    """
    A span that is open.

    Attributes:
        span: Its live attributes can be read; None when it has ended.
        parent: None for a root, a remote parent, or one that is no longer remembered.
        context: Where it started.
        thread: Which thread started it.
        below: Calls inside it that have ended.
        model: The last model's span that ended inside it.
        children: The last spans that started in it.
        own: The call of ours whose span it is.
    """

    __slots__ = ("below", "children", "context", "model", "own", "parent", "span", "thread")

    def __init__(self, span: ReadableSpan, parent: OpenSpan | None, context: otel.Context) -> None:
        """Remember where it started."""
        self.span: ReadableSpan | None = span
        self.parent = parent
        self.context = context
        self.thread = threading.get_ident()
        self.below: list[Descendant] | None = None
        self.model: ModelSeen | None = None
        self.children: list[OpenSpan] | None = None
        self.own: RecordedCall | None = None

    def ancestors(self) -> Iterator[OpenSpan]:
        """Give the spans around it, the closest first."""
        above = self.parent
        for _ in range(_HIGHEST):
            if above is None:
                return
            yield above
            above = above.parent

    def add_descendant(self, below: Descendant) -> None:
        """Remember a call that ended inside."""
        if self.below is None:
            self.below = []
        if len(self.below) >= _MOST_BELOW:
            del self.below[0]
        self.below.append(below)


class OpenSpans:
    """Remembers spans between their start and their end."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        """Begin with none."""
        self._open: dict[int, OpenSpan] = {}

    def __len__(self) -> int:
        return len(self._open)

    def started(self, span: ReadableSpan, context: otel.Context) -> tuple[OpenSpan, OpenSpan | None]:
        """
        Remember a span that starts.

        Args:
            span: Live.
            context: Where it starts.

        Returns:
            It, and the oldest one when that had to go.
        """
        spans = self._open
        above = span.parent
        parent = None if above is None else spans.get(above.span_id)
        made = OpenSpan(span, parent, context)
        if parent is not None:
            children = parent.children
            if children is None:
                children = parent.children = []
            elif len(children) >= _MOST_CHILDREN:
                del children[0]
            children.append(made)
        gone = spans.pop(next(iter(spans)), None) if len(spans) >= MOST_OPEN else None
        spans[span.context.span_id] = made
        return made, gone

    def ended(self, span_id: int) -> OpenSpan | None:
        """Forget a span that ends; None when it was not remembered."""
        return self._open.pop(span_id, None)

    def newest_first(self) -> list[OpenSpan]:
        """List what is open."""
        return list(self._open.values())[::-1]

    def clear(self) -> None:
        """Forget all."""
        self._open.clear()
