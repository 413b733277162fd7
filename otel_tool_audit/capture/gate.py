"""
The gate: no durable ``tool_call.started``, no tool; and no result for the caller before ``tool_call.finished`` was tried.

All of it holds whatever OpenTelemetry does: without a provider, unsampled, disabled, replaced, with processors that raise.

Source: ARCHITECTURE.md, D2.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson
from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Status, StatusCode

from otel_tool_audit import semconv
from otel_tool_audit.errors import AuditUnavailable
from otel_tool_audit.propagation.context import current, current_context, detach
from otel_tool_audit.record.model import Receipt, ToolCall
from otel_tool_audit.recording import CALL_KEY, OWN_SPANS_ENDING, Binding, Closed, Outcome, Raised, Returned, ToolSpec, binding_for, refusal

if TYPE_CHECKING:
    import asyncio

    from otel_tool_audit.trail.trail import Trail

_DEEPEST: Final = 50
"""Frames of an exception's stack that its event shows."""

_NOWHERE: Final = otel.Context()

_PATIENCE: Final = 5.0
"""Seconds for which a cancelled task waits for its record; the disk may hang, and cancelling must not."""


class OpenCall:
    """
    One call between its start and its end; used by one thread or task at a time.

    Attributes:
        call: What is known of it, sanitized.
        spec: The tool.
        recorder: Writes it.
        span: Its span; None while that is being made, which is how a processor's ``on_start`` knows it.
        recorded: Whether ``tool_call.started`` is durable.
        withheld: What its error and result must not show, because its arguments do not.
        offered: The arguments, raw, while a decorated tool of this name that runs inside would be this very call.
        inner_outcome: What such a tool told.
        adapter: Which framework's adapter opened it; None: the application did.
        ended: Whether it has ended.
    """

    __slots__ = (
        "__weakref__", "_before", "_begun", "_inside", "_token", "_told", "_written", "adapter", "call", "ended", "inner_outcome", "offered", "recorded",
        "recorder", "span", "spec", "withheld",
    )  # fmt: skip

    def __init__(self, binding: Binding, spec: ToolSpec, arguments: Mapping[str, Any], tool_call_id: object) -> None:
        """
        Sanitize what is known and start the span.

        Raises:
            Exception: The call cannot be recorded.
        """
        self.recorder = binding.recorder
        self.spec = spec
        self.span: Span | None = None
        self.recorded = False
        self.offered: Mapping[str, Any] | None = None
        self.inner_outcome: Outcome | None = None
        self.adapter: str | None = None
        self.ended = False
        self._written = False
        self._begun = 0
        self._token: Any = None
        self._before = _NOWHERE
        context = current_context()
        # Sanitized first, for the span begins with what the record says; the span second, for the record names it. Both before anything is
        # written: what fails here has left no trace, and the tool is refused.
        self.call, self._told, self.withheld = self.recorder.calls.started(spec, arguments, context, tool_call_id)
        # on_start runs inside start_span(): only by this key, and by self.span being None, a processor knows the span for ours
        inside = otel.set_value(CALL_KEY, self, context)
        self.span = self._start_span(binding, inside)
        self._inside = trace.set_span_in_context(self.span, inside)

    def _start_span(self, binding: Binding, inside: otel.Context) -> Span:
        call = self.call
        try:
            span = binding.tracer().start_span(
                f"{semconv.EXECUTE_TOOL} {call['tool_name']}", context=inside, kind=SpanKind.INTERNAL, attributes=self._told
            )
        except Exception as error:  # noqa: BLE001 - a sampler or processor of the application's; the record needs no span
            self.recorder.warn_once("span", "no span can be started for %s (%r); calls are recorded all the same", self.spec.name, error)
            span = INVALID_SPAN
        own, parent = span.get_span_context(), trace.get_current_span(inside).get_span_context()
        if own.is_valid:
            call["trace_id"] = f"{own.trace_id:032x}"
            if self.withheld and not self.withheld.is_shared:
                # what the tool itself calls belongs to the trace that begins here
                self.withheld.share(self.recorder.calls.traces.of(own.trace_id))
            # without an SDK the API hands out the span around: that is not this call's own
            if own.span_id != parent.span_id:
                call["span_id"] = f"{own.span_id:016x}"
            if parent.is_valid:
                call["parent_span_id"] = f"{parent.span_id:016x}"
            if not own.trace_flags & 1:
                self.recorder.trail.counters.add("unsampled")
                call["sampled"] = False
                if binding.dropped is not None and not span.is_recording():
                    binding.dropped()
        return span

    # --- the body runs between these two

    def enter(self) -> None:
        """Let what follows belong to this call."""
        self._before = otel.get_current()
        self._token = otel.attach(self._inside)
        # the last thing before the body, and only once: a generator enters again for each item
        if not self._begun:
            self._begun = time.perf_counter_ns()

    def caller_said(self, name: str) -> Any:  # noqa: ANN401 - text or number, as the field is
        """Give what was said of who calls when the call began: raw, as no record has it."""
        return current(self._inside).get(name)

    @property
    def inside(self) -> otel.Context:
        """The context in which what follows belongs to this call, for whoever goes on with it elsewhere in the process."""
        return self._inside

    def leave(self) -> None:
        """Let what follows no longer belong to it; a second time, and in a context that it was not entered in, does nothing."""
        if otel.get_value(CALL_KEY) is self:
            # interrupted while it was entered, the token may be lost: then the context before is put over this one
            if self._token is not None:
                detach(self._token)
            else:
                otel.attach(self._before)
        self._token = None

    # --- how it ends

    def finish(self, outcome: Outcome) -> ToolCall | None:
        """
        Record how the call ended.

        Args:
            outcome: As whoever called the tool saw it; what the decorated tool inside told counts more.

        Returns:
            What is recorded; None when that could not even be made, which is counted.
        """
        # Record, stamp, end of the span, in this order: the span carries the receipt, and a process that dies between the two has the record.
        done, receipt = None, None
        try:
            if not self._written:
                done = self._ended(outcome)
                # Before the record: interrupted in there, nobody knows whether it stands, and a second one would contradict it.
                self._written = True
                if done is not None:
                    receipt = self.recorder.write_finished(done)
        finally:
            # also when that was interrupted: a span that never ends is never exported, and its context holds this call in memory
            self.leave()
            self._end_span(done, receipt, outcome)
        return done

    async def finish_async(self, outcome: Outcome) -> ToolCall | None:
        """
        As :meth:`finish`, on an event loop.

        Raises:
            CancelledError: The task was cancelled meanwhile; the record was written first.
        """
        done, receipt, cancelled = None, None, None
        try:
            if not self._written:
                done = self._ended(outcome)
                self._written = True
                if done is not None:
                    receipt, cancelled = await settled(self.recorder.write_finished_async(done))
        finally:
            self.leave()
            self._end_span(done, receipt, outcome)
        if cancelled is not None:
            raise cancelled
        return done

    def abandon(self) -> None:
        """Leave a call that nobody ends any more, unless it has ended; in the records it is interrupted."""
        if not self.ended:
            self.ended = self._written = True
            self.leave()
            self._end_span(None, None, None)

    def refused(self, error: BaseException) -> None:
        """
        No durable start. What happens now is a setting.

        Raises:
            AuditUnavailable: The tool must not run.
        """
        recorder = self.recorder
        if recorder.settings.on_unavailable == "allow":
            recorder.lost(self.call, error)
            return
        recorder.trail.counters.add("refused")
        told = refusal(self.spec.name, error)
        self._end_span(None, None, None, str(told))
        raise told from error

    # --- pieces

    def _ended(self, outcome: Outcome) -> ToolCall | None:
        # the clock stops, and the call's context is left, before anything is sanitized: neither is the tool's own time
        elapsed = time.perf_counter_ns() - self._begun if self._begun else 0
        self.ended = True
        self.leave()
        try:
            return self.recorder.calls.finished(self.call, self.spec, self._told_inside(outcome), elapsed, self.withheld)
        except Exception as error:  # noqa: BLE001 - the caller gets the tool's own result or exception
            self.recorder.lost(self.call, error)
            return None

    def _told_inside(self, outcome: Outcome) -> Outcome:
        """Choose between what the caller saw and what the decorated tool inside told: frameworks wrap results, and what a tool raises."""
        inner = self.inner_outcome
        if inner is not None and (isinstance(outcome, Returned) or isinstance(inner, (Raised, Closed))):
            return inner
        return outcome

    def _end_span(self, done: ToolCall | None, receipt: Receipt | None, outcome: Outcome | None, refused: str | None = None) -> None:
        """Stamp the span while it lives, and end it. Nothing that OpenTelemetry does here reaches the caller."""
        # the context refers back to this call: without this only the collector could free both
        self._inside = _NOWHERE
        span = self.span
        if span is None or not span.is_recording():
            return
        span_id = span.get_span_context().span_id
        try:
            self._stamp(span, done, receipt, outcome, refused)
            # after the last attribute and before end(): on_end finds here what need not be sanitized again
            OWN_SPANS_ENDING[span_id] = self._told
            span.end()
        except Exception as problem:  # noqa: BLE001 - processors of the application's; the records are written
            self.recorder.warn_once("end", "a span processor failed when the span of %s ended (%r)", self.spec.name, problem)
        finally:
            OWN_SPANS_ENDING.pop(span_id, None)

    def _stamp(self, span: Span, done: ToolCall | None, receipt: Receipt | None, outcome: Outcome | None, refused: str | None) -> None:
        if done is None:
            span.set_status(Status(StatusCode.ERROR, refused))
            if refused is not None:
                span.set_attribute(semconv.ERROR_TYPE, AuditUnavailable.__name__)
            return
        told = semconv.stamp(done, receipt, self.recorder.trail_id)
        # stands there since the start
        del told[semconv.RECORD_ID]
        if done["result_summary"] is not None:
            # what the record says of the result, never the result itself
            told[semconv.TOOL_RESULT] = orjson.dumps(done["result_summary"]).decode()
        if self.recorder.settings.openinference:
            told.update(semconv.openinference(done, self._told[semconv.TOOL_ARGUMENTS]))
        self._told.update(told)
        span.set_attributes(told)
        if done["success"] is False:
            span.set_status(Status(StatusCode.ERROR, done["error"]))
            if isinstance(outcome, (Raised, Closed)):
                span.add_event(semconv.EXCEPTION_EVENT, _exception(done, outcome.error))


def begin(
    spec: ToolSpec, arguments: Mapping[str, Any], trail: Trail | None = None, tool_call_id: object = None, *, by_name: bool = False
) -> OpenCall | None:
    """
    Open a call for a sync tool; when this returns, the tool may run, once its caller has entered the call.

    Args:
        spec: The tool.
        arguments: By name, raw.
        trail: The tool's own; None: the one that is bound.
        tool_call_id: The provider's id of the call.
        by_name: Whether the decorated tool of the same name that is called inside is this call.

    Returns:
        None when the tool runs unrecorded: recording is off on purpose, or unavailable and allowed to be.

    Raises:
        AuditUnavailable: The tool must not run.
    """
    opened = _opened(spec, arguments, trail, tool_call_id, by_name=by_name)
    try:
        if opened is not None:
            _tell_of_blocked_loop(opened)
            try:
                opened.recorder.write_started(opened.call)
                opened.recorded = True
            except Exception as error:  # noqa: BLE001 - whatever the reason: no record, no tool
                opened.refused(error)
        return opened
    except AuditUnavailable:
        raise
    except BaseException as error:
        # interrupted before the body ran; the start may or may not be on record
        if opened is not None:
            opened.finish(Raised(error))
        raise


async def begin_async(
    spec: ToolSpec, arguments: Mapping[str, Any], trail: Trail | None = None, tool_call_id: object = None, *, by_name: bool = False
) -> OpenCall | None:
    """As :func:`begin`, without holding up the event loop."""
    opened = _opened(spec, arguments, trail, tool_call_id, by_name=by_name)
    try:
        if opened is not None:
            cancelled = None
            try:
                _, cancelled = await settled(opened.recorder.write_started_async(opened.call))
                opened.recorded = True
            except Exception as error:  # noqa: BLE001 - whatever the reason: no record, no tool
                opened.refused(error)
            if cancelled is not None:
                raise cancelled
        return opened
    except AuditUnavailable:
        raise
    except BaseException as error:
        if opened is not None:
            await opened.finish_async(Raised(error))
        raise


def _tell_of_blocked_loop(opened: OpenCall) -> None:
    # whoever never imported asyncio runs no loop of its
    loops: Any = sys.modules.get("asyncio.events")
    if loops is not None and loops._get_running_loop() is not None:  # noqa: SLF001 - public by asyncio's own __all__; the other form raises
        opened.recorder.trail.counters.add("blocked_loop")
        opened.recorder.blocked.add(opened.spec.name)


def _opened(spec: ToolSpec, arguments: Mapping[str, Any], trail: Trail | None, tool_call_id: object, *, by_name: bool) -> OpenCall | None:
    binding = binding_for(trail)
    if binding is None:
        return None
    recorder = binding.recorder
    # before the attempt: a call that dies in it is one that the counters know and the records do not
    recorder.trail.counters.add("calls")
    try:
        opened = OpenCall(binding, spec, arguments, tool_call_id)
        opened.offered = arguments if by_name else None
        return opened
    except Exception as error:
        if recorder.settings.on_unavailable == "allow":
            recorder.trail.lost(calls=1, records=1, reason=f"{spec.name}: {error}")
            return None
        recorder.trail.counters.add("refused")
        raise refusal(spec.name, error) from error


async def settled(writing: Coroutine[Any, Any, Receipt | None]) -> tuple[Receipt | None, asyncio.CancelledError | None]:
    """
    Wait for a record although the task is cancelled meanwhile.

    Args:
        writing: Writes it.

    Returns:
        The receipt, and the cancellation to raise when the call is on record. Without a receipt the disk was slower than
        a cancelled task waits.

    Raises:
        Exception: What *writing* raised.
    """
    # A task of its own, and shielded: the trail writes in another thread, and nobody can call back what that has begun. Awaited directly, a
    # cancellation would leave the record written and its receipt lost.
    import asyncio  # noqa: PLC0415 - a loop runs, so it is loaded

    task = asyncio.ensure_future(writing)
    try:
        return await asyncio.shield(task), None
    except asyncio.CancelledError as error:
        cancelled = error
    deadline = time.monotonic() + _PATIENCE
    while not task.done() and time.monotonic() < deadline:
        try:
            await asyncio.wait({task}, timeout=_PATIENCE)
        except asyncio.CancelledError:
            # one cancellation is enough to honour; the record comes first
            continue
    return (task.result() if task.done() and not task.cancelled() else None), cancelled


def _exception(done: ToolCall, error: BaseException) -> dict[str, str]:
    """Tell an exception: its message as the record has it, its stack without source lines or values."""
    frames = traceback.StackSummary.extract(traceback.walk_tb(error.__traceback__), limit=-_DEEPEST, lookup_lines=False)
    told = {semconv.EXCEPTION_TYPE: done["error_type"] or "", semconv.EXCEPTION_MESSAGE: done["error"] or ""}
    told[semconv.EXCEPTION_STACKTRACE] = "\n".join(f'File "{f.filename}", line {f.lineno}, in {f.name}' for f in frames)
    return told
