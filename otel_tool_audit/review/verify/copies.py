"""
A copy beside its trail on the same machine: equal to it, a true prefix of it, or something else.

Source: PROTOCOL.md, "Verdicts".
"""

from __future__ import annotations

import contextlib

from otel_tool_audit.format.line import split_line
from otel_tool_audit.review.source.chain_end import HeadView
from otel_tool_audit.review.source.directory import Folder, UnsafeFileError
from otel_tool_audit.review.source.segments import extents, find
from otel_tool_audit.review.source.state import KnownPlace, StateView
from otel_tool_audit.review.verify import findings as f
from otel_tool_audit.review.verify.chain import ChainResult


def compare_with_original(place: KnownPlace, state: StateView, results: list[ChainResult], findings: f.Findings) -> None:
    """
    Hold a copy against the trail it was made of.

    Args:
        place: Where the trail itself lies.
        state: Its writers' state directory.
        results: What was found in the copy; every line in it has been checked.
        findings: Takes what is found.
    """
    behind = 0
    copied = {result.name: result for result in results}
    for name in state.head_names(place.trail_id):
        view = state.head_view(place.trail_id, name)
        if view is None:
            findings.doubts.append(f"the head of chain {name} cannot be read: whether the copy is whole cannot be told")
            continue
        behind += _compare(place, name, view, copied.get(name), findings)
    if behind:
        findings.doubts.append(f"this is a copy of the trail at {place.resolved}, {behind} records behind it")
        findings.unknown.append("the trail has more than this copy")
    else:
        findings.notes.append(f"this is a copy of the trail at {place.resolved}")


def _compare(place: KnownPlace, name: str, view: HeadView, copy: ChainResult | None, findings: f.Findings) -> int:
    """Tell how many records a copy's chain is behind."""
    head = view.head
    count, digest = (copy.upto, copy.hash) if copy is not None else (0, "")
    ends = {head.written.lines: head.written.hash.hex()}
    if head.pending.lines:
        ends[head.written.lines + head.pending.lines] = head.pending.hash.hex()
    if count in ends:
        if count and ends[count] != digest:
            findings.find(f.HEAD, name, count - 1, f"record {count - 1} of this copy is not the one that the trail's head names: rewritten")
        return 0
    if count > max(ends):
        what = f"this copy has {count - head.written.lines} records more than the trail: forged, or the trail is an older backup"
        findings.find(f.HEAD, name, head.written.lines, what)
        return 0
    if count and _hash_in(place, name, view, count - 1) != digest:
        findings.find(f.HEAD, name, count - 1, f"record {count - 1} of this copy is not the one that the trail has at {place.resolved}: rewritten")
        return 0
    return head.written.lines - count


def _hash_in(place: KnownPlace, name: str, view: HeadView, seq: int) -> str | None:
    with contextlib.suppress(FileNotFoundError, UnsafeFileError), Folder.at(place.resolved) as root, root.folder(name) as folder:
        line = find(folder, extents(folder, view), seq)
        taken = split_line(line + b"\n") if line is not None else None
        return taken[1].decode("ascii", "replace") if taken is not None else None
    return None
