"""
Answering from the index: DuckDB over copies of sealed segments, the open segments as they are, and the calls that need folding.

What is answered with are the trail's own lines: the index only tells which, and each call is folded and held against the question again.
Counting alone believes the copies, and only those that :mod:`~otel_tool_audit.review.index.store` vouches for, before and after.

Source: ARCHITECTURE.md, D16.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import count, islice
from typing import Any, Final

import duckdb

from otel_tool_audit.host.machine import cores
from otel_tool_audit.review.calls.filters import Query
from otel_tool_audit.review.calls.fold import Call
from otel_tool_audit.review.calls.ordering import Order
from otel_tool_audit.review.calls.stream import ids_of
from otel_tool_audit.review.index import database, sql
from otel_tool_audit.review.index.columns import arrow, row
from otel_tool_audit.review.index.extract import KEPT, ROW
from otel_tool_audit.review.index.fetch import FOLDED, IndexedRows
from otel_tool_audit.review.index.open_segments import OpenSegment
from otel_tool_audit.review.index.store import Copy, Index, IndexedSegment, to_table
from otel_tool_audit.review.index.unindexed_calls import RecordRef, UnindexedCalls
from otel_tool_audit.review.source import segments
from otel_tool_audit.review.source.directory import Folder, UnsafeFileError
from otel_tool_audit.review.source.line_cache import Line, Lines, StaleIndexError

_SORTED: Final = frozenset({"call_id", "status", *KEPT})
_TIE: Final = ("chain", "first_seq")
_PLACE: Final = "chain, segment, first_at, first_bytes, last_at, last_bytes"
_TRIES: Final = 3
_AT_ONCE: Final = 2_000
_MEMORY: Final = "1GB"


class Engine:
    """
    Answers questions to one trail.

    Attributes:
        unreadable: Lines that are no records.
    """

    def __init__(
        self, root: Folder, index: Index, extents: Callable[[], dict[str, list[segments.Extent]]], is_alive: Callable[[str], bool],
    ) -> None:  # fmt: skip
        """
        Make an engine.

        Args:
            root: The trail's directory; stays the caller's.
            index: Copies of its sealed segments.
            extents: Gives every chain's segments as they are now.
            is_alive: Tells whether a writer lives.
        """
        self._root = root
        self._index = index
        self._extents = extents
        self._is_alive = is_alive
        self._open: dict[str, OpenSegment] = {}
        self._lines = Lines(root)
        self._unindexed = UnindexedCalls((), self._lines)
        self._copies: list[Copy] = []
        self._loose: list[RecordRef] = []
        self._without = ""
        self._state: Any = None
        self._living: tuple[bool, ...] | None = None
        self._unread = 0
        self._process = os.getpid()
        self.unreadable = 0
        self._database = _connected()

    @property
    def usable(self) -> bool:
        """Whether it is this process's own: a child of the process that made it makes another one."""
        return self._process == os.getpid()

    def close(self) -> None:
        """Close it."""
        if self.usable:
            self._database.close()
        self._lines.close()

    @staticmethod
    def sorts(order: Order) -> bool:
        """Tell whether it can give calls in an order; else they are sorted after they were folded."""
        return order.by in _SORTED and sql.sortable(order)

    def calls(self, query: Query, order: Order) -> IndexedRows:
        """
        Give the calls that match, in an order that it knows; the text of arguments is looked at after the limit was taken.

        Raises:
            StaleIndexError: The trail's files do not hold what the index says, though it was made anew.
        """
        asked = sql.select(_PLACE, replace(query, text=None), order, _TIE)
        table = self._stable(lambda: self._database.sql(asked.text, params=asked.parameters).to_arrow_table())
        return IndexedRows(self._root, self._lines, table, query, self._unindexed, self._is_alive)

    def ask(self, *asked: sql.SqlQuestion) -> list[list[tuple[Any, ...]]]:
        """
        Put questions to the same state of the trail, and give their rows.

        Raises:
            StaleIndexError: As :meth:`calls`.
        """
        found: list[list[tuple[Any, ...]]] = self._stable(lambda: [self._database.execute(*one).fetchall() for one in asked])
        return found

    def events(self) -> Iterator[dict[str, Any]]:
        """Give the records of the trail's own life, of all chains, as of the last question; a line that is none counts as unreadable."""
        for copy in self._copies:
            yield from self._records(copy.segment.chain, copy.segment.name, copy.events)
        for segment in self._open.values():
            yield from self._records(segment.chain, segment.name, segment.found.events)

    def _records(self, chain: str, segment: str, places: Iterable[tuple[int, int]]) -> Iterator[dict[str, Any]]:
        for at, size in places:
            record = self._lines.record(Line(chain, segment, at, size))
            if record is not None:
                yield record
            else:
                self.unreadable += 1

    def _stable(self, ask: Callable[[], Any]) -> Any:  # noqa: ANN401 - what *ask* gives
        # Believed only if every copy is afterwards still the file that it was before: DuckDB opens copies by their paths, so whoever
        # may write the cache could put another one there between our look and its reading.
        for _ in range(_TRIES):
            try:
                self.refresh()
                found = ask()
            except (FileNotFoundError, UnsafeFileError) as error:
                raise StaleIndexError(f"no index: {error}") from error
            except duckdb.Error:
                # of copies that were changed meanwhile any error may come; of copies that were not, it is ours
                if self._index.unchanged(self._copies):
                    raise
                continue
            if self._index.unchanged(self._copies):
                return found
        raise StaleIndexError("the index changes while it is read")

    # --- what a question is put to

    def refresh(self, progress: Callable[[int, int], None] | None = None) -> None:
        """
        Look at the trail as it is now: copy segments that were sealed, read on in those that are open.

        Args:
            progress: Told of segments copied and to copy.
        """
        # First of all: what is sealed or appended after this look is not in the answer, and nothing is in it twice.
        extents = self._extents()
        sealed = [IndexedSegment(chain, extent.part.name, extent.end) for chain, found in extents.items() for extent in found[:-1]]
        copies = self._index.copies(sealed, cores(), progress)
        opened = {chain: self._open_segment(chain, found[-1]) for chain, found in extents.items() if found}
        state = ([(copy.segment, copy.stamp) for copy in copies], [(segment.chain, segment.name, segment.at) for segment in opened.values()])
        if state == self._state:
            self._publish_folded()
            return
        if [(copy.segment, copy.stamp) for copy in copies] != [(copy.segment, copy.stamp) for copy in self._copies]:
            # a segment that was put in another one's place must not be read through the old one's descriptor
            self._lines.close()
            if self._copies:
                # what was remembered of files that are gone is forgotten with it
                self._database.close()
                self._database = _connected()
            self.unreadable = 0
            self._loose = [ref for copy in copies for ref in self._refs(copy.segment.chain, copy.segment.name, copy.loose)]
            self._unread = self.unreadable
        self._copies, self._open = copies, opened
        self._publish_rows()
        self.unreadable = self._unread
        self._fold_the_rest()
        # last: if anything above failed, the next question begins anew
        self._state = state

    def _open_segment(self, chain: str, extent: segments.Extent) -> OpenSegment:
        known = self._open.get(chain)
        with self._root.folder(chain) as folder:
            if known is not None and known.name == extent.part.name and known.read_on(folder, extent.end):
                return known
            segment = OpenSegment(chain, extent.part.name)
            segment.read_on(folder, extent.end)
            return segment

    def _publish_rows(self) -> None:
        """Make the view of whole calls: those of the copies and those of the open segments."""
        parts = [to_table(segment.found.columns, segment.chain, segment.name) for segment in self._open.values()]
        self._database.register("open_rows", arrow().concat_tables(parts) if parts else to_table([()] * len(ROW), "", ""))
        view = "SELECT * FROM open_rows"
        if any(copy.rows for copy in self._copies):
            paths = ", ".join(_quoted(copy.path) for copy in self._copies if copy.rows)
            view += f" UNION ALL SELECT * FROM read_parquet([{paths}], hive_partitioning=false)"  # noqa: S608 - paths of ours, quoted
        self._database.execute(f"CREATE OR REPLACE TEMP VIEW whole AS {view}")

    def _fold_the_rest(self) -> None:
        """Fold the calls that are no rows: by their loose lines, and the lines of rows that turn out to belong to them."""
        loose = list(self._loose)
        for opened in self._open.values():
            # also starts that still wait for their end: it may stand in a segment to come
            loose += self._refs(opened.chain, opened.name, sorted((*opened.found.loose, *opened.found.waiting())))
        ids = sorted(set().union(*map(ids_of, loose)) | self._in_several_segments())
        rows = self._database.execute(
            f"SELECT call_id, {_PLACE} FROM whole WHERE call_id IN (SELECT unnest(?::VARCHAR[]))", [ids]  # noqa: S608 - names of ours
        ).fetchall() if ids else []  # fmt: skip
        for _, chain, segment, first_at, first_bytes, last_at, last_bytes in rows:
            places = {(first_at, first_bytes), (last_at, last_bytes)}
            refs = list(self._refs(chain, segment, places))
            if len(refs) != len(places):
                raise StaleIndexError(f"{chain}/{segment} does not hold what the index says")
            loose += refs
        self._unindexed = UnindexedCalls(loose, self._lines)
        taken = sorted({row[0] for row in rows})
        self._database.execute("CREATE OR REPLACE TEMP TABLE taken AS SELECT unnest(?::VARCHAR[]) AS id", [taken])
        self._without = " WHERE call_id NOT IN (SELECT id FROM taken)" if taken else ""
        self._living = None
        self._publish_folded()

    def _refs(self, chain: str, segment: str, places: Iterable[tuple[int, int]]) -> Iterator[RecordRef]:
        """Read lines, and keep what tells which call they are of; a line that is no record counts as unreadable."""
        for at, size in places:
            line = Line(chain, segment, at, size)
            record = self._lines.record(line)
            if record is not None:
                yield RecordRef(record, line)
            else:
                self.unreadable += 1

    def _in_several_segments(self) -> set[str]:
        """List the calls that are rows of several segments."""
        found = self._database.execute("SELECT call_id FROM whole GROUP BY call_id HAVING COUNT(*) > 1").fetchall()
        return {row[0] for row in found}

    def _publish_folded(self) -> None:
        """Make the table of folded calls and the view that questions go to; anew when a writer died since."""
        # only a call without an end depends on who lives, and there are few of them; all the rest is as it was
        living = tuple(map(self._is_alive, self._unindexed.open))
        if living == self._living:
            return
        self._database.register("folded_rows", arrow().concat_tables(_tables(self._unindexed.calls(self._is_alive))))
        self._database.execute(
            f"CREATE OR REPLACE TEMP VIEW calls AS SELECT * FROM whole{self._without} UNION ALL SELECT * FROM folded_rows"  # noqa: S608 - names of ours
        )
        self._living = living


def _connected() -> Any:  # noqa: ANN401 - a DuckDB connection
    found = database.connect(_MEMORY, threads=str(cores()))
    # what a question reads is named by us, and by nobody else; a copy that changes is noticed by us, and read by another database
    for setting in ("autoinstall_known_extensions=false", "autoload_known_extensions=false", "parquet_metadata_cache=true"):
        found.execute(f"SET {setting}")
    return found


def _tables(calls: Iterator[Call]) -> Iterator[Any]:
    """Make rows of calls, some thousands at a time: Arrow tables, at least one."""
    rows = map(_row, calls, count())
    while True:
        part = list(islice(rows, _AT_ONCE))
        chains, *columns = list(zip(*part, strict=True)) or [()] * (1 + len(ROW))
        table = to_table(columns, "", FOLDED)
        at = table.schema.get_field_index("chain")
        yield table.set_column(at, "chain", arrow().array(chains, table.schema.field(at).type))
        if len(part) < _AT_ONCE:
            return


def _row(call: Call, number: int) -> tuple[Any, ...]:
    """Give the chain of a call's first record, and the values of its row."""
    fitting = row(call)
    first = call["records"][0]
    return (first["chain"], *(fitting[name] for name in ROW[: len(KEPT) + 2]), first["seq"], number, 0, call["seq"], number, 0)


def _quoted(path: str) -> str:
    return "'" + path.replace("'", "''") + "'"
