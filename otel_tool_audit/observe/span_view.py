"""
A span as recognition and merging look at it, whoever made it: the SDK's, or one that came over OTLP.

Source: OpenTelemetry specification, "Tracing SDK", additional span interfaces; opentelemetry-proto 1.7, ``trace/v1/trace.proto``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

NOTHING: Final[Mapping[str, Any]] = {}

_STATUSES: Final = (StatusCode.UNSET, StatusCode.OK, StatusCode.ERROR)
"""By their numbers in ``Status.StatusCode``; the API's own numbers happen to be the same, which nobody promises."""

_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)


class EventView(Protocol):
    """Something that happened while the span was open."""

    @property
    def name(self) -> str:
        """What happened."""

    @property
    def attributes(self) -> Mapping[str, Any] | None:
        """What is told of it."""


class ScopeView(Protocol):
    """The instrumentation that made a span."""

    @property
    def name(self) -> str:
        """Its name."""


class SpanView(Protocol):
    """
    What is read of a span.

    The SDK's spans have this shape as they stand, and mypy holds them against it where the processor hands them over. A view around
    each would cost every span of the application two more objects, most of them for spans that are no tool's.
    """

    @property
    def context(self) -> SpanContext:
        """Its ids, and whether it is sampled."""

    @property
    def parent(self) -> SpanContext | None:
        """Of the span around it; None for a root."""

    @property
    def start_time(self) -> int | None:
        """Nanoseconds since the Unix epoch."""

    @property
    def end_time(self) -> int | None:
        """The same; None while it is open."""

    @property
    def name(self) -> str:
        """As it is now: it may be renamed until it ends."""

    @property
    def kind(self) -> SpanKind:
        """Client, server, and so on."""

    @property
    def status(self) -> Status:
        """Whether the instrumentation says that it failed."""

    @property
    def attributes(self) -> Mapping[str, Any] | None:
        """As they are now: another thread may add some until it ends, so read them by :func:`plain`."""

    @property
    def events(self) -> Sequence[EventView]:
        """In their order."""

    @property
    def instrumentation_scope(self) -> ScopeView | None:
        """The instrumentation that made it."""


def plain(attributes: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Copy attributes out of the SDK's locked mapping at once instead of key by key."""
    if attributes is None:
        return NOTHING
    # not asked first whether there are any: in the SDK's mapping that is a call of its own, and every span pays for it
    copy = getattr(attributes, "copy", None)
    return dict(attributes) if copy is None else copy()


def scope_of(span: SpanView) -> str:
    """Name the instrumentation that made a span."""
    return "" if span.instrumentation_scope is None else span.instrumentation_scope.name


def events_of(span: SpanView) -> tuple[tuple[str, Mapping[str, Any]], ...]:
    """Give a span's events: names and attributes."""
    events = span.events
    return tuple((event.name, event.attributes or NOTHING) for event in events) if events else ()


class OtlpEvent(NamedTuple):
    """An event that came over OTLP."""

    name: str
    attributes: Mapping[str, Any]


class OtlpScope(NamedTuple):
    """An instrumentation, of a span that came over OTLP."""

    name: str


class OtlpSpan(NamedTuple):
    """A span that came over OTLP: ended, exported by somebody, and read once."""

    context: SpanContext
    parent: SpanContext | None
    start_time: int
    end_time: int
    name: str
    kind: SpanKind
    status: Status
    attributes: Mapping[str, Any]
    events: tuple[OtlpEvent, ...]
    instrumentation_scope: OtlpScope


def otlp_span(span: Any, scope: str) -> OtlpSpan:  # noqa: ANN401 - a message of generated code, which this room does not import
    """
    Read a span that came over OTLP.

    Args:
        span: An ``opentelemetry.proto.trace.v1.Span``.
        scope: The name of the ``InstrumentationScope`` that it came in.
    """
    trace_id = int.from_bytes(span.trace_id)
    code = _STATUSES[span.status.code] if span.status.code < len(_STATUSES) else StatusCode.UNSET
    return OtlpSpan(
        # whatever its flags say, somebody has exported it
        SpanContext(trace_id, int.from_bytes(span.span_id), is_remote=True, trace_flags=_SAMPLED),
        SpanContext(trace_id, int.from_bytes(span.parent_span_id), is_remote=True, trace_flags=_SAMPLED) if span.parent_span_id else None,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        span.name,
        # the wire counts from "unspecified", the API from "internal"
        SpanKind(max(0, span.kind - 1)) if span.kind <= len(SpanKind) else SpanKind.INTERNAL,
        # the API wants words beside an error only
        Status(code, (span.status.message or None) if code is StatusCode.ERROR else None),
        _mapping(span.attributes),
        tuple(OtlpEvent(event.name, _mapping(event.attributes)) for event in span.events),
        OtlpScope(scope),
    )


def _mapping(entries: Any) -> dict[str, Any]:  # noqa: ANN401 - a repeated KeyValue
    return {entry.key: _value(entry.value) for entry in entries}


def _value(value: Any) -> Any:  # noqa: ANN401 - an AnyValue, and what it holds
    told = value.WhichOneof("value")
    if told is None:
        return None
    held = getattr(value, told)
    if told == "array_value":
        # as the SDK keeps them
        return tuple(_value(item) for item in held.values)
    return _mapping(held.values) if told == "kvlist_value" else held
