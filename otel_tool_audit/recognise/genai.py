"""
OpenTelemetry's GenAI conventions: ``execute_tool`` spans.

Source: OpenTelemetry semantic conventions 1.38, "Execute tool span".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson

from otel_tool_audit import semconv

SOURCE: Final = "gen_ai"

_OLDER_ARGUMENTS: Final = "gen_ai.tool.arguments"
"""What some instrumentations used before the conventions had a name."""

_LONGEST_JSON: Final = 1_000_000
"""Characters of JSON text that are still taken apart; longer text stays text, and is cut as such."""


class Facts(NamedTuple):
    """
    What a span told of a call; nothing is sanitized yet.

    Attributes:
        tool_name: What was called.
        tool_call_id: The provider's id of the call.
        arguments: Parsed where they were JSON; None when the span did not tell.
        result: Parsed where it was JSON.
        has_result: Whether the span told the result; a result may be null.
        known: Values of ``attribution()``'s names that the span told.
        error_type: ``error.type``.
    """

    tool_name: str
    tool_call_id: Any
    arguments: Any
    result: Any
    has_result: bool
    known: dict[str, Any]
    error_type: str | None


_KNOWN: Final = {
    "user": (semconv.USER_ID, "enduser.id"),
    "agent": (semconv.AGENT,),
    "model": (semconv.MODEL, "gen_ai.response.model"),
    "conversation": (semconv.CONVERSATION,),
    "client_ip": (semconv.CLIENT_ADDRESS,),
    "user_agent": (semconv.USER_AGENT,),
}


def recognise(name: str, attributes: Mapping[str, Any]) -> Facts | None:
    """
    Read a span as a tool call.

    Args:
        name: The span's name; by convention ``execute_tool {tool}``.
        attributes: As the instrumentation set them.

    Returns:
        None when it is none.
    """
    if attributes.get(semconv.OPERATION) != semconv.EXECUTE_TOOL:
        return None
    tool = attributes.get(semconv.TOOL_NAME) or name.removeprefix(semconv.EXECUTE_TOOL).strip() or "unknown"
    arguments = attributes.get(semconv.TOOL_ARGUMENTS, attributes.get(_OLDER_ARGUMENTS))
    error_type = attributes.get(semconv.ERROR_TYPE)
    return Facts(
        tool_name=str(tool),
        tool_call_id=attributes.get(semconv.TOOL_CALL_ID),
        arguments=_parsed(arguments),
        result=_parsed(attributes.get(semconv.TOOL_RESULT)),
        has_result=semconv.TOOL_RESULT in attributes,
        known={field: value for field, names in _KNOWN.items() if (value := _first(attributes, names)) is not None},
        error_type=None if error_type is None else str(error_type),
    )


def _first(attributes: Mapping[str, Any], names: tuple[str, ...]) -> object | None:
    return next((attributes[name] for name in names if name in attributes), None)


def _parsed(value: object) -> Any:  # noqa: ANN401 - whatever JSON holds
    if not isinstance(value, str) or len(value) > _LONGEST_JSON:
        return value
    try:
        return orjson.loads(value)
    except ValueError:
        return value
