"""
From another instrumentation's span to a call, and what a second span of the same call adds to it.

Source: ARCHITECTURE.md, R27; OpenTelemetry semantic conventions 1.38, "Recording errors"; FORMAT.md, section 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.trace import SpanKind, StatusCode

from otel_tool_audit.observe.callers import Calling
from otel_tool_audit.observe.span_view import SpanView
from otel_tool_audit.propagation.context import Attribution
from otel_tool_audit.recognise import CallFacts, ToldCaller
from otel_tool_audit.recognise.caller import OWN
from otel_tool_audit.recognise.exceptions import asked, ending, is_interrupt
from otel_tool_audit.recognise.outcomes import said_halt
from otel_tool_audit.recognise.results import telling
from otel_tool_audit.record.codec import timestamp
from otel_tool_audit.record.model import DENIED, UNKNOWN, ToolCall, new_call
from otel_tool_audit.recording import Failed, Outcome, Paused, Raised, Returned, plain_spec
from otel_tool_audit.recording.builder import CallBuilder
from otel_tool_audit.text import readable

LONGEST_NAME: Final = 200
"""Characters of a tool's name that are recorded."""

NOT_TOLD: Final = "the span says that it failed"

ASSUMED: Final = "success=assumed"
"""In ``source``: a client's span ended without an error, and tells nothing of what came back."""

ELSEWHERE: Final = "run=elsewhere"
"""In ``source``: the model's provider ran the tool; only the model's span tells of it."""

_NAMED: Final = ("conversation_id", "user_id", "model")
_PLAIN: Final = ("turn_number", "user_role", "agent", "tool_call_id", "attempt", "retry_of", "trigger", "purpose", "subject")
_OUTCOME: Final = ("success", "error", "error_type", "result_summary")
_HALT: Final = ("outcome", "waits_for", "denial")


def observed_call(
    build: CallBuilder, span: SpanView, facts: CallFacts, calling: Calling, source: str, outcome: Outcome | None, *, interrupted: bool = False
) -> ToolCall:
    """
    Make the call that a span tells of.

    Args:
        build: Sanitizes it.
        span: Ended, or to be given up.
        facts: What the span says of the call.
        calling: Who called.
        source: Where facts came from; see :func:`source_of`.
        outcome: What came of it; None when that is not known, or not yet.
        interrupted: The span never ended.
    """
    spec = plain_spec(facts.tool_name[:LONGEST_NAME])
    trace_id = span.context.trace_id if span.context.is_valid else None
    call, withheld = build.observed(spec.name, calling.caller, facts.arguments, facts.tool_call_id, calling.subject, trace_id)
    start, context, parent = span.start_time, span.context, span.parent
    # how long an interrupted call took nobody knows
    elapsed = None if interrupted else max(0, (span.end_time or 0) - (start or 0))
    done = build.ended(call, spec, outcome, elapsed, withheld)
    done["timestamp"] = timestamp(start) if start else build.now()
    done["source"] = source
    if context.is_valid:
        done["trace_id"], done["span_id"] = f"{context.trace_id:032x}", f"{context.span_id:016x}"
        if interrupted or not context.trace_flags.sampled:
            # nobody exports it
            done["sampled"] = False
    if parent is not None and parent.is_valid:
        done["parent_span_id"] = f"{parent.span_id:016x}"
    return done


def is_assumed(span: SpanView, facts: CallFacts) -> bool:
    """Tell whether nothing but the silence of a client's span says that the call went well: a request that was answered may have failed."""
    silent = facts.failure is None and not facts.has_result
    return silent and span.kind is SpanKind.CLIENT and span.status.status_code is StatusCode.UNSET


def source_of(convention: str, told: Mapping[str, ToldCaller], known: Attribution) -> str:
    """
    Say where facts came from: the convention, then each fact that the span itself did not tell.

    Source: FORMAT.md, section 4.
    """
    notes = [f"{name}={answer.place}" for name, answer in told.items() if answer.place != OWN and name not in known.values]
    return " ".join([convention, *notes])


def new_fields(old: ToolCall, new: ToolCall, *, own: bool, claimed: Mapping[str, str]) -> dict[str, Any]:
    """
    Tell what a second span of a call adds.

    Args:
        old: Everything known so far.
        new: As the second span tells it.
        own: The gate recorded it: its arguments and outcome are not for others to tell.
        claimed: Fields of *old* that are only claimed.

    Returns:
        Fields that become known, or better known.
    """
    before: Mapping[str, Any] = old
    after: Mapping[str, Any] = new
    new_claims = (new["claimed"] or {}).get("fields") or {}
    found: dict[str, Any] = {}
    for name in _NAMED:
        better = before[name] == UNKNOWN or (name in claimed and name not in new_claims)
        if better and after[name] not in {UNKNOWN, before[name]}:
            found[name] = after[name]
    found.update({name: after[name] for name in _PLAIN if before[name] is None and after[name] is not None})
    added = {key: value for key, value in new["session_metadata"].items() if key not in old["session_metadata"]}
    if added:
        found["session_metadata"] = {**old["session_metadata"], **added}
    if not own:
        found.update(_better_arguments(old, new))
        found.update(_better_outcome(old, new))
    return found


def amendment(old: ToolCall, found: Mapping[str, Any], now: str) -> ToolCall:
    """
    Make the record that tells what became known; everything else in it is null.

    Args:
        old: Everything known so far.
        found: Fields and their values.
        now: The time, as records hold it.
    """
    made: Any = new_call(old["call_id"], old["tool_name"], now)
    # an empty mapping or list would stand for what is known already
    made["session_metadata"] = made["redactions"] = None
    made["retention_class"] = old["retention_class"]
    made.update(found)
    amended: ToolCall = made
    return amended


def _better_arguments(old: ToolCall, new: ToolCall) -> dict[str, Any]:
    had, has = old["arguments"], new["arguments"]
    if has is None or _rank(has) <= _rank(had):
        return {}
    taken = [entry for entry in new["redactions"] if entry["path"].startswith("arguments")]
    return {"arguments": has, **({"redactions": old["redactions"] + taken} if taken else {})}


def _rank(arguments: object) -> int:
    """Nothing, a value without a name, positional arguments, named ones."""
    if arguments is None:
        return 0
    if not isinstance(arguments, Mapping):
        return 1
    return 2 if arguments.keys() == {"args", "kwargs"} else 3


def _better_outcome(old: ToolCall, new: ToolCall) -> dict[str, Any]:
    after: Mapping[str, Any] = new
    halted, halts = old.get("outcome"), new.get("outcome")
    if halts is not None and halted not in {halts, DENIED}:
        # what says that a call waits, was refused or was cut off knows more than what saw a span end
        ended: dict[str, Any] = {name: after.get(name) for name in (*_OUTCOME, *_HALT) if name in new or name in old}
        return {**ended, **({"duration_ms": new["duration_ms"]} if old["duration_ms"] is None else {})}
    if halted is not None:
        return _better_words(old, new) if halts == halted else {}
    if new["success"] is None:
        return {}
    if old["success"] is None or (old["success"] and not new["success"]):
        # one sign of failure outweighs the silence of the others
        told = {name: after[name] for name in _OUTCOME}
        return {**told, **({"duration_ms": new["duration_ms"]} if old["duration_ms"] is None else {})}
    if old["success"] is False and new["success"] is False:
        worse = old["error"] in {None, NOT_TOLD, old["error_type"]} or telling((old["error"], new["error"])) != old["error"]
        worse = worse and new["error"] not in {None, NOT_TOLD, new["error_type"]}
        found = {"error": new["error"], "result_summary": new["result_summary"]} if worse else {}
        return {**found, **({"error_type": new["error_type"]} if old["error_type"] is None and new["error_type"] else {})}
    sizes = [(call["result_summary"] or {}).get("_result_size") or 0 for call in (old, new)]
    # "null" has four characters, too: that is the result nobody told
    return {"result_summary": new["result_summary"]} if new["success"] and sizes[0] <= 4 < sizes[1] else {}  # noqa: PLR2004


def outcome_elsewhere(facts: CallFacts) -> Outcome | None:
    """Tell what came of a call that the provider ran, as its model's span tells it: what became of that span says nothing of the call."""
    if facts.halt is not None:
        return facts.halt
    if facts.failure is not None:
        return Failed(facts.failure.message or facts.error or NOT_TOLD, facts.failure.type)
    return Returned(facts.result) if facts.has_result else None


def _better_words(old: ToolCall, new: ToolCall) -> dict[str, Any]:
    """Of two spans that tell the same of a call that did not end by itself, the one that says why."""
    before: Mapping[str, Any] = old
    after: Mapping[str, Any] = new
    found = {}
    for name in ("waits_for", "denial"):
        had, has = before.get(name), after.get(name)
        if had and has and any(had[key] is None and has[key] is not None for key in has):
            found[name] = {key: has[key] if had[key] is None else had[key] for key in has}
    return found


def outcome_of(span: SpanView, facts: CallFacts, raised: BaseException | None) -> Outcome:
    """
    Tell what came of a call.

    Args:
        span: Ended.
        facts: What it says of the call.
        raised: What went through the span without its noticing: a cancelled task leaves its span's status UNSET.
    """
    halt = facts.halt
    if isinstance(halt, Paused) and halt.reason is None and is_interrupt(span.status.description):
        return halt._replace(reason=asked(span.status.description))
    if halt is not None:
        return halt
    failed = facts.failure
    if span.status.status_code is StatusCode.ERROR or failed is not None:
        kind = None if failed is None else failed.type
        said = (None if failed is None else failed.message, facts.message, span.status.description, facts.error_text)
        text = telling(said)
        # the words beside a failed status may be all that tells of a pause, a refusal or a cancellation
        return said_halt(text) or _failed(text, facts.error, kind)
    if raised is not None and span.status.status_code is StatusCode.UNSET:
        return Raised(raised)
    return Returned(facts.result)


def _failed(text: str | None, error: object, kind: str | None) -> Outcome:
    told = error if text is None and error is not None else text or kind or NOT_TOLD
    if not isinstance(told, str):
        return Failed(told, kind)
    # an exception's name beside its words makes both readable: TimeoutError has none of its own
    meant = ending((kind,), told, kind) if kind is not None else None
    return meant if isinstance(meant, Failed) else Failed(readable(told), kind)
