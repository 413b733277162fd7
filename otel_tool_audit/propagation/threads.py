"""
The context through threads and executors, which lose it: ``Thread`` and ``ThreadPoolExecutor.submit`` (so ``run_in_executor``).

Source: ARCHITECTURE.md, R9.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from opentelemetry import context as otel

from otel_tool_audit.propagation.context import carry, current_context, run_in

_lock: Final = threading.Lock()
_originals: Final[dict[str, Callable[..., Any]]] = {}
_users: Final[set[object]] = set()


def propagate(user: object) -> None:
    """
    Carry the context from here on, until every *user* has called :func:`leave_alone`.

    Args:
        user: Who wants it.
    """
    with _lock:
        _users.add(user)
        if _originals:
            return
        _originals["start"], _originals["submit"] = threading.Thread.start, ThreadPoolExecutor.submit
        setattr(threading.Thread, "start", _start(threading.Thread.start))  # noqa: B010 - mypy forbids assigning to a method
        setattr(ThreadPoolExecutor, "submit", _submit(ThreadPoolExecutor.submit))  # noqa: B010 - as above


def leave_alone(user: object) -> None:
    """Undo :func:`propagate`, unless another library has put its own function over ours meanwhile: then ours does nothing."""
    with _lock:
        _users.discard(user)
        if _users or not _originals:
            return
        for owner, name in ((threading.Thread, "start"), (ThreadPoolExecutor, "submit")):
            original = _originals.pop(name)
            if getattr(getattr(owner, name), "__wrapped__", None) is original:
                setattr(owner, name, original)


def _start(original: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    @functools.wraps(original)
    def start(thread: threading.Thread) -> None:
        if _users and current_context():
            # the thread's own attribute, so that subclasses which override run() are covered; taken away when it has run
            setattr(thread, "run", _once(thread, carry(thread.run)))  # noqa: B010 - mypy forbids assigning to a method
        original(thread)

    return start


def _once(thread: threading.Thread, run: Callable[[], None]) -> Callable[[], None]:
    def run_once() -> None:
        try:
            run()
        finally:
            thread.__dict__.pop("run", None)

    return run_once


def _submit(original: Callable[..., Future[Any]]) -> Callable[..., Future[Any]]:
    @functools.wraps(original)
    def submit(pool: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401 - the job's own
        if not _users:
            return original(pool, fn, *args, **kwargs)
        job = _job(fn)
        # a worker thread that this starts outlives the caller: it must not carry his context into other callers' jobs
        leave = run_in(otel.Context())
        try:
            return original(pool, job, *args, **kwargs)
        finally:
            leave()

    return submit


def _job(function: Callable[..., Any]) -> Callable[..., Any]:
    """Bind a job to the context that holds here; unlike :func:`carry`, whatever kind of callable it is."""
    context = current_context()

    def job(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the job's own
        leave = run_in(context)
        try:
            return function(*args, **kwargs)
        finally:
            leave()

    return job
