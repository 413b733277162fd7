"""
The context through threads, executors, process pools and greenlets, which lose it or keep another caller's.

A thread or process that is started for one piece of work carries the context of whoever started it. One that works for many, of a pool, carries
nobody's: each piece of work carries its own.

Source: ARCHITECTURE.md, R9.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing.pool import Pool
from multiprocessing.process import BaseProcess
from typing import Any, Final

from opentelemetry import context as otel

from otel_tool_audit.propagation.context import carry, current_context, run_in
from otel_tool_audit.propagation.processes import carried

_lock: Final = threading.Lock()
_originals: Final[list[tuple[Any, str, Callable[..., Any]]]] = []
_users: Final[set[object]] = set()

Function = Callable[..., Any]


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
        for owner, name, wrapped in _wrappers():
            original = getattr(owner, name, None)
            if original is None:
                continue
            # another version of a library may not have it, or not let it be changed: its work is then recorded for nobody
            with contextlib.suppress(TypeError, AttributeError):
                setattr(owner, name, wrapped(original))
                _originals.append((owner, name, original))


def leave_alone(user: object) -> None:
    """Undo :func:`propagate`, unless another library has put its own function over ours meanwhile: then ours does nothing."""
    with _lock:
        _users.discard(user)
        if _users or not _originals:
            return
        for owner, name, original in _originals:
            if getattr(getattr(owner, name), "__wrapped__", None) is original:
                setattr(owner, name, original)
        _originals.clear()


def _wrappers() -> list[tuple[Any, str, Callable[[Function], Function]]]:
    found: list[tuple[Any, str, Callable[[Function], Function]]] = [
        (threading.Thread, "start", _start), (ThreadPoolExecutor, "submit", functools.partial(_submit, _job)),
        (ProcessPoolExecutor, "submit", functools.partial(_submit, carried)), (BaseProcess, "start", _start_process), (Pool, "__init__", _for_nobody),
    ]  # fmt: skip
    found += [(Pool, name, _with_job) for name in ("apply_async", "_map_async", "imap", "imap_unordered")]
    gevent, pools, threads = (sys.modules.get(name) for name in ("gevent", "gevent.pool", "gevent.threadpool"))
    if gevent is not None:
        # the class itself cannot be changed: who took these functions before, or makes a Greenlet by hand, uses carry()
        found += [(gevent, "spawn", functools.partial(_spawn, 0)), (gevent, "spawn_later", functools.partial(_spawn, 1))]
    if pools is not None:
        found.append((pools.Group, "spawn", functools.partial(_spawn, 1)))
        found += [
            (pools.GroupMappingMixin, name, functools.partial(_spawn, 1))
            for name in ("apply_async", "apply", "map", "map_async", "imap", "imap_unordered")
        ]
    if threads is not None:
        found.append((threads.ThreadPool, "spawn", functools.partial(_submit, _job)))
    return found


def _start(original: Function) -> Function:
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


def _submit(bind: Callable[[Function], Function], original: Function) -> Function:
    @functools.wraps(original)
    def submit(pool: Any, fn: Function, /, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - a pool, and the job's own
        if not _users:
            return original(pool, fn, *args, **kwargs)
        job = bind(fn)
        # a worker that this starts outlives the caller: it must not carry his context into other callers' jobs
        leave = run_in(otel.Context())
        try:
            return original(pool, job, *args, **kwargs)
        finally:
            leave()

    return submit


def _with_job(original: Function) -> Function:
    """Let a function that a pool of processes is given, by whatever method, carry the context of whoever gave it."""

    @functools.wraps(original)
    def give(pool: Any, func: Function, /, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - a pool, and the job's own
        return original(pool, carried(func) if _users else func, *args, **kwargs)

    return give


def _for_nobody(original: Function) -> Function:
    """Let what starts workers, and threads that start more of them, run without anybody's context."""

    @functools.wraps(original)
    def made(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the original's own
        leave = run_in(otel.Context())
        try:
            return original(*args, **kwargs)
        finally:
            leave()

    return made


def _start_process(original: Function) -> Function:
    @functools.wraps(original)
    def start(process: Any) -> None:  # noqa: ANN401 - a process; what it runs has no public name
        target = getattr(process, "_target", None)
        if _users and target is not None:
            process._target = carried(target)  # noqa: SLF001 - as above
        try:
            original(process)
        finally:
            # the child has a copy, and start() has taken it away here: where it did not, it is the application's again
            if vars(process).get("_target") is not None:
                process._target = target  # noqa: SLF001 - as above

    return start


def _spawn(at: int, original: Function) -> Function:
    """Let a function that is to run in a greenlet carry the context; it stands at that place among the arguments."""

    @functools.wraps(original)
    def spawn(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the original's own
        if _users and len(args) > at and callable(args[at]) and not isinstance(args[at], type):
            args = (*args[:at], _job(args[at]), *args[at + 1 :])
        return original(*args, **kwargs)

    return spawn


def _job(function: Function) -> Function:
    """Bind a job to the context that holds here; unlike :func:`carry`, whatever kind of callable it is."""
    context = current_context()

    def job(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the job's own
        leave = run_in(context)
        try:
            return function(*args, **kwargs)
        finally:
            leave()

    return job
