"""
SQL that somebody wrote, put to a trail: it reads the tables ``calls`` and ``records``, and can do nothing else.

The tables are filled before the text is looked at, in a database of its own in memory that then cannot open files, reach the network, load
code, see this process's variables or change its own settings; it is bounded in rows, time, and memory as DuckDB counts it. One huge value
(``repeat('x', 3000000000)``) it does not count: the command bounds its whole process.

Source: ARCHITECTURE.md, R13.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, Self

from otel_tool_audit.errors import SettingsError
from otel_tool_audit.extras import optional
from otel_tool_audit.review.calls.filters import as_text
from otel_tool_audit.review.index import columns

MEMORY: Final = "2GB"
NEEDS_DUCKDB: Final = "SQL needs DuckDB: pip install 'otel-tool-audit[query]'"
SECONDS: Final = 60.0
ROWS: Final = 100_000

_LOCKS: Final = (
    "SET enable_external_access = false", "SET autoinstall_known_extensions = false", "SET autoload_known_extensions = false",
    "SET allow_community_extensions = false", "SET allow_unsigned_extensions = false", "SET python_enable_replacements = false",
    "SET lock_configuration = true",
)  # fmt: skip
"""The last one locks the others."""
_RECORDS: Final = 10_000


class Rows(NamedTuple):
    """
    What a question in SQL was answered with.

    Attributes:
        names: Of the columns.
        rows: Their values, row by row.
    """

    names: tuple[str, ...]
    rows: list[tuple[Any, ...]]


class Sandbox:
    """A database with the tables ``calls`` and ``records``, for whoever writes SQL."""

    def __init__(self, calls: Iterable[Mapping[str, Any]], records: Iterable[Mapping[str, Any]]) -> None:
        """
        Fill the tables.

        Args:
            calls: For ``calls``, columns as :data:`~otel_tool_audit.review.index.columns.COLUMNS` names them.
            records: For ``records``: ``chain``, ``seq``, ``event``, ``call_id``, ``timestamp``, ``hash``, and the whole ``record`` as JSON.

        Raises:
            SettingsError: DuckDB or pyarrow is not installed, or the tables do not fit into memory.
            TrailUnreadable: What fills them could not be read; likewise every other error of it.
        """
        duckdb = optional("duckdb", NEEDS_DUCKDB)
        from otel_tool_audit.review.index import database  # noqa: PLC0415 - needs it

        self._duckdb = duckdb
        self._database = database.connect(MEMORY)
        pa = columns.arrow()
        try:
            self._fill("calls", columns.schema(), columns.batches(calls))
            fields = pa.schema([pa.field(name, pa.int64() if name == "seq" else pa.string()) for name in _RECORD_COLUMNS])
            self._fill("records", fields, _record_batches(records, fields))
        except duckdb.OutOfMemoryException as error:
            raise SettingsError(f"so many calls do not fit into {MEMORY} of memory; ask for fewer, with --since or another filter") from error
        for lock in _LOCKS:
            self._database.execute(lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Throw the tables away."""
        self._database.close()

    def ask(self, text: str) -> Rows:
        """
        Answer a question.

        Args:
            text: One ``SELECT``.

        Raises:
            SettingsError: It is no such thing, is wrong, or takes more memory, time or rows than it may.
        """
        duckdb = self._duckdb
        timer = threading.Timer(SECONDS, self._database.interrupt)
        try:
            statements = duckdb.extract_statements(text)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise SettingsError("only one statement that reads is answered: SELECT … FROM calls (or records)")
            timer.start()
            found = self._database.execute(statements[0])
            names = tuple(str(column[0]) for column in found.description or ())
            rows = found.fetchmany(ROWS + 1)
        except duckdb.InterruptException as error:
            raise SettingsError(f"the question took longer than {SECONDS:.0f} s and was stopped; ask for less") from error
        except (duckdb.OutOfMemoryException, MemoryError) as error:
            raise SettingsError("the question takes more memory than it may; ask for less") from error
        except (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException) as error:
            # of the text alone, but for the names that it proposes, which a PIVOT makes of values
            lines = [line for line in str(error).split("\n") if not line.startswith("Candidate")]
            raise SettingsError("\n".join(["SQL: " + lines[0], *lines[1:]])) from None
        except duckdb.Error as error:
            # these name the value that did not fit, and with `error(user_id)` any value: an answer that is off the record
            kind = type(error).__name__.removesuffix("Exception")
            raise SettingsError(f"SQL: the question failed while it was answered ({kind} error); values are not shown in errors") from None
        finally:
            timer.cancel()
        if len(rows) > ROWS:
            raise SettingsError(f"the answer has more than {ROWS:,} rows; add LIMIT, or use `export`")
        return Rows(names, rows)

    def _fill(self, name: str, schema: Any, batches: Iterable[Any]) -> None:  # noqa: ANN401 - of Arrow
        failed: list[Exception] = []
        reader = columns.arrow().RecordBatchReader.from_batches(schema, _noting(batches, failed))
        self._database.register("incoming", reader)
        try:
            self._database.execute(f"CREATE TABLE {name} AS SELECT * FROM incoming")  # noqa: S608 - names of ours
        except self._duckdb.Error:
            # the database knows of a reading that failed only that it did; why, the reader said
            if failed:
                raise failed[0] from None
            raise
        self._database.unregister("incoming")


def _noting(batches: Iterable[Any], failed: list[Exception]) -> Iterable[Any]:
    """Pass on what is read, and keep the error that ended it."""
    try:
        yield from batches
    except Exception as error:
        failed.append(error)
        raise


_RECORD_COLUMNS: Final = ("chain", "seq", "event", "call_id", "timestamp", "hash", "record")


def _record_batches(records: Iterable[Mapping[str, Any]], schema: Any) -> Iterable[Any]:  # noqa: ANN401 - of Arrow
    pa = columns.arrow()
    rows: list[dict[str, Any]] = []
    for record in records:
        known = {name: record.get(name) for name in _RECORD_COLUMNS[:-1]}
        fitting = {name: value if columns.fits(value, columns.INTEGER if name == "seq" else columns.TEXT) else None for name, value in known.items()}
        rows.append({**fitting, "record": as_text(record)})
        if len(rows) >= _RECORDS:
            yield pa.RecordBatch.from_pylist(rows, schema=schema)
            rows = []
    yield pa.RecordBatch.from_pylist(rows, schema=schema)
