"""
What is kept of a result: whether it is one, what it identifies, how long it is; never the payload.

Source: ARCHITECTURE.md, R4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final, NamedTuple

import orjson

TRUNCATED_ABOVE: Final = 1000
"""A result whose JSON is longer than this many characters is marked ``_truncated``."""

LONGEST_IDENTIFIER: Final = 256
"""An identifier is at most this many characters long; what is longer is payload."""

_IDENTIFIERS: Final = frozenset({"id", "status", "count"})
_OPTIONS: Final = orjson.OPT_NON_STR_KEYS

Fails = Callable[[Any], object]
"""Tells from a result what failed: something true, best the error itself; anything false: nothing did."""


class Outcome(NamedTuple):
    """
    What came of a call, not yet sanitized.

    Attributes:
        identifiers: Key identifiers of the result, by key.
        size: Characters of the result's JSON.
        error: What the result says went wrong; None when nothing did.
    """

    identifiers: dict[str, Any]
    size: int
    error: object | None


def returned_error(result: object) -> object | None:
    """
    Apply the usual rule: a mapping with an ``error`` key is a failure.

    ``{"error": None}`` and ``{"error": False}`` are how many interfaces say that there was none.
    """
    error = result.get("error") if isinstance(result, Mapping) else None
    return error if error is not False else None


def outcome(result: object, *, identifiers: Iterable[str] = (), fails: Fails | None = None) -> Outcome:
    """
    Look at a result.

    Args:
        result: What the tool returned, of any type; it is not changed and not kept.
        identifiers: More keys to keep, beside ``id``, ``…_id``, ``status`` and ``count``.
        fails: Replaces :func:`returned_error`.

    Raises:
        Exception: Whatever *fails* or a strange result's own methods raise; the gate tells that apart from the tool's.
    """
    if type(result) is dict:
        mapping: Mapping[Any, Any] = result
    else:
        mapping = _as_mapping(result)
    found = {
        key: value
        for key, value in mapping.items()
        if isinstance(key, str) and (key[-3:] == "_id" or key in _IDENTIFIERS or key[-2:] == "Id" or key in identifiers) and _small(value)
    }
    return Outcome(found, size(result), returned_error(mapping) if fails is None else fails(result) or None)


def summary(success: bool, identifiers: Mapping[str, Any], length: int, error: str | None) -> dict[str, Any]:
    """
    Put a summary together from values that are sanitized.

    Args:
        success: Whether the call succeeded.
        identifiers: Of the result, by key.
        length: Characters of the result's JSON.
        error: The message, if it failed.
    """
    made: dict[str, Any] = {"success": success}
    if error is not None:
        made["error"] = error
    for key, value in identifiers.items():
        made.setdefault(key, value)
    made["_result_size"] = length
    if length > TRUNCATED_ABOVE:
        made["_truncated"] = True
    return made


def size(value: object) -> int:
    """Count the characters of a value's JSON; of what has none, nearly. Never raises."""
    try:
        encoded = orjson.dumps(value, default=_plain, option=_OPTIONS)
    except Exception:  # noqa: BLE001 - too deep, cyclic, foreign: measured piece by piece instead
        try:
            return _walked_size(value)
        except Exception:  # noqa: BLE001 - a container whose own methods raise has no length that anybody could tell
            return _leaf_size(value)
    return len(encoded) if encoded.isascii() else len(encoded.decode())


def _as_mapping(result: object) -> Mapping[Any, Any]:
    if isinstance(result, Mapping):
        return result
    if is_dataclass(result) and not isinstance(result, type):
        return {f.name: getattr(result, f.name, None) for f in fields(result)}
    for name in ("model_dump", "_asdict"):
        # pydantic models and named tuples, without importing either
        convert = getattr(type(result), name, None)
        if callable(convert):
            made = convert(result)
            return made if isinstance(made, Mapping) else {}
    return {}


def _small(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= LONGEST_IDENTIFIER
    return value is None or isinstance(value, (bool, int, float))


def _plain(value: object) -> object:
    mapping = _as_mapping(value)
    if mapping:
        return dict(mapping)
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    return str(value)


def _walked_size(value: object) -> int:
    """Add up leaves and punctuation without recursion; each container counts once, so cycles end."""
    total = 0
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, (Mapping, list, tuple, set, frozenset)):
            total += 2 + 2 * len(item)
            if id(item) in seen:
                continue
            seen.add(id(item))
            if isinstance(item, Mapping):
                total += sum(len(k) + 2 if isinstance(k, str) else 4 for k in item)
                waiting.extend(item.values())
            else:
                waiting.extend(item)
        elif isinstance(item, (str, bytes, bytearray)):
            total += len(item) + 2
        else:
            total += _leaf_size(item)
    return total


def _leaf_size(item: object) -> int:
    try:
        return len(str(item))
    except Exception:  # noqa: BLE001 - an object that cannot even be shown still has some length
        return len(type(item).__name__)
