"""Trails that the real writer made, closed or with the writer killed, and what somebody does to them afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from otel_tool_audit.format.events import FINISHED, STARTED
from otel_tool_audit.format.head import CLEAN, HEAD_BYTES, NO_PENDING, SLOT_BYTES, Head, Pending, Position
from otel_tool_audit.record.model import new_call
from otel_tool_audit.trail.trail import Trail

BOOT = bytes.fromhex(Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip().replace("-", ""))
OTHER_BOOT = bytes(range(16))


class Made(NamedTuple):
    """A trail and the state directory of its writers."""

    path: Path
    state: Path

    @property
    def trail_id(self) -> str:
        return str(json.loads((self.path / "trail.json").read_bytes())["trail_id"])

    @property
    def general(self) -> Path:
        """The open segment of chain ``general``."""
        return max((self.path / "general").glob("*.jsonl"))

    def head_file(self, chain: str = "general") -> Path:
        return next((self.state / "heads").glob(f"*/{chain}"))


def call(trail: Trail, number: int, *, end: bool = True, tool: str = "issue_refund", **fields: Any) -> None:
    made = new_call(f"{number:032x}", tool, f"2026-03-01T12:00:{number % 60:02d}.000000Z")
    made.update({"user_id": "usr_98765", "conversation_id": "conv_1", "model": "gpt-4.1", "turn_number": number, **fields})  # type: ignore[typeddict-item]
    trail.append(STARTED, made)
    if end:
        trail.append(FINISHED, {**made, "success": True, "duration_ms": 156.0})


def write(made: Made, first: int = 1, last: int = 4, **settings: Any) -> None:
    """Write calls and close."""
    with Trail.open(made.path, state=made.state, **settings) as trail:
        for number in range(first, last + 1):
            call(trail, number)


def killed(made: Made, first: int = 1, last: int = 4, **settings: Any) -> None:
    """Write calls, start one more, and die of SIGKILL."""
    child = os.fork()
    if not child:
        try:
            trail = Trail.open(made.path, state=made.state, **settings)
            for number in range(first, last + 1):
                call(trail, number)
            call(trail, last + 1, end=False)
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    assert signal.SIGKILL == os.waitstatus_to_exitcode(status) * -1, status


def change_head(path: Path, change: Callable[[Head], Head]) -> None:
    """Write a head file anew as the writers would after *change*; only tests can write it."""
    head = Head.unpack(path.read_bytes())
    assert head is not None
    path.write_bytes(change(head).pack().ljust(SLOT_BYTES, b"\0").ljust(HEAD_BYTES, b"\0"))


def crash_host(made: Made, chains: tuple[str, ...] = ("trail", "general")) -> None:
    """The host went down: another boot, and nobody had closed."""
    for chain in chains:
        change_head(made.head_file(chain), lambda h: h._replace(boot=OTHER_BOOT, flags=h.flags & ~CLEAN))


def lines_of(segment: Path) -> list[bytes]:
    return segment.read_bytes().splitlines(keepends=True)


def rehash(line: bytes, previous: bytes | None = None, **changes: Any) -> tuple[bytes, bytes]:
    """The line with other contents and a right hash, as somebody makes it who knows the format; and that hash."""
    record = json.loads(line)
    record.pop("hash")
    if previous is not None:
        record["previous_hash"] = previous.hex()
    body = json.dumps(record | changes, separators=(",", ":"), ensure_ascii=False).encode()
    found = hashlib.sha256(b"\0" + body).digest()
    return body[:-1] + b',"hash":"' + found.hex().encode() + b'"}\n', found


def rewrite(lines: list[bytes], first: int, last: int | None = None, **changes: Any) -> list[bytes]:
    """Change lines *first* to *last* and make their hashes right among themselves."""
    out, previous = list(lines), None
    for at in range(first, len(lines) if last is None else last + 1):
        out[at], previous = rehash(out[at], previous, **changes)
    return out


def announce(made: Made, lines: bytes, part: int) -> None:
    """A writer announced *lines*, wrote *part* bytes of them, and was killed."""
    head = Head.unpack(made.head_file().read_bytes())
    assert head is not None
    pending = Pending(lines.count(b"\n"), len(lines), bytes.fromhex(json.loads(lines.splitlines()[-1])["hash"]))
    change_head(made.head_file(), lambda h: h._replace(pending=pending, flags=h.flags & ~CLEAN, boot=BOOT))
    with made.general.open("ab") as file:
        file.write(lines[:part])


def next_lines(made: Made, number: int) -> bytes:
    """Good lines that would follow in chain ``general``."""
    last = lines_of(made.general)[-1]
    record = json.loads(last)
    out, previous = [], bytes.fromhex(record["hash"])
    for at in range(1, number + 1):
        line, previous = rehash(last, previous, seq=record["seq"] + at)
        out.append(line)
    return b"".join(out)


__all__ = [
    "BOOT", "NO_PENDING", "OTHER_BOOT", "Head", "Made", "Position", "announce", "call", "change_head", "crash_host", "killed", "lines_of", "next_lines",
    "rehash", "rewrite", "write",
]  # fmt: skip
