"""
How deep JSON may be nested, counted before anything parses it. Pure.

Python's own parser and encoder follow nesting with the interpreter's stack. How far they get depends on the recursion limit and on who called;
with a high limit they run off the end of the stack and kill the process. The count below uses no stack at all, so the answer is the same everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import orjson

MAX_NESTING: Final = 128
"""Levels of objects and lists that a line or a document may have (FORMAT.md, section 2). The sanitizer keeps 64."""

_STRING_OR_BRACKET: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)
_STEP: Final = {b"[": 1, b"{": 1, b"]": -1, b"}": -1}


def is_too_deep(text: str | bytes, most: int = MAX_NESTING) -> bool:
    """
    Tell whether text that may be JSON opens more than *most* levels of brackets, those inside strings not counted.

    Args:
        text: Any text; it need not be JSON.
        most: Levels that are allowed.
    """
    # nearly every text has fewer brackets than levels are allowed, and is not looked at more closely
    if isinstance(text, str):
        if text.count("[") + text.count("{") <= most:
            return False
        text = text.encode("utf-8", "surrogatepass")
    elif text.count(b"[") + text.count(b"{") <= most:
        return False
    level = 0
    for found in _STRING_OR_BRACKET.finditer(text):
        level += _STEP.get(found[0], 0)
        if level > most:
            return True
    return False


def end_of_value(text: bytes, begin: int) -> int:
    """
    Find where an object or a list ends.

    Args:
        text: Any bytes.
        begin: Where its opening bracket stands.

    Returns:
        The offset behind its closing bracket, in bytes; the end of the text when it is cut off before.
    """
    level = 0
    for found in _STRING_OR_BRACKET.finditer(text, begin):
        level += _STEP.get(found[0], 0)
        if level <= 0:
            return found.end()
    return len(text)


def read_json(data: str | bytes, *, most: int = MAX_NESTING, loads: Callable[[str | bytes], Any] = orjson.loads) -> Any:  # noqa: ANN401 - any JSON value
    """
    Read JSON that somebody else may have written.

    Args:
        data: A line without its LF, or a document.
        most: Levels that it may have.
        loads: The parser. Python's own reads lone surrogates, as file names can have them; it needs a small *most*.

    Raises:
        ValueError: It is no JSON, or it is nested deeper than that.

    Source: FORMAT.md, section 2.
    """
    if is_too_deep(data, most):
        raise ValueError(f"it is nested deeper than {most} levels")
    return loads(data)
