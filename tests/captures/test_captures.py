"""What is on record of real frameworks' calls, against what could have been known of each."""

from __future__ import annotations

import json

import pytest
from replaying import EXPECTED, spans_of

SECRETS = ("sk-test-123", "sk-test-999")
FIELDS = {"conversation": "conversation_id", "user": "user_id", "model": "model", "agent": "agent", "tool_call_id": "tool_call_id"}


def told_by(call, wanted):
    """Whether a call on record is the expected one: by its span, or by its arguments where one span tells of several calls."""
    spans = {span.removeprefix("0x") for span in wanted["spans"]}
    if wanted.get("among_others"):
        return (call["span_id"] or call["parent_span_id"]) in spans and wanted["arguments"].items() <= call["arguments"].items()
    return call["span_id"] in spans


def faults(call, wanted):
    """What is wrong with a recorded call."""
    if call["tool_name"] not in {wanted["tool"], *wanted.get("tool_alternatives", [])}:
        yield "tool", call["tool_name"]
    if call["success"] is not wanted["success"] and (wanted["success"] is not None or "outcome" in wanted or wanted.get("untold")):
        yield "success", call["success"]
    if call["outcome"] != wanted.get("outcome"):
        yield "outcome", call["outcome"]
    if (wanted.get("run") == "elsewhere") != ("run=elsewhere" in call["source"].split()):
        yield "run", call["source"]
    arguments = wanted["arguments"]
    if isinstance(arguments, dict) and not (isinstance(call["arguments"], dict) and arguments.items() <= call["arguments"].items()):
        yield "arguments", call["arguments"]
    if isinstance(arguments, str) and arguments not in json.dumps(call["arguments"]):
        yield "arguments", call["arguments"]
    if wanted["error_text"] is not None and wanted["error_text"] not in (call["error"] or ""):
        yield "error", call["error"]
    for fact, field in FIELDS.items():
        if wanted[fact] is not None and call[field] != wanted[fact]:
            yield fact, call[field]


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_every_call_is_recorded_once_with_all_that_was_knowable(replay, name):
    """No call is missing, doubled or wrong; every span is forwarded; the secrets stay in."""
    spans = spans_of(name)
    recorded = replay(spans)
    assert len(spans) == len(recorded.exported)
    assert not any(secret in recorded.outside() for secret in SECRETS)
    expected = EXPECTED[name]["calls"]
    assert len(expected) == len(recorded.calls), [call["tool_name"] for call in recorded.calls]

    def of(wanted):
        (call,) = [call for call in recorded.calls if told_by(call, wanted)]
        return call

    for wanted in expected:
        call = of(wanted)
        assert not list(faults(call, wanted)), wanted["tool"]
        assert call["continues"] == (of(expected[wanted["continues"]])["call_id"] if "continues" in wanted else None)


@pytest.mark.parametrize("name", sorted(name for name in EXPECTED if EXPECTED[name]["calls"]))
def test_every_span_of_a_call_is_exported_with_the_records_id(replay, name):
    """A duplicate leads to the same record as the span that was first."""
    recorded = replay(spans_of(name))
    stamped = {f"{span.context.span_id:016x}": span.attributes.get("audit.record.id") for span in recorded.exported}
    for wanted in EXPECTED[name]["calls"]:
        (call,) = [call for call in recorded.calls if told_by(call, wanted)]
        if call["span_id"] is None:
            # another call has the span that tells of this one, too
            continue
        assert {call["call_id"]} == {stamped[span.removeprefix("0x")] for span in wanted["spans"]}
        hashes = {span.attributes["tool_audit.hash"] for span in recorded.exported if span.attributes.get("audit.record.id") == call["call_id"]}
        assert hashes <= {record["hash"] for record in call["records"]}


def test_facts_say_where_they_came_from(replay):
    """The convention first, then each fact that the span itself did not tell."""
    first, second = replay(spans_of("langchain__openinference.json")).calls
    assert "openinference model=model_span" == first["source"]
    assert {"openinference", "model=model_span", "arguments=model_span", "tool_call_id=model_span"} == set(second["source"].split())


def test_a_claim_gives_way_to_what_the_process_knows(replay):
    """An inbound header names the user only where nothing else does, and is marked."""
    (client, *_) = replay(spans_of("mcp__none-client.json")).calls
    assert ("user-alice", {"baggage": {"user.id": "user-alice"}}) == (client["user_id"], client["claimed"])
    assert "user=ancestor" in client["source"]


def test_what_only_a_header_claims_is_marked(replay):
    """The server of another process knows the user from baggage alone."""
    (server, *_) = replay(spans_of("mcp__none-server.json")).calls
    assert {"user_id": "baggage user.id"} == server["claimed"]["fields"]
