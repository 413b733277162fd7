"""
The trail's counters as OpenTelemetry metrics ``tool_audit.*``, where the application has a meter provider.

They are read when the provider collects, and cost a call nothing.

Source: OpenTelemetry specification, metrics API, "Asynchronous Counter"; semantic conventions, "Metrics" (names, units).
"""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from otel_tool_audit.trail.trail import Trail

COUNTS: Final = {
    "calls": ("{call}", "Tool calls that were begun"), "recorded": ("{call}", "Calls whose start is on record"),
    "refused": ("{call}", "Calls that did not run because nothing durable could be written"),
    "lost": ("{record}", "Records that could not be written"), "unattributed": ("{call}", "Calls without user, conversation or model"),
    "spans_forwarded": ("{span}", "Spans that were handed to what exports"), "spans_dropped": ("{span}", "Spans that did not reach their backend"),
}  # fmt: skip
"""The counters that are metrics, ``tool_audit.<name>``, each with its unit and what it says."""

SECONDS: Final = "tool_audit.append_seconds"
FREE: Final = "tool_audit.free_bytes"


_trails: Final[weakref.WeakKeyDictionary[Trail, str]] = weakref.WeakKeyDictionary()
"""The trails that are observed, each with its id; not kept alive. Instruments are made once in a process: a second one is a warning."""


_made: Final[list[bool]] = []


def observe(trail: Trail) -> None:
    """
    Let the application's meter provider read a trail's counters, now or when there is one.

    Args:
        trail: Open; when it is closed or gone its metrics end.
    """
    # asked now: a fork's child opens the trail when it is asked for its id
    _trails[trail] = trail.trail_id
    if _made:
        return
    _made.append(True)
    meter = metrics.get_meter("otel_tool_audit")
    for name, (unit, description) in COUNTS.items():
        meter.create_observable_counter(f"tool_audit.{name}", [_reader(partial(_counted, name=name))], unit, description)
    meter.create_observable_counter(SECONDS, [_reader(_waited)], "s", "Time that callers waited for records of their calls")
    meter.create_observable_gauge(FREE, [_reader(_free)], "By", "Free space where the trail lies")


def _reader(read: Callable[[Trail], float]) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observed(_: CallbackOptions) -> Iterator[Observation]:
        for trail, trail_id in list(_trails.items()):
            # a directory that is gone has nothing to tell, and no metric may fail the application
            with contextlib.suppress(OSError):
                if not trail.closed:
                    yield Observation(read(trail), {"tool_audit.trail_id": trail_id})

    return observed


def _counted(trail: Trail, name: str) -> int:
    return trail.counters[name]


def _waited(trail: Trail) -> float:
    return trail.counters.append_seconds


def _free(trail: Trail) -> int:
    found = os.statvfs(trail.path)
    return found.f_bavail * found.f_frsize
