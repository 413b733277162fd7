"""
Verifying a trail: numbered checks, all findings, two verdicts.

It writes nothing into the trail, takes no lock, and gives the same verdict before a writer opened the trail as after.

Source: PROTOCOL.md, "Verdicts", "A live verify"; ARCHITECTURE.md; FORMAT.md.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any, Final

from otel_tool_audit.format.events import CHAIN_CREATED, EPOCH, EVENTS, OPENED, Integrity, kind_of
from otel_tool_audit.format.head import Head
from otel_tool_audit.format.names import TRAIL_CHAIN, parse_segment_name, valid_chain
from otel_tool_audit.host.machine import boot_id, cores
from otel_tool_audit.record.untrusted import details_of, listing, mapping
from otel_tool_audit.review.source.directory import Folder, UnsafeFileError
from otel_tool_audit.review.source.location import Relation
from otel_tool_audit.review.source.opened import OpenedTrail
from otel_tool_audit.review.source.state import StateView, reason
from otel_tool_audit.review.source.workers import Pool
from otel_tool_audit.review.verify import completeness
from otel_tool_audit.review.verify import findings as f
from otel_tool_audit.review.verify.block_worker import BlockWorker
from otel_tool_audit.review.verify.chain import HEAD_SOURCE, ChainCheck, ChainResult, Snapshot, snapshot
from otel_tool_audit.review.verify.chain_summary import ChainSummary
from otel_tool_audit.review.verify.copies import compare_with_original
from otel_tool_audit.review.verify.findings import Finding, Verification
from otel_tool_audit.review.verify.identity import Identity, check_directory, identify
from otel_tool_audit.review.verify.witnessed_heads import WitnessedHeads

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
    findings = f.Findings()
    with trail.as_it_lies_now() as opened:
        root, found = identify(opened, findings)
        if root is None or found.relation is Relation.CREATING:
            return _short(opened.path, found, findings)
        return _Verifying(root, opened.path, found, opened.state, findings, deep=deep, progress=progress).run(jobs, remember=remember)


def _short(path: str, found: Identity, findings: f.Findings) -> Verification:
    """Nothing is there to be read: the trail is being made, or is gone whole."""
    if not findings.findings:
        findings.notes.append("the trail is being made: its first writer has not finished, or was killed before it had; the next one completes it")
    broken = bool(findings.findings)
    return Verification(
        path, found.trail_id, f.BROKEN if broken else f.INTACT, f.CANNOT_TELL if broken else f.COMPLETE, 0, findings.sorted_findings(),
        findings.doubts, ["the trail is broken"] if broken else [], findings.notes,
    )  # fmt: skip


class _Verifying:
    """One verification of one trail."""

    def __init__(
        self, root: Folder, path: str, found: Identity, state: StateView, findings: f.Findings, *, deep: bool, progress: Progress | None,
    ) -> None:  # fmt: skip
        self.root = root
        self.path = path
        self.found = found
        self.state = state
        self.findings = findings
        self.deep = deep
        self.boot = boot_id()
        self.knows = found.relation in {Relation.OWN, Relation.MOVED}
        self.claims: dict[str, WitnessedHeads] = {}
        self.heads: dict[str, Head] = {}
        self.done = 0
        self.total = 0
        self._progress = progress

    def run(self, jobs: int | None, *, remember: bool) -> Verification:
        """Make all checks."""
        check_directory(self.root, self.found, self.state, self.findings)
        before = self._chain_folders()
        self.total = self._size(before)
        number = cores() if jobs is None else jobs
        with Pool(self.root, number if self.total >= _WORTH_HELPERS else 1, BlockWorker) as pool:
            trail = self._read_trail_chain(pool)
            created = {str(details_of(r).get("chain")) for _, r in trail.facts.events if r.get("event") == CHAIN_CREATED} if trail else set()
            results = [r for r in (self._check(name, pool) for name in self._chain_folders()) if r is not None]
            self._check_chains(before, created, results)
        results.sort(key=lambda result: result.name)
        events = trail.facts.events if trail else []
        self._judge_integrity(events, results)
        writers = completeness.Writers(events)
        complete = completeness.judge(results, writers, self.state, self.findings, at_home=self.knows)
        integrity = f.BROKEN if self.findings.findings else f.CANNOT_TELL if self.findings.doubts else f.INTACT
        if remember and integrity != f.BROKEN and not self.state.private:
            self._remember()
        return Verification(
            self.path, self.found.trail_id, integrity, complete, sum(r.lines for r in results), self.findings.sorted_findings(),
            self.findings.doubts, self.findings.gaps + self.findings.unknown, self.findings.notes,
            {r.name: {"count": r.upto, "hash": r.hash, "bytes": r.bytes, "segments": r.segments} for r in results}, self.deep,
        )  # fmt: skip

    # --- chains

    def _chain_folders(self) -> list[str]:
        """List the chains that are there: the trail's own first."""
        names = []
        for name in self.root.names():
            if valid_chain(name):
                with contextlib.suppress(OSError, UnsafeFileError):
                    self.root.folder(name).close()
                    names.append(name)
        return sorted(names, key=lambda name: (name != TRAIL_CHAIN, name))

    def _size(self, names: list[str]) -> int:
        total = 0
        for name in names:
            with contextlib.suppress(OSError, UnsafeFileError), self.root.folder(name) as folder:
                for segment in folder.names():
                    found = folder.stat(segment) if parse_segment_name(segment) else None
                    total += found.st_size if found else 0
        return total

    def _head_of(self, name: str) -> Head | None:
        return self.state.head(self.found.trail_id, name) if self.knows and valid_chain(name) else None

    def _snapshot(self, name: str, folder: Folder) -> Snapshot:
        taken = snapshot(folder, lambda: self._head_of(name), self.boot)
        if taken.head is not None:
            self.heads[name] = taken.head
        return taken

    def _read_trail_chain(self, pool: Pool) -> ChainResult | None:
        """
        Read the chain of the trail's life once before everything else: what it says is held against all chains, itself included.

        Chains that come into being afterwards are not in it; those are not missed.
        """
        for path, seen in self.state.memory(self.found.trail_id).items():
            if path == self.path:
                for name, mark in mapping(seen).items():
                    self._claim(name, mark, "an earlier verification")
        try:
            with self.root.folder(TRAIL_CHAIN) as folder:
                taken = self._snapshot(TRAIL_CHAIN, folder)
                silent = f.Findings()
                result = ChainCheck(
                    TRAIL_CHAIN, self.found.trail_id, folder, taken, WitnessedHeads(), silent, facts=ChainSummary(self._take_claims)
                ).run(pool, deep=False, progress=lambda _: None)
        except (OSError, UnsafeFileError):
            return None
        return result

    def _take_claims(self, seq: int, record: dict[str, Any]) -> None:
        if kind_of(record).integrity is Integrity.WITNESS:
            heads = details_of(record).get("heads")
            for name, mark in mapping(heads).items():
                self._claim(name, mark, seq)
            for mark in listing(heads):
                self._claim(str(mapping(mark).get("chain")), mark, seq)

    def _claim(self, name: str, mark: object, source: int | str) -> None:
        said = mapping(mark)
        self._claims(name).add(said.get("count"), said.get("hash"), source)

    def _claims(self, name: str) -> WitnessedHeads:
        return self.claims.setdefault(name, WitnessedHeads())

    def _check(self, name: str, pool: Pool) -> ChainResult | None:
        try:
            with self.root.folder(name) as folder:
                taken = self._snapshot(name, folder)
                if taken.head is None and self.knows:
                    self.findings.find(
                        f.CHAINS,
                        name,
                        None,
                        f"chain {name} has no head, though the state directory knows this trail: added, or the state was damaged",
                    )
                claims = self._claims(name)
                if taken.head is not None:
                    claims.add(taken.head.synced.lines, taken.head.synced.hash.hex(), HEAD_SOURCE)
                return ChainCheck(name, self.found.trail_id, folder, taken, claims, self.findings).run(pool, deep=self.deep, progress=self._advance)
        except (OSError, UnsafeFileError) as error:
            self.findings.find(f.CHAINS, name, None, f"chain {name} cannot be read ({reason(error)})")
            return None

    def _advance(self, number: int) -> None:
        self.done = min(self.done + number, self.total)
        if self._progress is not None:
            self._progress(self.done, self.total)

    def _check_chains(self, before: list[str], created: set[str], results: list[ChainResult]) -> None:
        """Hold the chains that are there against those that were created, have heads, or are spoken of."""
        here = {result.name for result in results}
        accepted = any(result.name == TRAIL_CHAIN and result.facts.epochs for result in results)
        for name in before:
            if name != TRAIL_CHAIN and name not in created and not accepted and not self._is_new(name):
                self.findings.find(f.CHAINS, name, None, f"no record of chain {TRAIL_CHAIN} says that chain {name} was created: added")
        heads = set(self.state.head_names(self.found.trail_id)) if self.knows else set()
        for name in sorted({TRAIL_CHAIN, *created, *heads, *self.claims} - here):
            head = self._head_of(name)
            claim = self._claims(name).highest()
            spoken_of = head.written.lines if head is not None else claim.upto if claim is not None else 0
            if spoken_of or (name == TRAIL_CHAIN and head is None):
                self.findings.find(f.CHAINS, name, 0, f"chain {name} is gone with its {spoken_of} records: removed")
        if self.knows and TRAIL_CHAIN not in heads:
            self.findings.find(
                f.HEAD, TRAIL_CHAIN, None, f"the state directory knows this trail, but the head of chain {TRAIL_CHAIN} is gone from it"
            )

    def _is_new(self, name: str) -> bool:
        """A chain whose creation stands in the head, but was cut off before it stood in a record, holds nothing."""
        head = self.heads.get(name)
        return head is not None and head.written.lines == 0

    # --- verdicts

    def _judge_integrity(self, events: list[tuple[int, dict[str, Any]]], results: list[ChainResult]) -> None:
        findings = self.findings
        if self.state.private:
            findings.doubts.append("the state lies inside the trail (state none): whoever can change the trail can change it, too")
        elif self.found.relation is Relation.UNKNOWN:
            why = self.state.trouble or f"the state directory {self.state.path} has never known this trail"
            findings.doubts.append(f"{why}: what is here can be checked, a cut tail cannot be ruled out")
            findings.unknown.append("without a head a cut tail cannot be ruled out")
            self._check_document(events)
        elif self.found.relation is Relation.COPY and self.found.place is not None:
            compare_with_original(self.found.place, self.state, results, findings)
        elif self.state.owner == self.root.owner:
            findings.notes.append(
                "trail and state directory belong to the same user: this protects against other users and against copies only; keep checkpoints elsewhere"
            )
        for result in results:
            if result.torn:
                findings.doubts.append(
                    f"chain {result.name} ends in {result.torn} bytes of a line that is not whole: a copy taken while a writer was at work?"
                )
            findings.doubts.extend(_doubts(result))
        for seq, record in events:
            if record.get("event") == OPENED:
                for mark in map(mapping, listing(details_of(record).get("heads"))):
                    findings.doubts.append(
                        f"chain {mark.get('chain')} was taken over without a head at trail/{seq}: for its first {mark.get('count')} records only the chain itself speaks"
                    )

    def _check_document(self, events: list[tuple[int, dict[str, Any]]]) -> None:
        """Without the state's digest the last opening says what ``trail.json`` was, unless it was changed lawfully since."""
        said: str | None = None
        for _, record in events:
            if record.get("event") == OPENED:
                said = details_of(record).get("document_sha256")
            elif kind_of(record).integrity is Integrity.DOCUMENT:
                said = details_of(record).get("document_sha256") or said
        if said is not None and self.found.document is not None and said != self.found.document.sha256:
            self.findings.find(f.DOCUMENT, None, None, f"trail.json is not the one of the last opening (its SHA-256 was {said}): it was changed")

    def _remember(self) -> None:
        """Keep what was seen, but only what is known to be on disk: what others remember must not outrun it (PROTOCOL.md, rule 7)."""
        seen: dict[str, dict[str, Any]] = {}
        for name in {*self.heads, *self.claims}:
            head = self.heads.get(name)
            claim = self._claims(name).highest()
            if head is not None and head.synced.lines:
                seen[name] = {"count": head.synced.lines, "hash": head.synced.hash.hex()}
            elif claim is not None and claim.upto:
                seen[name] = {"count": claim.upto, "hash": claim.hash}
        memory = self.state.memory(self.found.trail_id)
        if seen and memory.get(self.path) != seen:
            self.state.remember(self.found.trail_id, {**memory, self.path: seen})


def _doubts(result: ChainResult) -> Iterator[str]:
    """Say which events of a chain leave a doubt. That an epoch began the files say, too, where its record does not hold."""
    epoch = EVENTS[EPOCH]
    yield from (epoch.in_words(epoch.doubt, f"{result.name}/{begin}", {}) for begin, _ in result.facts.epochs)
    for seq, record in result.facts.events:
        event = kind_of(record)
        if event.doubt and event is not epoch:
            yield event.in_words(event.doubt, f"{result.name}/{seq}", details_of(record))
