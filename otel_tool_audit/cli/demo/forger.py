"""
Three ways to change evidence, by someone who can write the trail's files and knows their format.

Each changes one segment in place and is undone afterwards, byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from otel_tool_audit.format.line import leaf_hash
from otel_tool_audit.format.line import line as whole_line

_HASH: Final = re.compile(rb',"hash":"([0-9a-f]{64})"\}\n$')
_PREVIOUS: Final = re.compile(rb'"previous_hash":"[0-9a-f]{64}"')


class Forgery(NamedTuple):
    """
    A way to change a segment.

    Attributes:
        deed: What is done, for people.
        forge: Makes the forged lines from the honest ones.
    """

    deed: str
    forge: Callable[[list[bytes], int], list[bytes]]


def change(lines: list[bytes], at: int) -> list[bytes]:
    """Change an amount and nothing else."""
    return [*lines[:at], _smaller(lines[at]), *lines[at + 1 :]]


def rewrite(lines: list[bytes], at: int) -> list[bytes]:
    """Change an amount, and compute the hash of that line and of every line after it anew."""
    forged = lines[:at]
    for line in change(lines, at)[at:]:
        previous = _HASH.search(forged[-1]) if forged else None
        body = _HASH.sub(b"}", line)
        if previous is not None:
            body = _PREVIOUS.sub(b'"previous_hash":"' + previous[1] + b'"', body, count=1)
        forged.append(whole_line(body, leaf_hash(body)))
    return forged


def cut(lines: list[bytes], at: int) -> list[bytes]:
    """Remove a line and all that follow, which leaves a perfect, shorter chain."""
    return lines[:at]


FORGERIES: Final = (
    Forgery("one digit of the refund changed", change),
    Forgery("changed, and all hashes after it made anew", rewrite),
    Forgery("cut off, from the refund to the end", cut),
)


@contextmanager
def forged(segment: str, at: int, forgery: Forgery) -> Iterator[None]:
    """
    Let a segment be forged, and honest again afterwards.

    Args:
        segment: Its path.
        at: Index of the line that is meant.
        forgery: What is done.
    """
    with open(segment, "rb") as file:
        honest = file.read()
    try:
        _write(segment, b"".join(forgery.forge(honest.splitlines(keepends=True), at)))
        yield
    finally:
        _write(segment, honest)


def _write(path: str, data: bytes) -> None:
    # the same file, so that only what it says has changed
    with open(path, "r+b") as file:
        file.write(data)
        file.truncate()


def _smaller(line: bytes) -> bytes:
    return line.replace(b'"cents":4900', b'"cents":1900')
