"""
From another instrumentation's span to a call.

Source: ARCHITECTURE.md; OpenTelemetry semantic conventions 1.38, "Recording errors".
"""

from __future__ import annotations

from typing import Any, Final

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from otel_tool_audit import semconv
from otel_tool_audit.attribution import Attribution
from otel_tool_audit.recognise.genai import SOURCE, Facts
from otel_tool_audit.record.codec import timestamp
from otel_tool_audit.record.model import ToolCall
from otel_tool_audit.recorder import Recorder, error_text, error_type, plain_spec

LONGEST_NAME: Final = 200
"""Characters of a tool's name that are recorded."""


def observed_call(recorder: Recorder, span: ReadableSpan, facts: Facts, known: Attribution, raised: BaseException | None) -> ToolCall:
    """
    Make the call that a span tells of.

    Args:
        recorder: Sanitizes it.
        span: Ended.
        facts: What the span's attributes say.
        known: Who called, when the span started.
        raised: What went through the span without its noticing: a cancelled task leaves its span's status UNSET.
    """
    spec = plain_spec(facts.tool_name[:LONGEST_NAME])
    caller = recorder.identities.told(known, facts.known)
    call = recorder.observed(spec.name, caller, facts.arguments, facts.tool_call_id)
    elapsed = max(0, (span.end_time or 0) - (span.start_time or 0))
    failure = _failure(span, facts, raised)
    done = recorder.returned(call, spec, facts.result, elapsed) if failure is None else recorder.failed(call, *failure, elapsed)
    done["timestamp"] = timestamp(span.start_time) if span.start_time else recorder.now()
    done["source"] = SOURCE
    context = span.context
    if context is not None and context.is_valid:
        done["trace_id"], done["span_id"] = trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)
        if not context.trace_flags.sampled:
            done["sampled"] = False
    if span.parent is not None and span.parent.is_valid:
        done["parent_span_id"] = trace.format_span_id(span.parent.span_id)
    return done


def _failure(span: ReadableSpan, facts: Facts, raised: BaseException | None) -> tuple[object, str | None] | None:
    """Tell what went wrong; None when nothing says that anything did."""
    event = next((e.attributes or {} for e in span.events if e.name == semconv.EXCEPTION_EVENT), None)
    failed = span.status.status_code is StatusCode.ERROR or facts.error_type is not None or event is not None
    if failed:
        exception: Any = event or {}
        message = exception.get(semconv.EXCEPTION_MESSAGE) or span.status.description or facts.error_type or "the span says that it failed"
        kind = facts.error_type or exception.get(semconv.EXCEPTION_TYPE)
        return message, None if kind is None else str(kind)
    if raised is not None and span.status.status_code is StatusCode.UNSET:
        return error_text(raised), error_type(raised)
    return None
