"""
Python's own notation of values, read without running any of it.

Some instrumentations write arguments with ``str()``: ``{'order_id': 'ORD-1', 'when': datetime.date(2026, 1, 1)}``. The text is only
ever parsed, never evaluated; what is no plain value stands as its source text, and a call with names only is read as a mapping.

Source: The Python Language Reference, "Literals" and "Displays".
"""

from __future__ import annotations

import ast
from typing import Any, Final

LONGEST: Final = 32_768
"""Characters that are read; longer text stays text."""

_MOST_NODES: Final = 5_000
_DEEPEST: Final = 64
_OPENING: Final = "([{"
_CLOSING: Final = ")]}"


class _Strange(ValueError):
    """No literal."""


def read_literal(text: str) -> Any:  # noqa: ANN401 - whatever the text holds
    """
    Read a Python display or literal.

    Args:
        text: Any text.

    Returns:
        Its value.

    Raises:
        ValueError: It is none, or too long or too deep to be read.
    """
    if len(text) > LONGEST or _depth(text) > _DEEPEST:
        raise _Strange
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise _Strange from error
    return _Reader(text.strip()).value(tree.body)


class _Reader:
    """Turns a tree into values, node by node, up to a number."""

    __slots__ = ("_left", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._left = _MOST_NODES

    def value(self, node: ast.expr) -> Any:  # noqa: ANN401 - whatever the text holds
        self._left -= 1
        if self._left < 0:
            raise _Strange
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Dict):
            return {self._key(k): self.value(v) for k, v in zip(node.keys, node.values, strict=True) if k is not None}
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            return [self.value(item) for item in node.elts]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
            number = self.value(node.operand)
            if isinstance(number, (int, float)):
                return -number if isinstance(node.op, ast.USub) else number
        if isinstance(node, ast.Call) and node.keywords and not node.args:
            return {k.arg: self.value(k.value) for k in node.keywords if k.arg is not None}
        return ast.get_source_segment(self._text, node) or type(node).__name__

    def _key(self, node: ast.expr) -> str:
        value = self.value(node)
        return value if isinstance(value, str) else str(value)


def _depth(text: str) -> int:
    """Count brackets, also those in strings: too many is too many."""
    deepest = depth = 0
    for character in text:
        if character in _OPENING:
            depth += 1
            deepest = max(deepest, depth)
        elif character in _CLOSING:
            depth -= 1
    return deepest
