"""
Where a block was entered: in a function, whose frame runs until it is left, or in a generator, which is suspended between two items.

What runs while a generator is suspended is its reader's, not its own. Only a generator that :mod:`contextlib` or a test framework drives is
written to hold while it is suspended: it is a context manager, and its reader is the block that it manages.

Source: Python's data model, "Generator-iterator methods"; the ``dis`` documentation, ``YIELD_VALUE`` and ``RESUME``; ARCHITECTURE.md, R9.
"""

from __future__ import annotations

import inspect
import opcode
import sys
from types import FrameType
from typing import Final

_SUSPENDS: Final = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
_MANAGERS: Final = ("contextlib", "contextlib2", "async_generator", "_pytest", "pytest", "pytest_asyncio", "pytest_trio", "anyio")
"""Modules that drive generators as context managers; their first name."""

_YIELD: Final = opcode.opmap["YIELD_VALUE"]
_RESUME: Final = opcode.opmap["RESUME"]
_AFTER_YIELD: Final = (1, 2)
"""What ``RESUME`` says behind a ``yield`` and a ``yield from``; behind an ``await`` it says 3."""


def suspending_frame(own: str) -> FrameType | None:
    """
    Give the frame of the generator in which a block is being entered; None where it is entered in a function, or holds while it is suspended.

    Args:
        own: The file whose frames are passed over: that of the block's own code.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the way to it that the inspect module takes, too
    while frame is not None and (frame.f_code.co_filename == own or frame.f_globals.get("__name__") == "contextlib"):
        frame = frame.f_back
    if frame is None or not frame.f_code.co_flags & _SUSPENDS:
        return None
    reader = frame.f_back
    name = "" if reader is None else str(reader.f_globals.get("__name__", ""))
    return None if name.partition(".")[0] in _MANAGERS else frame


def has_yielded(frame: FrameType) -> bool:
    """Tell whether a generator is suspended at a ``yield``: neither running, nor waiting for something itself."""
    at, code = frame.f_lasti, frame.f_code.co_code
    if at < 0 or at + 3 >= len(code) or code[at] != _YIELD:
        return False
    return code[at + 2] == _RESUME and code[at + 3] & 3 in _AFTER_YIELD
