"""Text for people: printable, counted, as JSON. Pure."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

_UNSAFE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

_ADDRESS: Final = re.compile(r"<(?P<what>[\w.]+)(?: object)?(?:(?:, | )[^<>]*?)?\bat 0x[0-9a-fA-F]+[^<>]*>")
_TASK: Final = re.compile(r"<(?:_?\w*\.)*(?:Task|Future)\b.*?(?:>{1,2}(?!\w)|$)", re.DOTALL)
_BARE_ADDRESS: Final = re.compile(r"\s*\bat 0x[0-9a-fA-F]{6,16}\b|(?<=scope )[0-9a-f]{8,16}\b")
NOTHING: Final = "–"  # noqa: RUF001 - a dash
"""What stands where there is nothing to show."""

_LAST_OF_FOUR_DIGITS: Final = 0xFFFF


def printable(text: object) -> str:
    r"""Show any text in one line that drives no terminal: unsafe characters become ``\uXXXX``."""
    shown = text if isinstance(text, str) else str(text)
    if shown.isascii() and shown.isprintable():
        return shown
    return "".join(c if unicodedata.category(c) not in _UNSAFE else escape(c) for c in shown)


def plural(number: int, one: str, several: str | None = None) -> str:
    """
    Show a number of things.

    Args:
        number: How many.
        one: What one of them is called.
        several: What others are called; by default with an s.
    """
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def as_json(value: object) -> str:
    """Show a value as JSON in one line, text as people write it, unsafe characters escaped."""
    return printable(json.dumps(value, ensure_ascii=False, default=str))


def escape(character: str) -> str:
    r"""Write a character as ``\uXXXX``, beyond four digits as ``\UXXXXXXXX``."""
    code = ord(character)
    return f"\\u{code:04x}" if code <= _LAST_OF_FOUR_DIGITS else f"\\U{code:08x}"


def one_of(words: Sequence[str]) -> str:
    """Name things to choose from: ``a, b or c``."""
    return " or ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def readable(message: str | None) -> str:
    """Show a message without the addresses of objects: they name nothing that outlives the process."""
    if message is None:
        return ""
    if "0x" not in message and "scope" not in message and "<" not in message:
        return message.strip()
    words = _TASK.sub("a task", message)
    words = _ADDRESS.sub(lambda found: f"<{found['what']}>", words)
    return _BARE_ADDRESS.sub("", words).strip()


def percent(rate: float | None) -> str:
    """Show a rate of 0 to 1 to a tenth of a percent: 100.0 % only of all, 0.0 % only of none."""
    if rate is None:
        return NOTHING
    tenths = round(rate * 1000) if rate in {0, 1} else min(max(round(rate * 1000), 1), 999)
    return f"{tenths / 10:.1f} %"


def duration(milliseconds: float | None) -> str:
    """Show a duration: milliseconds below a second, then seconds; what took a while never shows as nothing."""
    if milliseconds is None:
        return NOTHING
    if milliseconds >= 999.5:  # noqa: PLR2004 - would be shown as 1,000 ms
        return f"{milliseconds / 1000:,.1f} s"
    if milliseconds >= 9.95 or milliseconds == int(milliseconds):  # noqa: PLR2004 - two figures are enough
        return f"{milliseconds:.0f} ms"
    return f"{milliseconds:.1f} ms" if milliseconds >= 0.05 else "<0.1 ms"  # noqa: PLR2004 - would be shown as 0.0 ms
