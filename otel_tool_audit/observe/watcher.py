"""
Watches spans from their start to their end: which of them tell of a tool call, who called, and which tell of the same one.

Source: ARCHITECTURE.md, "Spans of other instrumentations" and "One record a call".
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

from opentelemetry import baggage
from opentelemetry import context as otel
from opentelemetry.sdk.trace import ReadableSpan

from otel_tool_audit.observe.call import ASSUMED, is_assumed, new_fields, observed_call, source_of
from otel_tool_audit.observe.callers import Callers
from otel_tool_audit.observe.model_spans import Models
from otel_tool_audit.observe.open_spans import Descendant, OpenSpan, OpenSpans
from otel_tool_audit.observe.recent_calls import RecentCalls, RecordedCall
from otel_tool_audit.observe.writer import Recorded, Writing, together
from otel_tool_audit.propagation.context import NOBODY
from otel_tool_audit.recognise import CallerSource, CallFacts, Roles, SpanRole, facts_of, kind_of
from otel_tool_audit.recognise.caller import ANCESTOR, BAGGAGE, CONTEXT, MODEL_SPAN, OWN
from otel_tool_audit.recognise.convention import NOTHING, FactMatch
from otel_tool_audit.recognise.sameness import may_be_one
from otel_tool_audit.record.model import UNKNOWN, ToolCall
from otel_tool_audit.recording import CALL_KEY, Recorder

OWN_SCOPE: Final = "otel_tool_audit"
_NOTHING: Final[Mapping[str, Any]] = {}
_BARRIERS: Final = frozenset({SpanRole.MODEL, SpanRole.AGENT})
_MOST_GIVEN_UP: Final = 16_384


class Watcher:
    """
    Knows the spans that are open and the calls that were told of.

    Attributes:
        recorder: Sanitizes and writes.
        spans: What is open.
        writing: Hands over what becomes known.
    """

    def __init__(self, recorder: Recorder) -> None:
        """
        Begin with nothing seen.

        Args:
            recorder: Sanitizes and writes.
        """
        self.recorder = recorder
        self.spans = OpenSpans()
        self._roles = Roles()
        self._callers = Callers(recorder.identities, self._roles)
        self._models = Models()
        self._recent = RecentCalls(recorder.settings.merge_seconds)
        self._given_up: dict[int, RecordedCall] = {}
        self.writing = Writing(recorder)
        # two spans of one call may end in two threads at a time
        self._lock = threading.Lock()

    def after_fork(self) -> None:
        """In a fork's child: the parent's threads hold no lock here, and its calls are its own."""
        self._lock = threading.Lock()
        self._recent = RecentCalls(self.recorder.settings.merge_seconds)
        self.writing.pending.clear()

    # --- starting and ending

    def started(self, span: ReadableSpan, context: otel.Context) -> None:
        """
        Remember a span that starts.

        Args:
            span: Live.
            context: Where it starts.
        """
        entry, gone = self.spans.started(span, context)
        opened: Any = context.get(CALL_KEY)
        if opened is not None and opened.span is None and opened.recorder is self.recorder:
            # the gate is making this very span
            entry.own = RecordedCall(opened.call, own=True, scope=OWN_SCOPE, start=span.start_time or 0, end=None, thread=entry.thread)
            with self._lock:
                self._recent.runs(entry.own)
        if gone is not None:
            self._give_up(gone)

    def ended(self, span: ReadableSpan, attributes: Mapping[str, Any], told: Recorded) -> bool:
        """
        Look at another instrumentation's span that ended.

        Args:
            span: Ended.
            attributes: Its own, in a plain mapping.
            told: Called, now or later, when it tells of a call.

        Returns:
            Whether it does.
        """
        entry = self.spans.ended(span.context.span_id)
        found = self._roles.found(attributes)
        kind = kind_of(found, attributes, span.name)
        if kind is SpanRole.TOOL:
            facts = facts_of(span.name, attributes, found, _events(span), self._roles)
            if facts is not None and not (facts.nameless and self._in_a_tool(entry)):
                self._tools(span, entry, facts, attributes, found, told)
                return True
            kind = SpanRole.PSEUDO
        if kind is SpanRole.MODEL:
            self._model_ended(span, entry, attributes, found)
        if entry is not None:
            self._leave(entry, kind, attributes, found)
        return False

    def own_ended(self, span: ReadableSpan, stamped: Mapping[str, Any]) -> None:
        """
        Look at a span of ours that ended.

        Args:
            span: Ended.
            stamped: What the gate stamped it with.
        """
        entry = self.spans.ended(span.context.span_id)
        if entry is None:
            return
        own, entry.span, entry.children = entry.own, None, None
        if own is not None:
            own.end, own.stamp = span.end_time, stamped
            with self._lock:
                self._recent.ended(own)
            if entry.parent is not None:
                entry.parent.add_descendant(Descendant(own, directly=True))
        if entry.below:
            attributes = dict(span.attributes or _NOTHING)
            self._leave(entry, SpanRole.OTHER, attributes, self._roles.found(attributes))

    def give_up(self) -> None:
        """Report every tool span that is open as interrupted: nobody will look at it any more. Inner ones come first."""
        for entry in self.spans.newest_first():
            self._give_up(entry)

    # --- what a tool's span tells

    def _tools(
        self, span: ReadableSpan, entry: OpenSpan | None, facts: CallFacts, attributes: Mapping[str, Any], found: FactMatch, told: Recorded
    ) -> None:
        calls = (facts, *facts.others)
        telling = together(told, len(calls)) if facts.others else (told,)
        seen = [self._tool(span, entry, each, attributes, found, heard, alone=each is facts) for each, heard in zip(calls, telling, strict=True)]
        if entry is not None:
            self._leave(entry, SpanRole.TOOL, attributes, found, [each for each in seen if each is not None])

    def _tool(
        self,
        span: ReadableSpan,
        entry: OpenSpan | None,
        facts: CallFacts,
        attributes: Mapping[str, Any],
        found: FactMatch,
        told: Recorded,
        *,
        alone: bool,
    ) -> RecordedCall | None:
        raised = sys.exc_info()[1]
        try:
            call, claimed = self._call(span, entry, facts, attributes, found, None if isinstance(raised, Exception) else raised)
        except Exception as error:  # noqa: BLE001 - lost, and said so; the span goes on all the same
            self.writing.lost(facts.tool_name, error)
            told(None)
            return None
        if not alone:
            # the exported span carries one call's stamp; the others have no span of their own, only one around them
            call["parent_span_id"], call["span_id"] = call["span_id"], None
        with self._lock:
            seen = self._same(span, entry, call, facts)
            if seen is None:
                seen = self._observe(span, entry, call, claimed, told)
                seen.nameless = facts.nameless
            else:
                seen.also(_scope(span), span.start_time or 0, span.end_time or 0)
                fresh = new_fields(seen.call, call, own=seen.own, claimed=seen.claimed)
                if seen.nameless and not facts.nameless:
                    # a part of the call ended first, and was taken for a call: what the whole one tells counts
                    fresh["tool_name"] = call["tool_name"]
                    if call["arguments"] is not None:
                        fresh["arguments"], fresh["redactions"] = call["arguments"], call["redactions"]
                    seen.nameless = False
                self.writing.amend(seen, fresh, call["source"], call["claimed"], told)
        return seen

    def _observe(self, span: ReadableSpan, entry: OpenSpan | None, call: ToolCall, claimed: Mapping[str, str], told: Recorded) -> RecordedCall:
        thread = threading.get_ident() if entry is None else entry.thread
        seen = RecordedCall(call, own=False, scope=_scope(span), start=span.start_time or 0, end=span.end_time, thread=thread)
        seen.claimed = claimed
        self._recent.ended(seen)
        self.writing.observe(seen, told)
        return seen

    def _call(
        self,
        span: ReadableSpan,
        entry: OpenSpan | None,
        facts: CallFacts,
        attributes: Mapping[str, Any],
        found: FactMatch,
        raised: BaseException | None,
        *,
        interrupted: bool = False,
    ) -> tuple[ToolCall, Mapping[str, str]]:
        context = None if entry is None else entry.context
        known = NOBODY if context is None else self.recorder.identities.with_baggage(context)
        places = [CallerSource(OWN, attributes, found), *self._around(entry)]
        model, request = self._models.asked(span, entry, facts, self._roles)
        if model is not None:
            places.append(model)
        calling = self._callers.of(known, places)
        told = calling.told
        if request is not None:
            facts, more = request
            told = {**told, **more}
        said = source_of(facts.source, told, known)
        if not interrupted and is_assumed(span, facts):
            said = f"{said} {ASSUMED}"
        return observed_call(self.recorder, span, facts, calling, said, raised, interrupted=interrupted), calling.claimed

    def _around(self, entry: OpenSpan | None) -> list[CallerSource]:
        """Give the places around a span, the nearest first."""
        if entry is None:
            return []
        places = []
        context: Any = entry.context
        if context:
            if found := self._roles.found(context):
                places.append(CallerSource(CONTEXT, context, found))
            if carried := baggage.get_all(context):
                places.append(CallerSource(BAGGAGE, carried, self._roles.found(carried)))
        for above in entry.ancestors() if entry.parent is not None else ():
            live = None if above.span is None else above.span.attributes
            if live and (found := self._roles.found(live)):
                places.append(CallerSource(ANCESTOR, live, found))
        return places

    # --- which call it is

    def _same(self, span: ReadableSpan, entry: OpenSpan | None, call: ToolCall, facts: CallFacts) -> RecordedCall | None:
        """Find the call on record that a span tells of: reported as interrupted before, around it, inside it, beside it."""
        given_up = self._given_up.pop(span.context.span_id, None) if self._given_up and span.context is not None else None
        if given_up is not None:
            return given_up
        if entry is not None:
            around = self._own_around(entry) if entry.parent is not None else None
            if around is not None and may_be_one(around.call, call):
                return around
            for below in reversed(entry.below or ()):
                either = below.seen.nameless or facts.nameless
                named = {**below.seen.call, "tool_name": call["tool_name"]} if either else below.seen.call
                if below.directly and may_be_one(named, call):
                    return below.seen
            if (facts.answers or facts.repeats is not None) and entry.parent is not None:
                # what a tool gave back, or its error once more, in a span of its own after the call's
                again: Any = call if facts.repeats is None else {**call, "tool_name": facts.repeats}
                for below in reversed(entry.parent.below or ()):
                    failed = below.seen.call["success"] is False
                    if below.directly and (failed or facts.repeats is None) and may_be_one(below.seen.call, again):
                        return below.seen
        if facts.arguments is None and not facts.has_result and (repeated := self._recent.repeated(call, _scope(span))) is not None:
            return repeated
        thread = threading.get_ident() if entry is None else entry.thread
        return self._recent.beside(call, _scope(span), span.start_time or 0, span.end_time or 0, thread)

    def _in_a_tool(self, entry: OpenSpan | None) -> bool:
        """Tell whether the span directly around is known as a tool's already."""
        above = None if entry is None else entry.parent
        if above is None or above.span is None:
            return False
        live = above.span.attributes or _NOTHING
        return kind_of(self._roles.found(live), live, above.span.name) is SpanRole.TOOL

    def _own_around(self, entry: OpenSpan) -> RecordedCall | None:
        """Give the call of ours that a span is directly inside of."""
        for above in entry.ancestors():
            if above.own is not None:
                return above.own
            live = None if above.span is None else above.span.attributes
            name = "" if above.span is None else above.span.name
            if live is None or kind_of(self._roles.found(live), live, name) in _BARRIERS:
                return None
        return None

    # --- leaving a span

    def _leave(self, entry: OpenSpan, kind: SpanRole, attributes: Mapping[str, Any], found: FactMatch, seen: Sequence[RecordedCall] = ()) -> None:
        """Tell the span around this one what was inside, and the calls inside what only this one knew."""
        entry.span = None
        entry.children = None
        below, parent = entry.below, entry.parent
        entry.below = None
        if below and found.telling:
            self._tell_below(below, attributes, found)
        if parent is None:
            return
        for each in seen:
            parent.add_descendant(Descendant(each, directly=True))
        for inner in below or ():
            if inner.seen not in seen:
                parent.add_descendant(Descendant(inner.seen, inner.directly and kind not in _BARRIERS and not seen))

    def _tell_below(self, below: Sequence[Descendant], attributes: Mapping[str, Any], found: FactMatch) -> None:
        waiting = [inner.seen for inner in below if _lacks(inner.seen.call)]
        if not waiting:
            return
        calling = self._callers.of(NOBODY, [CallerSource(ANCESTOR, attributes, found)])
        if not calling.told:
            return
        known = calling.caller.fields
        with self._lock:
            for seen in waiting:
                told: Any = {**seen.call, **{n: known[n] for n in ("user_id", "conversation_id", "model", "agent", "user_role") if n in known}}
                # an ancestor tells who called, not what came of it
                fresh = new_fields(seen.call, told, own=True, claimed=seen.claimed)
                if fresh:
                    self.writing.amend(seen, fresh, source_of("", calling.told, NOBODY).strip(), None)

    def _model_ended(self, span: ReadableSpan, entry: OpenSpan | None, attributes: Mapping[str, Any], found: FactMatch) -> None:
        """Remember a model's span, and name the model in calls that ran before it had ended: it was streaming when it asked for them."""
        model = self._models.ended(span, entry, attributes, found)
        beside = None if entry is None or entry.parent is None else entry.parent.below
        if not beside or model.name is None:
            return
        with self._lock:
            for seen in [b.seen for b in beside if b.directly and b.seen.call["model"] == UNKNOWN and b.seen.start >= model.start]:
                name = self.recorder.sanitizer.identifier(model.name, "model").value
                self.writing.amend(seen, {"model": name}, f"model={MODEL_SPAN}", None)

    # --- what never ended

    def _give_up(self, entry: OpenSpan) -> None:
        span = entry.span
        if span is None or entry.own is not None or span.end_time is not None:
            return
        attributes = dict(span.attributes or _NOTHING)
        found = self._roles.found(attributes)
        if kind_of(found, attributes, span.name) is not SpanRole.TOOL:
            self._leave(entry, SpanRole.OTHER, _NOTHING, NOTHING)
            return
        facts = facts_of(span.name, attributes, found, _events(span), self._roles)
        if facts is None:
            return
        try:
            call, claimed = self._call(span, entry, facts, attributes, found, None, interrupted=True)
        except Exception as error:  # noqa: BLE001 - lost, and said so
            self.writing.lost(facts.tool_name, error)
            return
        with self._lock:
            seen = self._same(span, entry, call, facts)
            if seen is None:
                seen = self._observe(span, entry, call, claimed, _nobody)
            if span.context is not None and len(self._given_up) < _MOST_GIVEN_UP:
                self._given_up[span.context.span_id] = seen
        self._leave(entry, SpanRole.TOOL, _NOTHING, NOTHING, [seen])


def _nobody(_: RecordedCall | None) -> None:
    """A span that never ended is never forwarded."""


def _scope(span: ReadableSpan) -> str:
    return "" if span.instrumentation_scope is None else span.instrumentation_scope.name


def _events(span: ReadableSpan) -> tuple[tuple[str, Mapping[str, Any]], ...]:
    events = span.events
    return tuple((event.name, event.attributes or _NOTHING) for event in events) if events else ()


def _lacks(call: ToolCall) -> bool:
    return call["agent"] is None or UNKNOWN in {call["user_id"], call["conversation_id"], call["model"]}
