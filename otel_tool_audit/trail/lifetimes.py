"""
What must happen before a process ends, and in a fork's child: the trails that are open in it, and who writes into them.

Three ways lead out of a process: the interpreter's own end, which runs ``atexit``; a worker of multiprocessing (fork, forkserver) or of
billiard, Celery's variant of it, which leaves by ``os._exit`` and runs its finalizers only; and ``os._exit`` alone, which nobody hears of:
then the writer's record of its opening, which no closing follows, tells readers that something may be missing.

Source: ARCHITECTURE.md, R32: after a fork a held lock would deadlock the child, and a flock is shared with it; Python, ``multiprocessing/util.py``.
"""

from __future__ import annotations

import atexit
import os
import sys
import weakref
from typing import Any, Final, Protocol


class Living(Protocol):
    """What this module needs of a trail, and of who writes into one."""

    def close(self) -> None:
        """Finish for good."""

    def after_fork(self) -> None:
        """Let go of what belongs to the parent process."""


_trails: Final[weakref.WeakSet[Living]] = weakref.WeakSet()
_writers: Final[weakref.WeakSet[Living]] = weakref.WeakSet()
_prepared: Final[set[int]] = set()
"""Modules, by id, whose forks were told of this one."""


def watch(trail: Living) -> None:
    """Close the trail at the end of the process, and tell it of forks."""
    _trails.add(trail)
    _prepare()
    # in a worker that imports this only now, the finalizers that a fork would have brought are not there
    for util in _utilities():
        if _in_worker(util):
            _at_end_of_worker(util)


def watch_writer(writer: Living) -> None:
    """The same for what writes into trails: it has its last words before any of these is closed."""
    _writers.add(writer)


def forget(trail: Living) -> None:
    """Leave the trail alone from now on."""
    _trails.discard(trail)


def close_all() -> None:
    """Let everybody who writes finish, then close every open trail."""
    for living in (*_writers, *_trails):
        living.close()


def _in_child() -> None:
    for living in (*_writers, *_trails):
        living.after_fork()


def _utilities() -> list[Any]:
    """Give the modules that have workers' finalizers, as far as they are loaded."""
    return [util for name in ("multiprocessing.util", "billiard.util") if (util := sys.modules.get(name)) is not None]


def _prepare() -> None:
    """Have workers that are forked from here run the finalizer; the modules clear their lists in the child before they look for such wishes."""
    for util in _utilities():
        if id(util) not in _prepared:
            _prepared.add(id(util))
            util.register_after_fork(util, _at_end_of_worker)


def _at_end_of_worker(util: Any) -> None:  # noqa: ANN401 - a module
    util.Finalize(None, close_all, exitpriority=0)


def _in_worker(util: Any) -> bool:  # noqa: ANN401 - as above
    process = sys.modules.get(f"{util.__package__}.process")
    return process is not None and type(process.current_process()).__name__ != "_MainProcess"


os.register_at_fork(before=_prepare, after_in_child=_in_child)
atexit.register(close_all)
