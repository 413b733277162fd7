"""
The trail's own thread: leads groups for callers that must not wait, syncs once a second what was appended, beats the heart, seals segments.

It holds the trail only weakly, so a trail that nobody uses any more can go.
"""

from __future__ import annotations

import queue
import threading
import time
import weakref
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from otel_tool_audit.trail.chain.group_commit import GroupCommit
    from otel_tool_audit.trail.trail import Trail

TICK: Final = 1.0
"""Seconds between background syncs of what was appended (PROTOCOL.md, "Sync")."""


class Background:
    """One daemon thread, started when it is first needed, gone when stopped. A fork's child makes its own."""

    def __init__(self, trail: Trail) -> None:
        self._trail = weakref.ref(trail)
        self._jobs: queue.SimpleQueue[GroupCommit | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._start = threading.Lock()

    def lead(self, group: GroupCommit) -> None:
        """Have the thread lead the next group of that queue."""
        self._jobs.put(group)
        self.start()

    def start(self) -> None:
        """Start the thread if it does not run."""
        if self._thread is None:
            with self._start:
                if self._thread is None:
                    self._thread = threading.Thread(target=_run, args=(self._trail, self._jobs), name="tool-audit-trail", daemon=True)
                    self._thread.start()

    def stop(self) -> None:
        """End the thread after what was asked of it so far, and wait for that."""
        thread = self._thread
        if thread is not None:
            self._jobs.put(None)
            if thread is not threading.current_thread():
                thread.join()
            self._thread = None


def _run(trail: weakref.ref[Trail], jobs: queue.SimpleQueue[GroupCommit | None]) -> None:
    due = time.monotonic() + TICK
    while True:
        try:
            job = jobs.get(timeout=max(0.0, due - time.monotonic()))
            if job is None:
                return
            job.lead_group()
        except queue.Empty:
            pass
        if time.monotonic() >= due:
            alive = trail()
            if alive is None:
                return
            alive.tick()
            del alive
            due = time.monotonic() + TICK
