"""
What can be said of one record without reading the whole trail: whether its line holds, and whether its neighbours hold on to it.

That it is the one that was written, and that its chain is whole, only ``verify`` tells.

Source: FORMAT.md, sections 2 and 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from otel_tool_audit.review.source import segments


class RecordSource(Protocol):
    """Whoever finds records by their address: a reader, or what it reads from."""

    def line(self, chain: str, seq: int, /) -> bytes | None:
        """Give a record's line, without its LF; None when there is none."""

    def record(self, chain: str, seq: int, /) -> dict[str, Any] | None:
        """Give a record; None when there is none."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What one record's line and its neighbours say."""

    holds: bool
    """Its own hash is that of its bytes."""
    follows: bool | None
    """It names the hash of the record before it; None: there is none to compare with."""
    followed: bool | None
    """The record after it names its hash; None: it is the last one."""
    before: Mapping[str, Any] | None
    """The record before it in its chain."""
    after: Mapping[str, Any] | None
    """The record after it."""

    @property
    def ok(self) -> bool:
        """Whether nothing contradicts it."""
        return self.holds and self.follows is not False and self.followed is not False

    def in_words(self) -> str:
        """Tell it in one line."""
        said = ["its hash holds" if self.holds else "its hash is not that of its line"]
        if self.follows is not None:
            said.append("it names the record before it" if self.follows else "it does not name the record before it")
        if self.followed is not None:
            said.append("the next record names it" if self.followed else "the next record does not name it")
        else:
            said.append("no record follows it yet")
        return ", ".join(said)


def prove(reader: RecordSource, chain: str, seq: int) -> Proof | None:
    """
    Look at one record and its neighbours.

    Args:
        reader: Of the trail.
        chain: The record's chain.
        seq: Its position there.

    Returns:
        None when there is no such record.
    """
    line = reader.line(chain, seq)
    record = None if line is None else segments.parse(line)
    if line is None or record is None:
        return None
    before = reader.record(chain, seq - 1) if seq > 0 else None
    after = reader.record(chain, seq + 1)
    return Proof(
        segments.holds(line), None if before is None else record.get("previous_hash") == before.get("hash"),
        None if after is None else after.get("previous_hash") == record.get("hash"), before, after,
    )  # fmt: skip
