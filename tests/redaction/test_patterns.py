"""No pattern may take more than linear time, whatever text an agent sends through it."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import pytest

# by its name in full: the package's own attribute of that name is a function
room = importlib.import_module("otel_tool_audit.redaction")
parser: Any = importlib.import_module("re._parser")
REPEATS = {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}
UNBOUNDED = 1_000
"""Repeats allowed more often than this count as unbounded."""
# Nested, and linear all the same.
EXPLAINED = {
    "personal._RUN[0]",  # digits and what stands between them share no character, so there is one way to match
    "secrets._PEM_BODY[0]",  # nothing follows the repeat, so nothing is ever tried again
}


def patterns() -> Iterator[tuple[str, str]]:
    """Find every compiled pattern of the room: module constants, and those in its tables of rules."""
    for info in pkgutil.iter_modules(room.__path__, room.__name__ + "."):
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            for at, pattern in enumerate(in_tables(value, 0)):
                yield f"{info.name.rsplit('.', 1)[-1]}.{name}[{at}]", pattern


def in_tables(value: object, depth: int) -> Iterator[str]:
    """Find the patterns in a value and in the tuples, lists and mappings in it."""
    if isinstance(value, re.Pattern):
        yield value.pattern
    elif isinstance(value, dict):
        yield from in_tables(list(value.values()), depth)
    elif isinstance(value, tuple | list) and depth < 4:
        for item in value:
            yield from in_tables(item, depth + 1)


def repeats(tree: Any, inside: int, deepest: list[int]) -> None:
    """Note how many unbounded repeats lie in one another at most."""
    for operator, argument in tree:
        name = str(operator)
        if name in REPEATS:
            _, most, body = argument
            within = inside + (int(most) > UNBOUNDED)
            deepest.append(within)
            repeats(body, within, deepest)
        elif name == "BRANCH":
            for branch in argument[1]:
                repeats(branch, inside, deepest)
        elif name in {"SUBPATTERN", "ASSERT", "ASSERT_NOT", "ATOMIC_GROUP"}:
            repeats(argument[-1] if isinstance(argument, tuple) else argument, inside, deepest)


FOUND = dict(patterns())


def test_there_are_patterns() -> None:
    """The search for patterns finds the tables of rules (else the next test would say nothing)."""
    assert len(FOUND) > 30


@pytest.mark.parametrize("name", sorted(FOUND.keys() - EXPLAINED))
def test_no_unbounded_repeat_lies_in_another(name: str) -> None:
    """Nested unbounded repeats are what makes a pattern's time explode."""
    deepest = [0]
    repeats(parser.parse(FOUND[name]), 0, deepest)
    assert max(deepest) <= 1
