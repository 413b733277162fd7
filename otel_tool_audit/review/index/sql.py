"""
The questions as SQL for the embedded engine. Pure.

All of them go to a table ``calls`` of :data:`~otel_tool_audit.review.index.columns.COLUMNS`. Values never stand in the text: they are parameters, ``?``.

Source: ARCHITECTURE.md, R13 to R16.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from otel_tool_audit.review.calls.filters import EQUALITIES, Query
from otel_tool_audit.review.calls.fold import ERROR, STATUSES
from otel_tool_audit.review.calls.ordering import Order
from otel_tool_audit.review.calls.statistics import stretch
from otel_tool_audit.review.index.columns import COLUMNS, fits


class SqlQuestion(NamedTuple):
    """
    SQL with its parameters.

    Attributes:
        text: With ``?`` for each parameter.
        parameters: Their values, in order.
    """

    text: str
    parameters: tuple[Any, ...]


_MICROSECONDS: Final = "CAST(FLOOR(duration_ms * 1000 + 0.5) AS BIGINT)"
_STATUSES: Final = ", ".join(f"SUM(CASE WHEN status = '{status}' THEN 1 ELSE 0 END)" for status in STATUSES)
# nearest rank, of which DuckDB finds all that are wanted in one go
_RANKS: Final = ", ".join(f"QUANTILE_DISC({_MICROSECONDS}, [0.5, 0.95, 0.99])[{nth}]" for nth in (1, 2, 3))
_TAKEN: Final = f"COUNT(duration_ms), SUM({_MICROSECONDS}), MAX({_MICROSECONDS})"


def where(query: Query) -> SqlQuestion:
    """Write what a query wants as a condition."""
    wanted = {field: getattr(query, name) for name, field in EQUALITIES.items() if getattr(query, name) is not None}
    conditions = [f"{field} = ?" for field in wanted]
    parameters: list[Any] = list(wanted.values())
    if query.subjects is not None:
        conditions.append(f"subject IN ({', '.join('?' * len(query.subjects))})")
        parameters += sorted(query.subjects)
    for value, comparison in ((query.since, ">="), (query.until, "<")):
        if value is not None:
            conditions.append(f"timestamp {comparison} ?")
            parameters.append(value)
    if query.text is not None:
        conditions.append("POSITION(? IN LOWER(arguments)) > 0")
        parameters.append(query.text)
    return SqlQuestion(" AND ".join(conditions) or "1 = 1", tuple(parameters))


def select(columns: str, query: Query, order: Order, tie: tuple[str, str]) -> SqlQuestion:
    """
    Ask for calls in an order.

    Args:
        columns: What is wanted of each.
        query: Which.
        order: In which order, and how many.
        tie: The columns that order calls which are equal otherwise: chain and seq of the first record.
    """
    condition, parameters = where(query)
    if order.after is not None:
        later, more = _after(order, tie)
        condition, parameters = f"{condition} AND ({later})", (*parameters, *more)
    down = " DESC" if order.descending else ""
    text = f"SELECT {columns} FROM calls WHERE {condition} ORDER BY {order.by}{down} NULLS LAST, {tie[0]}, {tie[1]}"  # noqa: S608 - names of ours
    if order.limit is not None:
        text += f" LIMIT {int(order.limit)}"
    return SqlQuestion(text, parameters)


def sortable(order: Order) -> bool:
    """Tell whether SQL sorts as :class:`Order` does: the key is of the column's kind."""
    kind = COLUMNS[order.by]
    return order.after is None or order.after[0] is None or fits(order.after[0], kind)


def _after(order: Order, tie: tuple[str, str]) -> SqlQuestion:
    assert order.after is not None  # noqa: S101 - the caller looked
    value, chain, seq = order.after
    behind = f"({tie[0]} > ? OR ({tie[0]} = ? AND {tie[1]} > ?))"
    place = (chain, chain, seq)
    if value is None:
        return SqlQuestion(f"{order.by} IS NULL AND {behind}", place)
    further = "<" if order.descending else ">"
    return SqlQuestion(f"{order.by} {further} ? OR ({order.by} = ? AND {behind}) OR {order.by} IS NULL", (value, value, *place))


def overall(query: Query) -> SqlQuestion:
    """Ask for what totals by a column do not add up to: percentiles and the number of users."""
    condition, parameters = where(query)
    return SqlQuestion(f"SELECT {_RANKS}, COUNT(DISTINCT user_id) FROM calls WHERE {condition}", parameters)  # noqa: S608 - names of ours


def totals(query: Query, by: str) -> SqlQuestion:
    """
    Count calls: number, outcomes, durations, percentiles, users, first and last.

    Args:
        query: Which.
        by: Group by this column.
    """
    condition, parameters = where(query)
    what = f"COUNT(*), {_STATUSES}, {_TAKEN}, {_RANKS}, COUNT(DISTINCT user_id), MIN(timestamp), MAX(timestamp)"
    return SqlQuestion(f"SELECT {by}, {what} FROM calls WHERE {condition} GROUP BY {by}", parameters)  # noqa: S608 - names of ours


def series(query: Query, by: str | None, every: str) -> SqlQuestion:
    """
    Count calls over time.

    Args:
        query: Which.
        by: Group by this column, too; None: all together.
        every: A stretch of time.
    """
    named = f"SUBSTRING(timestamp, 1, {stretch(every)})"
    condition, parameters = where(query)
    keys = named if by is None else f"{by}, {named}"
    first = "NULL" if by is None else by
    return SqlQuestion(f"SELECT {first}, {named}, COUNT(*), {_STATUSES}, {_TAKEN} FROM calls WHERE {condition} GROUP BY {keys}", parameters)  # noqa: S608 - names of ours


def counts(query: Query, field: str, *, failed_only: bool = False) -> SqlQuestion:
    """
    Count how often each value of a field occurs, and how often in failed calls.

    Args:
        query: Which calls.
        field: The field.
        failed_only: Count failed calls only.
    """
    condition, parameters = where(query)
    failed = f" AND status = '{ERROR}'" if failed_only else ""
    return SqlQuestion(
        f"SELECT {field}, COUNT(*), SUM(CASE WHEN status = '{ERROR}' THEN 1 ELSE 0 END) FROM calls WHERE {condition}{failed} GROUP BY {field}",  # noqa: S608 - names of ours
        parameters,
    )
