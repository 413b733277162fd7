"""
What stands in an attribute, read: JSON, Python's notation, text; and the envelopes that frameworks put around arguments.

Attribute values may be of any type, against the specification: mappings, bytes, None, enums and other kinds of ``str``.

Source: ARCHITECTURE.md, "Spans of other instrumentations".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from otel_tool_audit.recognise.literal import read_literal
from otel_tool_audit.record.jsonsafe import parse_json

LONGEST_JSON: Final = 1_000_000
"""Characters of JSON text that are still taken apart; longer text stays text, and is cut as such."""

_OPENINGS: Final = ("{", "[")
_PLACEHOLDERS: Final = frozenset({"", "none", "null", "undefined", "<not specified>", "n/a", "nan"})
_LONGEST_PLACEHOLDER: Final = 15
_DEEPEST: Final = 6
_NAMES: Final = ("tool_name", "name", "tool", "function", "function_name", "toolName")
_HOLDERS: Final = ("arguments", "args", "kwargs", "inputs", "input", "parameters", "params", "tool_input", "tool_args", "tool_arguments", "toolInput")
_AROUND: Final = frozenset({*_HOLDERS, *_NAMES, "id", "tool_call_id", "toolUseId", "call_id", "type", "method", "jsonrpc", "_meta", "meta", "tags", "metadata", "config", "run_id", "description", "caller", "sanitize_inputs_outputs", "options", "context", "error"})  # fmt: skip
_WRAPPERS: Final = ("tool_call", "toolUse", "tool_use", "function_call", "functionCall", "function", "request", "call")
_ENVELOPE_WORDS: Final = _AROUND | {*_WRAPPERS, "input_str", "properties"}
_PLAIN: Final = frozenset({str, int, float, bool, list, type(None)})
_CALL_MARKS: Final = frozenset({"method", "tool_call_id", "toolUseId", "call_id"})
_PARAMETERS: Final = "code.function.parameters."
_PARAMETER: Final = re.compile(r"^code\.function\.parameters\.(.+)\.value$")


def plain_text(value: object) -> str | None:
    """Give text of any kind as plain text; None when it is none. Enums that are text give their value."""
    if type(value) is str:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    inner = getattr(value, "value", None)
    return str.__str__(inner) if isinstance(inner, str) else None


def scalar(value: object) -> str | int | float | None:
    """Give an identifier as an attribute holds it; None when there is none, or only a placeholder."""
    text = value if type(value) is str else plain_text(value)
    if text is None:
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    text = text.strip()
    if text[:1] == '"' == text[-1:] and len(text) > 1:
        # some write every value as JSON
        text = text[1:-1].strip()
    return None if len(text) <= _LONGEST_PLACEHOLDER and text.lower() in _PLACEHOLDERS else text


def parsed(value: object) -> Any:  # noqa: ANN401 - whatever the value holds
    """
    Read a value: JSON first, then Python's notation; else it is what it is.

    Args:
        value: Of any type.
    """
    if type(value) is str:
        text: str | None = value
    elif isinstance(value, (bytes, bytearray)):
        try:
            text = bytes(value[:LONGEST_JSON]).decode()
        except UnicodeDecodeError:
            return value
    else:
        text = plain_text(value)
    if text is None:
        return value
    start = text[:1] if text[:1] in _OPENINGS else text.lstrip()[:1]
    if not start or len(text) > LONGEST_JSON:
        return text
    if start in '{["' or start.isdigit() or start in "-tfn":
        try:
            return parse_json(text)
        except ValueError:
            pass
    if start in "{[(" or (text.endswith(")") and start.isalpha()):
        try:
            return read_literal(text)
        except ValueError:
            pass
    return text


def is_schema(value: object) -> bool:
    """Tell whether a value describes arguments instead of holding them."""
    if not (type(value) is dict or isinstance(value, Mapping)):
        return False
    if "properties" in value and isinstance(value["properties"], Mapping) and ("type" in value or "required" in value or "title" in value):
        return True
    # smolagents: every parameter is a mapping with a type and a description
    return bool(value) and all(_describes(inner) for inner in value.values())


def _is_plain(value: dict[Any, Any]) -> bool:
    """Tell whether a mapping can only be arguments: no word of an envelope is in it, and no mapping."""
    for key, held in value.items():
        if type(key) is not str or key in _ENVELOPE_WORDS or "." in key or type(held) not in _PLAIN:
            return False
    return bool(value)


def _describes(value: object) -> bool:
    return type(value) is not str and isinstance(value, Mapping) and "type" in value and ("description" in value or "title" in value)


def arguments_in(value: object, tool: str = "") -> Any:  # noqa: ANN401 - whatever was told
    """
    Take arguments out of the envelope that a framework put around them.

    Args:
        value: As the attribute held it.
        tool: What was called; of several calls in one value its is meant.

    Returns:
        A mapping where the names are told; a list or a scalar where they are not; None when nothing was told.
    """
    inner = parsed(value)
    return inner if type(inner) is dict and _is_plain(inner) else _taken_out(inner, tool)


def _taken_out(inner: Any, tool: str) -> Any:  # noqa: ANN401, PLR0911 - as arguments_in; one return for each form
    for _ in range(_DEEPEST):
        if isinstance(inner, str):
            again = parsed(inner)
            if again is inner or isinstance(again, (int, float)) or again == inner:
                return inner
            inner = again
        elif isinstance(inner, Mapping):
            if is_schema(inner):
                return None
            if isinstance(inner, (_Positional, _Named)):
                return dict(inner)
            unwrapped = _unwrapped(inner)
            if unwrapped is inner:
                return _parameters(inner)
            inner = unwrapped
        elif isinstance(inner, Sequence) and not isinstance(inner, (bytes, bytearray)):
            one = _only(inner, tool)
            if one is None:
                return inner
            inner = one
        else:
            return inner
    return inner


def _unwrapped(value: Mapping[Any, Any]) -> Any:  # noqa: ANN401 - arguments, or an envelope inside this one
    """Give what an envelope holds; the value itself where it is none."""
    keys = value.keys()
    if "args" in keys and "kwargs" in keys:
        return _called(value)
    if "input_str" in keys:
        # LangChain's callbacks: what was passed as text, and the same as a mapping where it was one
        inputs = value.get("inputs")
        return inputs if isinstance(inputs, Mapping) and inputs else value["input_str"]
    if len(keys) == 1:
        return _single(value)
    if all(key in _AROUND or key in _WRAPPERS for key in keys):
        return _held(value)
    return value["value"] if is_typed(value) and isinstance(value["value"], Mapping) else value


def is_typed(value: Mapping[Any, Any]) -> bool:
    """Tell whether a mapping is a value with its type beside it: ``{"type": "json", "value": {…}}``."""
    return value.keys() == {"type", "value"} and value["type"] in ("json", "text", "raw")


def _single(value: Mapping[Any, Any]) -> Any:  # noqa: ANN401 - as _unwrapped
    """A mapping of one key is an envelope only if the key is a word for arguments and more than a plain value is in it."""
    ((key, only),) = value.items()
    if key in _WRAPPERS or key in _HOLDERS:
        if isinstance(only, Mapping) or (isinstance(only, (list, tuple)) and key not in {"args", "params"}):
            return only
        if key in _HOLDERS and isinstance(only, str) and only.lstrip()[:1] == "{":
            return only
    return value


def _held(value: Mapping[Any, Any]) -> Any:  # noqa: ANN401 - as _unwrapped
    """A call with its name, id and the like around the arguments."""
    keys = value.keys()
    inner = next((value[key] for key in _WRAPPERS if isinstance(value.get(key), Mapping)), None)
    if inner is not None:
        return inner
    holders: tuple[str, ...] = ()
    if _CALL_MARKS & keys or any(isinstance(value.get(name), str) for name in _NAMES):
        holders = _HOLDERS
    elif keys & {"tags", "metadata", "config", "run_id", "options", "context"}:
        holders = ("inputs", "kwargs", "arguments", "input")
    for key in holders:
        held = value.get(key)
        if isinstance(held, (Mapping, list, tuple)) or (isinstance(held, str) and held.lstrip()[:1] in {"{", "["}):
            return held
    return value


def _called(value: Mapping[Any, Any]) -> Any:  # noqa: ANN401 - arguments
    """Read positional and named arguments; where only named ones were given these are all."""
    args, kwargs = parsed(value["args"]), parsed(value["kwargs"])
    if not args and isinstance(kwargs, Mapping):
        return _plain(kwargs)
    if not kwargs and isinstance(args, (list, tuple)) and len(args) == 1 and isinstance(args[0], Mapping):
        return args[0]
    if not args and not kwargs:
        return {}
    return _Positional(args=args, kwargs=kwargs)


class _Positional(dict[str, Any]):
    """Positional arguments have no names: they stay in the envelope they came in."""


class _Named(dict[str, Any]):
    """Named arguments, whatever they are called."""


def _plain(kwargs: Mapping[Any, Any]) -> Any:  # noqa: ANN401 - arguments
    return _Named({str(key): value for key, value in kwargs.items()})


def _parameters(value: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """google-genai writes each argument with its type: ``code.function.parameters.order_id.value``."""
    if not any(isinstance(key, str) and key.startswith(_PARAMETERS) for key in value):
        return value
    return {match.group(1): v for k, v in value.items() if isinstance(k, str) and (match := _PARAMETER.match(k))}


def _only(value: Sequence[Any], tool: str) -> Any:  # noqa: ANN401 - a call, or messages that hold one
    """Of a list with one call in it give the call; None when it is a plain list."""
    calls = [item for item in value if isinstance(item, Mapping) and any(h in item for h in (*_HOLDERS, *_WRAPPERS, "parts"))]
    if not calls:
        return None
    named = [call for call in calls if any(call.get(name) == tool for name in _NAMES)]
    chosen = (named or calls)[0]
    parts = chosen.get("parts")
    return parts if isinstance(parts, list) else chosen
