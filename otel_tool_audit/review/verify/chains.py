"""
Check 4: whether every chain was created by a writer, and every chain that was created is there.

Source: FORMAT.md, section 4 (``trail.chain_created``); PROTOCOL.md, rule 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_tool_audit.format.names import TRAIL_CHAIN
from otel_tool_audit.review.verify import findings as f

if TYPE_CHECKING:
    from otel_tool_audit.review.verify.view import TrailView


def find_headless(chain: str, findings: f.Findings) -> None:
    """Add the finding that a chain has no head, where its writers' state directory is here."""
    what = f"chain {chain} has no head, though the state directory knows this trail: added, or the state was damaged"
    findings.find(f.CHAINS, chain, None, what)


def find_removed(chain: str, records: int, findings: f.Findings) -> None:
    """Add the finding that a chain is gone that had records."""
    findings.find(f.CHAINS, chain, 0, f"chain {chain} is gone with its {records} records: removed")


def check_chains(view: TrailView) -> None:
    """
    Hold the chains that are there against those that were created, have heads, or are spoken of.

    Args:
        view: The trail; all chains are read.
    """
    here = {result.name for result in view.chains} | view.unread
    accepted = any(result.name == TRAIL_CHAIN and result.facts.epochs for result in view.chains)
    for name in view.folders:
        if name != TRAIL_CHAIN and name not in view.created and not accepted and not _is_new(view, name):
            view.findings.find(f.CHAINS, name, None, f"no record of chain {TRAIL_CHAIN} says that chain {name} was created: added")
    for name in sorted({TRAIL_CHAIN, *view.created, *view.heads_outside, *view.claims} - here):
        head, claim = view.head_of(name), view.claims_on(name).highest()
        spoken_of = head.written.lines if head is not None else claim.upto if claim is not None else 0
        if spoken_of or (name == TRAIL_CHAIN and head is None):
            find_removed(name, spoken_of, view.findings)


def _is_new(view: TrailView, name: str) -> bool:
    """A chain whose creation stands in the head, but was cut off before it stood in a record, holds nothing."""
    head = view.heads.get(name)
    return head is not None and head.written.lines == 0
