"""
The state directory: what the writers of this host remember of their trails, out of reach of whoever can write a trail's files.

Source: PROTOCOL.md, "Files"; FORMAT.md, sections 1 and 4.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from typing import Final, NamedTuple, TypedDict

import orjson

from otel_tool_audit.errors import SettingsError, TrailTampered
from otel_tool_audit.format.names import valid_trail_id
from otel_tool_audit.format.vouching import Voucher, parse_key
from otel_tool_audit.host.directory import Directory, make_directories, refuse_network, sync_ancestors
from otel_tool_audit.host.system import System

LOCK: Final = "lock"
PLACES: Final = "places"
HEADS: Final = "heads"
WRITERS: Final = "writers"
KEYS: Final = "keys"
READERS: Final = "readers"
ID: Final = "id"
VOUCHING_KEY: Final = "vouching-key"
_VOUCHES: Final = "vouching"


class StoredDocument(TypedDict):
    """A ``trail.json`` as the state remembers it: its digest and its text."""

    sha256: str
    text: str


class StoredPlace(TypedDict):
    """Where a trail lies and what its ``trail.json`` says, as the state remembers it (FORMAT.md, section 4)."""

    path: str
    resolved: str
    device: int
    inode: int
    machine: str
    creating: bool
    documents: list[StoredDocument]
    keys: list[str]


def document(text: str) -> StoredDocument:
    """Remember a ``trail.json`` by its text."""
    return {"sha256": hashlib.sha256(text.encode()).hexdigest(), "text": text}


class LivingWriter(NamedTuple):
    """
    A writer whose lock is held.

    Attributes:
        id: 32 hex digits.
        vouches: Whether it vouches for its lines; older versions do not.
    """

    id: str
    vouches: bool


class State:
    """
    An open state directory. Whoever calls the methods that change something holds its lock (:meth:`locked`).

    Attributes:
        path: Where it lies.
        id: Its id, 32 hex digits.
        voucher: Its vouching key.
    """

    def __init__(self, directory: Directory, state_id: str, voucher: Voucher, lock_fd: int) -> None:
        self.directory = directory
        self.voucher = voucher
        self.system = directory.system
        self.path = directory.path
        self.id = state_id
        self._lock_fd = lock_fd

    @classmethod
    def open(cls, system: System, path: str, trail_path: str | None = None) -> State:
        """
        Open the state directory, making what is missing.

        Args:
            system: The system calls.
            path: Where it lies.
            trail_path: The trail it is for; it may not lie inside. None when it is meant to (state ``none``).

        Raises:
            SettingsError: It cannot be made or used, lies inside the trail or on a network file system, or belongs to someone else.
        """
        resolved = os.path.realpath(path)
        if trail_path is not None and (resolved + "/").startswith(os.path.realpath(trail_path) + "/"):
            message = f"the state directory {path} lies inside the trail {trail_path}, where it protects nothing: set OTEL_TOOL_AUDIT_STATE elsewhere"
            raise SettingsError(message)
        refuse_network(system, resolved, "the state directory")
        try:
            make_directories(system, resolved)
            directory = Directory.at(system, resolved)
        except OSError as error:
            message = f"the state directory {path} cannot be used ({error.strerror}): set OTEL_TOOL_AUDIT_STATE to a directory this user can write"
            raise SettingsError(message) from error
        try:
            return cls._opened(directory)
        except OSError as error:
            directory.close()
            message = f"the state directory {path} cannot be used ({error.strerror}): set OTEL_TOOL_AUDIT_STATE to a directory this user can write"
            raise SettingsError(message) from error
        except BaseException:
            directory.close()
            raise

    @classmethod
    def _opened(cls, directory: Directory) -> State:
        system = directory.system
        found = system.fstat(directory.fd)
        if found.st_uid != system.uid() or stat.S_IMODE(found.st_mode) & 0o022:
            message = (
                f"the state directory {directory.path} must belong to this user and be writable by nobody else "
                f"(owner {found.st_uid}, mode {stat.S_IMODE(found.st_mode):04o}): chmod 700 it, or set OTEL_TOOL_AUDIT_STATE"
            )
            raise SettingsError(message)
        lock_fd = directory.open_file(LOCK, os.O_RDWR | os.O_CREAT)
        try:
            system.lock(lock_fd, f"{directory.path}/{LOCK}")
            for name in (HEADS, WRITERS, KEYS, READERS):
                if not directory.exists(name):
                    directory.make_directory(name).close()
            directory.sync()
            if not directory.exists(ID):
                sync_ancestors(system, directory.path)
                directory.replace_file(ID, system.random_id().encode() + b"\n")
            state_id = directory.read_file(ID).decode("ascii", "replace").strip()
            if not directory.exists(VOUCHING_KEY):
                directory.replace_file(VOUCHING_KEY, (system.random_id() + system.random_id()).encode() + b"\n")
            key = directory.read_file(VOUCHING_KEY)
        except BaseException:
            system.close(lock_fd)
            raise
        system.unlock(lock_fd)
        if not valid_trail_id(state_id):
            system.close(lock_fd)
            message = f"{directory.path}/{ID} does not hold 32 hex digits: this is no state directory, or it was damaged; set OTEL_TOOL_AUDIT_STATE"
            raise SettingsError(message)
        try:
            return cls(directory, state_id, Voucher(parse_key(key)), lock_fd)
        except ValueError as error:
            system.close(lock_fd)
            message = (
                f"{directory.path}/{VOUCHING_KEY} does not hold 64 hex digits: it was damaged; restore it, or remove it: then vouching begins anew"
            )
            raise SettingsError(message) from error

    def close(self) -> None:
        """Close it; a second time does nothing."""
        if self._lock_fd >= 0:
            self.system.close(self._lock_fd)
            self._lock_fd = -1
            self.directory.close()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold ``<state>/lock``: for opening, closing, creating chains, changing ``trail.json``. Always taken before a head's lock."""
        try:
            self.system.lock(self._lock_fd, f"{self.path}/{LOCK}")
            yield
        finally:
            # closed within, because an opening failed: the lock went with the descriptor
            if self._lock_fd >= 0:
                self.system.unlock(self._lock_fd)

    def places(self) -> dict[str, StoredPlace]:
        """
        Read which trail is where.

        Raises:
            TrailTampered: The file is there and cannot be read as what it is.
        """
        try:
            data = self.directory.read_file(PLACES)
        except FileNotFoundError:
            return {}
        try:
            found: dict[str, StoredPlace] = orjson.loads(data)
            if not all(valid_trail_id(k) and _is_place(v) for k, v in found.items()):
                raise ValueError
        except (ValueError, AttributeError) as error:
            message = f"{self.path}/{PLACES} cannot be read: the state directory was damaged; restore nothing there, look at who wrote it"
            raise TrailTampered(message) from error
        return found

    def remember(self, trail_id: str, place: StoredPlace) -> None:
        """Make what is known of a trail durable."""
        places = self.places()
        places[trail_id] = place
        self.directory.replace_file(PLACES, orjson.dumps(places))

    def heads(self, trail_id: str) -> Directory:
        """Open the directory of a trail's heads, made if it is missing; its name is durable when this returns."""
        parent = self.directory.open_directory(HEADS)
        try:
            return parent.make_directory(trail_id)
        finally:
            parent.close()

    def head_names(self, trail_id: str) -> list[str]:
        """List the chains of a trail that have a head."""
        heads = self.heads(trail_id)
        try:
            return [name for name in heads.names() if not name.endswith(".tmp") and ".old-" not in name]
        finally:
            heads.close()

    def hold_writer(self, writer: str, trail_id: str) -> int:
        """
        Hold the lock that says this writer lives; the lock ends with the returned descriptor, or the process.

        The caller holds the state's lock, so nobody can take a file that is made but not yet locked for a dead writer's.
        """
        writers = self.directory.open_directory(WRITERS)
        try:
            fd = writers.open_file(writer, os.O_RDWR | os.O_CREAT | os.O_EXCL)
            try:
                self.system.hold(fd)
                self.system.write(fd, f"{trail_id}\n{self.system.pid()}\n{_VOUCHES}\n".encode())
            except BaseException:
                self.system.close(fd)
                raise
        finally:
            writers.close()
        return fd

    def living_writers(self, trail_id: str, besides: str = "") -> list[LivingWriter]:
        """
        List the writers of a trail that live, and forget the dead ones.

        The caller holds the state's lock.

        Raises:
            OSError: Whether one lives cannot be told; its file stays.
        """
        writers = self.directory.open_directory(WRITERS)
        living: list[LivingWriter] = []
        try:
            for name in writers.names():
                if name == besides:
                    continue
                held = self.system.is_held(f"{writers.path}/{name}")
                with contextlib.suppress(FileNotFoundError):
                    if not held:
                        self.system.unlink(name, dir_fd=writers.fd)
                        continue
                    said = writers.read_file(name).decode("ascii", "replace").split("\n")
                    if said[0] == trail_id:
                        living.append(LivingWriter(name, _VOUCHES in said[2:]))
        finally:
            writers.close()
        return living

    def release_writer(self, writer: str, fd: int) -> None:
        """End a writer: its lock and its file. Never fails: a file that stays behind is held by nobody, and the next who looks forgets it."""
        try:
            with contextlib.suppress(OSError, TrailTampered):
                writers = self.directory.open_directory(WRITERS)
                try:
                    self.system.unlink(writer, dir_fd=writers.fd)
                finally:
                    writers.close()
        finally:
            self.system.close(fd)


def _is_place(value: object) -> bool:
    return isinstance(value, dict) and StoredPlace.__required_keys__ <= value.keys() and isinstance(value["documents"], list)
