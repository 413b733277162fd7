"""
One opening of a trail by one process: its state, its directory, its chains, its own lock.

Source: PROTOCOL.md, "Files", "Protocol" (Open, Close); rule 11.
"""

from __future__ import annotations

import contextlib
import grp
import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

import orjson

from otel_tool_audit import settings
from otel_tool_audit.errors import AuditUnavailable, SettingsError
from otel_tool_audit.format.document import TrailDocument
from otel_tool_audit.format.events import CHAIN_CREATED
from otel_tool_audit.format.names import OWNER, OWNER_LOCK, PRIVATE_STATE, TRAIL_CHAIN, genesis
from otel_tool_audit.format.vouching import NO_SALT
from otel_tool_audit.host.directory import Modes, make_directories, refuse_network
from otel_tool_audit.host.quick import quickest
from otel_tool_audit.host.system import System
from otel_tool_audit.keys.digest import Key, keyed_digest
from otel_tool_audit.record.codec import call_tail, timestamp, trail_tail
from otel_tool_audit.record.model import ToolCall
from otel_tool_audit.trail.chain.chain import Chain, Others, Rotation, create_chain_directory, create_head
from otel_tool_audit.trail.chain.files import ChainFiles, os_flag
from otel_tool_audit.trail.state import opening
from otel_tool_audit.trail.state.directory import State
from otel_tool_audit.trail.state.key_files import given_key, state_keys


class TrailOptions(NamedTuple):
    """What :meth:`Trail.open` was told; the meaning of each stands there."""

    state: str | None
    service: str | None
    durability: str
    segment_bytes: int
    segment_seconds: float
    heartbeat_seconds: float
    group: str | None
    append_only_flag: bool
    pseudonym_key: str | None
    queue_size: int


def check_options(options: TrailOptions) -> TrailOptions:
    """
    Check settings before anything is touched.

    Raises:
        SettingsError: One of them cannot be used; the message names its variable.
    """
    if options.durability not in {"fsync", "os"}:
        raise SettingsError(f"durability is {options.durability!r} (OTEL_TOOL_AUDIT_DURABILITY): use 'fsync' or 'os'")
    if os.name == "nt":
        raise SettingsError("a trail cannot be written on Windows, only read: its locks and syncs do not exist there")
    for name in ("segment_bytes", "segment_seconds", "heartbeat_seconds", "queue_size"):
        if not getattr(options, name) > 0:
            raise SettingsError(f"{name} is {getattr(options, name)!r} (OTEL_TOOL_AUDIT_{name.upper()}): use a number above 0")
    return options


class Session:
    """What belongs to this process and this opening. Not shared over a fork."""

    def __init__(self, state: State, found: opening.Discovery, writer: str, options: TrailOptions) -> None:
        self.state = state
        self.system = state.system
        self.root = found.root
        self.document: TrailDocument = found.document
        self.absent = found.absent
        self.moved_from = found.moved_from
        self.writer = writer
        self.options = options
        self.chains: dict[str, Chain] = {}
        self.keys: tuple[Key, ...] = ()
        self.new_keys: list[str] = []
        self.writer_fd = -1
        self.owner_fds: list[int] = []
        self._service = orjson.dumps(options.service)
        self._heads = state.heads(found.document.trail_id)

    def digest(self, data: bytes) -> str | None:
        """Digest what has to be cut from a record, with the current key; None without one."""
        return keyed_digest(self.keys[0], data) if self.keys else None

    def take_hold(self) -> None:
        """Say that this writer lives: its own lock, and the shared locks of the trail's owner. Under the state's lock."""
        self.writer_fd = self.state.hold_writer(self.writer, self.document.trail_id)
        self.owner_fds.append(self.root.private().open_file(OWNER_LOCK, os.O_RDWR | os.O_CREAT))
        if not self.system.lock_shared_now(self.owner_fds[0]):
            raise AuditUnavailable(f"{self.root.path}/{OWNER_LOCK} is locked exclusively by another process of this user; try again")
        # older versions look there; whoever may read the trail can lock it, too, and nobody waits for him
        self.owner_fds.append(self.root.open_file(OWNER, os.O_RDWR))
        with contextlib.suppress(OSError):
            self.system.lock_shared_now(self.owner_fds[1])

    def load_keys(self) -> None:
        """Find the keys, and which of them the trail has not been told of. Under the state's lock."""
        private = self.state.path == f"{self.root.path}/{PRIVATE_STATE}"
        stored = () if private else state_keys(self.state, create=self.options.pseudonym_key is None)
        given = (given_key(self.options.pseudonym_key),) if self.options.pseudonym_key else ()
        self.keys = given + tuple(key for key in stored if key not in given)
        places = self.state.places()
        place = places[self.document.trail_id]
        if self.keys and self.keys[0][0] not in place["keys"]:
            self.new_keys = [self.keys[0][0]]
            place["keys"] = [*place["keys"], self.keys[0][0]]
            self.state.remember(self.document.trail_id, place)

    def call_tail(self, event: str, call: ToolCall) -> bytes:
        """Encode an event of a call as this writer's."""
        return call_tail(event, call, salt=NO_SALT, writer=self.writer, service=self._service, digest=self.digest)

    def trail_tail(self, event: str, details: Mapping[str, Any]) -> bytes:
        """Encode an event of the trail's life as this writer's."""
        return trail_tail(
            event, timestamp(self.system.now()), details,
            salt=NO_SALT, writer=self.writer, service=self._service, digest=self.digest,
        )  # fmt: skip

    def open_chains(self) -> None:
        """
        Open every chain that has a head, completing one that was being made. Under the state's lock.

        Raises:
            TrailTampered: A chain contradicts its head.
        """
        others = self._others()
        names = [name for name in self.state.head_names(self.document.trail_id) if name != TRAIL_CHAIN]
        for name in (TRAIL_CHAIN, *names):
            self.chains[name] = self._open_chain(name, others)

    def _others(self) -> Others:
        """Which other writers live. Under the state's lock, so that none begins meanwhile."""
        living = self.state.living_writers(self.document.trail_id, besides=self.writer)
        return Others(bool(living), not all(writer.vouches for writer in living))

    def _open_chain(self, name: str, others: Others) -> Chain:
        options = self.options
        files = ChainFiles(self.system, name, self.root, self._heads, self.trail_tail, self.state.voucher, append_only=options.append_only_flag)
        chain = Chain(files, Rotation(options.segment_bytes, options.segment_seconds), os_flag(options.durability))
        try:
            if chain.head().written.lines == 0:
                self._complete(name)
            chain.open(others)
        except BaseException:
            chain.close()
            raise
        return chain

    def _complete(self, name: str) -> None:
        """Finish making a chain that has no record yet; everything here may have been cut off and is done again."""
        # whoever made the head may have been killed before its name was on disk; a directory that outlives its head is an accusation
        self._heads.sync()
        if name != TRAIL_CHAIN and not self.root.exists(name):
            self.chains[TRAIL_CHAIN].commit([self.trail_tail(CHAIN_CREATED, {"chain": name})])
        create_chain_directory(self.root, name)

    def create_chain(self, name: str) -> None:
        """
        Make a chain, or open the one that another process made meanwhile.

        Its head first, then ``trail.chain_created``, synced, then its directory: if we crash after the head, the next writer finds a head of
        count 0 without a directory and completes it.
        """
        try:
            with self.state.locked():
                if not self._heads.exists(name):
                    create_head(self._heads, name, genesis(self.document.trail_id, name), self.system.boot_id(), self.state.voucher.id)
                self.chains[name] = self._open_chain(name, self._others())
        except OSError as error:
            raise AuditUnavailable(
                f"chain {name} of {self.root.path} cannot be made ({error.strerror or error}); mend that, tools are refused until then"
            ) from error

    def mark_clean_if_last(self) -> None:
        """
        Mark all chains clean if no other writer of this trail lives.

        Under ``<state>/lock``, where openings happen too, so that "last" stays true until the marks are on disk.
        """
        with self.state.locked():
            others = self._others()
            if others.live:
                return
            for name in self.state.head_names(self.document.trail_id):
                if name not in self.chains:
                    # another process made it and is gone: whoever is last settles it
                    self.chains[name] = self._open_chain(name, others)
                self.chains[name].sync()
                self.chains[name].mark_clean()

    def close(self) -> None:
        """Give everything back."""
        for chain in self.chains.values():
            chain.close()
        self._close_files()
        if self.writer_fd >= 0:
            self.state.release_writer(self.writer, self.writer_fd)
            self.writer_fd = -1
        self.state.close()

    def abandon(self) -> None:
        """In a fork's child: close our copies of the descriptors; the parent's locks stay the parent's."""
        for chain in self.chains.values():
            chain.abandon()
        self._close_files()
        if self.writer_fd >= 0:
            self.system.close(self.writer_fd)
            self.writer_fd = -1
        self.state.close()

    def _close_files(self) -> None:
        while self.owner_fds:
            self.system.close(self.owner_fds.pop())
        self._heads.close()
        self.root.close()


def open_session(system: System | None, path: str, options: TrailOptions) -> Session:
    """
    Open a trail's files: the state's lock first, then each head's.

    Args:
        system: The system calls; None: the quickest that these disks allow.
        path: The trail's directory.
        options: As :meth:`Trail.open` was told.

    Raises:
        AuditError: As :meth:`Trail.open` says.
    """
    _check_text(path, "the trail's path")
    _check_text(settings.state_directory(options.state), "the state directory")
    resolved = os.path.join(os.path.realpath(os.path.dirname(os.path.abspath(path))), os.path.basename(os.path.abspath(path)))
    where = settings.state_directory(options.state)
    private = where == "none"
    if system is None:
        system = quickest(resolved, resolved if private else os.path.realpath(where))
    refuse_network(system, resolved, "the trail")
    modes = _modes(options.group)
    if private:
        make_directories(system, resolved)
    state = State.open(system, f"{resolved}/{PRIVATE_STATE}" if private else where, None if private else resolved)
    try:
        with state.locked():
            found = opening.find(system, state, path, modes)
            opened = Session(state, found, system.random_id(), options)
            try:
                opened.take_hold()
                opened.load_keys()
                opened.open_chains()
            except BaseException:
                opened.close()
                raise
            return opened
    except OSError as error:
        state.close()
        raise AuditUnavailable(f"the trail {path} cannot be opened ({error.strerror or error}); mend that and try again") from error
    except BaseException:
        state.close()
        raise


def _check_text(path: str, what: str) -> None:
    """Records and ``places`` name paths, and are UTF-8."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError as error:
        raise SettingsError(f"{what} {path!r} is no UTF-8: records could not name it; use another directory") from error


def _modes(group: str | None) -> Modes:
    if group is None:
        return Modes()
    try:
        return Modes(0o640, 0o750, grp.getgrnam(group).gr_gid)
    except KeyError as error:
        raise SettingsError(f"there is no group {group!r} (OTEL_TOOL_AUDIT_GROUP): create it, or name one that exists") from error


def introduction(system: System, path: str, opened: Session, options: TrailOptions) -> dict[str, Any]:
    """Say who opened the trail: the details of ``trail.opened`` (FORMAT.md, section 4)."""
    versions = {"python": platform.python_version()}
    for name in ("otel-tool-audit", "opentelemetry-sdk"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "writer": opened.writer, "host": system.host(), "pid": system.pid(), "boot_id": system.boot_id().hex(), "versions": versions,
        "document_sha256": opened.document.sha256, "state": opened.state.id, "path": path, "moved_from": opened.moved_from,
        "durability": options.durability, "vouching": opened.state.voucher.id.hex(),
        "vouched_from": {name: chain.vouched_from() for name, chain in sorted(opened.chains.items())}, "heads": opened.absent,
    }  # fmt: skip
