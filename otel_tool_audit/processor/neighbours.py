"""
Who else listens on a provider: another processor that exports would export what is not sanitized.

Source: ARCHITECTURE.md, R3: every forwarded span is sanitized; a second way out is not ours to close, only to tell of.
"""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor


def exporting_neighbours(provider: object, own: type) -> list[str]:
    """
    Name the other processors of a provider that export.

    Args:
        provider: An SDK provider; of any other nothing can be told.
        own: The type of processors that sanitize first.
    """
    return [type(p).__name__ for p in processors(provider) if not isinstance(p, own) and exports(p)]


def processors(provider: object) -> tuple[Any, ...]:
    """List a provider's processors; the SDK has no public way to ask."""
    active = getattr(provider, "_active_span_processor", None)
    return tuple(getattr(active, "_span_processors", ()))


def exports(processor: object) -> bool:
    """Tell whether a processor exports; one that only reads or marks spans keeps no exporter."""
    if isinstance(processor, (BatchSpanProcessor, SimpleSpanProcessor)):
        return True
    return any(getattr(processor, name, None) is not None for name in ("span_exporter", "_exporter", "exporter"))
