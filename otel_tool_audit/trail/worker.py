"""
The trail's own threads: what must not be interrupted runs there, and callers wait.

Python runs signal handlers in the main thread only, so nothing takes away from these threads what they hold.

Source: PROTOCOL.md, "In one process", 1 and 4.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import queue
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from types import MethodType
from typing import Any, Final, Generic, TypeVar, cast

from otel_tool_audit.errors import AuditUnavailable

_log = logging.getLogger("otel_tool_audit")
R = TypeVar("R")
T = TypeVar("T")

PATIENCE: Final = 30.0
"""Seconds that a caller waits for one of the trail's threads: as long as a disk may take that does not hang."""

_LOOK: Final = 1.0
"""Seconds after which a waiting caller looks whether the thread still runs."""

_STOP: Final[Any] = object()
_inside: Final[ContextVar[bool]] = ContextVar("tool_audit_inside", default=False)


class ReentrantCallError(AuditUnavailable):
    """A tool was called from inside of the recorder, in a thread that would have to wait for itself."""

    def __init__(self) -> None:
        super().__init__(
            "the tool was called from inside of the recorder: by a signal handler, a finalizer, an audit hook or a logging handler that ran in the "
            "middle of another call's record. That thread would wait for itself; let such code set a flag or fill a queue, and call tools elsewhere"
        )


def inside() -> bool:
    """Tell whether this is one of the trail's own threads, or code that the recorder calls."""
    return _inside.get()


def call_inside(work: Callable[..., None], *args: object) -> None:
    """Call code of the application's from the recorder. The mark goes with the copied context, however that code ends."""
    copy_context().run(_call_marked, work, *args)


def _call_marked(work: Callable[..., None], *args: object) -> None:
    _inside.set(True)
    work(*args)


class Job(Generic[R]):
    """Work for another thread, done once, and what came of it. One thread waits for it."""

    def __init__(self, work: Callable[[], R]) -> None:
        self._work: Callable[[], R] | None = work
        self._result: R | None = None
        self._error: BaseException | None = None
        # no Event: its lines run in the waiting thread, under a lock that the other one needs
        self._pending = threading.Lock()
        self._pending.acquire()

    def __call__(self) -> None:
        """Do it; a second time does nothing."""
        work, self._work = self._work, None
        if work is None:
            return
        try:
            self._result = work()
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits
            self._error = error
        finally:
            self._pending.release()

    def wait(self, seconds: float) -> bool:
        """Wait until it is done; False when that takes longer."""
        return self._pending.acquire(timeout=seconds)

    def result(self) -> R:
        """Return what it returned, or raise what it raised."""
        if self._error is not None:
            raise self._error
        return cast("R", self._result)


class ServingThread(Generic[T]):
    """
    One daemon thread that serves what is put to it, in order. It keeps its owner alive no longer than a turn takes.

    Where no thread can be started any more, because the interpreter is going down,
    whoever puts something serves it.
    """

    def __init__(
        self, name: str, serve: Callable[[list[T]], None], *, most: int = 1, tick: Callable[[], None] | None = None, seconds: float = 1.0
    ) -> None:
        """
        Make it; :meth:`start` starts it.

        Args:
            name: The thread's.
            serve: Method of the owner; must not raise.
            most: How many items it is given at once.
            tick: Method of the owner that is called every so often; must not raise.
            seconds: How often, in seconds.
        """
        self._name = name
        self._most = most
        self._line: deque[T] = deque()
        self._wake: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._serve = weakref.WeakMethod(serve)
        self._tick = None if tick is None else weakref.WeakMethod(tick)
        self._seconds = seconds
        self._threads: dict[str, threading.Thread] = {}
        self._busy = 0
        self._stopped = False
        # no function of ours, which could be interrupted: put() is called with the reference as the argument that it ignores
        self._owner = weakref.ref(cast("MethodType", serve).__self__, functools.partial(self._wake.put, _STOP))

    @property
    def mine(self) -> bool:
        """Whether this is its thread."""
        thread = self._threads.get(self._name)
        return thread is not None and thread.ident == threading.get_ident()

    @property
    def running(self) -> bool:
        """Whether the thread runs."""
        thread = self._threads.get(self._name)
        return thread is not None and thread.is_alive()

    @property
    def waiting(self) -> int:
        """How many items are not done."""
        return len(self._line) + self._busy

    def start(self) -> bool:
        """Start the thread if it does not run; False when it cannot."""
        thread = self._threads.get(self._name)
        if thread is None:
            made = threading.Thread(target=self._run, name=self._name, daemon=True)
            # one step of the interpreter: of two callers one wins
            thread = self._threads.setdefault(self._name, made)
        if self._stopped or sys.is_finalizing():
            return False
        if not thread.is_alive():
            try:
                thread.start()
            except RuntimeError:
                # somebody else started it just now; or no thread starts any more
                return thread.is_alive()
        return True

    def put(self, item: T) -> None:
        """Have *item* served. Joining the line is one step of the interpreter: interrupted after it, the item waits for the next one, or for :meth:`nudge`."""
        if self.start():
            self._line.append(item)
            self._wake.put(None)
        elif self._stopped:
            self._line.append(item)
        elif (serve := self._serve()) is not None:
            serve([item])

    def nudge(self) -> None:
        """Have what waits served: whoever put it last may have been interrupted before it said so."""
        if self._line and self.start():
            self._wake.put(None)

    def rest(self) -> list[T]:
        """Take what nobody serves any more, after :meth:`stop`."""
        taken: list[T] = []
        with contextlib.suppress(IndexError):
            while True:
                taken.append(self._line.popleft())
        return taken

    def _run(self) -> None:
        _inside.set(True)
        due = time.monotonic() + self._seconds
        while True:
            try:
                woken = self._wake.get(timeout=None if self._tick is None else max(0.0, due - time.monotonic()))
            except queue.Empty:
                woken = None
            if not self._serve_line() or woken is _STOP:
                return
            if self._tick is not None and time.monotonic() >= due:
                tick = self._tick()
                if tick is None:
                    return
                tick()
                # a frame that keeps it would keep the owner
                del tick
                due = time.monotonic() + self._seconds

    def _serve_line(self) -> bool:
        """Serve what waits; False when the owner is gone."""
        serve = self._serve()
        if serve is None:
            return False
        while items := self._taken():
            self._busy = len(items)
            try:
                serve(items)
            except Exception:  # noqa: BLE001 - whatever it was: who is next in line must not wait for a thread that has ended
                _log.exception("the trail's thread %s failed at something that may not fail", self._name)
            self._busy = 0
        return True

    def _taken(self) -> list[T]:
        items: list[T] = []
        with contextlib.suppress(IndexError):
            while len(items) < self._most:
                items.append(self._line.popleft())
        return items

    @property
    def stopped(self) -> bool:
        """Whether nothing is served any more."""
        return self._stopped

    def stop(self, patience: float = PATIENCE) -> None:
        """End the thread after what was put so far; wait for that unless this is the thread itself."""
        self._stopped = True
        thread = self._threads.get(self._name)
        if thread is not None and thread.is_alive():
            self._wake.put(_STOP)
            if not self.mine:
                thread.join(patience)


class Keeper:
    """The worker that opens, closes and keeps a trail in order, one job at a time."""

    def __init__(self, name: str, tick: Callable[[], None]) -> None:
        """Make it; *tick* is called every second."""
        self._worker: ServingThread[Job[Any]] = ServingThread(name, self._do, tick=tick)

    def _do(self, jobs: list[Job[Any]]) -> None:
        for job in jobs:
            job()

    @property
    def running(self) -> bool:
        """Whether its thread runs."""
        return self._worker.running

    def put(self, job: Job[Any]) -> None:
        """Have a job done."""
        self._worker.put(job)

    def stop(self) -> None:
        """End the thread after what was put so far."""
        self._worker.stop()

    def run(self, work: Callable[[], R], patience: float = PATIENCE) -> R:
        """
        Have work done and wait for it.

        Raises:
            AuditUnavailable: It took longer than *patience* seconds.
            BaseException: What *work* raised.
        """
        job = Job(work)
        if self._worker.mine or self._worker.stopped:
            job()
            return job.result()
        end = time.monotonic() + patience
        self.put(job)
        while not job.wait(min(_LOOK, max(0.0, end - time.monotonic()))):
            if not self._worker.start():
                # it was stopped meanwhile
                job()
            elif time.monotonic() >= end:
                raise AuditUnavailable(f"the trail's own thread has been busy for {patience:g} s; the disk may hang, or a lock is held elsewhere")
        return job.result()
