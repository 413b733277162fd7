"""
Whether two spans can tell of one call.

What contradicts keeps them apart: another tool, another id, other arguments. What one of them does not know contradicts nothing.

Source: ARCHITECTURE.md, "One record a call".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from otel_tool_audit.record.model import REDACTED

_MOST_LEAVES: Final = 256


def may_be_one(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """
    Tell whether nothing contradicts.

    Args:
        first: Fields of a call, sanitized.
        second: Fields of another.
    """
    if not same_tool(first["tool_name"], second["tool_name"]):
        return False
    one, other = first["tool_call_id"], second["tool_call_id"]
    if one is not None and other is not None and one != other:
        return False
    return agree(first["arguments"], second["arguments"])


def same_tool(one: str, other: str) -> bool:
    """Tell whether two names are one tool's: a server's name may stand before it, ``mcp__shop__get_order``, or a module's, ``shop.get_order``."""
    if one == other:
        return True
    long, short = (one, other) if len(one) > len(other) else (other, one)
    return (long.startswith("mcp__") and long.endswith(f"__{short}")) or long.endswith(f".{short}")


def is_one(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Tell whether something says that both are the same: the provider's id, or arguments that are known and agree."""
    if first["tool_call_id"] is not None and first["tool_call_id"] == second["tool_call_id"]:
        return True
    return bool(first["arguments"]) and bool(second["arguments"]) and agree(first["arguments"], second["arguments"])


def agree(first: object, second: object) -> bool:
    """
    Tell whether two forms of arguments can be the same arguments.

    Args:
        first: Sanitized; None when not told.
        second: The same.
    """
    if first is None or second is None:
        return True
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        shared = first.keys() & second.keys()
        if shared or not first or not second:
            return all(_equal(first[key], second[key]) for key in shared) and (bool(shared) or first == second)
    ours, theirs = set(_leaves(first)), set(_leaves(second))
    small, large = sorted((ours, theirs), key=len)
    return small <= large


def _equal(one: object, other: object) -> bool:
    return REDACTED in {one if isinstance(one, str) else "", other if isinstance(other, str) else ""} or one == other or str(one) == str(other)


def _leaves(value: object) -> Iterator[str]:
    waiting = [value]
    for _ in range(_MOST_LEAVES):
        if not waiting:
            return
        item = waiting.pop()
        if isinstance(item, Mapping):
            waiting.extend(item.values())
        elif isinstance(item, (list, tuple)):
            waiting.extend(item)
        elif item is not None and item != REDACTED:
            yield str(item)
