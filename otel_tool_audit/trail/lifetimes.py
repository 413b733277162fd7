"""
The trails that are open in this process: closed when it ends, opened anew in a fork's child.

Source: ARCHITECTURE.md: after a fork a held lock would deadlock the child, and a flock is shared with it.
"""

from __future__ import annotations

import atexit
import multiprocessing.util
import os
import weakref
from typing import Protocol


class Living(Protocol):
    """What this module needs of a trail."""

    def close(self) -> None:
        """Close it for good."""

    def after_fork(self) -> None:
        """Let go of what belongs to the parent process."""


_open: weakref.WeakSet[Living] = weakref.WeakSet()


def watch(trail: Living) -> None:
    """Close the trail at the end of the process, and tell it of forks."""
    _open.add(trail)


def forget(trail: Living) -> None:
    """Leave the trail alone from now on."""
    _open.discard(trail)


def close_all() -> None:
    """Close every open trail."""
    for trail in list(_open):
        trail.close()


def _in_child() -> None:
    for trail in list(_open):
        trail.after_fork()


def _at_end_of_worker(_: object) -> None:
    # a multiprocessing worker leaves by os._exit: of its exit hooks only its own finalizers run
    multiprocessing.util.Finalize(None, close_all, exitpriority=0)


os.register_at_fork(after_in_child=_in_child)
atexit.register(close_all)
multiprocessing.util.register_after_fork(_at_end_of_worker, _at_end_of_worker)
