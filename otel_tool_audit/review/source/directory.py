"""
Opening what lies in a trail or a state directory, so that no link and no foreign file is taken for part of it.

Everything is opened for reading, relative to a directory's descriptor, and nothing is ever locked. That a name is not there, or stands for
something else, is evidence (``FileNotFoundError``, :class:`UnsafeFileError`); every other error of the system says something of this process or its
host, and becomes :class:`~otel_tool_audit.errors.TrailUnreadable`, which nothing on the way takes for a finding.

Source: PROTOCOL.md, rules 5 and 12.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from typing import Final, Self

from otel_tool_audit.errors import TrailUnreadable

_READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
_SMALL: Final = 16 << 20
_ANOTHER_KIND: Final = frozenset({errno.ELOOP, errno.ENOTDIR})

_SOMETHING_ELSE: Final = "something else"
_KINDS: Final = ((stat.S_ISLNK, "a symbolic link"), (stat.S_ISREG, "a file"), (stat.S_ISDIR, "a directory"))

Stamp = list[int]
"""What tells a file from every other, and from itself after a change: device, inode, size, and times of change and modification (ns)."""


class UnsafeFileError(Exception):
    """A name in a trail leads to something that no writer put there. The message says what."""


@contextlib.contextmanager
def reading(what: str) -> Iterator[None]:
    """
    Let through what is evidence, and say of any other error of the system that *what* could not be read.

    Raises:
        TrailUnreadable: The system gave an error that says nothing of what is there.
    """
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise unreadable(what, error) from error


@contextlib.contextmanager
def within_memory() -> Iterator[None]:
    """
    Say of a reader that ran out of memory that it could not read on.

    Raises:
        TrailUnreadable: It ran out of memory.
    """
    try:
        yield
    except MemoryError as error:
        message = "the trail could not be read to its end: out of memory; nothing is known of the rest, try again with more"
        raise TrailUnreadable(message) from error


def unreadable(what: str, error: OSError) -> TrailUnreadable:
    """Say that something could not be read, and why."""
    return TrailUnreadable(f"{what} could not be read: {error.strerror or error}; nothing is known of it, try again when the host lets it be read")


class Folder:
    """An open directory; names in it are opened through its descriptor. It is closed with the last reference, at the latest."""

    descriptor = -1

    def __init__(self, descriptor: int, path: str, owner: int | None = None, device: int | None = None) -> None:
        """
        Take an open directory.

        Args:
            descriptor: Of the directory; closed with this object.
            path: Where it lies, for messages.
            owner: User id that everything below must have; by default the directory's own.
            device: Device that everything below must lie on; by default the directory's own.
        """
        with reading(path):
            found = os.fstat(descriptor)
        # ours only from here on: until then whoever opened it closes it
        self.descriptor = descriptor
        self.path = path
        self.identity = (found.st_dev, found.st_ino)
        self.owner = found.st_uid if owner is None else owner
        self.device = found.st_dev if device is None else device

    @classmethod
    def at(cls, path: str) -> Folder:
        """
        Open the directory at *path*; its last component may not be a link.

        Raises:
            UnsafeFileError: It is a link, or no directory.
            FileNotFoundError: There is none.
            TrailUnreadable: It could not be opened.
        """
        try:
            with reading(path):
                descriptor = _open(path, _READ | os.O_DIRECTORY)
            try:
                return cls(descriptor, path)
            except BaseException:
                os.close(descriptor)
                raise
        except _AnotherKind as error:
            message = f"{path} is {_kind(path)}, not a directory"
            raise UnsafeFileError(message) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it; a second time does nothing."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def __del__(self) -> None:
        # a reader that nobody closed must not use up the descriptors that the writers of its process need
        self.close()

    def names(self) -> list[str]:
        """List the names in it, sorted."""
        with reading(self.path):
            return sorted(os.listdir(self.descriptor))

    def stat(self, name: str) -> os.stat_result | None:
        """Describe what a name stands for, following no link; None when it is not there."""
        try:
            with reading(f"{self.path}/{name}"):
                return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def stamp(self, name: str) -> Stamp | None:
        """Tell which file a name stands for, and in which state; None when it is not there."""
        found = self.stat(name)
        return None if found is None else stamp_of(found)

    def folder(self, name: str) -> Folder:
        """
        Open a directory in it.

        Raises:
            UnsafeFileError: It is a link, a file, someone else's, or on another device.
            FileNotFoundError: There is none.
            TrailUnreadable: It could not be opened.
        """
        descriptor = self._open(name, _READ | os.O_DIRECTORY)
        try:
            self._check(described(descriptor), name)
            return Folder(descriptor, f"{self.path}/{name}", self.owner, self.device)
        except BaseException:
            os.close(descriptor)
            raise

    def file(self, name: str) -> int:
        """
        Open a regular file in it.

        Returns:
            A descriptor that the caller closes.

        Raises:
            UnsafeFileError: It is a link, no regular file, someone else's, has more than one name, or is on another device.
            FileNotFoundError: There is none.
            TrailUnreadable: It could not be opened.
        """
        # a named pipe must not make the reader wait for somebody to write into it
        descriptor = self._open(name, _READ | os.O_NONBLOCK)
        try:
            found = described(descriptor)
            if not stat.S_ISREG(found.st_mode):
                message = f"{self.path}/{name} is not a regular file"
                raise UnsafeFileError(message)
            if found.st_nlink != 1:
                message = f"{self.path}/{name} has {found.st_nlink} names instead of one: it was linked or removed from outside"
                raise UnsafeFileError(message)
            self._check(found, name)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    @contextlib.contextmanager
    def opened(self, name: str) -> Iterator[int]:
        """Open a regular file as :meth:`file` does, and close it afterwards."""
        descriptor = self.file(name)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def read(self, name: str, limit: int = _SMALL) -> bytes:
        """
        Read a small file whole.

        Args:
            name: In this directory.
            limit: The largest size it may have, in bytes.

        Raises:
            UnsafeFileError: As :meth:`file`; or it is larger.
            FileNotFoundError: There is none.
            TrailUnreadable: It could not be read.
        """
        with self.opened(name) as descriptor:
            size = described(descriptor).st_size
            if size > limit:
                message = f"{self.path}/{name} has {size} bytes, more than it can have"
                raise UnsafeFileError(message)
            return pread(descriptor, size, 0)

    def _open(self, name: str, flags: int) -> int:
        try:
            with reading(f"{self.path}/{name}"):
                return _open(name, flags, self.descriptor)
        except _AnotherKind as error:
            message = f"{self.path}/{name} is {_kind(name, self.descriptor)}, which no writer put there"
            raise UnsafeFileError(message) from error

    def _check(self, found: os.stat_result, name: str) -> None:
        if found.st_uid != self.owner:
            message = f"{self.path}/{name} belongs to user {found.st_uid}, not to user {self.owner} as the directory does"
            raise UnsafeFileError(message)
        if found.st_dev != self.device:
            message = f"{self.path}/{name} lies on another device: something was mounted over it"
            raise UnsafeFileError(message)


class _AnotherKind(Exception):
    """What a name stands for is of a kind that cannot be opened as asked."""


def _open(name: str, flags: int, directory: int | None = None) -> int:
    try:
        return os.open(name, flags, dir_fd=directory)
    except FileNotFoundError:
        raise
    except OSError as error:
        # a socket gives ENXIO, as a device without a driver does: what it is is looked up, and only that is evidence
        if error.errno in _ANOTHER_KIND or _kind(name, directory) == _SOMETHING_ELSE:
            raise _AnotherKind from error
        raise


def _kind(name: str, descriptor: int | None = None) -> str:
    try:
        mode = os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode
    except OSError:
        return "not what it was a moment ago"
    return next((kind for test, kind in _KINDS if test(mode)), _SOMETHING_ELSE)


def stamp_of(found: os.stat_result) -> Stamp:
    """Say which file this is, and in which state."""
    return [found.st_dev, found.st_ino, found.st_size, found.st_ctime_ns, found.st_mtime_ns]


def described(descriptor: int) -> os.stat_result:
    """
    Describe an open file.

    Raises:
        TrailUnreadable: The system does not tell.
    """
    try:
        return os.fstat(descriptor)
    except OSError as error:
        raise unreadable(_path_of(descriptor), error) from error


def pread(descriptor: int, size: int, offset: int) -> bytes:
    """
    Read *size* bytes at *offset*, fewer only at the end of the file.

    Raises:
        TrailUnreadable: They could not be read.
    """
    try:
        data = os.pread(descriptor, size, offset)
        while data and len(data) < size:
            more = os.pread(descriptor, size - len(data), offset + len(data))
            if not more:
                break
            data += more
    except OSError as error:
        raise unreadable(_path_of(descriptor), error) from error
    return data


def _path_of(descriptor: int) -> str:
    """Find the path of an open file for a message."""
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return "a file of the trail"


def resolve(path: str | os.PathLike[str]) -> str:
    """Resolve all of a path but its last component, which may not be a link."""
    absolute = os.path.abspath(os.fspath(path))
    return os.path.join(os.path.realpath(os.path.dirname(absolute)), os.path.basename(absolute))
