"""Drawn changes to a frozen trail and its state directory: one each, by a seed, so that two verifiers can be held against each other."""

from __future__ import annotations

import hashlib
import re
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random

_LINE = re.compile(rb',"hash":"([0-9a-f]{64})"\}\n\Z')
_FIELDS = {
    "generation": (8, "Q"), "origin": (16, "32s"), "boot": (48, "16s"), "flags": (64, "I"), "first_seq": (68, "Q"), "attempt": (76, "I"),
    "written.count": (80, "Q"), "written.offset": (88, "Q"), "written.hash": (96, "32s"), "synced.count": (128, "Q"),
    "synced.offset": (136, "Q"), "synced.hash": (144, "32s"), "pending.lines": (176, "I"), "pending.bytes": (180, "I"),
    "pending.hash": (184, "32s"), "prev.first_seq": (216, "Q"), "prev.attempt": (224, "I"), "prev.valid_end": (228, "Q"),
    "prev.unsynced_count": (236, "Q"), "prev.unsynced_offset": (244, "Q"), "prev.aside_bytes": (252, "Q"), "prev.aside_sha256": (260, "32s"),
    "vouched_from": (304, "Q"), "key_id": (312, "8s"),
}  # fmt: skip
"""Source: FORMAT.md, section 5: where a slot's fields lie."""


class Placed:
    """A trail where it can be verified, and its state directory if it has one."""

    def __init__(self, trail: Path, state: Path | None) -> None:
        """Say where they lie."""
        self.trail, self.state = trail, state

    def files(self, pattern: str = "*") -> list[Path]:
        """Give files of both by name, in an order that stays; not ``places``, which holds this run's inodes."""
        roots = [self.trail, *([self.state] if self.state else [])]
        return sorted(p for root in roots for p in root.rglob(pattern) if p.is_file() and p.name not in {"places", "lock"})

    def segments(self) -> list[Path]:
        """Give segments that hold something."""
        return [p for p in self.files("*.jsonl") if p.stat().st_size]

    def heads(self) -> list[Path]:
        """Give the heads that the state directory has."""
        return sorted((self.state / "heads").glob("*/*")) if self.state else []


def flip_a_bit(of: Placed, draw: Random) -> str:
    """Anywhere in any file."""
    file = draw.choice([p for p in of.files() if p.stat().st_size])
    data = bytearray(file.read_bytes())
    at = draw.randrange(len(data))
    data[at] ^= 1 << draw.randrange(8)
    file.write_bytes(data)
    return f"{file.name} at {at}"


def move_lines(of: Placed, draw: Random) -> str:
    """Delete a line, repeat one, or swap two neighbours."""
    file = draw.choice(of.segments())
    lines = file.read_bytes().splitlines(keepends=True)
    at, how = draw.randrange(len(lines)), draw.choice(["delete", "repeat", "swap"])
    if how == "delete":
        del lines[at]
    elif how == "repeat":
        lines.insert(at, lines[at])
    else:
        lines[at - 1], lines[at] = lines[at], lines[at - 1]
    file.write_bytes(b"".join(lines))
    return f"{how} {file.parent.name}/{file.name} line {at}"


def cut_or_lengthen(of: Placed, draw: Random) -> str:
    """Cut a file anywhere or at a line's end, or add bytes, an empty line or a line from elsewhere."""
    file = draw.choice([p for p in of.files() if p.stat().st_size])
    data = file.read_bytes()
    ends = [m.end() for m in re.finditer(b"\n", data)] or [0]
    how = draw.choice(["anywhere", "at a line", "bytes", "empty line", "another line"])
    if how == "anywhere":
        data = data[: draw.randrange(len(data))]
    elif how == "at a line":
        data = data[: draw.choice([0, *ends[:-1]])]
    elif how == "bytes":
        data += draw.randbytes(draw.randrange(1, 90))
    elif how == "empty line":
        data += b"\n"
    else:
        data += draw.choice(draw.choice(of.segments()).read_bytes().splitlines(keepends=True))
    file.write_bytes(data)
    return f"{file.parent.name}/{file.name}: {how}"


def remove(of: Placed, draw: Random) -> str:
    """Take a file, or a whole chain, away."""
    chosen = draw.choice([*of.files(), *(p for p in sorted(of.trail.iterdir()) if p.is_dir())])
    shutil.rmtree(chosen) if chosen.is_dir() else chosen.unlink()
    return f"{chosen.parent.name}/{chosen.name}"


def add(of: Placed, draw: Random) -> str:
    """Add a segment, a seal, a chain, a head, a link, or what is no part of a trail."""
    chain = draw.choice([p for p in sorted(of.trail.iterdir()) if p.is_dir()])
    first = draw.choice([0, 1, 3, 4, 5, 8, 9, 12, 13, 20, 10**12])
    name = f"{first:012d}" + draw.choice(["", "-1", "-2", "-0", "-01"]) + draw.choice([".jsonl", ".jsonl", ".jsonl", ".seal"])
    how = draw.choice(["segment", "empty segment", "chain", "head", "link", "directory", "rubbish", "second name"])
    source = draw.choice(of.segments())
    if how == "segment":
        shutil.copy(source, chain / name) if source != chain / name else None
    elif how == "empty segment":
        (chain / name).touch()
    elif how == "chain":
        name = draw.choice(["added", "0", "a-b", "A", "x.tmp", "zwölf"])
        (of.trail / name).mkdir()
        if draw.random() < 0.5:
            shutil.copy(source, of.trail / name)
    elif how == "head" and of.heads():
        head = draw.choice(of.heads())
        name = draw.choice(["added", "general.old-1", "Z"])
        shutil.copy(head, head.with_name(name))
    elif how == "link" and not (chain / name).exists():
        (chain / name).symlink_to(source)
    elif how == "directory" and not (chain / name).exists():
        (chain / name).mkdir()
    elif how == "second name" and not (chain / name).exists():
        (chain / name).hardlink_to(source)
    else:
        (chain / draw.choice(["README", ".hidden", "000000000000.jsonl.tmp", "00.jsonl", "9.seal"])).write_bytes(b"rubbish")
    return f"{how} {chain.name}/{name}"


def change_a_head(of: Placed, draw: Random) -> str:
    """Another value in one field of a head, with the right sums."""
    if not of.heads():
        return ""
    file = draw.choice(of.heads())
    data = bytearray(file.read_bytes())
    field = draw.choice(sorted(_FIELDS))
    at, form = _FIELDS[field]
    new = b""
    for slot in (0, 2048):
        old = struct.unpack_from(f"<{form}", data, slot + at)[0]
        if form.endswith("s"):
            new = new or draw.choice([bytes(len(old)), draw.randbytes(len(old))])
            struct.pack_into(f"<{form}", data, slot + at, new)
        else:
            largest = 2**64 - 1 if form == "Q" else 2**32 - 1
            value = draw.choice([0, 1, 2, 3, 4, 5, old + 1, max(old - 1, 0), largest, largest // 2, draw.randrange(10_000)])
            struct.pack_into(f"<{form}", data, slot + at, min(value, largest))
    file.write_bytes(_summed(data))
    return f"{file.name}.{field}"


def _summed(data: bytearray) -> bytes:
    for slot in (0, 2048):
        struct.pack_into("<I", data, slot + 292, zlib.crc32(data[slot : slot + 292]))
        struct.pack_into("<I", data, slot + 320, zlib.crc32(data[slot + 296 : slot + 320]))
    return bytes(data)


def change_a_seal(of: Placed, draw: Random) -> str:
    """Another digit in a seal, other white space, another end, or a key more."""
    seals = of.files("*.seal")
    if not seals:
        return ""
    file = draw.choice(seals)
    data = file.read_bytes()
    how = draw.choice(["digit", "space", "no end", "two ends", "key more"])
    if how == "digit":
        at = draw.choice([m.start() for m in re.finditer(rb"[0-9]", data)])
        data = data[:at] + b"%d" % ((data[at] - 47) % 10) + data[at + 1 :]
    elif how == "space":
        data = data.replace(b",", b", ", 1)
    elif how == "no end":
        data = data[:-1]
    elif how == "two ends":
        data += b"\n"
    else:
        data = data[:-2] + b',"more":1}\n'
    file.write_bytes(data)
    return f"{file.name}: {how}"


def forge(of: Placed, draw: Random) -> str:
    """
    Change one character of one record, and all hashes that depend on it.

    What claims and heads say is made right, too, half of the time: what is left to find is what the record itself tells.
    """
    file = draw.choice(of.segments())
    lines = file.read_bytes().splitlines(keepends=True)
    numbers = [i for i, line in enumerate(lines) if _LINE.search(line)]
    if not numbers:
        return ""
    number = draw.choice(numbers)
    lines[number], what = _other_character(lines[number], draw)
    file.write_bytes(b"".join(lines))
    mend = draw.random() < 0.5
    renamed: dict[bytes, bytes] = {}
    _rehash(file.parent, renamed)
    if mend:
        for other in of.trail.glob("*/*.jsonl"):
            other.write_bytes(_renamed(other.read_bytes(), renamed))
        _rehash(of.trail / "trail", renamed)
        for head in of.heads():
            data = head.read_bytes()
            for old, new in renamed.items():
                data = data.replace(bytes.fromhex(old.decode()), bytes.fromhex(new.decode()))
            head.write_bytes(_summed(bytearray(data)) if len(data) == 4096 else data)
    return f"{file.parent.name}/{file.name} line {number}: {what}{' and all that depends on it' if mend else ''}"


def _other_character(line: bytes, draw: Random) -> tuple[bytes, str]:
    at = draw.choice([m.start(1) + i for m in re.finditer(rb"([0-9A-Za-z_.]+)", line[:-76]) for i in range(len(m[1]))])
    old = chr(line[at])
    new = draw.choice("0123456789") if old.isdigit() else draw.choice('abcdefnrtx_"}')
    return line[:at] + new.encode() + line[at + 1 :], f"{line[max(at - 20, 0) : at + 10].decode('utf-8', 'replace')!r} {old} → {new}"


def _renamed(data: bytes, renamed: dict[bytes, bytes]) -> bytes:
    for old, new in renamed.items():
        data = data.replace(old, new)
    return data


def _rehash(chain: Path, renamed: dict[bytes, bytes]) -> None:
    """Make a chain's hashes right from its first line on, and note which became which."""
    for file in sorted(chain.glob("*.jsonl")):
        made = []
        for line in file.read_bytes().splitlines(keepends=True):
            found = _LINE.search(line)
            if found is None:
                made.append(line)
                continue
            body = _renamed(line[:-76], renamed)
            new = hashlib.sha256(b"\0" + body + b"}").hexdigest().encode()
            if new != found[1]:
                renamed[found[1]] = new
            made.append(body + b',"hash":"' + new + b'"}\n')
        file.write_bytes(b"".join(made))


# each tells what it did, or nothing where the trail has none of what it changes
KINDS: dict[str, Callable[[Placed, Random], str]] = {
    kind.__name__: kind for kind in (flip_a_bit, move_lines, cut_or_lengthen, remove, add, change_a_head, change_a_seal, forge)
}


def mutate(of: Placed, draw: Random) -> tuple[str, str]:
    """Change one thing; tell of what kind it was, and what."""
    while True:
        kind = draw.choice(sorted(KINDS))
        if what := KINDS[kind](of, draw):
            return kind, what
