"""
The files of an export while they are written: what is on disk at a mark stays, what follows it is written again after an interruption.

Source: FORMAT.md names a call's fields; manifest.py says what the files are.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from otel_tool_audit.errors import SettingsError, TrailCorrupt
from otel_tool_audit.export import delimited, jsonl
from otel_tool_audit.review.index import columns

FORMATS: Final = ("jsonl", "csv", "parquet")
PART: Final = 250_000
"""Rows of one Parquet file: such a file cannot be continued, so an interruption costs at most so many rows."""

_GROUP: Final = 50_000
_BLOCK: Final = 1 << 20
_NEW: Final = os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


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


def part_of(style: str, calls: Sequence[Mapping[str, Any]]) -> FilePart:
    """
    Write calls as they go into a file; a helper process can do it.

    Args:
        style: One of :data:`FORMATS`.
        calls: Any number.
    """
    if not calls:
        return FilePart(b"", 0, "", "", "")
    if style == "parquet":
        data = columns.batch(calls).serialize().to_pybytes()
    else:
        data = (jsonl if style == "jsonl" else delimited).encode(calls)
    first, last = calls[0], calls[-1]
    return FilePart(data, len(calls), str(first.get("timestamp")), str(last.get("timestamp")), str(last.get("call_id")))


def sink(style: str, folder: str, done: Sequence[File]) -> Sink:
    """
    Open the files of an export, new ones or those of an interrupted one.

    Args:
        style: One of :data:`FORMATS`.
        folder: Its directory.
        done: The files as they stood at the last mark; empty for a new export.

    Raises:
        TrailCorrupt: What is there is not what stood at the mark.
        SettingsError: The packages of the format are not installed.
    """
    for file in done:
        if digest(os.path.join(folder, file.name), file.bytes) != file.sha256:
            raise TrailCorrupt(f"{folder}/{file.name} is not what the interrupted export wrote; remove {folder} and begin anew")
    if style == "parquet":
        return _Parts(folder, done)
    text = jsonl if style == "jsonl" else delimited
    return _Text(os.path.join(folder, text.NAME), done[0] if done else None, text.header())


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


def pyarrow() -> Any:  # noqa: ANN401 - a module without types
    """
    Import what writes and reads Parquet.

    Raises:
        SettingsError: It is not installed.
    """
    try:
        importlib.import_module("pyarrow.parquet")
        return importlib.import_module("pyarrow")
    except ImportError as error:
        raise SettingsError("Parquet needs pyarrow: pip install 'otel-tool-audit[query]', or choose jsonl or csv") from error


def parquet(calls: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """
    Write calls as one Parquet file, piece by piece.

    Args:
        calls: Any number.

    Raises:
        SettingsError: The packages for it are not installed.
    """
    arrow = pyarrow()
    target = _Pieces()
    with arrow.parquet.ParquetWriter(target, columns.schema(), compression="zstd") as writer:
        for batch in columns.batches(calls):
            writer.write_batch(batch)
            yield target.take()
    yield target.take()


class _Pieces(io.RawIOBase):
    """A file of which only what was not taken yet is held."""

    def __init__(self) -> None:
        super().__init__()
        self._held: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._size

    def write(self, data: Any) -> int:  # noqa: ANN401 - any buffer
        piece = bytes(data)
        self._held.append(piece)
        self._size += len(piece)
        return len(piece)

    def close(self) -> None:
        """Nothing: what is held is still to be taken."""

    def take(self) -> bytes:
        """Give what was written since the last time."""
        piece, self._held = b"".join(self._held), []
        return piece


class _Text:
    """One growing file of lines."""

    def __init__(self, path: str, done: File | None, header: bytes) -> None:
        self._name = os.path.basename(path)
        self._rows = done.rows if done else 0
        self._size = done.bytes if done else 0
        self._digest = hashlib.sha256()
        self._fresh = 0
        self._file = open(os.open(path, os.O_RDWR | _NEW, 0o600), "r+b")  # noqa: SIM115 - closed by close()
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
        self._put(part.data)
        self._rows += part.rows
        self._fresh += part.rows

    @property
    def due(self) -> bool:
        return self._fresh >= _GROUP

    def mark(self) -> list[File]:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._fresh = 0
        return [File(self._name, self._rows, self._size, self._digest.hexdigest())]

    def close(self) -> None:
        self._file.close()


class _Parts:
    """Parquet files of :data:`PART` rows; a mark ends one, and what was begun after it is thrown away."""

    def __init__(self, folder: str, done: Sequence[File]) -> None:
        self._folder = folder
        self._done = list(done)
        self._arrow = pyarrow()
        self._schema = columns.schema()
        self._rows = 0
        self._held: list[Any] = []
        self._waiting = 0
        self._writer: Any = None

    @property
    def _name(self) -> str:
        return f"calls-{len(self._done):05d}.parquet"

    def write(self, part: FilePart) -> None:
        self._held.append(self._arrow.ipc.read_record_batch(self._arrow.py_buffer(part.data), self._schema))
        self._rows += part.rows
        self._waiting += part.rows
        if self._waiting >= _GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._writer is None:
            path = os.path.join(self._folder, self._name)
            os.close(os.open(path, os.O_WRONLY | os.O_TRUNC | _NEW, 0o600))
            self._writer = self._arrow.parquet.ParquetWriter(path, self._schema, compression="zstd")
        # one array a column: the bytes of a file do not depend on how many calls came at a time
        self._writer.write_table(self._arrow.Table.from_batches(self._held, schema=self._schema).combine_chunks())
        self._held, self._waiting = [], 0

    @property
    def due(self) -> bool:
        return self._rows >= PART

    def mark(self) -> list[File]:
        if self._rows or not self._done:
            self._flush()
            self._writer.close()
            self._writer = None
            path = os.path.join(self._folder, self._name)
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            self._done.append(File(self._name, self._rows, os.stat(path).st_size, str(digest(path))))
            self._rows = 0
        return self._done

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
