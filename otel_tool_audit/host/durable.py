"""
Putting a file in place whole: written aside, synced, renamed, the directory synced; how much of that is said by the durability that is asked for.

The writers of a trail do all of it by descriptor, each system call in the open: :meth:`~otel_tool_audit.host.directory.Directory.replace_file`.
A group of records is made durable in :mod:`~otel_tool_audit.trail.chain.chain` (``Chain.commit``, ``Chain.make_durable``).
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable
from enum import IntEnum
from typing import Final

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class Durability(IntEnum):
    """What a crash of the host may take of a file that was put in place; a crash of this process leaves the old one or the new one."""

    WHOLE = 0
    """Its content: what can be made again."""
    CONTENT = 1
    """Its name: the old file may stand there again, whole."""
    NAME = 2
    """Nothing: what was put in place stays."""


def replace_file(path: str, pieces: Iterable[bytes], durability: Durability, *, alone: bool = False) -> None:
    """
    Put a file in place, for its owner only.

    Args:
        path: Where; a file that lies there is replaced.
        pieces: What it holds.
        durability: What a crash of the host may take.
        alone: Whether nobody else writes it: then what is left of an attempt that was killed is overwritten by the next one.

    Raises:
        OSError: As the system says; nothing is left aside.
    """
    aside = f"{path}.tmp" if alone else f"{path}.{os.getpid()}.{secrets.token_hex(4)}.tmp"
    if alone:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(aside)
    try:
        with open(os.open(aside, _NEW, 0o600), "wb") as file:
            file.writelines(pieces)
            file.flush()
            if durability >= Durability.CONTENT:
                os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(aside)
        raise
    if durability >= Durability.NAME:
        sync(os.path.dirname(path) or ".")


def sync(path: str) -> None:
    """
    Bring a file that somebody else wrote, or the names in a directory, to disk.

    Raises:
        OSError: As the system says.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
