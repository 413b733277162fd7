"""Calls that somebody asked for: given one by one, or as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from otel_tool_audit.extras import optional
from otel_tool_audit.review.calls.fold import Call
from otel_tool_audit.review.calls.ordering import Order
from otel_tool_audit.review.index import columns
from otel_tool_audit.review.index.fetch import IndexedRows, Made

if TYPE_CHECKING:
    import pyarrow as pa


class Calls(Iterator[Call]):
    """
    The calls that match, read as they are asked for; to be gone through once.

    Attributes:
        next_key: After the last call was given: where the next page begins. None when no limit cut the answer off, or no order was asked for.
    """

    def __init__(self, found: Iterable[Call], order: Order) -> None:
        self._found = iter(found)
        self._order = order
        self._given = 0
        self.next_key: str | None = None

    def __iter__(self) -> Calls:
        return self

    def __next__(self) -> Call:
        """Give the next call."""
        call = next(self._found)
        self._given += 1
        if self._given == self._order.limit and self._order.asked:
            self.next_key = self._order.key_of(call)
        return call

    def through(self, give: Callable[[Iterator[Call]], Iterable[Call]]) -> Calls:
        """
        Give the same answer, each call handed on by somebody else.

        Args:
            give: Is given these calls, and gives them on.
        """
        return Calls(give(self), self._order)

    def skip(self, count: int) -> Call | None:
        """
        Pass over so many calls, reading no more of them than must be.

        Returns:
            The last of them; None when there are not so many, or *count* is 0.
        """
        if isinstance(self._found, IndexedRows) and not self._given:
            self._given += count
            return self._found.skip(count)
        return next(islice(self, count - 1, None), None) if count else None

    def map_batches(self, work: Callable[[list[Call]], Made], size: int) -> Iterator[Made]:
        """
        Do something with the calls that are left, and give what comes of it, in their order: in helper processes, where there are many.

        Args:
            work: A function of a module, or a partial one, so that a helper process finds it. It gets at most *size* calls, and may get none.
            size: How many calls at a time.

        Raises:
            TrailCorrupt: The trail was changed while it was read.
        """
        if isinstance(self._found, IndexedRows):
            yield from self._found.map_batches(work, size)
        else:
            while part := list(islice(self, size)):
                yield work(part)

    def arrow(self) -> pa.Table:
        """
        Give what is left as an Arrow table, columns as :data:`~otel_tool_audit.review.index.columns.COLUMNS` names them.

        Raises:
            SettingsError: pyarrow is not installed.
        """
        return columns.table(self)

    def pandas(self) -> Any:  # noqa: ANN401 - a data frame of a package that only those have who ask for it
        """
        Give what is left as a pandas data frame, its columns backed by Arrow.

        Raises:
            SettingsError: pandas or pyarrow is not installed.
        """
        pd = optional("pandas", "a pandas data frame needs pandas: pip install pandas")
        return self.arrow().to_pandas(types_mapper=pd.ArrowDtype)

    def polars(self) -> Any:  # noqa: ANN401 - as pandas()
        """
        Give what is left as a polars data frame.

        Raises:
            SettingsError: polars or pyarrow is not installed.
        """
        return optional("polars", "a polars data frame needs polars: pip install polars").from_arrow(self.arrow())
