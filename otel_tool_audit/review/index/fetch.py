"""
From rows of an index to calls: their lines are read from the trail, folded, and held against the question once more.

What is to be done with many calls is done by helper processes, which read them as well: a thousand calls come back as what was made of them.

Source: ARCHITECTURE.md, D16.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, ClassVar, Final, NamedTuple, TypeVar

from otel_tool_audit.errors import TrailCorrupt
from otel_tool_audit.host.machine import cores
from otel_tool_audit.review.calls.filters import Query
from otel_tool_audit.review.calls.fold import Call, fold
from otel_tool_audit.review.index.unindexed_calls import UnindexedCalls
from otel_tool_audit.review.source.directory import Folder
from otel_tool_audit.review.source.line_cache import Line, Lines, StaleIndexError
from otel_tool_audit.review.source.workers import Pool, Worker

FOLDED: Final = "folded"
"""Stands for the segment of a call that the engine holds; no segment has that name."""
WORTH_HELPERS: Final = 10_000
"""Calls from which on helper processes pay."""
_ROWS: Final = 1_000

Row = tuple[str, str, int, int, int, int]
"""Chain and segment of a call; offset and length in bytes of its first and its last line, which may be one."""
Made = TypeVar("Made")
Lives = Callable[[str], bool]


class Fetch(NamedTuple):
    """
    A piece of work.

    Attributes:
        rows: Which calls.
        query: What they are held against.
        work: What is to be done with them; a function of a module, or a partial one.
    """

    rows: list[Row]
    query: Query
    work: Callable[[list[Call]], Any]


class FetchWorker(Worker):
    """Reads calls, and does something with them."""

    job: ClassVar[Callable[..., Any]] = Fetch

    def __init__(self, root: Folder) -> None:
        super().__init__(root)
        self._lines = Lines(root)

    def close(self) -> None:
        """Close the segments it has open."""
        self._lines.close()
        super().close()

    def do(self, job: Fetch) -> Any:  # noqa: ANN401 - what the work gives
        """
        Do one job.

        Raises:
            StaleIndexError: The trail does not hold these calls.
        """
        # every row is a call that has ended: nobody asks whether its writer lives
        return job.work(list(filter(job.query.matcher(), fold_rows(self._lines, job.rows, lambda _: False))))


class IndexedRows(Iterator[Call]):
    """The calls that an index found, in its order, read as they are asked for; to be gone through once."""

    def __init__(self, root: Folder, lines: Lines, table: Any, query: Query, unindexed: UnindexedCalls, is_alive: Lives) -> None:  # noqa: ANN401 - an Arrow table
        """
        Begin.

        Args:
            root: The trail's directory.
            lines: Reads its lines.
            table: Columns as :data:`Row` has them.
            query: What the calls are held against.
            unindexed: The calls that are no rows of one segment, by the offset in their row.
            is_alive: Tells whether a writer lives.
        """
        self._root = root
        self._lines = lines
        self._table = table
        self._query = query
        self._unindexed = unindexed
        self._is_alive = is_alive
        self._at = 0
        self._next: Iterator[Call] = iter(())

    def __next__(self) -> Call:
        """
        Give the next call.

        Raises:
            TrailCorrupt: The trail was changed since the index looked at it.
        """
        for call in self._next:
            return call
        while rows := self._rows(_ROWS):
            self._next = iter(self._calls(rows))
            for call in self._next:
                return call
        raise StopIteration

    def skip(self, count: int) -> Call | None:
        """Pass over so many calls, of which only the last is read and given; None when there are not so many, or none."""
        if self._query.text is not None or self._at or not count:
            return next(islice(self, count - 1, None), None) if count else None
        self._at = count - 1
        return next(self, None)

    def map_batches(self, work: Callable[[list[Call]], Made], size: int) -> Iterator[Made]:
        """
        Do something with the calls that are left, so many at a time, and give what comes of it, in their order.

        Args:
            work: A function that a helper process can import; it may get fewer calls, and none.
            size: How many calls at a time.

        Raises:
            TrailCorrupt: The trail was changed since the index looked at it.
        """
        if rest := list(self._next):
            yield work(rest)
        with Pool(self._root, cores() if self._table.num_rows - self._at >= WORTH_HELPERS else 1, FetchWorker) as pool:
            yield from self._by_pool(pool, work, size)

    def _by_pool(self, pool: Pool, work: Callable[[list[Call]], Made], size: int) -> Iterator[Made]:
        try:
            while True:
                # what this process holds cannot be read by a helper: it is no line of one segment
                jobs = (Fetch(rows, self._query, work) for rows in iter(lambda: self._rows(size), []))
                own: list[Row] = []

                def for_helpers(jobs: Iterator[Fetch] = jobs, own: list[Row] = own) -> Iterator[Fetch]:
                    for job in jobs:
                        if any(segment == FOLDED for _, segment, *_ in job.rows):
                            own.extend(job.rows)
                            return
                        yield job

                for _, one in pool.imap(for_helpers()):
                    yield one
                if not own:
                    return
                yield work(self._calls(own))
        except StaleIndexError as stale:
            raise self._changed(stale) from stale

    def _rows(self, size: int) -> list[Row]:
        part = self._table.slice(self._at, size)
        self._at += part.num_rows
        return list(zip(*(column.to_pylist() for column in part.columns), strict=True))

    def _calls(self, rows: list[Row]) -> list[Call]:
        read = fold_rows(self._lines, [row for row in rows if row[1] != FOLDED], self._is_alive)
        found = (self._unindexed.call(row[2], self._is_alive) if row[1] == FOLDED else next(read) for row in rows)
        try:
            return list(filter(self._query.matcher(), found))
        except StaleIndexError as stale:
            raise self._changed(stale) from stale

    def _changed(self, stale: StaleIndexError) -> TrailCorrupt:
        return TrailCorrupt(f"{self._root.path} was changed while it was read ({stale}); ask again, or run `otel-tool-audit verify`")


def fold_rows(lines: Lines, rows: list[Row], is_alive: Lives) -> Iterator[Call]:
    """
    Read the lines of calls and fold them.

    Raises:
        StaleIndexError: A line is no record, or of another call.
    """
    places = [
        Line(chain, segment, at, size)
        for chain, segment, first, length, last, longer in rows for at, size in (((first, length),) if first == last else ((first, length), (last, longer)))
    ]  # fmt: skip
    records = lines.records(places)
    for chain, segment, first_at, _, last_at, _ in rows:
        said = [next(records)] if first_at == last_at else [next(records), next(records)]
        ids = {None if record is None else str(record.get("call_id")) for record in said}
        if len(ids) != 1 or None in ids:
            raise StaleIndexError(f"{chain}/{segment} does not hold the calls that the index names")
        yield fold([record for record in said if record is not None]).call(is_alive)
