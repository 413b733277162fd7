"""Senders that know which of their spans were acknowledged, and repeat those that were not, as an SDK does."""

from __future__ import annotations

import itertools
import threading
import time
from typing import Self

from otlp import request, send, span
from running import Program, wait_for


class Load:
    """
    Threads that send spans until they are told to stop.

    Attributes:
        acknowledged: Numbers of the spans that the receiver answered for.
        repeated: Requests that were sent again because nobody answered, or somebody refused.
        statuses: What was answered.
    """

    def __init__(
        self, program: Program, *, name: str = "", token: str = "", threads: int = 4, each: int = 5, first: int = 1, again: bool = True
    ) -> None:
        """Say to whom, how many spans a request, from which number on, and whether to repeat what was not acknowledged."""
        self.acknowledged: set[int] = set()
        self.repeated = 0
        self.statuses: set[int] = set()
        self._to = program
        self._sender = {"name": name, "token": token}
        self._each = each
        self._again = again
        self._numbers = itertools.count(first, each)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]

    def __enter__(self) -> Self:
        """Begin."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, when what is under way is acknowledged or given up."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, more: int) -> None:
        """Go on until so many more spans are acknowledged, however long that takes here."""
        enough = len(self.acknowledged) + more
        wait_for(lambda: len(self.acknowledged) >= enough, f"{len(self.acknowledged)} spans were acknowledged, {enough} were to be")

    def _run(self) -> None:
        while not self._stop.is_set():
            begin = next(self._numbers)
            numbers = range(begin, begin + self._each)
            what = request(*map(span, numbers))
            patience = time.monotonic() + 20
            while True:
                status = send(self._to, what, **self._sender, timeout=5)
                self.statuses.add(status)
                if status == 200:
                    self.acknowledged.update(numbers)
                    break
                if not self._again or (self._stop.is_set() and time.monotonic() > patience):
                    break
                self.repeated += 1
                time.sleep(0.02)
