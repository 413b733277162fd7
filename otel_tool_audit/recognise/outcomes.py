"""
What came of a call, from every sign in use: status is one of them, and often not the one that tells.

Source: OpenTelemetry semantic conventions 1.38, "Recording errors"; MCP 2025-11-25, ``CallToolResult.isError``; ARCHITECTURE.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from otel_tool_audit.recognise import convention as c
from otel_tool_audit.recognise.convention import FactMatch
from otel_tool_audit.recognise.values import is_typed, parsed, plain_text

_BAD: Final = frozenset(
    {"error", "failure", "failed", "fail", "exception", "errored", "timeout", "cancelled", "canceled", "denied", "rejected", "aborted"}
)
_SIGNS: Final = frozenset({c.ERROR_TYPE, c.STATUS, c.FAILED, c.SUCCEEDED})
_FALSE: Final = frozenset({"", "false", "0", "none", "null", "no", "off"})
_TRUE: Final = frozenset({"true", "1", "yes"})
_IN_TEXT: Final = re.compile(r"\b(?:status=['\"]?(?:error|failure|failed)\b|is_?[eE]rror=True)")
_ERROR_TEXT: Final = re.compile(
    r"\s*(?:Error(?:[:!]| (?:executing|calling|running|invoking|while|in|occurred)\b)|Exception(?::| (?:in|while)\b)|Traceback \(most recent call|"
    r"(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception)(?:: |\()|(?:Tool|Function)(?: call| execution)? (?:error|failed)\b|"
    r"An error occurred\b|I encountered an error\b|Failed to (?:execute|call|run|invoke)\b)"
)
"""How the text begins that frameworks give the model instead of the exception."""

_EMPTY_TALK: Final = re.compile(
    r"\s*(?:(?:[A-Za-z_]\w*\.)*\w*(?:Error|Exception)\s*:?|(?:tool|function|unknown|internal)?[ _]?(?:error|failed|failure)\.?|"
    r"error (?:while )?(?:running|executing|calling|invoking) (?:the )?(?:tool|function)(?: \(non-fatal\))?\.?|"
    r"(?:tool|function)(?: call| execution)? failed\.?|an error occurred(?: while (?:running|executing|calling) the tool)?\.?)\s*",
    re.IGNORECASE,
)
"""What only says that something went wrong; the whole message, see below."""

_ERROR_KEYS: Final = ("error", "error_message", "errorMessage", "message", "detail", "details", "reason", "exception")
_MARKS: Final = frozenset(
    {"tool_call_id", "toolUseId", "lc", "is_error", "isError", "structuredContent", "artifact", "additional_kwargs", "tool_output", "raw_output"}
)
_ENVELOPES: Final = frozenset(
    {"tool", "constructor", "tool_result", "tool_call_response", "function_response", "function_call_output", "tool_call_output"}
)
_INNER: Final = (
    "toolResult",
    "tool_result",
    "function_response",
    "functionResponse",
    "tool_output",
    "raw_output",
    "output",
    "result",
    "response",
    "data",
    "kwargs",
    "structuredContent",
    "content",
    "parts",
    "text",
)
_ENVELOPE_WORDS: Final = frozenset({*_MARKS, *_INNER, "type", "tool_use_id", "tool_id"})
"""Without one of them a mapping is a tool's own result."""

_IDS: Final = ("tool_call_id", "toolUseId", "tool_use_id", "tool_id")
_BESIDE: Final = frozenset({"output", "kwargs", "tags", "metadata", "run_id", "parent_run_id"})
_LONGEST_TEXT: Final = 4_096
_DEEPEST: Final = 8


class Result(NamedTuple):
    """
    What a tool gave back.

    Attributes:
        value: Without the envelope.
        failed: Whether the envelope says that it is an error.
        call_id: The provider's id of the call, where the envelope names it.
    """

    value: Any
    failed: bool
    call_id: str | None = None


class ToldFailure(NamedTuple):
    """
    That a call failed, as far as attributes tell.

    Attributes:
        message: In words; None when only the fact is told.
        type: What kind of error.
    """

    message: str | None
    type: str | None


def result_in(value: object) -> Result:
    """
    Take a result out of the envelope that a framework put around it.

    Args:
        value: As the attribute held it.
    """
    inner = parsed(value)
    if _is_bare(inner):
        return Result(inner, failed=False)
    failed = False
    call_id: str | None = None
    for _ in range(_DEEPEST):
        if type(inner) is dict or isinstance(inner, Mapping):
            if _is_bare(inner):
                break
            failed = failed or _tells_failure(inner)
            call_id = call_id or next((text for key in _IDS if (text := plain_text(inner.get(key)))), None)
            if call_id is None and _response(inner):
                call_id = plain_text(inner.get("id"))
            inside = _inside(inner)
        elif isinstance(inner, Sequence) and not isinstance(inner, (str, bytes, bytearray)):
            inside = _only_part(inner)
        else:
            break
        if inside is None:
            break
        inner = parsed(inside)
    if isinstance(inner, str):
        failed = failed or _ERROR_TEXT.match(inner[:_LONGEST_TEXT]) is not None or _IN_TEXT.search(inner[:_LONGEST_TEXT]) is not None
    return Result(inner, failed, call_id)


def _is_bare(value: object) -> bool:
    """Tell whether a mapping is a tool's own result, without an envelope."""
    return (type(value) is dict or isinstance(value, Mapping)) and len(value) > 1 and _ENVELOPE_WORDS.isdisjoint(value)


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
    failed = any((plain_text(attributes[key]) or "").strip('" ').lower() in _BAD for key in by.get(c.STATUS, ()))
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


def error_in(result: object) -> str | None:
    """Give what a result says went wrong, of a call that is known to have failed."""
    if isinstance(result, str):
        return result[:_LONGEST_TEXT] or None
    if isinstance(result, Mapping):
        said = telling(plain_text(result.get(key)) for key in _ERROR_KEYS)
        return None if said is None else said[:_LONGEST_TEXT]
    return None


def telling(messages: Iterable[str | None]) -> str | None:
    """
    Choose the message that tells most: the first that is more than "an error occurred".

    Args:
        messages: In the order in which they are believed.
    """
    given = [message for message in messages if message and message.strip()]
    return next((message for message in given if not _EMPTY_TALK.fullmatch(message)), given[0] if given else None)


def _tells_failure(value: Mapping[Any, Any]) -> bool:
    if value.get("is_error") is True or value.get("isError") is True:
        return True
    status = value.get("status", value.get("state"))
    return isinstance(status, str) and status.lower() in _BAD and (_is_envelope(value) or _is_message(value))


def _is_message(value: Mapping[Any, Any]) -> bool:
    """Tell whether a mapping holds a list of parts, as messages do, and what became of them."""
    parts = value.get("content")
    return isinstance(parts, list) and bool(parts) and all(isinstance(part, Mapping) and "type" in part for part in parts)


def _is_envelope(value: Mapping[Any, Any]) -> bool:
    kind = value.get("type")
    return not _MARKS.isdisjoint(value) or (isinstance(kind, str) and kind in _ENVELOPES)


def _inside(value: Mapping[Any, Any]) -> Any:  # noqa: ANN401 - a result
    if "output" in value and value.keys() <= _BESIDE:
        return value["output"]
    content = value.get("content")
    if isinstance(content, Mapping) and "parts" in content:
        return content["parts"]
    if is_typed(value):
        return value["value"]
    if len(value) == 1 or _is_envelope(value) or _response(value) or ("state" in value and _is_message(value)):
        for key in _INNER:
            held = value.get(key)
            if isinstance(held, (Mapping, list, tuple)) or (isinstance(held, str) and held):
                return held
    return None


def _response(value: Mapping[Any, Any]) -> bool:
    """Google's function responses: an id, a name and the response, nothing else."""
    return "response" in value and value.keys() <= {"id", "name", "response", "type", "role"}


def _only_part(value: Sequence[Any]) -> Any:  # noqa: ANN401 - a part of a message
    """MCP and Bedrock give a list of parts; of one with one part the part is meant."""
    if len(value) != 1 or not isinstance(value[0], Mapping):
        return None
    part = value[0]
    if part.get("type") == "text" and isinstance(part.get("text"), str):
        return part["text"]
    known = {
        "function_response",
        "functionResponse",
        "block_type",
        "text",
        "json",
        "type",
        "annotations",
        "meta",
        "_meta",
        "toolResult",
        "parts",
        "role",
        "content",
        "response",
        "id",
        "name",
    }
    return (
        part
        if part.keys() <= known
        and not part.keys().isdisjoint({"function_response", "functionResponse", "text", "json", "toolResult", "parts", "response", "content"})
        else None
    )
