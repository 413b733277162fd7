"""A system that fails where it is told to: with an errno, or with a write that is shorter than asked for."""

from __future__ import annotations

import os
from typing import Any

from otel_tool_audit.host.system import System

SHORT = -1
"""Instead of an errno: the write does only a part."""


class Failing(System):
    """Fails the n-th call of one kind; with *ever* all after it too, until :meth:`mend`. Counts from :meth:`arm`."""

    def __init__(self) -> None:
        self.kind = ""
        self.left = 0
        self.error = 0
        self.ever = False
        self.hit = 0

    def arm(self, kind: str, number: int, error: int, *, ever: bool) -> None:
        self.kind, self.left, self.error, self.ever, self.hit = kind, number, error, ever, 0

    def mend(self) -> None:
        self.kind = ""

    def _due(self, kind: str) -> bool:
        if kind != self.kind:
            return False
        self.left -= 1
        due = self.left == 0 or (self.ever and self.left < 0)
        self.hit += due
        return due

    def _maybe(self, kind: str, *args: Any, **named: Any) -> Any:
        if self._due(kind):
            raise OSError(self.error, os.strerror(self.error))
        return getattr(super(), kind)(*args, **named)

    def open(self, *args: Any, **named: Any) -> int:
        return self._maybe("open", *args, **named)

    def write(self, fd: int, data: bytes) -> int:
        if self.kind == "write" and self.error == SHORT:
            if self._due("write"):
                return super().write(fd, data[: len(data) // 2])
            return super().write(fd, data)
        return self._maybe("write", fd, data)

    def fsync(self, fd: int) -> None:
        self._maybe("fsync", fd)

    def fdatasync(self, fd: int) -> None:
        self._maybe("fdatasync", fd)

    def rename(self, *args: Any) -> None:
        self._maybe("rename", *args)

    def mkdir(self, *args: Any, **named: Any) -> None:
        self._maybe("mkdir", *args, **named)

    def unlink(self, *args: Any, **named: Any) -> None:
        self._maybe("unlink", *args, **named)

    def fstat(self, fd: int) -> os.stat_result:
        return self._maybe("fstat", fd)

    def read(self, fd: int, size: int, offset: int) -> bytes:
        return self._maybe("read", fd, size, offset)

    def listdir(self, fd: int) -> list[str]:
        return self._maybe("listdir", fd)
