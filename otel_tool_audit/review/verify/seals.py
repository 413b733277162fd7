"""
Check 9: seals, and segments that were pruned: a seal is never evidence, but one that differs from its segment is a finding.

Source: PROTOCOL.md, rule 10; FORMAT.md, section 4 ("seal", ``trail.pruned``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from otel_tool_audit.format.line import MAX_LINE
from otel_tool_audit.format.names import seal_name, segment_name
from otel_tool_audit.format.nesting import read_json
from otel_tool_audit.format.segment_order import Key, SegmentPart
from otel_tool_audit.record.untrusted import details_of, listing, mapping
from otel_tool_audit.review.source.directory import Folder, UnsafeFileError, pread
from otel_tool_audit.review.verify.block_check import BlockCheck
from otel_tool_audit.review.verify.blocks import Block
from otel_tool_audit.review.verify.findings import SEALS

if TYPE_CHECKING:
    from otel_tool_audit.review.verify.chain import ChainReading

_LARGEST = 1 << 16
_FIELDS = ("segment", "first_seq", "attempt", "count", "bytes", "sha256", "first_hash", "last_hash")


class Sealed:
    """What was found of a segment while its lines went by: what its seal must say."""

    def __init__(self, key: Key) -> None:
        self.key = key
        self.count = 0
        self.first_hash = ""
        self.last_hash = ""

    def add(self, block: Block) -> None:
        """Take in a block of its lines."""
        if not self.count:
            self.first_hash = block.hashes[:64]
        self.count += block.lines
        self.last_hash = block.last


class SealCheck(BlockCheck):
    """Holds the seal of every segment against its lines, where nothing else is wrong with them."""

    def __init__(self, chain: ChainReading) -> None:
        super().__init__(chain)
        self._found = Sealed((0, 0))
        self._before = 0
        self._is_sealed = False
        self._last = False

    def begin_segment(self, part: SegmentPart, *, last: bool) -> bool:
        """Look for the seal of a segment that is followed by another one."""
        self._found, self._last = Sealed(part.key), last
        self._before = len(self.chain.findings.findings)
        # where an epoch follows, the segment ends where its good lines did, and its seal may speak of what is gone
        judged = not last and part.ending is not None and not part.cut
        self._is_sealed = judged and self.chain.folder.stat(seal_name(part.name)) is not None
        return self._is_sealed

    def take(self, block: Block) -> None:
        """Gather what the seal must say."""
        self._found.add(block)

    def end_segment(self, part: SegmentPart, digest: str | None) -> None:
        """Compare."""
        chain = self.chain
        if self._is_sealed and len(chain.findings.findings) == self._before and not chain.walk.troubled:
            check_seal(chain.folder, part, self._found, digest, lambda what: chain.find(SEALS, part.key[0], what))
        elif self._last and seal_name(part.name) in chain.taken.layout.seals:
            what = f"{part.name} is sealed, but no segment follows it: those after it are missing"
            if chain.taken.head is None:
                chain.findings.doubts.append(f"{chain.name}: {what}, or the copy was taken while a writer was at work")
            else:
                chain.find(SEALS, part.key[0], what)


def check_seal(folder: Folder, part: SegmentPart, found: Sealed, digest: str | None, report: Callable[[str], None]) -> None:
    """
    Compare a seal with its segment.

    Args:
        folder: The chain's directory.
        part: The segment; its end is known.
        found: What its lines said.
        digest: SHA-256 of its bytes.
        report: Takes what is wrong.
    """
    name = seal_name(part.name)
    try:
        data = folder.read(name, _LARGEST)
        seal = read_json(data)
        first, last = _moments(folder, part)
        says = {key: seal.get(key) for key in (*_FIELDS, "first_timestamp", "last_timestamp")}
    except FileNotFoundError:
        return
    except (UnsafeFileError, ValueError, AttributeError) as error:
        report(f"the seal {name} cannot be read ({error})")
        return
    is_so = {
        "segment": part.name, "first_seq": part.key[0], "attempt": part.key[1], "count": found.count, "bytes": part.end,
        "sha256": digest, "first_hash": found.first_hash, "last_hash": found.last_hash, "first_timestamp": first, "last_timestamp": last,
    }  # fmt: skip
    wrong = [key for key, value in is_so.items() if type(says[key]) is not type(value) or says[key] != value]
    if not data.endswith(b"}\n") or data.count(b"\n") != 1:
        report(f"the seal {name} is not one line that ends with its object")
    if wrong:
        report(f"the seal {name} does not say what its segment is ({', '.join(wrong)})")


def _moments(folder: Folder, part: SegmentPart) -> tuple[object, object]:
    """Read the timestamps of a segment's first and last line, which hold their hashes."""
    with folder.opened(part.name) as descriptor:
        first = pread(descriptor, min(MAX_LINE, part.end), 0).partition(b"\n")[0]
        size = min(MAX_LINE, part.end)
        last = pread(descriptor, size, part.end - size).rstrip(b"\n").rpartition(b"\n")[2]
    return mapping(read_json(first)).get("timestamp"), mapping(read_json(last)).get("timestamp")


def covers(
    folder: Folder, pruned: Sequence[dict[str, Any]], begin: int, stop: int, following: str | None, report: Callable[[int, str], None],
) -> bool:  # fmt: skip
    """
    Tell whether ``trail.pruned`` records name all segments between two seqs.

    Args:
        folder: The chain's directory, where the seals of pruned segments stay.
        pruned: The records.
        begin: First seq that is not there.
        stop: The seq after the last that is not there.
        following: What the record at *stop* names as ``previous_hash``.
        report: Takes what is wrong with a seal that had to stay.
    """
    named: dict[int, dict[str, Any]] = {}
    for record in pruned:
        for segment in map(mapping, listing(details_of(record).get("segments"))):
            if type(segment.get("first_seq")) is int and type(segment.get("count")) is int:
                named[segment["first_seq"]] = segment
    seq, last = begin, None
    used = []
    while seq < stop and seq in named and named[seq]["count"] > 0:
        used.append(named[seq])
        last = named[seq].get("last_hash")
        seq += named[seq]["count"]
    if seq != stop or (following is not None and last != following):
        return False
    for segment in used:
        _check_kept_seal(folder, segment, report)
    return True


def _check_kept_seal(folder: Folder, segment: dict[str, Any], report: Callable[[int, str], None]) -> None:
    first_seq, attempt = segment["first_seq"], segment.get("attempt")
    name = seal_name(segment_name(first_seq, attempt if type(attempt) is int else 0))
    try:
        digest = hashlib.sha256(folder.read(name, _LARGEST)).hexdigest()
    except (FileNotFoundError, UnsafeFileError) as error:
        report(first_seq, f"the seal {name} of a pruned segment cannot be read ({error}): it had to stay")
        return
    if digest != segment.get("seal_sha256"):
        report(first_seq, f"the seal {name} of a pruned segment was changed")
