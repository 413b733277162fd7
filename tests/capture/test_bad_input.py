"""What bad input gets, through the gate and back out of the trail."""

from __future__ import annotations

import json
import time

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import otel_tool_audit as audit
from otel_tool_audit.testing import START

pytestmark = pytest.mark.usefixtures("who")


class Unspeakable:
    """Nothing about it can be asked."""

    def __repr__(self):
        raise RuntimeError

    __str__ = __repr__

    def __iter__(self):
        raise RuntimeError

    @property
    def __dict__(self):
        raise RuntimeError


def deep(levels):
    made = []
    for _ in range(levels):
        made = [made]
    return made


def cyclic():
    made = {}
    made["self"] = made
    return made


HARD = {
    "unserialisable": lambda: {1: object(), None: {3}, ("a",): lambda: 1},
    "unspeakable": Unspeakable,
    "invalid UTF-8": lambda: b"\xff\xfe\x00",
    "lone surrogate": lambda: "a\udc80b",
    "surrogate key": lambda: {"\ud800": 1},
    "control characters": lambda: 'x\n{"seq":0}\r\u2028\x00\x1b[31m"}',
    "past 64 bits": lambda: 2**64 + 1,
    "very large": lambda: 10**5000,
    "not finite": lambda: [float("nan"), float("inf"), -float("inf")],
    "depth 2,000": lambda: deep(2000),
    "cyclic": cyclic,
    "generator": lambda: (n for n in range(3)),
}


@pytest.mark.parametrize("what", HARD)
def test_hard_values_are_recorded_and_nothing_else_is_lost(trail, what):
    """As argument, result and error: one call, one line a record, strictly valid JSON, the tool unharmed."""
    value = HARD[what]()
    assert audit.tool(name="echo")(lambda value: value)(value) is value
    problem = ValueError(value)
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - its text is what cannot be matched
        audit.tool(name="fail")(_fail)(value, problem)
    assert caught.value is problem
    for record in trail.records():
        assert record == json.loads(orjson.dumps(record))
    assert ["success", "error"] == [c["status"] for c in trail.calls()]
    found = audit.verify(trail.path, deep=True)
    assert (found.integrity, found.findings) == ("intact", [])


def _fail(value, problem):
    raise problem


def test_hard_values_in_attribution_forge_nothing(trail):
    """Newlines, quotes and surrogates in any field stay inside that field."""
    evil = 'x"}\n{"seq":1,"previous_hash":"\udc80\r'
    said = dict.fromkeys(("user", "role", "agent", "model", "conversation", "purpose", "subject", "client_ip", "user_agent", "retry_of"), evil)
    with audit.attribution(**said, note=evil), audit.tool_call(evil, {evil: evil}, tool_call_id=evil) as call:
        call.result({"id": evil, evil: evil})
    assert 2 == len(trail.records())
    assert ["success"] == [c["status"] for c in trail.calls()]
    assert audit.verify(trail.path, deep=True).ok


def test_a_hundred_megabytes_are_cut_to_size_and_digest(trail):
    """The record stays a line, the span small, and the call takes no longer than reading the text does."""
    text = "x" * 100_000_000
    begun = time.process_time()
    audit.tool(name="big")(lambda text: {"text": text})(text)
    assert time.process_time() - begun < 10
    call = trail.assert_recorded("big", success=True)
    cut = call["arguments"]["text"]
    assert (cut["_cut"], cut["_size"]) == (True, 100_000_000)
    assert cut["_digest"].startswith("hmac-sha256:")
    assert call["result_summary"]["_truncated"]
    assert call["result_summary"]["_result_size"] > 100_000_000
    assert len(trail.spans()[0].to_json()) < 10_000


def test_many_small_arguments_are_cut_alike_in_record_and_span(trail):
    """Arguments that are too large together are cut together, the same in both places."""
    audit.execute_tool("many", {f"argument_{n}": "value " * 20 for n in range(1000)}, lambda **_: 1)
    arguments = trail.assert_recorded("many")["arguments"]
    assert arguments["_cut"]
    assert json.loads(trail.spans()[0].attributes["gen_ai.tool.call.arguments"]) == arguments


def test_a_clock_that_jumps_back_is_recorded_as_it_was(trail):
    """Order is the chain's; the duration comes from another clock."""
    with audit.tool_call("travel"):
        trail.clock.advance(-3600)
    started, finished = trail.records()
    assert finished["timestamp"] < started["timestamp"]
    assert finished["duration_ms"] >= 0
    assert audit.verify(trail.path).ok
    assert trail.clock.now < START


def test_results_that_cannot_be_looked_at_cost_the_caller_nothing(trail):
    """A mapping whose methods raise comes back, and its call is no success that nobody saw."""

    class Raising(dict):
        def items(self):
            raise RuntimeError

    value = Raising(id=1)
    assert audit.tool(name="raising")(lambda: value)() is value
    assert trail.calls()[0]["status"] in ("success", "error")


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)) | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(json_like)
def test_anything_goes_through(trail, value):
    """Whatever an argument is, the tool gets it and the trail holds it."""
    before = len(trail.records())
    assert audit.execute_tool("any", {"value": value}, lambda value: value) is value
    assert before + 2 == len(trail.records())
