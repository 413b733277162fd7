"""
How a question reaches the trail: through an index where there is one, else by reading all of it. The answer is the same.

Source: ARCHITECTURE.md, R13.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from otel_tool_audit import settings
from otel_tool_audit.format.names import OWNER, PRIVATE_STATE, valid_chain
from otel_tool_audit.host.machine import boot_id, cores
from otel_tool_audit.review import activity
from otel_tool_audit.review.calls import statistics
from otel_tool_audit.review.calls.filters import Query
from otel_tool_audit.review.calls.fold import Call, Folding
from otel_tool_audit.review.calls.ordering import Order
from otel_tool_audit.review.calls.stream import foldings
from otel_tool_audit.review.calls.values import Count, ToolStatistics
from otel_tool_audit.review.index import sql, sql_results
from otel_tool_audit.review.source import byte_search, segments
from otel_tool_audit.review.source.line_cache import StaleIndexError
from otel_tool_audit.review.source.records import TrailRecords
from otel_tool_audit.review.source.segment_order import order_segments
from otel_tool_audit.review.source.subjects import query_of

if TYPE_CHECKING:
    from otel_tool_audit.review.index.engine import Engine

WORTH_AN_INDEX: Final = 8 << 20
"""Bytes of sealed segments from which on an index pays, or a byte_search."""
WORTH_HELPERS: Final = 128 << 20
"""Bytes of sealed segments from which on a search takes all cores."""

_NO_KEY: Final = (
    "there is no pseudonym key here: a subject in clear is found only where it is stored in clear; ask with its pseudonym (psn:…), "
    f"with the state directory of the trail's writers, or with {settings.variable('pseudonym_key')}"
)


class QueryPlanner(TrailRecords):
    """A trail that answers questions, but does not know any."""

    def __init__(
        self, path: str | os.PathLike[str], *, state: str | os.PathLike[str] | None = None, index: str | os.PathLike[str] | None = None
    ) -> None:
        """
        Open a trail.

        Args:
            path: Its directory.
            state: The writers' state directory, or ``none``; by default as the environment says.
            index: Where copies of sealed segments lie that are quick to ask, or ``none``; by default as the environment says.

        Raises:
            TrailCorrupt: There is no trail.
            UnsupportedFormat: A newer version wrote it.
        """
        # before anything can fail: closing looks at it
        self._quick: Engine | None = None
        self._looked = False
        self._given_index = index
        super().__init__(path, state=state)

    def close(self) -> None:
        """Close it; a second time does nothing."""
        if self._quick is not None:
            self._quick.close()
            self._quick = None
        super().close()

    def _query(self, filters: Mapping[str, Any]) -> Query:
        query = query_of(filters, self._state)
        self._look_for_what_is_missing()
        if query.subjects is not None and len(query.subjects) == 1:
            from otel_tool_audit.keys.pseudonyms import is_pseudonym  # noqa: PLC0415 - most readers never ask for a subject

            if not is_pseudonym(str(filters["subject"])):
                self._note(_NO_KEY)
        return query

    def _statistics(self, query: Query, every: str | None) -> tuple[ToolStatistics, tuple[ToolStatistics, ...]]:
        statistics.stretch(every)
        engine = self._engine() if query.text is None else None
        if engine is not None:
            with contextlib.suppress(StaleIndexError):
                answers = engine.ask(*sql_results.statistics_questions(query, every, sql.AT_ONCE))
                self.unreadable = engine.unreadable
                return sql_results.statistics(answers)
        return statistics.by_tool(self._read_all(query), every)

    def _activity(self, query: Query, every: str | None) -> tuple[ToolStatistics, tuple[ToolStatistics, ...], dict[str, tuple[Count, ...]]]:
        engine = self._engine() if query.text is None else None
        if engine is not None:
            with contextlib.suppress(StaleIndexError):
                asked = sql_results.statistics_questions(query, every, sql.AT_ONCE)
                answers = engine.ask(*asked, *sql_results.counts_questions(query))
                self.unreadable = engine.unreadable
                return (*sql_results.statistics(answers[: len(asked)]), sql_results.counts(answers[len(asked) :]))
        counters = activity.CallTally()

        def counted() -> Iterator[Call]:
            for call in self._read_all(query):
                counters.add(call)
                yield call

        return (*statistics.by_tool(counted(), every), counters.counts())

    def _ordered(self, query: Query, order: Order) -> Iterable[Call]:
        engine = self._engine() if query.narrow or order.asked or order.limit is not None else None
        if engine is not None:
            with contextlib.suppress(StaleIndexError):
                found = engine.calls(query, order if query.text is None and engine.sorts(order) else Order())
                self.unreadable = engine.unreadable
                if query.text is None and engine.sorts(order):
                    return found
                return order.arrange(found) if order.asked else islice(found, order.limit)
        if order.asked:
            return order.arrange(self._read_all(query))
        return islice(self._read_all(query), order.limit)

    def _matching(self, query: Query) -> Iterator[Call]:
        return iter(self._ordered(query, Order()))

    def _read_all(self, query: Query) -> Iterator[Call]:
        """Read the whole trail, parsed as far as the question needs it, and give the calls that match."""
        self._state.forget_the_living()
        self.unreadable = 0
        for folding in self._searched(query) or self._foldings():
            call = folding.call(self._state.is_alive)
            if query.matches(call):
                yield call

    def _searched(self, query: Query) -> Iterator[Folding] | None:
        """Fold only the calls that can match, found by searching the lines; None where that is not worth it."""
        wanted = byte_search.wanted_by(query)
        size = self._sealed_bytes() if wanted is not None else 0
        if wanted is None or size < WORTH_AN_INDEX:
            return None
        found = byte_search.records_of(self._root, self._all_extents(), wanted, cores() if size >= WORTH_HELPERS else 1)
        if found is None:
            return None
        records, amendments, self.unreadable = found
        return foldings(records, amendments)

    def _own_life(self) -> Iterator[dict[str, Any]]:
        """Give the records of the trail's own life, of all chains."""
        if self._quick is not None:
            return self._quick.events()
        return (record for record in self._with_text([b'"call_id":null,']) if record.get("call_id") is None)

    def _engine(self) -> Engine | None:
        """Give what answers quickly; None where there is no index, or where reading the whole trail is as quick."""
        self._state.forget_the_living()
        if self._quick is not None and not self._quick.usable:
            self._quick.close()
            self._looked = False
        if not self._looked and self._sealed_bytes() >= WORTH_AN_INDEX:
            self._quick, self._looked = self._make_engine(), True
        return self._quick

    def _look_for_what_is_missing(self) -> None:
        """Note what no answer can hold: segments that are gone, chains that cannot be opened, a torn line."""
        here = self.chains()
        for name in self._root.names():
            if name not in {PRIVATE_STATE, OWNER} and valid_chain(name) and name not in here:
                self._note(f"chain {name} cannot be opened: its records are in no answer; run `otel-tool-audit verify`")
        for chain in here:
            with self._folder(chain) as folder:
                head = self._head(chain)
                layout = order_segments(folder, head)
                for told in segments.absent(folder, layout, segments.extents_of(layout, head, boot_id())):
                    self._note(f"chain {chain}: {told}; run `otel-tool-audit verify`")

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _make_engine(self) -> Engine | None:
        directory = settings.index_directory(self._given_index)
        key = None if directory == settings.STATELESS else self._state.index_key()
        if key is None:
            return None
        try:
            from otel_tool_audit.review.index.engine import Engine  # noqa: PLC0415 - an extra, and slow to import
            from otel_tool_audit.review.index.store import Index  # noqa: PLC0415 - likewise
        except ImportError:
            return None
        try:
            index = Index(self._root, self.trail_id, directory, key)
        except (OSError, ValueError) as error:
            self._note(f"the trail is read without an index: {error}")
            return None
        return Engine(self._root, index, self._all_extents, self._state.is_alive)

    def _all_extents(self) -> dict[str, list[segments.Extent]]:
        found = {}
        for chain in self.chains():
            with self._folder(chain) as folder:
                found[chain] = self._extents(folder, chain)
        return found

    def _sealed_bytes(self) -> int:
        return sum(extent.end for found in self._all_extents().values() for extent in found[:-1])
