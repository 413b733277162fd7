"""
Standing before the exporters of a provider: those that are there, and those that come later.

What exports on a provider exports every span as it is, secrets included. Taken out of it, and handed to
:class:`AuditSpanProcessor`, it exports what is sanitized and stamped.

Source: ARCHITECTURE.md, D10: every forwarded span is sanitized.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider

from otel_tool_audit.processor import AuditSpanProcessor, exports, processors
from otel_tool_audit.setup.exporters import Several


class Stead(SpanProcessor):
    """
    Stands where an exporting processor stood, and lets it hear of starts only.

    Some put attributes on a span when it starts, and must go on doing so; what ended reaches them sanitized, another way.

    Attributes:
        inner: The processor; whoever forwards to it also shuts it down.
    """

    def __init__(self, inner: SpanProcessor) -> None:
        """Take its place."""
        self.inner = inner

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Hand the start on."""
        self.inner.on_start(span, parent_context)


def take(provider: TracerProvider) -> list[Stead]:
    """
    Take a provider's exporting processors out of it, and leave somebody in the place of each.

    Args:
        provider: Audited soon; until then nothing that ends is exported.
    """
    left = [Stead(p) if exports(p) and not isinstance(p, AuditSpanProcessor) else p for p in processors(provider)]
    _put(provider, left)
    return [p for p in left if isinstance(p, Stead)]


def give_back(provider: TracerProvider, taken: Sequence[Stead]) -> None:
    """Undo :func:`take`: without auditing, the application exports as it would have."""
    _put(provider, [p.inner if p in taken else p for p in processors(provider)])


def forward_to(taken: Sequence[Stead]) -> SpanProcessor | None:
    """Give what :class:`AuditSpanProcessor` forwards to; None when nothing was taken."""
    inner = [p.inner for p in taken]
    return inner[0] if len(inner) == 1 else Several(inner) if inner else None


def take_later(provider: TracerProvider, processor: AuditSpanProcessor) -> None:
    """
    Take exporting processors that are added from now on, too: agents set their backends up in their own code.

    Args:
        provider: Audited.
        processor: Stands on it; when it is retired, what is added is none of our business.
    """
    add = provider.add_span_processor

    def add_span_processor(span_processor: SpanProcessor) -> None:
        if processor.retired or isinstance(span_processor, AuditSpanProcessor) or not exports(span_processor):
            add(span_processor)
            return
        before = processor.forward
        processor.forward = span_processor if before is None else Several([before, span_processor])
        add(Stead(span_processor))

    # a method of this provider alone; the SDK has no hook for it
    vars(provider)["add_span_processor"] = add_span_processor


def _put(provider: TracerProvider, wanted: Sequence[Any]) -> None:
    active = provider._active_span_processor  # noqa: SLF001 - the SDK has no public way to take a processor out
    with active._lock:  # noqa: SLF001 - the lock that adding takes
        active._span_processors = tuple(wanted)  # noqa: SLF001 - as above
