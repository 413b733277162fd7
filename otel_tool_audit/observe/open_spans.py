"""
The spans that are remembered, and what is around each: a span that ends knows neither who called nor what ran inside it.

Nothing here locks: every span is put in and taken out by the one call that starts or ends it, and lists are only appended to. A lock
would be taken for every span of the application, and one that a fork's child inherits held would stop it for ever.

Source: ARCHITECTURE.md, "Spans of other instrumentations".
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from opentelemetry import context as otel

from otel_tool_audit.observe.recent_calls import RecordedCall
from otel_tool_audit.observe.span_view import SpanView
from otel_tool_audit.recognise import Request, SpanRole, requests_in
from otel_tool_audit.recognise.requests import answered_as

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
        given: Ids of calls that were given to spans which tell none.
    """

    __slots__ = ("_held", "_requests", "given", "key", "name", "start")

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
        self.given: set[str] = set()

    @property
    def requests(self) -> list[Request]:
        """The calls that it asked for; read once, however many tools ran after it."""
        if self._requests is None:
            self._requests = requests_in(*self._held)
        return self._requests

    def answered_as(self, item_id: str) -> str | None:
        """Give the id by which a call is answered that something names by the item that it is."""
        return answered_as(item_id, self._held[0].values())


class Descendant(NamedTuple):
    """A call inside a span: whether it is told of as directly, without another agent, model or tool between."""

    seen: RecordedCall
    directly: bool


class SpanNode:
    """
    A span that is remembered, between those around and those inside it.

    Attributes:
        view: What can be read of it; None when it is not there yet, or no longer.
        parent: None for a root, a remote parent, or one that is not remembered.
        context: Where it started; None where nobody knows that.
        thread: Which thread started it.
        below: Calls inside it that have ended.
        model: The last model's span that ended inside it.
        before: The last model's span that had ended around it when it started.
        children: The last spans that started in it.
        own: The call of ours whose span it is.
        calls: Calls that it told of itself when it ended, where it is remembered after that.
        role: What it was, of one that has ended and is remembered all the same.
    """

    __slots__ = ("before", "below", "calls", "children", "context", "model", "own", "parent", "role", "thread", "view")

    def __init__(self, view: SpanView | None, parent: SpanNode | None, context: otel.Context | None, thread: int) -> None:
        """Remember where it started."""
        self.view = view
        self.parent = parent
        self.context = context
        self.thread = thread
        self.below: list[Descendant] | None = None
        self.model: ModelSeen | None = None
        self.before: ModelSeen | None = None if parent is None else parent.model or parent.before
        self.children: list[SpanNode] | None = None
        self.own: RecordedCall | None = None
        self.calls: Sequence[RecordedCall] = ()
        self.role: SpanRole | None = None

    def ancestors(self) -> Iterator[SpanNode]:
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

    def add_child(self, child: SpanNode, most: int) -> None:
        """Remember a span inside; of many, the last *most*."""
        children = self.children
        if children is None:
            children = self.children = []
        elif len(children) >= most:
            del children[0]
        children.append(child)


class SpanMemory(Protocol):
    """
    Which spans are around and inside another one; how that is known depends on where spans come from.

    Attributes:
        in_order: Whether spans end here in the order in which they ended.
    """

    in_order: bool

    def __len__(self) -> int:
        """How many are remembered."""

    def started(self, view: SpanView, context: otel.Context | None) -> tuple[SpanNode, SpanNode | None]:
        """Remember a span before it ends; with it comes the oldest one when that had to go."""

    def ended(self, view: SpanView) -> SpanNode | None:
        """Give what is remembered of a span that ends; None when nothing is."""

    def left(self, node: SpanNode, role: SpanRole, calls: Sequence[RecordedCall]) -> None:
        """Take note that a span has been looked at: what it was, and what it told of."""

    def newest_first(self) -> list[SpanNode]:
        """List what is remembered."""


class OpenSpans:
    """Remembers spans between their start and their end, as the SDK tells of both."""

    in_order = True

    __slots__ = ("_open",)

    def __init__(self) -> None:
        """Begin with none."""
        self._open: dict[int, SpanNode] = {}

    def __len__(self) -> int:
        return len(self._open)

    def started(self, view: SpanView, context: otel.Context | None) -> tuple[SpanNode, SpanNode | None]:
        """
        Remember a span that starts.

        Args:
            view: Of the live span.
            context: Where it starts.

        Returns:
            It, and the oldest one when that had to go.
        """
        spans = self._open
        above = view.parent
        parent = None if above is None else spans.get(above.span_id)
        made = SpanNode(view, parent, context, threading.get_ident())
        if parent is not None:
            parent.add_child(made, _MOST_CHILDREN)
        gone = spans.pop(next(iter(spans)), None) if len(spans) >= MOST_OPEN else None
        spans[view.context.span_id] = made
        return made, gone

    def ended(self, view: SpanView) -> SpanNode | None:
        """Forget a span that ends; None when it was not remembered."""
        return self._open.pop(view.context.span_id, None)

    def left(self, node: SpanNode, role: SpanRole, calls: Sequence[RecordedCall]) -> None:  # noqa: ARG002 - others remember them
        """Let go of what it held: a child that outlives it keeps the node alive, and must not keep its attributes."""
        node.view = node.children = node.below = None

    def newest_first(self) -> list[SpanNode]:
        """List what is open."""
        return list(self._open.values())[::-1]


class ArrivedSpans:
    """
    Remembers spans that come when they have ended, as over OTLP: in no order that could be relied on.

    A span whose parent has not come yet hangs below an empty node in its place. Whoever has a batch tells of all its spans by
    :meth:`started` first, and then of each by :meth:`ended`: then those around one are known when it is looked at.
    """

    in_order = False

    __slots__ = ("_nodes",)

    def __init__(self) -> None:
        """Begin with none."""
        self._nodes: dict[int, SpanNode] = {}

    def __len__(self) -> int:
        return len(self._nodes)

    def started(self, view: SpanView, context: otel.Context | None = None) -> tuple[SpanNode, SpanNode | None]:
        """Remember a span that has come; none has to be given up for it, because all have ended."""
        node = self._node(view.context.span_id)
        if node.view is None:
            node.view, node.context = view, context
            if view.parent is not None:
                node.parent = self._node(view.parent.span_id)
                node.parent.add_child(node, _MOST_BELOW)
        return node, None

    def ended(self, view: SpanView) -> SpanNode:
        """Give what is remembered of a span; it stays, for children that come after it."""
        node, _ = self.started(view)
        return node

    def left(self, node: SpanNode, role: SpanRole, calls: Sequence[RecordedCall]) -> None:
        """Keep what children that come later ask their parents for."""
        node.role, node.calls = role, calls

    def newest_first(self) -> list[SpanNode]:
        """List what is remembered."""
        return list(self._nodes.values())[::-1]

    def _node(self, span_id: int) -> SpanNode:
        node = self._nodes.get(span_id)
        if node is None:
            if len(self._nodes) >= MOST_OPEN:
                self._nodes.pop(next(iter(self._nodes)), None)
            # no thread of this process started it
            node = self._nodes[span_id] = SpanNode(None, None, None, 0)
        return node
