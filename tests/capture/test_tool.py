"""``@tool`` on everything that can be a tool."""

from __future__ import annotations

import asyncio
import functools
import inspect

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import otel_tool_audit as audit
from otel_tool_audit.capture.arguments import binder

pytestmark = pytest.mark.usefixtures("who")


def test_a_function_is_recorded_with_its_arguments_by_name(trail):
    """Positional, keyword and default arguments stand under their parameters' names."""

    @audit.tool
    def get_order(order_id, limit=10, *, verbose=False):
        return {"order_id": order_id, "status": "shipped"}

    assert get_order("ORD-1", verbose=True) == {"order_id": "ORD-1", "status": "shipped"}
    call = trail.assert_recorded("get_order", times=1, success=True)
    assert call["arguments"] == {"order_id": "ORD-1", "limit": 10, "verbose": True}
    assert call["result_summary"] == {"success": True, "order_id": "ORD-1", "status": "shipped", "_result_size": 39}


def test_the_start_is_durable_before_the_body_runs(trail):
    """Inside the body, the started record is in the files already, and no finished one is."""
    seen = []

    @audit.tool
    def look():
        seen.extend(record["event"] for record in trail.records())

    look()
    assert seen == ["tool_call.started"]
    assert [r["event"] for r in trail.records()] == ["tool_call.started", "tool_call.finished"]


def test_what_is_returned_is_the_very_object(trail):
    """The caller gets the tool's own object, not a copy."""
    thing = object()
    assert audit.tool(name="give")(lambda: thing)() is thing


def test_what_is_raised_is_the_very_exception(trail):
    """The caller gets the tool's own exception, its traceback ending in the tool's body."""
    problem = ValueError("Cannot cancel shipped order")

    @audit.tool
    def cancel_order(order_id):
        raise problem

    with pytest.raises(ValueError, match="shipped") as caught:
        cancel_order("ORD-1")
    assert caught.value is problem
    assert caught.traceback[-1].name == "cancel_order"
    call = trail.assert_recorded("cancel_order", success=False, error_type="ValueError", error="Cannot cancel shipped order")
    assert call["status"] == "error"
    assert call["result_summary"] == {"success": False, "error": "Cannot cancel shipped order", "_result_size": 0}


def test_a_returned_error_is_a_failure(trail):
    """A mapping with an error key failed, though nothing was raised."""
    assert audit.tool(name="refund")(lambda: {"error": "too late"})() == {"error": "too late"}
    trail.assert_recorded("refund", success=False, error="too late", error_type=None)


def test_the_rule_for_failures_can_be_replaced(trail):
    """`fails` decides instead of the error key."""
    tool = audit.tool(name="check", fails=lambda result: None if result["ok"] else result["why"])(
        lambda ok: {"ok": ok, "why": "no stock", "error": "x"}
    )
    tool(ok=True)
    tool(ok=False)
    assert [(True, None), (False, "no stock")] == [(c["success"], c["error"]) for c in trail.calls()]


def test_a_rule_that_raises_says_nothing_of_success(trail):
    """A broken rule costs the caller nothing, and the call does not count as a success."""
    assert audit.tool(name="odd", fails=lambda _: 1 / 0)(lambda: 7)() == 7
    call = trail.assert_recorded("odd", success=False)
    assert "ZeroDivisionError" in call["error"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, asyncio.CancelledError, GeneratorExit])
def test_interruptions_are_recorded_as_what_they_were(trail, error):
    """What is no Exception is no success either."""

    @audit.tool
    def slow():
        raise error

    with pytest.raises(error):
        slow()
    trail.assert_recorded("slow", success=False, error_type=error.__name__)
    assert trail.spans()[-1].attributes["error.type"] == error.__name__
    assert not trail.spans()[-1].status.is_ok


def test_wrong_arguments_are_the_tools_own_type_error_and_recorded(trail):
    """A call that cannot be bound raises what the function raises, and the record shows what was given."""

    @audit.tool
    def get_order(order_id):
        raise AssertionError

    with pytest.raises(TypeError, match=r"get_order\(\) takes 1 positional argument but 2 were given"):
        get_order("ORD-1", "ORD-2")
    with pytest.raises(TypeError, match="unexpected keyword argument 'id'"):
        get_order(id="ORD-1")
    assert [{"args": ["ORD-1", "ORD-2"]}, {"id": "ORD-1"}] == [c["arguments"] for c in trail.calls()]


class Shop:
    """Methods of all kinds."""

    @audit.tool
    def method(self, order_id):
        return {"id": order_id}

    @classmethod
    @audit.tool(name="on_class")
    def of_class(cls, order_id):
        return cls, order_id

    @audit.tool(name="over_class")
    @classmethod
    def over_class(cls, order_id):
        return cls, order_id

    @staticmethod
    @audit.tool
    def static(order_id):
        return order_id

    @audit.tool(name="over_static")
    @staticmethod
    def over_static(order_id):
        return order_id

    @audit.tool
    async def coroutine(self, order_id):
        return order_id

    def __call__(self, order_id):
        return order_id


def test_methods_do_not_record_what_they_are_bound_to(trail):
    """Neither self nor cls is an argument of the tool."""
    shop = Shop()
    assert shop.method("1") == {"id": "1"}
    assert shop.of_class("2") == (Shop, "2")
    assert Shop.over_class("3") == (Shop, "3")
    assert shop.static("4") == "4"
    assert Shop.over_static("5") == "5"
    assert asyncio.run(shop.coroutine("6")) == "6"
    assert [{"order_id": str(n)} for n in range(1, 7)] == [c["arguments"] for c in trail.calls()]
    assert [c["tool_name"] for c in trail.calls()] == ["method", "on_class", "over_class", "static", "over_static", "coroutine"]


def test_partials_and_callable_objects_are_tools(trail):
    """What a partial binds is recorded, too; a callable object has its class' name."""

    def ship(order_id, carrier, *, fast):
        return order_id

    audit.tool(functools.partial(ship, "ORD-1", fast=True))("DHL")
    audit.tool(Shop())("ORD-2")
    assert [("ship", {"order_id": "ORD-1", "carrier": "DHL", "fast": True}), ("Shop", {"order_id": "ORD-2"})] == [
        (c["tool_name"], c["arguments"]) for c in trail.calls()
    ]


def test_the_wrapper_looks_like_the_tool(trail):
    """Name, docstring, signature and kind stay: frameworks look at them."""

    def plain(order_id: str) -> dict:
        """Get it."""

    async def coroutine(): ...

    def generator():
        yield

    async def agenerator():
        yield

    assert audit.tool(plain).__doc__ == "Get it."
    assert inspect.signature(audit.tool(plain)) == inspect.signature(plain)
    assert inspect.iscoroutinefunction(audit.tool(coroutine))
    assert inspect.isgeneratorfunction(audit.tool(generator))
    assert inspect.isasyncgenfunction(audit.tool(agenerator))


def test_a_plain_function_that_returns_a_coroutine_ends_with_it(trail):
    """The call is finished when the coroutine is, with its result."""

    async def inner():
        return {"id": 7}

    @audit.tool
    def outer():
        return inner()

    assert asyncio.run(outer()) == {"id": 7}
    trail.assert_recorded("outer", times=1, success=True)
    assert trail.calls()[0]["result_summary"]["id"] == 7


def test_async_tools_run_side_by_side_and_keep_their_own_attribution(trail):
    """Tasks do not mix up who called."""

    @audit.tool
    async def work(number):
        await asyncio.sleep(0.01)
        return {"id": number}

    async def one(number):
        with audit.attribution(user=f"usr_{number}"):
            return await work(number)

    async def main():
        return await asyncio.gather(*(one(n) for n in range(20)))

    assert asyncio.run(main()) == [{"id": n} for n in range(20)]
    assert all(c["user_id"] == f"usr_{c['arguments']['number']}" for c in trail.calls())


def test_a_sync_tool_on_an_event_loop_is_counted(trail):
    """It blocks the loop, so it is counted and its name kept for doctor."""

    @audit.tool
    def blocking():
        return 1

    async def main():
        return blocking()

    asyncio.run(main())
    assert trail.audit.trail.counters["blocked_loop"] == 1
    assert trail.audit.processor.recorder.blocked == {"blocking"}


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"trigger": "because"}, "user_request, proactive"),
        ({"retention": "Trail!"}, "retention class"),
        ({"subject": "nobody"}, "no parameter"),
        ({"redact": "note"}, "list of names"),
        ({"name": ""}, None),
    ],
)
def test_what_is_said_wrongly_is_refused_when_it_is_said(said, problem):
    """Mistakes in a decorator are errors at once, not at the first call."""

    def tool(order_id): ...

    if problem is None:
        assert audit.tool(**said)(tool)
        return
    with pytest.raises(audit.SettingsError, match=problem):
        audit.tool(**said)(tool)


def test_classes_are_no_tools():
    """A class would be replaced by a function."""
    with pytest.raises(audit.SettingsError, match="callable objects"):
        audit.tool(Shop)


def parameters():
    """Signatures of many shapes, and calls of them, right and wrong."""
    return st.sampled_from(
        ["a", "a, b", "a, b=2", "a, /, b", "a, *, b", "a, *rest", "a=1, *rest, b=2, **more", "**more", "", "a, /, b=3, *, c, **more"]
    )


@given(parameters(), st.lists(st.integers(), max_size=4), st.dictionaries(st.sampled_from("abcxyz"), st.integers(), max_size=4))
@example("a=1, *rest, b=2, **more", [1], {"a": 0})  # given twice, once as what it would be anyway
@example("a, *, b", [0, 0], {})  # as many as there are parameters, and one may not be given by place
def test_binding_agrees_with_the_language(signature, args, kwargs):
    """Whatever Python binds is bound to the same names; whatever it refuses is recorded as it was given."""
    namespace = {}
    exec(f"def tool({signature}): ...", namespace)
    tool = namespace["tool"]
    bound = binder(tool)(tuple(args), kwargs)
    try:
        expected = inspect.signature(tool).bind(*args, **kwargs)
    except TypeError:
        assert bound == ({"args": list(args), **kwargs} if args else kwargs)
        return
    expected.apply_defaults()
    flat = dict(expected.arguments)
    more = flat.pop("more", {})
    if "rest" in flat:
        flat["rest"] = list(flat["rest"])
    assert bound == ({**flat, "more": more} if set(more) & set(flat) else {**flat, **more})


def test_whom_a_result_is_about_stays_a_pseudonym(trail):
    """An id that the result repeats, under whatever name and as text or number, is written as the record's subject is; others stay."""

    @audit.tool(subject="patient_id", pseudonymize=["ward_id"])
    def open_chart(patient_id, ward_id):
        return {"patient_id": patient_id, "id": int(patient_id), "ward_id": ward_id, "nurse_id": "N-7", "count": 4711, "status": "4711"}

    open_chart("4711", "W-3")
    call = trail.assert_recorded("open_chart", times=1, success=True)
    summary = call["result_summary"]
    assert call["subject"].startswith("psn:")
    assert {call["subject"]} == {summary["patient_id"], summary["id"], call["arguments"]["patient_id"]}
    assert summary["ward_id"] == call["arguments"]["ward_id"] != "W-3"
    assert ("N-7", 4711, "4711") == (summary["nurse_id"], summary["count"], summary["status"])
    assert {"result_summary.patient_id", "result_summary.id"} <= {removed["path"] for removed in call["redactions"]}


def test_a_subject_of_the_attribution_is_a_pseudonym_in_results_too(trail):
    """Whoever is named around the call is not named by its result."""

    @audit.tool
    def latest_visit():
        return {"patientId": "4711", "visit_id": "V-1"}

    with audit.attribution(subject="4711"):
        latest_visit()
    call = trail.assert_recorded("latest_visit", times=1, success=True)
    assert (call["subject"], "V-1") == (call["result_summary"]["patientId"], call["result_summary"]["visit_id"])


def test_what_is_kept_of_arguments_says_nothing_of_results(trail):
    """`keep` names arguments; the result's identifiers are what they were. `redact` holds for both."""

    @audit.tool(keep=["order_id"], redact=["coupon_id"])
    def get_order(order_id, coupon_id):
        return {"order_id": order_id, "parcel_id": "P-1", "coupon_id": coupon_id}

    get_order("ORD-1", "C-1")
    summary = trail.assert_recorded("get_order", times=1, success=True)["result_summary"]
    assert ("ORD-1", "P-1", "***REDACTED***") == (summary["order_id"], summary["parcel_id"], summary["coupon_id"])
