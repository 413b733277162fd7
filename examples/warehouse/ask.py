"""
Ask exported calls in a warehouse, here DuckDB inside this process or a PostgreSQL server.

    otel-tool-audit export ./audit --format parquet -o ./given
    python examples/warehouse/ask.py ./given
    python examples/warehouse/ask.py ./given postgresql://audit@127.0.0.1:5432/postgres
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import duckdb
import pyarrow.parquet as pq
from pyarrow import csv

Ask = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]
"""Puts SQL, with ? for each value, to a warehouse, and gives the rows."""

MICROSECONDS = "CAST(FLOOR(duration_ms * 1000 + 0.5) AS BIGINT)"
"""Whole numbers add up to the same sum in every engine and in any order."""

TOOLS = f"""
SELECT tool_name,
       COUNT(*) AS calls,
       COUNT(*) FILTER (WHERE status = 'success') AS succeeded,
       COUNT(*) FILTER (WHERE status = 'error') AS failed,
       COUNT(*) FILTER (WHERE status = 'interrupted') AS interrupted,
       SUM({MICROSECONDS}) AS total_us,
       MAX({MICROSECONDS}) AS longest_us,
       PERCENTILE_DISC(0.5) WITHIN GROUP (ORDER BY {MICROSECONDS}) AS p50_us,
       PERCENTILE_DISC(0.95) WITHIN GROUP (ORDER BY {MICROSECONDS}) AS p95_us,
       COUNT(DISTINCT user_id) AS users
FROM calls GROUP BY tool_name ORDER BY calls DESC, tool_name
"""  # noqa: S608 - no value of a caller's is in it
DAYS = """
SELECT SUBSTRING(timestamp, 1, 10) AS day, COUNT(*) AS calls, COUNT(*) FILTER (WHERE status = 'error') AS failed
FROM calls GROUP BY SUBSTRING(timestamp, 1, 10) ORDER BY day
"""
SUBJECT = """
SELECT timestamp, user_id, tool_name, purpose, status FROM calls WHERE subject = ? ORDER BY timestamp, chain, seq
"""
TYPES = {"string": "TEXT", "int64": "BIGINT", "double": "DOUBLE PRECISION", "bool": "BOOLEAN"}
"""PostgreSQL's type of each that the export's columns have."""


@contextmanager
def over_duckdb(given: Path) -> Iterator[Ask]:
    """Ask the files where they are."""
    with duckdb.connect() as database:
        database.read_parquet(str(given / "*.parquet")).create_view("calls")
        yield lambda text, values: database.execute(text, list(values)).fetchall()


@contextmanager
def over_postgresql(given: Path, url: str) -> Iterator[Ask]:
    """Load the files into a table of this connection's, and ask that."""
    from pg8000 import dbapi  # noqa: PLC0415 - DuckDB needs none of it

    where = urlsplit(url)
    login = {"user": unquote(where.username or ""), "password": unquote(where.password or "") or None}
    dbapi.paramstyle = "qmark"
    with closing(dbapi.connect(**login, host=where.hostname, port=where.port or 5432, database=where.path.strip("/"))) as connection:
        cursor = connection.cursor()
        files = [pq.ParquetFile(path) for path in sorted(given.glob("*.parquet"))]
        cursor.execute(f"CREATE TEMPORARY TABLE calls ({', '.join(f'{field.name} {TYPES[str(field.type)]}' for field in files[0].schema_arrow)})")
        for batch in chain.from_iterable(file.iter_batches(10_000) for file in files):
            lines = io.BytesIO()
            # Arrow quotes every text, so that an empty one is told apart from null
            csv.write_csv(batch, lines, csv.WriteOptions(include_header=False))
            lines.seek(0)
            cursor.execute("COPY calls FROM STDIN WITH (FORMAT csv)", stream=lines)

        def ask(text: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
            cursor.execute(text, list(values))
            return [tuple(row) for row in cursor.fetchall()]

        yield ask


def main() -> None:
    """Print what the tools did, day by day, and who saw the subject that most calls are about."""
    given = Path(sys.argv[1])
    with over_postgresql(given, sys.argv[2]) if len(sys.argv) > 2 else over_duckdb(given) as ask:
        for question in (TOOLS, DAYS):
            for row in ask(question, []):
                print(*row, sep="\t")
        for (subject,) in ask("SELECT subject FROM calls WHERE subject IS NOT NULL GROUP BY subject ORDER BY COUNT(*) DESC, subject LIMIT 1", []):
            print(subject)
            for row in ask(SUBJECT, [subject]):
                print(*row, sep="\t")


if __name__ == "__main__":
    main()
