"""
A disk in memory that can be cut off: at any system call by a kill, or by a power loss after which pages have reached it in any order.

The real writer runs on it unchanged. What is durable is what a file system promises at least: data after fsync or fdatasync, names after the
directory's fsync; of the rest any subset may have made it.
"""

from __future__ import annotations

import errno
import os
import random
import stat
from types import SimpleNamespace

from otel_tool_audit.errors import AuditUnavailable
from otel_tool_audit.format.head import HEAD_BYTES, SLOT_BYTES, Head
from otel_tool_audit.host.system import System
from otel_tool_audit.trail.chain.section import in_a_turn

UID = os.geteuid()
PAGE = 64
"""Bytes that reach the disk together; small, so that tiny trails have many."""


class Crash(BaseException):
    """The process, or the host, is gone: nothing after this runs."""


class Interrupted(BaseException):
    """What a signal handler raised in the thread that called: this ends, and the process goes on."""


class Node:
    def __init__(self, inode: int, kind: int) -> None:
        self.inode = inode
        self.kind = kind
        self.mode = 0o600
        self.data = bytearray()
        self.synced = b""
        self.names: dict[str, Node] = {}
        self.synced_names: dict[str, Node] = {}
        self.history: list[dict[str, Node]] = []
        self.errors = 0
        self.dropped: list[tuple[int, int]] = []

    @property
    def directory(self) -> bool:
        return self.kind == stat.S_IFDIR


def _whole(head: bytes) -> bool:
    """Tell whether no slot of a head is torn."""
    slots = (head[:SLOT_BYTES], head[SLOT_BYTES:])
    return all(not any(slot) or Head.unpack(slot + bytes(SLOT_BYTES)) is not None for slot in slots)


class SimulatedMap:
    """A mapped head: slices go to the file at once; a crash may tear the copy."""

    def __init__(self, system: SimulatedSystem, node: Node) -> None:
        self._system = system
        self._node = node

    def __getitem__(self, key: slice) -> bytes:
        return bytes(self._node.data[key])

    def __setitem__(self, key: slice, value: bytes) -> None:
        def torn() -> None:
            part = self._system.random.randrange(len(value) + 1)
            self._node.data[key.start : key.start + part] = value[:part]

        self._system.step(torn)
        self._node.data[key] = value

    def close(self) -> None: ...


class SimulatedSystem(System):
    """
    One host. ``budget`` system calls from now the process dies; None: it lives.

    ``patience`` system calls of a caller's own turn from now it is interrupted; None: it is not. What the trail's own threads do nobody interrupts.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.inodes = 1
        self.root = self._node(stat.S_IFDIR)
        self.budget: int | None = None
        self.patience: int | None = None
        self.locks: dict[int, int] = {}
        self.boot = 1
        self.clock = 1_700_000_000_000_000_000
        self.fds: dict[int, Node] = {}
        self.owners: dict[int, str] = {}
        self.process = ""
        self.next_fd = 1000
        self.ids = 0
        self.held: dict[int, Node] = {}
        self.faults = 0.0
        self.seen: dict[int, int] = {}
        # heads are mapped on one host, and overwritten by system calls on another, whose file system nobody knows
        self.mapped = self.random.random() < 0.5

    def _fails(self) -> bool:
        return self.faults > 0 and self.random.random() < self.faults

    def _node(self, kind: int) -> Node:
        self.inodes += 1
        return Node(self.inodes, kind)

    # --- crashes

    def step(self, torn=None) -> None:
        """Every call that changes something passes here; the one at which the budget ends may be half done, an interrupted one is not begun."""
        if self.patience is not None and in_a_turn():
            self.patience -= 1
            if self.patience < 0:
                self.patience = None
                raise Interrupted
        if self.budget is None:
            return
        self.budget -= 1
        if self.budget < 0:
            if torn is not None:
                torn()
            raise Crash

    def kill(self) -> None:
        """The process is gone; the kernel, and all it was told, is not."""
        for fd in [fd for fd, owner in self.owners.items() if owner == self.process]:
            self.close(fd)
        self.budget = None

    def power_loss(self) -> None:
        """The host is gone; of what was not synced any page and any name may have reached the disk."""
        for fd in list(self.fds):
            self.close(fd)
        self.budget = None
        self.boot += 1
        self._lose(self.root, set())

    def _lose(self, node: Node, seen: set[int]) -> None:
        if node.inode in seen:
            return
        seen.add(node.inode)
        if node.directory:
            # directory changes are journalled in order: some prefix of the changes since the last sync stands
            states = [node.synced_names, *node.history]
            node.names = dict(self.random.choice(states))
            node.synced_names, node.history = dict(node.names), []
            for child in node.names.values():
                self._lose(child, seen)
            return
        data, synced = bytes(node.data), node.synced
        if data == synced:
            return
        head = len(data) == HEAD_BYTES
        # a head's slots lie in different sectors, of which each reaches the disk or not; but a kill that tore a PUT, and a power cut that tears
        # the same page before anybody has written to it again, are two faults at once, and a head survives one
        page = (SLOT_BYTES if _whole(data) else HEAD_BYTES) if head else PAGE
        size = len(data) if head else self.random.choice([len(synced), len(data), self.random.randint(len(synced), len(data))])
        kept = bytearray()
        for start, end in node.dropped:
            data = data[:start] + bytes(end - start) + data[end:]
        node.dropped = []
        for at in range(0, size, page):
            piece = self.random.choice([synced[at : at + page], data[at : at + page]])[: size - at]
            kept += piece.ljust(min(page, size - at), b"\x00")
        node.data = kept
        node.synced = bytes(kept)

    # --- the system calls

    def _resolve(self, path: str, dir_fd: int | None) -> tuple[Node, str]:
        node = self.root if dir_fd is None else self.fds[dir_fd]
        parts = [p for p in path.split("/") if p]
        for part in parts[:-1]:
            if part not in node.names:
                raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
            node = node.names[part]
        return node, parts[-1] if parts else ""

    def _at(self, path: str, dir_fd: int | None) -> Node:
        parent, name = self._resolve(path, dir_fd)
        if not name:
            return parent
        if name not in parent.names:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        return parent.names[name]

    def _link(self, parent: Node, name: str, node: Node | None) -> None:
        if node is None:
            parent.names.pop(name, None)
        else:
            parent.names[name] = node
        parent.history.append(dict(parent.names))

    def open(self, path: str, flags: int, mode: int = 0o600, dir_fd: int | None = None) -> int:
        parent, name = self._resolve(path, dir_fd)
        node = parent.names.get(name) if name else parent
        if node is None:
            if not flags & os.O_CREAT:
                raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
            self.step()
            if self._fails():
                raise OSError(errno.ENOSPC, "No space left on device")
            node = self._node(stat.S_IFREG)
            self._link(parent, name, node)
        elif flags & os.O_CREAT and flags & os.O_EXCL:
            raise FileExistsError(errno.EEXIST, "File exists", path)
        if flags & os.O_DIRECTORY and not node.directory:
            raise NotADirectoryError(errno.ENOTDIR, "Not a directory", path)
        self.next_fd += 1
        self.fds[self.next_fd] = node
        self.owners[self.next_fd] = self.process
        self.seen[self.next_fd] = node.errors
        return self.next_fd

    def close(self, fd: int) -> None:
        self.held.pop(fd, None)
        self.locks = {inode: holder for inode, holder in self.locks.items() if holder != fd}
        self.fds.pop(fd, None)
        self.owners.pop(fd, None)

    def write(self, fd: int, data: bytes) -> int:
        node = self.fds[fd]

        def torn() -> None:
            node.data += data[: self.random.randrange(len(data) + 1)]

        self.step(torn)
        if self._fails():
            kind = self.random.choice(["full", "short", "broken"])
            if kind == "full":
                raise OSError(errno.ENOSPC, "No space left on device")
            part = self.random.randrange(len(data))
            node.data += data[:part]
            if kind == "broken":
                raise OSError(errno.EIO, "Input/output error")
            return part
        node.data += data
        return len(data)

    def read(self, fd: int, size: int, offset: int) -> bytes:
        return bytes(self.fds[fd].data[offset : offset + size])

    def position(self, fd: int) -> int:
        return len(self.fds[fd].data)

    def _describe(self, node: Node):
        kind_mode = node.kind | (0o700 if node.directory else node.mode)
        return SimpleNamespace(st_mode=kind_mode, st_ino=node.inode, st_dev=1, st_nlink=1, st_uid=UID, st_size=len(node.data))

    def fstat(self, fd: int):
        return self._describe(self.fds[fd])

    def stat(self, path: str, dir_fd: int | None = None):
        return self._describe(self._at(path, dir_fd))

    def listdir(self, fd: int) -> list[str]:
        return list(self.fds[fd].names)

    def fsync(self, fd: int) -> None:
        self.step()
        node = self.fds[fd]
        if node.directory:
            node.synced_names, node.history = dict(node.names), []
            return
        if self._fails() and len(node.data) != HEAD_BYTES:
            # the kernel drops the dirty pages, and tells every descriptor that was open, once
            node.errors += 1
            node.dropped.append((len(node.synced), len(node.data)))
        synced = bytearray(node.data)
        for start, end in node.dropped:
            synced[start:end] = bytes(end - start)
        node.synced = bytes(synced)
        if self.seen.get(fd, 0) < node.errors:
            self.seen[fd] = node.errors
            raise OSError(errno.EIO, "Input/output error")

    def fdatasync(self, fd: int) -> None:
        self.fsync(fd)

    def rename(self, source: str, target: str, dir_fd: int) -> None:
        self.step()
        if self._fails():
            raise OSError(errno.EIO, "Input/output error")
        parent = self.fds[dir_fd]
        node = parent.names.pop(source)
        self._link(parent, target, node)

    def unlink(self, path: str, dir_fd: int | None = None) -> None:
        parent, name = self._resolve(path, dir_fd)
        if name not in parent.names:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        self.step()
        self._link(parent, name, None)

    def mkdir(self, path: str, mode: int, dir_fd: int | None = None) -> None:
        parent, name = self._resolve(path, dir_fd)
        if name in parent.names:
            raise FileExistsError(errno.EEXIST, "File exists", path)
        self.step()
        self._link(parent, name, self._node(stat.S_IFDIR))

    def chmod(self, fd: int, mode: int) -> None:
        if not self.fds[fd].directory:
            self.fds[fd].mode = mode

    def chown_group(self, fd: int, gid: int) -> None: ...

    def map(self, fd: int) -> SimulatedMap:
        return SimulatedMap(self, self.fds[fd])

    def free(self, fd: int) -> float:
        return 1.0

    def lock(self, fd: int, what: str, deadline: float = 0.0) -> None:
        if not self.lock_now(fd):
            raise AuditUnavailable(f"{what} is locked by somebody who gave nothing back")

    def unlock(self, fd: int) -> None:
        self.step()
        if self.locks.get(self.fds[fd].inode) == fd:
            del self.locks[self.fds[fd].inode]

    def lock_shared_now(self, fd: int) -> bool:
        return True

    def lock_now(self, fd: int) -> bool:
        self.step()
        return self.locks.setdefault(self.fds[fd].inode, fd) == fd

    def hold(self, fd: int) -> None:
        self.held[fd] = self.fds[fd]

    def is_held(self, path: str) -> bool:
        try:
            return self._at(path, None) in self.held.values()
        except FileNotFoundError:
            return False

    def boot_id(self) -> bytes:
        return self.boot.to_bytes(16, "big")

    def machine_id(self) -> str:
        return "simulated"

    def mounts(self) -> str:
        return "1 0 8:1 / / rw - ext4 /dev/disk rw\n" if self.mapped else ""

    def overwrite(self, fd: int, data: bytes, offset: int) -> None:
        self.step()
        if self._fails():
            raise OSError(errno.ENOSPC, "No space left on device")
        self.fds[fd].data[offset : offset + len(data)] = data

    def random_id(self) -> str:
        self.ids += 1
        return f"{self.ids:032x}"

    def now(self) -> int:
        self.clock += 1_000_000
        return self.clock

    def monotonic(self) -> float:
        return self.clock / 1e9
