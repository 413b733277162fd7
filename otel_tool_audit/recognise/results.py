"""
What a result means, whoever looks at it: the gate at what a tool returned, the observers at what a span tells of it.

A tool's result says that it failed by an ``error``, or in the envelope that a protocol or framework puts around results; and where a
framework asked somebody first, what the model is given in place of a result says that nobody ran the tool.

Source: MCP 2025-11-25, ``CallToolResult.isError``; Bedrock, ``toolResult.status``; LangChain, ``ToolMessage.status`` and ``Command.update``;
the texts of OpenAI Agents SDK, LangChain, Pydantic AI, Google ADK, Agent Framework and Strands; ARCHITECTURE.md, R4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeGuard

from otel_tool_audit.recognise.values import is_typed, parsed, plain_text
from otel_tool_audit.record.model import ANSWER, APPROVAL
from otel_tool_audit.record.outcomes import Denied, Failed, Paused

BAD: Final = frozenset({"error", "failure", "failed", "fail", "exception", "errored", "timeout"})
"""Words that say that something failed."""

NOT_SAID: Final = "the tool's result tells of an error"

_IN_TEXT: Final = re.compile(r"\b(?:status=['\"]?(?:error|failure|failed)\b|is_?[eE]rror=True)")
_ERROR_TEXT: Final = re.compile(
    r"\s*(?:Error(?:[:!]| (?:executing|calling|running|invoking|while|in|occurred)\b)|Exception(?::| (?:in|while)\b)|Traceback \(most recent call|"
    r"(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception)(?:: |\()|(?:Tool|Function)(?: call| execution)? (?:error|failed)\b|"
    r"An error occurred\b|I encountered an error\b|Failed to (?:execute|call|run|invoke)\b)"
)
"""How the text begins that frameworks give the model instead of the exception."""

_THE_CALL: Final = r"(?:tool|function|action)(?:[ _](?:call|use|execution|invocation|request))*(?: for [`'\"]?\S+)?(?: with (?:id )?\S+)?"
_NO: Final = r"(?:denied|rejected|declined|refused|not approved|not confirmed|disapproved|not permitted|not authori[sz]ed by (?:the )?(?:user|human))"
_DENIED_TEXT: Final = re.compile(
    rf"\W*(?:Error:?\W*)?(?:(?:the|this|your) )?(?:{_THE_CALL}(?: invocation)? (?:was |is |has been |were )?(?:not executed\W+)?{_NO}\b|"
    rf"(?:user|human|operator|reviewer|approver|person)s? (?:has |have )?(?:denied|rejected|declined|refused|did not approve)\b[^.]{{0,80}}?\b(?:tool|function|call|action|request|execution|permission|operation)\b|"
    rf"(?:user|human)(?: does not|n't|'s not| doesn't| didn't| did not)? want to (?:proceed|take this action|do this|run)\b|"
    rf"(?:permission|approval|confirmation|authori[sz]ation|access) (?:to (?:use|run|call|execute) \S+(?: tool)? )?(?:was |is |has been )?{_NO}(?: by (?:the )?(?:user|human|operator|hook|policy)\b|\W*$)|"
    rf"{_THE_CALL} (?:was |is |has been )?(?:blocked|cancell?ed|skipped) by (?:the )?(?:user|human|policy|guardrail|hook|approver)\b)",
    re.IGNORECASE,
)
"""What a model is told in place of the result when somebody said no; it speaks of the call, not of what the tool was to do."""

_PAUSED_TEXT: Final = re.compile(
    rf"\W*(?:Error:?\W*)?(?:(?:the|this|your) )?(?:{_THE_CALL} (?:requires?|needs?|is (?:awaiting|waiting for|pending|subject to)|awaits) (?:human |user |your |an? |explicit )*(?:confirmation|approval|consent|input|answer)\b|"
    rf"(?:awaiting|waiting for|pending|requires?|needs?) (?:human |user |your |explicit )*(?P<for>confirmation|approval|consent|input|answer)(?: (?:from|by|of) (?:the |an? )?(?:user|human|operator|reviewer))?(?: (?:before|to|for) (?:running|executing|calling|execute|run|this (?:tool|call|action)).*)?\W*$)",
    re.IGNORECASE,
)
_FOR_ANSWER: Final = re.compile(r"\b(?:input|answer)\b", re.IGNORECASE)
_LONGEST_TALK: Final = 600
"""Characters of a text that is read as a framework's own; a longer one is a tool's."""

_EMPTY_TALK: Final = re.compile(
    r"\s*(?:(?:[A-Za-z_]\w*\.)*\w*(?:Error|Exception)\s*:?|(?:tool|function|unknown|internal)?[ _]?(?:error|failed|failure)\.?|"
    r"error (?:while )?(?:running|executing|calling|invoking) (?:the )?(?:tool|function)(?: \(non-fatal\))?\.?|"
    r"(?:tool|function)(?: call| execution)? failed\.?|an error occurred(?: while (?:running|executing|calling) the tool)?\.?)\s*",
    re.IGNORECASE,
)
"""What only says that something went wrong; the whole message, see :func:`telling`."""

_ERROR_KEYS: Final = ("error", "error_message", "errorMessage", "message", "detail", "details", "reason", "exception", "text", "content")
_MARKS: Final = frozenset(
    {"tool_call_id", "toolUseId", "lc", "is_error", "isError", "structuredContent", "artifact", "additional_kwargs", "tool_output", "raw_output"}
)
_ENVELOPES: Final = frozenset(
    {"tool", "constructor", "tool_result", "tool_call_response", "function_response", "function_call_output", "tool_call_output"}
)
_INNER: Final = (
    "toolResult", "tool_result", "function_response", "functionResponse", "tool_output", "raw_output", "output", "result", "response", "data", "kwargs",
    "structuredContent", "content", "parts", "text",
)  # fmt: skip
_ENVELOPE_WORDS: Final = frozenset({*_MARKS, *_INNER, "type", "tool_use_id", "tool_id"})
"""Without one of them a mapping is a tool's own result."""

_ANSWER_WORDS: Final = frozenset({"status", "state", "content", "type", "role", "name", "id", "metadata", *_MARKS})
_COMMAND: Final = frozenset({"update", "goto"})
_PART_WORDS: Final = frozenset({
    "function_response", "functionResponse", "block_type", "text", "json", "type", "annotations", "meta", "_meta", "toolResult", "parts", "role", "content",
    "response", "id", "name",
})  # fmt: skip
_PART_HOLDERS: Final = frozenset({"function_response", "functionResponse", "text", "json", "toolResult", "parts", "response", "content"})
_IDS: Final = ("tool_call_id", "toolUseId", "tool_use_id", "tool_id")
_BESIDE: Final = frozenset({"output", "kwargs", "tags", "metadata", "run_id", "parent_run_id"})
_TELLING_FIELDS: Final = frozenset({"isError", "is_error", "error", "status", "update", "structuredContent"})
"""Fields by which an object may tell that it is an envelope or an error."""

_PLAIN: Final = (Mapping, str, bytes, bytearray, list)
_READ: Final = (Mapping, str, bytes, bytearray, list, tuple)
"""What is looked at as it is; of other objects only their declared fields."""

_PART_FIELDS: Final = frozenset({"type", "text"})

LONGEST_TEXT: Final = 4_096
_DEEPEST: Final = 8
_MOST_PARTS: Final = 16


class Result(NamedTuple):
    """
    What a tool gave back.

    Attributes:
        value: Without the envelope.
        failed: Whether the envelope, or how its text begins, says that it is an error.
        call_id: The provider's id of the call, where the envelope names it.
    """

    value: Any
    failed: bool
    call_id: str | None = None


def judged(result: object) -> Failed | Denied | Paused | None:
    """
    Tell what a result says of its call, beyond that there is one.

    Args:
        result: As the tool returned it, or as a span tells it; objects are read as their fields, and never asked to do anything.

    Returns:
        None when nothing says that the call did not go well: ``{"error": ""}``, ``[]``, ``{}``, false and null are no errors.
    """
    return verdict_on(result_in(result)) if issubclass(type(result), _READ) or _declared(type(result)) else None


def verdict_on(result: Result) -> Failed | Denied | Paused | None:
    """As :func:`judged`, of a result that is out of its envelope."""
    value = result.value
    if isinstance(value, str):
        return spoken(value) or (Failed(value[:LONGEST_TEXT] or NOT_SAID) if result.failed else None)
    error = told_error(value)
    if error is not None:
        if not issubclass(type(error), str):
            return Failed(NOT_SAID if error is True else error)
        words = error_in(value) or str(error)
        return spoken(words) or Failed(words)
    if not result.failed:
        return None
    text = error_in(value)
    return (None if text is None else spoken(text)) or Failed(text or NOT_SAID)


def spoken(text: str) -> Denied | Paused | None:
    """Read a text that may stand for a result: somebody said no, or is waited for."""
    if len(text) > _LONGEST_TALK:
        return None
    if _DENIED_TEXT.match(text):
        return Denied(APPROVAL, text.strip())
    if _PAUSED_TEXT.match(text):
        return Paused(ANSWER if _FOR_ANSWER.search(text) else APPROVAL, text.strip())
    return None


def told_error(value: object) -> object | None:
    """Give what a mapping has under ``error``; None when that says that there was none."""
    if not is_mapping(value):
        return None
    error: Any = value.get("error")
    kind = type(error)
    if issubclass(kind, str):
        return error if error.strip() else None
    if issubclass(kind, float):
        # a number beside a result is a deviation; a whole number is a code
        return None
    # what is no plain value is not asked whether it is true: it may be lazy
    return error if error is not None and (not issubclass(kind, (int, Mapping, list, tuple, set)) or error) else None


def error_in(result: object) -> str | None:
    """Give what a result says went wrong, of a call that is known to have failed."""
    if isinstance(result, str):
        return result[:LONGEST_TEXT] or None
    if is_mapping(result):
        said = telling(plain_text(result.get(key)) for key in _ERROR_KEYS)
        return None if said is None else said[:LONGEST_TEXT]
    if isinstance(result, (list, tuple)):
        # content of several parts
        parts = [part for part in map(fields_of, result[:_MOST_PARTS]) if is_mapping(part)]
        return next((text for part in parts if (text := error_in(part)) is not None), None)
    return None


def telling(messages: Iterable[str | None]) -> str | None:
    """
    Choose the message that tells most: the first that is more than "an error occurred".

    Args:
        messages: In the order in which they are believed.
    """
    given = [message for message in messages if message and message.strip()]
    return next((message for message in given if not _EMPTY_TALK.fullmatch(message)), given[0] if given else None)


def result_in(value: object) -> Result:
    """
    Take a result out of the envelope that a framework put around it.

    Args:
        value: As the tool returned it, or as the attribute held it.
    """
    inner = fields_of(parsed(value))
    if _is_bare(inner):
        return Result(inner, failed=False)
    failed = False
    call_id: str | None = None
    for _ in range(_DEEPEST):
        if is_mapping(inner):
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
        inner = fields_of(parsed(inside))
    if isinstance(inner, str):
        failed = failed or _ERROR_TEXT.match(inner[:LONGEST_TEXT]) is not None or _IN_TEXT.search(inner[:LONGEST_TEXT]) is not None
    return Result(inner, failed, call_id)


def is_mapping(value: object) -> TypeGuard[Mapping[Any, Any]]:
    """Tell whether a value is a mapping, by its type alone: an object that stands for another must not be asked what it is."""
    kind = type(value)
    return kind is dict or issubclass(kind, Mapping)


def fields_of(value: object) -> object:
    """
    Read an object that may be an envelope as its fields; give anything else as it is.

    Only what a class itself declares is read (pydantic, dataclasses, named tuples): nothing lazy is woken, and nothing is converted.
    """
    kind = type(value)
    if issubclass(kind, _PLAIN):
        return value
    names = _declared(kind)
    if _TELLING_FIELDS.isdisjoint(names) and not names >= _PART_FIELDS:
        return value
    try:
        return {name: getattr(value, name, None) for name in names}
    except Exception:  # noqa: BLE001 - fields may be properties that do anything
        return value


def _declared(kind: type) -> frozenset[str]:
    names: Any = getattr(kind, "model_fields", None) or getattr(kind, "__dataclass_fields__", None) or getattr(kind, "_fields", None)
    return frozenset(names) if isinstance(names, (Mapping, tuple)) and all(isinstance(name, str) for name in names) else frozenset()


def _is_bare(value: object) -> bool:
    """Tell whether a mapping is a tool's own result, without an envelope."""
    return is_mapping(value) and len(value) > 1 and _ENVELOPE_WORDS.isdisjoint(value) and not value.keys() >= _COMMAND


def _tells_failure(value: Mapping[Any, Any]) -> bool:
    if value.get("is_error") is True or value.get("isError") is True:
        return True
    status = value.get("status", value.get("state"))
    return isinstance(status, str) and status.lower() in BAD and (_is_envelope(value) or _is_message(value) or _is_answer(value))


def _is_message(value: Mapping[Any, Any]) -> bool:
    """Tell whether a mapping holds a list of parts, as messages do, and what became of them."""
    parts = value.get("content")
    return isinstance(parts, list) and bool(parts) and all(_is_part(part) for part in parts)


def _is_answer(value: Mapping[Any, Any]) -> bool:
    """Tell whether a mapping holds what became of a call and what is said of it, and nothing else."""
    return "content" in value and value.keys() <= _ANSWER_WORDS


def _is_part(part: object) -> bool:
    return is_mapping(part) and ("type" in part or (len(part) == 1 and not part.keys().isdisjoint({"text", "json", "image", "document"})))


def _is_envelope(value: Mapping[Any, Any]) -> bool:
    kind = value.get("type")
    return not _MARKS.isdisjoint(value) or (isinstance(kind, str) and kind in _ENVELOPES)


def _inside(value: Mapping[Any, Any]) -> Any:  # noqa: ANN401, PLR0911 - a result; one return for each envelope
    if "output" in value and value.keys() <= _BESIDE:
        return value["output"]
    if value.keys() >= _COMMAND:
        return _answer_in(value["update"])
    content = value.get("content")
    if is_mapping(content) and "parts" in content:
        return content["parts"]
    if is_typed(value):
        return value["value"]
    if value.get("type") == "text" and isinstance(value.get("text"), str) and value.keys() <= _PART_WORDS:
        return value["text"]
    if (
        len(value) == 1
        or _is_envelope(value)
        or _response(value)
        or (("state" in value or "status" in value) and (_is_message(value) or _is_answer(value)))
    ):
        for key in _INNER:
            held = value.get(key)
            if issubclass(type(held), (Mapping, list, tuple)) or (issubclass(type(held), str) and held):
                return held
    return None


def _answer_in(update: object) -> Any:  # noqa: ANN401 - a message
    """Give the last answer of a tool among the messages that a command puts into the conversation."""
    messages = update.get("messages") if is_mapping(update) else update
    if not isinstance(messages, (list, tuple)):
        return None
    told = [fields_of(message) for message in messages]
    return next((message for message in reversed(told) if is_mapping(message) and _is_envelope(message)), None)


def _response(value: Mapping[Any, Any]) -> bool:
    """Google's function responses: an id, a name and the response, nothing else."""
    return "response" in value and value.keys() <= {"id", "name", "response", "type", "role"}


def _only_part(value: Sequence[Any]) -> Any:  # noqa: ANN401 - a part of a message
    """MCP and Bedrock give a list of parts; of one with one part the part is meant."""
    part = fields_of(value[0]) if len(value) == 1 else None
    if not is_mapping(part):
        return None
    if part.get("type") == "text" and isinstance(part.get("text"), str):
        return part["text"]
    return part if _is_envelope(part) or (part.keys() <= _PART_WORDS and not part.keys().isdisjoint(_PART_HOLDERS)) else None
