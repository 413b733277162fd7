"""
How fast records reach the trail, against bare loops of the same system calls in the same run.

Run with ``pytest -m benchmark -s tests/benchmarks/test_append.py``. Ratios decide; absolute figures belong to the machine that is printed.
"""

from __future__ import annotations

import asyncio
import fcntl
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import threading
import time

import pytest

from otel_tool_audit.format.events import STARTED
from otel_tool_audit.record.model import new_call
from otel_tool_audit.trail.trail import Trail

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]
LINE = b"x" * 830 + b"\n"


def a_call():
    call = new_call(os.urandom(16).hex(), "get_order", "2100-01-01T00:00:00.000000Z")
    call["arguments"] = {"order_id": "ORD-123", "reason": "damaged"}
    return call


def say(*rows):
    print(f"\n{platform.node()}, {os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()} {platform.release()}")
    for name, figure, unit, against in rows:
        print(f"  {name:58s} {figure:12,.0f} {unit:10s} {against}")


def rate(work, number, rounds=5):
    """Median of operations a second."""
    rates = []
    for _ in range(rounds):
        begun = time.perf_counter()
        for _ in range(number):
            work()
        rates.append(number / (time.perf_counter() - begun))
    return statistics.median(rates)


def bare_append(path):
    fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)

    def work():
        fcntl.flock(fd, fcntl.LOCK_EX)
        os.write(fd, LINE)
        fcntl.flock(fd, fcntl.LOCK_UN)

    return work


def test_one_process_appends(tmp_path):
    """Encoding, hashing, and naming the write before and after it cost at most some ten bare locked writes."""
    bare = rate(bare_append(tmp_path / "bare"), 20_000)
    call = a_call()
    with Trail.open(tmp_path / "trail", durability="os") as trail:
        ours = rate(lambda: trail.append(STARTED, call), 10_000, 7)
    say(("bare flock + write", bare, "records/s", ""), ("append, os, one process", ours, "records/s", f"{ours / bare:.2f} of bare"))
    assert ours > bare / 12


def _bare_worker(path, number, go):
    work = bare_append(path)
    go.wait()
    for _ in range(number):
        work()


def _our_worker(path, number, go):
    call = a_call()
    with Trail.open(path, durability="os") as trail:
        trail.append(STARTED, call)
        go.wait()
        for _ in range(number):
            trail.append(STARTED, call)
        go.wait()


def _together(target, path, number, barriers):
    context = multiprocessing.get_context("fork")
    go = context.Barrier(3)
    workers = [context.Process(target=target, args=(path, number, go)) for _ in range(2)]
    for worker in workers:
        worker.start()
    go.wait()
    begun = time.perf_counter()
    if barriers > 1:
        go.wait()
        spent = time.perf_counter() - begun
    for worker in workers:
        worker.join()
    if barriers == 1:
        spent = time.perf_counter() - begun
    assert [w.exitcode for w in workers] == [0, 0]
    return 2 * number / spent


def test_two_processes_on_one_chain(tmp_path):
    """Two processes share a chain without starving each other: together they write about as much as one alone."""
    bare = statistics.median(_together(_bare_worker, tmp_path / f"bare{n}", 30_000, 1) for n in range(3))
    ours = statistics.median(_together(_our_worker, tmp_path / f"trail{n}", 20_000, 2) for n in range(3))
    say(
        ("bare flock + write, two processes together", bare, "records/s", ""),
        ("append, os, two processes together", ours, "records/s", f"{ours / bare:.2f} of bare (aim 0.6)"),
    )
    assert ours > bare / 16


def test_synced_appends(tmp_path):
    """A caller that waits for the disk waits at most twice as long as for a bare write and fdatasync; many callers share a sync."""
    fd = os.open(tmp_path / "bare", os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)

    def bare():
        os.write(fd, LINE)
        os.fdatasync(fd)

    def bare_group():
        os.write(fd, LINE * 64)
        os.fdatasync(fd)

    call = a_call()
    with Trail.open(tmp_path / "trail") as trail:
        alone, ours = [], []
        for _ in range(5):
            alone.append(rate(bare, 200, 1))
            ours.append(rate(lambda: trail.append(STARTED, call), 200, 1))
        group = rate(bare_group, 200)
        tasks = statistics.median(_tasks(trail, call) for _ in range(5))
        threads = statistics.median(_threads(trail, call) for _ in range(5))
    one, bare_one = statistics.median(ours), statistics.median(alone)
    say(
        ("bare write + fdatasync, one line", bare_one, "syncs/s", ""),
        ("append, fsync, one caller", one, "records/s", f"{one / bare_one:.2f} of bare (aim 0.5)"),
        ("bare write + fdatasync, 64 lines", group, "syncs/s", f"{64 * group:,.0f} lines/s"),
        ("append, fsync, 64 tasks", tasks, "records/s", f"{tasks / (64 * group):.2f} of 64 a sync (aim 0.5)"),
        ("append, fsync, 64 threads", threads, "records/s", f"{threads / (64 * group):.2f} of 64 a sync (aim 0.25)"),
    )
    assert one > bare_one / 3
    assert tasks > 3 * one
    assert threads > 2 * one


def _tasks(trail, call, each=40):
    async def one():
        for _ in range(each):
            await trail.append_async(STARTED, call)

    async def all_of_them():
        begun = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(64)))
        return 64 * each / (time.perf_counter() - begun)

    return asyncio.run(all_of_them())


def _threads(trail, call, each=40):
    def one():
        for _ in range(each):
            trail.append(STARTED, call)

    threads = [threading.Thread(target=one) for _ in range(64)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return 64 * each / (time.perf_counter() - begun)


GROWTH = """
import os, resource, sys, time
from otel_tool_audit.format.events import STARTED
from otel_tool_audit.record.model import new_call
from otel_tool_audit.trail.trail import Trail
call = new_call("0" * 32, "get_order", "2100-01-01T00:00:00.000000Z")
call["arguments"] = {"order_id": "ORD-123", "reason": "damaged"}
with Trail.open(sys.argv[1], durability="os") as trail:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.perf_counter()
    for _ in range(int(sys.argv[2])):
        trail.append(STARTED, call)
    spent = time.perf_counter() - begun
print(spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_record_costs_the_same_however_many_there_are(tmp_path):
    """Time a record and the writer's memory do not grow from ten thousand to a million records."""
    rows, costs, memory = [], [], []
    for number in (10_000, 100_000, 1_000_000):
        told = subprocess.run([sys.executable, "-c", GROWTH, str(tmp_path / str(number)), str(number)], check=True, capture_output=True, text=True)
        spent, grown = map(float, told.stdout.split())
        costs.append(spent / number)
        memory.append(grown / 1024)
        rows.append((f"{number:,} records", spent / number * 1e9, "ns each", f"memory grew by {grown / 1024:.1f} MiB"))
    say(*rows)
    assert costs[-1] < 2 * costs[0]
    assert memory[-1] < 64
