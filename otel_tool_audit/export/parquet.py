"""Calls as Parquet: for whoever counts them with other programs. A file is closed before it can be read, so an export has several."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from otel_tool_audit.export import files
from otel_tool_audit.export.files import NEW, File, FilePart, Stored, digest
from otel_tool_audit.extras import optional
from otel_tool_audit.format.nesting import read_json
from otel_tool_audit.host.durable import sync
from otel_tool_audit.review.index import columns

_GROUP: Final = 50_000
_BATCH: Final = 10_000


def pyarrow() -> Any:  # noqa: ANN401 - a module without types
    """
    Import what writes and reads Parquet.

    Raises:
        SettingsError: It is not installed.
    """
    missing = "Parquet needs pyarrow: pip install 'otel-tool-audit[query]', or choose jsonl or csv"
    optional("pyarrow.parquet", missing)
    return optional("pyarrow", missing)


def encode(calls: Sequence[Mapping[str, Any]]) -> bytes:
    """Write calls as an Arrow record batch."""
    data: bytes = columns.batch(calls).serialize().to_pybytes()
    return data


def decode(path: str) -> Iterator[Stored]:
    """Read the rows of a file."""
    for batch in pyarrow().parquet.ParquetFile(path).iter_batches(_BATCH):
        for row in batch.to_pylist():
            yield Stored(row, row["seq"], read_json(row["records"]))


def pieces(calls: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """
    Write calls as one file, piece by piece.

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


class ParquetFiles:
    """Files of :data:`~otel_tool_audit.export.files.PART` rows; a mark ends one, and what was begun after it is thrown away."""

    def __init__(self, folder: str, done: Sequence[File]) -> None:
        """
        Begin, or go on.

        Args:
            folder: The export's directory.
            done: The files as they stood at the last mark.

        Raises:
            SettingsError: pyarrow is not installed.
        """
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
        """Take calls."""
        self._held.append(self._arrow.ipc.read_record_batch(self._arrow.py_buffer(part.data), self._schema))
        self._rows += part.rows
        self._waiting += part.rows
        if self._waiting >= _GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._writer is None:
            path = os.path.join(self._folder, self._name)
            os.close(os.open(path, os.O_WRONLY | os.O_TRUNC | NEW, 0o600))
            self._writer = self._arrow.parquet.ParquetWriter(path, self._schema, compression="zstd")
        # one array a column: the bytes of a file do not depend on how many calls came at a time
        self._writer.write_table(self._arrow.Table.from_batches(self._held, schema=self._schema).combine_chunks())
        self._held, self._waiting = [], 0

    @property
    def due(self) -> bool:
        """Whether a file has its rows."""
        return self._rows >= files.PART

    def mark(self) -> list[File]:
        """End a file, and say which there are."""
        if self._rows or not self._done:
            self._flush()
            self._writer.close()
            self._writer = None
            path = os.path.join(self._folder, self._name)
            sync(path)
            self._done.append(File(self._name, self._rows, os.stat(path).st_size, str(digest(path))))
            self._rows = 0
        return self._done

    def close(self) -> None:
        """Let the open file go."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
