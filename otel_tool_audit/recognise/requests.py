"""
The calls that a model asked for, as its span tells them: who asked, with which arguments, under which id.

A tool's own span often lacks all three. The shapes differ from provider to provider, but each has a name beside arguments.

Source: OpenTelemetry semantic conventions 1.38, ``gen_ai.output.messages``; OpenInference, ``message.tool_calls``; Bedrock, ``toolUse``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from otel_tool_audit.recognise.values import parsed, plain_text, scalar

_MOST_NODES: Final = 2_000
_MOST_CALLS: Final = 64
_NAMES: Final = ("name", "tool_name", "toolName", "function_name")
_HELD: Final = ("arguments", "args", "input", "parameters", "raw_arguments", "tool_kwargs", "tool_input", "kwargs")
_IDS: Final = ("tool_call_id", "call_id", "toolCallId", "toolUseId", "tool_use_id", "tool_id", "ref", "id")
"""An answer names its call by the first of these that a call has: beside it ``id`` is that of an item (OpenAI's Responses: ``fc_…`` beside ``call_…``)."""
_FLAT: Final = re.compile(r"^(.*tool_calls?\.\d+)\.(.+)$")
_TELLING: Final = ("output", "completion", "response", "choice", "assistant", "tool_calls", "toolcalls", "all_messages", "events", "message")
"""Words in the names of attributes and events that may hold what a model said."""


_WORTH: Final = ("name", "Name")
_CALL: Final = re.compile(r"[A-Z]\w{0,40}\(\w+=.*\)$", re.DOTALL)


class Request(NamedTuple):
    """
    A call that a model asked for.

    Attributes:
        tool: Its name.
        arguments: A mapping, or text as the model gave it.
        call_id: The provider's id, by which its answer names it; None when it is not told.
    """

    tool: str
    arguments: Any
    call_id: str | None


def may_hold(name: str) -> bool:
    """Tell whether an attribute of a model's span may hold what the model said."""
    lowered = name.lower()
    return any(word in lowered for word in _TELLING)


def requests_in(attributes: Mapping[str, Any], events: Iterable[tuple[str, Mapping[str, Any]]] = ()) -> list[Request]:
    """
    Find the calls that a model's span tells of.

    Args:
        attributes: The span's.
        events: Its events: name and attributes.
    """
    found: list[Request] = []
    flat: dict[str, dict[str, Any]] = {}
    held: list[object] = []
    for name, value in attributes.items():
        if not may_hold(str(name)):
            continue
        match = _FLAT.match(str(name))
        if match:
            flat.setdefault(match.group(1), {})[match.group(2).rpartition(".")[2]] = value
        else:
            held.append(value)
    for name, told in events:
        held.extend(value for key, value in told.items() if may_hold(name) or may_hold(str(key)))
    for call in flat.values():
        found.extend(_asked(call))
    found.extend(requests_of(held))
    return _distinct(found)[-_MOST_CALLS:]


def answered_as(item_id: str, values: Iterable[object]) -> str | None:
    """
    Find the id by which a call is answered that something names by another one.

    Args:
        item_id: Of the item that the call is in an answer of OpenAI's Responses API.
        values: What the model said, of any type.
    """
    waiting = [parsed(value) for value in values if item_id in (plain_text(value) or item_id)]
    for _ in range(_MOST_NODES):
        if not waiting:
            break
        item = waiting.pop()
        if isinstance(item, Mapping):
            if item.get("id") == item_id and (found := scalar(item.get("call_id"))) is not None:
                return str(found)
            waiting.extend(item.values())
        elif isinstance(item, Sequence) and not isinstance(item, (str, bytes, bytearray)):
            waiting.extend(item)
    return None


def listed(name: str, arguments: object, call_id: object) -> list[dict[str, Any]]:
    """
    Read calls that a model's span tells as a tool's own would; of several, each attribute lists all, with commas.

    Args:
        name: Of the tool or tools.
        arguments: As the attribute holds them.
        call_id: The same.

    Returns:
        Mappings with ``name``, ``arguments`` and ``id``; none where the lists do not fit together.
    """
    names = name.split(", ")
    text = plain_text(arguments)
    held = [arguments] if text is None else parsed(f"[{text}]")
    if not isinstance(held, list) or len(held) != len(names):
        return []
    told = plain_text(call_id)
    ids = [] if told is None else told.split(", ")
    fitting = ids if len(ids) == len(names) else [None] * len(names)
    return [{"name": one, "arguments": asked, "id": own} for one, asked, own in zip(names, held, fitting, strict=True)]


def requests_of(values: Iterable[object]) -> list[Request]:
    """
    Find the calls that values hold.

    Args:
        values: Of any type; text is read where it may hold calls.
    """
    found: list[Request] = []
    budget = [_MOST_NODES]
    for value in values:
        text = plain_text(value)
        if text is not None and not _worth_reading(text):
            continue
        found.extend(_walked(parsed(value), budget))
        if len(found) >= _MOST_CALLS:
            break
    return _distinct(found)


def _worth_reading(text: str) -> bool:
    # a mapping, a list, or a call in Python's notation: ToolCall(tool_name='get_order', …)
    return (text.lstrip()[:1] in {"{", "["} or _CALL.match(text) is not None) and any(word in text for word in _WORTH)


def _distinct(found: list[Request]) -> list[Request]:
    """Several attributes of a span tell the same call; the one with an id and readable arguments tells best."""
    kept: list[Request] = []
    for request in found:
        for at, other in enumerate(kept):
            if other.tool == request.tool and other.arguments == request.arguments and None in {other.call_id, request.call_id}:
                kept[at] = other if other.call_id is not None else request
                break
            if request.call_id is not None and other.call_id == request.call_id and other.tool == request.tool:
                kept[at] = other if isinstance(other.arguments, Mapping) else request
                break
        else:
            kept.append(request)
    return kept


def _walked(value: object, budget: list[int]) -> Iterator[Request]:
    waiting: list[object] = [value]
    while waiting and budget[0] > 0:
        budget[0] -= 1
        item = waiting.pop()
        if isinstance(item, Mapping):
            asked = list(_asked(item))
            yield from asked
            if not asked:
                waiting.extend(reversed([_opened(inner) for inner in item.values()]))
        elif isinstance(item, Sequence) and not isinstance(item, (str, bytes, bytearray)):
            waiting.extend(reversed([_opened(inner) for inner in item]))


def _opened(value: object) -> object:
    """JSON inside JSON: a message's content may itself be messages."""
    text = plain_text(value)
    return parsed(value) if text is not None and _worth_reading(text) else value


def _asked(item: Mapping[Any, Any]) -> Iterator[Request]:
    call: Mapping[Any, Any] = item
    function = item.get("function")
    if isinstance(function, Mapping):
        call = {**item, **function}
    name = next((text for key in _NAMES if (text := plain_text(call.get(key)))), None)
    held = next((call[key] for key in _HELD if call.get(key) is not None), None)
    arguments = parsed(held)
    if name is None or not isinstance(arguments, Mapping):
        return
    if isinstance(arguments.get("properties"), Mapping):
        # the description of a tool, not a call of one
        return
    call_id = next((str(found) for key in _IDS if (found := scalar(call.get(key))) is not None), None)
    yield Request(name, arguments, call_id)
