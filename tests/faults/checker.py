"""A checker of trails for these tests, written from FORMAT.md alone: it shares no code with the package."""

from __future__ import annotations

import hashlib
import json
import re
import struct
import zlib
from pathlib import Path

_LINE = re.compile(rb'\{"seq":(0|[1-9][0-9]*),"previous_hash":"([0-9a-f]{64})","event":"([a-z_.]+)","call_id":(null|"[0-9a-f]{32}"),')
_SLOT = struct.Struct("<8sQ32s16sIQIQQ32sQQ32sII32sQIQQQQ32s")
NONE = 2**64 - 1


class Broken(AssertionError):
    """The files are not what FORMAT.md allows."""


def origin(trail_id: str, chain: str, epoch: int) -> str:
    return hashlib.sha256((f"{trail_id}/{chain}" + (f"/{epoch}" if epoch else "")).encode()).hexdigest()


def read_head(path: Path) -> dict[str, object]:
    """The newest valid slot of a head file, as FORMAT.md section 5 lays it out."""
    data = path.read_bytes()
    if len(data) != 4096:
        raise Broken(f"{path} has {len(data)} bytes")
    slots = []
    for at in (0, 2048):
        packed, crc = data[at : at + 292], data[at + 292 : at + 296]
        if packed[:8] == b"OTAHEAD1" and struct.pack("<I", zlib.crc32(packed)) == crc:
            slots.append(_SLOT.unpack(packed))
    if not slots:
        raise Broken(f"{path} has no valid slot")
    f = max(slots, key=lambda slot: slot[1])
    return {
        "generation": f[1], "origin": f[2].hex(), "clean": bool(f[4] & 1), "poisoned": bool(f[4] & 2), "os": bool(f[4] & 4),
        "segment": (f[5], f[6]), "written": (f[7], f[8], f[9].hex()), "synced": (f[10], f[11], f[12].hex()),
        "pending": (f[13], f[14], f[15].hex()), "previous": f[16:],
    }  # fmt: skip


def segments(directory: Path) -> list[tuple[int, int, Path]]:
    """First seq, attempt and path of every segment of a chain, in order."""
    found = []
    for path in directory.glob("*.jsonl"):
        first, _, attempt = path.stem.partition("-")
        found.append((int(first), int(attempt or 0), path))
    return sorted(found)


def check_line(line: bytes, seq: int, previous: str) -> dict[str, object]:
    """One line with its LF against its place; its JSON object."""
    if line[-76:-67] != b',"hash":"' or line[-3:] != b'"}\n':
        raise Broken(f"seq {seq} does not end as a line does")
    body, claimed = line[:-76] + b"}", line[-67:-3].decode()
    start = _LINE.match(body)
    if start is None or len(body) > 65_535:
        raise Broken(f"seq {seq} does not begin as a line does, or is too long")
    if (int(start[1]), start[2].decode()) != (seq, previous):
        raise Broken(f"seq {start[1].decode()} stands where seq {seq} belongs, or names another line before it")
    if hashlib.sha256(b"\x00" + body).hexdigest() != claimed:
        raise Broken(f"seq {seq} has another hash than it says")
    return dict(json.loads(line, object_pairs_hook=_no_twins))


def _no_twins(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Broken("a key stands twice")
    return found


def read_chain(trail: Path, chain: str, head: Path | None = None) -> list[dict[str, object]]:
    """
    Every record of a chain, checked. With *head* the end is the head's, else the last whole line.

    Epochs after an accepted loss are followed; what lies before them is then only as good as it is.
    """
    trail_id = json.loads((trail / "trail.json").read_bytes())["trail_id"]
    names = {(first, attempt): path for first, attempt, path in segments(trail / chain) if path.stat().st_size}
    chosen = [(first, attempt) for first, attempt in sorted(names) if (first, attempt + 1) not in names]
    records: list[dict[str, object]] = []
    previous, seq = origin(trail_id, chain, 0), 0
    for position, key in enumerate(chosen):
        data = names[key].read_bytes()
        if position + 1 < len(chosen):
            data = data[: _ending(names[chosen[position + 1]], names[key], data)]
        else:
            data = data[: _open_end(data, key, head)]
        if key[0] != seq:
            raise Broken(f"{names[key].name} begins at {key[0]}, the lines before it end at {seq}")
        for line in data.splitlines(keepends=True) if b"\r" not in data else [x + b"\n" for x in data.split(b"\n")[:-1]]:
            record = check_line(line, seq, previous)
            previous, seq = str(record["hash"]), seq + 1
            records.append(record)
    return records


def _ending(following: Path, path: Path, data: bytes) -> int:
    """Where a segment ends, as its successor says, and what it says of the bytes after it."""
    first = json.loads(following.read_bytes().split(b"\n")[0])
    told = first["details"]["previous"]
    if first["event"] != "trail.segment_opened" or told["segment"] != path.name:
        raise Broken(f"{following.name} does not say how {path.name} ended")
    end, aside = told["valid_end"], told["aside_bytes"]
    if told["aside_sha256"] is not None and hashlib.sha256(data[end : end + aside]).hexdigest() != told["aside_sha256"]:
        raise Broken(f"the bytes set aside in {path.name} changed")
    if told["aside_sha256"] is not None and len(data) != end + aside:
        raise Broken(f"{path.name} is longer or shorter than its successor says")
    return int(end)


def _open_end(data: bytes, key: tuple[int, int], head: Path | None) -> int:
    if head is None:
        return data.rfind(b"\n") + 1
    found = read_head(head)
    if found["segment"] != key:
        # the head moved on to a segment that has no line yet: this one ended as the head's "previous" says
        return int(found["previous"][2])  # type: ignore[index,call-overload,no-any-return]
    return int(found["written"][1])  # type: ignore[index]


def read_trail(trail: Path, state: Path | None = None) -> dict[str, list[dict[str, object]]]:
    """Every chain's records, checked."""
    trail_id = json.loads((trail / "trail.json").read_bytes())["trail_id"]
    chains = sorted(path.name for path in trail.iterdir() if path.is_dir() and path.name != ".state")
    return {chain: read_chain(trail, chain, state / "heads" / trail_id / chain if state else None) for chain in chains}
