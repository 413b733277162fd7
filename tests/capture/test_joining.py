"""A decorated tool that somebody calls by its name, with the gate open for that: one call, as its author described it."""

from __future__ import annotations

import asyncio
import gc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from pydantic_ai import Agent, ModelRetry
from pydantic_ai.models.test import TestModel

import otel_tool_audit as audit
from otel_tool_audit.capture.pydantic_ai import AuditCapability

pytestmark = pytest.mark.usefixtures("who")


@audit.tool(subject="patient_id", purpose="treatment", retention="healthcare", fails=lambda chart: chart == "sealed" and "sealed chart")
def open_chart(patient_id, page=1):
    if patient_id == "P-0":
        message = f"no patient {patient_id}"
        raise LookupError(message)
    return "sealed" if patient_id == "P-9" else {"record_id": "REC-7", "patient_id": patient_id}


@audit.tool(name="open_chart_async", redact=["pin"])
async def open_chart_async(patient_id, pin=""):
    await asyncio.sleep(0)
    return {"record_id": patient_id}


@audit.tool
def pages(count):
    for number in range(count):
        yield f"page {number}"


@audit.tool
def walk(depth):
    return {"count": depth if depth == 0 else walk(depth - 1)["count"]}


@audit.tool
def refund(order_id):
    return {"status": lookup(order_id)["status"]}


@audit.tool
def lookup(order_id):
    return {"order_id": order_id, "status": "shipped"}


def names(trail):
    return [call["tool_name"] for call in trail.calls()]


def test_a_handler_that_is_decorated_is_recorded_once(trail):
    """execute_tool() and the decorator tell of one call, and what the decorator said of the tool holds."""
    audit.execute_tool("open_chart", {"patient_id": "P-1"}, open_chart, tool_call_id="call_1")
    (call,) = trail.calls()
    assert ("healthcare", "treatment", "call_1") == (call["chain"], call["purpose"], call["tool_call_id"])
    assert call["subject"] == call["arguments"]["patient_id"] == call["result_summary"]["patient_id"]
    assert "P-1" not in str(trail.records())
    assert 1 == len(trail.spans())


def test_what_the_caller_says_of_a_tool_holds_over_what_its_author_said(trail):
    """Only what is said again is another."""
    audit.execute_tool("open_chart", {"patient_id": "P-1"}, open_chart, purpose="billing")
    (call,) = trail.calls()
    assert ("healthcare", "billing") == (call["chain"], call["purpose"])
    assert call["subject"] == call["arguments"]["patient_id"]


@pytest.mark.parametrize(("patient", "error", "kind"), [("P-0", "no patient psn:", "LookupError"), ("P-9", "sealed chart", None)])
def test_the_tool_itself_tells_how_it_failed(trail, patient, error, kind):
    """A framework that makes a text of an exception hides neither its type nor that there was one."""
    with audit.tool_call("open_chart", {"patient_id": patient}) as block:
        try:
            open_chart(patient)
        except LookupError as problem:
            block.result(f"Sorry: {problem}")
    (call,) = trail.calls()
    assert ("error", kind) == (call["status"], call["error_type"])
    assert call["error"].startswith(error)


def test_what_fails_around_the_tool_is_a_failure(trail):
    """The tool returned, and what came of the call did not: the block says so, and that counts."""

    def checked():
        with audit.tool_call("lookup", {"order_id": "ORD-1"}):
            lookup("ORD-1")
            message = "the result does not fit its schema"
            raise ValueError(message)

    with pytest.raises(ValueError, match="schema"):
        checked()
    with audit.tool_call("lookup", {"order_id": "ORD-1"}) as block:
        lookup("ORD-1")
        block.fail("too late")
    assert [("ValueError", "lookup"), (None, "lookup")] == [(call["error_type"], call["tool_name"]) for call in trail.calls()]


def test_every_kind_of_tool_joins(trail):
    """Coroutines, also in a task of their own; generators; functions in a worker thread."""

    async def run():
        async with audit.tool_call("open_chart_async", {"patient_id": "P-1", "pin": "yellow"}):
            await asyncio.create_task(open_chart_async("P-1", pin="yellow"))
        await audit.execute_tool("open_chart_async", {"patient_id": "P-2"}, open_chart_async)
        async with audit.tool_call("lookup", {"order_id": "ORD-1"}):
            await asyncio.to_thread(lookup, "ORD-1")

    asyncio.run(run())
    with audit.tool_call("pages", {"count": 2}):
        assert ["page 0", "page 1"] == list(pages(2))
    with ThreadPoolExecutor(1) as pool, audit.tool_call("lookup", {"order_id": "ORD-2"}):
        pool.submit(lookup, "ORD-2").result()
    assert ["open_chart_async", "open_chart_async", "lookup", "pages", "lookup"] == names(trail)
    assert "yellow" not in str(trail.records())


def test_another_call_inside_stays_one_of_its_own(trail):
    """Other tools, a tool that calls itself, a second try, other arguments, and a trail of its own: each is another call."""
    audit.execute_tool("refund", {"order_id": "ORD-1"}, refund)
    assert ["refund", "lookup"] == names(trail)
    audit.execute_tool("walk", {"depth": 2}, walk)
    assert ["walk"] * 3 == names(trail)[2:]
    with audit.tool_call("lookup", {"order_id": "ORD-1"}):
        lookup("ORD-2")
    assert ["lookup"] * 2 == names(trail)[5:]
    with audit.tool_call("lookup", {"order_id": "ORD-1"}):
        lookup("ORD-1")
        lookup("ORD-1")
    assert ["lookup"] * 2 == names(trail)[7:]
    with audit.tool_call("lookup", {"orders": ["ORD-1"]}):
        lookup("ORD-1")
    assert ["lookup"] * 2 == names(trail)[9:]


def test_of_two_tools_of_one_name_the_one_that_takes_the_arguments_is_meant(trail):
    """A tool elsewhere in the process that bears the same name does not change what is hidden; one that is gone neither."""

    def define():
        @audit.tool(name="search", redact=["topic"])
        def search(topic, page=1):
            return []

        return search

    @audit.tool(name="search", pseudonymize=["person"])
    def search_people(person):
        return []

    search, gone = define(), define()
    del gone
    gc.collect()
    audit.execute_tool("search", {"person": "Ada"}, search_people)
    audit.execute_tool("search", {"topic": "divorce"}, search)
    with audit.tool_call("search", {"neither": "nor"}):
        pass
    people, topic, other = trail.calls()
    assert people["arguments"]["person"].startswith("psn:")
    assert {"topic": "***REDACTED***"} == topic["arguments"]
    assert {"neither": "nor"} == other["arguments"]


@dataclass
class Query:
    """What a framework makes a tool's lone parameter of."""

    text: str


def test_fields_of_a_lone_parameter_are_its_arguments(trail):
    """Frameworks spread a model's fields, and make other types of what a model gave."""

    @audit.tool
    def find(query):
        return []

    @audit.tool
    def count(limit, day):
        return {"count": 1}

    with audit.tool_call("find", {"text": "a"}):
        find(Query("a"))
    with audit.tool_call("count", {"limit": "3", "day": "2026-03-01"}):
        count(3, day=object())
    assert ["find", "count"] == names(trail)


def test_under_an_adapter_a_decorated_tool_is_recorded_once(trail):
    """A framework's agent runs it: one call, with what the framework knows and what the decorator said."""
    agent = Agent(TestModel(), name="ward", capabilities=[AuditCapability()])
    tries = []

    @agent.tool_plain(retries=1)
    @audit.tool(subject="patient_id", retention="healthcare")
    def read_chart(patient_id: str) -> dict[str, str]:
        tries.append(patient_id)
        if len(tries) == 1:
            message = f"no chart of {patient_id}0"
            raise ModelRetry(message)
        return {"record_id": "REC-7"}

    asyncio.run(agent.run("open it"))
    first, second = trail.calls()
    assert [("error", "ModelRetry"), ("success", None)] == [(c["status"], c["error_type"]) for c in (first, second)]
    assert {("healthcare", "ward")} == {(c["chain"], c["agent"]) for c in (first, second)}
    assert second["subject"] == second["arguments"]["patient_id"]
    assert second["subject"].startswith("psn:")
    assert second["tool_call_id"]
