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
    # where a loss was accepted in chain `trail`, or in the chain itself, the record of its creation may be what was lost
    settled = {result.name for result in view.chains if result.facts.epochs}
    for name in view.folders:
        if name == TRAIL_CHAIN or name in view.witnesses.created or not settled.isdisjoint({TRAIL_CHAIN, name}) or _is_new(view, name):
            continue
        what = f"no record of chain {TRAIL_CHAIN} says that chain {name} was created: added"
        if view.knows:
            view.findings.find(f.CHAINS, name, None, what)
        else:
            view.findings.doubts.append(f"{what}, or copied after chain {TRAIL_CHAIN} was")
    for name in sorted({TRAIL_CHAIN, *view.witnesses.created, *view.heads_outside, *view.witnesses.names()} - here):
        head, claim = view.head_of(name), view.witnesses.on(name).highest()
        spoken_of = head.written.lines if head is not None else claim.upto if claim is not None else 0
        if view.knows or name == TRAIL_CHAIN:
            if spoken_of or (name == TRAIL_CHAIN and head is None):
                find_removed(name, spoken_of, view.findings)
        elif spoken_of:
            view.findings.doubts.append(
                f"chain {name}, of which {spoken_of} records are spoken of, is not here: removed, or copied before it was made"
            )


def _is_new(view: TrailView, name: str) -> bool:
    """A chain whose creation stands in the head, but was cut off before it stood in a record, holds nothing."""
    head = view.heads.get(name)
    return head is not None and head.written.lines == 0
