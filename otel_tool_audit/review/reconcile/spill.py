"""
Sorting more than fits in memory: a temporary database that SQLite keeps on disk, under ``TMPDIR``, and removes by itself.

It holds ids, positions, times and hashes; nothing of what a record says. At most :data:`CACHE` of it is in memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any, Final, Self

from otel_tool_audit.review.reconcile.values import Recorded, Seen

CACHE: Final = 64 * 1024
"""KiB of the database that are in memory at once."""

_BATCH: Final = 10_000

_TABLES: Final = """
    CREATE TABLE recorded (call BLOB, chain TEXT, seq INTEGER, hash BLOB, ended INTEGER, at INTEGER, traced INTEGER, sampled INTEGER);
    CREATE TABLE seen (call BLOB, trail TEXT, chain TEXT, seq INTEGER, hash BLOB, trace BLOB, span BLOB, at INTEGER);
    CREATE TABLE joined (call BLOB PRIMARY KEY, one BLOB) WITHOUT ROWID;
"""


class Spill:
    """Two heaps, given back in order."""

    def __init__(self) -> None:
        """Make the database."""
        # the empty name is a private file that is gone when it is closed, or when the process dies
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-{CACHE}; PRAGMA temp_store=FILE;")
        self._database.executescript(_TABLES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Throw it away."""
        self._database.close()

    def put_records(self, records: Iterable[Recorded]) -> None:
        """Take what the trail has."""
        self._put("INSERT INTO recorded VALUES (?,?,?,?,?,?,?,?)", records)

    def put_spans(self, spans: Iterable[Seen]) -> None:
        """Take what the backend has."""
        self._put("INSERT INTO seen VALUES (?,?,?,?,?,?,?,?)", spans)

    def join(self, names: dict[bytes, bytes]) -> None:
        """Let several ids stand for one call: each of *names* for the one it leads to."""
        self._put("INSERT INTO joined VALUES (?,?)", names.items())

    def records(self) -> Iterator[tuple[bytes, Recorded]]:
        """Give the records by call, each call's in written order."""
        for key, *row in self._sorted("recorded", "chain, seq"):
            call, chain, seq, digest, ended, at, traced, sampled = row
            yield key, Recorded(call, chain, seq, digest, bool(ended), at, bool(traced), bool(sampled))

    def spans(self) -> Iterator[tuple[bytes, Seen]]:
        """Give the spans by call."""
        for key, *row in self._sorted("seen", "at, span"):
            yield key, Seen(*row)

    def moments(self, step: int) -> list[int]:
        """
        Tell when the trail's records were written, in order, of *step* records one.

        Args:
            step: So many records lie between two moments, which are in nanoseconds.
        """
        rows = self._database.execute("SELECT at FROM (SELECT at, row_number() OVER (ORDER BY at) AS n FROM recorded) WHERE n % ? = 0", (step,))
        return [row[0] for row in rows]

    def _put(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        self._database.execute("BEGIN")
        self._database.executemany(statement, rows)
        self._database.execute("COMMIT")

    def _sorted(self, table: str, then: str) -> Iterator[tuple[Any, ...]]:
        cursor = self._database.cursor()
        cursor.arraysize = _BATCH
        cursor.execute(
            f"SELECT ifnull(joined.one, t.call), t.* FROM {table} AS t LEFT JOIN joined ON joined.call = t.call ORDER BY 1, {then}"  # noqa: S608 - names of this module
        )
        while rows := cursor.fetchmany():
            yield from rows
