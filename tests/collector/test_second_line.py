"""What the agent's Collector takes out of spans that nobody sanitized, and what it must leave alone."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags
from opentelemetry.trace.span import TraceState
from otlp import request, send, span, told
from running import Program

import otel_tool_audit as audit

KEY = "sk-live51H8xYzKq0AbCdEfGhIjKl"
PASSWORD = "hunter2-is-a-password"
CARD = "4111 1111 1111 1111"
MAIL = "ada.lovelace@example.com"
NUMBERS = itertools.count(1)
SECRETS = (KEY, PASSWORD, CARD, "4111111111111111", MAIL, "ada:pa55w0rd", "078-05-1120", "eyJhbGciOiJIUzI1NiJ9")


@pytest.fixture
def through(agent: Program, kept: Callable) -> Callable:
    """Send a span through the agent's Collector and give what arrived in the gateway's audit file."""

    def pass_on(name: str = "call", **attributes_: object) -> Span:
        number = next(NUMBERS)
        assert 200 == send(agent, request(span(number, name, **attributes_)))
        (arrived,) = kept(number).values()
        return arrived

    return pass_on


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("gen_ai.tool.call.arguments", json.dumps({"order": "ORD-1", "api_key": "abc-not-a-known-shape"})),
        ("gen_ai.tool.call.arguments", json.dumps({"pin": 123456789, "nested": json.dumps({"password": "abc-not-a-known-shape"})})),
        ("gen_ai.tool.call.arguments", json.dumps({"note": json.dumps({"a": json.dumps({"password": 'abc-not-a-"known-shape'})})})),
        ("gen_ai.tool.call.arguments", {"order": "ORD-1", "credentials": {"client_secret": "abc-not-a-known-shape"}}),
        ("gen_ai.tool.call.arguments", [{"password": "abc-not-a-known-shape"}, "ORD-1"]),
        ("gen_ai.tool.call.arguments", f"the key is {KEY}"),
        ("gen_ai.tool.call.result", f"card {CARD}, mail {MAIL}"),
        ("exception.message", f"login failed: password={PASSWORD}"),
        ("gen_ai.response.finish_reasons", ["stop", KEY]),
        ("gen_ai.request.max_tokens", 4111111111111111),
        ("gen_ai.tool.description", "see https://ada:pa55w0rd@example.com/"),
        ("user.id", KEY),
        ("not.on.the.list", "harmless, but nobody said so"),
        ("tool_audit.hash", "harmless, but no hash"),
    ],
)
def test_a_secret_in_an_attribute_does_not_pass(through: Callable, place: str, text: object) -> None:
    """Whatever type it has and however deep it stands; the attribute goes on without it, or not at all."""
    arrived = through(**{place: text})
    value = told(arrived.attributes).get(place, "")
    assert value != text
    assert [] == [s for s in (*SECRETS, "abc-not-a", "known-shape", "123456789", "harmless") if s in str(arrived)]
    if "ORD-1" in str(text):
        assert "ORD-1" in str(value)


def structure(chance: random.Random, secret: object, depth: int) -> object:
    """Hide a secret under its name somewhere in maps, lists and JSON text within JSON text."""
    if depth == 0:
        name = chance.choice(["password", "api_key", "apiKey", "X-Auth-Token", "client_secret", "db.password", "Cookie", "cvv", "PASSCODE"])
        return {"order": "ORD-1", name: secret, "after": chance.choice([1, None, "text", 'with "quotes", and {braces}'])}
    inner = structure(chance, secret, depth - 1)
    match chance.randrange(3):
        case 0:
            return [1, inner, "x"]
        case 1:
            return {"first": 'a "quoted" word', "data": inner, "last": [None, True]}
    return {"note": json.dumps(inner, indent=chance.choice([None, 2]), ensure_ascii=chance.random() < 0.5)}


def test_no_nesting_hides_a_secret_that_is_named(agent: Program, kept: Callable) -> None:
    """Hundreds of structures, as JSON text and as maps: values full of quotes, braces, commas and backslashes do not pass in part."""
    chance = random.Random(20)
    numbers, sent = [], []
    for _ in range(400):
        # the marks tell a value that was cut in the middle from one that is gone
        glue = ["", " ", '"', '",', '"}', "\\", "\\\\", "\n", "{", "ü", "'", '\\"', ":"]
        secret = "aaSECRETaa" + "".join(chance.choice(glue) + "bbSECRETbb" for _ in range(chance.randrange(4)))
        made = structure(chance, secret, chance.randrange(5))
        as_text = isinstance(made, list) or chance.random() < 0.5
        numbers.append(next(NUMBERS))
        sent.append(span(numbers[-1], **{"gen_ai.tool.call.arguments": json.dumps(made) if as_text else made}))
    assert 200 == send(agent, request(*sent), timeout=30)
    arrived = kept(*numbers)
    leaked = [str(before) + str(arrived[before.span_id]) for before in sent if "SECRET" in str(arrived[before.span_id])]
    assert [] == leaked[:1], f"{len(leaked)} of {len(sent)}"


def test_json_text_stays_json(through: Callable) -> None:
    """A secret in JSON text is replaced by the mark that the package itself uses, so that readers can still read it."""
    arguments = {"order": 'ORD-"1"', "api_key": 'with "quotes" and \\', "items": [1, 2], "cvv": 123, "token": None}
    arrived = through(**{"gen_ai.tool.call.arguments": json.dumps(arguments)})
    expected = {**arguments, "api_key": "***REDACTED***", "cvv": "***REDACTED***"}
    assert expected == json.loads(told(arrived.attributes)["gen_ai.tool.call.arguments"])


def test_a_service_without_our_processor_leaks_nothing(agent, kept: Callable) -> None:
    """Names, status, event names, links, trace state, scope and resource of a plain SDK: no secret in any of them passes."""
    provider = TracerProvider(resource=Resource({"service.name": "legacy", "process.command_line": f"run --password={PASSWORD}"}))
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=agent.address("grpc"), insecure=True)))
    other = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1), trace_state=TraceState([("vendor", KEY)]))
    tracer = provider.get_tracer(f"scope {KEY}", f"1.0 {KEY}", schema_url=f"https://example.com/{KEY}")
    parent = trace.set_span_in_context(trace.NonRecordingSpan(other))
    with tracer.start_as_current_span(f"call {KEY}", context=parent, links=[Link(other, {"note": PASSWORD})]) as current:
        current.set_attribute("gen_ai.tool.name", "lookup")
        current.add_event(f"asked {MAIL}", {"exception.message": f"password={PASSWORD}", "other": PASSWORD})
        current.record_exception(ValueError(f"bad card {CARD}"))
        current.set_status(Status(StatusCode.ERROR, f"no such user {MAIL}, card {CARD}"))
    provider.shutdown()

    (arrived,) = kept(current.get_span_context().span_id.to_bytes(8, "big")).values()
    assert [] == [s for s in SECRETS if s in str(arrived)]
    assert ("call ****", "lookup") == (arrived.name, told(arrived.attributes)["gen_ai.tool.name"])
    assert "no such user ****, card ****" == arrived.status.message
    assert ["asked ****", "exception"] == [e.name for e in arrived.events]
    assert [] == list(arrived.links)
    assert "" == arrived.trace_state


def test_our_own_spans_pass_unchanged(agent, kept: Callable, tmp_path: Path) -> None:
    """A span that the package sanitized and stamped arrives with every attribute, digit for digit: its hash proves something."""
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: PLC0415 - here only

    near = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    with audit.Trail.open(tmp_path / "audit") as trail:
        both = SimpleSpanProcessor(OTLPSpanExporter(endpoint=agent.address("grpc"), insecure=True))
        processor = audit.AuditSpanProcessor(trail, forward=Both(both, SimpleSpanProcessor(near)), tracer_provider=provider)
        provider.add_span_processor(processor)

        @audit.tool
        def get_order(order_id: str, api_key: str, amount: float) -> dict:
            if amount > 1:
                raise ValueError("too much for bob@example.com")
            return {"order_id": order_id, "status": "shipped"}

        who = {"user": "usr_98765", "role": "support", "model": "gpt-4.1", "conversation": "conv_1", "turn": 3}
        with audit.attribution(**who, trigger="user_request", client_ip="10.0.1.5", user_agent="Desk/2.1", purpose="billing"):
            get_order("ORD-1", api_key=KEY, amount=0.5)
            with pytest.raises(ValueError, match="too much"):
                get_order("ORD-2", api_key=KEY, amount=4111.25)
        provider.force_flush()

    finished = near.get_finished_spans()
    assert 2 == len(finished)
    arrived = kept(*(s.context.span_id.to_bytes(8, "big") for s in finished))
    for sent in finished:
        found = arrived[sent.context.span_id.to_bytes(8, "big")]
        expected = {k: list(v) if isinstance(v, tuple) else v for k, v in sent.attributes.items()}
        assert {**expected, "tool_audit.sender": "agent-1"} == told(found.attributes)
        assert (sent.name, sent.status.description or "") == (found.name, found.status.message)
        kept_of_events = {"exception.type", "exception.message", "exception.escaped"}
        assert [(e.name, {k: v for k, v in e.attributes.items() if k in kept_of_events}) for e in sent.events] == [
            (e.name, told(e.attributes)) for e in found.events
        ]
        assert KEY not in str(found)


class Both:
    """Hands spans to two processors."""

    def __init__(self, *processors: SimpleSpanProcessor) -> None:
        self.processors = processors

    def on_start(self, *_: object, **__: object) -> None: ...

    def on_end(self, ended: object) -> None:
        for processor in self.processors:
            processor.on_end(ended)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return all(p.force_flush(timeout_millis) for p in self.processors)

    def shutdown(self) -> None: ...


@pytest.mark.parametrize(
    "harmless",
    [
        "a5b9f3d2c1e04111111111111111111f9e8d7c6b5a493827160f5e4d3c2b1a09",
        "1764012345678901234",
        "ORD-123456, tracking 1Z999AA10123456784, 2026-11-24T19:30:00.000000Z",
        "123e4567-e89b-12d3-a456-426614174000",
        '{"order_id": "ORD-1", "tokens_used": 12, "secretary": "Ada"}',
    ],
)
def test_what_is_no_secret_passes(through: Callable, harmless: str) -> None:
    """Digests, times, order numbers and words that only begin like a secret's name are left alone."""
    arrived = through(f"about {harmless}", **{"gen_ai.tool.call.arguments": harmless})
    assert (f"about {harmless}", harmless) == (arrived.name, told(arrived.attributes)["gen_ai.tool.call.arguments"])


def test_bytes_are_not_looked_into(through: Callable) -> None:
    """The limit that README.md names: a secret in bytes under a listed name passes; this fails when that gets better."""
    arrived = through(**{"gen_ai.tool.call.arguments": KEY.encode()})
    assert KEY.encode() == told(arrived.attributes)["gen_ai.tool.call.arguments"]
