"""
Batches cut so that each fits a request: receivers take 4 MiB by default, and refuse a larger request whole.

Source: gRPC core, ``GRPC_DEFAULT_MAX_RECV_MESSAGE_LENGTH`` (4 MiB); the Collector's ``max_recv_msg_size_mib`` has the same default.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson
from opentelemetry.sdk.trace import Event, ReadableSpan

from otel_tool_audit.observe.span_view import plain
from otel_tool_audit.processor.spans import SpanCopy

LARGEST: Final = 3_500_000
"""Bytes of a request, by estimate; what is left up to 4 MiB is for the resource, and for the estimate's error."""

LONGEST: Final = 65_536
"""Characters that are left of a text in a span which is too large for a request of its own."""

_SPAN: Final = 200
_ENTRY: Final = 24
_NUMBER: Final = 9
_WIDEST: Final = 4


def batches(spans: Sequence[ReadableSpan]) -> Iterator[Sequence[ReadableSpan]]:
    """
    Cut a batch.

    Args:
        spans: Ended.

    Yields:
        All of them, in order, as many at once as a request takes; texts of one that is too large alone are cut.
    """
    if sum(map(_at_most, spans)) <= LARGEST:
        # nearly every batch: seen so without a look at each value
        if spans:
            yield spans
        return
    begin = size = 0
    cut: list[ReadableSpan] | None = None
    for at, span in enumerate(spans):
        own = size_of(span)
        if own > LARGEST:
            cut = list(spans) if cut is None else cut
            cut[at] = shortened(span)
            own = size_of(cut[at])
        if size + own > LARGEST and at > begin:
            yield (spans if cut is None else cut)[begin:at]
            begin, size = at, 0
        size += own
    if begin < len(spans):
        whole = spans if cut is None else cut
        yield whole[begin:] if begin else whole


def _at_most(span: ReadableSpan) -> int:
    """Estimate like :func:`size_of`, higher and faster."""
    if span.events or span.links:
        return size_of(span)
    attributes = plain(span.attributes)
    try:
        # an item of a list is at least two characters of JSON, and at most twice that in a request
        written = len(orjson.dumps(attributes)) * 2
    except TypeError:
        # bytes, or an integer of more than 64 bits
        return size_of(span)
    return _SPAN + len(span.name) * _WIDEST + len(span.status.description or "") * _WIDEST + _ENTRY * len(attributes) + written


def size_of(span: ReadableSpan) -> int:
    """Estimate, on the high side, how many bytes a span takes in a request."""
    size = _SPAN + len(span.name) * _WIDEST + len(span.status.description or "") * _WIDEST + _mapping(span.attributes)
    for event in span.events:
        size += _SPAN + _mapping(event.attributes)
    for link in span.links:
        size += _SPAN + _mapping(link.attributes)
    return size


def shortened(span: ReadableSpan) -> ReadableSpan:
    """Copy a span with long texts cut; that they were is said where they end."""
    events = [Event(event.name, _short(event.attributes), event.timestamp) for event in span.events]
    return SpanCopy(
        span, name=span.name, attributes=_short(span.attributes), events=events, links=span.links, resource=span.resource, status=span.status
    )


def _mapping(attributes: Mapping[str, Any] | None) -> int:
    if not attributes:
        return 0
    # a copy at once: the SDK's own mapping takes a lock for every key
    return sum([_ENTRY + len(key) + _value(value) for key, value in plain(attributes).items()])


def _value(value: object) -> int:
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value) * _WIDEST
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, Mapping):
        return _mapping(value)
    return sum(_ENTRY + _value(item) for item in value) if isinstance(value, Sequence) else _NUMBER


def _short(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    return {key: _shorter(value) for key, value in (attributes or {}).items()}


def _shorter(value: Any) -> Any:  # noqa: ANN401 - as many types as attributes have
    if isinstance(value, str) and len(value) > LONGEST:
        return f"{value[:LONGEST]}… <{len(value)} characters>"
    if isinstance(value, tuple | list) and _value(value) > LONGEST:
        return [f"<{len(value)} values, cut>"]
    return value
