"""
What a component that runs several tools gave back: each result beside the call that it answers.

Source: Haystack, ``ToolCallResult.origin``; LangChain, ``ToolMessage``; ARCHITECTURE.md, "Spans of other instrumentations".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from otel_tool_audit.recognise.results import Result, result_in
from otel_tool_audit.recognise.values import parsed, plain_text, scalar

_MOST_NODES: Final = 2_000
_MOST_ANSWERS: Final = 64
_NAMES: Final = ("tool_name", "name", "toolName")
_IDS: Final = ("tool_call_id", "call_id", "toolUseId", "tool_use_id", "id")
_HELD: Final = ("arguments", "args", "input", "parameters")


class Answer(NamedTuple):
    """
    A result and the call that it answers.

    Attributes:
        tool: What was called.
        arguments: A mapping; None where only the id names the call.
        call_id: The provider's id; None when it is not told.
        result: What came back.
    """

    tool: str
    arguments: Mapping[Any, Any] | None
    call_id: str | None
    result: Result


def answers_in(values: Iterable[object]) -> list[Answer]:
    """
    Find results that name their call.

    Args:
        values: What came out, of any type.
    """
    found: list[Answer] = []
    waiting = [parsed(value) for value in values]
    for _ in range(_MOST_NODES):
        if not waiting or len(found) >= _MOST_ANSWERS:
            break
        item = waiting.pop()
        if isinstance(item, Mapping):
            answer = _answer(item)
            if answer is None:
                waiting.extend(reversed(list(item.values())))
            else:
                found.append(answer)
        elif isinstance(item, Sequence) and not isinstance(item, (str, bytes, bytearray)):
            waiting.extend(reversed(item))
    return found


def _answer(item: Mapping[Any, Any]) -> Answer | None:
    origin = item.get("origin")
    if isinstance(origin, Mapping) and "result" in item:
        result = result_in(item["result"])
        asked, failed = origin, item.get("error") is True or result.failed
    elif "content" in item and "tool_call_id" in item:
        result = result_in(item)
        asked, failed = item, result.failed
    else:
        return None
    tool = next(_texts(asked, _NAMES), None)
    if tool is None:
        return None
    held = next((value for key in _HELD if isinstance(value := parsed(asked.get(key)), Mapping)), None)
    call_id = next((str(value) for key in _IDS if (key != "id" or asked is origin) and (value := scalar(asked.get(key))) is not None), None)
    return Answer(tool, held, call_id, result._replace(failed=failed))


def _texts(item: Mapping[Any, Any], names: Sequence[str]) -> Iterator[str]:
    yield from (text for name in names if (text := plain_text(item.get(name))))
