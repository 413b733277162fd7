"""
Calls into the trail: what must be durable is waited for, what was lost is counted.

Source: ARCHITECTURE.md; FORMAT.md, section 6.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import perf_counter
from typing import Final

from otel_tool_audit.record.model import AMENDED, FINISHED, OBSERVED, STARTED, Receipt, ToolCall
from otel_tool_audit.trail.trail import Trail

_ELSEWHERE_SECONDS: Final = 2.0
"""How long a closed generator waits for its record."""


class CallWriter:
    """
    Writes calls that are sanitized.

    Attributes:
        trail: Where they go.
    """

    def __init__(self, trail: Trail) -> None:
        """
        Take the trail.

        Args:
            trail: Open.
        """
        self.trail = trail

    def write_started(self, call: ToolCall) -> Receipt:
        """
        Append ``tool_call.started``; the tool may run when this has returned.

        Raises:
            Exception: It is not durable.
        """
        begun = perf_counter()
        receipt = self.trail.append(STARTED, call)
        self.trail.counters.add("recorded", seconds=perf_counter() - begun)
        return receipt

    async def write_started_async(self, call: ToolCall) -> Receipt:
        """As :meth:`write_started`, on an event loop."""
        begun = perf_counter()
        receipt = await self.trail.append_async(STARTED, call)
        self.trail.counters.add("recorded", seconds=perf_counter() - begun)
        return receipt

    def write_finished(self, call: ToolCall) -> Receipt | None:
        """Append ``tool_call.finished``; what cannot be written is counted and told, never raised: the tool has run."""
        begun = perf_counter()
        try:
            receipt = self.trail.append(FINISHED, call)
        except Exception as error:  # noqa: BLE001 - the caller gets the tool's own result
            self.lost(call, error)
            return None
        self.trail.counters.add("finished", seconds=perf_counter() - begun)
        return receipt

    async def write_finished_async(self, call: ToolCall) -> Receipt | None:
        """As :meth:`write_finished`, on an event loop."""
        begun = perf_counter()
        try:
            receipt = await self.trail.append_async(FINISHED, call)
        except Exception as error:  # noqa: BLE001 - the caller gets the tool's own result
            self.lost(call, error)
            return None
        self.trail.counters.add("finished", seconds=perf_counter() - begun)
        return receipt

    def write_closed(self, call: ToolCall) -> Receipt | None:
        """
        As :meth:`write_finished`, for a generator that is closed.

        The collector may close it, in any thread, also in one that holds one of the trail's locks just then. So another
        thread writes, and this one waits for it, but not for ever.
        """
        written: list[Receipt | None] = []
        writer = threading.Thread(target=lambda: written.append(self.write_finished(call)), name="tool-audit-closed", daemon=True)
        try:
            writer.start()
        except RuntimeError:
            # the interpreter is going down and starts no threads any more: nobody else holds a lock then
            return self.write_finished(call)
        writer.join(_ELSEWHERE_SECONDS)
        return written[0] if written else None

    def submit(self, call: ToolCall, done: Callable[[Receipt | None], None]) -> bool:
        """Hand ``tool_call.observed`` over; *done* hears of it on the trail's thread. False: lost, and counted."""

        def recorded(receipt: Receipt | None) -> None:
            if receipt is not None:
                self.trail.counters.add("recorded")
            done(receipt)

        return self.trail.submit(OBSERVED, call, recorded)

    def submit_amended(self, call: ToolCall, done: Callable[[Receipt | None], None]) -> bool:
        """Hand ``tool_call.amended`` over, of a call that is on record already. False: lost, and counted."""
        return self.trail.submit(AMENDED, call, done)

    def lost(self, call: ToolCall, error: BaseException) -> None:
        """Count and tell a call of which a record could not be written."""
        self.trail.lost(calls=1, records=1, reason=f"{type(error).__name__}: {error}", chain=call["retention_class"])
