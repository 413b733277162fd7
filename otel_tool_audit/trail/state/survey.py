"""
Looking over a chain's files without a head that could be trusted: how far they can be followed, and what in them no writer leaves.

Source: FORMAT.md, sections 3, 4 and 7; PROTOCOL.md, rules 2 and 9, "Taking over".
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from otel_tool_audit.errors import TrailTampered
from otel_tool_audit.format.following import good_lines
from otel_tool_audit.format.head import Position
from otel_tool_audit.format.line import MAX_LINE, parse_place
from otel_tool_audit.format.names import PRIVATE_STATE, TRAIL_CHAIN, genesis, parse_segment_name, segment_name, valid_chain
from otel_tool_audit.format.nesting import read_json
from otel_tool_audit.format.segment_order import ChainFolder, First, Key, SegmentPart, order_of, read_first
from otel_tool_audit.host.directory import Directory, read_exactly
from otel_tool_audit.record.witnesses import Epoch, WitnessedHeads, Witnesses
from otel_tool_audit.trail.chain.scan import reading, sha256_of

_SHORT: Final = 4096
_EVENT: Final = b'"call_id":null,'


class Survey(NamedTuple):
    """
    How far the files of a chain can be followed, and what is wrong with them.

    Attributes:
        parts: The segments that count, first to last, as far as they can be followed.
        end: The place after the last good line, in the last of them.
        epoch: The epoch it belongs to.
        highest: The highest first seq that anything in the directory is named with.
        written: Whether there is a byte in any segment.
        flaw: What no writer leaves; None when there is nothing.
    """

    parts: tuple[SegmentPart, ...]
    end: Position
    epoch: int
    highest: int
    written: bool
    flaw: str | None


def chain_names(root: Directory) -> list[str]:
    """List the directories of a trail that are named as chains are."""
    return [
        name for name in root.names()
        if name != PRIVATE_STATE and valid_chain(name) and stat.S_ISDIR(root.system.stat(name, dir_fd=root.fd).st_mode)
    ]  # fmt: skip


def witnesses_in(root: Directory, trail_id: str) -> Witnesses:
    """Gather what the records of chain ``trail`` say of all chains, as far as that chain can be followed."""
    found = Witnesses()

    def take(seq: int, line: bytes) -> None:
        if _EVENT in line:
            record = read_json(line)
            if isinstance(record, dict):
                found.take(seq, record)

    try:
        directory = root.open_directory(TRAIL_CHAIN)
    except FileNotFoundError:
        return found
    try:
        survey(directory, trail_id, TRAIL_CHAIN, WitnessedHeads(), take)
    finally:
        directory.close()
    return found


def survey(directory: Directory, trail_id: str, chain: str, claims: WitnessedHeads, take: Callable[[int, bytes], Any] | None = None) -> Survey:
    """
    Follow a chain through its segments, by what each segment's first record says of the one before.

    Args:
        directory: The chain's.
        trail_id: The trail's.
        chain: The chain's name.
        claims: What others say of it.
        take: Is given the seq and the text of each good line.
    """
    return _Surveying(directory, trail_id, chain, claims, take).run()


class _Surveying:
    def __init__(
        self, directory: Directory, trail_id: str, chain: str, claims: WitnessedHeads, take: Callable[[int, bytes], Any] | None
    ) -> None:  # fmt: skip
        self.directory = directory
        self.trail_id = trail_id
        self.chain = chain
        self.claims = claims
        self.take = take
        self.flaws: list[str] = []
        self.epochs: list[Epoch] = []
        self.contradicted: list[int] = []
        self._next = 0

    def run(self) -> Survey:
        folder = self._look()
        order = order_of(folder, None, self._first, lambda _: False)
        self.flaws += [what for _, what in order.strangers]
        place, followed = Position(0, 0, genesis(self.trail_id, self.chain)), 0
        for number, part in enumerate(order.parts):
            start = self._start(part, place)
            if start is None:
                break
            last = number == len(order.parts) - 1
            end = self._follow(part, start)
            whole = self._ends_as_it_should(part, end, last=last)
            if end.offset:
                place, followed = end, number + 1
            if not whole:
                break
            if part.ending is not None and part.ending.unsynced_from is not None and end.offset < part.ending.valid_end:
                place = self._behind_what_is_lost(order.parts[number + 1])
        if not self.flaws:
            self._judge_claims()
        highest = max([key[0] for key in (*folder.sizes, *folder.unsafe)], default=0)
        epoch = self.epochs[-1].says.number if self.epochs else 0
        return Survey(tuple(order.parts[:followed]), place, epoch, highest, any(folder.sizes.values()), self.flaws[0] if self.flaws else None)

    def _look(self) -> ChainFolder:
        found = ChainFolder(self.directory.path, sizes := {}, unsafe := {}, [], [])
        for name in self.directory.names():
            key = parse_segment_name(name)
            if key is None:
                continue
            try:
                fd = self.directory.open_file(name, os.O_RDONLY)
            except TrailTampered as error:
                unsafe[key] = str(error)
                continue
            try:
                sizes[key] = self.directory.system.fstat(fd).st_size
            finally:
                self.directory.system.close(fd)
        return found

    def _first(self, key: Key) -> First | None:
        line = self._first_line(key)
        return None if line is None else read_first(line)

    def _first_line(self, key: Key) -> bytes | None:
        fd = self.directory.open_file(segment_name(*key), os.O_RDONLY)
        try:
            for size in (_SHORT, MAX_LINE):
                line, end, _ = read_exactly(self.directory.system, fd, 0, size).partition(b"\n")
                if end:
                    return line + end
        finally:
            self.directory.system.close(fd)
        return None

    def _start(self, part: SegmentPart, place: Position) -> Position | None:
        """Where a segment's lines begin; None, and a flaw, where they cannot follow what lies before."""
        first, begin = part.first, part.key[0]
        if first is not None and first.epoch is not None:
            epoch = self.epochs[-1].says.number if self.epochs else 0
            if begin < place.lines or first.epoch.number <= epoch:
                self.flaws.append(f"epoch {first.epoch.number} begins at seq {begin}, which had been given out before")
                return None
            if first.ending is not None and first.epoch.files != (place.lines, place.hash.hex()):
                self.flaws.append(f"epoch {first.epoch.number} says that the lines before it ended otherwise than they do")
                return None
            self.epochs.append(Epoch(begin, first.epoch))
            return Position(begin, 0, genesis(self.trail_id, self.chain, first.epoch.number))
        if begin != place.lines:
            self.flaws.append(
                f"segment {part.name} begins at seq {begin}, the lines before it end at {place.lines}: a segment is missing or was changed"
            )
            return None
        return Position(place.lines, 0, place.hash)

    def _follow(self, part: SegmentPart, start: Position) -> Position:
        fd = self.directory.open_file(part.name, os.O_RDONLY)
        place = start
        try:
            for line, after in good_lines(reading(self.directory.system, fd), start, min(part.end, part.size)):
                if self.take is not None:
                    self.take(place.lines, line)
                place = after
                self._compare(place)
        finally:
            self.directory.system.close(fd)
        return place

    def _compare(self, place: Position) -> None:
        while self._next < len(self.claims) and self.claims.sorted(self._next).upto <= place.lines:
            claim = self.claims.sorted(self._next)
            if claim.upto and (claim.upto != place.lines or claim.hash != place.hash.hex()):
                self.contradicted.append(self._next)
            self._next += 1

    def _judge_claims(self) -> None:
        """What is spoken of and lies beyond the files is no flaw here: an epoch begins behind it."""
        for number in self.contradicted:
            claim = self.claims.sorted(number)
            if not self.claims.explained(claim, self.epochs):
                self.flaws.append(f"record {claim.upto - 1} is not the one that {claim.source} names")
                return

    def _ends_as_it_should(self, part: SegmentPart, end: Position, *, last: bool) -> bool:
        """Whether a segment is, lines and what follows them, as its successor says; else nothing behind it can be followed."""
        fd = self.directory.open_file(part.name, os.O_RDONLY)
        system = self.directory.system
        try:
            ending = part.ending
            if ending is None:
                rest = read_exactly(system, fd, end.offset, min(part.size - end.offset, MAX_LINE + 1))
                if len(rest) > MAX_LINE or b"\n" in rest or (rest and not last):
                    self.flaws.append(f"the line at seq {end.lines} in segment {part.name} is not the one that was written")
                    return False
                return True
            lost = ending.unsynced_from is not None and end.lines >= ending.unsynced_from[0]
            if end.offset != ending.valid_end and not lost:
                self.flaws.append(f"the line at seq {end.lines} in segment {part.name} is not the one that was written")
                return False
            after = max(0, part.size - ending.valid_end)
            judged = not (ending.aside_bytes and ending.aside_sha256 is None) and not lost
            digest = sha256_of(system, fd, ending.valid_end, part.size).hex() if after and ending.aside_sha256 is not None else None
            if judged and (after != ending.aside_bytes or (digest is not None and digest != ending.aside_sha256)):
                self.flaws.append(f"what follows the lines of segment {part.name} is not what was set aside there")
                return False
            return True
        finally:
            system.close(fd)

    def _behind_what_is_lost(self, following: SegmentPart) -> Position:
        """Where the chain goes on behind lines that a failed sync had named and a crash of the host took."""
        line = self._first_line(following.key)
        place = None if line is None else parse_place(line)
        return Position(following.key[0], 0, bytes.fromhex(place[1].decode("ascii", "replace")) if place is not None else bytes(32))
