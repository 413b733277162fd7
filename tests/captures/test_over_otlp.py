"""Spans that came over OTLP and were never the SDK's: recognised and merged like the SDK's own."""

from __future__ import annotations

import ast
import json
import random
from pathlib import Path

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span, Status
from replaying import EXPECTED, in_order_of_ends, parents_first, spans_of

import otel_tool_audit
import otel_tool_audit as audit
from otel_tool_audit.observe.open_spans import ArrivedSpans
from otel_tool_audit.observe.span_view import otlp_span
from otel_tool_audit.observe.watcher import Watcher
from otel_tool_audit.recording import unbind

KINDS = {name: number for number, name in enumerate(("INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"), 1)}
MADE_UP = {"call_id", "salt", "seq", "previous_hash", "hash", "writer", "timestamp", "service", "epoch", "chain"}
FACTS = ("tool_name", "status", "arguments", "error", "user_id", "conversation_id", "model", "agent", "tool_call_id")
STATUSES = {"UNSET": 0, "OK": 1, "ERROR": 2}


def any_value(value):
    """A value as the wire has it."""
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, dict):
        return AnyValue(kvlist_value=KeyValueList(values=entries(value)))
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[any_value(item) for item in value]))
    return AnyValue(string_value=value)


def entries(attributes):
    return [KeyValue(key=key, value=any_value(value)) for key, value in (attributes or {}).items() if value is not None]


def over_the_wire(span):
    """A recorded span as a message, written and read again."""
    status = span.get("status") or {}
    made = ScopeSpans(
        spans=[
            Span(
                trace_id=int(span["context"]["trace_id"], 16).to_bytes(16),
                span_id=int(span["context"]["span_id"], 16).to_bytes(8),
                parent_span_id=int(span["parent_id"], 16).to_bytes(8) if span.get("parent_id") else b"",
                name=span["name"],
                kind=KINDS[span["kind"].removeprefix("SpanKind.")],
                start_time_unix_nano=span["start_unix_nano"],
                end_time_unix_nano=span["end_unix_nano"],
                attributes=entries(span["attributes"]),
                events=[Span.Event(name=e["name"], attributes=entries(e.get("attributes"))) for e in span.get("events") or []],
                status=Status(code=STATUSES[status.get("status_code", "UNSET")], message=status.get("description") or ""),
            )
        ]
    )
    made.scope.name = (span.get("scope") or {}).get("name") or "unknown"
    read = ScopeSpans.FromString(made.SerializeToString())
    return otlp_span(read.spans[0], read.scope.name)


@pytest.fixture
def arrive(tmp_path, monkeypatch):
    """Look at spans in an order, and give the calls that came of them."""
    monkeypatch.setenv("OTEL_TOOL_AUDIT_STATE", str(tmp_path / "state"))

    def run(spans, *, together):
        views = [over_the_wire(span) for span in spans]
        trail = audit.Trail.open(tmp_path / "arrived", durability="os")
        watcher = Watcher(audit.AuditSpanProcessor(trail).recorder, ArrivedSpans())
        try:
            for view in views if together else ():
                watcher.started(view, None)
            for view in views:
                watcher.ended(view, lambda _: None)
        finally:
            unbind()
            trail.close()
        with audit.TrailReader(tmp_path / "arrived") as reader:
            return list(reader.calls())

    return run


def known_at_once(spans):
    """The same spans with everything told at their start, and nothing that only their process knew."""
    return [{**span, "at_start": {"attributes_at_start": span["attributes"]}, "at_end": {}} for span in spans]


def records(directory):
    """What is on record, without what every process makes up anew: ids, places in the chain, the moment of an amendment."""
    lines = [
        json.loads(line) for path in sorted(directory.glob("*/*.jsonl")) if path.parent.name != "trail" for line in path.read_bytes().splitlines()
    ]
    calls = {record["call_id"]: n for n, record in reversed(list(enumerate(lines)))}
    return [
        {key: value for key, value in record.items() if key not in MADE_UP}
        | {"call": calls[record["call_id"]]}
        | ({"continues": calls[record["continues"]]} if "continues" in record else {})
        | ({"timestamp": record["timestamp"]} if record["event"] == "tool_call.observed" else {})
        for record in lines
    ]


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_in_the_order_of_their_ends_the_records_are_those_of_the_sdk(replay, arrive, tmp_path, name):
    """What came in one batch is known as open spans are: every record says the same."""
    spans = known_at_once(spans_of(name))
    replay(spans)
    arrive(in_order_of_ends(spans), together=True)
    made = records(tmp_path / "audit")
    assert made == records(tmp_path / "arrived")
    assert len(EXPECTED[name]["calls"]) <= len(made)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_children_after_their_parents_are_the_same_calls(replay, arrive, name):
    """None is doubled or missing, and each says the same of the tool, its arguments, what came of it, and who called."""
    spans = known_at_once(spans_of(name))
    expected = [facts(call) for call in replay(spans).calls]
    assert sorted(expected) == sorted(facts(call) for call in arrive(list(parents_first(spans)), together=False))


def facts(call):
    """What is known of a call, in a form that can be sorted."""
    return json.dumps([call[name] for name in FACTS], sort_keys=True)


def test_what_observes_knows_no_class_of_the_sdk():
    """The room imports neither the SDK nor the generated code of OTLP."""
    room = Path(otel_tool_audit.__file__).parent / "observe"
    imported = [
        module
        for path in room.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for module in (
            [node.module] if isinstance(node, ast.ImportFrom) else [name.name for name in node.names] if isinstance(node, ast.Import) else []
        )
    ]
    assert "opentelemetry.trace" in imported
    assert not [module for module in imported if module.startswith(("opentelemetry.sdk", "opentelemetry.proto"))]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", sorted(name for name in EXPECTED if name.startswith(("combo", "nested", "parallel"))))
def test_in_any_order_no_call_is_missed(arrive, name, seed):
    """Whatever comes first: each call is on record, and nothing breaks."""
    spans = known_at_once(spans_of(name))
    random.Random(seed).shuffle(spans)
    wanted = {call["tool"] for call in EXPECTED[name]["calls"]}
    assert wanted <= {call["tool_name"] for call in arrive(spans, together=False)}
