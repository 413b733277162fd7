"""
What is kept of a result: whether it is one, what it identifies, how long it is; never the payload.

Source: ARCHITECTURE.md, R4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final, cast

import orjson

TRUNCATED_ABOVE: Final = 1000
"""A result whose JSON is longer than this many characters is marked ``_truncated``."""

LONGEST_IDENTIFIER: Final = 256
"""An identifier is at most this many characters long; what is longer is payload."""

_IDENTIFIERS: Final = frozenset({"id", "status", "count"})
_OPTIONS: Final = orjson.OPT_NON_STR_KEYS
_READ_THROUGH: Final = ("__iter__", "__len__", "__getitem__")
"""Methods by which an object may have to fetch what it stands for."""

Fails = Callable[[Any], object]
"""Tells from a result what failed: something true, best the error itself; anything false: nothing did."""


def identifiers_of(result: object, more: Iterable[str] = ()) -> dict[str, Any]:
    """
    Give the key identifiers of a result, by key, not yet sanitized.

    Args:
        result: What the tool returned, of any type; it is not changed and not kept.
        more: Keys to keep, beside ``id``, ``…_id``, ``status`` and ``count``.

    Raises:
        Exception: Whatever a strange result's own methods raise; that says nothing of the call.
    """
    if type(result) is dict:
        mapping: Mapping[Any, Any] = result
    else:
        try:
            mapping = _as_mapping(result)
        except Exception:  # noqa: BLE001 - a result that cannot be read identifies nothing
            mapping = {}
    return {
        key: value
        for key, value in mapping.items()
        if isinstance(key, str) and (key[-3:] == "_id" or key in _IDENTIFIERS or key[-2:] == "Id" or key in more) and _small(value)
    }


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
    """
    Count the characters of a value's JSON; of what has none, nearly. Never raises.

    What could be read through and is no plain container is not: a query set would ask its database for that. Only its type counts.
    """
    try:
        encoded = orjson.dumps(value, default=_plain, option=_OPTIONS)
    except Exception:  # noqa: BLE001 - too deep, cyclic, foreign: measured piece by piece instead
        try:
            return _walked_size(value)
        except Exception:  # noqa: BLE001 - a container whose own methods raise has no length that anybody could tell
            return _leaf_size(value)
    return len(encoded) if encoded.isascii() else len(encoded.decode())


def _as_mapping(result: Any) -> Mapping[Any, Any]:  # noqa: ANN401 - of any type
    # by its type alone, here and below: isinstance() asks a lazy object for its __class__, which is that of what it would have to fetch
    kind = type(result)
    if issubclass(kind, Mapping):
        return cast("Mapping[Any, Any]", result)
    if is_dataclass(kind):
        return {f.name: getattr(result, f.name, None) for f in fields(kind)}
    for name in ("model_dump", "_asdict"):
        # pydantic models and named tuples, without importing either
        convert = getattr(kind, name, None)
        if callable(convert):
            made = convert(result)
            return made if isinstance(made, Mapping) else {}
    return {}


def _small(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= LONGEST_IDENTIFIER
    return value is None or isinstance(value, (bool, int, float))


def _plain(value: Any) -> object:  # noqa: ANN401 - of any type
    mapping = _as_mapping(value)
    if mapping:
        return dict(mapping)
    return list(cast("Iterable[object]", value)) if issubclass(type(value), (set, frozenset, tuple)) else _shown(value)


def _shown(value: object) -> str:
    kind = type(value)
    if issubclass(kind, (str, bytes, bytearray)) or not any(hasattr(kind, name) for name in _READ_THROUGH):
        return str(value)
    return f"<{kind.__name__}>"


def _walked_size(value: object) -> int:
    """Add up leaves and punctuation without recursion; each container counts once, so cycles end."""
    total = 0
    seen: set[int] = set()
    waiting: list[Any] = [value]
    while waiting:
        item = waiting.pop()
        kind = type(item)
        if issubclass(kind, (Mapping, list, tuple, set, frozenset)):
            total += 2 + 2 * len(item)
            if id(item) in seen:
                continue
            seen.add(id(item))
            if issubclass(kind, Mapping):
                total += sum(len(k) + 2 if isinstance(k, str) else 4 for k in item)
                waiting.extend(item.values())
            else:
                waiting.extend(item)
        elif issubclass(kind, (str, bytes, bytearray)):
            total += len(item) + 2
        else:
            total += _leaf_size(item)
    return total


def _leaf_size(item: object) -> int:
    try:
        return len(_shown(item))
    except Exception:  # noqa: BLE001 - an object that cannot even be shown still has some length
        return len(type(item).__name__)
