"""Greenlets carry the context as threads do; gevent's classes may not be changed, and a process that has loaded it is configured all the same."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("gevent")

STORY = """
import gevent, gevent.pool, gevent.threadpool
from otel_tool_audit.propagation import threads
from otel_tool_audit.propagation.context import attribution, current

threads.propagate("us")


def user(_=None):
    gevent.sleep(0.001)
    return current().get("user")


many, pool = gevent.pool.Pool(2), gevent.threadpool.ThreadPool(1)
for name in ("a", "b"):
    with attribution(user=name):
        told = [gevent.spawn(user).get(), gevent.spawn_later(0.001, user).get(), many.spawn(user).get(), pool.spawn(user).get(), pool.apply(user)]
        told += [*many.map(user, [1]), *many.imap(user, [1]), *many.imap_unordered(user, [1]), many.apply_async(user).get()]
        assert {name} == set(told), told
assert [None] * 3 == [gevent.spawn(user).get(), many.spawn(user).get(), pool.spawn(user).get()]
threads.leave_alone("us")
with attribution(user="a"):
    assert gevent.spawn(user).get() is None
"""


def test_greenlets_and_their_pools_carry_the_context():
    """Those of a block are the block's, later ones nobody's; in a process of its own, because gevent changes what it is loaded into."""
    done = subprocess.run([sys.executable, "-c", STORY], capture_output=True, encoding="utf-8", check=False, timeout=60)
    assert (0, "") == (done.returncode, done.stderr)
