"""
Python's own notation of values, read without running any of it.

Some instrumentations write arguments with ``str()``: ``{'order_id': 'ORD-1', 'when': datetime.date(2026, 1, 1)}``. The text is only
ever parsed, never evaluated; what is no plain value stands as its source text, and a call with names only is read as a mapping.

Source: The Python Language Reference, "Literals" and "Displays".
"""

from __future__ import annotations

import ast
import re
from typing import Any, Final

LONGEST: Final = 32_768
"""Characters that are read; longer text stays text."""

_MOST_NODES: Final = 5_000
_DEEPEST: Final = 64
_STRING: Final = r"""'{3}(?:[^\\]|\\.)*?'{3}|"{3}(?:[^\\]|\\.)*?"{3}|'[^'\\\n]*(?:\\.[^'\\\n]*)*'|"[^"\\\n]*(?:\\.[^"\\\n]*)*\""""
_PIECE: Final = re.compile(
    rf"(?P<code>\b(?:[fF][rR]?|[rR][fF])(?=['\"]))|{_STRING}|#[^\n]*|[\[\](){{}},]|(?P<operator>[-+~*/%@&|^<>=!.:]|\b(?:not|lambda|if|else|await)\b)",
    re.DOTALL,
)


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
    text = text.strip()
    if len(text) > LONGEST or _is_too_deep(text):
        raise _Strange
    try:
        return _Reader(text).value(ast.parse(text, mode="eval").body)
    except (SyntaxError, MemoryError, RecursionError) as error:
        raise _Strange from error


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


def _is_too_deep(text: str) -> bool:
    """
    Count brackets, and operators between commas: both nest, and Python's parser follows them with the interpreter's stack.

    Code inside of strings is no value either.
    """
    opened, depth = [0], 0
    for found in _PIECE.finditer(text):
        piece = found[0]
        if piece in "([{":
            opened.append(0)
            depth += 1
        elif piece in ")]}":
            depth -= opened.pop() if len(opened) > 1 else 0
            # what follows is asked of the whole bracket: a call, an index
            opened[-1] += 1
        elif piece == ",":
            depth -= opened[-1]
            opened[-1] = 0
        elif found["operator"]:
            opened[-1] += 1
            depth += 1
        if depth > _DEEPEST or found["code"]:
            return True
    return False
