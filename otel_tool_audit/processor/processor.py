"""
``AuditSpanProcessor``: stands before the processor that exports, so that nothing unsanitized passes and every tool span is recorded.

``on_start`` and ``on_end`` hand over and never wait, and never raise. Own calls were recorded and stamped by the gate; they are
only forwarded. Spans of other instrumentations get their record here, and their stamped copy goes on when that is durable.

Source: ARCHITECTURE.md, R25 and R27, D2.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.sampling import Sampler
from opentelemetry.trace import TracerProvider

from otel_tool_audit import semconv
from otel_tool_audit.observe.recent_calls import RecordedCall
from otel_tool_audit.observe.watcher import Watcher
from otel_tool_audit.processor.delivery import Delivery
from otel_tool_audit.processor.neighbours import exporting_neighbours, processors
from otel_tool_audit.processor.sampler import follows_callers, records_all
from otel_tool_audit.processor.spans import SpanSanitizer
from otel_tool_audit.propagation.context import current_context
from otel_tool_audit.propagation.header import join_global, keys_in
from otel_tool_audit.recording import OWN_SPANS_ENDING, Binding, bind
from otel_tool_audit.recording.recorder import Recorder
from otel_tool_audit.settings import Settings
from otel_tool_audit.trail import lifetimes
from otel_tool_audit.trail.trail import Trail

_PATIENCE: Final = 5.0
"""Seconds that shutting down waits for spans to be recorded, and again for them to be exported."""

_TICK: Final = 0.002
_NOTHING: Final[Mapping[str, Any]] = {}


class AuditSpanProcessor(SpanProcessor):
    """
    Records tool spans and forwards sanitized copies of all spans. Making one binds this process' tools to its trail.

    Attributes:
        binding: The recorder, and where spans of own calls are made.
        forward: The processor that exports; None: nothing is exported.
        delivery: Hands spans to it and keeps the account.
    """

    def __init__(
        self, trail: Trail, forward: SpanProcessor | None = None, *, settings: Settings | None = None, tracer_provider: TracerProvider | None = None
    ) -> None:
        """
        Stand before a processor.

        Args:
            trail: Open; it is flushed, and never closed, by this processor.
            forward: Exports, for instance ``BatchSpanProcessor(OTLPSpanExporter())``.
            settings: Else as the environment says.
            tracer_provider: Makes the spans of own calls, if not the global one.

        Raises:
            SettingsError: A setting cannot be used.
        """
        self.binding = Binding(Recorder(trail, settings or Settings.resolve()), tracer_provider)
        self.recorder = self.binding.recorder
        self.delivery: Delivery | None = None
        self.forward = forward
        self._spans = SpanSanitizer(self.recorder.sanitizer, self.recorder.calls.traces)
        self._watcher = Watcher(self.recorder)
        # no lock guards this set: a fork's child may not inherit a held one; adding and discarding are atomic
        self._waiting: set[object] = set()
        self._shut = False
        self._retired = self._forked = False
        self._neighbours: tuple[Any, ...] = ()
        self.binding.processor, self.binding.dropped = self, self._dropped
        bind(self.binding)
        lifetimes.watch_writer(self)
        # whoever makes a processor by hand hands attribution on as configure() does
        self._leave_propagator = join_global(keys_in(self.recorder.settings.attribution_key))

    @property
    def forward(self) -> SpanProcessor | None:
        """The processor that exports, or None."""
        return None if self.delivery is None else self.delivery.forward

    @forward.setter
    def forward(self, forward: SpanProcessor | None) -> None:
        """Let another one export from now on."""
        self.delivery = None if forward is None else Delivery(forward, self.recorder.trail, self.recorder.warn_once)

    # --- the SDK calls these

    def on_start(self, span: Span, parent_context: otel.Context | None = None) -> None:
        """Remember the context: when the span ends nobody tells any more who called."""
        if self._retired:
            return
        try:
            self._started(span, current_context(parent_context))
        except Exception as error:  # noqa: BLE001 - what a processor raises reaches the application
            self.recorder.warn_once("on_start", "the start of a span could not be looked at (%r); its call lacks attribution", error)

    def on_end(self, span: ReadableSpan) -> None:
        """Record a tool span, unless the gate did, and forward a sanitized copy of any."""
        if self._retired:
            return
        try:
            self._ended(span)
        except Exception as error:  # noqa: BLE001 - what a processor raises reaches the application
            self.recorder.warn_once("on_end", "a span could not be sanitized (%r); it is forwarded without its contents", error)
            self._pass_on_bare(span)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """
        Wait until everything that ended is recorded and exported.

        Args:
            timeout_millis: How long, in milliseconds.

        Returns:
            Whether it is, as far as the exporter told.
        """
        deadline = time.monotonic() + timeout_millis / 1000
        recorded = self._settle(deadline)
        if self.delivery is None or self._shut:
            return recorded
        return self.delivery.flush(max(0.0, deadline - time.monotonic())) and recorded

    def shutdown(self) -> None:
        """Record and export what ended, tell what was not delivered. The trail stays open: own calls are recorded on."""
        if self._shut:
            return
        # in this order: what is given up is handed over, what is handed over is waited for, and its spans are exported before the exporter ends
        self._watcher.give_up()
        self._settle(time.monotonic() + _PATIENCE)
        self._leave_propagator()
        self._shut = True
        if self.delivery is not None:
            self.delivery.shutdown(_PATIENCE)

    def close(self) -> None:
        """Shut down where the process ends; in a fork's child that exported nothing its exporter, the parent's, is left alone."""
        if self._forked and not self._shut:
            # what ended is handed to the exporter when its record is durable: only then it shows whether there is anything to export
            self._watcher.give_up()
            self._settle(time.monotonic() + _PATIENCE)
            if self.delivery is None or not self.delivery.busy:
                return
        self.shutdown()

    def after_fork(self) -> None:
        """In a fork's child: what the parent waits for, remembers and has handed over is the parent's."""
        self._forked = True
        self._waiting.clear()
        self._watcher.after_fork()
        if self.delivery is not None:
            self.delivery.after_fork()

    @property
    def retired(self) -> bool:
        """Whether it does nothing any more."""
        return self._retired

    def retire(self) -> None:
        """Do nothing any more, for a provider that it cannot be taken out of."""
        self._leave_propagator()
        self._shut = self._retired = True

    # --- starting and ending

    def _started(self, span: Span, context: otel.Context) -> None:
        self._watcher.started(span, context)
        sampler = getattr(span, "_sampler", None)
        if not records_all(sampler) and not follows_callers(sampler):
            self._tell_of_drops(sampler)
        self._look_around()

    def _dropped(self) -> None:
        """A span of an own call was dropped: so are other instrumentations', which nobody hears of."""
        self._tell_of_drops(getattr(self.binding.tracer(), "sampler", None))

    def _tell_of_drops(self, sampler: object) -> None:
        if sampler is not None and "sampler" not in self.recorder.warned:
            self.recorder.warn_once(
                "sampler",
                "the sampler %s drops spans before this processor sees them: tool calls of other instrumentations leave no record then "
                "(own tools' calls do); use configure(), or make the provider with sampler=otel_tool_audit.processor.RecordAll(sampler)",
                sampler.get_description() if isinstance(sampler, Sampler) else type(sampler).__name__,
            )

    def _look_around(self) -> None:
        """Tell of a processor beside this one that exports; looked for whenever the provider's processors changed."""
        provider = self.binding.provider or trace.get_tracer_provider()
        found = processors(provider)
        if found is self._neighbours:
            return
        self._neighbours = found
        if self in found and (others := exporting_neighbours(provider, AuditSpanProcessor)):
            self.recorder.warn_once(
                "neighbours",
                "UNSANITIZED SPANS ARE EXPORTED by %s on the same provider, secrets and personal data included: "
                "remove it, and hand its processor to AuditSpanProcessor(trail, forward=…) instead",
                ", ".join(others),
            )

    def _ended(self, span: ReadableSpan) -> None:
        context = span.context
        if context is None:
            return
        stamped = OWN_SPANS_ENDING.get(context.span_id)
        sampled = context.trace_flags.sampled
        if stamped is not None:
            self._watcher.own_ended(span, stamped)
            if sampled:
                self._pass_on(self._spans.cleaned(span, stamped))
            return
        waiting = object()

        def recorded(seen: RecordedCall | None) -> None:
            try:
                if sampled:
                    self._pass_on_stamped(self._spans.cleaned(span), seen)
            finally:
                self._waiting.discard(waiting)

        self._waiting.add(waiting)
        try:
            told = self._watcher.ended(span, recorded)
        except BaseException:
            self._waiting.discard(waiting)
            raise
        if told:
            if not sampled:
                self.recorder.trail.counters.add("unsampled")
            return
        self._waiting.discard(waiting)
        if sampled:
            self._pass_on(self._spans.cleaned(span))

    # --- forwarding

    def _pass_on_stamped(self, cleaned: ReadableSpan, seen: RecordedCall | None) -> None:
        if seen is None:
            self._pass_on(cleaned)
            return
        call = seen.call
        identity = semconv.identity(call)
        for attribute in (semconv.USER_ID, semconv.ACTOR_ID, semconv.ACTOR_TYPE) if "user_id" in seen.claimed else ():
            # who only claims to be someone is no actor
            identity.pop(attribute, None)
        # whoever searches the backend for a user or a conversation of the trail finds the call, whatever id the framework made up
        known: dict[str, Any] = {name: identity[name] for name in (semconv.USER_ID, semconv.CONVERSATION) if name in identity}
        stamp = {**identity, **(cleaned.attributes or _NOTHING), **known, **semconv.stamp(call, seen.receipt, self.recorder.trail_id)}
        self._pass_on(self._spans.stamped(cleaned, stamp))

    def _pass_on(self, span: ReadableSpan) -> None:
        if self.delivery is None:
            return
        if not self._shut:
            self.delivery.hand_over(span)
            return
        self.recorder.trail.counters.add("spans_dropped")
        self.recorder.warn_once(
            "late",
            "a span ended after its exporter was shut down (%s): it did not reach its backend; a tool call is on record in the trail",
            span.name,
        )

    def _pass_on_bare(self, span: ReadableSpan) -> None:
        try:
            if span.context is not None and span.context.trace_flags.sampled:
                self._pass_on(self._spans.bare(span))
        except Exception as error:  # noqa: BLE001 - then nothing of it is exported
            self.recorder.warn_once("bare", "a span could not be forwarded at all (%r)", error)

    # --- the end

    def _settle(self, deadline: float) -> bool:
        """Wait until every span that was handed over is recorded and forwarded."""
        while self._waiting or self._watcher.writing.pending:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_TICK)
        return True
