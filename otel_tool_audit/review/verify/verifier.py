"""
Verifying a trail: numbered checks, all findings, two verdicts.

It writes nothing into the trail, takes no lock, and gives the same verdict before a writer opened the trail as after.

Source: PROTOCOL.md, "Verdicts", "A live verify"; ARCHITECTURE.md, R10, D6; FORMAT.md.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any, Final

from otel_tool_audit.errors import TrailUnreadable
from otel_tool_audit.format.events import EPOCH, OPENED, RECOVERED, SEGMENT_OPENED, TAKEN_OVER, doubt_of
from otel_tool_audit.format.names import OWNER, TRAIL_CHAIN, parse_segment_name, valid_chain
from otel_tool_audit.host.machine import cores
from otel_tool_audit.record.untrusted import details_of, listing, mapping
from otel_tool_audit.record.witnesses import WitnessedHeads
from otel_tool_audit.review.source.directory import Folder, UnsafeFileError, within_memory
from otel_tool_audit.review.source.location import Relation
from otel_tool_audit.review.source.opened import OpenedTrail
from otel_tool_audit.review.source.state import reason
from otel_tool_audit.review.source.workers import Pool
from otel_tool_audit.review.verify import checks, completeness
from otel_tool_audit.review.verify import findings as f
from otel_tool_audit.review.verify.block_worker import BlockWorker
from otel_tool_audit.review.verify.chain import ChainReading, ChainResult, Snapshot, snapshot
from otel_tool_audit.review.verify.chain_summary import ChainSummary, Event
from otel_tool_audit.review.verify.chains import find_headless
from otel_tool_audit.review.verify.findings import Finding, Verification
from otel_tool_audit.review.verify.identity import Identity, identify
from otel_tool_audit.review.verify.view import TrailView
from otel_tool_audit.review.verify.witnessed_heads import HEAD_SOURCE

__all__ = ["Finding", "Verification", "verify"]

Progress = Callable[[int, int], None]
"""Told of bytes done and bytes in all."""

_WORTH_HELPERS: Final = 32 << 20
"""Bytes from which on starting helper processes pays."""


def verify(
    path: str | os.PathLike[str], *, state: str | os.PathLike[str] | None = None, deep: bool = False, jobs: int | None = None,
    progress: Progress | None = None, remember: bool = True,
) -> Verification:  # fmt: skip
    """
    Verify a trail.

    Args:
        path: The trail's directory.
        state: The writers' state directory, or ``none``; by default as the environment says.
        deep: Parse every line strictly, too.
        jobs: How many processes check lines; by default one for each core.
        progress: Told of bytes done and bytes in all.
        remember: Whether what was seen is kept in the state directory's ``readers``, so that a later verification without heads
            notices if it is gone. Where nothing may be written there, nothing is.

    Returns:
        Both verdicts and everything that was found.

    Raises:
        TrailCorrupt: There is no trail, and the state directory knows of none at this path.
        UnsupportedFormat: A newer version wrote it.
    """
    with OpenedTrail(path, state=state) as trail:
        return verify_opened(trail, deep=deep, jobs=jobs, progress=progress, remember=remember)


def verify_opened(
    trail: OpenedTrail, *, deep: bool = False, jobs: int | None = None, progress: Progress | None = None, remember: bool = True
) -> Verification:
    """
    Verify a trail that is open already; as :func:`verify`.

    Args:
        trail: Stays the caller's. What its path leads to now is verified.
        deep: As for :func:`verify`, like all that follow.
        jobs: See there.
        progress: See there.
        remember: See there.

    Raises:
        TrailCorrupt: As :func:`verify`.
        UnsupportedFormat: Likewise.
    """
    findings = f.Findings(checks.labels())
    try:
        with within_memory(), trail.as_it_lies_now() as opened:
            root, found = identify(opened, findings)
            if root is None or found.relation is Relation.CREATING:
                return _short(opened.path, found, findings)
            return _Verifying(TrailView(root, opened.path, found, opened.state, findings), deep=deep, progress=progress).run(jobs, remember=remember)
    except TrailUnreadable as error:
        return _unread(trail.path, str(error), findings)


def _short(path: str, found: Identity, findings: f.Findings) -> Verification:
    """Nothing is there to be read: the trail is being made, or is gone whole."""
    if not findings.findings:
        findings.notes.append("the trail is being made: its first writer has not finished, or was killed before it had; the next one completes it")
    broken = bool(findings.findings)
    return Verification(
        path, found.trail_id, f.BROKEN if broken else f.INTACT, f.CANNOT_TELL if broken else f.COMPLETE, 0, findings.sorted_findings(),
        findings.doubts, ["the trail is broken"] if broken else [], findings.notes,
    )  # fmt: skip


def _unread(path: str, why: str, findings: f.Findings) -> Verification:
    """The host did not let the trail be read: what was found until then stands, of the rest nothing is known."""
    return Verification(
        path, None, f.BROKEN if findings.findings else f.CANNOT_TELL, f.CANNOT_TELL, 0, findings.sorted_findings(), [*findings.doubts, why], [why], findings.notes,
    )  # fmt: skip


class _Verifying:
    """One verification of one trail."""

    def __init__(self, view: TrailView, *, deep: bool, progress: Progress | None) -> None:
        self.view = view
        self.findings = view.findings
        self.deep = deep
        self.checks = [check for check in checks.CHECKS if deep or not check.deep]
        self.done = 0
        self.total = 0
        self._progress = progress

    def run(self, jobs: int | None, *, remember: bool) -> Verification:
        """Make all checks."""
        view, findings = self.view, self.findings
        for check in self.checks:
            if check.before is not None:
                check.before(view)
        view.folders = self._chain_folders()
        self.total = self._size(view.folders)
        number = cores() if jobs is None else jobs
        with Pool(view.root, number if self.total >= _WORTH_HELPERS else 1, BlockWorker) as pool:
            view.events = self._read_trail_chain(pool)
            view.chains = [result for result in (self._read(name, pool) for name in self._chain_folders()) if result is not None]
        view.chains.sort(key=lambda result: result.name)
        for check in self.checks:
            if check.after is not None:
                check.after(view)
        self._doubt()
        complete = completeness.judge(view.chains, completeness.Writers(view.events), view.state, findings, at_home=view.knows)
        integrity = f.BROKEN if findings.findings else f.CANNOT_TELL if findings.doubts else f.INTACT
        if remember and integrity != f.BROKEN and not view.state.private:
            self._remember()
        return Verification(
            view.path, view.found.trail_id, integrity, complete, sum(r.lines for r in view.chains), findings.sorted_findings(),
            findings.doubts, findings.gaps + findings.unknown, findings.notes,
            {r.name: {"count": r.upto, "hash": r.hash, "bytes": r.bytes, "segments": r.segments} for r in view.chains}, self.deep,
        )  # fmt: skip

    # --- chains

    def _chain_folders(self) -> list[str]:
        """List the chains that are there: the trail's own first."""
        names = []
        for name in self.view.root.names():
            if valid_chain(name) and name != OWNER:
                with contextlib.suppress(FileNotFoundError, UnsafeFileError):
                    with contextlib.suppress(TrailUnreadable):
                        self.view.root.folder(name).close()
                    names.append(name)
        return sorted(names, key=lambda name: (name != TRAIL_CHAIN, name))

    def _size(self, names: list[str]) -> int:
        total = 0
        for name in names:
            with contextlib.suppress(FileNotFoundError, UnsafeFileError, TrailUnreadable), self.view.root.folder(name) as folder:
                for segment in folder.names():
                    found = folder.stat(segment) if parse_segment_name(segment) else None
                    total += found.st_size if found else 0
        return total

    def _snapshot(self, name: str, folder: Folder) -> Snapshot:
        taken = snapshot(folder, lambda: self.view.head_view_of(name))
        if taken.head is not None:
            self.view.heads[name] = taken.head
        return taken

    def _read_trail_chain(self, pool: Pool) -> list[Event]:
        """
        Read the chain of the trail's life once before everything else: what it says is held against all chains, itself included.

        Chains that come into being afterwards are not in it; those are not missed.
        """
        view = self.view
        for name, mark in mapping(view.state.memory(view.found.trail_id).get(view.path)).items():
            if view.witnesses.claim(name, mark, "an earlier verification"):
                epoch = mapping(mark).get("epoch")
                view.seen_in[name] = epoch if type(epoch) is int else 0
        try:
            with view.root.folder(TRAIL_CHAIN) as folder:
                taken, unheard = self._snapshot(TRAIL_CHAIN, folder), f.Findings(checks.labels())
                reading = ChainReading(
                    TRAIL_CHAIN, view.found.trail_id, folder, taken, WitnessedHeads(), unheard, facts=ChainSummary(view.witnesses.take)
                )
                return reading.run(pool, lambda _: None).facts.events
        except (FileNotFoundError, UnsafeFileError):
            return []

    def _read(self, name: str, pool: Pool) -> ChainResult | None:
        view = self.view
        try:
            with view.root.folder(name) as folder:
                taken = self._snapshot(name, folder)
                if taken.head is None and view.knows:
                    find_headless(name, self.findings)
                claims = view.witnesses.on(name)
                if taken.head is not None:
                    claims.add(taken.head.synced.lines, taken.head.synced.hash.hex(), HEAD_SOURCE)
                reading = ChainReading(
                    name,
                    view.found.trail_id,
                    folder,
                    taken,
                    claims,
                    self.findings,
                    checks=self.checks,
                    deep=self.deep,
                    seen_in=view.seen_in.get(name, 0),
                )
                return reading.run(pool, self._advance)
        except (FileNotFoundError, UnsafeFileError) as error:
            self.findings.find(f.CHAINS, name, None, f"chain {name} cannot be read ({reason(error)})")
        except TrailUnreadable as error:
            view.unread.add(name)
            self.findings.doubts.append(str(error))
            self.findings.unknown.append(str(error))
        return None

    def _advance(self, number: int) -> None:
        self.done = min(self.done + number, self.total)
        if self._progress is not None:
            self._progress(self.done, self.total)

    # --- verdicts

    def _doubt(self) -> None:
        """Say what no check finds and nobody can rule out."""
        view, findings = self.view, self.findings
        if view.state.private:
            findings.doubts.append("the state lies inside the trail (state none): whoever can change the trail can change it, too")
        elif view.found.relation is Relation.UNKNOWN:
            why = view.state.trouble or f"the state directory {view.state.path} has never known this trail"
            findings.doubts.append(f"{why}: what is here can be checked, a cut tail cannot be ruled out")
            findings.unknown.append("without a head a cut tail cannot be ruled out")
        elif not (view.found.relation is Relation.COPY and view.found.place is not None) and view.state.owner == view.root.owner:
            findings.notes.append(
                "trail and state directory belong to the same user: this protects against other users and against copies only; keep checkpoints elsewhere"
            )
        for result in view.chains:
            if result.torn:
                findings.doubts.append(
                    f"chain {result.name} ends in {result.torn} bytes of a line that is not whole: a copy taken while a writer was at work?"
                )
            findings.doubts.extend(_doubts(result))
            findings.notes.extend(_notes(result))
        for seq, record in view.events:
            if record.get("event") == OPENED:
                for mark in map(mapping, listing(details_of(record).get("heads"))):
                    findings.doubts.append(
                        f"chain {mark.get('chain')} was taken over without a head at trail/{seq}: for its first {mark.get('count')} records only the chain itself speaks"
                    )

    def _remember(self) -> None:
        """
        Keep what was read, but only what is known to be on disk: what others remember must not outrun it (PROTOCOL.md, rule 7).

        Not what records say of other chains: a backup of a living trail has claims that its files do not reach, and is no cut trail.
        """
        view = self.view
        seen: dict[str, dict[str, Any]] = {}
        for chain in view.chains:
            head = view.heads.get(chain.name)
            count, digest = (chain.upto, chain.hash) if head is None else (head.synced.lines, head.synced.hash.hex())
            if count:
                seen[chain.name] = {"count": count, "hash": digest, "epoch": chain.epoch}
        memory = view.state.memory(view.found.trail_id)
        if seen and memory.get(view.path) != seen:
            view.state.remember(view.found.trail_id, {**memory, view.path: seen})


def _doubts(result: ChainResult) -> Iterator[str]:
    """Say which events of a chain leave a doubt. That an epoch began the files say, too, where its record does not hold."""
    for begin, says in result.facts.epochs:
        yield doubt_of({"event": EPOCH, "details": {"kind": TAKEN_OVER if says.taken_over else None}}, f"{result.name}/{begin}")
    tail = result.tail
    if tail is not None and tail.crashed is not None and tail.vouched < tail.upto:
        yield _unvouched(result.name, tail.vouched, tail.upto)
    for seq, record in result.facts.events:
        if record.get("event") == RECOVERED:
            vouched, to = (mapping(details_of(record).get(name)).get("count") for name in ("vouched", "to"))
            if type(vouched) is int and type(to) is int and vouched < to:
                yield _unvouched(result.name, vouched, to)
        doubt = doubt_of(record, f"{result.name}/{seq}")
        if doubt and record.get("event") != EPOCH:
            yield doubt


def _notes(result: ChainResult) -> Iterator[str]:
    """Say what a crash or a kill left at the end of a chain, and what was set aside because nobody vouched for it."""
    if result.tail is not None and result.tail.note is not None:
        yield f"chain {result.name}: {result.tail.note}"
    for seq, record in result.facts.events:
        if record.get("event") == SEGMENT_OPENED and details_of(record).get("reason") == "unvouched":
            yield f"lines that nobody vouches for stood at the end of chain {result.name} after the host went down: added, and set aside at {result.name}/{seq}"


def _unvouched(chain: str, begin: int, end: int) -> str:
    return (
        f"records {begin} to {end - 1} of chain {chain} stood behind what was known to be on disk when the host went down, and nobody vouches for them: "
        "a writer of an older version wrote them, or somebody else"
    )
