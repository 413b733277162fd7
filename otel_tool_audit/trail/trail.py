"""
The writer: what an application opens, appends calls to, and closes.

Source: ARCHITECTURE.md, D1; PROTOCOL.md; FORMAT.md.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, Self

from otel_tool_audit.errors import AuditError, AuditUnavailable
from otel_tool_audit.format.events import CLOSED, CONFIGURATION_CHANGED, GAP, HEARTBEAT, KEY_ROTATED, OPENED
from otel_tool_audit.format.names import DOCUMENT, TRAIL_CHAIN
from otel_tool_audit.host.system import System
from otel_tool_audit.keys.digest import Key
from otel_tool_audit.policy.retention import GENERAL, check_class
from otel_tool_audit.record.codec import timestamp
from otel_tool_audit.record.model import Receipt, ToolCall
from otel_tool_audit.settings import QUEUE
from otel_tool_audit.trail import lifetimes, session
from otel_tool_audit.trail.chain.group_commit import GroupCommit
from otel_tool_audit.trail.chain.section import in_a_turn
from otel_tool_audit.trail.counters import Counters
from otel_tool_audit.trail.gaps import Gap, Gaps
from otel_tool_audit.trail.session import Session, TrailOptions
from otel_tool_audit.trail.state.key_files import keep_tenant
from otel_tool_audit.trail.worker import PATIENCE, Job, Keeper, ReentrantCallError, ServingThread, inside

_log = logging.getLogger("otel_tool_audit")
LITTLE_SPACE: Final = 0.05
"""Part of the disk that is free below which the log warns."""

_OPENING: Final = 600.0
"""Seconds that opening may take: a trail that this state has never known is verified line by line."""

_CLOSING: Final = 60.0
"""Seconds that closing may take, before the process ends without it."""

Durability = Literal["fsync", "os"]


class Trail:
    """
    An open trail. Safe for threads, tasks and forks; made by :meth:`open`.

    Attributes:
        path: Where it lies, as given.
        counters: What this writer counted since it opened (FORMAT.md, section 6).
    """

    counters: Counters

    def __init__(self, path: str, options: TrailOptions, system: System | None) -> None:
        """Not for applications: use :meth:`open`."""
        self.path = path
        self._options = options
        self._given = system
        self._system = system or System()
        self._closed = self._ended = False
        self._begin()

    def _begin(self) -> None:
        """Make what belongs to one process."""
        self.counters = Counters()
        self._gaps = Gaps()
        self._session: Session | None = None
        self._groups: dict[str, GroupCommit] = {}
        # taken by the trail's own threads only, which nothing interrupts
        self._mutex = threading.RLock()
        self._keeper = Keeper("tool-audit-trail", self._tick)
        self._callbacks: ServingThread[Callable[[], None]] = ServingThread("tool-audit-callbacks", self._call_back)
        self._heartbeat_due = 0.0
        self._appended = False

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        state: str | os.PathLike[str] | None = None,
        service: str | None = None,
        durability: Durability = "fsync",
        segment_bytes: int = 64 << 20,
        segment_seconds: float = 86_400.0,
        heartbeat_seconds: float = 60.0,
        group: str | None = None,
        append_only_flag: bool = False,
        pseudonym_key: str | None = None,
        queue_size: int = QUEUE,
        system: System | None = None,
    ) -> Trail:
        """
        Open the trail at *path* for writing; make it if nothing is there.

        Args:
            path: The trail's directory.
            state: The state directory, or ``none``; by default as ``OTEL_TOOL_AUDIT_STATE`` and the XDG convention say.
            service: What ``service.name`` is; recorded in every record.
            durability: ``fsync``: acknowledged means on disk; ``os``: it survives this process, not the host.
            segment_bytes: Size at which a segment is left for a new one, in bytes.
            segment_seconds: Age at which it is, in seconds.
            heartbeat_seconds: How often the counters are recorded if something happened since, in seconds.
            group: A group that may read the trail (modes 0640 and 0750).
            append_only_flag: Set the file system's append-only attribute on segments, where the host allows it.
            pseudonym_key: Secret of pseudonyms and digests; by default as ``OTEL_TOOL_AUDIT_PSEUDONYM_KEY`` says, else from the state directory.
            queue_size: Records that may wait after :meth:`submit`.
            system: The system calls; tests hand in others.

        Raises:
            SettingsError: A setting, the path or the state directory cannot be used.
            TrailTampered: The files contradict what the state remembers.
            TrailCorrupt: Something lies there that is no trail.
            UnsupportedFormat: The trail was made by a newer version.
            AuditUnavailable: Locked, or the disk does not take what must be written.
        """
        options = session.check_options(TrailOptions(
            state=None if state is None else os.fspath(state), service=service, durability=durability, segment_bytes=segment_bytes,
            segment_seconds=segment_seconds, heartbeat_seconds=heartbeat_seconds, group=group, append_only_flag=append_only_flag,
            pseudonym_key=pseudonym_key, queue_size=queue_size,
        ))  # fmt: skip
        trail = cls(os.fspath(path), options, system)
        lifetimes.watch(trail)
        try:
            trail._opened()
            return trail
        except BaseException:
            # interrupted here, the thread that opens it goes on; nobody else would close it
            trail.close()
            raise

    # --- what it is

    @property
    def trail_id(self) -> str:
        """The trail's id, 32 hex digits."""
        return self._opened().document.trail_id

    @property
    def writer(self) -> str:
        """Which open of the trail this is, 32 hex digits; new after a fork."""
        return self._opened().writer

    @property
    def state(self) -> str:
        """The path of the state directory."""
        return self._opened().state.path

    @property
    def keys(self) -> tuple[Key, ...]:
        """The keys of pseudonyms and digests, the current one first; empty when there is none."""
        return self._opened().keys

    def keep_tenant(self, tenant: str) -> None:
        """
        Have the state directory know whose values become pseudonyms, so that readers find them.

        Raises:
            SettingsError: What it knows cannot be read.
            AuditUnavailable: It cannot be written.
        """
        if tenant:
            self._keeper.run(lambda: self._keep_tenant(tenant))

    def _keep_tenant(self, tenant: str) -> None:
        state = self._open().state
        try:
            with state.locked():
                keep_tenant(state, tenant)
        except OSError as error:
            raise AuditUnavailable(
                f"the state directory {state.path} cannot be written ({error.strerror or error}); mend that and try again"
            ) from error

    @property
    def service(self) -> str | None:
        """The service's name."""
        return self._options.service

    @property
    def durability(self) -> str:
        """``fsync`` or ``os``."""
        return self._options.durability

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    # --- appending

    def append(self, event: str, call: ToolCall) -> Receipt:
        """
        Append an event of a call and return when it is acknowledged.

        Args:
            event: One of ``CALL_EVENTS``.
            call: Sanitized, JSON-safe values; its ``retention_class`` names the chain.

        Raises:
            AuditUnavailable: It is not durable. The tool must not run.
            TrailTampered: The files contradict the head; nothing more is appended.
        """
        chain = call["retention_class"]
        group = self._groups.get(chain) or self._group(chain)
        return group.append((self._session or self._opened()).call_tail(event, call), at_once=not self._gaps.owed)

    async def append_async(self, event: str, call: ToolCall) -> Receipt:
        """As :meth:`append`, without holding up the event loop for the disk."""
        chain = call["retention_class"]
        group = self._groups.get(chain) or self._group(chain)
        return await group.append_async((self._session or self._opened()).call_tail(event, call), at_once=not self._gaps.owed)

    def submit(self, event: str, call: ToolCall, done: Callable[[Receipt | None], None]) -> bool:
        """
        Hand an event over and return at once.

        Args:
            event: One of ``CALL_EVENTS``.
            call: As for :meth:`append`.
            done: Called on one of the trail's threads with the receipt, or with None when the record was lost; it must not raise.

        Returns:
            False when too many wait already: the record is counted as lost, and *done* is not called.
        """
        chain = call["retention_class"]

        def notify(receipt: Receipt | None) -> None:
            if receipt is None:
                self.lost(calls=1, records=1, reason="the trail could not be written", chain=chain)
            done(receipt)

        if sum(group.waiting for group in list(self._groups.values())) >= self._options.queue_size:
            self.lost(calls=1, records=1, reason="the queue of handed-over records is full", chain=chain)
            return False
        try:
            opened = self._session
            if opened is None and not self._reenters():
                # opened before this returns: a process that is gone the next moment leaves a writer that was never closed, which readers see
                opened = self._opened()
            group = self._groups.get(chain)
            if group is not None and opened is not None:
                group.hand_over(opened.call_tail(event, call), notify)
            else:
                self._submit_first(event, call.copy(), notify)
        except AuditError as error:
            self.lost(calls=1, records=1, reason=str(error), chain=chain)
            return False
        return True

    def _submit_first(self, event: str, call: ToolCall, notify: Callable[[Receipt | None], None]) -> None:
        """Hand over what needs a chain that is not there yet: whoever hands over does not wait for it to be made."""
        self._refuse_closed()

        def hand_over() -> None:
            try:
                group = self._make_group(call["retention_class"])
                group.hand_over(self._open().call_tail(event, call), notify)
            except AuditError:
                self._callbacks.put(lambda: notify(None))

        self._keeper.put(Job(hand_over))

    def lost(self, *, calls: int = 0, records: int = 0, reason: str, chain: str = GENERAL) -> None:
        """
        Count what could not be written; ``trail.gap`` tells it as soon as the trail can be written again.

        Args:
            calls: Calls of which nothing, or not the outcome, is on record.
            records: Records that could not be written.
            reason: Why, in words.
            chain: Where they belonged.
        """
        self.counters.add("lost", records)
        # not while it is being closed: then the gap is still told
        late = self._closed
        first = self._gaps.add(chain, self._now(), calls, records, reason)
        (_log.error if first else _log.debug)("%d record(s) of %d call(s) could not be written to %s: %s", records, calls, self.path, reason)
        if late:
            self._tell_late()

    def again(self) -> Trail:
        """
        Open the trail once more, as it was opened: for what comes after it was closed. What is owed is told first.

        Returns:
            A writer of its own; whoever asked for it closes it.

        Raises:
            AuditError: It cannot be opened, or is no longer there: nothing is made anew for what comes late.
        """
        if not os.path.exists(os.path.join(self.path, DOCUMENT)):
            raise AuditUnavailable(f"the trail {self.path} was closed, and is no longer there")
        trail = Trail.open(self.path, **self._options._asdict(), system=self._given)
        try:
            trail._owe(self._gaps)  # noqa: SLF001 - another one of our own
        except BaseException:
            trail.close()
            raise
        return trail

    def _owe(self, gaps: Gaps) -> None:
        """Record what another writer owed."""

        def told(gap: Gap) -> None:
            self.counters.add("lost", gap.records)
            self._record(GAP, gap.details(), gap.chain)

        self._keeper.run(lambda: gaps.pay(told))

    def _tell_late(self) -> None:
        try:
            self.again().close()
        except (AuditError, OSError) as error:
            _log.error("what was lost after the trail %s was closed is not on record: %s", self.path, error)

    def check(self) -> None:
        """
        Find out whether the trail can be written now, and write what is owed.

        Raises:
            AuditUnavailable, TrailTampered: It cannot.
        """
        self._refuse_reentry()
        self._keeper.run(self._check)

    def _check(self) -> None:
        self._make_group(TRAIL_CHAIN).chain.sync()
        self._pay_gaps()

    def flush(self, timeout: float = 30.0) -> bool:
        """
        Wait until everything that was handed over is acknowledged, and whoever wanted to hear of it has.

        Args:
            timeout: Seconds to wait.

        Returns:
            Whether it is.
        """
        end = self._system.monotonic() + timeout

        def left() -> float:
            return max(0.0, end - self._system.monotonic())

        if self._keeper.running:
            try:
                self._keeper.run(_nothing, timeout)
            except AuditUnavailable:
                return False
        if not all(group.drain(left()) for group in list(self._groups.values())):
            return False
        return self._told(left())

    def _told(self, patience: float) -> bool:
        """Wait until whoever wanted to hear of a receipt has."""
        if self._callbacks.mine or not self._callbacks.running:
            return True
        told = Job(_nothing)
        self._callbacks.put(told)
        return told.wait(patience)

    def tell(self, event: str, details: Mapping[str, Any], chain: str = TRAIL_CHAIN) -> Receipt:
        """
        Append an event of the trail's own life.

        Args:
            event: Such as ``trail.configuration_changed``.
            details: JSON-safe values.
            chain: Where it belongs (PROTOCOL.md, rule 11).
        """
        group = self._groups.get(chain) or self._group(chain)
        return group.append(self._opened().trail_tail(event, details), at_once=not self._gaps.owed)

    # --- the session: what belongs to this process and this opening

    def _opened(self) -> Session:
        """Give the session, opened first if need be; for any thread."""
        current = self._session
        if current is not None:
            return current
        self._refuse_closed()
        self._refuse_reentry()
        return self._keeper.run(self._open, _OPENING)

    def _group(self, chain: str) -> GroupCommit:
        """Give the queue of a chain, made first if need be; for any thread."""
        self._refuse_closed()
        self._refuse_reentry()
        return self._keeper.run(lambda: self._make_group(chain), _OPENING)

    def _refuse_closed(self) -> None:
        if self._closed:
            raise AuditUnavailable(f"the trail {self.path} was closed; open it again, or call configure()")

    def _refuse_reentry(self) -> None:
        if self._reenters():
            raise ReentrantCallError

    def _reenters(self) -> bool:
        """Whether this is code within the recorder, which does not wait for the trail's threads: they might wait for it."""
        return inside() or in_a_turn()

    # --- what follows runs in the trail's own threads

    def _open(self) -> Session:
        with self._mutex:
            if self._session is not None:
                return self._session
            self._refuse_closed()
            opened = session.open_session(self._given, self.path, self._options)
            self._session = opened
            try:
                self._introduce(opened)
            except BaseException:
                self._session = None
                self._groups = {}
                opened.close()
                raise
            self._heartbeat_due = self._system.monotonic() + self._options.heartbeat_seconds
            return opened

    def _make_group(self, chain: str) -> GroupCommit:
        with self._mutex:
            opened = self._open()
            group = self._groups.get(chain)
            if group is None:
                if chain not in opened.chains:
                    opened.create_chain(check_class(chain))
                group = GroupCommit(opened.chains[chain], self._pay_gaps, self._callbacks, synced=self._options.durability == "fsync")
                self._groups[chain] = group
            return group

    def _record(self, event: str, details: Mapping[str, Any], chain: str = TRAIL_CHAIN) -> None:
        self._make_group(chain).write(self._open().trail_tail(event, details))

    def _introduce(self, opened: Session) -> None:
        """Record who opened the trail, before anything else of this writer."""
        self._record(OPENED, session.introduction(opened.system, self.path, opened, self._options))
        for key in opened.new_keys:
            self._record(KEY_ROTATED, {"kind": "pseudonym", "id": key})
        if opened.moved_from is not None:
            self._record(CONFIGURATION_CHANGED, {"kind": "moved", "id": opened.document.trail_id, "from": opened.moved_from, "to": self.path})

    def _now(self) -> str:
        return timestamp(self._system.now())

    def _pay_gaps(self) -> None:
        """Record what was lost, before anything new: no call is accepted while a gap is owed."""
        if self._gaps.owed:
            self._gaps.pay(lambda gap: self._record(GAP, gap.details(), gap.chain))

    def tick(self) -> None:
        """Do what is due in the background now: sync what was appended, pay gaps, seal, beat the heart. Never raises."""
        self._keeper.run(self._tick)

    def _tick(self) -> None:
        current = self._session
        if current is None or self._closed:
            return
        for group in list(self._groups.values()):
            group.nudge()
        dirty = [chain for chain in list(current.chains.values()) if chain.dirty or chain.broken]
        # each by itself: one that cannot be synced keeps no other from being mended and synced
        for chain in dirty:
            self._in_background(chain.sync)
            self._in_background(chain.seal_old)
        self._appended = self._appended or any(chain.name != TRAIL_CHAIN for chain in dirty)
        self._in_background(self._pay_gaps)
        if self._appended and self._system.monotonic() >= self._heartbeat_due:
            self._appended = False
            self._heartbeat_due = self._system.monotonic() + self._options.heartbeat_seconds
            self._in_background(lambda: self._record(HEARTBEAT, self._standing(current)))
            self._in_background(lambda: self._warn_of_full_disk(current))

    def _in_background(self, work: Callable[[], object]) -> None:
        try:
            work()
        except (AuditError, OSError) as error:
            _log.warning("the trail %s cannot be kept in order in the background: %s", self.path, error)

    def _warn_of_full_disk(self, current: Session) -> None:
        free = self._system.free(current.root.fd)
        if free < LITTLE_SPACE:
            _log.warning("the disk of the trail %s is %.1f %% free; at 0 tools are refused: make room", self.path, free * 100)

    def _standing(self, current: Session) -> dict[str, Any]:
        heads: dict[str, Any] = {}
        for name, chain in sorted(current.chains.items()):
            synced = chain.synced()
            heads[name] = {"count": synced.lines, "hash": synced.hash.hex()}
        return {"writer": current.writer, "counters": self.counters.snapshot(), "heads": heads}

    # --- the end

    def close(self) -> None:
        """
        Write what is owed, record the counters, sync everything; mark the chains clean if no other writer lives.

        A second call does nothing. If the disk fails here the error is logged: the trail stays as after a crash, and verifies as such.
        """
        if self._ended:
            return
        if self._reenters():
            # it would wait for itself; the trail's thread closes as soon as this one goes on
            self._keeper.put(Job(self._close))
        elif self._keeper.running:
            try:
                self._keeper.run(self._close, _CLOSING)
            except AuditUnavailable as error:
                _log.error("the trail %s was not closed: %s", self.path, error)
        else:
            self._close()

    def _close(self) -> None:
        if self._ended:
            return
        self.flush()
        for group in self._groups.values():
            group.stop()
        # what those were told who came last may be a loss, which belongs on record before the end
        self._told(PATIENCE)
        self._closed = True
        current, self._session, self._groups = self._session, None, {}
        lifetimes.forget(self)
        try:
            if current is not None:
                self._say_goodbye(current)
        except (AuditError, OSError) as error:
            _log.error("the trail %s was not closed cleanly: %s", self.path, error)
        finally:
            if current is not None:
                current.close()
            self._ended = True
            self._callbacks.stop()
            self._keeper.stop()

    def _say_goodbye(self, current: Session) -> None:
        self._gaps.pay(
            lambda gap: current.chains[gap.chain if gap.chain in current.chains else TRAIL_CHAIN].commit([current.trail_tail(GAP, gap.details())])
        )
        for chain in current.chains.values():
            chain.sync()
            chain.seal_old()
        current.chains[TRAIL_CHAIN].commit([current.trail_tail(CLOSED, self._standing(current))])
        current.mark_clean_if_last()

    def _call_back(self, told: list[Callable[[], None]]) -> None:
        for tell in told:
            try:
                tell()
            except Exception:  # noqa: BLE001 - whatever it was; the record stands, and this thread serves others
                _log.exception("what should follow a receipt failed; the record stands")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def after_fork(self) -> None:
        """In a fork's child: nothing that the parent holds is ours; the next append opens the trail again, as a writer of its own."""
        abandoned = self._session
        self._begin()
        if abandoned is not None:
            abandoned.abandon()


def _nothing() -> None: ...
