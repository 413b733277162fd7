"""
System calls that the kernel answers at once, made without letting other threads run around them.

``os`` and ``fcntl`` release the interpreter around every call. For a lock that is free, a size or a position that costs many times what the call costs: another thread
takes the interpreter over, and the one that called waits for it, four times an append. ``ctypes.PyDLL`` calls the C library and keeps the interpreter.
What may wait (a write, a sync, a lock that somebody else has) stays with ``os`` and ``fcntl``.

Source: Python documentation, ``ctypes.PyDLL``; flock(2), lseek(2), statx(2), whose layout is the same on every architecture.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
from typing import Any, Final

from otel_tool_audit.host.system import LOCAL_FILESYSTEMS, System, filesystem_type

_NOW: Final = fcntl.LOCK_EX | fcntl.LOCK_NB
_EMPTY_PATH: Final = 0x1000
_LINKS_AND_SIZE: Final = 0x0204
_STATX: Final = struct.Struct("=16xI20xQ")
"""Number of links and size in a ``struct statx``."""

_STATX_BYTES: Final = 256


class QuickSystem(System):
    """Linux, with the calls of an append that never wait made in one step of the interpreter."""

    def __init__(self, library: Any) -> None:  # noqa: ANN401 - a C library's functions have no types
        """
        Bind the functions.

        Args:
            library: The C library, loaded so that calls keep the interpreter.

        Raises:
            AttributeError: It lacks one of them.
        """
        self._flock = library.flock
        self._flock.argtypes = (ctypes.c_int, ctypes.c_int)
        self._lseek = library.lseek64 if hasattr(library, "lseek64") else library.lseek
        self._lseek.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int)
        self._lseek.restype = ctypes.c_int64
        self._statx = library.statx
        self._statx.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p)
        # a buffer for each call that is under way; taking and giving back are one step each
        self._buffers: list[Any] = []

    def lock_now(self, fd: int) -> bool:
        """Take an exclusive flock without waiting."""
        return self._flock(fd, _NOW) == 0 or super().lock_now(fd)

    def unlock(self, fd: int) -> None:
        """Release a flock."""
        if self._flock(fd, fcntl.LOCK_UN):
            super().unlock(fd)

    def position(self, fd: int) -> int:
        """Tell the file position of an open file, in bytes."""
        found: int = self._lseek(fd, 0, os.SEEK_CUR)
        return found if found >= 0 else super().position(fd)

    def length(self, fd: int) -> tuple[int, int]:
        """Tell the size of an open file in bytes, and how many names it has."""
        try:
            buffer = self._buffers.pop()
        except IndexError:
            buffer = ctypes.create_string_buffer(_STATX_BYTES)
        if self._statx(fd, b"", _EMPTY_PATH, _LINKS_AND_SIZE, buffer):
            return super().length(fd)
        links, size = _STATX.unpack_from(buffer)
        self._buffers.append(buffer)
        return size, links


def quickest(*paths: str) -> System:
    """
    Give the system calls for files below *paths*: quick where all of them lie on a local disk, and the C library has what it takes.

    Args:
        paths: Absolute and free of links; nothing need be there yet.
    """
    plain = System()
    mounts = plain.mounts()
    if not all(filesystem_type(mounts, path) in LOCAL_FILESYSTEMS for path in paths):
        return plain
    try:
        return QuickSystem(ctypes.PyDLL(None))
    except (AttributeError, OSError):
        return plain
