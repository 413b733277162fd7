"""
Ids of calls: 128 random bits each.

Drawn many at a time: other threads run around every system call, and one for each call hands the interpreter over for nothing.
"""

from __future__ import annotations

import os
from typing import Final

_AT_ONCE: Final = 64
_ID_BYTES: Final = 16

# taken and added in one step of the interpreter each
_drawn: Final[list[str]] = []
# a fork's child would give out its parent's ids again
os.register_at_fork(after_in_child=_drawn.clear)


def call_id() -> str:
    """Make an id, 32 hex digits, never twice the same."""
    try:
        return _drawn.pop()
    except IndexError:
        drawn = os.urandom(_ID_BYTES * _AT_ONCE).hex()
        _drawn.extend(drawn[at : at + 2 * _ID_BYTES] for at in range(2 * _ID_BYTES, len(drawn), 2 * _ID_BYTES))
        return drawn[: 2 * _ID_BYTES]
