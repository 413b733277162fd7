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
from opentelemetry.trace import StatusCode

from otel_tool_audit import semconv
from otel_tool_audit.observe.call import ASSUMED, ELSEWHERE, is_assumed, new_fields, observed_call, outcome_elsewhere, outcome_of, source_of
from otel_tool_audit.observe.callers import Callers, apart
from otel_tool_audit.observe.model_spans import Models, asked_as
from otel_tool_audit.observe.open_spans import Descendant, ModelSeen, OpenSpans, SpanMemory, SpanNode
from otel_tool_audit.observe.recent_calls import RecentCalls, RecordedCall
from otel_tool_audit.observe.span_view import NOTHING as NO_ATTRIBUTES
from otel_tool_audit.observe.span_view import SpanView, events_of, plain, scope_of
from otel_tool_audit.observe.unanswered import Unanswered, is_unanswered
from otel_tool_audit.observe.writer import Recorded, Writing, together
from otel_tool_audit.propagation.context import NOBODY
from otel_tool_audit.recognise import CallerSource, CallFacts, Roles, SpanRole, agent_in, facts_of, kind_of
from otel_tool_audit.recognise import convention as c
from otel_tool_audit.recognise.caller import ADAPTER, ANCESTOR, BAGGAGE, CONTEXT, MODEL_SPAN, OWN
from otel_tool_audit.recognise.convention import NOTHING, FactMatch
from otel_tool_audit.recognise.hosted import hosted_in
from otel_tool_audit.recognise.kinds import names_agent
from otel_tool_audit.recognise.sameness import may_be_one, same_tool
from otel_tool_audit.recognise.values import plain_text
from otel_tool_audit.record.model import UNKNOWN, ToolCall
from otel_tool_audit.recording import CALL_KEY
from otel_tool_audit.recording.recorder import Recorder

OWN_SCOPE: Final = "otel_tool_audit"
_BARRIERS: Final = frozenset({SpanRole.MODEL, SpanRole.AGENT})
_MOST_GIVEN_UP: Final = 16_384
_MOST_HOSTED: Final = 4_096
"""Calls run elsewhere that are remembered, because later answers of the model repeat them."""


class Watcher:
    """
    Knows the spans that are open and the calls that were told of.

    Attributes:
        recorder: Sanitizes and writes.
        spans: What is open.
        writing: Hands over what becomes known.
    """

    def __init__(self, recorder: Recorder, spans: SpanMemory | None = None) -> None:
        """
        Begin with nothing seen.

        Args:
            recorder: Sanitizes and writes.
            spans: Tells which spans are around and inside another; None: the SDK tells of each span's start and end.
        """
        self.recorder = recorder
        self.spans: SpanMemory = OpenSpans() if spans is None else spans
        self._roles = Roles()
        self._callers = Callers(recorder.calls.identities, self._roles)
        self._models = Models()
        self._recent = self._no_calls()
        self._given_up: dict[int, RecordedCall] = {}
        self._hosted_known: dict[tuple[str, str], None] = {}
        self._inherited: frozenset[int] = frozenset()
        self.writing = Writing(recorder)
        self._unanswered = Unanswered(recorder.calls, self.writing)
        # Two spans of one call may end in two threads at a time: one has to find what the other remembered. Held from looking for the call
        # until it is remembered and handed over, so that records of one call reach the trail in the order in which they were made. The
        # trail's thread never takes it: a record becomes durable while it is held. Re-entrant: the collector may end a span in this thread. Own
        # calls are remembered without it: their thread may be interrupted at any line.
        self._lock = threading.RLock()

    def after_fork(self) -> None:
        """In a fork's child: the parent's threads hold no lock here, and its calls are its own."""
        self._lock = threading.RLock()
        self._recent = self._no_calls()
        self.writing.pending.clear()
        # they still tell who called, and are not this process' to give up
        self._inherited = frozenset(node.view.context.span_id for node in self.spans.newest_first() if node.view is not None)

    def _no_calls(self) -> RecentCalls:
        return RecentCalls(self.recorder.settings.merge_seconds, in_order=self.spans.in_order)

    # --- starting and ending

    def started(self, span: SpanView, context: otel.Context | None) -> None:
        """
        Remember a span that starts, or that came with others and will be looked at after them.

        Args:
            span: Live, or ended.
            context: Where it starts; None where nobody knows that.
        """
        entry, gone = self.spans.started(span, context)
        opened: Any = None if context is None else context.get(CALL_KEY)
        if opened is not None and opened.span is None and opened.recorder is self.recorder:
            # the gate is making this very span
            entry.own = RecordedCall(opened.call, own=True, scope=OWN_SCOPE, start=span.start_time or 0, end=None, thread=entry.thread)
            self._recent.runs(entry.own)
        if gone is not None:
            self._give_up(gone)

    def ended(self, span: SpanView, told: Recorded) -> bool:
        """
        Look at another instrumentation's span that ended.

        Args:
            span: Ended.
            told: Called, now or later, when it tells of a call.

        Returns:
            Whether it does.
        """
        entry = self.spans.ended(span)
        attributes = plain(span.attributes)
        found = self._roles.found(attributes)
        kind = kind_of(found, attributes, span.name)
        if kind is SpanRole.TOOL:
            facts = facts_of(span.name, attributes, found, events_of(span), self._roles)
            if facts is not None and not (facts.nameless and self._in_a_tool(entry)):
                self._tools(span, entry, facts, attributes, found, told)
                return True
            kind = SpanRole.PSEUDO
        hosted: list[RecordedCall] = []
        if kind is SpanRole.MODEL:
            self._model_ended(span, entry, attributes, found)
            hosted = self._hosted(span, entry, attributes, found)
        if entry is not None:
            self._leave(entry, kind, attributes, found, hosted)
        return False

    def own_ended(self, span: SpanView, stamped: Mapping[str, Any]) -> None:
        """
        Look at a span of ours that ended.

        Args:
            span: Ended.
            stamped: What the gate stamped it with.
        """
        entry = self.spans.ended(span)
        if entry is None:
            return
        own = entry.own
        if own is not None:
            own.end, own.stamp = span.end_time, stamped
            self._recent.ended(own)
            if entry.parent is not None:
                entry.parent.add_descendant(Descendant(own, directly=True))
        # what the gate put there was known to the calls inside as far as it is true of them: a sub-agent's are not the outer agent's
        attributes = {key: value for key, value in plain(span.attributes).items() if key not in stamped} if entry.below else NO_ATTRIBUTES
        self._leave(entry, SpanRole.OTHER, attributes, self._roles.found(attributes) if entry.below else NOTHING)

    def give_up(self) -> None:
        """Report every tool span that is open as interrupted: nobody will look at it any more. Inner ones come first."""
        for entry in self.spans.newest_first():
            self._give_up(entry)

    # --- what a tool's span tells

    def _tools(
        self, span: SpanView, entry: SpanNode | None, facts: CallFacts, attributes: Mapping[str, Any], found: FactMatch, told: Recorded
    ) -> None:
        calls = (facts, *facts.others)
        telling = together(told, len(calls)) if facts.others else (told,)
        seen = [self._tool(span, entry, each, attributes, found, heard, alone=each is facts) for each, heard in zip(calls, telling, strict=True)]
        if entry is not None:
            self._leave(entry, SpanRole.TOOL, attributes, found, [each for each in seen if each is not None])

    def _tool(
        self,
        span: SpanView,
        entry: SpanNode | None,
        facts: CallFacts,
        attributes: Mapping[str, Any],
        found: FactMatch,
        told: Recorded,
        *,
        alone: bool,
    ) -> RecordedCall | None:
        raised = sys.exc_info()[1]
        try:
            call, claimed, spare = self._call(span, entry, facts, attributes, found, None if isinstance(raised, Exception) else raised)
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
                if spare is not None:
                    self._give_id(call, *spare)
                if call["model"] == UNKNOWN:
                    self._unanswered.goes_on(call)
                self.recorder.calls.link(call)
                seen = self._observe(span, entry, call, claimed, told)
                seen.nameless = facts.nameless
                seen.unanswered = call["success"] is None and is_unanswered(facts)
                seen.aliases = () if facts.alias is None else (facts.alias,)
            else:
                seen.also(scope_of(span), span.start_time or 0, span.end_time or 0)
                fresh = new_fields(seen.call, call, own=seen.own, claimed=seen.claimed) | _named_anew(seen, call, facts)
                self.writing.amend(seen, fresh, call["source"], call["claimed"], told)
            self._unanswered.observed(seen, facts, scope_of(span))
            if not seen.own:
                # the gate remembers its own calls when they end
                self.recorder.calls.remember(seen.call)
        return seen

    def _hosted(self, span: SpanView, entry: SpanNode | None, attributes: Mapping[str, Any], found: FactMatch) -> list[RecordedCall]:
        """Record what the provider ran itself, of which only its model's span tells; told of once more it is the same call."""
        seen: list[RecordedCall] = []
        for facts in hosted_in(attributes, events_of(span)):
            key = (facts.tool_name, facts.tool_call_id or f"{span.context.trace_id:032x} {facts.arguments!r}")
            with self._lock:
                if key in self._hosted_known:
                    continue
                if len(self._hosted_known) >= _MOST_HOSTED:
                    self._hosted_known.pop(next(iter(self._hosted_known)))
                self._hosted_known[key] = None
            try:
                call, claimed, _ = self._call(span, entry, facts._replace(source=found.source), attributes, found, None, elsewhere=True)
            except Exception as error:  # noqa: BLE001 - lost, and said so; the span goes on all the same
                self.writing.lost(facts.tool_name, error)
                continue
            # the span is the model's: it is around the call
            call["parent_span_id"], call["span_id"], call["duration_ms"] = call["span_id"], None, None
            with self._lock:
                self.recorder.calls.link(call)
                made = RecordedCall(call, own=False, scope=scope_of(span), start=span.start_time or 0, end=span.end_time, thread=0)
                made.claimed = claimed
                self.writing.observe(made, _nobody)
                self.recorder.calls.remember(call)
            seen.append(made)
        return seen

    def _observe(self, span: SpanView, entry: SpanNode | None, call: ToolCall, claimed: Mapping[str, str], told: Recorded) -> RecordedCall:
        thread = threading.get_ident() if entry is None else entry.thread
        seen = RecordedCall(call, own=False, scope=scope_of(span), start=span.start_time or 0, end=span.end_time, thread=thread)
        seen.claimed = claimed
        self._recent.ended(seen)
        self.writing.observe(seen, told)
        return seen

    def _call(
        self,
        span: SpanView,
        entry: SpanNode | None,
        facts: CallFacts,
        attributes: Mapping[str, Any],
        found: FactMatch,
        raised: BaseException | None,
        *,
        interrupted: bool = False,
        elsewhere: bool = False,
    ) -> tuple[ToolCall, Mapping[str, str], tuple[ModelSeen, tuple[str, ...]] | None]:
        context = None if entry is None else entry.context
        known = NOBODY if context is None else self.recorder.calls.identities.with_baggage(context)
        places = [CallerSource(OWN, attributes, found), *self._around(entry)]
        if known.adapted:
            known, adapted = apart(known)
            places.append(CallerSource(ADAPTER, adapted, self._roles.found(adapted)))
        asked = self._models.asked(span, entry, facts, self._roles)
        if asked.model is not None:
            places.append(asked.model)
        calling = self._callers.of(known, places)
        told = calling.told
        # asked before a model's span tells what this one does not: then the span itself told what went in
        silent = is_unanswered(facts)
        facts = asked.facts
        told = {**told, **asked.more}
        said = source_of(facts.source, told, known)
        if elsewhere:
            return observed_call(self.recorder.calls, span, facts, calling, f"{said} {ELSEWHERE}", outcome_elsewhere(facts)), calling.claimed, None
        if not interrupted and is_assumed(span, facts):
            said = f"{said} {ASSUMED}"
        unknown = interrupted or (silent and raised is None and span.status.status_code is not StatusCode.ERROR and self._in_an_agent(entry))
        outcome = None if unknown else outcome_of(span, facts, raised)
        return observed_call(self.recorder.calls, span, facts, calling, said, outcome, interrupted=interrupted), calling.claimed, asked.spare

    def _give_id(self, call: ToolCall, model: ModelSeen, ids: tuple[str, ...]) -> None:
        """Give a call one of the ids under which a model asked for the same at a time; it is known by now that no other span tells of it."""
        number = next((number for number in ids if number not in model.given), None)
        if number is not None:
            model.given.add(number)
            call["tool_call_id"] = str(self.recorder.sanitizer.identifier(number, "tool_call_id").value)
            call["source"] += f" tool_call_id={MODEL_SPAN}"

    def _in_an_agent(self, entry: SpanNode | None) -> bool:
        return entry is not None and any(self._role_of(above) is SpanRole.AGENT for above in entry.ancestors())

    def _role_of(self, node: SpanNode) -> SpanRole:
        if node.role is not None:
            return node.role
        if node.view is None:
            return SpanRole.UNTOLD
        live = plain(node.view.attributes)
        return kind_of(self._roles.found(live), live, node.view.name)

    def _around(self, entry: SpanNode | None) -> list[CallerSource]:
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
            live = None if above.view is None else plain(above.view.attributes)
            if live and (found := self._roles.found(live)):
                places.append(CallerSource(ANCESTOR, live, found))
            if above.view is not None and (named := self._named_agent(above.view.name, live or NO_ATTRIBUTES)) is not None:
                places.append(named)
        return places

    def _named_agent(self, name: str, attributes: Mapping[str, Any]) -> CallerSource | None:
        """Name the agent of a span that is an agent's and does not say whose: by its label, or by its own name."""
        found = self._roles.found(attributes)
        if c.AGENT in found.by or not (kind_of(found, attributes, name) is SpanRole.AGENT or names_agent(name)):
            return None
        labels = (plain_text(attributes[key]) for key in found.keys(c.LABEL))
        agent = next(filter(None, (agent_in(label) for label in (*labels, name) if label)), None)
        if agent is None:
            return None
        told = {semconv.AGENT: agent}
        return CallerSource(ANCESTOR, told, self._roles.found(told))

    # --- which call it is

    def _same(self, span: SpanView, entry: SpanNode | None, call: ToolCall, facts: CallFacts) -> RecordedCall | None:
        """Find the call on record that a span tells of: reported as interrupted before, around it, inside it, beside it."""
        given_up = self._given_up.pop(span.context.span_id, None) if self._given_up else None
        if given_up is not None:
            return given_up
        if entry is not None:
            around = self._call_around(entry, call, facts) if entry.parent is not None else None
            if around is not None:
                return around
            for below in reversed(entry.below or ()):
                if below.directly and _may_be(below.seen, call, facts):
                    return below.seen
            if (facts.answers or facts.repeats is not None) and entry.parent is not None:
                # what a tool gave back, or its error once more, in a span of its own after the call's
                again: Any = call if facts.repeats is None else {**call, "tool_name": facts.repeats}
                for below in reversed(entry.parent.below or ()):
                    failed = below.seen.call["success"] is False
                    if below.directly and (failed or facts.repeats is None) and may_be_one(below.seen.call, again):
                        return below.seen
        if facts.arguments is None and not facts.has_result and (repeated := self._recent.repeated(call, scope_of(span))) is not None:
            return repeated
        thread = threading.get_ident() if entry is None else entry.thread
        return self._recent.beside(call, scope_of(span), span.start_time or 0, span.end_time or 0, thread)

    def _in_a_tool(self, entry: SpanNode | None) -> bool:
        """Tell whether the span directly around is known as a tool's already."""
        above = None if entry is None else entry.parent
        return above is not None and self._role_of(above) is SpanRole.TOOL

    def _call_around(self, entry: SpanNode, call: ToolCall, facts: CallFacts) -> RecordedCall | None:
        """Find the call that a span is directly inside of: one of ours, which runs, or one whose span came before those inside it."""
        for above in entry.ancestors():
            if above.own is not None:
                return above.own if may_be_one(above.own.call, call) else None
            if above.calls:
                # what was told of from inside already happened once; told of once more it happened twice
                inside = [below.seen for below in above.below or ()]
                return next((seen for seen in above.calls if seen not in inside and _may_be(seen, call, facts)), None)
            view = above.view
            live = NO_ATTRIBUTES if view is None else plain(view.attributes)
            if view is None or kind_of(self._roles.found(live), live, view.name) in _BARRIERS:
                return None
        return None

    # --- leaving a span

    def _leave(self, entry: SpanNode, kind: SpanRole, attributes: Mapping[str, Any], found: FactMatch, seen: Sequence[RecordedCall] = ()) -> None:
        """Tell the span around this one what was inside, and the calls inside what only this one knew."""
        # read before left(), which lets go of them
        below, name = entry.below or (), "" if entry.view is None else entry.view.name
        self.spans.left(entry, kind, seen)
        if not below and not seen:
            return
        if below and (found.telling or kind is SpanRole.AGENT):
            self._tell_below(name, below, attributes, found)
        if below and kind is SpanRole.AGENT:
            self._settle(entry, below)
        above = entry.parent
        inside = [Descendant(each, directly=True) for each in seen]
        inside += [Descendant(b.seen, b.directly and kind not in _BARRIERS and not seen) for b in below if b.seen not in seen]
        while above is not None and inside:
            for each in inside:
                above.add_descendant(each)
            if above.role is None:
                return
            if above.role is SpanRole.AGENT:
                self._settle(above, inside)
            # it was looked at before this one came: those around it hear of the calls from here
            hidden = above.role in _BARRIERS or bool(above.calls)
            inside = [Descendant(each.seen, each.directly and not hidden) for each in inside if each.seen not in above.calls]
            above = above.parent

    def _settle(self, agent: SpanNode, below: Sequence[Descendant]) -> None:
        with self._lock:
            self._unanswered.agent_ended(agent, [inner.seen for inner in below if inner.directly], final=self.spans.in_order)

    def _tell_below(self, name: str, below: Sequence[Descendant], attributes: Mapping[str, Any], found: FactMatch) -> None:
        waiting = [inner.seen for inner in below if _lacks(inner.seen.call)]
        if not waiting:
            return
        named = self._named_agent(name, attributes)
        calling = self._callers.of(NOBODY, [CallerSource(ANCESTOR, attributes, found), *([named] if named is not None else ())])
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

    def _model_ended(self, span: SpanView, entry: SpanNode | None, attributes: Mapping[str, Any], found: FactMatch) -> None:
        """Remember a model's span, and name the model in calls that ran before it had ended: it was streaming when it asked for them."""
        model = self._models.ended(span, entry, attributes, found, self._role_of)
        if entry is None:
            return
        if not self.spans.in_order:
            for above in entry.ancestors():
                if above.role is SpanRole.AGENT:
                    # it was taken to have asked no model any more
                    self._settle(above, above.below or ())
        # it was streaming when it asked for them; and some take what an agent does for the model's own work
        near = [*(() if entry.parent is None else entry.parent.below or ()), *(entry.below or ())]
        with self._lock:
            for seen in dict.fromkeys(b.seen for b in near if b.directly and b.seen.start >= model.start):
                fresh: dict[str, Any] = {}
                if model.name is not None and seen.call["model"] == UNKNOWN:
                    fresh["model"] = self.recorder.sanitizer.identifier(model.name, "model").value
                if seen.call["tool_call_id"] is None and (number := asked_as(seen.call, model)) is not None:
                    fresh["tool_call_id"] = self.recorder.sanitizer.identifier(number, "tool_call_id").value
                if fresh:
                    self.writing.amend(seen, fresh, " ".join(f"{name}={MODEL_SPAN}" for name in fresh), None)

    # --- what never ended

    def _give_up(self, entry: SpanNode) -> None:
        span = entry.view
        if span is None or entry.own is not None or span.end_time is not None or span.context.span_id in self._inherited:
            return
        attributes = plain(span.attributes)
        found = self._roles.found(attributes)
        if kind_of(found, attributes, span.name) is not SpanRole.TOOL:
            self._leave(entry, SpanRole.OTHER, NO_ATTRIBUTES, NOTHING)
            return
        facts = facts_of(span.name, attributes, found, events_of(span), self._roles)
        if facts is None:
            return
        try:
            call, claimed, _ = self._call(span, entry, facts, attributes, found, None, interrupted=True)
        except Exception as error:  # noqa: BLE001 - lost, and said so
            self.writing.lost(facts.tool_name, error)
            return
        with self._lock:
            seen = self._same(span, entry, call, facts)
            if seen is None:
                seen = self._observe(span, entry, call, claimed, _nobody)
            if len(self._given_up) < _MOST_GIVEN_UP:
                self._given_up[span.context.span_id] = seen
        self._leave(entry, SpanRole.TOOL, NO_ATTRIBUTES, NOTHING, [seen])


def _nobody(_: RecordedCall | None) -> None:
    """A span that never ended is never forwarded."""


def _named_anew(seen: RecordedCall, call: ToolCall, facts: CallFacts) -> dict[str, Any]:
    """Tell what a further span says of the tool's name: of a part of the call that was taken for it, or of a call that was handed over."""
    fresh: dict[str, Any] = {}
    if seen.nameless and not facts.nameless:
        # the part ended first: what the whole call tells counts
        fresh["tool_name"] = call["tool_name"]
        if call["arguments"] is not None:
            fresh["arguments"], fresh["redactions"] = call["arguments"], call["redactions"]
        seen.nameless = False
    if facts.alias is not None:
        # whoever called knows the tool by the name that it has outside
        seen.aliases = (*seen.aliases, facts.alias, seen.call["tool_name"])
        if not seen.own and seen.call["tool_name"] != call["tool_name"]:
            fresh["tool_name"] = call["tool_name"]
    return fresh


def _may_be(seen: RecordedCall, call: ToolCall, facts: CallFacts) -> bool:
    """Tell whether a call on record may be the one that a span tells of; a name that is told of neither contradicts nothing."""
    name = call["tool_name"]
    renamed = seen.nameless or facts.nameless or name in seen.aliases or (facts.alias is not None and same_tool(facts.alias, seen.call["tool_name"]))
    known: Any = {**seen.call, "tool_name": name} if renamed else seen.call
    return may_be_one(known, call)


def _lacks(call: ToolCall) -> bool:
    return call["agent"] is None or UNKNOWN in {call["user_id"], call["conversation_id"], call["model"]}
