"""
The writer: what an application opens, appends calls to, and closes.

Source: ARCHITECTURE.md; PROTOCOL.md; FORMAT.md.
"""

from __future__ import annotations

import asyncio
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
from otel_tool_audit.trail.background import Background
from otel_tool_audit.trail.chain.group_commit import GroupCommit
from otel_tool_audit.trail.counters import Counters
from otel_tool_audit.trail.gaps import Gap, Gaps
from otel_tool_audit.trail.record_log import log_lines
from otel_tool_audit.trail.session import Session, TrailOptions
from otel_tool_audit.trail.state.key_files import keep_tenant

_log = logging.getLogger("otel_tool_audit")
LITTLE_SPACE: Final = 0.05
"""Part of the disk that is free below which the log warns."""

Durability = Literal["fsync", "os"]


class Trail:
    """
    An open trail. Safe for threads, tasks and forks; made by :meth:`open`.

    Attributes:
        path: Where it lies, as given.
        counters: What this writer counted since it opened (FORMAT.md, section 6).
    """

    def __init__(self, path: str, options: TrailOptions, system: System) -> None:
        """Not for applications: use :meth:`open`."""
        self.path = path
        self.counters = Counters()
        self._options = options
        self._system = system
        self._mutex = threading.RLock()
        self._handing = threading.RLock()
        self._session: Session | None = None
        self._groups: dict[str, GroupCommit] = {}
        self._closing = self._closed = False
        self._gaps = Gaps()
        self._background = Background(self)
        self._heartbeat_due = 0.0
        self._handed_over = 0
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
        trail = cls(os.fspath(path), options, system or System())
        trail._opened()
        lifetimes.watch(trail)
        return trail

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
        if not tenant:
            return
        state = self._opened().state
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
        if self._gaps.owed:
            self._write_gaps()
        return group.append(self._opened().call_tail(event, call))

    async def append_async(self, event: str, call: ToolCall) -> Receipt:
        """As :meth:`append`, without holding up the event loop for the disk."""
        group = self._group(call["retention_class"])
        if self._gaps.owed:
            self._write_gaps()
        tail = self._opened().call_tail(event, call)
        if self._options.durability == "os":
            # a write to the page cache takes microseconds: a trip through another thread costs more
            return group.append(tail)
        return await group.append_later(tail, asyncio.get_running_loop())

    def submit(self, event: str, call: ToolCall, done: Callable[[Receipt | None], None]) -> bool:
        """
        Hand an event over and return at once.

        Args:
            event: One of ``CALL_EVENTS``.
            call: As for :meth:`append`.
            done: Called on the trail's thread with the receipt, or with None when the record was lost; it must not raise.

        Returns:
            False when too many wait already: the record is counted as lost, and *done* is not called.
        """
        if self._handed_over >= self._options.queue_size:
            self.lost(calls=1, records=1, reason="the queue of handed-over records is full", chain=call["retention_class"])
            return False

        def notify(receipt: Receipt | None) -> None:
            with self._handing:
                self._handed_over -= 1
            if receipt is None:
                self.lost(calls=1, records=1, reason="the trail could not be written", chain=call["retention_class"])
            try:
                done(receipt)
            except Exception:  # noqa: BLE001 - whatever it was; the record stands, and this thread serves others
                _log.exception("what should follow a receipt failed; the record stands")

        try:
            group = self._group(call["retention_class"])
            tail = self._opened().call_tail(event, call)
        except AuditError as error:
            self.lost(calls=1, records=1, reason=str(error), chain=call["retention_class"])
            return False
        with self._handing:
            self._handed_over += 1
        group.hand_over(tail, notify)
        return True

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
        trail = Trail.open(self.path, **self._options._asdict(), system=self._system)

        def told(gap: Gap) -> None:
            trail.counters.add("lost", gap.records)
            trail.tell(GAP, gap.details(), gap.chain)

        try:
            self._gaps.pay(told)
        except BaseException:
            trail.close()
            raise
        return trail

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
        self._group(TRAIL_CHAIN).chain.sync()
        self._write_gaps()

    def flush(self, timeout: float = 30.0) -> bool:
        """
        Wait until everything that was handed over is acknowledged.

        Args:
            timeout: Seconds to wait.

        Returns:
            Whether it is.
        """
        deadline = self._system.monotonic() + timeout
        idle = threading.Event()
        while self._handed_over:
            if self._system.monotonic() >= deadline:
                return False
            idle.wait(0.002)
        return True

    def tell(self, event: str, details: Mapping[str, Any], chain: str = TRAIL_CHAIN) -> Receipt:
        """
        Append an event of the trail's own life.

        Args:
            event: Such as ``trail.configuration_changed``.
            details: JSON-safe values.
            chain: Where it belongs (PROTOCOL.md, rule 11).
        """
        group = self._group(chain)
        return group.append(self._opened().trail_tail(event, details))

    # --- the session: what belongs to this process and this opening

    def _opened(self) -> Session:
        current = self._session
        if current is not None:
            return current
        with self._mutex:
            if self._session is not None:
                return self._session
            if self._closed:
                raise AuditUnavailable(f"the trail {self.path} was closed; open it again, or call configure()")
            opened = session.open_session(self._system, self.path, self._options)
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

    def _introduce(self, opened: Session) -> None:
        """Record who opened the trail, before anything else of this writer."""
        self.tell(OPENED, session.introduction(self._system, self.path, opened, self._options))
        for key in opened.new_keys:
            self.tell(KEY_ROTATED, {"kind": "pseudonym", "id": key})
        if opened.moved_from is not None:
            self.tell(CONFIGURATION_CHANGED, {"kind": "moved", "id": opened.document.trail_id, "from": opened.moved_from, "to": self.path})

    def _group(self, chain: str) -> GroupCommit:
        group = self._groups.get(chain)
        if group is not None:
            return group
        with self._mutex:
            opened = self._opened()
            if chain not in self._groups:
                if chain not in opened.chains:
                    opened.create_chain(check_class(chain))
                self._groups[chain] = GroupCommit(opened.chains[chain], log_lines, self._background.lead, synced=self._options.durability == "fsync")
                self._background.start()
            return self._groups[chain]

    def _now(self) -> str:
        return timestamp(self._system.now())

    # --- gaps, heartbeats, background

    def _write_gaps(self) -> None:
        """Record what was lost, before anything new: no call is accepted while a gap is owed."""
        self._gaps.pay(lambda gap: self.tell(GAP, gap.details(), gap.chain))

    def tick(self) -> None:
        """Do what is due in the background: sync what was appended, pay gaps, seal, beat the heart. Never raises."""
        current = self._session
        if current is None or self._closed:
            return
        try:
            dirty = [chain for chain in list(current.chains.values()) if chain.dirty]
            for chain in dirty:
                chain.sync()
                chain.seal_old()
            self._appended = self._appended or any(chain.name != TRAIL_CHAIN for chain in dirty)
            self._write_gaps()
            if self._appended and self._system.monotonic() >= self._heartbeat_due:
                self._appended = False
                self._heartbeat_due = self._system.monotonic() + self._options.heartbeat_seconds
                self.tell(HEARTBEAT, self._standing(current))
                self._warn_of_full_disk(current)
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
        with self._mutex:
            if self._closing:
                return
            self._closing = True
        # not under the mutex: the thread that is waited for may need it
        self.flush()
        self._background.stop()
        with self._mutex:
            self._closed = True
            current, self._session, self._groups = self._session, None, {}
        lifetimes.forget(self)
        if current is None:
            return
        try:
            self._say_goodbye(current)
        except (AuditError, OSError) as error:
            _log.error("the trail %s was not closed cleanly: %s", self.path, error)
        finally:
            current.close()

    def _say_goodbye(self, current: Session) -> None:
        for gap in self._gaps.take_all():
            current.chains[gap.chain if gap.chain in current.chains else TRAIL_CHAIN].commit([current.trail_tail(GAP, gap.details())])
        for chain in current.chains.values():
            chain.sync()
            chain.seal_old()
        current.chains[TRAIL_CHAIN].commit([current.trail_tail(CLOSED, self._standing(current))])
        current.mark_clean_if_last()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def after_fork(self) -> None:
        """In a fork's child: nothing that the parent holds is ours; the next append opens the trail again, as a writer of its own."""
        abandoned, self._session = self._session, None
        self._mutex = threading.RLock()
        self._handing = threading.RLock()
        self.counters = Counters()
        self._groups = {}
        self._gaps = Gaps()
        self._background = Background(self)
        self._handed_over = 0
        if abandoned is not None:
            abandoned.abandon()
