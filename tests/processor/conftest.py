"""A trail with spans in memory."""

from __future__ import annotations

import pytest

from otel_tool_audit.testing import audit_trail


@pytest.fixture
def trail():
    with audit_trail() as recorded:
        yield recorded


@pytest.fixture
def tracer(trail):
    """A tracer of another instrumentation, on the same provider."""
    return trail.audit.provider.get_tracer("another.instrumentation")
