"""A block in a generator holds while that runs, and not for whoever reads it."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import logging
import threading

import pytest
from opentelemetry import context as otel

import otel_tool_audit as audit
from otel_tool_audit.propagation.context import NOBODY, current, current_context
from otel_tool_audit.testing import audit_trail

np = pytest.importorskip("numpy")


@pytest.fixture(autouse=True)
def _nothing_is_logged(caplog):
    """No block of ours leaves a line such as "Failed to detach context"."""
    with caplog.at_level(logging.WARNING, "opentelemetry"):
        yield
    assert [] == [record.message for record in caplog.records if record.name.startswith("opentelemetry")]


def user():
    return current().get("user")


def stream(name, items=3):
    with audit.attribution(user=name):
        for _ in range(items):
            yield user()


async def astream(name, items=3):
    with audit.attribution(user=name):
        for _ in range(items):
            await asyncio.sleep(0)
            yield user()


def test_generators_that_are_read_in_turn_keep_their_own():
    """And their reader has neither's."""
    one, two = stream("a"), stream("b")
    read = []
    for _ in range(3):
        read += [next(one), user(), next(two), user()]
    assert ["a", None, "b", None] * 3 == read
    assert ([], [], None) == (list(one), list(two), user())
    assert current_context() == otel.get_current()


@pytest.mark.parametrize("first", [0, 1])
def test_they_may_be_left_in_any_order(first):
    """What one leaves does not bring the other's back."""
    with audit.attribution(user="reader"):
        both = [stream("a"), stream("b")]
        assert ["a", "b"] == [next(one) for one in both]
        both[first].close()
        assert "reader" == user()
        assert "ba"[first] == next(both[1 - first])
        both[1 - first].close()
        assert "reader" == user()
    assert user() is None


def test_one_that_is_left_early_holds_for_nobody():
    """Whether it is still there, or collected."""
    kept = stream("a")
    for _ in kept:
        break
    assert user() is None
    for _ in stream("b"):
        break
    gc.collect()
    assert user() is None
    assert ["a", "a"] == list(kept)


def test_a_reader_in_its_own_block_keeps_it():
    """Inside the generator its own holds, over what held where it began."""
    with audit.attribution(user="reader", conversation="conv_1"):
        one = stream("a")
        assert ("a", "reader", "conv_1") == (next(one), user(), current().get("conversation"))
    with audit.attribution(user="other"):
        assert ("a", "other") == (next(one), user())


def test_blocks_inside_of_it_nest():
    """Also those that are entered through a stack, and functions that it calls."""

    def inner():
        with audit.attribution(agent="expert"):
            return user(), current().get("agent")

    def one():
        with contextlib.ExitStack() as stack:
            stack.enter_context(audit.attribution(user="a"))
            yield inner()
            with audit.attribution(user="b"):
                yield inner()
            yield inner()

    read = []
    for told in one():
        read += [told, user()]
    assert [("a", "expert"), None, ("b", "expert"), None, ("a", "expert"), None] == read


def test_delegation_is_not_running():
    """``yield from`` waits for its reader as ``yield`` does."""

    def outer():
        with audit.attribution(user="a"):
            yield from stream("b", 1)
            yield user()

    read = []
    for told in outer():
        read += [told, user()]
    assert ["b", None, "a", None] == read


def test_a_context_manager_holds_for_what_it_manages():
    """Its generator is suspended because the block runs that it is for."""

    @contextlib.contextmanager
    def session(name):
        with audit.attribution(user=name):
            yield

    with session("a"):
        with session("b"):
            assert "b" == user()
        assert "a" == user()
    assert user() is None


def test_async_generators_that_are_read_in_turn_keep_their_own():
    """In one task; and tasks that run inside their block have it."""

    async def look():
        await asyncio.sleep(0)
        return user()

    async def gathering(name):
        with audit.attribution(user=name):
            for _ in range(2):
                yield await asyncio.gather(look(), look(), asyncio.to_thread(user))

    async def main():
        one, two, three = astream("a"), astream("b"), gathering("c")
        read = []
        for _ in range(2):
            read += [await anext(one), user(), await anext(two), user(), await anext(three), user()]
        await one.aclose()
        read.append(await anext(two))
        return read

    with audit_trail():
        assert ["a", None, "b", None, ["c"] * 3, None] * 2 + ["b"] == asyncio.run(main())


def test_async_generators_that_are_left_early_hold_for_nobody():
    """Also while the loop closes them, in a task of its own."""

    async def main():
        async for _ in astream("a"):
            break
        seen = [user(), await asyncio.create_task(told())]
        gc.collect()
        await asyncio.sleep(0)
        return [*seen, user()]

    async def told():
        return user()

    assert [None] * 3 == asyncio.run(main())


def test_each_users_stream_is_read_by_a_task_of_its_own():
    """Many at a time, and none has another's name."""

    async def read(name):
        return {one async for one in astream(name, 20)} | {user()}

    async def main():
        return await asyncio.gather(*(read(f"u{number}") for number in range(20)))

    assert [{f"u{number}", None} for number in range(20)] == asyncio.run(main())


def test_a_generator_that_another_context_reads_on_tells_nothing_wrong():
    """As web servers do, a thread and a copied context for each item."""
    one, read = stream("a"), []

    def step():
        read.append((next(one, None), user()))

    for _ in range(4):
        thread = threading.Thread(target=contextvars.copy_context().run, args=(step,))
        thread.start()
        thread.join()
    assert {("a", None), (None, None)} >= set(read)
    assert NOBODY is current()


def test_a_block_that_is_left_in_another_task_is_left():
    """Without a word of OpenTelemetry's."""
    block = audit.attribution(user="a")

    async def enter():
        block.__enter__()

    async def leave():
        block.__exit__(None, None, None)
        return user()

    async def main():
        await asyncio.create_task(enter())
        return await asyncio.create_task(leave())

    assert asyncio.run(main()) is None


@pytest.mark.parametrize("turn", [3, 3.0, np.int64(3), np.uint8(3), np.float32(3.0), np.array(3)])
def test_a_number_of_any_type_is_a_number(turn):
    """What can be told unambiguously never raises into an agent."""
    with audit.attribution(turn=turn, attempt=turn) as said:
        assert (3, 3, int) == (said.get("turn"), said.get("attempt"), type(said.get("turn")))


@pytest.mark.parametrize("turn", [np.bool_(True), np.float64(3.5), np.array([1, 2]), np.float64("nan"), True])
def test_what_is_no_number_is_refused(turn):
    """A truth value counts nothing, and half a turn is none."""
    with pytest.raises(audit.SettingsError):
        audit.attribution(turn=turn)
