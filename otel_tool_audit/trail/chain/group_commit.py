"""
Group commit: callers that come while a group is on its way to disk make up the next one.

One caller leads a group for all who wait; when it is done it hands the lead to one of those who came meanwhile. Callers that must not
wait (an event loop, a span processor) never lead; the trail's own thread leads for them.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence

from otel_tool_audit.errors import AuditError, AuditUnavailable
from otel_tool_audit.record.model import Receipt
from otel_tool_audit.trail.chain.chain import LONGEST_GROUP, Chain

Log = Callable[[Sequence[bytes]], None]
"""Tells the logger of lines that are acknowledged; never fails."""

Wake = Callable[["GroupCommit"], None]
"""Asks the trail's thread to lead a group."""

_LONGEST_BYTES = 1 << 20


class _Entry:
    __slots__ = ("abandoned", "error", "future", "lead", "notify", "receipt", "tail", "wait")

    def __init__(self, tail: bytes) -> None:
        self.tail = tail
        self.receipt: Receipt | None = None
        self.error: AuditError | None = None
        self.lead = False
        self.abandoned = False
        self.wait: threading.Lock | None = None
        self.future: asyncio.Future[Receipt] | None = None
        self.notify: Callable[[Receipt | None], None] | None = None


class GroupCommit:
    """The queue in front of one chain."""

    def __init__(self, chain: Chain, log: Log, wake: Wake, *, synced: bool) -> None:
        """
        Make the queue.

        Args:
            chain: Where the groups go.
            log: Hears of acknowledged lines.
            wake: Called, without a lock held, when nobody leads and the next waiting caller cannot.
            synced: Whether acknowledged means on disk.
        """
        self.chain = chain
        self._log = log
        self._wake = wake
        self._synced = synced
        # re-entrant: the collector may end a span, and so hand a record over, in a thread that is in here
        self._mutex = threading.RLock()
        self._queue: deque[_Entry] = deque()
        self._led = False

    def append(self, tail: bytes) -> Receipt:
        """
        Append one record and wait until it is acknowledged.

        Raises:
            AuditUnavailable, TrailTampered: It is not, and will not be.
        """
        if not self._synced and not self._queue:
            # acknowledged by the write itself: there is nothing to share with anybody
            written = self.chain.append((tail,))
            self._log(written.lines)
            return written.receipts[0]
        entry = _Entry(tail)
        with self._mutex:
            self._queue.append(entry)
            lead = not self._led
            if lead:
                self._led = True
            else:
                entry.wait = threading.Lock()
                entry.wait.acquire()
        if entry.wait is not None:
            try:
                entry.wait.acquire()
            except BaseException:
                self._abandon(entry)
                raise
            lead = entry.lead
        if lead:
            self.lead_group()
        if entry.receipt is None:
            raise entry.error or AuditUnavailable("the record was not acknowledged")
        return entry.receipt

    def append_later(self, tail: bytes, loop: asyncio.AbstractEventLoop) -> asyncio.Future[Receipt]:
        """Queue one record; the future is done on *loop* when it is acknowledged or cannot be."""
        entry = _Entry(tail)
        entry.future = loop.create_future()
        self._enqueue(entry)
        return entry.future

    def hand_over(self, tail: bytes, notify: Callable[[Receipt | None], None]) -> None:
        """Queue one record and return; *notify* hears the receipt, or None, on the thread that led the group."""
        entry = _Entry(tail)
        entry.notify = notify
        self._enqueue(entry)

    def waiting(self) -> int:
        """Tell how many records wait for a group."""
        return len(self._queue)

    def _enqueue(self, entry: _Entry) -> None:
        with self._mutex:
            self._queue.append(entry)
            lead = not self._led
            self._led = True
        if lead:
            self._wake(self)

    def lead_group(self) -> None:
        """Take who waits, write them as one group, tell them, and pass the lead on. The caller was given the lead."""
        batch: list[_Entry] = []
        try:
            batch = self._take()
            if batch:
                self._write(batch)
        except AuditError as error:
            for entry in batch:
                entry.error = error
        except BaseException as error:
            # whoever interrupts the leader must not leave the others waiting for ever
            for entry in batch:
                entry.error = AuditUnavailable(f"the thread that was writing the group was interrupted ({type(error).__name__}); call again")
            raise
        finally:
            self._pass_on()
            _tell(batch)

    def _take(self) -> list[_Entry]:
        batch: list[_Entry] = []
        size = 0
        with self._mutex:
            while self._queue and len(batch) < LONGEST_GROUP and size < _LONGEST_BYTES:
                entry = self._queue.popleft()
                size += len(entry.tail)
                batch.append(entry)
        return batch

    def _write(self, batch: list[_Entry]) -> None:
        tails = [entry.tail for entry in batch]
        written = self.chain.commit(tails) if self._synced else self.chain.append(tails)
        for entry, receipt in zip(batch, written.receipts, strict=True):
            entry.receipt = receipt
        self._log(written.lines)

    def _pass_on(self) -> None:
        with self._mutex:
            if not self._queue:
                self._led = False
                return
            heir = self._queue[0]
            if heir.wait is not None and not heir.abandoned:
                heir.lead = True
                heir.wait.release()
                return
        self._wake(self)

    def _abandon(self, entry: _Entry) -> None:
        """A waiting caller was interrupted: it must not keep a lead that it was just given."""
        with self._mutex:
            entry.abandoned = True
            led = entry.lead
        if led:
            self._wake(self)


def _tell(batch: list[_Entry]) -> None:
    loops: dict[asyncio.AbstractEventLoop, list[_Entry]] = {}
    for entry in batch:
        if entry.wait is not None:
            if not entry.lead:
                entry.wait.release()
        elif entry.future is not None:
            loops.setdefault(entry.future.get_loop(), []).append(entry)
        elif entry.notify is not None:
            entry.notify(entry.receipt)
    for loop, entries in loops.items():
        try:
            loop.call_soon_threadsafe(_resolve, entries)
        except RuntimeError:
            # the loop was closed while its record was on its way: it stands, and nobody is left to be told
            continue


def _resolve(entries: list[_Entry]) -> None:
    for entry in entries:
        future = entry.future
        if future is None or future.done():
            continue
        if entry.receipt is not None:
            future.set_result(entry.receipt)
        else:
            future.set_exception(entry.error or AuditUnavailable("the record was not acknowledged"))
