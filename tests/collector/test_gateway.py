"""What the gateway keeps, of whom, and whom it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures import SENDER, TOKEN
from otlp import attributes, plain, request, requests_in, send, span, told
from running import Program

SECRET = "sk-live51H8xYzKq0AbCdEfGhIjKl"


def test_sent_straight_to_the_gateway_a_span_is_kept_as_sent(gateway: Program, kept: Callable) -> None:
    """The audit pipeline edits nothing: what came in stands in its file, with one attribute more that says who sent it."""
    sent = span(1, f"call {SECRET}", a_map={"password": SECRET}, a_list=[SECRET, 1], some_bytes=b"\x00\xff", big=2**62, flag=False)
    sent.trace_state = f"vendor={SECRET}"
    sent.status.message = "ada@example.com"
    sent.events.add(name=SECRET, time_unix_nano=7, attributes=attributes({"card": "4111 1111 1111 1111"}))
    sent.links.add(trace_id=bytes(range(16)), span_id=bytes(range(8)), attributes=attributes({"password": SECRET}))
    whole = request(sent)
    whole.resource_spans[0].resource.attributes.extend(attributes({"process.command_line": SECRET}))
    assert 200 == send(gateway, whole, name=SENDER, token=TOKEN)
    kept(1)
    # other tests' spans may have come before, through the same gateway
    received = requests_in(Path(gateway.environment["GATEWAY_AUDIT_DIRECTORY"]))
    (arrived,) = (r for r in received if [s.span_id for s in r.resource_spans[0].scope_spans[0].spans] == [sent.span_id])
    (found,) = arrived.resource_spans[0].scope_spans[0].spans
    sender = found.attributes.pop()
    assert ("tool_audit.sender", SENDER) == (sender.key, plain(sender.value))
    # an empty scope is there or not; that says nothing
    whole.resource_spans[0].scope_spans[0].scope.SetInParent()
    assert whole.resource_spans[0] == arrived.resource_spans[0]


def test_nobody_can_claim_to_be_another_sender(gateway: Program, kept: Callable) -> None:
    """The sender's name is the token's, whatever the span says."""
    assert 200 == send(gateway, request(span(2, **{"tool_audit.sender": "somebody-else"})), name=SENDER, token=TOKEN)
    (arrived,) = kept(2).values()
    assert SENDER == told(arrived.attributes)["tool_audit.sender"]


@pytest.mark.parametrize(("name", "token"), [(SENDER, "a wrong one"), ("nobody-known", TOKEN), (SENDER, "")])
def test_whoever_has_no_token_is_refused(gateway: Program, name: str, token: str) -> None:
    """Without a known name and its token nothing is taken."""
    assert 401 == send(gateway, request(span(3)), name=name, token=token)


def test_without_tls_nothing_is_taken(gateway: Program) -> None:
    """A token never travels in the clear: the gateway does not speak without TLS."""
    assert send(gateway, request(span(4))) in {0, 400}
