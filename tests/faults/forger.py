"""What an attacker does who knows the format by heart and can write the trail's files, but not the state directory."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from checker import origin

_PLACE = re.compile(rb'^\{"seq":[0-9]+,"previous_hash":"[0-9a-f]{64}"')


class Attack(NamedTuple):
    """One thing done to a trail's directory, and the record that a finding must name (None: no single one)."""

    name: str
    do: Callable[[Path], None]
    chain: str | None = None
    seq: int | None = None

    def named(self) -> set[int]:
        """Which record a finding may name; a changed line whose own hash was made right shows in the one that follows."""
        return set() if self.seq is None else {self.seq, self.seq + 1} if "with hashes" in self.name else {self.seq}


def sealed(line: bytes, seq: int, previous: str) -> bytes:
    """A line put in its place with all hashes right."""
    body = _PLACE.sub(b'{"seq":%d,"previous_hash":"%s"' % (seq, previous.encode()), line[:-76] + b"}")
    return body[:-1] + b',"hash":"' + hashlib.sha256(b"\x00" + body).hexdigest().encode() + b'"}\n'


def files(trail: Path, chain: str) -> list[Path]:
    return sorted((trail / chain).glob("*.jsonl"))


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def addresses(trail: Path, chain: str) -> list[tuple[Path, int]]:
    """File and index of every line of a chain; its place in this list is its seq, for chains that nobody rotated in a failure."""
    return [(path, index) for path in files(trail, chain) for index in range(len(lines(path)))]


def edit(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    path.write_bytes(b"".join(change(lines(path))))


def relink(trail: Path, chain: str) -> None:
    """Recompute every seq and hash of a chain, over all its segments, names of segments and what they say of each other included."""
    trail_id = json.loads((trail / "trail.json").read_bytes())["trail_id"]
    previous, seq = origin(trail_id, chain, 0), 0
    before: tuple[str, int, int] | None = None
    for path in files(trail, chain):
        made = []
        first = seq
        for line in lines(path):
            if before is not None and b'"trail.segment_opened"' in line:
                line = re.sub(rb'"segment":"[^"]+"', b'"segment":"%s"' % before[0].encode(), line)  # noqa: PLW2901
                line = re.sub(rb'"first_seq":[0-9]+', b'"first_seq":%d' % before[1], line)  # noqa: PLW2901
                line = re.sub(rb'"valid_end":[0-9]+', b'"valid_end":%d' % before[2], line)  # noqa: PLW2901
            made.append(sealed(line, seq, previous))
            previous, seq = made[-1][-67:-3].decode(), seq + 1
        data = b"".join(made)
        name = f"{first:012d}.jsonl"
        path.unlink()
        (path.parent / name).write_bytes(data)
        before = (name, first, len(data))
    for seal in (trail / chain).glob("*.seal"):
        seal.unlink()


def field_changes(trail: Path, chain: str, seq: int) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """For every field of a record: a change of its value, with and without the line's hash made right."""
    path, index = addresses(trail, chain)[seq]
    record = json.loads(lines(path)[index])
    for field, value in record.items():
        for right in (False, True):
            if right and field == "hash":
                continue
            yield f"{field}{' with hashes' if right else ''}", _field_change(path.name, chain, index, field, _other(value), right=right)


def _field_change(name: str, chain: str, index: int, field: str, value: object, *, right: bool) -> Callable[[Path], None]:
    def do(trail: Path) -> None:
        def change(found: list[bytes]) -> list[bytes]:
            record = json.loads(found[index])
            record[field] = value
            text = json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
            if right:
                body = text[:-76] + b"}"
                text = body[:-1] + b',"hash":"' + hashlib.sha256(b"\x00" + body).hexdigest().encode() + b'"}\n'
            return [*found[:index], text, *found[index + 1 :]]

        edit(trail / chain / name, change)

    return do


def _other(value: object) -> object:
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return ("1" if value[:1] == "0" else "0") + value[1:]
    return [value]


def snapshot(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True)


def restore(source: Path, target: Path) -> None:
    """Bring a directory's content back in place, so that it keeps its inode, which the state remembers."""
    for path in sorted(target.rglob("*"), reverse=True):
        kept = source / path.relative_to(target)
        odd = path.is_symlink() or not (path.is_file() or path.is_dir())
        if odd or not kept.exists() or kept.is_dir() != path.is_dir():
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    for path in sorted(source.rglob("*")):
        back = target / path.relative_to(source)
        if path.is_dir():
            back.mkdir(mode=0o700, exist_ok=True)
            continue
        data = path.read_bytes()
        linked = back.exists() and back.stat().st_nlink != 1
        if linked:
            back.unlink()
        if not back.exists() or back.read_bytes() != data:
            descriptor = os.open(back, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                os.write(descriptor, data)
            finally:
                os.close(descriptor)
