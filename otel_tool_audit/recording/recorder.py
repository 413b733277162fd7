"""
Calls into one trail: what must be durable is waited for, what was lost is counted.

Source: ARCHITECTURE.md, R1 and R3; FORMAT.md, section 6.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from time import perf_counter

from otel_tool_audit.format.events import AMENDED, FINISHED, OBSERVED, STARTED
from otel_tool_audit.keys.pseudonyms import Keyring
from otel_tool_audit.policy.retention import check_class
from otel_tool_audit.record.model import Receipt, ToolCall
from otel_tool_audit.recording.builder import CallBuilder
from otel_tool_audit.recording.identity import Caller
from otel_tool_audit.settings import Settings
from otel_tool_audit.text import one_of
from otel_tool_audit.trail.trail import Trail
from otel_tool_audit.trail.worker import ReentrantCallError

_log = logging.getLogger("otel_tool_audit")


class Recorder:
    """
    Writes calls into one trail.

    Attributes:
        trail: Where they go.
        trail_id: Its id, 32 hex digits.
        settings: How.
        calls: Makes what is written.
        sanitizer: What every value goes through first; spans that are forwarded do, too.
        warned: What this recorder has warned of already; each is told once.
        blocked: Names of sync tools that were called on a running event loop.
    """

    def __init__(self, trail: Trail, settings: Settings) -> None:
        """
        Make the sanitizer with the trail's keys.

        Args:
            trail: Open.
            settings: Resolved.

        Raises:
            SettingsError: A retention class cannot be one.
        """
        self.trail = trail
        # asked once: a closed trail does not answer, and a span may end after it
        self.trail_id = trail.trail_id
        self.settings = settings
        trail.keep_tenant(settings.tenant)
        for name in settings.retention.values():
            check_class(name)
        self.warned: set[str] = set()
        self.blocked: set[str] = set()
        self.calls = CallBuilder(settings, Keyring(trail.keys, settings.tenant), self._unattributed)
        self.sanitizer = self.calls.sanitizer

    def write_started(self, call: ToolCall) -> Receipt:
        """
        Append ``tool_call.started``; the tool may run when this has returned.

        Raises:
            Exception: It is not durable.
        """
        # raises through: the gate turns whatever went wrong into a refusal, and nothing is counted as lost, because nothing ran
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
        except ReentrantCallError:
            # the collector, a signal handler or a logging handler ends it in the middle of another record of this thread
            self.trail.submit(FINISHED, call, self._finished)
            return None
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
        except ReentrantCallError:
            self.trail.submit(FINISHED, call, self._finished)
            return None
        except Exception as error:  # noqa: BLE001 - the caller gets the tool's own result
            self.lost(call, error)
            return None
        self.trail.counters.add("finished", seconds=perf_counter() - begun)
        return receipt

    def _finished(self, receipt: Receipt | None) -> None:
        if receipt is not None:
            self.trail.counters.add("finished")

    def submit(self, call: ToolCall, done: Callable[[Receipt | None], None]) -> bool:
        """Hand ``tool_call.observed`` over; *done* hears of it on the trail's thread. False: lost, and counted."""
        if self.trail.closed:
            return self._submit_late(OBSERVED, call, done)

        def recorded(receipt: Receipt | None) -> None:
            if receipt is not None:
                self.trail.counters.add("recorded")
            done(receipt)

        return self.trail.submit(OBSERVED, call, recorded)

    def submit_amended(self, call: ToolCall, done: Callable[[Receipt | None], None]) -> bool:
        """Hand ``tool_call.amended`` over, of a call that is on record already. False: lost, and counted."""
        if self.trail.closed:
            return self._submit_late(AMENDED, call, done)
        return self.trail.submit(AMENDED, call, done)

    def _submit_late(self, event: str, call: ToolCall, done: Callable[[Receipt | None], None]) -> bool:
        """
        Record what a span tells that ended after the trail was closed: some are ended by a thread that exports, when all else is over.

        Waited for, and by a writer that is closed at once: whoever comes so late may be the last thing that the process does.
        """
        try:
            with self.trail.again() as trail:
                receipt = trail.append(event, call)
                if event == OBSERVED:
                    trail.counters.add("calls")
                    trail.counters.add("recorded")
        except Exception as error:  # noqa: BLE001 - whatever the reason
            self.lost(call, error)
            return False
        # lost to the writer that is closed, whose counters nobody records any more; not to the trail
        self.trail.counters.add("lost")
        done(receipt)
        return True

    def lost(self, call: ToolCall, error: BaseException) -> None:
        """Count and tell a call of which a record could not be written."""
        self.trail.lost(calls=1, records=1, reason=f"{type(error).__name__}: {error}", chain=call["retention_class"])

    def warn_once(self, topic: str, message: str, *values: object) -> None:
        """Warn, once for each topic in this process; on standard error where a logging setup has disabled every logger that it does not name."""
        if topic not in self.warned:
            self.warned.add(topic)
            if _log.disabled:
                print(f"otel-tool-audit: {message % values}", file=sys.stderr)  # noqa: T201 - a warning that no logging setup may hide
            else:
                _log.warning(message, *values)

    def _unattributed(self, tool: str, caller: Caller) -> None:
        self.trail.counters.add("unattributed")
        if "unattributed" not in self.warned:
            self.warn_once(
                "unattributed",
                "the tool %s was called without %s: recorded as 'unknown' and counted; call tools inside `with attribution(%s):` (told once)",
                tool,
                one_of(caller.unnamed),
                ", ".join(f"{name}=…" for name in caller.unnamed),
            )
