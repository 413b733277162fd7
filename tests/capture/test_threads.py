"""Attribution through threads, executors and tasks."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import otel_tool_audit as audit
from otel_tool_audit.propagation.context import current
from otel_tool_audit.testing import audit_trail


class Subclass(threading.Thread):
    """A thread that overrides run()."""

    def run(self):
        self.user = current().get("user")


def test_threads_and_executors_keep_the_attribution(trail):
    """Thread, its subclasses, Timer, submit, map and run_in_executor all see who called."""
    seen = {}

    def look(name):
        seen[name] = current().get("user")
        return audit.execute_tool(name, {}, lambda: name)

    async def main():
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, look, "run_in_executor")
        await asyncio.to_thread(look, "to_thread")
        await asyncio.create_task(asyncio.to_thread(look, "task"))

    with audit.attribution(user="usr_1", conversation="conv_1", model="m"), ThreadPoolExecutor(2) as pool:
        threads = [threading.Thread(target=look, args=("thread",)), threading.Timer(0, look, ("timer",)), Subclass()]
        for thread in threads:
            thread.start()
        pool.submit(look, "submit").result()
        list(pool.map(look, ["map"]))
        asyncio.run(main())
        for thread in threads:
            thread.join()
    assert dict.fromkeys(["thread", "timer", "submit", "map", "run_in_executor", "to_thread", "task"], "usr_1") == seen
    assert threads[2].user == "usr_1"
    assert {"usr_1"} == {c["user_id"] for c in trail.calls()}


@pytest.mark.usefixtures("trail")
def test_a_pools_worker_does_not_keep_who_started_it():
    """The next caller's job, and a job without a caller, see nobody else's attribution."""
    with ThreadPoolExecutor(1) as pool:
        with audit.attribution(user="first"):
            assert pool.submit(lambda: current().get("user")).result() == "first"
        assert pool.submit(lambda: current().get("user")).result() is None
        with audit.attribution(user="second"):
            assert pool.submit(lambda: current().get("user")).result() == "second"


def test_shutdown_undoes_it():
    """Afterwards threads are as they were, and a pool that lives on carries nothing."""
    start, submit = threading.Thread.start, ThreadPoolExecutor.submit
    with ThreadPoolExecutor(1) as pool:
        with audit_trail():
            assert threading.Thread.start is not start
            with audit.attribution(user="usr_1"):
                pool.submit(int).result()
        assert (start, submit) == (threading.Thread.start, ThreadPoolExecutor.submit)
        assert pool.submit(lambda: current().get("user")).result() is None


def test_it_can_be_left_off():
    """propagate_threads=False touches nothing."""
    start = threading.Thread.start
    with audit_trail(propagate_threads=False):
        assert threading.Thread.start is start


def test_carry_binds_by_hand():
    """carry() takes the context along where nothing else does, for functions and coroutine functions."""

    async def later():
        await asyncio.sleep(0)
        return current().get("user")

    with audit.attribution(user="usr_1"):
        carried, carried_async = audit.carry(lambda: current().get("user")), audit.carry(later)
    seen = []
    thread = threading.Thread(target=lambda: seen.append(carried()))
    thread.start()
    thread.join()
    assert seen == ["usr_1"]
    assert asyncio.run(carried_async()) == "usr_1"
    assert current().get("user") is None


def test_an_exception_in_a_thread_leaves_the_thread_as_it_was():
    """run() is the thread's own again when it has run."""
    with audit_trail(), audit.attribution(user="usr_1"):
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()
    assert "run" not in vars(thread)
