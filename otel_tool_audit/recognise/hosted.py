"""
Calls of tools that the model's provider runs itself: nobody here runs them, and only the model's answer tells of them.

A provider tells such a call as one item with its result in it, or as a request with a mark and an answer beside it.

Source: OpenAI, Responses API, output items (``web_search_call``, ``mcp_call``, …); Anthropic, ``server_tool_use`` and ``mcp_tool_use`` blocks; Google,
``executableCode``; Vercel AI SDK, ``providerExecuted``; OpenTelemetry semantic conventions, ``server_tool_call`` parts; Pydantic AI, ``builtin`` parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from otel_tool_audit.recognise.facts import CallFacts
from otel_tool_audit.recognise.outcomes import ToldFailure
from otel_tool_audit.recognise.results import Result, error_in, told_error, verdict_on
from otel_tool_audit.recognise.values import parsed, plain_text, scalar
from otel_tool_audit.record.model import APPROVAL
from otel_tool_audit.record.outcomes import Failed, Paused

_MARK: Final = re.compile(
    r"_call\\?\"|server_tool|mcp_tool_use|mcp_approval_request|\"?builtin\\?\"?\s*[:=]|provider_?[eE]xecuted|executable_?[cC]ode"
)
_OUTPUT: Final = re.compile(r"output|completion|response|choice|assistant|message")
_INPUT: Final = re.compile(r"(?:^|[._])(?:input|prompt|request)")
_RUN_HERE: Final = frozenset({"function", "computer", "local_shell", "custom_tool", "apply_patch", "shell", "tool"})
_BESIDE: Final = frozenset(
    {"id", "type", "status", "output", "outputs", "result", "results", "error", "name", "server_label", "approval_request_id", "role"}
)
_RESULTS: Final = ("output", "outputs", "result", "results")
_FAILED: Final = frozenset({"failed", "error", "errored"})
_OPEN: Final = frozenset({"in_progress", "searching", "interpreting", "generating", "calling", "incomplete"})
_IDS: Final = ("tool_call_id", "tool_use_id", "toolCallId", "id")
_ASKED: Final = ("arguments", "args", "input")
_MOST_NODES: Final = 4_000
_MOST_CALLS: Final = 64


def hosted_in(attributes: Mapping[str, Any], events: Iterable[tuple[str, Mapping[str, Any]]] = ()) -> list[CallFacts]:
    """
    Find the calls that the provider ran, as a model's span tells them.

    Args:
        attributes: The span's.
        events: Its events: names and attributes.
    """
    held = [value for name, value in attributes.items() if _OUTPUT.search(str(name)) and not _INPUT.search(str(name))]
    held += [value for name, told in events if not _INPUT.search(name) for value in told.values()]
    said = [value for value in held if (text := plain_text(value)) is None or _MARK.search(text)]
    items = list(_items([parsed(value) for value in said])) if said else []
    answers = {number: item for item in items if "tool_use_id" in item or "result" in item if (number := _id(item)) is not None and not _asks(item)}
    found: dict[tuple[str, str | None, str], CallFacts] = {}
    for item in items:
        call = _call(item, answers)
        if call is not None and len(found) < _MOST_CALLS:
            found.setdefault((call.tool_name, call.tool_call_id, "" if call.tool_call_id else repr(call.arguments)), call)
    return list(found.values())


def _items(waiting: list[Any]) -> Iterator[Mapping[Any, Any]]:
    waiting.reverse()
    for _ in range(_MOST_NODES):
        if not waiting:
            return
        item = waiting.pop()
        if isinstance(item, Mapping):
            yield item
            waiting.extend(reversed([_opened(inner) for inner in item.values()]))
        elif isinstance(item, Sequence) and not isinstance(item, (str, bytes, bytearray)):
            waiting.extend(reversed([_opened(inner) for inner in item]))


def _opened(value: object) -> object:
    text = plain_text(value)
    return value if text is None else parsed(text) if text[:1] in {"{", "["} and _MARK.search(text) else None


def _call(item: Mapping[Any, Any], answers: Mapping[str, Mapping[Any, Any]]) -> CallFacts | None:
    kind = plain_text(item.get("type")) or ""
    if kind == "mcp_approval_request":
        return _facts(item, plain_text(item.get("name")), parsed(item.get("arguments")), None, None)._replace(halt=Paused(APPROVAL))
    if kind.endswith("_call") and kind.removesuffix("_call") not in _RUN_HERE and _id(item) is not None:
        return _of_item(item, kind.removesuffix("_call"))
    if _asks(item):
        number = _id(item)
        return _of_pair(item, None if number is None else answers.get(number))
    code = item.get("executableCode", item.get("executable_code"))
    if isinstance(code, Mapping):
        return _facts(item, "code_execution", code, None, None)
    return None


def _asks(item: Mapping[Any, Any]) -> bool:
    """Tell whether an item asks for a tool that the provider runs."""
    if not isinstance(item.get("name", item.get("toolName")), str) or not any(name in item for name in _ASKED):
        return False
    marked = any(item.get(name) is True for name in ("builtin", "providerExecuted", "provider_executed"))
    return marked or plain_text(item.get("type")) in {"server_tool_use", "mcp_tool_use", "server_tool_call", "builtin_tool_call", "native_tool_call"}


def _of_item(item: Mapping[Any, Any], kind: str) -> CallFacts:
    """A call with everything in it, as OpenAI tells it: an MCP call by its tool's name, others by what they are."""
    if kind == "mcp":
        tool, arguments = plain_text(item.get("name")) or kind, parsed(item.get("arguments"))
    else:
        action = item.get("action")
        given = action if isinstance(action, Mapping) else {name: value for name, value in item.items() if name not in _BESIDE}
        tool, arguments = kind, {name: value for name, value in given.items() if value is not None}
    result = next((item[name] for name in _RESULTS if item.get(name) is not None), None)
    status = (plain_text(item.get("status")) or "").lower()
    error = told_error(item)
    failure = None
    if error is not None or status in _FAILED:
        inner = error.get("content") if isinstance(error, Mapping) else None
        failure = ToldFailure(error_in(error) or error_in(inner), None)
    return _facts(item, tool, arguments, None if status in _OPEN else Result(result, failed=False), failure)


def _of_pair(item: Mapping[Any, Any], answer: Mapping[Any, Any] | None) -> CallFacts:
    arguments = next((parsed(item[name]) for name in _ASKED if name in item), None)
    tool = plain_text(item.get("name", item.get("toolName")))
    if answer is None:
        return _facts(item, tool, arguments, None, None)
    content = answer.get("content", answer.get("result", answer.get("response")))
    code = content.get("error_code") if isinstance(content, Mapping) else None
    result = Result(content, failed=answer.get("is_error") is True)
    verdict = verdict_on(result)
    failure = ToldFailure(str(code), None) if code else ToldFailure(error_in(content), None) if isinstance(verdict, Failed) else None
    return _facts(item, tool, arguments, result, failure)


def _facts(item: Mapping[Any, Any], tool: str | None, arguments: object, result: Result | None, failure: ToldFailure | None) -> CallFacts:
    value = None if result is None else result.value
    return CallFacts(tool or "unknown", _id(item), arguments, value, result is not None, failure, None, None, "")


def _id(item: Mapping[Any, Any]) -> str | None:
    return next((str(found) for name in _IDS if (found := scalar(item.get(name))) is not None), None)
