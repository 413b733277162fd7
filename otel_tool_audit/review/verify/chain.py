"""
Checking one chain: its files as they are laid out, every line, its head, its seals, and what others say of it.

Source: FORMAT.md, sections 2, 3, 5 and 7; PROTOCOL.md, rules 3, 7, 9 and 10, "A live verify".
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from otel_tool_audit.format.events import PRUNED
from otel_tool_audit.format.head import Head
from otel_tool_audit.format.names import genesis, seal_name, segment_name
from otel_tool_audit.review.source.directory import Folder, UnsafeFileError, pread
from otel_tool_audit.review.source.segment_order import Missing, SegmentOrder, SegmentPart, order_segments
from otel_tool_audit.review.source.segments import line_end
from otel_tool_audit.review.source.workers import Pool
from otel_tool_audit.review.verify import findings as f
from otel_tool_audit.review.verify.block_worker import BLOCK, BlockJob
from otel_tool_audit.review.verify.blocks import Block
from otel_tool_audit.review.verify.chain_end import ChainEnd, expected_end
from otel_tool_audit.review.verify.chain_summary import ChainSummary
from otel_tool_audit.review.verify.links import LinkCheck
from otel_tool_audit.review.verify.seals import Sealed, check_seal, covers
from otel_tool_audit.review.verify.witnessed_heads import WitnessedHeads

_TRIES: Final = 20


class Snapshot(NamedTuple):
    """
    A chain at one moment: everything before its end never changes again.

    Attributes:
        head: Its head, or None when no head speaks for it.
        layout: Its files.
        tail: Where the head says it ends; None without a head.
    """

    head: Head | None
    layout: SegmentOrder
    tail: ChainEnd | None


class ChainResult(NamedTuple):
    """
    A checked chain.

    Attributes:
        name: The chain.
        upto: The seq after its last record.
        hash: The last record's, in hex.
        lines: Lines that hold.
        bytes: Of those, with their LF.
        segments: How many segments count.
        facts: What its records say.
        tail: Where its head says it ends, or None.
        torn: Bytes of a last line that is not whole, where no head says what they are.
    """

    name: str
    upto: int
    hash: str
    lines: int
    bytes: int
    segments: int
    facts: ChainSummary
    tail: ChainEnd | None
    torn: int


def snapshot(folder: Folder, read_head: Callable[[], Head | None], boot: bytes | None) -> Snapshot:
    """
    Look at a chain at one moment, while writers may be at work.

    What contradicts the head is looked at again as long as the head moves; when it stands still, it is a finding.

    Args:
        folder: The chain's directory.
        read_head: Reads its head.
        boot: This boot's id.
    """
    tries = 0
    while True:
        head = read_head()
        names = folder.names()
        if head is None:
            return Snapshot(None, order_segments(folder, None, names), None)
        tail, later = _tail(folder, head, read_head, boot)
        tries += 1
        if tail.wrong is None or later is None or later.generation == head.generation or tries == _TRIES:
            return Snapshot(head, order_segments(folder, head, names, read_head), tail)


def _tail(folder: Folder, head: Head, read_head: Callable[[], Head | None], boot: bytes | None) -> tuple[ChainEnd, Head | None]:
    """Look at the open segment, and then at the head once more."""
    try:
        with folder.opened(segment_name(head.first_seq, head.attempt)) as descriptor:
            size = os.fstat(descriptor).st_size
            later = read_head()
            return expected_end(head, descriptor, size, boot, later), later
    except (OSError, UnsafeFileError):
        # that it is missing, or no segment, the layout says
        written = head.written
        return ChainEnd(written.offset, written.lines, written.hash.hex()), None


class ChainCheck:
    """One check of one chain."""

    def __init__(
        self,
        name: str,
        trail_id: str,
        folder: Folder,
        taken: Snapshot,
        claims: WitnessedHeads,
        findings: f.Findings,
        *,
        facts: ChainSummary | None = None,
    ) -> None:
        """
        Prepare a check.

        Args:
            name: The chain.
            trail_id: The trail's id.
            folder: The chain's directory.
            taken: The chain at one moment.
            claims: What others say of it.
            findings: Takes what is found.
            facts: Takes what the records say.
        """
        self.name = name
        self._trail_id = trail_id
        self._folder = folder
        self._taken = taken
        self._claims = claims
        self._ledger = findings
        self._facts = facts or ChainSummary()
        self._walk = LinkCheck(0, genesis(trail_id, name).hex(), self._found, self._accept)
        self._next_claim = 0
        self._doubted = False
        self._last_good_claim = 0
        self._lines = 0
        self._bytes = 0
        self._epoch = 0
        self._count = 0
        self._hash = genesis(trail_id, name).hex()
        self._part: Sealed | None = None
        self._absent: list[tuple[Missing, int, int, str | None]] = []
        self._torn = 0
        self._wrong_seqs: set[int] = set()

    def run(self, pool: Pool, *, deep: bool, progress: Callable[[int], None]) -> ChainResult:
        """
        Check everything.

        Args:
            pool: Does the work.
            deep: Parse every line strictly.
            progress: Told of bytes that are done.
        """
        layout, tail = self._taken.layout, self._taken.tail
        for seq, message in layout.strangers:
            self._found(f.SEGMENTS, seq, message)
        self._ledger.notes.extend(layout.notes)
        for number, part in enumerate(layout.parts):
            self._between(part)
            self._one_part(part, pool, last=number == len(layout.parts) - 1, deep=deep, progress=progress)
        self._end()
        self._judge_absent()
        return ChainResult(
            self.name, self._count, self._hash, self._lines, self._bytes, len(layout.parts), self._facts, tail, self._torn
        )  # fmt: skip

    # --- before a segment

    def _between(self, part: SegmentPart) -> None:
        """Settle what lies between the segment before and this one: an accepted loss, or segments that are not there."""
        first = part.first
        if first is not None and first.epoch is not None:
            if part.key[0] < self._walk.seq or first.epoch <= self._epoch:
                self._found(f.EPOCHS, part.key[0], f"epoch {first.epoch} begins at seq {part.key[0]}, which had been given out before")
            self._walk.jump(part.key[0], genesis(self._trail_id, self.name, first.epoch).hex())
            self._epoch = first.epoch
            self._facts.epochs.append((part.key[0], first.given_up))
            return
        gone = [m for m in self._taken.layout.missing if m.key < part.key and m.key[0] >= self._walk.seq]
        beginless = part.key[0] > 0 and self._lines == 0 and not self._walk.seq
        if (gone or beginless) and part.key[0] > self._walk.seq:
            self._absent.append((gone[0] if gone else Missing((0, 0), None, "the chain", part.key[0]), self._walk.seq, part.key[0], None))
            self._walk.jump(part.key[0], None)

    def _judge_absent(self) -> None:
        pruned = [record for _, record in self._facts.events if record.get("event") == PRUNED]
        self._facts.pruned = bool(pruned)
        for missing, begin, stop, following in self._absent:
            if covers(self._folder, pruned, begin, stop, following, lambda seq, what: self._found(f.EPOCHS, seq, what)):
                self._ledger.notes.append(
                    f"records {begin} to {stop - 1} of chain {self.name} were pruned; the record of it and their seals are here"
                )
            else:
                ending = "" if missing.ending is None else f" of {missing.ending.valid_end} bytes"
                self._found(f.SEGMENTS, begin, f"a segment{ending} with records {begin} to {stop - 1} is missing; rotated?")
        for missing in self._taken.layout.missing:
            if not any(missing is m for m, *_ in self._absent):
                self._found(
                    f.SEGMENTS,
                    missing.key[0],
                    f"the segment beginning with record {missing.key[0]}, which {missing.named_by} names, is missing; rotated?",
                )

    # --- a segment

    def _one_part(self, part: SegmentPart, pool: Pool, *, last: bool, deep: bool, progress: Callable[[int], None]) -> None:
        tail = self._taken.tail
        by_head = last and tail is not None and not self._taken.layout.missing_open
        end = self._whole_lines(part, min(tail.end, part.size) if by_head and tail is not None else min(part.end, part.size))
        before = len(self._ledger.findings)
        self._part = Sealed(part.key)
        seal = None if last or part.ending is None else self._folder.stat(seal_name(part.name))
        jobs = self._jobs(part, end, deep=deep, digest=seal is not None)
        digest: str | None = None
        try:
            for job, answer in pool.imap(jobs):
                if job.digest:
                    digest = answer
                    continue
                self._take(job, answer)
                progress(job.stop - job.start)
        except (OSError, UnsafeFileError) as error:
            self._found(f.SEGMENTS, part.key[0], f"segment {part.name} cannot be read to its end ({error})")
        if not last:
            self._walk.end()
        if part.ending is not None:
            self._check_ending(part)
        if seal is not None and len(self._ledger.findings) == before and not self._walk.troubled:
            check_seal(self._folder, part, self._part, digest, lambda what: self._found(f.SEALS, part.key[0], what))
        elif last and seal_name(part.name) in self._taken.layout.seals:
            self._found(f.SEALS, part.key[0], f"{part.name} is sealed, but no segment follows it: those after it are missing")

    def _whole_lines(self, part: SegmentPart, end: int) -> int:
        """Read to the end of a line: where a line before grew, the last one is whole, and must not be blamed."""
        if not 0 < end < part.size:
            return end
        try:
            with self._folder.opened(part.name) as descriptor:
                return line_end(descriptor, end, part.size)
        except (OSError, UnsafeFileError):
            return end

    def _jobs(self, part: SegmentPart, end: int, *, deep: bool, digest: bool) -> Iterator[BlockJob]:
        with self._folder.opened(part.name) as descriptor:
            start = 0
            while start < end:
                stop = line_end(descriptor, min(start + BLOCK, end), end)
                yield BlockJob(self.name, part.name, start, stop, deep)
                start = stop
        if digest:
            yield BlockJob(self.name, part.name, 0, end, deep=False, digest=True)

    def _take(self, job: BlockJob, checked: Block | None) -> None:
        if self._absent and self._absent[-1][3] is None and checked is not None:
            missing, begin, stop, _ = self._absent[-1]
            self._absent[-1] = (missing, begin, stop, checked.previous)
        if checked is not None and self._walk.follows(checked):
            self._walk.take(checked)
            return
        with self._folder.opened(job.name) as descriptor:
            data = pread(descriptor, job.stop - job.start, job.start)
        torn = len(data) - data.rfind(b"\n") - 1
        if torn and self._taken.head is None and self._is_end(job):
            # without a head nobody says how the last line went on: a copy of a living trail looks like that
            self._torn = torn
            data = data[: len(data) - torn]
        if data:
            self._walk.block(data, checked)

    def _is_end(self, job: BlockJob) -> bool:
        last = self._taken.layout.parts[-1]
        return last.name == job.name and job.stop == last.end and last.ending is None

    def _accept(self, block: Block) -> None:
        self._facts.add(block)
        self._lines += block.lines
        self._bytes += block.size
        self._count, self._hash = block.first_seq + block.lines, block.last
        part = self._part
        if part is not None:
            part.add(block)
        for seq, flaw in block.flaws:
            self._found(f.DEEP, seq, f"record {seq} holds its hash, but {flaw}")
        self._check_claims(block)

    def _check_claims(self, block: Block) -> None:
        """Compare what others said with the records as they come by; of a run of contradictions only the first is reported."""
        stop = block.first_seq + block.lines
        while self._next_claim < len(self._claims):
            claim = self._claims.sorted(self._next_claim)
            if claim.upto > stop:
                return
            self._next_claim += 1
            at = claim.upto - block.first_seq - 1
            if at < 0:
                continue
            if block.hashes[64 * at : 64 * at + 64] == claim.hash:
                self._doubted, self._last_good_claim = False, claim.upto
            elif not self._doubted:
                self._doubted = True
                if claim.upto - 1 in self._wrong_seqs:
                    continue
                since = f" (or one after {self._last_good_claim - 1})" if 0 < self._last_good_claim < claim.upto - 1 else ""
                check = f.HEAD if claim.source == HEAD_SOURCE else f.HEARTBEATS
                self._found(
                    check, claim.upto - 1, f"record {claim.upto - 1}{since} is not the one that {claim.source} names: rewritten with new hashes"
                )

    def _check_ending(self, part: SegmentPart) -> None:
        ending = part.ending
        assert ending is not None  # noqa: S101 - asked by the caller
        after = part.size - ending.valid_end
        if after < 0:
            self._found(f.SEGMENTS, self._walk.seq, f"segment {part.name} is {-after} bytes shorter than what follows it says")
        elif after != ending.aside_bytes and not (ending.aside_bytes and ending.aside_sha256 is None):
            self._found(
                f.SEGMENTS,
                self._walk.seq,
                f"segment {part.name} has {after} bytes after its end, what follows it says {ending.aside_bytes}: added or cut",
            )
        elif ending.aside_sha256 is not None and after:
            found = hashlib.sha256()
            with self._folder.opened(part.name) as descriptor:
                for at in range(ending.valid_end, part.size, BLOCK):
                    found.update(pread(descriptor, min(BLOCK, part.size - at), at))
            if found.hexdigest() != ending.aside_sha256:
                self._found(f.SEGMENTS, self._walk.seq, f"the bytes that were set aside in segment {part.name} were changed")

    # --- the end

    def _end(self) -> None:
        tail = self._taken.tail
        claimed = self._claims.highest()
        known = tail.hash if tail is not None else None
        self._walk.end(known)
        expected = tail.upto if tail is not None else claimed.upto if claimed is not None else None
        self._walk.settle(expected)
        reached = self._walk.seq
        if tail is not None and tail.wrong is not None:
            seq, what = tail.wrong
            self._found(f.HEAD, reached if seq is None else seq, what)
        elif tail is not None and reached < tail.upto:
            self._found(f.HEAD, reached, f"the chain ends before record {reached}, its head says {tail.upto}: shorter than the head: a backup?")
        elif tail is not None and reached > tail.upto:
            self._found(
                f.HEAD,
                tail.upto,
                f"the chain goes on to record {reached - 1}, its head says {tail.upto}: longer than the head: forged, or the state restored?",
            )
        elif tail is not None and self._walk.last is not None and self._walk.last != tail.hash:
            self._found(
                f.HEAD,
                max(reached - 1, 0),
                f"record {reached - 1} is not the one that the head names: it, or records up to it, were rewritten with new hashes",
            )
        if tail is None or not self._wrong_seqs:
            self._check_unreached(reached)

    def _check_unreached(self, reached: int) -> None:
        while self._next_claim < len(self._claims):
            claim = self._claims.sorted(self._next_claim)
            self._next_claim += 1
            if claim.upto > reached and not any(given_up < claim.upto <= begin for begin, given_up in self._facts.epochs):
                what = f"the chain ends before record {reached}, {claim.source} names {claim.upto}"
                if self._taken.tail is None:
                    # whoever copies a living trail reads one chain before the other: without a head that looks like a cut
                    self._ledger.doubts.append(f"{self.name}: {what}: cut, an older backup, or copied while a writer was at work")
                else:
                    self._found(f.HEARTBEATS, reached, f"{what}: cut, or an older backup")
                return

    def _found(self, check: str, seq: int | None, message: str) -> None:
        if seq is not None:
            self._wrong_seqs.add(seq)
        self._ledger.find(check, self.name, seq, message)


HEAD_SOURCE: Final = "the head"
"""What a claim of the chain's own head calls itself."""
