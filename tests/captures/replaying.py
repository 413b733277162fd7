"""Runs recorded spans through a provider again: the same attributes at the same moments, in the recorded order."""

from __future__ import annotations

import json
from pathlib import Path

from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

HERE = Path(__file__).parent
EXPECTED = json.loads((HERE / "expected.json").read_text())


class GivenIds(IdGenerator):
    """Gives out the ids that it was told last."""

    trace_id = span_id = 0

    def generate_trace_id(self):
        return self.trace_id

    def generate_span_id(self):
        return self.span_id


def spans_of(name):
    """The spans of a capture."""
    return json.loads((HERE / "data" / name).read_text())


def in_order_of_ends(spans):
    """Spans as processors hear of them."""
    return [span for _, span in sorted(enumerate(spans), key=lambda told: (max(told[1]["end_unix_nano"], told[1]["start_unix_nano"]), told[0]))]


def parents_first(spans):
    """Spans as a gateway may get them: each after the one around it, else in the order of their starts."""
    waiting = sorted(spans, key=lambda span: span["start_unix_nano"])
    left = {span["context"]["span_id"] for span in spans}
    while waiting:
        at = next(n for n, span in enumerate(waiting) if span.get("parent_id") not in left)
        left.discard(waiting[at]["context"]["span_id"])
        yield waiting.pop(at)


class Replay:
    """One capture, while it runs again."""

    def __init__(self, spans, provider, ids):
        self.spans = {span["context"]["span_id"]: span for span in spans}
        self.provider = provider
        self.ids = ids
        self.live = {}

    def run(self):
        """Start and end everything; a parent starts before its child, whatever the clocks said."""
        moments = [(s["start_unix_nano"], 0, n, i) for n, (i, s) in enumerate(self.spans.items())]
        moments += [(max(s["end_unix_nano"], s["start_unix_nano"]), 1, n, i) for n, (i, s) in enumerate(self.spans.items())]
        for _, is_end, _, span_id in sorted(moments):
            self.start(span_id)
            if is_end:
                self.end(span_id)

    def start(self, span_id):
        if span_id in self.live:
            return
        span = self.spans[span_id]
        if span.get("parent_id") in self.spans:
            self.start(span["parent_id"])
        seen = span.get("at_start") or {}
        scope = span.get("scope") or {}
        self.ids.trace_id, self.ids.span_id = int(span["context"]["trace_id"], 16), int(span_id, 16)
        tracer = self.provider.get_tracer(scope.get("name") or "unknown", scope.get("version"), schema_url=scope.get("schema_url"))
        self.live[span_id] = tracer.start_span(
            seen.get("name_at_start") or span["name"],
            context=self.context(span, seen),
            kind=SpanKind[span["kind"].removeprefix("SpanKind.")],
            attributes=plain(seen.get("attributes_at_start")),
            start_time=span["start_unix_nano"],
        )

    def context(self, span, seen):
        made = context.Context()
        parent = span.get("parent_id")
        if parent:
            remote = SpanContext(int(span["context"]["trace_id"], 16), int(parent, 16), True, TraceFlags(TraceFlags.SAMPLED))
            made = trace.set_span_in_context(self.live.get(parent) or NonRecordingSpan(remote), made)
        for key, value in (seen.get("baggage_at_start") or {}).items():
            made = baggage.set_baggage(key, value, made)
        for key, value in (seen.get("context_values_at_start") or {}).items():
            made = context.set_value(key, value, made)
        return made

    def end(self, span_id):
        span, live = self.spans[span_id], self.live[span_id]
        for above in (span.get("at_end") or {}).get("ancestors", []):
            open_above = self.live.get(above["span_id"])
            if open_above is not None and open_above.is_recording():
                open_above.set_attributes(plain(above.get("attributes")))
        live.set_attributes(plain(span["attributes"]))
        live.update_name(span["name"])
        for event in span.get("events") or []:
            live.add_event(event["name"], plain(event.get("attributes")))
        status = span.get("status") or {}
        code = StatusCode[status.get("status_code", "UNSET")]
        if code is not StatusCode.UNSET:
            live.set_status(Status(code, status.get("description") if code is StatusCode.ERROR else None))
        # frameworks end spans wherever they like, in no context of the call's
        token = context.attach(context.Context())
        live.end(end_time=span["end_unix_nano"])
        context.detach(token)


def plain(attributes):
    """Attributes as a span takes them."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in (attributes or {}).items() if v is not None}
