"""
The checks of ``verify``: what each of them is, says, and does. One more is one more value here.

Source: ARCHITECTURE.md, R10; PROTOCOL.md, "Verdicts".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from otel_tool_audit.review.verify import findings as f
from otel_tool_audit.review.verify.block_check import BlockCheck
from otel_tool_audit.review.verify.chain import ChainReading
from otel_tool_audit.review.verify.chain_head import HeadCheck, check_heads
from otel_tool_audit.review.verify.chains import check_chains
from otel_tool_audit.review.verify.content import ContentCheck
from otel_tool_audit.review.verify.identity import check_directory, check_document
from otel_tool_audit.review.verify.seals import SealCheck
from otel_tool_audit.review.verify.segment_files import LossCheck, SegmentCheck
from otel_tool_audit.review.verify.view import TrailView
from otel_tool_audit.review.verify.witnessed_heads import WitnessCheck


@dataclass(frozen=True, slots=True)
class Check:
    """
    One check.

    Attributes:
        number: Its number, under which a reviewer ticks it off; the checks are listed in this order.
        name: What it is called.
        passes: What is true when it passes.
        before: Its work before a line is read.
        lines: Its work on each chain while that is read.
        after: Its work once all chains are read.
        deep: Whether it is made only where every line is parsed strictly.
    """

    number: int
    name: str
    passes: str
    before: Callable[[TrailView], None] | None = None
    lines: Callable[[ChainReading], BlockCheck] | None = None
    after: Callable[[TrailView], None] | None = None
    deep: bool = False

    @property
    def label(self) -> str:
        """What a finding calls it: its number and name."""
        return f"{self.number} {self.name}"


CHECKS: tuple[Check, ...] = (
    Check(
        1, f.DIRECTORY, "the trail is a directory that holds only what its writers put there, each file theirs and under one name",
        before=check_directory,
    ),
    Check(2, f.DOCUMENT, "trail.json is the one that the writers left", after=check_document),
    # identify() makes it: nothing can be checked before it is known which trail lies there
    Check(3, f.PLACE, "the trail lies where its writers know it, and no other lies there"),
    Check(4, f.CHAINS, "every chain was created by a writer, and every chain that was created is there", after=check_chains),
    Check(5, f.SEGMENTS, "every segment is there and ends where its successor says, and no other is there", lines=SegmentCheck),
    # the reading of a chain makes these two: it hands on only lines that hold, and has to follow their order to do so
    Check(6, f.LINES, "every line is whole and holds its own hash"),
    Check(7, f.CHAIN, "every record names the one before it, and seq counts without a gap"),
    Check(8, f.HEAD, "every chain ends where the head outside the trail says", lines=HeadCheck, after=check_heads),
    Check(9, f.SEALS, "every seal says what its segment is", lines=SealCheck),
    Check(10, f.HEARTBEATS, "every chain is the one that heartbeats, closings and earlier readers saw", lines=WitnessCheck),
    Check(11, f.EPOCHS, "every loss that was accepted and every segment that was pruned is on record", lines=LossCheck),
    Check(12, f.DEEP, "every line reads strictly as a record that stands where it says (only with --deep)", lines=ContentCheck, deep=True),
)  # fmt: skip
"""All checks, in the order of their numbers."""


def labels() -> dict[str, str]:
    """Give the name of every check and what a finding calls it, in their order."""
    return {check.name: check.label for check in CHECKS}
