"""
Seals: what a segment was when it was left. A convenience for readers and the archive, made again at any time, never evidence.

Source: FORMAT.md, section 4; PROTOCOL.md, rule 10.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import orjson

from otel_tool_audit.errors import TrailTampered
from otel_tool_audit.format.line import MAX_LINE, leaf_hash, split_line
from otel_tool_audit.format.names import parse_segment_name, seal_name, segment_name
from otel_tool_audit.format.segment_order import SegmentPart
from otel_tool_audit.host.directory import Directory, read_blocks, read_exactly
from otel_tool_audit.trail.chain.scan import first_record, named_ending, sha256_of


def seal_left_segments(directory: Directory, open_segment: tuple[int, int]) -> None:
    """
    Write the seals that are missing. Needs no lock: a segment that was left never changes again.

    Args:
        directory: The chain's.
        open_segment: First seq and attempt of the segment that is still written.

    Raises:
        OSError: The disk does not take it; it will be tried again.
    """
    names = directory.names()
    found = [p for p in map(parse_segment_name, names) if p is not None and p <= open_segment]
    for first_seq, attempt in sorted(found):
        name = segment_name(first_seq, attempt)
        ending = _previous_named_in(directory, name)
        if ending is None or seal_name(ending["segment"]) in names:
            continue
        seal = _seal(directory, ending)
        if seal is not None:
            directory.replace_file(seal_name(ending["segment"]), orjson.dumps(seal) + b"\n")


def renew_seals(directory: Directory, parts: Iterable[SegmentPart]) -> list[str]:
    """
    Make anew the seals that do not say what their segment is; a seal that is missing stays missing.

    Args:
        directory: The chain's; nobody writes it.
        parts: The segments that count.

    Returns:
        The names of those that were made anew.
    """
    names = set(directory.names())
    renewed = []
    for part in parts:
        name = seal_name(part.name)
        if part.ending is None or part.cut or name not in names:
            continue
        ending = {"segment": part.name, "first_seq": part.key[0], "attempt": part.key[1], "valid_end": part.ending.valid_end}
        seal = _seal(directory, ending)
        if seal is not None and _says(directory, name) != seal:
            directory.replace_file(name, orjson.dumps(seal) + b"\n")
            renewed.append(name)
    return renewed


def _says(directory: Directory, name: str) -> object:
    try:
        data = directory.read_file(name)
        return orjson.loads(data) if data.endswith(b"}\n") and data.count(b"\n") == 1 else None
    except (TrailTampered, ValueError):
        return None


def _previous_named_in(directory: Directory, name: str) -> dict[str, Any] | None:
    try:
        fd = directory.open_file(name, os.O_RDONLY)
    except TrailTampered:
        # what no writer put there, and an epoch gave up: it says nothing
        return None
    try:
        return named_ending(first_record(directory.system, fd))
    finally:
        directory.system.close(fd)


def _seal(directory: Directory, ending: dict[str, Any]) -> dict[str, Any] | None:
    name, end = ending["segment"], ending["valid_end"]
    try:
        fd = directory.open_file(name, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        system = directory.system
        first = _line(read_exactly(system, fd, 0, min(MAX_LINE, end)).split(b"\n")[0])
        last = _line(read_exactly(system, fd, max(0, end - MAX_LINE), min(MAX_LINE, end)).rstrip(b"\n").rsplit(b"\n", 1)[-1])
        if first is None or last is None:
            return None
        return {
            "segment": name, "first_seq": ending["first_seq"], "attempt": ending["attempt"], "count": sum(block.count(b"\n") for block in read_blocks(system, fd, 0, end)),
            "bytes": end, "sha256": sha256_of(system, fd, 0, end).hex(), "first_hash": first[1], "last_hash": last[1],
            "first_timestamp": first[0], "last_timestamp": last[0],
        }  # fmt: skip
    finally:
        directory.system.close(fd)


def _line(line: bytes) -> tuple[str, str] | None:
    parts = split_line(line + b"\n")
    if parts is None or leaf_hash(parts[0]).encode() != parts[1]:
        # lost after a failed sync and a crash of the host; what is not whole gets no seal
        return None
    try:
        return str(orjson.loads(parts[0])["timestamp"]), parts[1].decode()
    except (ValueError, KeyError, TypeError):
        return None
