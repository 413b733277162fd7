"""Other libraries attach and detach contexts around an attribution, and not always in order."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry import context as otel

import otel_tool_audit as audit
from otel_tool_audit.propagation.context import NOBODY, carry, current
from otel_tool_audit.propagation.header import AttributionHeader
from otel_tool_audit.testing import audit_trail


@pytest.fixture
def trail():
    with audit_trail() as recorded:
        yield recorded


async def dependency(user):
    """Say who the user is, as a web framework's dependency does."""
    with audit.attribution(user=user, conversation="conv_1", model="m"):
        yield


async def request(tracer, user, endpoint):
    """Serve as FastAPI does: a span around the dependencies, which ends before the endpoint runs; they are left when the answer is sent."""
    async with contextlib.AsyncExitStack() as stack:
        with tracer.start_as_current_span("dependencies"):
            await stack.enter_async_context(contextlib.asynccontextmanager(dependency)(user))
        with tracer.start_as_current_span("endpoint"):
            await endpoint(tracer, user)


@audit.tool
def look(user):
    return {"id": user}


async def serving(tracer, user):
    look(user)
    await asyncio.to_thread(look, user)
    thread = threading.Thread(target=look, args=(user,))
    thread.start()
    thread.join()
    await asyncio.gather(asyncio.create_task(asyncio.to_thread(carry(look), user)))
    with tracer.start_as_current_span("execute_tool find") as span:
        span.set_attributes(
            {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "find", "gen_ai.tool.call.arguments": f'{{"user": "{user}"}}'}
        )


def test_what_a_dependency_says_holds_for_the_request(trail):
    """Although the span that was around it put an older context back: in tools, threads, tasks and other instrumentations' spans, side by side."""

    async def main():
        tracer = trail.audit.provider.get_tracer("web")
        await asyncio.gather(*(request(tracer, f"usr_{number}", serving) for number in range(3)))
        assert current() is NOBODY
        look("nobody")

    asyncio.run(main())
    told = [(call["user_id"], call["arguments"]["user"]) for call in trail.calls()]
    assert sorted([(f"usr_{number}",) * 2 for number in range(3)] * 5 + [("unknown", "nobody")]) == sorted(told)


def test_leaving_puts_nothing_old_back():
    """When somebody else has restored the context already, it stays as it is."""
    before = otel.get_current()
    token = otel.attach(otel.set_value("span", 1))
    block = audit.attribution(user="usr_1")
    block.__enter__()
    otel.detach(token)
    assert "usr_1" == current().get("user")
    block.__exit__(None, None, None)
    assert otel.get_current() is before
    assert current() is NOBODY


def test_a_context_that_says_who_acts_beats_the_block_around():
    """A callback that was bound elsewhere, and an incoming header: each brings its own."""
    bound = {}
    with audit.attribution(user="usr_2"):
        bound["two"] = carry(lambda: current().get("user"))
    bound["nobody"] = carry(lambda: current().get("user"))
    carrier = {}
    header = AttributionHeader(("a-key-that-both-sides-share",))
    with audit.attribution(user="usr_3"):
        header.inject(carrier)
    with audit.attribution(user="usr_1"):
        assert ("usr_2", None, "usr_1") == (bound["two"](), bound["nobody"](), current().get("user"))
        token = otel.attach(header.extract(carrier))
        assert "usr_3" == current().get("user")
        otel.detach(token)


def test_pools_do_not_pass_one_callers_attribution_to_another(trail):
    """A worker thread that was started inside a block serves the next caller without it."""
    with ThreadPoolExecutor(1) as pool:
        with audit.attribution(user="usr_1"):
            assert "usr_1" == pool.submit(lambda: current().get("user")).result()
        assert pool.submit(current).result() is NOBODY


def test_a_block_that_is_left_in_another_thread_is_left(caplog):
    """As sync dependencies of web frameworks are: nothing is raised, nothing logged."""
    block = audit.attribution(user="usr_1")
    contextvars.copy_context().run(block.__enter__)
    thread = threading.Thread(target=block.__exit__, args=(None, None, None))
    thread.start()
    thread.join()
    assert "" == caplog.text
    assert current() is NOBODY
