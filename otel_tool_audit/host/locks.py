"""
Locks on files, and the question whether somebody else holds one.

A writer holds an open-file-description lock on its own file for as long as it lives; such a lock can be *tested*
without taking it (``F_OFD_GETLK``), so a reader never locks. Everything else uses ``flock``.

Source: PROTOCOL.md (writers, two locks); fcntl(2), "Open file description locks".
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
import time
from typing import Final

from otel_tool_audit.errors import AuditUnavailable

LOCK_DEADLINE: Final = 5.0
"""Seconds that anyone waits for a lock before the trail counts as unavailable (PROTOCOL.md, rule 4)."""

_FLOCK = struct.Struct("hhlli4x")
_SPINS: Final = 40


def wait_for_lock(descriptor: int, what: str, deadline: float) -> None:
    """
    Wait for the exclusive flock of an open file.

    Args:
        descriptor: The file.
        what: Its name, for the message.
        deadline: Seconds to wait.

    Raises:
        AuditUnavailable: Somebody else held it all that time.
    """
    end = time.monotonic() + deadline
    tries = 0
    while time.monotonic() < end:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        tries += 1
        if tries > _SPINS:
            time.sleep(min(0.00005 * (tries - _SPINS), 0.002))
    message = f"{what} has been locked by another process for {deadline:g} s; look for a writer that hangs, then try again"
    raise AuditUnavailable(message)


def lock_shared_now(descriptor: int) -> bool:
    """Take the shared flock without waiting; False when somebody holds it exclusively."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock_exclusively_now(descriptor: int) -> bool:
    """Take the exclusive flock without waiting; False when anybody holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def flock_holders(descriptor: int) -> list[int]:
    """
    List the processes that hold a flock on an open file, as far as they can be seen from here: none of another process namespace, none that has ended.

    Source: proc(5), ``/proc/locks``.
    """
    found = os.fstat(descriptor)
    place = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    try:
        with open("/proc/locks", encoding="ascii") as file:
            rows = [row.split() for row in file]
    except OSError:
        return []
    return [int(row[4]) for row in rows if len(row) > 5 and row[1] == "FLOCK" and row[5] == place and row[4].isdigit()]  # noqa: PLR2004 - its columns


def hold(descriptor: int) -> None:
    """Hold the write lock of a writer's own file until the descriptor is closed or the process ends."""
    if hasattr(fcntl, "F_OFD_SETLK"):
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_held(path: str | os.PathLike[str]) -> bool:
    """
    Tell whether a living process holds the lock of a writer's file.

    Takes no lock where the system can test one (Linux); False for a file that is not there.

    Raises:
        OSError: It cannot be told: no descriptors, no permission. That says nothing of the writer.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        if error.errno == errno.ELOOP:
            return False
        raise
    try:
        if hasattr(fcntl, "F_OFD_GETLK"):
            answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _FLOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0))
            return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)
        return not lock_shared_now(descriptor)
    finally:
        os.close(descriptor)
