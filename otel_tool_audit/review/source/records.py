"""
Reading a trail's files: its chains, its records, and the calls that they fold to.

Reading is not checking: what is shown here is what the files hold. Whether that is what was written, :func:`~otel_tool_audit.review.verify.verifier.verify` tells.

Source: FORMAT.md.
"""

from __future__ import annotations

import contextlib
import heapq
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from otel_tool_audit.errors import RecordCorrupt, TrailCorrupt
from otel_tool_audit.format.events import AMENDED
from otel_tool_audit.format.names import PRIVATE_STATE, valid_chain, valid_trail_id
from otel_tool_audit.host.machine import cores
from otel_tool_audit.review.calls.fold import Call, Folding
from otel_tool_audit.review.calls.stream import Amendments, foldings, ids_of
from otel_tool_audit.review.source import segments
from otel_tool_audit.review.source.directory import Folder, UnsafeFileError
from otel_tool_audit.review.source.opened import OpenedTrail
from otel_tool_audit.review.source.workers import Pool, Worker

AMENDED_TEXT: Final = b'"event":"' + AMENDED.encode() + b'"'


WORTH_HELPERS: Final = 64 << 20
"""Bytes from which on helper processes pay for their start."""


class Cursor(NamedTuple):
    """
    How far a chain was read.

    Attributes:
        segment: First seq and attempt of the segment.
        offset: Bytes of it.
    """

    segment: tuple[int, int]
    offset: int


class Piece(NamedTuple):
    """
    A part of a segment that holds whole lines.

    Attributes:
        chain: The chain.
        name: The segment's file.
        start: First byte.
        stop: The byte after the last.
    """

    chain: str
    name: str
    start: int
    stop: int


_BEGINNING: Final = Cursor((-1, 0), 0)


class TrailRecords:
    """
    What the files of an opened trail hold: chains, lines, records, and single calls.

    It works while writers write, on read-only media and on copies; it takes no lock and writes nothing.

    Attributes:
        trail: The trail; stays the caller's.
        trail_id: 32 hex digits, as ``trail.json`` said when the trail was opened: what is read stays what was opened.
        unreadable: How many lines were passed over because they are no records; ``verify`` says which and why.
        notes: What cannot be told from here, and why.
    """

    def __init__(self, trail: OpenedTrail) -> None:
        """
        Read an opened trail.

        Args:
            trail: Stays the caller's.

        Raises:
            TrailCorrupt: There is no trail.
            UnsupportedFormat: A newer version wrote it.
        """
        self.trail = trail
        self.trail_id = trail.document.trail_id
        self.unreadable = 0
        self.notes: list[str] = []
        if trail.state.trouble:
            self.note(f"{trail.state.trouble}: calls without an end are shown as interrupted, whether they still run cannot be told")

    def note(self, text: str) -> None:
        """Say once what cannot be told."""
        if text not in self.notes:
            self.notes.append(text)

    def chains(self) -> list[str]:
        """List the chains, by name."""
        found = []
        for name in self.trail.root.names():
            if name != PRIVATE_STATE and valid_chain(name):
                with contextlib.suppress(FileNotFoundError, UnsafeFileError), self.trail.root.folder(name):
                    found.append(name)
        return found

    def records(self, chain: str | None = None, *, deep: bool = False) -> Iterator[dict[str, Any]]:
        """
        Give all records of one chain, or of all chains ordered by time.

        Args:
            chain: Its name; None for all. Order across chains is presentation, not evidence.
            deep: Check each line's hash, too.

        Yields:
            A record as it stands in its line, with ``chain`` added. Events and keys that this version does not know are kept.

        Raises:
            TrailCorrupt: There is no such chain; or, with *deep*, a line's hash does not hold.
        """
        if chain is not None:
            if chain not in self.chains():
                message = f"{self.trail.path} has no chain {chain!r}; there are: {', '.join(self.chains())}"
                raise TrailCorrupt(message)
            return self._chain(chain, deep=deep)
        every = [self._chain(name, deep=deep) for name in self.chains()]
        return heapq.merge(*every, key=lambda record: str(record.get("timestamp")))

    def lines(self, chain: str) -> Iterator[bytes]:
        """
        Give the lines of one chain as they stand in its files, without their LF; what is no record is among them.

        Args:
            chain: Its name.

        Raises:
            TrailCorrupt: The chain cannot be read.
        """
        with self.folder(chain) as folder:
            for extent in self.extents(folder, chain):
                yield from segments.lines(folder, extent)

    def pieces(self, chain: str, size: int) -> Iterator[Piece]:
        """
        Cut one chain into pieces that helpers can read, each of whole lines, in order.

        Args:
            chain: Its name.
            size: Bytes that a piece has at least; the last one of a segment may have fewer.

        Raises:
            TrailCorrupt: The chain cannot be read.
        """
        with self.folder(chain) as folder:
            for extent in self.extents(folder, chain):
                with folder.opened(extent.part.name) as descriptor:
                    start = 0
                    while start < extent.end:
                        stop = segments.line_end(descriptor, min(start + size, extent.end), extent.end)
                        yield Piece(chain, extent.part.name, start, stop)
                        start = stop

    def pool(self, worker: type[Worker], size: int) -> Pool:
        """
        Give who does work beside this reader: a helper process for each core, where it is worth it.

        Args:
            worker: Who does the jobs.
            size: How many bytes there are to read.
        """
        return Pool(self.trail.root, cores() if size >= WORTH_HELPERS else 1, worker)

    def record(self, chain: str, seq: int) -> dict[str, Any] | None:
        """
        Give one record by its address; None when there is none.

        Args:
            chain: The chain's name.
            seq: The record's position in it.
        """
        line = self.line(chain, seq)
        record = None if line is None else segments.parse(line)
        return None if record is None else {**record, "chain": chain}

    def line(self, chain: str, seq: int) -> bytes | None:
        """
        Give a record's line as it stands in its file, without its LF; None when there is none.

        Args:
            chain: The chain's name.
            seq: The record's position in it.
        """
        with self.finding() as find:
            return find(chain, seq)

    @contextlib.contextmanager
    def finding(self) -> Iterator[Callable[[str, int], bytes | None]]:
        """Give a function for many addresses that finds what :meth:`line` finds, each chain as it stood when it was first asked for."""
        with contextlib.ExitStack() as opened:
            chains = set(self.chains())
            known: dict[str, tuple[Folder, list[segments.Extent]]] = {}

            def find(chain: str, seq: int) -> bytes | None:
                if chain not in known:
                    if chain not in chains:
                        return None
                    folder = opened.enter_context(self.folder(chain))
                    known[chain] = folder, self.extents(folder, chain)
                return segments.find(*known[chain], seq)

            yield find

    def appended(self, marks: dict[str, Cursor]) -> Iterator[dict[str, Any]]:
        """
        Give the records that were written since somebody last looked, chain by chain.

        Args:
            marks: How far each chain was read, moved on as records are given; a chain that is not in it is read from its beginning.
        """
        for chain in self.chains():
            with self.folder(chain) as folder:
                for extent in self.extents(folder, chain):
                    mark = marks.get(chain, _BEGINNING)
                    if extent.part.key < mark.segment:
                        continue
                    at = mark.offset if extent.part.key == mark.segment else 0
                    for line in segments.lines(folder, extent, at):
                        at += len(line) + 1
                        marks[chain] = Cursor(extent.part.key, at)
                        record = segments.parse(line)
                        if record is not None:
                            yield {**record, "chain": chain}

    def ends(self) -> dict[str, Cursor]:
        """Tell where each chain ends now, for :meth:`appended`."""
        found: dict[str, Cursor] = {}
        for chain in self.chains():
            with self.folder(chain) as folder:
                for extent in self.extents(folder, chain):
                    found[chain] = Cursor(extent.part.key, extent.end)
        return found

    def call(self, call_id: str) -> Call | None:
        """
        Give one call by any of its ids; None when there is none.

        Args:
            call_id: 32 hex digits.
        """
        if not valid_trail_id(call_id):
            return None
        wanted, known = {call_id}, set[str]()
        found: list[dict[str, Any]] = []
        while wanted != known:
            known = set(wanted)
            found = [r for r in self.with_text([i.encode() for i in sorted(wanted)]) if wanted & ids_of(r)]
            wanted = wanted.union(*map(ids_of, found))
        if not found:
            return None
        folding = Folding(_joined_id(found))
        for record in found:
            folding.add(record)
        self.trail.state.forget_the_living()
        return folding.call(self.trail.state.is_alive)

    def foldings(self) -> Iterator[Folding]:
        """Fold all records; hold a call back until every call that started before it has ended, within the window."""
        return foldings(self.records(), Amendments(self.with_text([AMENDED_TEXT])))

    def with_text(self, texts: list[bytes]) -> Iterator[dict[str, Any]]:
        """Give the records whose lines hold one of *texts*, ordered by time, without parsing any other."""

        def within(name: str) -> Iterator[dict[str, Any]]:
            with self.folder(name) as folder:
                for extent in self.extents(folder, name):
                    for line in segments.lines(folder, extent):
                        record = segments.parse(line) if any(text in line for text in texts) else None
                        if record is not None:
                            yield {**record, "chain": name}

        return heapq.merge(*map(within, self.chains()), key=lambda record: str(record.get("timestamp")))

    def _chain(self, chain: str, *, deep: bool) -> Iterator[dict[str, Any]]:
        with self.folder(chain) as folder:
            for extent in self.extents(folder, chain):
                for line in segments.lines(folder, extent):
                    if deep and not segments.holds(line):
                        message = f"a line of {chain}/{extent.part.name} does not hold ({segments.show(line)}); run `otel-tool-audit verify`"
                        raise RecordCorrupt(message)
                    record = segments.parse(line)
                    if record is None:
                        self.unreadable += 1
                        continue
                    record["chain"] = chain
                    yield record

    def folder(self, chain: str) -> Folder:
        """
        Open a chain's directory.

        Args:
            chain: Its name.

        Raises:
            TrailCorrupt: It cannot be opened.
        """
        try:
            return self.trail.root.folder(chain)
        except (FileNotFoundError, UnsafeFileError) as error:
            message = f"chain {chain} of {self.trail.path} cannot be read ({error}); run `otel-tool-audit verify`"
            raise TrailCorrupt(message) from error

    def extents(self, folder: Folder, chain: str) -> list[segments.Extent]:
        """
        Tell what there is to read of a chain now.

        Args:
            folder: Its directory.
            chain: Its name.
        """
        return segments.extents(folder, self.trail.head_view(self.trail_id, chain))

    def all_extents(self) -> dict[str, list[segments.Extent]]:
        """Tell what there is to read of every chain now."""
        found = {}
        for chain in self.chains():
            with self.folder(chain) as folder:
                found[chain] = self.extents(folder, chain)
        return found


def _joined_id(found: list[dict[str, Any]]) -> str:
    """The id of a call: that of its amendment when ids were joined, else its only one."""
    return min((str(r["call_id"]) for r in found if r.get("event") == AMENDED), default=str(found[0]["call_id"]))
