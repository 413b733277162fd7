"""
From raw facts to a sanitized call. Nothing unsanitized leaves here: not to the trail, not to a span.

Source: ARCHITECTURE.md, R1 and R3.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import orjson
from opentelemetry import trace
from opentelemetry.context import Context

from otel_tool_audit import semconv
from otel_tool_audit.keys.pseudonyms import Keyring, is_pseudonym
from otel_tool_audit.policy.retention import class_of
from otel_tool_audit.recognise.exceptions import ending, names_of
from otel_tool_audit.recognise.results import NOT_SAID, judged
from otel_tool_audit.record.codec import cut, timestamp
from otel_tool_audit.record.model import DENIED, INTERRUPTED, PAUSED, ToolCall, new_call
from otel_tool_audit.record.outcomes import Closed, Denied, Ending, Failed, Interrupted, Outcome, Paused, Raised, Returned
from otel_tool_audit.record.summary import identifiers_of, size, summary
from otel_tool_audit.recording.call_ids import call_id
from otel_tool_audit.recording.failures import RecordedFailure, error_text, error_type, leaves_of
from otel_tool_audit.recording.identity import Caller, Identities, as_entries
from otel_tool_audit.recording.pauses import Pauses
from otel_tool_audit.recording.retries import Retries
from otel_tool_audit.recording.spec import ToolSpec, plain_spec
from otel_tool_audit.redaction.redacted_values import RedactedValues, TraceValues
from otel_tool_audit.redaction.sanitizer import Sanitizer
from otel_tool_audit.redaction.values import Redaction, ToolRules
from otel_tool_audit.settings import Settings

LONGEST_ARGUMENTS: Final = 32_768
"""Bytes of sanitized arguments that a record and a span show; larger ones are cut in both alike."""

_IDS: Final = (str, int)
_NO_IDS: Final = frozenset({"status", "count"})
"""What a summary keeps that is nobody's id."""

_NS: Final = 1_000_000_000
_NS_IN_MS: Final = 1_000_000


class CallBuilder:
    """
    Makes calls that may be written.

    Attributes:
        sanitizer: What every value goes through first.
        identities: Who calls.
        clock: Nanoseconds since the Unix epoch.
        ids: Makes call ids, 32 hex digits each, never twice the same.
        pauses: Calls that wait, for those that go on with them.
        retries: Calls that failed, for those that try again.
        traces: What was taken out of calls and spans, by trace: what else belongs to the trace hides it, too.
    """

    def __init__(
        self,
        settings: Settings,
        keyring: Keyring,
        unattributed: Callable[[str, Caller], None],
        *,
        clock: Callable[[], int] = time.time_ns,
        ids: Callable[[], str] = call_id,
    ) -> None:
        """
        Make the sanitizer.

        Args:
            settings: Resolved.
            keyring: Makes digests and pseudonyms.
            unattributed: Hears of a call that nobody put a name to: the tool's name, and who called as far as it is known.
            clock: Nanoseconds since the Unix epoch.
            ids: Makes call ids, 32 hex digits each, never twice the same.
        """
        self.sanitizer = Sanitizer.of(settings, keyring)
        self.identities = Identities(self.sanitizer, keyring, subject_is_internal=settings.subject_is_internal, trusted=settings.trusted_baggage)
        self.clock = clock
        self.ids = ids
        self._settings = settings
        self._keyring = keyring
        self._unattributed = unattributed
        self._identifiers = frozenset(settings.result_identifiers)
        self.retries = Retries()
        self.pauses = Pauses()
        self.traces = TraceValues()
        self._second = (-1, "")

    # --- making calls

    def started(
        self, spec: ToolSpec, arguments: Mapping[str, Any], context: Context, tool_call_id: object = None
    ) -> tuple[ToolCall, dict[str, Any], RedactedValues]:
        """
        Make the call that is about to run.

        Args:
            spec: The tool.
            arguments: By name, raw.
            context: Where it is called.
            tool_call_id: The provider's id of the call.

        Returns:
            The call, the attributes that its span begins with, and what its error and result must not show either.

        Raises:
            SettingsError: There is a subject, or an argument to disguise, and no key to do it with.
        """
        caller = self.identities.caller(context)
        if caller.unnamed:
            self._unattributed(spec.name, caller)
        # What the same caller's calls of the same tool share is sanitized once: it is most of what a record says. A copy of each, for the
        # span's attributes and the record go different ways.
        template, identity = caller.made.get(spec) or self._template(caller, spec)
        call, told = template.copy(), identity.copy()
        call["call_id"] = told[semconv.RECORD_ID] = self.ids()
        call["timestamp"] = self.now()
        around = trace.get_current_span(context).get_span_context()
        # a call that begins a trace has none yet; the gate gives it one with its span
        withheld = RedactedValues(self.traces.of(around.trace_id) if around.is_valid else None)
        # the subject before the arguments: what they repeat of it is taken out of them
        if call["subject"] is not None:
            self._withhold_subject(call, self.identities.with_baggage(context).get("subject"), withheld)
        if spec.subject is not None and (subject := self.identities.subject(_at(arguments, spec.subject))) is not None:
            call["subject"] = told[semconv.SUBJECT] = subject
        rules = spec.rules if self._settings.subject_is_internal else spec.disguising
        told[semconv.TOOL_ARGUMENTS] = self._put_arguments(call, arguments, rules, withheld)
        if tool_call_id is not None:
            call["tool_call_id"] = told[semconv.TOOL_CALL_ID] = self._identifier(call, tool_call_id, "tool_call_id")
        self.link(call)
        if call["retry_of"] is not None or call["attempt"] is not None:
            told.update({name: call.get(field) for name, field in semconv.RETRY if call.get(field) is not None})
        return call, told, withheld

    def link(self, call: ToolCall) -> None:
        """Say of a call that begins which earlier one it tries again, or goes on with."""
        self.retries.link(call)
        self.pauses.link(call)

    def finished(self, call: ToolCall, spec: ToolSpec, outcome: Outcome, elapsed: int | None, withheld: RedactedValues) -> ToolCall:
        """
        Make the call that has ended, and remember it for those that try again or go on.

        Args:
            call: As it was started.
            spec: The tool.
            outcome: How it ended.
            elapsed: Nanoseconds; None when nothing ran or was waited for.
            withheld: What must not be shown.
        """
        done = self.ended(call, spec, outcome, elapsed, withheld)
        self.remember(done)
        return done

    def remember(self, call: ToolCall) -> None:
        """Keep of a call that has ended, and is on record under its id, what later ones ask for."""
        if call["success"] is None:
            self.pauses.remember(call)
        elif call["success"]:
            self.retries.succeeded(call)
        else:
            self.retries.failed(call)

    def ended(  # noqa: PLR0911 - one return for each way to end
        self, call: ToolCall, spec: ToolSpec, outcome: Outcome | None, elapsed: int | None, withheld: RedactedValues
    ) -> ToolCall:
        """As :meth:`finished`, without remembering: it may turn out to be a call that is on record already. None: nobody told how it ended."""
        match outcome:
            case None:
                return self._ended(call, elapsed, ())
            case Returned():
                return self._returned(call, spec, outcome, elapsed, withheld)
            case Raised(error) | Closed(error):
                return self.ended(call, spec, ending_of(error), elapsed, withheld)
            case Failed():
                return self._failed(call, outcome, elapsed, withheld)
            case Interrupted(message, kind):
                done = self._failed(call, Failed(message, kind), elapsed, withheld)
                done["outcome"] = INTERRUPTED
                return done
            case Paused(kind, reason):
                (said,), removed = self._words((reason,), "waits_for.reason", withheld)
                done = self._ended(call, elapsed, removed)
                done["outcome"] = PAUSED
                done["waits_for"] = {"kind": kind, "reason": said}
                return done
            case Denied(rule, reason, by):
                (forbids, said, who), removed = self._words((rule, reason, by), "denial", withheld)
                done = self._ended(call, elapsed, removed)
                done["outcome"] = DENIED
                done["denial"] = {"rule": forbids, "reason": said, "by": who}
                return done

    def observed(
        self, name: str, caller: Caller, arguments: object, tool_call_id: object, subject: object, trace_id: int | None = None
    ) -> tuple[ToolCall, RedactedValues]:
        """
        Make the call that a span of another instrumentation tells of.

        Args:
            name: The tool's.
            caller: Who called.
            arguments: Raw; None when the span did not tell.
            tool_call_id: The provider's id of the call; None when the span did not tell.
            subject: Whose data it is, raw; None when nobody said.
            trace_id: The span's trace, as OpenTelemetry holds it: what is taken out here is taken out of its other spans, and the other way round.

        Returns:
            The call, and what its error and result must not show either.
        """
        if caller.unnamed:
            self._unattributed(name, caller)
        spec = plain_spec(name)
        template, _ = caller.made.get(spec) or self._template(caller, spec)
        call = template.copy()
        call["call_id"] = self.ids()
        withheld = RedactedValues(None if trace_id is None else self.traces.of(trace_id))
        self._withhold_subject(call, subject, withheld)
        if arguments is not None:
            self._put_arguments(call, arguments, None, withheld)
        if tool_call_id is not None:
            call["tool_call_id"] = self._identifier(call, tool_call_id, "tool_call_id")
        return call, withheld

    def now(self) -> str:
        """The time, as records hold it."""
        nanoseconds = self.clock()
        second, rest = divmod(nanoseconds, _NS)
        known, text = self._second
        if known != second:
            text = timestamp(second * _NS)[:20]
            # one assignment of both: threads see a pair that belongs together
            self._second = (second, text)
        return f"{text}{rest // 1000:06d}Z"

    # --- pieces

    def _returned(self, call: ToolCall, spec: ToolSpec, outcome: Returned, elapsed: int | None, withheld: RedactedValues) -> ToolCall:
        verdict = _verdict(spec, outcome.result)
        if isinstance(verdict, (Paused, Denied)):
            return self.ended(call, spec, verdict, elapsed, withheld)
        try:
            identifiers = identifiers_of(outcome.result, self._identifiers)
        except Exception:  # noqa: BLE001 - a result that cannot be read identifies nothing, and says nothing of success
            identifiers = {}
        if withheld.is_shared and (call["span_id"] is None or call["parent_span_id"] is not None):
            # What a result tells is not recorded, and may come back as an argument of the trace's next call. With a root the trace ends.
            told = _plain_text(outcome.result)
            if told is not None:
                self.sanitizer.text(told, withheld=withheld)
        removed: tuple[Redaction, ...] = ()
        if identifiers:
            identifiers, removed = self._answered(call, spec, identifiers, withheld)
        failure = None
        if verdict is not None:
            failure, more = self._returned_failure(verdict.message, withheld)
            removed += more
        length = size(outcome.result) if outcome.size is None else outcome.size
        return self._with_result(call, identifiers, length, failure, elapsed, removed)

    def _template(self, caller: Caller, spec: ToolSpec) -> tuple[ToolCall, dict[str, Any]]:
        call = new_call("", str(self.sanitizer.identifier(spec.name, "tool_name").value), "")
        call.update(caller.fields)  # type: ignore[typeddict-item]  # a caller's fields are fields of the record
        call["redactions"] = caller.redactions
        call["retention_class"] = spec.retention or class_of(spec.name, self._settings.retention)
        call["purpose"] = call["purpose"] or spec.purpose
        call["trigger"] = call["trigger"] or spec.trigger
        return caller.keep(spec, (call, semconv.identity(call)))

    def _withhold_subject(self, call: ToolCall, subject: object, withheld: RedactedValues) -> None:
        """Let whom the call is about, as whoever called said, be a pseudonym wherever the call tells of him."""
        shown = call["subject"]
        if subject is not None and shown is not None and is_pseudonym(shown):
            withheld.add(str(subject), shown, "pseudonym")

    def _put_arguments(self, call: ToolCall, arguments: object, rules: ToolRules | None, withheld: RedactedValues) -> str:
        safe = self.sanitizer.value(arguments, "arguments", rules, withheld)
        value, removed = safe
        if withheld:
            # what was taken out under one name may stand in clear under another
            value, more = withheld.out_of_value(value, "arguments")
            removed += more
        encoded = orjson.dumps(value)
        if len(encoded) > LONGEST_ARGUMENTS:
            value = cut(encoded, self._keyring.digest)
            encoded = orjson.dumps(value)
        call["arguments"] = value
        if removed:
            call["redactions"] = call["redactions"] + as_entries(removed)
        return encoded.decode()

    def _answered(
        self, call: ToolCall, spec: ToolSpec, identifiers: dict[str, Any], withheld: RedactedValues
    ) -> tuple[dict[str, Any], tuple[Redaction, ...]]:
        """Sanitize what a result identifies. Whom the call is about stays a pseudonym there, too: beside the clear text it hides nothing."""
        rules = spec.answering if self._settings.subject_is_internal else spec.answering_disguised
        safe = self.sanitizer.value(identifiers, "result_summary", rules, withheld)
        clean = safe.value if isinstance(safe.value, dict) else {}
        subject, removed = call["subject"], safe.redactions
        if subject is not None and is_pseudonym(subject):
            for key, value in identifiers.items():
                if type(value) in _IDS and clean.get(key) == value and key not in _NO_IDS and self.identities.subject(value) == subject:
                    clean[key] = subject
                    removed += (Redaction(f"result_summary.{key}", "pseudonym", 1),)
        if withheld:
            counts = {key: value for key, value in clean.items() if key in _NO_IDS and str(value).isdecimal()}
            clean, more = withheld.out_of_value({key: value for key, value in clean.items() if key not in counts}, "result_summary")
            return {**clean, **counts}, removed + more
        return clean, removed

    def _identifier(self, call: ToolCall, value: object, path: str) -> str:
        safe = self.sanitizer.identifier(value, path)
        if safe.redactions:
            call["redactions"] = call["redactions"] + as_entries(safe.redactions)
        return _text(safe.value)

    def _failed(self, call: ToolCall, failed: Failed, elapsed: int | None, withheld: RedactedValues) -> ToolCall:
        text, removed = self._message(failed.message, withheld)
        kind = None if failed.kind is None else str(self.sanitizer.identifier(failed.kind, "error_type").value)
        return self._with_result(call, {}, 0, RecordedFailure(text, kind), elapsed, removed)

    def _message(self, message: object, withheld: RedactedValues, path: str = "error") -> tuple[str, tuple[Redaction, ...]]:
        """Sanitize an error's message, in which a tool may repeat what its arguments no longer show."""
        known: tuple[Redaction, ...] = ()
        if isinstance(message, str):
            message, known = withheld.out_of(message, path)
        safe = self.sanitizer.text(message, path, withheld)
        text, more = withheld.out_of(_text(safe.value), path)
        return text, known + safe.redactions + more

    def _words(self, values: Sequence[object], path: str, withheld: RedactedValues) -> tuple[list[str | None], tuple[Redaction, ...]]:
        """Sanitize what somebody said of a call that did not run to its end."""
        said: list[str | None] = []
        removed: tuple[Redaction, ...] = ()
        for value in values:
            text, more = (None, ()) if value is None else self._message(value, withheld, path)
            said.append(text)
            removed += more
        return said, removed

    def _returned_failure(self, error: object, withheld: RedactedValues) -> tuple[RecordedFailure, tuple[Redaction, ...]]:
        if error is True:
            return RecordedFailure(NOT_SAID, None), ()
        kind = error_type(error) if isinstance(error, BaseException) else None
        text, removed = self._message(error_text(error) if isinstance(error, BaseException) else error, withheld)
        return RecordedFailure(text, kind), removed

    def _with_result(
        self,
        call: ToolCall,
        identifiers: dict[str, Any],
        length: int,
        failure: RecordedFailure | None,
        elapsed: int | None,
        removed: tuple[Redaction, ...],
    ) -> ToolCall:
        done = self._ended(call, elapsed, removed)
        done["success"] = failure is None
        message = None
        if failure is not None:
            done["error"] = message = failure.message
            done["error_type"] = failure.type
        done["result_summary"] = summary(failure is None, identifiers, length, message)
        return done

    def _ended(self, call: ToolCall, elapsed: int | None, removed: tuple[Redaction, ...]) -> ToolCall:
        done = call.copy()
        done["timestamp"] = self.now()
        done["duration_ms"] = None if elapsed is None else round(elapsed / _NS_IN_MS, 3)
        if removed:
            done["redactions"] = call["redactions"] + as_entries(removed)
        return done


def ending_of(error: BaseException) -> Ending:
    """Tell how a call ended that raised: it failed, was cut off, waits, was refused, or handed over; a group did what all in it did."""
    if isinstance(error, BaseExceptionGroup):
        each = [ending_of(leaf) for leaf in leaves_of(error)]
        same = not isinstance(each[0], Failed) and len(set(map(type, each))) == 1
        return each[0] if same else Failed(error_text(error), error_type(error))
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - an exception's own __str__ may do anything
        message = error_text(error)
    meant = ending(names_of(error), message or None, error_type(error))
    if isinstance(meant, Paused) and meant.reason is None:
        # Pydantic AI: what the tool tells whoever decides
        return meant._replace(reason=getattr(error, "metadata", None) or None)
    return meant


def _verdict(spec: ToolSpec, result: object) -> Failed | Denied | Paused | None:
    """Judge a result by the tool's own rule, or by those that hold for all."""
    if spec.fails is None:
        try:
            return judged(result)
        except Exception:  # noqa: BLE001 - a result whose own methods raise says nothing of success
            return None
    try:
        error = spec.fails(result) or None
    except Exception as problem:  # noqa: BLE001 - a rule that raises says nothing of success
        error = f"what came of the call could not be told: {type(problem).__name__} while looking at the result"
    return None if error is None else Failed(error)


def _at(arguments: Mapping[str, Any], path: str) -> object:
    """Find an argument by name or dotted path; None when it is not there."""
    value: Any = arguments
    for name in path.split("."):
        if not isinstance(value, Mapping):
            return getattr(value, name, None)
        value = value.get(name)
    return value


def _text(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _plain_text(result: object) -> str | None:
    """A result as text, or None where it is not plain data: a lazy object is not asked for what it would have to fetch."""
    if type(result) is str:
        return result
    try:
        return orjson.dumps(result, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        return None
