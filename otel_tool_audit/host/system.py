"""
The system calls that the trail stands on, handed in as one object so that tests can make each of them fail.

Nothing here decides anything; what a failure means is decided by the callers.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import socket
import time
from pathlib import Path
from typing import Final, Protocol

from otel_tool_audit.format.head import HEAD_BYTES
from otel_tool_audit.host import locks, machine

_GET_FLAGS: Final = 0x80086601
_SET_FLAGS: Final = 0x40086602
_APPEND_ONLY: Final = 0x20
NO_BOOT: Final = bytes(16)
"""A boot id that could not be read: every open that was not clean is then treated as after a crash of the host."""


class MappedHead(Protocol):
    """A head file in memory: slices are read and assigned."""

    def __getitem__(self, key: slice, /) -> bytes: ...

    def __setitem__(self, key: slice, value: bytes, /) -> None: ...

    def close(self) -> None:
        """Unmap it."""


class System:
    """Linux, as it is. Every method is one system call, or one read of a file below ``/proc`` or ``/etc``."""

    def open(self, path: str, flags: int, mode: int = 0o600, dir_fd: int | None = None) -> int:
        """Open *path*; never following a link in its last component, never inherited by another program."""
        return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=dir_fd)

    def close(self, fd: int) -> None:
        """Close a descriptor."""
        os.close(fd)

    def write(self, fd: int, data: bytes) -> int:
        """Write once; the result may be less than was asked for."""
        return os.write(fd, data)

    def read(self, fd: int, size: int, offset: int) -> bytes:
        """Read at most *size* bytes at *offset*."""
        return os.pread(fd, size, offset)

    def position(self, fd: int) -> int:
        """Tell the file position of an open file, in bytes."""
        return os.lseek(fd, 0, os.SEEK_CUR)

    def fstat(self, fd: int) -> os.stat_result:
        """Describe an open file."""
        return os.fstat(fd)

    def length(self, fd: int) -> tuple[int, int]:
        """Tell the size of an open file in bytes, and how many names it has."""
        found = self.fstat(fd)
        return found.st_size, found.st_nlink

    def stat(self, path: str, dir_fd: int | None = None) -> os.stat_result:
        """Describe a path, not following a link."""
        return os.stat(path, dir_fd=dir_fd, follow_symlinks=False)

    def listdir(self, fd: int) -> list[str]:
        """List an open directory."""
        return os.listdir(fd)

    def fsync(self, fd: int) -> None:
        """Bring a file or a directory to disk."""
        os.fsync(fd)

    def fdatasync(self, fd: int) -> None:
        """Bring a file's data to disk."""
        os.fdatasync(fd)

    def rename(self, source: str, target: str, dir_fd: int) -> None:
        """Rename within one directory."""
        os.rename(source, target, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)

    def unlink(self, path: str, dir_fd: int | None = None) -> None:
        """Remove a name."""
        os.unlink(path, dir_fd=dir_fd)

    def mkdir(self, path: str, mode: int, dir_fd: int | None = None) -> None:
        """Make a directory."""
        os.mkdir(path, mode, dir_fd=dir_fd)

    def chmod(self, fd: int, mode: int) -> None:
        """Set the mode of an open file, whatever the umask said."""
        os.fchmod(fd, mode)

    def chown_group(self, fd: int, gid: int) -> None:
        """Give an open file to a group."""
        os.fchown(fd, -1, gid)

    def free(self, fd: int) -> float:
        """Tell which part of the file's disk is free for this user, from 0 to 1."""
        found = os.fstatvfs(fd)
        return found.f_bavail / max(1, found.f_blocks)

    def set_append_only(self, fd: int) -> bool:
        """
        Set the file system's append-only attribute; False where the host does not allow it.

        Source: ioctl_iflags(2), ``FS_APPEND_FL``.
        """
        try:
            flags = int.from_bytes(fcntl.ioctl(fd, _GET_FLAGS, bytes(8)), "little")
            if not flags & _APPEND_ONLY:
                fcntl.ioctl(fd, _SET_FLAGS, (flags | _APPEND_ONLY).to_bytes(8, "little"))
        except OSError:
            return False
        return True

    def map(self, fd: int) -> MappedHead:
        """Map a head file, shared between processes."""
        return mmap.mmap(fd, HEAD_BYTES)

    def overwrite(self, fd: int, data: bytes, offset: int) -> None:
        """
        Overwrite bytes that a file has, in one piece.

        Raises:
            OSError: They could not all be written; a file system that copies on write may have no room.
        """
        done = os.pwrite(fd, data, offset)
        if done != len(data):
            raise OSError(errno.EIO, f"{done} of {len(data)} bytes were overwritten")

    def lock_now(self, fd: int) -> bool:
        """Take an exclusive flock without waiting; False when somebody else has it."""
        return locks.lock_exclusively_now(fd)

    def lock(self, fd: int, what: str, deadline: float = locks.LOCK_DEADLINE) -> None:
        """Take an exclusive flock; the holder keeps it for microseconds, so the first tries do not sleep (see :func:`locks.wait_for_lock`)."""
        if not self.lock_now(fd):
            locks.wait_for_lock(fd, what, deadline)

    def unlock(self, fd: int) -> None:
        """Release a flock."""
        fcntl.flock(fd, fcntl.LOCK_UN)

    def lock_shared_now(self, fd: int) -> bool:
        """Take a shared flock without waiting."""
        return locks.lock_shared_now(fd)

    def lock_owners(self, fd: int) -> set[int]:
        """Tell which users' processes hold a flock on an open file, as far as they can be seen from here."""
        owners = set()
        for pid in locks.flock_holders(fd):
            with contextlib.suppress(OSError):
                owners.add(os.stat(f"/proc/{pid}").st_uid)
        return owners

    def hold(self, fd: int) -> None:
        """Hold a writer's own lock until it ends."""
        locks.hold(fd)

    def is_held(self, path: str) -> bool:
        """Tell whether a living writer holds the lock of that file."""
        return locks.is_held(path)

    def boot_id(self) -> bytes:
        """Read which boot of the host this is (16 bytes; zeros where it does not tell)."""
        return machine.boot_id() or NO_BOOT

    def machine_id(self) -> str:
        """Read the machine's id; empty when it has none. Recorded only, it decides nothing."""
        try:
            return Path("/etc/machine-id").read_text("ascii").strip()
        except (OSError, ValueError):
            return ""

    def host(self) -> str:
        """Tell the host's name."""
        return socket.gethostname()

    def pid(self) -> int:
        """Tell the process id."""
        return os.getpid()

    def uid(self) -> int:
        """Tell the effective user id."""
        return os.geteuid()

    def mounts(self) -> str:
        """Read the table of mounts; empty when there is none to read."""
        try:
            return Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape")
        except OSError:
            return ""

    def random_id(self) -> str:
        """Make 128 random bits, in 32 hex digits."""
        return os.urandom(16).hex()

    def now(self) -> int:
        """Tell the time, in nanoseconds since the Unix epoch."""
        return time.time_ns()

    def monotonic(self) -> float:
        """Tell a time that never jumps, in seconds."""
        return time.monotonic()


NETWORK_FILESYSTEMS: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "coda", "ceph", "lustre", "gpfs", "beegfs", "glusterfs", "gfs2", "ocfs2",
     "9p", "vboxsf", "vmhgfs", "prl_fs", "davfs", "fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone", "fuse.gcsfuse", "fuse.cephfs",
     "fuse.ceph-fuse", "fuse.davfs2", "fuse.vmhgfs-fuse", "fuse.blobfuse", "fuse.blobfuse2", "fuse.goofys"}
)  # fmt: skip
"""File systems whose locks or caches do not hold between hosts, or at all (PROTOCOL.md: NFS and the like are refused)."""

MAPPED_FILESYSTEMS: Final = frozenset({"ext2", "ext3", "ext4", "ramfs", "tmpfs"})
"""
File systems on which a page that is there is overwritten in its place. On any other one a mapped write may find no room, of which the kernel tells by a signal
that ends the process: btrfs and its kin copy a page before they change it, and so does xfs where a copy of the file shares its blocks.
"""

LOCAL_FILESYSTEMS: Final = frozenset(
    {"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "overlay", "ramfs", "reiserfs", "tmpfs", "xfs", "zfs"}
)  # fmt: skip
"""File systems of which the kernel knows size, position and locks of an open file without asking anybody else."""


def filesystem_type(mounts: str, path: str) -> str | None:
    """
    Find the type of the file system that a resolved path lies on.

    Args:
        mounts: The text of ``/proc/self/mountinfo``.
        path: Absolute and free of links.

    Returns:
        Such as ``ext4`` or ``nfs4``; None when the table does not tell.

    Source: proc(5), ``/proc/pid/mountinfo``.
    """
    best: tuple[int, str] | None = None
    for row in mounts.splitlines():
        fields = row.split(" ")
        if "-" not in fields[5:]:
            continue
        where = fields[4].encode("latin-1", "replace").decode("unicode_escape") if "\\" in fields[4] else fields[4]
        kind = fields[fields.index("-", 5) + 1]
        inside = path == where or path.startswith(where.rstrip("/") + "/")
        # of two mounts on one point the later one is seen
        if inside and (best is None or len(where) >= best[0]):
            best = (len(where), kind)
    return best[1] if best else None
