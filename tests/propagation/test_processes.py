"""Work that other processes do is recorded on behalf of whoever gave it, or of nobody."""

from __future__ import annotations

import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor

import pytest

import otel_tool_audit as audit
from otel_tool_audit.propagation.context import current
from otel_tool_audit.propagation.processes import CarriedJob, carried
from otel_tool_audit.testing import audit_trail

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="writers run on Linux")
FORK = multiprocessing.get_context("fork")
USERS = ["a", "b", "c", None]


@pytest.fixture
def trail():
    with audit_trail() as recorded:
        yield recorded


@audit.tool
def look(number):
    return {"id": number}


def work(number):
    look(number)
    return current().get("user")


def told(_=None):
    said = current()
    return said.get("user"), dict(said.metadata)


def as_user(name):
    return audit.attribution(user=name) if name is not None else audit.attribution()


def test_each_job_of_a_pool_of_processes_is_its_submitters(trail):
    """Workers are forked once, in the first submitter's block, and work for everybody."""
    with ProcessPoolExecutor(1, mp_context=FORK) as pool:
        jobs = []
        for number, name in enumerate(USERS):
            with as_user(name):
                jobs.append(pool.submit(work, number))
        with as_user("d"):
            mapped = pool.map(work, [8, 9])
        assert [*USERS, "d", "d"] == [*(job.result() for job in jobs), *mapped]
    recorded = {call["arguments"]["number"]: call["user_id"] for call in trail.calls(tool="look")}
    assert {0: "a", 1: "b", 2: "c", 3: "unknown", 8: "d", 9: "d"} == recorded


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_each_job_of_a_multiprocessing_pool_is_its_submitters(trail, method):
    """However it is given out, also where the pool was made in a block."""
    with as_user("maker"), multiprocessing.get_context(method).Pool(1, maxtasksperchild=2) as pool:
        with as_user("a"):
            assert [("a", {})] * 2 == pool.map(told, [1, 2])
            assert ("a", {}) == pool.apply(told)
        with as_user("b"):
            assert [("b", {})] * 2 == pool.starmap(told, [(1,), (2,)])
            assert [("b", {})] == list(pool.imap(told, [1]))
            assert [("b", {})] == list(pool.imap_unordered(told, [1]))
        assert ("maker", {}) == pool.apply_async(told).get()
    with FORK.Pool(1) as pool:
        assert (None, {}) == pool.apply(told)


def test_a_fork_works_for_nobody(trail):
    """What held where it was made says nothing of what it does; nor does it come back when a block is left there."""
    read, write = os.pipe()
    with as_user("a"):
        try:
            with as_user("b"):
                child = os.fork()
                if not child:
                    seen = [current().get("user")]
        finally:
            if not child:
                seen.append(current().get("user"))
        if not child:
            with as_user("c"):
                seen.append(current().get("user"))
            seen.append(current().get("user"))
            os.write(write, repr(seen).encode())
            os._exit(0)
        os.waitpid(child, 0)
        assert repr([None, None, "c", None]) == os.read(read, 1000).decode()
        assert "a" == current().get("user")


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_process_for_one_piece_of_work_is_its_starters(trail, method):
    """As a thread is."""
    context = multiprocessing.get_context(method)
    queue = context.SimpleQueue()
    with audit.attribution(user="a", shop="x"):
        process = context.Process(target=put, args=(queue,))
        process.start()
    assert ("a", {"shop": "x"}) == queue.get()
    process.join()
    assert 0 == process.exitcode


def put(queue):
    queue.put(told())


def test_what_cannot_be_sent_stays_behind():
    """A job is run all the same, by whoever is known."""
    with audit.attribution(user="a", callback=lambda: None):
        job = carried(told)
    assert isinstance(job, CarriedJob)
    assert ("a", {}) == job()
    with audit.attribution(user=lambda: None):
        assert told is carried(told)
    assert told is carried(told)
