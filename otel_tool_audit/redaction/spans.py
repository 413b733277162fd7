"""Places in a text, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from otel_tool_audit.redaction.values import MARK

Span = tuple[int, int, str]
"""Start and end in characters, and the rule that found it."""


def replace(text: str, spans: Iterable[Span], shown: Callable[[str, str], str]) -> tuple[str, list[str]]:
    """
    Put something in place of each span; spans that overlap become one, named by the first.

    Args:
        text: Where they are.
        spans: What was found.
        shown: Tells what stands in the place of a value that one rule found.

    Returns:
        The text, and the rule of each place.
    """
    pieces: list[str] = []
    rules: list[str] = []
    done = 0
    for start, end, rule in sorted(set(spans), key=lambda s: (s[0], -s[1])):
        if start >= done or not rules:
            pieces += (text[done:start], shown(text[start:end], rule))
            rules.append(rule)
            done = end
        elif end > done:
            # two rules found parts of one thing: no rule's own sign stands for both
            pieces[-1] = MARK
            done = end
    pieces.append(text[done:])
    return "".join(pieces), rules


def covered(size: int, spans: Iterable[tuple[int, int]]) -> bytearray:
    """Mark which characters of a text of *size* characters lie in spans: one look tells whether another span touches any."""
    mask = bytearray(size)
    for start, end in spans:
        mask[start:end] = b"\1" * (end - start)
    return mask
