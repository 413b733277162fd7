"""
Reading one chain from its first line to its last, past everything that is wrong with it; the checks are handed its lines as they go by.

Source: FORMAT.md, sections 2, 3, 5 and 7; PROTOCOL.md, rules 3, 7, 9 and 10, "A live verify".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from otel_tool_audit.format.head import Head
from otel_tool_audit.format.names import genesis, segment_name
from otel_tool_audit.format.segment_order import Missing, SegmentOrder, SegmentPart
from otel_tool_audit.record.witnesses import Epoch, WitnessedHeads
from otel_tool_audit.review.source.chain_end import ChainEnd, HeadView, expected_end
from otel_tool_audit.review.source.directory import Folder, UnsafeFileError, described, pread
from otel_tool_audit.review.source.segment_order import order_segments
from otel_tool_audit.review.source.segments import line_end
from otel_tool_audit.review.source.workers import Pool
from otel_tool_audit.review.verify import findings as f
from otel_tool_audit.review.verify.block_worker import BLOCK, BlockJob
from otel_tool_audit.review.verify.blocks import Block
from otel_tool_audit.review.verify.chain_summary import ChainSummary
from otel_tool_audit.review.verify.links import LinkCheck

if TYPE_CHECKING:
    from otel_tool_audit.review.verify.checks import Check

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
        epoch: The epoch that it ends in.
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
    epoch: int


class Absent(NamedTuple):
    """
    Records that are in no segment.

    Attributes:
        missing: The first segment that is not there.
        begin: The first seq that is not there.
        stop: The seq after the last.
        following: What the record at *stop* names as ``previous_hash``, once it was read.
    """

    missing: Missing
    begin: int
    stop: int
    following: str | None


def snapshot(folder: Folder, look: Callable[[], HeadView | None]) -> Snapshot:
    """
    Look at a chain at one moment, while writers may be at work.

    What contradicts the head is looked at again as long as the head moves; when it stands still, it is a finding.

    Args:
        folder: The chain's directory.
        look: Reads its head, and what else decides where it ends.
    """

    def read_head() -> Head | None:
        now = look()
        return None if now is None else now.head

    tries = 0
    while True:
        view = look()
        names = folder.names()
        if view is None:
            return Snapshot(None, order_segments(folder, None, names), None)
        head = view.head
        tail, later = _tail(folder, view, read_head)
        tries += 1
        if tail.wrong is None or later is None or later.generation == head.generation or tries == _TRIES:
            return Snapshot(head, order_segments(folder, head, names, read_head), tail)


def _tail(folder: Folder, view: HeadView, read_head: Callable[[], Head | None]) -> tuple[ChainEnd, Head | None]:
    """Look at the open segment, and then at the head once more."""
    try:
        with folder.opened(segment_name(view.head.first_seq, view.head.attempt)) as descriptor:
            size = described(descriptor).st_size
            later = read_head()
            return expected_end(view, descriptor, size, later), later
    except (FileNotFoundError, UnsafeFileError):
        # that it is missing, or no segment, the layout says
        written = view.head.written
        return ChainEnd(written.offset, written.lines, written.hash.hex()), None


class ChainReading:
    """
    One chain while it is read.

    Attributes:
        name: The chain.
        trail_id: The trail's id.
        folder: The chain's directory.
        taken: The chain at one moment.
        claims: What others say of it.
        seen_in: The epoch in which an earlier reader saw it.
        findings: Takes what is found.
        facts: What its records say.
        epoch: The epoch that is read.
        walk: Where the reading stands.
        absent: Segments that the files begin behind or skip.
        wrong_seqs: The seqs of all that was found in this chain.
    """

    def __init__(
        self, name: str, trail_id: str, folder: Folder, taken: Snapshot, claims: WitnessedHeads, findings: f.Findings,
        *, checks: Iterable[Check] = (), deep: bool = False, facts: ChainSummary | None = None, seen_in: int = 0,
    ) -> None:  # fmt: skip
        """
        Prepare to read.

        Args:
            name: The chain.
            trail_id: The trail's id.
            folder: The chain's directory.
            taken: The chain at one moment.
            claims: What others say of it.
            findings: Takes what is found.
            checks: Those whose lines go by. That every line holds and follows the one before is found in any case.
            deep: Parse every line strictly.
            facts: Takes what the records say.
            seen_in: The epoch in which an earlier reader saw the chain.
        """
        self.seen_in = seen_in
        self.name = name
        self.folder = folder
        self.taken = taken
        self.claims = claims
        self.findings = findings
        self.facts = facts or ChainSummary()
        self.walk = LinkCheck(0, genesis(trail_id, name).hex(), self.find, self._accept)
        self.absent: list[Absent] = []
        self.wrong_seqs: set[int] = set()
        self.trail_id = trail_id
        self._deep = deep
        self._lines = 0
        self._bytes = 0
        self.epoch = 0
        self._count = 0
        self._hash = genesis(trail_id, name).hex()
        self._torn = 0
        # what a line says of itself comes before what others say of it: of a wrong record the nearest cause is told
        streams = sorted((check for check in checks if deep or not check.deep), key=lambda check: not check.deep)
        self._checks = [check.lines(self) for check in streams if check.lines is not None]

    def find(self, check: str, seq: int | None, message: str) -> None:
        """
        Add a finding in this chain.

        Args:
            check: The check's name.
            seq: The record it concerns, as near as can be told.
            message: What is wrong.
        """
        if seq is not None:
            self.wrong_seqs.add(seq)
        self.findings.find(check, self.name, seq, message)

    def run(self, pool: Pool, progress: Callable[[int], None]) -> ChainResult:
        """
        Read everything.

        Args:
            pool: Checks blocks of lines.
            progress: Told of bytes that are done.
        """
        parts, tail = self.taken.layout.parts, self.taken.tail
        for number, part in enumerate(parts):
            self._between(part)
            self._one_part(part, pool, last=number == len(parts) - 1, progress=progress)
        claimed = self.claims.highest()
        self.walk.end(tail.hash if tail is not None else None)
        self.walk.settle(tail.upto if tail is not None else claimed.upto if claimed is not None else None)
        for check in self._checks:
            check.end()
        return ChainResult(self.name, self._count, self._hash, self._lines, self._bytes, len(parts), self.facts, tail, self._torn, self.epoch)

    def _between(self, part: SegmentPart) -> None:
        """Settle what lies between the segment before and this one: an accepted loss, or segments that are not there."""
        first, begin = part.first, part.key[0]
        if first is not None and first.epoch is not None:
            number = first.epoch.number
            if begin < self.walk.seq or number <= self.epoch:
                self.find(f.EPOCHS, begin, f"epoch {number} begins at seq {begin}, which had been given out before")
            self.walk.jump(begin, genesis(self.trail_id, self.name, number).hex())
            self.epoch = number
            self.facts.epochs.append(Epoch(begin, first.epoch))
            return
        gone = [m for m in self.taken.layout.missing if m.key < part.key and m.key[0] >= self.walk.seq]
        beginless = begin > 0 and self._lines == 0 and not self.walk.seq
        if (gone or beginless) and begin > self.walk.seq:
            self.absent.append(Absent(gone[0] if gone else Missing((0, 0), None, "the chain", begin), self.walk.seq, begin, None))
            self.walk.jump(begin, None)

    def _one_part(self, part: SegmentPart, pool: Pool, *, last: bool, progress: Callable[[int], None]) -> None:
        tail = self.taken.tail
        by_head = last and tail is not None and not self.taken.layout.missing_open
        end = self._whole_lines(part, min(tail.end, part.size) if by_head and tail is not None else min(part.end, part.size))
        needed = False
        for check in self._checks:
            needed = check.begin_segment(part, last=last) or needed
        digest: str | None = None
        try:
            for job, answer in pool.imap(self._jobs(part, end, digest=needed)):
                if job.digest:
                    digest = answer
                    continue
                self._take(job, answer)
                progress(job.stop - job.start)
        except (FileNotFoundError, UnsafeFileError) as error:
            self.find(f.SEGMENTS, part.key[0], f"segment {part.name} cannot be read to its end ({error})")
        if not last:
            self.walk.end()
        for check in self._checks:
            check.end_segment(part, digest)

    def _whole_lines(self, part: SegmentPart, end: int) -> int:
        """Read to the end of a line: where a line before grew, the last one is whole, and must not be blamed."""
        if not 0 < end < part.size:
            return end
        try:
            with self.folder.opened(part.name) as descriptor:
                return line_end(descriptor, end, part.size)
        except (FileNotFoundError, UnsafeFileError):
            return end

    def _jobs(self, part: SegmentPart, end: int, *, digest: bool) -> Iterator[BlockJob]:
        with self.folder.opened(part.name) as descriptor:
            start = 0
            while start < end:
                stop = line_end(descriptor, min(start + BLOCK, end), end)
                yield BlockJob(self.name, part.name, start, stop, self._deep)
                start = stop
        if digest:
            yield BlockJob(self.name, part.name, 0, end, deep=False, digest=True)

    def _take(self, job: BlockJob, checked: Block | None) -> None:
        if self.absent and self.absent[-1].following is None and checked is not None:
            self.absent[-1] = self.absent[-1]._replace(following=checked.previous)
        if checked is not None and self.walk.follows(checked):
            self.walk.take(checked)
            return
        with self.folder.opened(job.name) as descriptor:
            data = pread(descriptor, job.stop - job.start, job.start)
        torn = len(data) - data.rfind(b"\n") - 1
        if torn and self.taken.head is None and self._is_end(job):
            # without a head nobody says how the last line went on: a copy of a living trail looks like that
            self._torn = torn
            data = data[: len(data) - torn]
            checked = job.check(data) if data else None
        if data:
            self.walk.block(data, checked)

    def _is_end(self, job: BlockJob) -> bool:
        last = self.taken.layout.parts[-1]
        return last.name == job.name and job.stop == last.end and last.ending is None

    def _accept(self, block: Block) -> None:
        self.facts.add(block)
        self._lines += block.lines
        self._bytes += block.size
        self._count, self._hash = block.first_seq + block.lines, block.last
        for check in self._checks:
            check.take(block)
