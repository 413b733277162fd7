"""
Opening files of the trail and of the state so that no link, foreign owner or other device slips in, and making files that last.

Source: PROTOCOL.md, rule 5 (opening), "Protocol" (what is synced, in which order).
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from typing import Final, NamedTuple

from otel_tool_audit.errors import SettingsError, TrailTampered
from otel_tool_audit.host.system import NETWORK_FILESYSTEMS, System, filesystem_type

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY
_WRONG_KIND: Final = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EMLINK, errno.EISDIR, errno.ENXIO})


class Modes(NamedTuple):
    """
    The access that files and directories are made with.

    Attributes:
        file: Mode of files.
        directory: Mode of directories.
        group: Group id that reviewers are in, or None.
    """

    file: int = 0o600
    directory: int = 0o700
    group: int | None = None


PRIVATE: Final = Modes()


class Directory:
    """An open directory; everything in it is reached through its descriptor, never by a path from the root."""

    def __init__(self, system: System, fd: int, path: str, modes: Modes = PRIVATE) -> None:
        self.system = system
        self.fd = fd
        self.path = path
        self.modes = modes
        self.device = system.fstat(fd).st_dev

    @classmethod
    def at(cls, system: System, path: str, modes: Modes = PRIVATE) -> Directory:
        """
        Open an existing directory by its path; its last component may not be a link.

        Raises:
            OSError: As the system says.
        """
        return cls(system, system.open(path, _DIRECTORY), path, modes)

    def close(self) -> None:
        """Close it; a second time does nothing."""
        if self.fd >= 0:
            self.system.close(self.fd)
            self.fd = -1

    def sync(self) -> None:
        """Bring the names in it to disk."""
        self.system.fsync(self.fd)

    def names(self) -> list[str]:
        """List what is in it, sorted."""
        return sorted(self.system.listdir(self.fd))

    def identity(self) -> tuple[int, int]:
        """Tell device and inode."""
        found = self.system.fstat(self.fd)
        return found.st_dev, found.st_ino

    def exists(self, name: str) -> bool:
        """Tell whether the name stands in it, whatever it names."""
        try:
            self.system.stat(name, dir_fd=self.fd)
        except FileNotFoundError:
            return False
        return True

    def open_directory(self, name: str) -> Directory:
        """
        Open a directory in it.

        Raises:
            FileNotFoundError: There is none.
            TrailTampered: The name is a link, a file, someone else's, or on another device.
        """
        fd = self._open(name, _DIRECTORY)
        try:
            return self._checked_directory(fd, name)
        except BaseException:
            self.system.close(fd)
            raise

    def make_directory(self, name: str) -> Directory:
        """Make a directory in it, or open the one that is there; durable when this returns."""
        with contextlib.suppress(FileExistsError):
            self.system.mkdir(name, self.modes.directory, dir_fd=self.fd)
        made = self.open_directory(name)
        try:
            self._give(made.fd, self.modes.directory)
            made.sync()
            self.sync()
        except BaseException:
            made.close()
            raise
        return made

    def open_file(self, name: str, flags: int) -> int:
        """
        Open a regular file in it.

        Raises:
            FileNotFoundError: There is none (and *flags* do not create).
            TrailTampered: It is a link, no regular file, someone else's, has more than one name, or is on another device.
        """
        fd = self._open(name, flags | os.O_NONBLOCK)
        try:
            if flags & os.O_CREAT:
                self._give(fd, self.modes.file)
            self._check_file(self.system.fstat(fd), name)
        except BaseException:
            self.system.close(fd)
            raise
        return fd

    def private(self) -> Directory:
        """Give this directory for files that nobody else may open, whatever group may read the others; not to be closed."""
        return Directory(self.system, self.fd, self.path)

    def read_file(self, name: str, limit: int = 16 << 20) -> bytes:
        """Read a small file whole; the same errors as :meth:`open_file`."""
        fd = self.open_file(name, os.O_RDONLY)
        try:
            size = self.system.fstat(fd).st_size
            if size > limit:
                message = f"{self.path}/{name} has {size} bytes, more than it can have"
                raise TrailTampered(message)
            return read_exactly(self.system, fd, 0, size)
        finally:
            self.system.close(fd)

    def replace_file(self, name: str, data: bytes) -> None:
        """
        Put a file in place, whole and durable: written aside, synced, renamed, the directory synced.

        If we crash before the rename the old file stands, afterwards the new one; a left-over ``.tmp`` is overwritten the next time.
        """
        temporary = f"{name}.tmp"
        with contextlib.suppress(FileNotFoundError):
            self.system.unlink(temporary, dir_fd=self.fd)
        fd = self.open_file(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            write_all(self.system, fd, data)
            self.system.fsync(fd)
        finally:
            self.system.close(fd)
        self.system.rename(temporary, name, self.fd)
        self.sync()

    def _open(self, name: str, flags: int) -> int:
        try:
            return self.system.open(name, flags, self.modes.file, dir_fd=self.fd)
        except OSError as error:
            # ELOOP: a link; ENOTDIR: a file (or link) where a directory belongs
            if error.errno in _WRONG_KIND:
                message = f"{self.path}/{name} is not what the trail put there ({error.strerror}); look at who replaced it"
                raise TrailTampered(message) from error
            raise

    def _give(self, fd: int, mode: int) -> None:
        self.system.chmod(fd, mode)
        if self.modes.group is not None:
            self.system.chown_group(fd, self.modes.group)

    def _checked_directory(self, fd: int, name: str) -> Directory:
        found = self.system.fstat(fd)
        self._check_owner(found, name)
        return Directory(self.system, fd, f"{self.path}/{name}", self.modes)

    def _check_file(self, found: os.stat_result, name: str) -> None:
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            what = f"has {found.st_nlink} links" if stat.S_ISREG(found.st_mode) else "is not a regular file"
            message = f"{self.path}/{name} {what}; the trail's files are regular and have one name: look at who replaced it"
            raise TrailTampered(message)
        self._check_owner(found, name)

    def _check_owner(self, found: os.stat_result, name: str) -> None:
        if found.st_uid != self.system.uid():
            message = f"{self.path}/{name} belongs to user {found.st_uid}, not to this process' user {self.system.uid()}"
            raise TrailTampered(message)
        if found.st_dev != self.device:
            message = f"{self.path}/{name} lies on another device than its directory; a mount has been put over it"
            raise TrailTampered(message)


def make_directories(system: System, path: str, mode: int = 0o700) -> None:
    """
    Make a directory and its parents, each durable in the one above it, from the first that is missing.

    Raises:
        OSError: As the system says.
    """
    missing: list[str] = []
    while True:
        try:
            system.stat(path)
            break
        except FileNotFoundError:
            missing.append(path)
            path = os.path.dirname(path)
    for made in reversed(missing):
        with contextlib.suppress(FileExistsError):
            system.mkdir(made, mode)
        parent = Directory.at(system, os.path.dirname(made))
        try:
            parent.sync()
        finally:
            parent.close()


def sync_ancestors(system: System, path: str) -> None:
    """
    Bring the names that lead to a new directory to disk, from it up to the root.

    A name that is found may have been made by a process that was killed before it could sync it.
    """
    while True:
        with contextlib.suppress(PermissionError):
            directory = Directory.at(system, path)
            try:
                directory.sync()
            finally:
                directory.close()
        if os.path.dirname(path) == path:
            return
        path = os.path.dirname(path)


def read_exactly(system: System, fd: int, offset: int, size: int) -> bytes:
    """Read *size* bytes at *offset*, fewer only at the end of the file."""
    pieces: list[bytes] = []
    while size > 0:
        piece = system.read(fd, min(size, 1 << 20), offset)
        if not piece:
            break
        pieces.append(piece)
        offset += len(piece)
        size -= len(piece)
    return b"".join(pieces)


def read_blocks(system: System, fd: int, start: int, end: int, block: int = 1 << 20) -> Iterator[bytes]:
    """Read a range in blocks, so that no segment is ever in memory whole."""
    while start < end:
        piece = system.read(fd, min(block, end - start), start)
        if not piece:
            return
        yield piece
        start += len(piece)


def write_all(system: System, fd: int, data: bytes) -> None:
    """
    Write *data* whole to a file that nobody else reads yet.

    Raises:
        OSError: As the system says; a write that makes no progress is an error, too.
    """
    done = 0
    while done < len(data):
        count = system.write(fd, data[done:])
        if count <= 0:
            message = "a write made no progress"
            raise OSError(message)
        done += count


def refuse_network(system: System, path: str, what: str) -> None:
    """
    Refuse a path on a file system whose locks do not hold.

    Args:
        system: Gives the table of mounts.
        path: Resolved.
        what: ``the trail``, ``the state directory``: for the message.

    Raises:
        SettingsError: It lies on NFS or the like.
    """
    kind = filesystem_type(system.mounts(), path)
    if kind in NETWORK_FILESYSTEMS:
        message = f"{what} at {path} lies on a {kind} file system, where locks and syncs do not hold; choose a directory on a local disk"
        raise SettingsError(message)
