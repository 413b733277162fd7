"""
Which model decided to call, and what it asked for: the model's span near a tool's.

A tool's span never names the model. The model's span that asked for the call ended shortly before it, beside it or beside a span
around it; some are still open while the tool runs.

Source: ARCHITECTURE.md, "Spans of other instrumentations".
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from otel_tool_audit.observe.open_spans import ModelSeen, SpanNode
from otel_tool_audit.observe.span_view import SpanView, events_of, plain
from otel_tool_audit.recognise import CallerSource, CallFacts, Request, Roles, SpanRole, ToldCaller, kind_of, may_hold
from otel_tool_audit.recognise import convention as c
from otel_tool_audit.recognise.caller import MODEL_SPAN, is_made_up
from otel_tool_audit.recognise.convention import FactMatch
from otel_tool_audit.recognise.requests import listed
from otel_tool_audit.recognise.sameness import agree, same_tool
from otel_tool_audit.recognise.values import parsed, scalar
from otel_tool_audit.record.model import UNKNOWN, ToolCall

_MOST_TRACES: Final = 1_024
_MOST_TRIED: Final = 6
_SEVERAL: Final = 2
_ITEM: Final = "fc_"
"""How OpenAI's Responses API begins the ids of items that are calls of functions."""
_MOST_RECENT: Final = 16
_PARAMETERS: Final = ("invocation_parameters", "request", "kwargs", "parameters", "metadata", "spanInputs", "llm_request")
_MODEL_NAMES: Final = ("model", "model_name", "model_id", "modelId", "ls_model_name")
_BESIDE: Final = ("meta", "metadata", "response_metadata")
_MOST_NODES: Final = 200
_NAMED: Final = re.compile(r"^(?:chat|text_completion|generate_content|completion) (\S+)$")


RoleOf = Callable[[SpanNode], SpanRole]


class AskedTools(NamedTuple):
    """
    What models' spans tell of a call.

    Attributes:
        model: Where the model is named that asked for it; None when none is.
        facts: Of the call, completed.
        more: Facts that a model's span completed, and where they came from.
        spare: Of several equal requests, the model's span and their ids: each call has one of its own.
    """

    model: CallerSource | None
    facts: CallFacts
    more: Mapping[str, ToldCaller]
    spare: tuple[ModelSeen, tuple[str, ...]] | None


class Models:
    """Remembers the last model's span of every open span, and of the last traces."""

    __slots__ = ("_recent", "_traces")

    def __init__(self) -> None:
        """Begin with none."""
        self._traces: dict[int, ModelSeen] = {}
        self._recent: deque[ModelSeen] = deque(maxlen=_MOST_RECENT)

    def ended(self, span: SpanView, entry: SpanNode | None, attributes: Mapping[str, Any], found: FactMatch, role_of: RoleOf) -> ModelSeen:
        """
        Remember a model's span.

        Args:
            span: Ended.
            entry: What was remembered of it.
            attributes: Its own.
            found: What they tell.
            role_of: Tells what a span around it is.

        Returns:
            What is remembered of it.
        """
        seen = _seen(span, attributes, found)
        self._recent.append(seen)
        if entry is not None:
            entry.model = seen
            for above in entry.ancestors():
                above.model = seen
                if role_of(above) is SpanRole.TOOL:
                    # an agent that is a tool: what its model decides nobody outside has decided
                    break
        traces = self._traces
        # out and in again: the trace whose model spoke longest ago goes first
        traces.pop(span.context.trace_id, None)
        if len(traces) >= _MOST_TRACES:
            traces.pop(next(iter(traces)), None)
        traces[span.context.trace_id] = seen
        return seen

    def asked(self, span: SpanView, entry: SpanNode | None, facts: CallFacts, roles: Roles) -> AskedTools:
        """
        Find the model's span that a tool's belongs to.

        Args:
            span: The tool's.
            entry: What was remembered of it.
            facts: What it tells.
            roles: Judges the names of attributes.

        """
        candidates = [seen for seen in self._near(span, entry, roles) if seen.start <= (span.start_time or 0)]
        if not self._recent and not candidates:
            return AskedTools(None, facts, {}, None)
        named = next((seen for seen in candidates if seen.name is not None), None)
        facts = _by_answer(facts, candidates)
        alone = len({seen.name for seen in candidates}) == 1
        if named is not None and alone and isinstance(facts.arguments, Mapping) and facts.tool_call_id is not None:
            return AskedTools(_place(named, roles), facts, {}, None)
        for seen in (*candidates, *(seen for seen in reversed(self._recent) if seen not in candidates)):
            found = _request(facts, seen.requests)
            # in another trace only the provider's id, or arguments that agree, tell that it is this call
            if found is None:
                continue
            request, ids = found
            same_id = facts.tool_call_id is not None and request.call_id == facts.tool_call_id
            if seen in candidates or same_id or facts.arguments:
                # of several models around, the one that asked; whether it is named, or its request told by another instrumentation's span
                asking = seen if seen.name is not None and (seen in candidates or named is None) else named or seen
                return AskedTools(_place(asking, roles), *_completed(facts, request), (seen, ids) if ids else None)
        return AskedTools(None if named is None else _place(named, roles), facts, {}, None)

    def _near(self, span: SpanView, entry: SpanNode | None, roles: Roles) -> list[ModelSeen]:
        """Give models' spans, the nearest first: ended inside the closest span around, or open there now."""
        # one that began inside a tool was asked by what the tool is, an agent maybe: nobody asked it for the tool
        given: list[ModelSeen] = []
        if entry is not None and entry.before is not None:
            given.append(entry.before)
        if entry is not None and entry.parent is not None:
            for above in entry.ancestors():
                given += [near for near in (above.model, *_open_models(above, span.start_time or 0, roles)) if near is not None and near not in given]
                if len(given) >= _MOST_TRIED:
                    return given
        last = self._traces.get(span.context.trace_id)
        if last is not None and last not in given:
            given.append(last)
        return given


def _place(seen: ModelSeen, roles: Roles) -> CallerSource | None:
    if seen.name is None:
        return None
    told = {seen.key: seen.name}
    return CallerSource(MODEL_SPAN, told, roles.found(told))


def _open_models(above: SpanNode, moment: int, roles: Roles) -> Iterator[ModelSeen]:
    # one that has ended is only here if it came over OTLP: then in no order
    views = [child.view for child in above.children or () if child.view is not None and (child.view.start_time or 0) <= moment]
    for view in sorted(views, key=lambda view: view.start_time or 0, reverse=True):
        live = plain(view.attributes)
        found = roles.found(live)
        if kind_of(found, live, view.name) is SpanRole.MODEL:
            yield _seen(view, live, found)


def _seen(span: SpanView, attributes: Mapping[str, Any], found: FactMatch) -> ModelSeen:
    name, key = None, ""
    for at in found.by.get(c.MODEL, ()):
        if isinstance(told := scalar(attributes[at]), str) and told.lower() != UNKNOWN:
            name, key = told, at
            break
    else:
        name, key = _elsewhere(span.name, attributes)
        if name is None and any(scalar(attributes[at]) == "model" for at in found.keys(c.KIND)):
            # what says that it is a model is named for it
            name, key = span.name, "gen_ai.request.model"
    held = {at: value for at, value in attributes.items() if may_hold(str(at))}
    if c.NAME in found.by and c.ARGUMENTS in found.by:
        held["tool_calls"] = _own(found, attributes)
    return ModelSeen(name, key, span.start_time or 0, held, events_of(span))


def _own(found: FactMatch, attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Some tell what a model asked for in the attributes that a tool's span has."""
    name = scalar(attributes[found.by[c.NAME][0]])
    call_id = next((attributes[at] for at in found.keys(c.CALL_ID)), None)
    return listed(name, attributes[found.by[c.ARGUMENTS][0]], call_id) if isinstance(name, str) else []


def _elsewhere(span: str, attributes: Mapping[str, Any]) -> tuple[str | None, str]:
    """A model's name may stand only among the parameters it was called with, or in the span's own name."""
    for at, value in attributes.items():
        if str(at).endswith(_PARAMETERS) and isinstance(inner := parsed(value), Mapping):
            told = next((text for name in _MODEL_NAMES if isinstance(text := scalar(inner.get(name)), str)), None)
            if told is not None:
                return told, "gen_ai.request.model"
    match = _NAMED.match(span)
    if match:
        return match.group(1), "gen_ai.request.model"
    told = _of_entity(attributes) or _beside_answer(attributes)
    return (told, "gen_ai.request.model") if told else (None, "")


def _of_entity(attributes: Mapping[str, Any]) -> str | None:
    """Some list what took part, each with its type and name: ``entity.2.type`` is ``model.llm.…``."""
    for at, value in attributes.items():
        if isinstance(value, str) and value.startswith("model.") and str(at).endswith(".type"):
            told = scalar(attributes.get(f"{str(at).removesuffix('.type')}.name"))
            if isinstance(told, str):
                return told
    return None


def _beside_answer(attributes: Mapping[str, Any]) -> str | None:
    """What a model said may have the model's name beside it, in a mapping of its own: ``"meta": {"model": …}``."""
    waiting = [parsed(value) for at, value in attributes.items() if may_hold(str(at))]
    for _ in range(_MOST_NODES):
        if not waiting:
            break
        item = waiting.pop()
        if isinstance(item, Mapping):
            for held in (item.get(name) for name in _BESIDE):
                told = held.get("model", held.get("model_name")) if isinstance(held, Mapping) else None
                if isinstance(told, str) and told:
                    return told
            waiting.extend(item.values())
        elif isinstance(item, (list, tuple)):
            waiting.extend(item)
    return None


def _by_answer(facts: CallFacts, candidates: list[ModelSeen]) -> CallFacts:
    """Let a call go by the id that its answer has, where a span names it by the item that it is: ``fc_…`` instead of ``call_…``."""
    number = facts.tool_call_id
    if number is None or not number.startswith(_ITEM):
        return facts
    known = next((found for seen in candidates if (found := seen.answered_as(number)) is not None), None)
    return facts if known is None else facts._replace(tool_call_id=known)


def _request(facts: CallFacts, requests: list[Request]) -> tuple[Request, tuple[str, ...]] | None:
    """Choose what was asked for: by the provider's id, else by name and arguments; of several that fit none is guessed."""
    number = facts.tool_call_id
    if number is not None:
        by_id = next((r for r in requests if r.call_id == number and same_tool(r.tool, facts.tool_name)), None)
        if by_id is not None:
            return by_id, ()
        if not is_made_up(number):
            return None
    fitting = [r for r in requests if r.tool == facts.tool_name and agree(facts.arguments, r.arguments)]
    if len({repr(r.arguments) for r in fitting}) == 1 and (facts.arguments is not None or len(fitting) == 1):
        ids = tuple(dict.fromkeys(r.call_id for r in fitting if r.call_id is not None))
        # equal calls at a time: which of the ids is this one's shows only when it is known that no other span tells of it
        return (fitting[-1], ()) if len(ids) < _SEVERAL else (fitting[-1]._replace(call_id=None), ids)
    return None


def asked_as(call: ToolCall, model: ModelSeen) -> str | None:
    """
    Give the id under which a model asked for a call that is on record without one; None where several fit, or none does.

    Args:
        call: Sanitized.
        model: Its span has ended, after the call.
    """
    if call["arguments"] is None:
        return None
    fitting = [r for r in model.requests if r.tool == call["tool_name"] and agree(call["arguments"], r.arguments)]
    ids = {r.call_id for r in fitting if r.call_id is not None} - model.given
    if len(ids) != 1:
        return None
    model.given.update(ids)
    return ids.pop()


def _completed(facts: CallFacts, request: Request) -> tuple[CallFacts, dict[str, ToldCaller]]:
    more: dict[str, ToldCaller] = {}
    if not isinstance(facts.arguments, Mapping) or facts.arguments.keys() == {"args", "kwargs"}:
        more["arguments"] = ToldCaller("arguments", None, MODEL_SPAN, "")
        facts = facts._replace(arguments=request.arguments)
    if facts.tool_call_id is None and request.call_id is not None:
        more["tool_call_id"] = ToldCaller("tool_call_id", None, MODEL_SPAN, "")
        facts = facts._replace(tool_call_id=request.call_id)
    return facts, more
