"""
Work for all cores: jobs are done by helper processes, and their answers come back in order.

The helpers are separate programs, not forks: a process that has threads, locks or half an agent in it can be verified from within.
They inherit the trail's directory as a descriptor and open what they read as carefully as the reader does.

Source: ARCHITECTURE.md, R16.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pickle
import signal
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import IO, Any, ClassVar, Final, Self, TypeVar

from otel_tool_audit.review.source.directory import Folder

_AHEAD: Final = 4
AnyJob = TypeVar("AnyJob", bound=tuple[Any, ...])

_LENGTH: Final = struct.Struct("<Q")


class Worker:
    """
    Does jobs of one kind in this process; each kind of work has a class of its own. Keeps the last segment open.

    Attributes:
        job: What it is given to do.
    """

    job: ClassVar[Callable[..., Any]]

    def __init__(self, root: Folder) -> None:
        self._root = root
        self._open: tuple[str, str, int] | None = None

    def close(self) -> None:
        """Close the segment it has open."""
        if self._open is not None:
            os.close(self._open[2])
            self._open = None

    def do(self, job: Any) -> Any:  # noqa: ANN401 - what kind of job and answer, the kind of worker says
        """
        Do one job.

        Args:
            job: Of the kind that ``job`` makes.

        Raises:
            UnsafeFileError: The file is not what it was.
            FileNotFoundError: It is not there any more.
            TrailUnreadable: It could not be read.
        """
        raise NotImplementedError

    def _descriptor(self, chain: str, name: str) -> int:
        if self._open is None or self._open[:2] != (chain, name):
            self.close()
            with self._root.folder(chain) as folder:
                self._open = (chain, name, folder.file(name))
        return self._open[2]


class _Helper:
    """One helper process and the pipes to it. Used by one thread at a time."""

    def __init__(self, root: Folder, worker: type[Worker]) -> None:
        place = (worker.__module__, worker.__name__)
        arguments = [sys.executable, "-I", "-c", _PROGRAM, str(root.descriptor), root.path, *place, *(p or os.getcwd() for p in sys.path)]
        self.process = subprocess.Popen(  # noqa: S603 - this very interpreter, with fixed arguments
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=(root.descriptor,), close_fds=True,
        )  # fmt: skip

    def do(self, job: Any) -> Any:  # noqa: ANN401 - what Worker.do takes and gives
        assert self.process.stdin is not None  # noqa: S101 - it was asked for
        assert self.process.stdout is not None  # noqa: S101 - it was asked for
        send(self.process.stdin, tuple(job))
        answer = receive(self.process.stdout)
        if answer is None:
            raise EOFError
        return answer[0]

    def close(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


class Pool:
    """Does jobs, in helper processes when there is enough to do."""

    def __init__(self, root: Folder, jobs: int, worker: type[Worker]) -> None:
        """
        Make a pool.

        Args:
            root: The trail's directory; stays the caller's.
            jobs: How many helper processes; below 2 there is none.
            worker: Who does the jobs, here or in a helper.
        """
        self._root = root
        self._kind = worker
        self._worker = worker(root)
        self._threads = ThreadPoolExecutor(jobs) if jobs > 1 and sys.executable and os.name == "posix" else None
        self._jobs = jobs
        self._helpers: SimpleQueue[_Helper] = SimpleQueue()
        self._started: list[_Helper] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)
        for helper in self._started:
            helper.close()
        self._worker.close()

    def imap(self, jobs: Iterable[AnyJob]) -> Iterator[tuple[AnyJob, Any]]:
        """Do all jobs; the answers come in the order of the jobs, and only a few are ahead of the one that is waited for."""
        if self._threads is None or not (self._started or self._start()):
            for job in jobs:
                yield job, self._worker.do(job)
            return
        # In the order of the jobs, whoever is done first: what comes out must not depend on how quick a core was. And only a few ahead,
        # or a slow consumer would have the answers of the whole trail in memory.
        waiting: deque[tuple[AnyJob, Future[Any]]] = deque()
        for job in jobs:
            waiting.append((job, self._submit(self._threads, job)))
            if len(waiting) >= _AHEAD * self._jobs:
                first, answer = waiting.popleft()
                yield first, self._answer(first, answer)
        while waiting:
            first, answer = waiting.popleft()
            yield first, self._answer(first, answer)

    def _start(self) -> bool:
        """Start the helpers, or as many as the host allows; whether there is one."""
        with contextlib.suppress(OSError):
            for _ in range(self._jobs):
                helper = _Helper(self._root, self._kind)
                self._started.append(helper)
                self._helpers.put(helper)
        return bool(self._started)

    def _submit(self, threads: ThreadPoolExecutor, job: Any) -> Future[Any]:  # noqa: ANN401 - as Worker.do
        try:
            return threads.submit(self._by_helper, job)
        except RuntimeError:
            # the host gives no more threads: the job is done here, when its answer is wanted
            undone: Future[Any] = Future()
            undone.set_exception(EOFError())
            return undone

    def _by_helper(self, job: Any) -> Any:  # noqa: ANN401 - as Worker.do
        # taken out while it works: its pipes carry one job at a time
        helper = self._helpers.get()
        try:
            return helper.do(job)
        finally:
            self._helpers.put(helper)

    def _answer(self, job: Any, answer: Future[Any]) -> Any:  # noqa: ANN401 - as Worker.do
        try:
            return answer.result()
        except (OSError, EOFError):
            # the helper is gone (killed for memory, say): the work is done all the same
            return self._worker.do(job)


def send(pipe: IO[bytes], value: object) -> None:
    """Write one value to a pipe."""
    data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    pipe.write(_LENGTH.pack(len(data)) + data)
    pipe.flush()


def receive(pipe: IO[bytes]) -> Any:  # noqa: ANN401 - whatever was sent
    """Read one value from a pipe; None at its end."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    data = pipe.read(_LENGTH.unpack(head)[0])
    return pickle.loads(data)  # noqa: S301 - from our own helper, through a pipe nobody else has


_PROGRAM: Final = (
    "import sys; sys.path[:] = sys.argv[5:]; from otel_tool_audit.review.source.workers import serve; serve(int(sys.argv[1]), *sys.argv[2:5])"
)


def serve(descriptor: int, path: str, module: str, worker: str) -> None:
    """
    Be a helper: do the jobs that come in, until no more come.

    Args:
        descriptor: The trail's directory, inherited.
        path: Where it lies, for messages.
        module: Where the worker's class is.
        worker: Its name.
    """
    # an interrupt at the terminal is the caller's to handle: it closes the pipe
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # what is parsed holds no cycles; looking for some in all of it would take a third of the time
    gc.disable()
    kind: type[Worker] = getattr(importlib.import_module(module), worker)
    working = kind(Folder(descriptor, path))
    asked, answered = sys.stdin.buffer, sys.stdout.buffer
    while (job := receive(asked)) is not None:
        try:
            answer = working.do(kind.job(*job))
        except Exception:  # noqa: BLE001 - the caller does the job itself and sees what is wrong
            return
        send(answered, (answer,))
