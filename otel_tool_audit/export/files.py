"""
The files of an export while they are written: what is on disk at a mark stays, what follows it is written again after an interruption.

Source: FORMAT.md names a call's fields; manifest.py says what the files are.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol

PART: Final = 250_000
"""Rows of a file that cannot be continued once it is closed: an interruption costs at most so many."""

NEW: Final = os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC

_GROUP: Final = 50_000
_BLOCK: Final = 1 << 20


class File(NamedTuple):
    """
    A file of an export.

    Attributes:
        name: In the export's directory.
        rows: Calls in it.
        bytes: Its size.
        sha256: Of these bytes, 64 hex digits.
    """

    name: str
    rows: int
    bytes: int
    sha256: str


class FilePart(NamedTuple):
    """
    Calls as they go into a file.

    Attributes:
        data: Lines; of Parquet, an Arrow record batch.
        rows: How many calls.
        first: Timestamp of the first call.
        last: Timestamp of the last one.
        last_id: Its call id.
    """

    data: bytes
    rows: int
    first: str
    last: str
    last_id: str


class Stored(NamedTuple):
    """
    A row as it was read back.

    Attributes:
        fields: What stands there, by column.
        seq: The seq of the record that it names.
        records: The records that the call is said to be made of.
    """

    fields: Mapping[str, Any]
    seq: int
    records: Any


class Sink(Protocol):
    """Where calls go. A mark is a moment at which all rows given so far are on disk."""

    def write(self, part: FilePart) -> None:
        """Take calls."""

    @property
    def due(self) -> bool:
        """Whether a mark may be made now."""

    def mark(self) -> list[File]:
        """Bring everything to disk and say what is there."""

    def close(self) -> None:
        """Let the files go."""


def digest(path: str, size: int | None = None) -> str | None:
    """
    Digest a file, or its beginning.

    Args:
        path: The file.
        size: How many bytes; None: all.

    Returns:
        SHA-256, 64 hex digits; None when it is not there or shorter.
    """
    found = hashlib.sha256()
    left = size
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
            while left is None or left > 0:
                block = file.read(_BLOCK if left is None else min(_BLOCK, left))
                if not block:
                    break
                found.update(block)
                left = None if left is None else left - len(block)
    except FileNotFoundError:
        return None
    return found.hexdigest() if not left else None


class TextFile:
    """One growing file of lines."""

    def __init__(self, path: str, done: File | None, header: bytes) -> None:
        """
        Begin, or go on.

        Args:
            path: The file.
            done: How it stood at the last mark; None: it is new.
            header: What stands before its first line.
        """
        self._name = os.path.basename(path)
        self._rows = done.rows if done else 0
        self._size = done.bytes if done else 0
        self._digest = hashlib.sha256()
        self._fresh = 0
        self._file = open(os.open(path, os.O_RDWR | NEW, 0o600), "r+b")  # noqa: SIM115 - closed by close()
        if done:
            for at in range(0, done.bytes, _BLOCK):
                self._digest.update(self._file.read(min(_BLOCK, done.bytes - at)))
        self._file.truncate(self._size)
        if not done:
            self._put(header)

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)
        self._size += len(data)

    def write(self, part: FilePart) -> None:
        """Take calls."""
        self._put(part.data)
        self._rows += part.rows
        self._fresh += part.rows

    @property
    def due(self) -> bool:
        """Whether enough is written for a mark."""
        return self._fresh >= _GROUP

    def mark(self) -> list[File]:
        """Bring everything to disk and say what is there."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._fresh = 0
        return [File(self._name, self._rows, self._size, self._digest.hexdigest())]

    def close(self) -> None:
        """Let the file go."""
        self._file.close()
