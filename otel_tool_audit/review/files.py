"""
Opening what a stranger may have put there: nothing is followed, nothing foreign is read, nothing is written.

Source: HEAD.md, rule 5; FORMAT.md, section 1.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, Self

import orjson

from otel_tool_audit.errors import TrailCorrupt, UnsupportedFormat
from otel_tool_audit.trail.format import DOCUMENT, FORMAT, OWNER, PRIVATE_STATE, valid_chain, valid_trail_id

SMALL_FILE: Final = 16 << 20
"""The most bytes of a file that is read whole."""

_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class ForeignFile(TrailCorrupt):
    """A name in the trail leads to something that its writers do not make: a link, a device, someone else's file."""


class Folder:
    """An open directory; what lies in it is reached through its descriptor only."""

    def __init__(self, fd: int, path: str, owner: int, device: int) -> None:
        self.fd = fd
        self.path = path
        self.owner = owner
        self.device = device

    @classmethod
    def at(cls, path: str) -> Folder:
        """
        Open a directory by its path. Its owner is whom everything in it must belong to.

        Raises:
            OSError: As the system says; a link in the last component is refused.
        """
        fd = os.open(path, _FLAGS | os.O_DIRECTORY)
        found = os.fstat(fd)
        return cls(fd, path, found.st_uid, found.st_dev)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it; a second time does nothing."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def names(self) -> list[str]:
        """List what is in it, sorted."""
        return sorted(os.listdir(self.fd))

    def status(self, name: str) -> os.stat_result | None:
        """Describe what stands under a name, following nothing; None when nothing does."""
        try:
            return os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def folder(self, name: str) -> Folder:
        """
        Open a directory in it.

        Raises:
            FileNotFoundError: There is none.
            ForeignFile: It is no directory of the trail.
        """
        fd = self._open(name, _FLAGS | os.O_DIRECTORY)
        try:
            self._check(os.fstat(fd), name, stat.S_ISDIR, links=None)
        except BaseException:
            os.close(fd)
            raise
        return Folder(fd, f"{self.path}/{name}", self.owner, self.device)

    def file(self, name: str) -> int:
        """
        Open a regular file in it; the descriptor is the caller's.

        Raises:
            FileNotFoundError: There is none.
            ForeignFile: It is no file of the trail.
        """
        fd = self._open(name, _FLAGS)
        try:
            self._check(os.fstat(fd), name, stat.S_ISREG, links=1)
        except BaseException:
            os.close(fd)
            raise
        return fd

    @contextmanager
    def opened(self, name: str) -> Iterator[int]:
        """Open a regular file for a while; errors as :meth:`file`."""
        fd = self.file(name)
        try:
            yield fd
        finally:
            os.close(fd)

    def read(self, name: str, limit: int = SMALL_FILE) -> bytes:
        """Read a small file whole; errors as :meth:`file`."""
        with self.opened(name) as fd:
            data = read_range(fd, 0, limit + 1)
        if len(data) > limit:
            raise ForeignFile(f"{self.path}/{name} has more than {limit} bytes, which no such file of a trail has")
        return data

    def _open(self, name: str, flags: int) -> int:
        try:
            return os.open(name, flags, dir_fd=self.fd)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise ForeignFile(f"{self.path}/{name} cannot be opened as what it must be ({error.strerror})") from error

    def _check(self, found: os.stat_result, name: str, kind: Any, links: int | None) -> None:
        what = None
        if not kind(found.st_mode):
            what = "is not a regular file" if links else "is not a directory"
        elif links is not None and found.st_nlink != links:
            what = f"has {found.st_nlink} names instead of one"
        elif found.st_uid != self.owner:
            what = f"belongs to user {found.st_uid}, the trail to user {self.owner}"
        elif found.st_dev != self.device:
            what = "lies on another device than the trail"
        if what is not None:
            raise ForeignFile(f"{self.path}/{name} {what}: it was put there")


def read_range(fd: int, offset: int, size: int) -> bytes:
    """Read *size* bytes at *offset*, fewer only at the end of the file."""
    pieces: list[bytes] = []
    while size > 0:
        piece = os.pread(fd, min(size, 1 << 20), offset)
        if not piece:
            break
        pieces.append(piece)
        offset += len(piece)
        size -= len(piece)
    return b"".join(pieces)


class Document(NamedTuple):
    """
    What ``trail.json`` says.

    Attributes:
        trail_id: 32 hex digits.
        sha256: Digest of the file, 64 hex digits.
        content: Its JSON object.
    """

    trail_id: str
    sha256: str
    content: dict[str, Any]


def resolve(path: str | os.PathLike[str]) -> str:
    """Make a trail's path absolute and free of links, but for its last component (which may not be one)."""
    absolute = os.path.abspath(path)
    return os.path.join(os.path.realpath(os.path.dirname(absolute)), os.path.basename(absolute))


def open_trail(path: str | os.PathLike[str]) -> Folder:
    """
    Open a trail's directory.

    Raises:
        TrailCorrupt: There is none that can be read.
    """
    try:
        return Folder.at(resolve(path))
    except OSError as error:
        what = "is a symbolic link: give the directory itself" if os.path.islink(path) else f"cannot be opened as a directory ({error.strerror})"
        raise TrailCorrupt(f"the trail {os.fspath(path)} {what}") from error


def parse_document(data: bytes, where: str) -> Document:
    """
    Read a ``trail.json``.

    Raises:
        TrailCorrupt: It is none.
        UnsupportedFormat: It is of a newer format.
    """
    try:
        content = orjson.loads(data)
        version, trail_id = content["format"], content["trail_id"]
    except (ValueError, KeyError, TypeError) as error:
        raise TrailCorrupt(f"{where} cannot be read as the document of a trail: this is no trail, or it was damaged") from error
    if type(version) is not int or version < 1:
        raise TrailCorrupt(f"{where} names no valid format: this is no trail, or it was damaged")
    if version > FORMAT:
        raise UnsupportedFormat(f"{where} is of format {version}, this version reads up to {FORMAT}: use a newer otel-tool-audit")
    if not isinstance(trail_id, str) or not valid_trail_id(trail_id):
        raise TrailCorrupt(f"{where} names no valid trail id: this is no trail, or it was damaged")
    return Document(trail_id, hashlib.sha256(data).hexdigest(), content)


def read_document(root: Folder) -> Document:
    """
    Read the document of an open trail.

    Raises:
        TrailCorrupt: There is none, or it cannot be read.
        UnsupportedFormat: It is of a newer format.
    """
    where = f"{root.path}/{DOCUMENT}"
    try:
        return parse_document(root.read(DOCUMENT, 1 << 20), where)
    except FileNotFoundError:
        held = [n for n in root.names() if n != PRIVATE_STATE]
        what = f"holds no {DOCUMENT} (but {', '.join(held[:3])})" if held else "is empty"
        raise TrailCorrupt(f"{root.path} {what}: this is no trail, or its document was removed") from None


def chain_names(root: Folder) -> list[str]:
    """List the names in a trail that can be chains': directories, and links that pose as such."""
    found = []
    for name in root.names():
        if name == OWNER or not valid_chain(name):
            continue
        status = root.status(name)
        if status is not None and (stat.S_ISDIR(status.st_mode) or stat.S_ISLNK(status.st_mode)):
            found.append(name)
    return found
