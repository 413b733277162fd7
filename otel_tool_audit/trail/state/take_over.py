"""
Taking over a trail that this state directory has never known: restored from a backup without its state, or come from another machine.

What was written before has no head that speaks for it, so its integrity stays "cannot tell" for ever; the epochs that begin here, and ``trail.opened``, record that.

Source: PROTOCOL.md, rule 2, "Taking over".
"""

from __future__ import annotations

import os
from typing import Any

from otel_tool_audit.errors import TrailTampered
from otel_tool_audit.format.head import first_head
from otel_tool_audit.format.names import TRAIL_CHAIN, genesis, valid_chain
from otel_tool_audit.host.directory import Directory
from otel_tool_audit.record.witnesses import Witnesses
from otel_tool_audit.trail.chain.chain import write_head
from otel_tool_audit.trail.state.directory import State
from otel_tool_audit.trail.state.epochs import begin, taking_over
from otel_tool_audit.trail.state.survey import Survey, chain_names, survey, witnesses_in


def take_over(state: State, root: Directory, trail_id: str) -> list[dict[str, Any]]:
    """
    Make a head for every chain of an unknown trail, as the beginning of an epoch. Under the state's lock.

    Chains that records speak of and that are not there are made, too: a backup of a living trail may have been copied before they were.

    Returns:
        What ``trail.opened`` records: chain, and count and hash of the last line of each that was there.

    Raises:
        TrailTampered: A chain cannot be followed to its end, or is not the one that others speak of.
    """
    witnesses = witnesses_in(root, trail_id)
    spoken_of = {name for name in witnesses.names() | witnesses.created if valid_chain(name)}
    others = sorted({*chain_names(root), *spoken_of} - {TRAIL_CHAIN})
    made: list[dict[str, Any]] = []
    trail_count = 0
    for name in (TRAIL_CHAIN, *others):
        directory = root.make_directory(name)
        try:
            found = survey(directory, trail_id, name, witnesses.on(name))
            if found.flaw is not None:
                raise TrailTampered(
                    f"{directory.path} cannot be taken over: {found.flaw}; run `otel-tool-audit verify`, then `otel-tool-audit recover --accept`"
                )
            count = _take_over_chain(state, directory, trail_id, name, found, witnesses, trail_count)
        finally:
            directory.close()
        trail_count = count if name == TRAIL_CHAIN else trail_count
        made.append({"chain": name, "head": "absent", "count": found.end.lines, "hash": found.end.hash.hex()})
    return made


def _take_over_chain(  # noqa: PLR0917 - what an epoch is made of
    state: State, directory: Directory, trail_id: str, name: str, found: Survey, witnesses: Witnesses, trail_count: int,
) -> int:  # fmt: skip
    """Begin an epoch, or the chain itself where it holds nothing and nobody speaks of more; gives the count of its next record."""
    claimed = witnesses.on(name).highest()
    if not found.end.lines and not found.highest and not found.written and (claimed is None or not claimed.upto):
        heads = state.heads(trail_id)
        try:
            write_head(heads, name, first_head(genesis(trail_id, name), state.system.boot_id(), state.voucher.id))
        finally:
            heads.close()
        return 0
    for part in found.parts:
        fd = directory.open_file(part.name, os.O_RDONLY)
        try:
            directory.system.fdatasync(fd)
        finally:
            directory.system.close(fd)
    return begin(state, directory, trail_id, name, found, None, witnesses, taking_over(state), trail_count).first_seq + 1
