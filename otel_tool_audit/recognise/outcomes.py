"""
What came of a call, from every sign in use on its span: status is one of them, and often not the one that tells.

Source: OpenTelemetry semantic conventions 1.38, "Recording errors"; ARCHITECTURE.md, "Spans of other instrumentations".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from otel_tool_audit.recognise import convention as c
from otel_tool_audit.recognise.convention import FactMatch
from otel_tool_audit.recognise.exceptions import asked, cancelled, ending, is_interrupt
from otel_tool_audit.recognise.results import BAD, spoken
from otel_tool_audit.recognise.values import parsed, plain_text
from otel_tool_audit.record.model import ANSWER, APPROVAL, RESULT
from otel_tool_audit.record.outcomes import Denied, Interrupted, Paused, Returned

Event = tuple[str, Mapping[str, Any]]
"""A span event: its name and attributes."""

Halt = Paused | Denied | Interrupted | Returned
"""How a call ended other than well or badly; ``Returned``: it handed over to another agent."""

_SIGNS: Final = frozenset({c.ERROR_TYPE, c.STATUS, c.FAILED, c.SUCCEEDED})
_FALSE: Final = frozenset({"", "false", "0", "none", "null", "no", "off"})
_TRUE: Final = frozenset({"true", "1", "yes"})
_LETTERS: Final = re.compile(r"[^a-z]")

_WAITING: Final = re.compile(
    r"(?:interrupt(?:ed|ion)?|paused?|suspend(?:ed)?|deferred|deferral|pending|waiting|awaiting|(?:requires|needs)(?:action|input|approval|confirmation)|"
    r"(?:action|input|auth|approval|confirmation)required|(?:waiting|awaiting|pending)(?:for)?(?:human|user|tool)?(?:approval|confirmation|input|action|review|answer|feedback|response|consent))"
)
"""A state in which a call waits; letters only."""

_REFUSED: Final = frozenset({"denied", "rejected", "declined", "refused", "disapproved", "notapproved"})
_STOPPED: Final = frozenset({"cancelled", "canceled", "aborted"})
_SETTLED: Final = frozenset(
    {
        "approved",
        "granted",
        "confirmed",
        "accepted",
        "allowed",
        "allow",
        "resumed",
        "completed",
        "complete",
        "done",
        "auto",
        "autoapproved",
        "notrequired",
        "never",
        "success",
        "ok",
        "answered",
    }
)
_APPROVAL: Final = re.compile(r"approv|confirm|consent|permission|review")
_ANSWER: Final = re.compile(r"input|answer|feedback|elicit|interrupt|human|question")
_RESULT: Final = re.compile(r"defer|external")
_HAPPENED: Final = re.compile(
    r"interrupt|paused?\b|suspend|deferr|approval|confirmation|elicit|await|waiting|hitl|human[._ -](?:input|review|feedback|in[._ -]the[._ -]loop)|input[._ -]required"
)
_RESUMED: Final = re.compile(r"resum|approved|granted|confirmed|accepted|answered|received|resolved|responded|response|result$")
_REJECTED: Final = re.compile(r"reject|denied|declin|refus")
_SAID: Final = ("reason", "message", "question", "prompt", "payload", "value", "metadata", "description", "content")
_NAMING: Final = frozenset({"id", "type", "kind", "name", "status", "state"})
_EXCEPTION: Final = "exception"
_LONGEST_REASON: Final = 4_096


class ToldFailure(NamedTuple):
    """
    That a call failed, as far as attributes tell.

    Attributes:
        message: In words; None when only the fact is told.
        type: What kind of error.
    """

    message: str | None
    type: str | None


def halt_in(found: FactMatch, attributes: Mapping[str, Any], events: Sequence[Event], *, has_result: bool) -> Halt | None:
    """
    Look for a sign that a call waits, was refused, was cut off, or handed over.

    Args:
        found: What attributes tell.
        attributes: The attributes.
        events: The span's.
        has_result: Whether the span tells a result: then what only says that approval is needed for the tool says nothing of this call.

    Returns:
        None when nothing does.
    """
    raised = _raised(found, attributes, events)
    if raised is not None:
        return raised
    for key in found.by.get(c.STATUS, ()):
        if (told := _state(attributes[key], key)) is not None:
            return told
    for key in found.by.get(c.HALT, ()):
        if (told := _halted(key, attributes, has_result=has_result)) is not None:
            return told
    return _happened(events, has_result=has_result) if events else None


def _raised(found: FactMatch, attributes: Mapping[str, Any], events: Sequence[Event]) -> Halt | None:
    """Read what was raised: frameworks raise to wait, too, and some instrumentations call that an error."""
    thrown = [(plain_text(told.get("exception.type")), plain_text(told.get("exception.message"))) for name, told in events if name == _EXCEPTION]
    kinds = [text for key in found.by.get(c.ERROR_TYPE, ()) if (text := plain_text(attributes[key]))]
    words = message_in(found, attributes)
    for kind, message in (*reversed(thrown), *((kind, words) for kind in kinds)):
        meant = ending((kind,), message, kind) if kind is not None and " " not in kind.strip() else None
        if isinstance(meant, (Paused, Denied, Interrupted, Returned)):
            return meant
        if is_interrupt(message):
            return Paused(ANSWER, asked(message))
    return None


def said_halt(message: str | None) -> Halt | None:
    """Read the words beside a failed status: they may tell of a pause, a refusal or a cancellation."""
    if message is None:
        return None
    if is_interrupt(message):
        return Paused(ANSWER, asked(message))
    kind, colon, rest = message.partition(":")
    if colon and " " not in kind.strip() and kind:
        # as the SDK writes an exception: its type, a colon, its message
        meant = ending((kind.strip(),), rest.strip() or None, kind.strip())
        if isinstance(meant, (Paused, Denied, Interrupted, Returned)):
            return meant
    return spoken(message)


def _state(value: object, key: str) -> Halt | None:
    word = _word(value)
    if word in _REFUSED:
        return Denied(APPROVAL if _APPROVAL.search(key.lower()) else None, None)
    if word in _STOPPED:
        return Interrupted(cancelled(None), None)
    return Paused(_kind_of_wait(word) or _kind_of_wait(key.lower()), None) if word is not None and _WAITING.fullmatch(word) else None


def _halted(key: str, attributes: Mapping[str, Any], *, has_result: bool) -> Halt | None:
    """Read an attribute whose name speaks of waiting: its value says whether this call waits."""
    value, name = attributes[key], key.lower()
    text = plain_text(value)
    if value is True or (text is not None and text.strip().lower() in _TRUE):
        return None if has_result else Paused(_kind_of_wait(name), _beside(key, attributes))
    word = _word(value)
    if word is None or word in _SETTLED or word in _FALSE or text is None or text.strip().lower() in _FALSE:
        return None
    told = _state(value, key)
    if told is not None:
        return told._replace(reason=_beside(key, attributes)) if isinstance(told, (Paused, Denied)) else told
    meant = ending((text.strip(),), None, text) if " " not in text.strip() else None
    if isinstance(meant, (Paused, Denied)):
        return meant._replace(reason=_beside(key, attributes))
    # a question, or the name or number of one
    reason = _beside(key, attributes) if name.rpartition(".")[2] in _NAMING else text[:_LONGEST_REASON]
    return None if has_result else Paused(_kind_of_wait(name), reason)


def _happened(events: Sequence[Event], *, has_result: bool) -> Halt | None:
    """Read what events tell, in their order: what was asked for may have been answered since."""
    halt: Halt | None = None
    for name, told in events:
        lowered = name.lower()
        if name == _EXCEPTION or not (_HAPPENED.search(lowered) or (halt is not None and (_RESUMED.search(lowered) or _REJECTED.search(lowered)))):
            continue
        reason = next((text for key in told if key.rpartition(".")[2] in _SAID and (text := plain_text(told[key]))), None)
        decided = next(
            (
                word
                for key, value in told.items()
                if key.rpartition(".")[2] in ("decision", "status", "approved", "outcome") and (word := _word(value))
            ),
            "",
        )
        if _REJECTED.search(lowered) or decided in _REFUSED:
            halt = Denied(APPROVAL, reason)
        elif _RESUMED.search(lowered) or decided in _SETTLED or decided in _TRUE:
            halt = None
        elif not has_result:
            halt = Paused(_kind_of_wait(lowered), reason)
    return halt


def _beside(key: str, attributes: Mapping[str, Any]) -> str | None:
    """Give the words that stand beside an attribute: ``….deferral.metadata`` beside ``….deferral.name``."""
    family = key.rpartition(".")[0]
    for said in _SAID:
        if family and (text := plain_text(attributes.get(f"{family}.{said}"))):
            return text[:_LONGEST_REASON]
    return None


def _kind_of_wait(name: str | None) -> str | None:
    if name is None:
        return None
    for kind, pattern in ((APPROVAL, _APPROVAL), (RESULT, _RESULT), (ANSWER, _ANSWER)):
        if pattern.search(name):
            return kind
    return None


def _word(value: object) -> str | None:
    text = plain_text(value)
    if text is None:
        return None if not isinstance(value, bool) else str(value).lower()
    text = text.strip()
    if text[:1] == '"':
        inner = parsed(text)
        text = inner if isinstance(inner, str) else text
    return _LETTERS.sub("", text.rpartition(".")[2].lower())


def failure_in(found: FactMatch, attributes: Mapping[str, Any]) -> ToldFailure | None:
    """
    Look for a sign of failure in attributes.

    Args:
        found: What they tell.
        attributes: The attributes.

    Returns:
        None when none says that the call failed.
    """
    by = found.by
    if _SIGNS.isdisjoint(by):
        return None
    kind = next((text for key in by.get(c.ERROR_TYPE, ()) if (text := plain_text(attributes[key]))), None)
    failed = any((plain_text(attributes[key]) or "").strip('" ').lower() in BAD for key in by.get(c.STATUS, ()))
    message: str | None = None
    for key in by.get(c.FAILED, ()):
        value = attributes[key]
        text = plain_text(value)
        said = None if text is None else text.strip().lower()
        if value is True or (said is not None and said not in _FALSE):
            failed = True
            message = message or (None if said in _TRUE else text)
    for key in by.get(c.SUCCEEDED, ()):
        failed = failed or attributes[key] is False or (plain_text(attributes[key]) or "").strip().lower() in {"false", "no"}
    if not failed and kind is None:
        return None
    if kind is not None and " " in kind.strip():
        # some put the message where the kind belongs
        message, kind = message or kind, None
    return ToldFailure(message_in(found, attributes) or message, kind)


def message_in(found: FactMatch, attributes: Mapping[str, Any]) -> str | None:
    """Give the error's message that attributes hold, whether or not anything says that there was one."""
    if c.ERROR not in found.by:
        return None
    return next((text for key in found.by[c.ERROR] if (text := plain_text(attributes[key]))), None)
