"""Texts that a regular expression matches, drawn by chance."""

from __future__ import annotations

import importlib
import random
import re
import string
from typing import Any

parser: Any = importlib.import_module("re._parser")
LONGER = 6
"""How many more than its least a repeat without a close end is drawn."""


def translated(regex: str) -> str:
    """Write RE2's syntax in Python's, as far as drawing needs it."""
    regex = regex.replace("[[:alnum:]]", "[A-Za-z0-9]").replace("[:alnum:]", "A-Za-z0-9").replace(r"\z", "$")
    regex = re.sub(r"\(\?-?[ims]+(?:-[ims]+)?:", "(?:", regex)
    return re.sub(r"\(\?[ims]+\)", "", regex)


def drawn(regex: str, chance: random.Random) -> str:
    """Draw a text that matches; what looks around is left out."""
    return _draw(parser.parse(translated(regex)), chance)


def _draw(tree: Any, chance: random.Random) -> str:
    return "".join(_piece(str(operator), argument, chance) for operator, argument in tree)


def _piece(kind: str, argument: Any, chance: random.Random) -> str:  # noqa: PLR0911 - a return for each kind
    if kind == "LITERAL":
        return chr(argument)
    if kind == "NOT_LITERAL":
        return "q"
    if kind == "ANY":
        return chance.choice(string.ascii_letters)
    if kind == "IN":
        return chance.choice(_signs(argument))
    if kind in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
        least, most, inner = argument
        short = kind == "MIN_REPEAT" or least == 0
        count = least if short else chance.randint(least, min(int(most), least + LONGER))
        return "".join(_draw(inner, chance) for _ in range(count))
    if kind == "SUBPATTERN":
        return _draw(argument[-1], chance)
    if kind == "BRANCH":
        return _draw(chance.choice(argument[1]), chance)
    return ""


def _signs(items: Any) -> str:
    found = set()
    negated = False
    for kind, argument in items:
        name = str(kind)
        if name == "NEGATE":
            negated = True
        elif name == "LITERAL":
            found.add(chr(argument))
        elif name == "RANGE":
            found |= {chr(code) for code in range(argument[0], argument[1] + 1)}
        elif name == "CATEGORY":
            category = str(argument)
            found |= (
                set(string.digits) if "DIGIT" in category else set(" ") if "SPACE" in category else set(string.ascii_letters + string.digits + "_")
            )
    if negated:
        found = set(string.ascii_letters + string.digits) - found
    plain = found & set(string.ascii_letters + string.digits)
    return "".join(sorted(plain or found))
