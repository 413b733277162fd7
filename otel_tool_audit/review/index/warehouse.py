"""
The same questions, put to exported calls in a warehouse: PostgreSQL, ClickHouse, Trino, Spark.

The questions are those of :mod:`~otel_tool_audit.review.index.sql`, translated by sqlglot; values are parameters there, too. The table is what
``export --format parquet`` or ``TrailReader.calls().arrow()`` gives: columns as :data:`~otel_tool_audit.review.index.columns.COLUMNS` names them.
What a warehouse holds is a copy: it answers, it proves nothing.

Source: ARCHITECTURE.md, R13 to R16.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Self, Unpack, cast

from otel_tool_audit.errors import AuditError, SettingsError
from otel_tool_audit.review.calls import statistics
from otel_tool_audit.review.calls.filters import CommonFilters, Filters, nearest
from otel_tool_audit.review.calls.ordering import Order
from otel_tool_audit.review.calls.values import Count, ToolStatistics
from otel_tool_audit.review.index import sql, sql_results
from otel_tool_audit.review.index.columns import COLUMNS
from otel_tool_audit.review.source.state import StateView
from otel_tool_audit.review.source.subjects import query_of
from otel_tool_audit.settings import STATELESS, state_directory

Run = Callable[[str, Sequence[Any]], Sequence[Sequence[Any]]]
"""Puts SQL with ``?`` for each value to a warehouse, and gives the rows."""

_SORTED: Final = "arrayElement(arraySort(groupArray({value})), greatest(1, toUInt32(ceil({part} * count({value})))))"
_PERCENTILES: Final = {
    "clickhouse": f"CASE WHEN count({{value}}) > 0 THEN {_SORTED} END",
    "trino": "ELEMENT_AT(ARRAY_SORT(ARRAY_AGG({value}) FILTER (WHERE {value} IS NOT NULL)), CAST(CEIL({part} * COUNT({value})) AS INTEGER))",
    "spark": "CASE WHEN COUNT({value}) > 0 THEN ELEMENT_AT(SORT_ARRAY(COLLECT_LIST({value})), CAST(CEIL({part} * COUNT({value})) AS INT)) END",
}
_PERCENTILES["databricks"] = _PERCENTILES["spark"]
"""Nearest rank where the engine has no ``PERCENTILE_DISC``."""
_DIALECTS: Final = {
    "postgresql": "postgres",
    "clickhouse": "clickhouse",
    "clickhousedb": "clickhouse",
    "trino": "trino",
    "sc": "spark",
    "databricks": "databricks",
}
_TABLE: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*){0,2}")
_VALUE: Final = "value_that_was_given"
_TIE: Final = ("chain", "seq")


class Warehouse:
    """Exported calls in a warehouse."""

    def __init__(self, run: Run, dialect: str, table: str = "calls") -> None:
        """
        Use a connection.

        Args:
            run: Puts SQL to it.
            dialect: Its SQL, as sqlglot names it: ``postgres``, ``clickhouse``, ``trino``, ``spark``, ``duckdb``.
            table: Where the calls are: a name, with its schema and catalog if need be.

        Raises:
            SettingsError: That is no name of a table, or sqlglot is not installed.
        """
        try:
            import sqlglot  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise SettingsError("warehouses need sqlglot: pip install 'otel-tool-audit[warehouse]'") from error
        if not _TABLE.fullmatch(table):
            raise SettingsError(f"{table!r} is no name of a table: write NAME, SCHEMA.NAME or CATALOG.SCHEMA.NAME")
        self._sqlglot = sqlglot
        self._run = run
        self._dialect = dialect
        self._table = table

    @classmethod
    def connect(cls, url: str, table: str = "calls") -> Self:
        """
        Connect by URL.

        Args:
            url: Of SQLAlchemy (``postgresql+pg8000://…``, ``clickhouse+…``, ``trino://…``; the driver must be installed), or of a Spark
                Connect server (``sc://HOST:PORT``; pyspark must be installed).
            table: As for the class.

        Raises:
            SettingsError: There is no such warehouse, or its driver is not installed.
            AuditError: It cannot be reached.
        """
        scheme = url.partition(":")[0].partition("+")[0]
        if scheme not in _DIALECTS:
            raise SettingsError(f"there is no warehouse {scheme!r}; there are: {', '.join(nearest(scheme, _DIALECTS))}")
        return cls(_spark(url) if scheme == "sc" else _sqlalchemy(url), _DIALECTS[scheme], table)

    def calls(
        self, *, order_by: str | None = None, descending: bool = False, limit: int | None = None, **filters: Unpack[Filters]
    ) -> Iterator[dict[str, Any]]:
        """
        Give the calls that match, as rows of :data:`~otel_tool_audit.review.index.columns.COLUMNS`; objects and lists are JSON text.

        Args:
            order_by: A field, as for :meth:`TrailReader.calls`; text is compared as the warehouse does.
            descending: The largest first.
            limit: At most so many.
            filters: As for :meth:`TrailReader.calls`; ``running`` is what was so when the calls were exported.

        Raises:
            SettingsError: A filter cannot be understood.
        """
        order = Order.of(order_by, None, limit, descending=descending)
        asked = sql.select(", ".join(COLUMNS), query_of(filters, self._state()), order, _TIE)
        return (dict(zip(COLUMNS, row, strict=True)) for row in self._ask(asked))

    def statistics(self, *, every: str | None = None, **filters: Unpack[Filters]) -> tuple[ToolStatistics, tuple[ToolStatistics, ...]]:
        """Count calls, as :meth:`TrailReader.statistics` does."""
        statistics.stretch(every)
        asked = sql_results.statistics_questions(query_of(filters, self._state()), every, _PERCENTILES.get(self._dialect, sql.PERCENTILE))
        return sql_results.statistics([self._ask(one) for one in asked])

    def tool_statistics(self, tool: str | None = None, *, every: str | None = None, **filters: Unpack[CommonFilters]) -> ToolStatistics:
        """Count calls of one tool, as :meth:`TrailReader.tool_statistics` does."""
        given = cast("Filters", {**filters, "tool": tool})
        return self.statistics(every=every, **given)[0]

    def counts(self, **filters: Unpack[Filters]) -> dict[str, tuple[Count, ...]]:
        """Count users, roles, agents, models, triggers, purposes and errors, as an activity report does."""
        return sql_results.counts([self._ask(one) for one in sql_results.counts_questions(query_of(filters, self._state()))])

    @staticmethod
    def _state() -> StateView:
        chosen = state_directory(None)
        return StateView("/nonexistent" if chosen == STATELESS else chosen)

    def translate(self, asked: sql.SqlQuestion) -> str:
        """Write a question in the warehouse's own SQL, ``?`` for each value."""
        # a name stands for each value while the text is translated: dialects write parameters in ways of their own
        parsed = self._sqlglot.parse_one(asked.text.replace("?", _VALUE), read="duckdb")
        for table in parsed.find_all(self._sqlglot.exp.Table):
            if table.name == "calls":
                table.replace(self._sqlglot.to_table(self._table))
        return str(parsed.sql(dialect=self._dialect)).replace(_VALUE, "?")

    def _ask(self, asked: sql.SqlQuestion) -> Sequence[Sequence[Any]]:
        try:
            return self._run(self.translate(asked), asked.parameters)
        except AuditError:
            raise
        except Exception as error:
            raise AuditError(f"the warehouse did not answer ({type(error).__name__}: {error}); is table {self._table} there?") from error


def _sqlalchemy(url: str) -> Run:
    try:
        import sqlalchemy  # noqa: PLC0415 - an extra

        engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)  # nothing stays open between questions
    except ImportError as error:
        raise SettingsError(f"{url.partition(':')[0]} needs SQLAlchemy and its driver ({error}): pip install 'otel-tool-audit[warehouse]'") from error

    def run(text: str, parameters: Sequence[Any]) -> Sequence[Sequence[Any]]:
        named = {f"p{number}": value for number, value in enumerate(parameters)}
        parts = text.split("?")
        bound = "".join(f"{part}:p{number}" for number, part in enumerate(parts[:-1])) + parts[-1]
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sqlalchemy.text(bound), named)]

    return run


def _spark(url: str) -> Run:
    try:
        SparkSession = importlib.import_module("pyspark.sql").SparkSession  # noqa: N806 - a class
    except ImportError as error:
        raise SettingsError("Spark needs pyspark: pip install 'pyspark[connect]'") from error
    return over_spark(SparkSession.builder.remote(url).getOrCreate())


def over_spark(session: Any) -> Run:  # noqa: ANN401 - of a package that only those have who ask for it
    """Put questions to a Spark session."""
    return lambda text, parameters: [tuple(row) for row in session.sql(text, args=list(parameters)).collect()]
