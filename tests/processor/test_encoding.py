"""OTLP requests written by hand are those of OpenTelemetry's own encoder."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.span import TraceState

from otel_tool_audit.processor.encoding import request

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
LEAVES = st.one_of(TEXT, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))
ATTRIBUTES = st.dictionaries(TEXT.filter(bool), st.one_of(LEAVES, st.lists(LEAVES, max_size=4).map(tuple)), max_size=6)
SCOPES = (InstrumentationScope("a", "1.0", "https://schema"), InstrumentationScope("b"), None)
RESOURCES = (Resource({"service.name": "s", "n": 3}, "https://schema"), Resource({}))
CONTEXTS = st.builds(
    SpanContext, st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), is_remote=st.booleans(), trace_flags=st.just(TraceFlags(1))
)
SPANS = st.builds(
    ReadableSpan,
    name=TEXT,
    context=CONTEXTS,
    parent=st.none() | CONTEXTS,
    resource=st.sampled_from(RESOURCES),
    attributes=ATTRIBUTES,
    kind=st.sampled_from(list(SpanKind)),
    instrumentation_scope=st.sampled_from(SCOPES),
    status=st.sampled_from([Status(), Status(StatusCode.OK), Status(StatusCode.ERROR), Status(StatusCode.ERROR, "it ö failed")]),
    start_time=st.integers(0, 2**63 - 1),
    end_time=st.integers(0, 2**63 - 1),
)


def sorted_spans(message):
    """Every span with its resource and scope, in an order that does not depend on how they are grouped."""
    return sorted(
        (group.resource.SerializeToString(), group.schema_url, inner.scope.SerializeToString(), inner.schema_url, span.SerializeToString(deterministic=True))
        for group in message.resource_spans
        for inner in group.scope_spans
        for span in inner.spans
    )


@given(st.lists(SPANS, min_size=1, max_size=5))
def test_a_request_is_the_one_that_opentelemetry_writes(spans):
    """Whatever a usual span holds, the message is equal to the last field."""
    assert sorted_spans(encode_spans(spans)) == sorted_spans(request(spans))


def span(**told):
    """A span that is usual but for what is told."""
    context = told.pop("context", SpanContext(1, 2, is_remote=False))
    return ReadableSpan(name="s", context=context, resource=RESOURCES[0], instrumentation_scope=SCOPES[0], start_time=1, end_time=2, **told)


@pytest.mark.parametrize(
    "unusual",
    [
        span(events=[Event("exception", {"exception.type": "E"}, 5)]),
        span(links=[Link(SpanContext(3, 4, is_remote=True), {"a": 1})]),
        span(context=SpanContext(1, 2, is_remote=False, trace_state=TraceState([("k", "v")]))),
        span(attributes={"b": b"bytes", "m": {"deep": [1]}}),
        span(attributes={"nan": math.nan, "inf": math.inf}),
        span(attributes={"large": 2**63}),
    ],
)
def test_an_unusual_span_is_written_as_opentelemetry_would(unusual):
    """Beside others it arrives whole, and so do they."""
    spans = [span(attributes={"a": 1}), unusual, span(attributes={"a": 2})]
    assert sorted_spans(encode_spans(spans)) == sorted_spans(request(spans))
