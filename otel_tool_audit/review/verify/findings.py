"""
What a verification found.

Source: ARCHITECTURE.md, D6; PROTOCOL.md, "Verdicts".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from otel_tool_audit import exit_codes

INTACT: Final = "intact"
BROKEN: Final = "broken"
COMPLETE: Final = "complete"
KNOWN_GAPS: Final = "known gaps"
CANNOT_TELL: Final = "cannot tell"

DIRECTORY: Final = "directory"
DOCUMENT: Final = "trail.json"
PLACE: Final = "place"
CHAINS: Final = "chains"
SEGMENTS: Final = "segments"
LINES: Final = "lines"
CHAIN: Final = "chain"
HEAD: Final = "head"
SEALS: Final = "seals"
HEARTBEATS: Final = "heartbeats"
EPOCHS: Final = "epochs and pruning"
DEEP: Final = "content"

MOST_FINDINGS: Final = 1000
"""Findings of one check in one chain that are listed; more are counted."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it must be."""

    check: str
    """Number and name of the check, such as ``7 chain``."""
    chain: str | None
    """The chain it concerns; None when it concerns the whole trail."""
    seq: int | None
    """The record it concerns, as near as can be told."""
    message: str
    """What is wrong."""

    @property
    def where(self) -> str:
        """Its address: ``CHAIN/SEQ``, a chain, or ``trail``."""
        return "the trail" if self.chain is None else self.chain if self.seq is None else f"{self.chain}/{self.seq}"


@dataclass(frozen=True, slots=True)
class Verification:
    """The verdict on a trail: whether it is what was written, and whether everything was written."""

    path: str
    trail_id: str | None
    integrity: str
    """``intact``, ``broken``, or ``cannot tell``."""
    completeness: str
    """``complete``, ``known gaps``, or ``cannot tell``."""
    records: int
    """Lines that hold, in all chains."""
    findings: list[Finding]
    """Everything that is wrong, by check, chain and seq. Empty unless integrity is broken."""
    doubts: list[str]
    """Why integrity cannot be told, where it cannot."""
    gaps: list[str]
    """What completeness lacks."""
    notes: list[str]
    """What is worth knowing and no finding."""
    chains: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Of each chain: ``count`` (the next seq), ``hash`` (of the last record), ``bytes``, ``segments``."""
    deep: bool = False

    @property
    def ok(self) -> bool:
        """Whether integrity is intact."""
        return self.integrity == INTACT

    def exit_code(self, *, require_complete: bool = False) -> int:
        """
        Give the exit code of ``otel-tool-audit verify``.

        Args:
            require_complete: Whether completeness counts, too.

        Source: PROTOCOL.md, "Verdicts".
        """
        if self.integrity == BROKEN:
            return exit_codes.BROKEN
        if self.integrity == CANNOT_TELL or (require_complete and self.completeness != COMPLETE):
            return exit_codes.CANNOT_TELL
        return exit_codes.GOOD

    def as_dict(self) -> dict[str, Any]:
        """Give it as one JSON object."""
        return {
            "ok": self.ok, "integrity": self.integrity, "completeness": self.completeness, "records": self.records,
            "findings": [{"check": f.check, "chain": f.chain, "seq": f.seq, "message": f.message} for f in self.findings], "doubts": self.doubts,
            "gaps": self.gaps, "notes": self.notes, "path": self.path, "trail_id": self.trail_id, "chains": self.chains, "deep": self.deep,
        }  # fmt: skip


class Findings:
    """Collects what is found while a trail is checked."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        """
        Begin; nothing is found yet.

        Args:
            labels: The name of each check and what a finding calls it, in the order of their numbers.
        """
        self.findings: list[Finding] = []
        self.doubts: list[str] = []
        self.gaps: list[str] = []
        self.unknown: list[str] = []
        """Why completeness cannot be told."""
        self.notes: list[str] = []
        self._labels = labels
        self._counts: dict[tuple[str, str | None], int] = {}
        self._seen: set[Finding] = set()

    def find(self, check: str, chain: str | None, seq: int | None, message: str) -> None:
        """Add a finding of the check with that name; of one check in one chain no more than :data:`MOST_FINDINGS` are kept."""
        finding = Finding(self._labels[check], chain, seq, message)
        if finding in self._seen:
            return
        number = self._counts[finding.check, chain] = self._counts.get((finding.check, chain), 0) + 1
        if number <= MOST_FINDINGS:
            self._seen.add(finding)
            self.findings.append(finding)

    def sorted_findings(self) -> list[Finding]:
        """Give all findings in order of check, chain and seq, and how many were left out."""
        for (check, chain), number in self._counts.items():
            if number > MOST_FINDINGS:
                self.findings.append(Finding(check, chain, None, f"and {number - MOST_FINDINGS} more of this kind"))
        self._counts.clear()
        order = list(self._labels.values())
        last = 1 << 64
        return sorted(self.findings, key=lambda f: (order.index(f.check), f.chain or "", last if f.seq is None else f.seq))
