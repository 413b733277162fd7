"""
The formats of exported calls. One more is one more value here; everything that writes, offers or checks exports asks this list.

Source: ARCHITECTURE.md, R28; FORMAT.md names a call's fields.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from otel_tool_audit.errors import SettingsError, TrailCorrupt
from otel_tool_audit.export import delimited, jsonl, parquet
from otel_tool_audit.export.files import File, FilePart, Sink, Stored, TextFile, digest
from otel_tool_audit.review.calls.fold import Call
from otel_tool_audit.review.index import columns
from otel_tool_audit.text import one_of


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """
    A format of calls.

    Attributes:
        name: What it is called, and how its files' names end.
        encode: Writes calls as they go into a file; a helper process can do it.
        decode: Reads a file's rows back.
        row: What *decode* reads of a call.
        header: What stands before the first call.
        require: Imports the packages of its extra, or says which to install; None: it needs none.
        pieces: Writes calls as one whole file; None: the header, then each call.
        sink: Opens the files of an export where they cannot simply grow; None: they can.
    """

    name: str
    encode: Callable[[Sequence[Mapping[str, Any]]], bytes]
    decode: Callable[[str], Iterator[Stored]]
    row: Callable[[Call], Mapping[str, Any]]
    header: bytes = b""
    require: Callable[[], object] | None = None
    pieces: Callable[[Iterable[Mapping[str, Any]]], Iterator[bytes]] | None = None
    sink: Callable[[str, Sequence[File]], Sink] | None = None

    @property
    def streams(self) -> bool:
        """Whether a file grows call by call, and can be read before its end."""
        return self.sink is None


FORMATS: tuple[ExportFormat, ...] = (
    ExportFormat("jsonl", jsonl.encode, jsonl.decode, jsonl.row),
    ExportFormat("csv", delimited.encode, delimited.decode, delimited.row, header=delimited.header()),
    ExportFormat("parquet", parquet.encode, parquet.decode, columns.row, require=parquet.pyarrow, pieces=parquet.pieces, sink=parquet.ParquetFiles),
)
"""All of them; the first is the usual one."""

_NOTHING: Final = FilePart(b"", 0, "", "", "")


def names() -> tuple[str, ...]:
    """Name all formats."""
    return tuple(known.name for known in FORMATS)


def named(name: str) -> ExportFormat:
    """
    Find a format.

    Raises:
        SettingsError: There is none of that name, or its packages are not installed.
    """
    found = next((known for known in FORMATS if known.name == name), None)
    if found is None:
        raise SettingsError(f"there is no format {name!r}: use {one_of(names())}")
    if found.require is not None:
        found.require()
    return found


def part_of(name: str, calls: Sequence[Mapping[str, Any]]) -> FilePart:
    """
    Write calls as they go into a file; a helper process can do it.

    Args:
        name: Of the format.
        calls: Any number.
    """
    if not calls:
        return _NOTHING
    first, last = calls[0], calls[-1]
    return FilePart(named(name).encode(calls), len(calls), str(first.get("timestamp")), str(last.get("timestamp")), str(last.get("call_id")))


def pieces(name: str, calls: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """
    Write calls as one file, piece by piece.

    Args:
        name: Of the format.
        calls: Any number.
    """
    found = named(name)
    if found.pieces is not None:
        yield from found.pieces(calls)
        return
    yield found.header
    for call in calls:
        yield found.encode([call])


def sink(name: str, folder: str, done: Sequence[File]) -> Sink:
    """
    Open the files of an export, new ones or those of an interrupted one.

    Args:
        name: Of the format.
        folder: Its directory.
        done: The files as they stood at the last mark; empty for a new export.

    Raises:
        TrailCorrupt: What is there is not what stood at the mark.
        SettingsError: The packages of the format are not installed.
    """
    for file in done:
        if digest(os.path.join(folder, file.name), file.bytes) != file.sha256:
            raise TrailCorrupt(f"{folder}/{file.name} is not what the interrupted export wrote; remove {folder} and begin anew")
    found = named(name)
    if found.sink is not None:
        return found.sink(folder, done)
    return TextFile(os.path.join(folder, f"calls.{name}"), done[0] if done else None, found.header)
