"""
What a made-up word looks like, what a generated one, and what only holds the place of one.

Source: C. E. Shannon, A Mathematical Theory of Communication (1948), section 6 (entropy).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import pairwise
from typing import Final

_STANDS_IN: Final = re.compile(
    r"(?i)(?:your|my|some|the|an?|any|insert|put|enter|replace|change|add|paste)[-_ ]?"
    r"(?:[a-z]{1,16}[-_ ]?){0,3}(?:key|token|secret|password|passwd|pass|pwd|here|me|value|credentials?|this|it)?"
)
_INSIDE: Final = re.compile(r"(?i)x{6}|\*{3}|\.{3}|redacted|your[-_]|_here\b|[-_]here[-_]|placeholder|changeme|<[a-z]|\$\{|\{\{")
_SEGMENT: Final = re.compile(r"[A-Za-z0-9]+")
_RUN: Final = 12


def entropy(text: str) -> float:
    """Measure how unpredictable the characters of *text* are, in bits a character."""
    size = len(text)
    return -sum(n / size * math.log2(n / size) for n in Counter(text).values()) if size else 0.0


def stands_in(body: str) -> bool:
    """Tell whether a token's body says that it is none (``xxxxxx``, ``YOUR_TOKEN_HERE``)."""
    return _INSIDE.search(body) is not None or _STANDS_IN.fullmatch(body) is not None


def looks_random(value: str, shortest: int = 16, bits: float = 3.0) -> bool:
    """
    Tell whether *value* was generated: one token of letters and digits that no one would think up.

    Args:
        value: One token.
        shortest: Its least length, in characters.
        bits: Its least entropy, in bits a character.
    """
    if len(value) < shortest or entropy(value) < bits or stands_in(value):
        return False
    has_digit = any("0" <= c <= "9" for c in value)
    if not has_digit:
        # no digit: only both cases mixed up inside one long run is not a name
        return any(len(run) >= _RUN and _humps(run) >= len(run) // 3 for run in _SEGMENT.findall(value))
    longest = max((run for run in _SEGMENT.findall(value)), key=len, default="")
    if len(longest) >= _RUN and any(c.isdigit() for c in longest) and any(c.isalpha() for c in longest):
        return True
    return any(c.isupper() for c in value) and any(c.islower() for c in value) and entropy(value) >= 3.6  # noqa: PLR2004


def _humps(run: str) -> int:
    return sum(a.isupper() != b.isupper() for a, b in pairwise(run))
