"""
Group commit: what waits in the chain's queue is written and synced as one group, by the chain's own thread.

What is written and synced together is decided here; how a group gets to disk stands in :mod:`~otel_tool_audit.trail.chain.chain`
(``Chain.commit``, ``Chain.make_durable``).

With ``os`` durability a caller appends itself while nobody else does; a trip through another thread costs more than that.

Source: PROTOCOL.md, "In one process".
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence

from otel_tool_audit.errors import AuditError, AuditUnavailable
from otel_tool_audit.record.model import Receipt
from otel_tool_audit.trail.chain.chain import LONGEST_GROUP, Chain, Unsettled
from otel_tool_audit.trail.chain.files import Written
from otel_tool_audit.trail.chain.section import in_a_turn
from otel_tool_audit.trail.record_log import is_logged, log_lines
from otel_tool_audit.trail.worker import PATIENCE, ReentrantCallError, ServingThread, inside

Notify = Callable[[Receipt | None], None]
"""Hears of a record that was handed over: its receipt, or None when it is lost."""

_LONGEST_BYTES = 1 << 20
_CLOSED = "the trail was closed; open it again, or call configure()"


class _Entry:
    """
    A record on its way, or a place in the queue.

    Attributes:
        tail: The record; None marks a place in the queue.
        unsettled: What a caller wrote of it and could not bring to disk.
        receipt: Once it is acknowledged.
        error: Once it is not.
        abandoned: Whether nobody waits for it any more.
        waiting: Held until it is settled, where a thread waits.
        future: Done when it is settled, where a task waits.
        notify: Hears of it, where nobody waits.
    """

    __slots__ = ("abandoned", "error", "future", "notify", "receipt", "tail", "unsettled", "waiting")

    def __init__(self, tail: bytes | None) -> None:
        self.tail = tail
        self.unsettled: Unsettled | None = None
        self.receipt: Receipt | None = None
        self.error: AuditError | None = None
        self.abandoned = False
        self.waiting: threading.Lock | None = None
        self.future: asyncio.Future[Receipt] | None = None
        self.notify: Notify | None = None

    def held(self) -> threading.Lock:
        """Give the lock that is released when it is settled."""
        self.waiting = threading.Lock()
        self.waiting.acquire()
        return self.waiting


class GroupCommit:
    """The queue in front of one chain, and the thread that serves it."""

    def __init__(self, chain: Chain, before: Callable[[], None], callbacks: ServingThread[Callable[[], None]], *, synced: bool) -> None:
        """
        Make the queue, and start the thread.

        Args:
            chain: Where the groups go.
            before: Called before a group is written; what it raises, the group's callers get.
            callbacks: Calls back into the application.
            synced: Whether acknowledged means on disk.
        """
        self.chain = chain
        self._before = before
        self._callbacks = callbacks
        self._synced = synced
        self._closed = False
        # joined and left in one step each; while anything is in there callers queue up behind it
        self._handed_over: set[_Entry] = set()
        self._leader: ServingThread[_Entry] = ServingThread(f"tool-audit-{chain.name}", self._lead, most=LONGEST_GROUP)
        self._leader.start()

    # --- for callers

    def append(self, tail: bytes, *, at_once: bool = True) -> Receipt:
        """
        Append one record and wait until it is acknowledged.

        Args:
            tail: The record, without place.
            at_once: Whether nothing has to be written before it.

        Raises:
            ReentrantCallError: It would wait for this very thread.
            AuditUnavailable, TrailTampered: It is not acknowledged, and will not be.
        """
        self._refuse()
        unsettled = None
        if at_once and not self._handed_over:
            found = self.chain.append_here(tail)
            if isinstance(found, Written):
                log_lines(found.lines)
                return found.receipts[0]
            unsettled = found
        if in_a_turn():
            raise ReentrantCallError
        entry = _Entry(tail)
        entry.unsettled = unsettled
        settled = entry.held()
        self._put(entry)
        if not settled.acquire(timeout=PATIENCE):
            entry.abandoned = True
            raise AuditUnavailable(f"a record of chain {self.chain.name} was not acknowledged within {PATIENCE:g} s; the disk may hang")
        if entry.receipt is None:
            raise entry.error or AuditUnavailable("the record was not acknowledged")
        return entry.receipt

    async def append_async(self, tail: bytes, *, at_once: bool = True) -> Receipt:
        """As :meth:`append`, without holding up the event loop for the disk: a write to the page cache takes microseconds, less than a trip through a thread."""
        self._refuse()
        if at_once and not self._synced and not self._handed_over:
            written = self.chain.append_here(tail)
            if isinstance(written, Written):
                log_lines(written.lines)
                return written.receipts[0]
        if in_a_turn():
            raise ReentrantCallError
        entry = _Entry(tail)
        entry.future = asyncio.get_running_loop().create_future()
        self._put(entry)
        try:
            async with asyncio.timeout(PATIENCE):
                return await entry.future
        except TimeoutError:
            entry.abandoned = True
            raise AuditUnavailable(f"a record of chain {self.chain.name} was not acknowledged within {PATIENCE:g} s; the disk may hang") from None

    def hand_over(self, tail: bytes, notify: Notify) -> None:
        """Queue one record and return; *notify* hears of it in the thread for callbacks."""
        entry = _Entry(tail)
        entry.notify = notify
        # before it is in line: what the same thread appends next stands after it
        self._handed_over.add(entry)
        self._put(entry)

    @property
    def waiting(self) -> int:
        """How many records are not settled."""
        return self._leader.waiting

    def drain(self, patience: float) -> bool:
        """Wait until everything that was queued so far is settled; False when that takes longer than *patience* seconds."""
        if self._leader.mine:
            return False
        place = _Entry(None)
        settled = place.held()
        self._put(place)
        return settled.acquire(timeout=patience)

    def _refuse(self) -> None:
        if inside():
            raise ReentrantCallError
        if self._closed:
            raise AuditUnavailable(_CLOSED)

    def _put(self, entry: _Entry) -> None:
        self._leader.put(entry)
        if self._closed:
            # after the thread's last look, or before it: either is settled
            self._refuse_rest()

    def _refuse_rest(self) -> None:
        rest = self._leader.rest()
        for entry in rest:
            entry.error = AuditUnavailable(_CLOSED)
        self._settle(rest)

    # --- in the trail's own threads

    def write(self, tail: bytes) -> Receipt:
        """Write one record now; for the trail's own threads."""
        return self._logged(self.chain.commit([tail]) if self._synced else self.chain.append([tail]))[0]

    def nudge(self) -> None:
        """Serve what whoever queued it was interrupted to say."""
        self._leader.nudge()

    def stop(self) -> None:
        """Serve what is queued, then end the thread; what comes later is refused."""
        self._leader.stop()
        self._closed = True
        self._refuse_rest()

    def _lead(self, waiting: list[_Entry]) -> None:
        for group in _portions(waiting):
            records = [entry for entry in group if not entry.abandoned]
            try:
                self._serve([entry for entry in records if entry.unsettled is not None], self._settled_again)
                self._serve([entry for entry in records if entry.unsettled is None], self._written)
            finally:
                self._settle(group)
        if self._leader.waiting == len(waiting):
            # nobody else is in line: what is left of those who were interrupted before they joined it
            self._handed_over.clear()

    def _serve(self, group: list[_Entry], work: Callable[[list[_Entry]], list[Receipt]]) -> None:
        tails = [entry for entry in group if entry.tail is not None]
        if not tails:
            return
        try:
            self._before()
            for entry, receipt in zip(tails, work(tails), strict=True):
                entry.receipt = receipt
        except AuditError as error:
            for entry in tails:
                entry.error = error
        except Exception as error:  # noqa: BLE001 - this thread serves others, whatever it was
            for entry in tails:
                entry.error = AuditUnavailable(f"chain {self.chain.name} cannot be written ({type(error).__name__}: {error})")

    def _written(self, group: list[_Entry]) -> list[Receipt]:
        tails = [entry.tail for entry in group if entry.tail is not None]
        return self._logged(self.chain.commit(tails) if self._synced else self.chain.append(tails))

    def _settled_again(self, group: list[_Entry]) -> list[Receipt]:
        return [
            self._logged(self.chain.settle(entry.unsettled, [entry.tail]))[0]
            for entry in group if entry.unsettled is not None and entry.tail is not None
        ]  # fmt: skip

    def _logged(self, written: Written) -> list[Receipt]:
        if is_logged():
            self._callbacks.put(lambda: log_lines(written.lines))
        return written.receipts

    def _settle(self, group: Sequence[_Entry]) -> None:
        """Tell whoever waits; nothing here waits for anybody."""
        loops: dict[asyncio.AbstractEventLoop, list[_Entry]] = {}
        for entry in group:
            if entry.waiting is not None:
                entry.waiting.release()
            elif entry.future is not None:
                loops.setdefault(entry.future.get_loop(), []).append(entry)
            elif entry.notify is not None:
                self._handed_over.discard(entry)
                self._callbacks.put(_call(entry.notify, entry.receipt))
        for loop, entries in loops.items():
            try:
                loop.call_soon_threadsafe(_resolve, entries)
            except RuntimeError:
                # the loop was closed while its record was on its way: it stands, and nobody is left to be told
                continue


def _portions(waiting: Sequence[_Entry]) -> Iterator[list[_Entry]]:
    """Take as many at a time as make one write of a bounded size."""
    group: list[_Entry] = []
    size = 0
    for entry in waiting:
        group.append(entry)
        size += len(entry.tail or b"")
        if size >= _LONGEST_BYTES:
            yield group
            group, size = [], 0
    yield group


def _call(notify: Notify, receipt: Receipt | None) -> Callable[[], None]:
    return lambda: notify(receipt)


def _resolve(entries: list[_Entry]) -> None:
    for entry in entries:
        future = entry.future
        if future is None or future.done():
            continue
        if entry.receipt is not None:
            future.set_result(entry.receipt)
        else:
            future.set_exception(entry.error or AuditUnavailable("the record was not acknowledged"))
