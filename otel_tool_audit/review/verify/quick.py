"""
What an answer's trail is worth, told beside every answer: cheap enough for that, and never better than it was looked at.

A short trail is verified whole. Of a longer one only names, sizes and heads are held against each other: that shows what was cut off,
added or put in its place, and not that a byte was changed; so a long trail in which nothing is wrong is "not verified", never "intact".

Source: PROTOCOL.md, "Verdicts".
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from otel_tool_audit.errors import TrailUnreadable
from otel_tool_audit.format.names import parse_segment_name, valid_chain
from otel_tool_audit.review.source.directory import Folder, UnsafeFileError, within_memory
from otel_tool_audit.review.source.opened import OpenedTrail
from otel_tool_audit.review.verify import checks
from otel_tool_audit.review.verify import findings as f
from otel_tool_audit.review.verify.chain import snapshot
from otel_tool_audit.review.verify.chains import find_headless, find_removed
from otel_tool_audit.review.verify.identity import identify
from otel_tool_audit.review.verify.verifier import verify_opened
from otel_tool_audit.review.verify.view import TrailView

VERIFIED_WHOLE: Final = 8 << 20
"""Bytes of lines up to which a trail is verified for every answer: less than a tenth of a second."""

NOT_VERIFIED: Final = "not verified"


class Condition(NamedTuple):
    """
    What was noticed of a trail.

    Attributes:
        integrity: ``intact``, ``broken``, ``cannot tell``; or ``not verified``: nothing wrong was noticed, and not everything was looked at.
        findings: What is broken, one sentence each with its address.
        doubts: Why integrity cannot be told.
    """

    integrity: str
    findings: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def quick_verify(path: str | os.PathLike[str], *, state: str | os.PathLike[str] | None = None, whole: int = VERIFIED_WHOLE) -> Condition:
    """
    Tell what condition a trail is in, as far as that costs little. Nothing is written.

    Args:
        path: The trail's directory.
        state: The writers' state directory, or ``none``; by default as the environment says.
        whole: Bytes of lines up to which all of it is verified.

    Raises:
        TrailCorrupt: There is no trail.
        UnsupportedFormat: A newer version wrote it.
    """
    with OpenedTrail(path, state=state) as trail:
        return quick_verify_opened(trail, whole=whole)


def quick_verify_opened(trail: OpenedTrail, *, whole: int = VERIFIED_WHOLE) -> Condition:
    """
    Tell what condition a trail is in that is open already; as :func:`quick_verify`.

    Args:
        trail: Stays the caller's. What its path leads to now is looked at.
        whole: As for :func:`quick_verify`.

    Raises:
        TrailCorrupt: As :func:`quick_verify`.
        UnsupportedFormat: Likewise.
    """
    findings = f.Findings(checks.labels())
    try:
        with within_memory(), trail.as_it_lies_now() as opened:
            return _look(opened, whole, findings)
    except TrailUnreadable as error:
        wrong = _in_words(findings.sorted_findings())
        return Condition(f.BROKEN if wrong else f.CANNOT_TELL, wrong, (str(error),))


def _look(opened: OpenedTrail, whole: int, findings: f.Findings) -> Condition:
    root, found = identify(opened, findings)
    chains = [] if root is None else _chains(root)
    if root is None or sum(size for _, size in chains) <= whole:
        verdict = verify_opened(opened, remember=False)
        return Condition(verdict.integrity, _in_words(verdict.findings), tuple(verdict.doubts))
    view = TrailView(root, opened.path, found, opened.state, findings, folders=[name for name, _ in chains])
    for check in checks.CHECKS:
        if check.before is not None and not check.deep:
            check.before(view)
    if view.knows:
        _hold_against_heads(view)
    wrong = _in_words(findings.sorted_findings())
    return Condition(f.BROKEN if wrong else NOT_VERIFIED, wrong)


def _in_words(found: Sequence[f.Finding]) -> tuple[str, ...]:
    return tuple(f"{finding.where}: {finding.message}" for finding in found)


def _chains(root: Folder) -> list[tuple[str, int]]:
    """List the chains that can be opened, and how many bytes of segments each has."""
    found = []
    for name in root.names():
        if valid_chain(name):
            with contextlib.suppress(FileNotFoundError, UnsafeFileError), root.folder(name) as folder:
                found.append((name, sum(_sizes(folder))))
    return found


def _sizes(folder: Folder) -> Iterator[int]:
    for name in folder.names():
        described = folder.stat(name) if parse_segment_name(name) else None
        yield described.st_size if described else 0


def _hold_against_heads(view: TrailView) -> None:
    """Hold each chain's files, and where the last one ends, against the head that its writers keep elsewhere."""
    findings = view.findings
    for name in view.folders:
        with contextlib.suppress(FileNotFoundError, UnsafeFileError), view.root.folder(name) as folder:
            taken = snapshot(folder, functools.partial(view.head_view_of, name))
            if taken.head is None:
                find_headless(name, findings)
            elif taken.tail is not None and taken.tail.wrong is not None:
                findings.find(f.HEAD, name, *taken.tail.wrong)
            for seq, message in taken.layout.strangers:
                findings.find(f.SEGMENTS, name, seq, message)
    for name in view.heads_outside:
        head = view.head_of(name)
        if name not in view.folders and head is not None and head.written.lines:
            find_removed(name, head.written.lines, findings)
