"""
Following a chain line by line, past everything that is wrong with it.

Each wrong record is found once and under its own seq: after a line that does not hold, the walk takes up the chain again at the next one that does.

Source: FORMAT.md, sections 2 and 3; ARCHITECTURE.md, R10.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from otel_tool_audit.format.line import parse_place
from otel_tool_audit.review.verify.blocks import Block, check_block
from otel_tool_audit.review.verify.findings import CHAIN, LINES

Report = Callable[[str, int, str], None]
"""Takes a check's name, a seq and what is wrong there."""


class _Next(NamedTuple):
    """What the following line says of its place."""

    seq: int
    previous: str


class LinkCheck:
    """
    A walk along one chain.

    Attributes:
        seq: The seq that the next line must have.
        last: The hash that it must name, in hex; None when anything will do because what came before was broken.
    """

    def __init__(self, seq: int, origin: str, report: Report, accept: Callable[[Block], None]) -> None:
        """
        Begin a walk.

        Args:
            seq: Of the first line.
            origin: What the first line must name as ``previous_hash``.
            report: Takes findings.
            accept: Takes lines that hold, in order; the places of some of them may be wrong.
        """
        self.seq = seq
        self.last: str | None = origin
        self._report = report
        self._accept = accept
        self._start = seq
        self._waiting: bytes | None = None
        self._broken = 0

    @property
    def troubled(self) -> bool:
        """Whether something is still open: a line whose judgement waits for the next, or lines that hold no hash."""
        return self._waiting is not None or self._broken > 0

    def follows(self, block: Block) -> bool:
        """Tell whether a block goes on exactly where the walk stands."""
        return not self.troubled and block.first_seq == self.seq and block.previous == self.last

    def jump(self, seq: int, origin: str | None) -> None:
        """Go on from another place: a new epoch, or behind a segment that is not there."""
        self.settle(None)
        self.seq, self.last, self._start = seq, origin, seq

    def block(self, data: bytes, checked: Block | None) -> None:
        """
        Take the next lines.

        Args:
            data: Whole lines, but perhaps for a torn last one.
            checked: What :func:`check_block` made of them.
        """
        if checked is not None:
            if self._waiting is not None:
                line, self._waiting = self._waiting, None
                self._line(line, _Next(checked.first_seq, checked.previous))
            if not self._broken and checked.first_seq == self.seq and self.last in {checked.previous, None}:
                self.take(checked)
                return
        lines = data.split(b"\n")
        torn = lines.pop()
        for line in lines:
            if self._waiting is not None:
                self._line(self._waiting, _place(line))
            self._waiting = line
        if torn:
            self.end()
            self._broken += 1

    def end(self, following: str | None = None) -> None:
        """
        End here, or pause between two segments.

        Args:
            following: The hash that something outside names for the last record, if it is known.
        """
        if self._waiting is not None:
            line, self._waiting = self._waiting, None
            place = _place(line)
            self._line(line, _Next(place.seq + 1, following) if place is not None and following is not None else None)

    def settle(self, count: int | None) -> None:
        """Report what is still open at the end of the chain; *count* is what the chain should have reached, if that is known."""
        self.end()
        if self._broken:
            self._settle_broken(max(self.seq, count) if count is not None else self.seq + self._broken)

    def take(self, block: Block) -> None:
        """Take a block that goes on where the walk stands."""
        self._accept(block)
        self.seq, self.last = block.first_seq + block.lines, block.last

    def _line(self, line: bytes, following: _Next | None) -> None:
        block = check_block(line + b"\n")
        if block is None:
            self._broken += 1
            return
        seq = block.first_seq
        if self._broken:
            self._settle_broken(seq)
        if seq == self.seq:
            self._in_place(block, following)
        elif block.previous == self.last:
            self._report(CHAIN, self.seq, f"record {self.seq} calls itself {seq}: its seq was changed and its hash made anew")
            self._take_as(block, self.seq)
        elif seq > self.seq:
            self._ahead(block, following)
        else:
            self._behind(block, following)

    def _in_place(self, block: Block, following: _Next | None) -> None:
        if self.last is not None and block.previous != self.last:
            seq = block.first_seq
            follows = following is not None and following.seq == seq + 1
            if seq == self._start:
                self._report(CHAIN, seq, f"record {seq} does not follow the chain's origin: it is of another trail or chain, or was rewritten")
            elif follows and following is not None and following.previous != block.last:
                self._report(CHAIN, seq, f"record {seq} was rewritten: neither does it name the record before it, nor does the one after name it")
                self.take(block)
                self.last = None
                return
            else:
                what = f"record {seq - 1} is not the one that record {seq} names: it, or records up to it, were rewritten with new hashes"
                self._report(CHAIN, seq - 1, what)
        self.take(block)

    def _ahead(self, block: Block, following: _Next | None) -> None:
        seq, expected = block.first_seq, self.seq
        if following is None or following.seq == seq + 1:
            what = f"record {expected} is missing" if seq == expected + 1 else f"records {expected} to {seq - 1} are missing"
            self._report(
                CHAIN, expected, f"{what}: after {expected - 1} comes {seq}" if expected > self._start else f"{what}: the chain begins with {seq}"
            )
            self.take(block)
        else:
            self._report(CHAIN, expected, f"record {seq} stands in the place of record {expected}")
            self._take_as(block, expected)

    def _behind(self, block: Block, following: _Next | None) -> None:
        seq, expected = block.first_seq, self.seq
        if following is not None and following.seq == seq + 1 and following.seq != expected:
            self._report(CHAIN, expected, f"where record {expected} should stand, the chain goes back to record {seq}")
            self.take(block)
        elif following is None or following.seq == expected + 1:
            self._report(CHAIN, expected, f"record {seq} stands in the place of record {expected}")
            self._take_as(block, expected)
        else:
            self._report(CHAIN, expected, f"before record {expected} a record {seq} was put in")

    def _take_as(self, block: Block, place: int) -> None:
        """Go on behind a record that stands in another's place: it counts for nothing, and what follows names the one that is gone."""
        del block
        self.seq, self.last = place + 1, None

    def _settle_broken(self, seq: int) -> None:
        broken, self._broken = self._broken, 0
        gap = seq - self.seq
        if gap == broken:
            for number in range(self.seq, seq):
                self._report(LINES, number, f"record {number} was changed: its line does not hold its hash")
        elif gap == 1:
            self._report(LINES, self.seq, f"record {self.seq} was changed: {broken} pieces that hold no hash stand in its place")
        elif gap > 1:
            self._report(
                LINES, self.seq, f"records {self.seq} to {seq - 1} were changed or cut: {broken} lines that hold no hash stand in their place"
            )
        else:
            self._report(LINES, self.seq, f"{broken} lines that are no records were put in before record {self.seq}")
        if gap > 0:
            self.seq, self.last = seq, None


def _place(line: bytes) -> _Next | None:
    place = parse_place(line)
    return None if place is None else _Next(place[0], place[1].decode("ascii", "replace"))
