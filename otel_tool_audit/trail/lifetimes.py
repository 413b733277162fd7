"""
What must happen before a process ends, and in a fork's child: the trails that are open in it, and who writes into them.

Four ways lead out of a process: the interpreter's own end, which runs ``atexit``; a worker of multiprocessing (fork, forkserver), which
leaves by ``os._exit`` and runs its finalizers only; a child of Celery's pool, which runs not even these, but sends a signal first; and
``os._exit`` alone, which nobody hears of: then the writer's record of its opening, which no closing follows, tells readers that something
may be missing.

Source: ARCHITECTURE.md, R32: after a fork a held lock would deadlock the child, and a flock is shared with it; Python, ``multiprocessing/util.py``;
Celery, ``signals.worker_process_shutdown``; billiard, ``pool.Worker._do_exit``.
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
_prepared: Final[set[str]] = set()
"""Modules that were asked to tell of the end of their workers."""


def watch(trail: Living) -> None:
    """Close the trail at the end of the process, and tell it of forks."""
    _trails.add(trail)
    _prepare()
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        # in a worker that imports this only now, the finalizer that a fork would have brought is not there
        _at_end_of_worker(sys.modules["multiprocessing.util"])


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


def _prepare() -> None:
    """Have what makes workers tell of their end, as far as it is loaded; multiprocessing clears its list in a child before it looks for such wishes."""
    for name, ask in (("multiprocessing.util", _ask_multiprocessing), ("celery.signals", _ask_celery)):
        module = sys.modules.get(name)
        if module is not None and name not in _prepared:
            _prepared.add(name)
            ask(module)


def _ask_multiprocessing(util: Any) -> None:  # noqa: ANN401 - a module, as below
    util.register_after_fork(util, _at_end_of_worker)


def _ask_celery(signals: Any) -> None:  # noqa: ANN401 - as above
    signals.worker_process_shutdown.connect(_child_ends, weak=False)


def _at_end_of_worker(util: Any) -> None:  # noqa: ANN401 - as above
    util.Finalize(None, close_all, exitpriority=0)


def _child_ends(**_: object) -> None:
    close_all()


os.register_at_fork(before=_prepare, after_in_child=_in_child)
atexit.register(close_all)
