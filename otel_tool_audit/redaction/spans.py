"""Places in a text, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterable

from otel_tool_audit.redaction.values import MARK

Span = tuple[int, int, str]
"""Start and end in characters, and the rule that found it."""


def replace(text: str, spans: Iterable[Span]) -> tuple[str, list[str]]:
    """
    Put the mark in place of each span; spans that overlap become one, named by the first.

    Returns:
        The text, and the rule of each mark.
    """
    pieces: list[str] = []
    rules: list[str] = []
    done = 0
    for start, end, rule in sorted(spans, key=lambda s: (s[0], -s[1])):
        if start >= done or not rules:
            pieces += (text[done:start], MARK)
            rules.append(rule)
        done = max(done, end)
    pieces.append(text[done:])
    return "".join(pieces), rules


def covered(size: int, spans: Iterable[tuple[int, int]]) -> bytearray:
    """Mark which characters of a text of *size* characters lie in spans: one look tells whether another span touches any."""
    mask = bytearray(size)
    for start, end in spans:
        mask[start:end] = b"\1" * (end - start)
    return mask
