"""What a tool hands back before it has done its work: the call ends when that ends."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import inspect
import types

import pytest

import otel_tool_audit as audit

pytestmark = pytest.mark.usefixtures("who")


def decorated(make):
    """The tool by its decorator."""
    return audit.tool(name="later")(make)


def executed(make):
    """The same through the middleware."""
    return functools.partial(audit.execute_tool, "later", {}, make)


EACH_WAY = pytest.mark.parametrize("way", [decorated, executed])


async def work(error=None):
    await asyncio.sleep(0.05)
    if error is not None:
        raise error
    return {"order_id": "ORD-1"}


class Deferred:
    """Does its work when it is awaited."""

    def __init__(self, error=None):
        self.error = error

    def __await__(self):
        return work(self.error).__await__()


class Slotted(Deferred):
    """The same without a place for anything else."""

    __slots__ = ()


class Request:
    """As HTTP libraries have it: to be awaited, or entered."""

    def __await__(self):
        return work().__await__()

    async def __aenter__(self):
        return await work()

    async def __aexit__(self, *_):
        return None


MADE = {
    "task": lambda error: asyncio.get_running_loop().create_task(work(error)),
    "future": lambda error: asyncio.ensure_future(work(error)),
    "coroutine": work,
    "awaitable": Deferred,
    "slotted": Slotted,
}


@EACH_WAY
@pytest.mark.parametrize("kind", MADE)
def test_what_is_awaited_ends_the_call(trail, way, kind):
    """Its outcome is on record before whoever awaits it goes on, with how long it took."""

    async def main():
        handed = way(lambda: MADE[kind](None))()
        assert ["running"] == [call["status"] for call in trail.calls()]
        value = await handed
        return value, trail.calls()

    value, (call,) = asyncio.run(main())
    assert {"order_id": "ORD-1"} == value
    assert ("success", "ORD-1") == (call["status"], call["result_summary"]["order_id"])
    assert call["duration_ms"] >= 40


@EACH_WAY
@pytest.mark.parametrize("kind", MADE)
def test_what_is_awaited_in_vain_is_a_failure(trail, way, kind):
    """The exception reaches whoever awaits, and the record."""
    problem = ValueError("no such order")

    async def main():
        with pytest.raises(ValueError, match="no such order") as caught:
            await way(lambda: MADE[kind](problem))()
        return caught.value

    assert asyncio.run(main()) is problem
    trail.assert_recorded("later", times=1, success=False, error="no such order", error_type="ValueError")


@EACH_WAY
def test_the_object_stays_what_it_was(trail, way):
    """A future is the same one, an awaitable object is the same and of its class, a coroutine and a generator are of their kind and name."""
    made = {}

    def keep(kind, error=None):
        made[kind] = MADE[kind](error)
        return made[kind]

    def items():
        yield 1

    async def async_items():
        yield 1

    async def main():
        for kind in ("task", "future", "awaitable"):
            handed = way(functools.partial(keep, kind))()
            assert handed is made[kind]
            assert isinstance(handed, type(made[kind]))
            await handed
        assert type(made["awaitable"]) is Deferred
        coroutine = way(work)()
        assert isinstance(coroutine, types.CoroutineType) or inspect.isawaitable(coroutine)
        await coroutine
        generator, async_generator = way(lambda: items())(), way(lambda: async_items())()  # noqa: PLW0108 - a plain function that hands one on
        assert (types.GeneratorType, "items") == (type(generator), generator.__name__)
        assert (types.AsyncGeneratorType, "async_items") == (type(async_generator), async_generator.__name__)
        assert ([1], [1]) == (list(generator), [item async for item in async_generator])

    asyncio.run(main())
    trail.assert_recorded("later", times=6, success=True)


@EACH_WAY
def test_a_request_may_be_entered_instead(trail, way):
    """Entering it is awaiting it."""

    async def main():
        async with way(lambda: Request())() as response:  # noqa: PLW0108 - a plain function that makes one
            assert {"order_id": "ORD-1"} == response

    asyncio.run(main())
    trail.assert_recorded("later", times=1, success=True)


@EACH_WAY
def test_a_job_of_a_pool_ends_the_call(trail, way):
    """The same future, whichever thread does the work; a cancelled one is no success."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        job = way(lambda: pool.submit(lambda: {"order_id": "ORD-1"}))()
        assert isinstance(job, concurrent.futures.Future)
        failing = way(lambda: pool.submit(int, "x"))()
        assert {"order_id": "ORD-1"} == job.result()
        assert isinstance(failing.exception(), ValueError)
    never = concurrent.futures.Future()
    assert way(lambda: never)() is never
    never.cancel()
    done, failed, cancelled = trail.calls()
    assert ("success", "ORD-1") == (done["status"], done["result_summary"]["order_id"])
    assert ("error", "ValueError") == (failed["status"], failed["error_type"])
    assert (False, "CancelledError") == (cancelled["success"], cancelled["error_type"])


@EACH_WAY
def test_a_generator_that_is_handed_on_ends_the_call(trail, way):
    """What is sent and thrown reaches it, its value the caller; its failure is the call's."""

    def items():
        try:
            got = yield 1
        except KeyError:
            got = "thrown"
        yield got
        return 7

    def failing():
        yield 1
        raise LookupError("gone")

    handed = way(lambda: items())()  # noqa: PLW0108 - a plain function that hands one on
    assert (1, "sent") == (next(handed), handed.send("sent"))
    with pytest.raises(StopIteration) as end:
        next(handed)
    assert 7 == end.value.value
    thrown = way(lambda: items())()  # noqa: PLW0108 - as above
    assert (1, "thrown") == (next(thrown), thrown.throw(KeyError()))
    assert [] == list(thrown)
    with pytest.raises(LookupError):
        list(way(lambda: failing())())  # noqa: PLW0108 - as above
    assert ["success", "success", "error"] == [call["status"] for call in trail.calls()]


def test_what_a_tool_was_given_it_only_hands_on(trail):
    """It is the same object, and no work of the tool's."""
    given = (item for item in [1])
    assert audit.tool(name="echo")(lambda value: value)(given) is given
    assert audit.execute_tool("echo", {"value": given}, lambda value: value) is given
    trail.assert_recorded("echo", times=2, success=True)


def test_an_exception_of_what_is_awaited_is_returned_as_asked(trail):
    """reraise=False holds for every awaitable, and without a trail, too."""

    async def main():
        return [await audit.execute_tool("later", {}, functools.partial(MADE[kind], ValueError("no")), reraise=False) for kind in MADE]

    assert [{"error": "no", "error_type": "ValueError"}] * len(MADE) == asyncio.run(main())
    trail.assert_recorded("later", times=len(MADE), success=False)


def test_a_decorated_tool_inside_a_named_call_hands_back_through_both(trail):
    """One call, ended by what is awaited."""
    tool = audit.tool(name="later")(lambda: asyncio.ensure_future(work()))

    async def main():
        return await audit.execute_tool("later", {}, tool)

    assert {"order_id": "ORD-1"} == asyncio.run(main())
    assert trail.assert_recorded("later", times=1, success=True)["duration_ms"] >= 40


def test_nobody_is_told_that_an_exception_was_seen_which_nobody_saw(trail, caplog):
    """Asyncio still warns of a failed task that nobody awaited."""

    async def main():
        task = audit.tool(name="later")(lambda: asyncio.ensure_future(work(ValueError("unseen"))))()
        await asyncio.wait({task})

    asyncio.run(main())
    assert "was never retrieved" in caplog.text
    trail.assert_recorded("later", times=1, success=False, error="unseen")


def test_a_group_names_what_is_in_it(trail):
    """The record of an exception group has every leaf; the group's own message only counts them."""

    @audit.tool
    async def gather():
        raise ExceptionGroup("tasks failed", [ValueError("first"), ExceptionGroup("inner", [KeyError("second"), OSError("third")])])

    with pytest.raises(ExceptionGroup):
        asyncio.run(gather())
    call = trail.assert_recorded("gather", times=1, success=False, error_type="ExceptionGroup")
    assert all(told in call["error"] for told in ("ValueError: first", "KeyError: 'second'", "OSError: third"))


class Lazy:
    """A query that is asked when anybody looks."""

    def __init__(self):
        self.asked = []

    def _fetch(self, how):
        self.asked.append(how)
        return []

    @property
    def __class__(self):
        self._fetch("class")
        return list

    def __iter__(self):
        return iter(self._fetch("iter"))

    def __len__(self):
        return len(self._fetch("len"))

    def __bool__(self):
        return bool(self._fetch("bool"))

    def __eq__(self, other):
        return self._fetch("eq") == other

    __hash__ = object.__hash__

    def __repr__(self):
        return repr(self._fetch("repr"))

    def __getitem__(self, at):
        return self._fetch("item")[at]


@EACH_WAY
def test_a_lazy_result_is_not_evaluated(trail, way):
    """Neither for its size, nor for what it identifies, nor inside of another result."""
    alone, inside = Lazy(), Lazy()
    assert way(lambda: alone)() is alone
    assert way(lambda: {"orders": inside, "count": 2})()["orders"] is inside
    assert ([], []) == (alone.asked, inside.asked)
    first, second = trail.calls()
    assert ("success", "success", 2) == (first["status"], second["status"], second["result_summary"]["count"])


class Unreadable:
    def model_dump(self):
        raise RuntimeError("not now")

    def __str__(self):
        raise RuntimeError("not now either")


def test_a_result_that_cannot_be_read_says_nothing_of_success(trail):
    """The tool has returned: what nobody can measure is no failure."""
    audit.tool(name="odd")(lambda: Unreadable())()  # noqa: PLW0108 - a plain function that makes one
    trail.assert_recorded("odd", times=1, success=True, error=None)


@pytest.mark.parametrize(("conversation", "user", "linked"), [("conv_1", "usr_1", True), ("conv_2", "usr_1", False), ("conv_1", "usr_2", False)])
def test_the_same_id_of_the_provider_tells_a_retry(trail, conversation, user, linked):
    """The call under the id of one that failed is its next attempt; of another user or conversation it is none."""

    def refuse():
        raise OSError("no answer")

    with pytest.raises(OSError, match="no answer"):
        audit.execute_tool("fetch", {}, refuse, tool_call_id="call_1")
    with audit.attribution(conversation=conversation, user=user):
        audit.execute_tool("fetch", {}, lambda: 1, tool_call_id="call_1")
        # an id that is given out again after a success begins anew
        audit.execute_tool("fetch", {}, lambda: 1, tool_call_id="call_1")
    first, second, third = trail.calls()
    assert (None, None) == (first["attempt"], first["retry_of"]) == (third["attempt"], third["retry_of"])
    assert ((2, first["call_id"]) if linked else (None, None)) == (second["attempt"], second["retry_of"])
