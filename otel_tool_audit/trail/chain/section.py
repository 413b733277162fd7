"""
The section of a chain that one thread at a time is in, and that no exception can leave taken.

Source: PROTOCOL.md, "In one process", 2; Python reference, "Generator-iterator methods" (ValueError when the generator is executing already).
"""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from types import FrameType, GeneratorType
from typing import Any, Final, Generic, TypeVar, cast

from otel_tool_audit.errors import AuditUnavailable

Q = TypeVar("Q")

_LOOK: Final = 0.01
"""Seconds after which whoever waits looks again: the one who left may have been interrupted before it told anybody."""

_HOLD: Final = object()


class Section(Generic[Q]):
    """
    Callers take turns in it; the trail's own threads hold it.

    A lock is taken by one line and given back by another, and an exception that a signal handler raises can come between any two. A generator needs no line for
    that: while it runs, the interpreter lets nobody run it, and when an exception leaves it, it has ended. So "taken" is never wrong, and "broken off" is seen.
    """

    def __init__(self, name: str, turn: Callable[[bytes], Q | None], mend: Callable[[], None]) -> None:
        """
        Make it, free.

        Args:
            name: What it guards, for messages.
            turn: What a caller does in it; None when that is not for callers. It raises only what breaks the turn off.
            mend: Called before anybody enters after a turn that was broken off.
        """
        self._name = name
        self._turn = turn
        self._mend = mend
        # these belong to the trail's own threads, which nothing interrupts
        self._held = False
        self._reserved = 0
        self._mending = threading.Lock()
        # in the order in which they came: one that holds it again and again would keep another out
        self._waiting: deque[queue.SimpleQueue[None]] = deque()
        self._turns = self._ready()

    def _ready(self) -> GeneratorType[Any, Any, None]:
        turns = self._each()
        next(turns)
        return cast("GeneratorType[Any, Any, None]", turns)

    def _each(self) -> Generator[Any, Any, None]:
        answer: object = None
        while True:
            asked = yield answer
            if self._held:
                answer = None
            elif asked is _HOLD:
                self._held = True
                answer = True
            else:
                answer = self._turn(asked)

    @property
    def broken(self) -> bool:
        """Whether a turn was broken off, and nobody has mended since."""
        return self._turns.gi_frame is None

    def take_turn(self, data: bytes) -> Q | None:
        """Take a turn, in any thread; None when somebody else is in, waits, or was interrupted in there."""
        turns = self._turns
        if self._waiting or self._reserved or turns.gi_running:
            return None
        try:
            answer: Q | None = turns.send(data)
        except StopIteration:
            return None
        except ValueError:
            if turns.gi_frame is None:
                # it came from the turn itself
                raise
            return None
        self._wake()
        return answer

    @contextlib.contextmanager
    def reserved(self) -> Iterator[None]:
        """Let no caller take a turn meanwhile, in the trail's own thread that leads."""
        self._reserved += 1
        try:
            yield
        finally:
            self._reserved -= 1

    @contextlib.contextmanager
    def held(self, patience: float) -> Iterator[None]:
        """
        Hold it, in one of the trail's own threads; before callers that come later.

        Args:
            patience: Seconds to wait for whoever is in.

        Raises:
            AuditUnavailable: It was taken all that time.
        """
        if self._waiting or not self._take():
            self._wait(patience)
        try:
            yield
        finally:
            self._held = False
            self._wake()

    def _wait(self, patience: float) -> None:
        end = time.monotonic() + patience
        woken: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._waiting.append(woken)
        try:
            while self._waiting[0] is not woken or not self._take():
                left = end - time.monotonic()
                if left <= 0:
                    raise AuditUnavailable(f"{self._name} is held by another thread for {patience:g} s; the disk may hang")
                with contextlib.suppress(queue.Empty):
                    woken.get(timeout=min(_LOOK, left))
        finally:
            self._waiting.remove(woken)

    def _wake(self) -> None:
        if self._waiting:
            with contextlib.suppress(IndexError):
                self._waiting[0].put(None)

    def _take(self) -> bool:
        turns = self._turns
        if turns.gi_frame is None:
            with self._mending:
                if self._turns is turns:
                    self._mend()
                    self._turns = self._ready()
            turns = self._turns
        try:
            return not turns.gi_running and turns.send(_HOLD) is True
        except StopIteration:
            return False
        except ValueError:
            return False

    def close(self) -> None:
        """Let go of the generator, which refers back to its owner. Nobody is in, and nobody comes any more."""
        self._turns.close()


def in_a_turn() -> bool:
    """Tell whether this thread is in a turn of any section, and so might wait for itself."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - CPython's way to see the own stack
    while frame is not None:
        if frame.f_code is _TURN:
            return True
        frame = frame.f_back
    return False


_TURN: Final = Section._each.__code__  # noqa: SLF001 - of this module
