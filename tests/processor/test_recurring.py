"""A value that was taken out of one span or call is hidden in all others of its trace, and in the forwarded copy as in the record."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource

import otel_tool_audit as audit
from otel_tool_audit import attribution
from otel_tool_audit.redaction import MARK, Sanitizer
from otel_tool_audit.testing import audit_trail

SECRET = "hunter2Xq9zz81"


def shown(span: Any) -> str:
    events = [dict(event.attributes or {}) for event in span.events]
    return json.dumps([span.name, dict(span.attributes or {}), events, span.status.description], default=str)


def foreign(tracer: Any, name: str, **attributes: Any) -> None:
    with tracer.start_as_current_span(name, attributes={key.replace("__", "."): value for key, value in attributes.items()}) as span:
        span.add_event("note", {"text": f"saw {SECRET}"})


def test_the_forwarded_copy_hides_what_the_record_hides() -> None:
    """A foreign tool span's arguments hide a value by its name; its other attributes and events do, too."""
    with audit_trail() as trail:
        foreign(
            trail.audit.provider.get_tracer("other"), "execute_tool get",
            gen_ai__operation__name="execute_tool", gen_ai__tool__name="get", gen_ai__tool__call__arguments=json.dumps({"password": SECRET}), note=f"using {SECRET} now",
        )  # fmt: skip
        trail.audit.flush()
        (span,) = trail.spans()
        assert SECRET not in shown(span)
        assert SECRET not in json.dumps(trail.records())
        assert MARK in shown(span)


def test_spans_of_the_trace_that_end_later_hide_it() -> None:
    """The span around, which nothing names a secret in, ends after the one inside."""
    with audit_trail() as trail:
        tracer = trail.audit.provider.get_tracer("other")
        with tracer.start_as_current_span("turn", attributes={"input": f"log in with {SECRET}"}):
            foreign(tracer, "http", authorization=f"SSWS {SECRET}")
        trail.audit.flush()
        assert all(SECRET not in shown(span) for span in trail.spans())


def test_whom_a_call_is_about_is_a_pseudonym_in_the_forwarded_copy() -> None:
    """As in the record: a patient's number that the span's own attributes repeat."""
    with audit_trail() as trail, attribution(subject="patient-4711"):
        foreign(
            trail.audit.provider.get_tracer("other"), "execute_tool get",
            gen_ai__operation__name="execute_tool", gen_ai__tool__name="get", gen_ai__tool__call__arguments='{"id": "patient-4711"}', note="for patient-4711",
        )  # fmt: skip
        trail.audit.flush()
        assert all("patient-4711" not in shown(span) for span in trail.spans())


def test_another_trace_is_another_matter() -> None:
    """What one trace hides says nothing of the next one's words."""
    with audit_trail() as trail:
        tracer = trail.audit.provider.get_tracer("other")
        foreign(tracer, "first", password=SECRET)
        with tracer.start_as_current_span("second", attributes={"note": f"word {SECRET}"}):
            pass
        trail.audit.flush()
        assert [True] == [SECRET in shown(span) for span in trail.spans() if span.name == "second"]


def test_resource_attributes_are_sanitized_like_all_others() -> None:
    """A process' own command line is an attribute of its resource, and may hold a password."""
    resource = Resource({"process.command_args": ("psql", "--password", SECRET, "-h", "db"), "deploy.note": f"password={SECRET}"})
    clean = Sanitizer().attributes(dict(resource.attributes)).value
    assert SECRET not in repr(clean)
    assert ("psql", "-h", "db") == tuple(word for word in clean["process.command_args"] if word in ("psql", "-h", "db"))


def log_in() -> str:
    return f"password: {SECRET}"


def refuse() -> str:
    raise PermissionError(f"refused, password: {SECRET}")


@pytest.mark.parametrize("tell", [log_in, refuse])
def test_what_only_a_result_or_an_error_told_is_hidden_in_later_calls(tell: Callable[[], str]) -> None:
    """The trail records no results, and yet what one says is a password is none of the next call's arguments, in record and span."""
    with audit_trail() as trail:
        with trail.audit.provider.get_tracer("other").start_as_current_span("turn"):
            with contextlib.suppress(PermissionError):
                audit.execute_tool("tell", {}, tell)
            audit.execute_tool("use", {"text": f"try {SECRET} now"}, lambda **_: None)
        trail.audit.flush()
        assert f"try {MARK} now" == trail.calls()[1]["arguments"]["text"]
        assert all(SECRET not in shown(span) for span in trail.spans())


def test_what_an_own_result_told_is_hidden_in_foreign_spans_and_the_other_way_round() -> None:
    """Each recorder of a trace hides what any of them was told, whoever made the span."""
    other = "Maple77-River-29"
    told = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "get"}
    with audit_trail() as trail:
        tracer = trail.audit.provider.get_tracer("other")
        with tracer.start_as_current_span("turn"):
            audit.execute_tool("tell", {}, log_in)
            foreign(tracer, "plain", note=f"using {SECRET}")
            with tracer.start_as_current_span("execute_tool get", attributes=told) as span:
                span.set_attribute("gen_ai.tool.call.arguments", json.dumps({"text": f"with {SECRET}"}))
                span.set_attribute("gen_ai.tool.call.result", f"password: {other}")
            audit.execute_tool("use", {"text": f"try {other}"}, lambda **_: None)
        trail.audit.flush()
        written = json.dumps(trail.records()) + "".join(map(shown, trail.spans()))
        assert [] == [secret for secret in (SECRET, other) if secret in written]


def test_what_begins_a_trace_shares_with_what_it_calls() -> None:
    """A tool without a span around it hands its password on to the tools that it calls itself."""
    with audit_trail() as trail:
        audit.execute_tool("outer", {"password": SECRET}, lambda **_: audit.execute_tool("inner", {"text": f"try {SECRET} now"}, lambda **_: None))
        assert SECRET not in json.dumps(trail.records())
