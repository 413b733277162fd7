"""A process that writes a trail and tells, line by line on its standard output, what was acknowledged; it may kill itself at a given system call."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Any

from otel_tool_audit.format.events import STARTED
from otel_tool_audit.host.system import MappedHead, System
from otel_tool_audit.record.codec import timestamp
from otel_tool_audit.record.model import new_call
from otel_tool_audit.trail.trail import Trail

WHEN = timestamp(time.time_ns())


def call(number: int, tag: str, chain: str = "general", size: int = 0) -> Any:
    """A call whose arguments say which it is; its id is made of tag and number, so that a test can find it."""
    made = new_call(call_id(number, tag), "look_up", WHEN)
    made["arguments"] = {"tag": tag, "number": number, "filling": "x" * size}
    made["retention_class"] = chain
    return made


def call_id(number: int, tag: str) -> str:
    return f"{tag.encode().hex()[:12]:0<12}{number:020x}"


class Suicide(System):
    """Kills its process at the n-th call of one kind: before it, after it, or (for writes) after a part of it."""

    def __init__(self, kind: str, number: int, when: str) -> None:
        self.kind, self.left, self.when = kind, number, when

    def _due(self, kind: str) -> bool:
        if kind != self.kind:
            return False
        self.left -= 1
        return self.left == 0

    def _around(self, kind: str, *args: Any, **named: Any) -> Any:
        due = self._due(kind)
        if due and self.when == "before":
            die()
        try:
            return getattr(super(), kind)(*args, **named)
        finally:
            if due:
                die()

    def open(self, *args: Any, **named: Any) -> int:
        return self._around("open", *args, **named)

    def write(self, fd: int, data: bytes) -> int:
        if self.kind == "write" and self.when.isdigit() and self._due("write"):
            super().write(fd, data[: int(self.when)])
            die()
        return self._around("write", fd, data)

    def fsync(self, fd: int) -> None:
        self._around("fsync", fd)

    def fdatasync(self, fd: int) -> None:
        self._around("fdatasync", fd)

    def rename(self, *args: Any) -> None:
        self._around("rename", *args)

    def mkdir(self, *args: Any, **named: Any) -> None:
        self._around("mkdir", *args, **named)

    def unlink(self, *args: Any, **named: Any) -> None:
        self._around("unlink", *args, **named)

    def map(self, fd: int) -> MappedHead:
        return SuicidalMap(super().map(fd), self)


class SuicidalMap:
    """A mapped head: the kill comes before the PUT, after it, or in the middle of its copy."""

    def __init__(self, mapped: MappedHead, system: Suicide) -> None:
        self._mapped, self._system = mapped, system

    def __getitem__(self, key: slice) -> bytes:
        return self._mapped[key]

    def __setitem__(self, key: slice, value: bytes) -> None:
        due = self._system._due("put")
        if due and self._system.when == "before":
            die()
        if due and self._system.when == "torn":
            half = len(value) // 2
            self._mapped[key.start : key.start + half] = value[:half]
            die()
        self._mapped[key] = value
        if due:
            die()

    def close(self) -> None:
        self._mapped.close()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def write(path: str, state: str, tag: str, count: int, durability: str = "os", chain: str = "general", **options: Any) -> None:
    """Append calls and print each receipt as soon as it is given; ``count`` below 0: for ever."""
    system = Suicide(*options.pop("kill")) if "kill" in options else None
    start, size, close = options.pop("start", 0), options.pop("size", 0), options.pop("close", True)
    trail = Trail.open(path, state=state, durability=durability, system=system, **options)  # type: ignore[arg-type]  # from JSON
    number = start
    while count < 0 or number < start + count:
        receipt = trail.append(STARTED, call(number, tag, chain, size))
        os.write(1, json.dumps([call_id(number, tag), receipt.chain, receipt.seq, receipt.hash]).encode() + b"\n")
        number += 1
    if close:
        trail.close()
        os.write(1, b'"closed"\n')


if __name__ == "__main__":
    for order in sys.argv[1:]:
        write(**json.loads(order))
