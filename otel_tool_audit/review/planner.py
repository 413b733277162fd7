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
from otel_tool_audit.host.machine import cores
from otel_tool_audit.review import activity
from otel_tool_audit.review.calls import statistics
from otel_tool_audit.review.calls.filters import Query, query_of
from otel_tool_audit.review.calls.fold import Call, Folding
from otel_tool_audit.review.calls.ordering import Order
from otel_tool_audit.review.calls.stream import foldings
from otel_tool_audit.review.calls.values import Count, ToolStatistics
from otel_tool_audit.review.index import sql_results
from otel_tool_audit.review.source import byte_search, segments
from otel_tool_audit.review.source.line_cache import StaleIndexError
from otel_tool_audit.review.source.records import TrailRecords
from otel_tool_audit.review.source.segment_order import order_segments
from otel_tool_audit.review.source.subjects import stored_forms

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


class QueryPlanner:
    """
    Decides how a question is answered: from the index, by searching bytes, or by reading everything.

    Which of them it is, is a matter of cost alone. So each way gives the same calls, and whatever goes wrong on a quick way (no index, one
    that is stale, files that change meanwhile) ends in the slow one, never in an answer that lacks something.
    """

    def __init__(self, source: TrailRecords, index: str | os.PathLike[str] | None = None) -> None:
        """
        Plan for a trail; nothing is read yet.

        Args:
            source: Its records; stays the caller's. What could not be read is counted and noted there.
            index: Where copies of sealed segments lie that are quick to ask, or ``none``; by default as the environment says.
        """
        self._source = source
        self._index = index
        self._engine: Engine | None = None
        self._looked = False

    def close(self) -> None:
        """Close the index; a second time does nothing."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def query(self, filters: Mapping[str, Any]) -> Query:
        """
        Read filters, and note what no answer to them can hold.

        Args:
            filters: :class:`~otel_tool_audit.review.calls.filters.Filters`.

        Raises:
            SettingsError: One cannot be understood.
        """
        query = query_of(filters, lambda subject: stored_forms(subject, self._source.trail.state))
        self._note_what_is_missing()
        if query.subjects is not None and len(query.subjects) == 1:
            from otel_tool_audit.keys.pseudonyms import is_pseudonym  # noqa: PLC0415 - most readers never ask for a subject

            if not is_pseudonym(str(filters["subject"])):
                self._source.note(_NO_KEY)
        return query

    def count(self, query: Query, every: str | None) -> tuple[ToolStatistics, tuple[ToolStatistics, ...]]:
        """
        Count calls: all together, and each tool by itself, the most called first.

        Args:
            query: Which.
            every: Count each stretch of this length, too: ``minute``, ``hour``, ``day`` or ``month``.

        Raises:
            SettingsError: There is no such stretch.
        """
        statistics.stretch(every)
        engine = self._usable_engine() if query.text is None else None
        if engine is not None:
            with contextlib.suppress(StaleIndexError):
                answers = engine.ask(*sql_results.statistics_questions(query, every))
                self._source.unreadable = engine.unreadable
                return sql_results.statistics(answers)
        return statistics.by_tool(self._read_all(query), every)

    def count_by_value(self, query: Query, every: str | None) -> tuple[ToolStatistics, tuple[ToolStatistics, ...], dict[str, tuple[Count, ...]]]:
        """Count calls as :meth:`count` does, and by value all that an activity report shows."""
        engine = self._usable_engine() if query.text is None else None
        if engine is not None:
            with contextlib.suppress(StaleIndexError):
                asked = sql_results.statistics_questions(query, every)
                answers = engine.ask(*asked, *sql_results.counts_questions(query))
                self._source.unreadable = engine.unreadable
                return (*sql_results.statistics(answers[: len(asked)]), sql_results.counts(answers[len(asked) :]))
        counters = activity.CallTally()

        def counted() -> Iterator[Call]:
            for call in self._read_all(query):
                counters.add(call)
                yield call

        return (*statistics.by_tool(counted(), every), counters.counts())

    def ordered(self, query: Query, order: Order) -> Iterable[Call]:
        """
        Give the calls that match.

        Args:
            query: Which.
            order: In which order, and how many.
        """
        # to give everything as it streams by, no index is quicker than the lines themselves
        engine = self._usable_engine() if query.narrow or order.asked or order.limit is not None else None
        if engine is not None:
            with contextlib.suppress(StaleIndexError):
                # the text of arguments is in no index: what it leaves must not be cut to a page before it was looked at
                found = engine.calls(query, order if query.text is None and engine.sorts(order) else Order())
                self._source.unreadable = engine.unreadable
                if query.text is None and engine.sorts(order):
                    return found
                return order.arrange(found) if order.asked else islice(found, order.limit)
        if order.asked:
            return order.arrange(self._read_all(query))
        return islice(self._read_all(query), order.limit)

    def own_life(self) -> Iterator[dict[str, Any]]:
        """Give the records of the trail's own life, of all chains; of the same state of the trail as the question before, where there is an index."""
        if self._engine is not None:
            return self._engine.events()
        return (record for record in self._source.with_text([b'"call_id":null,']) if record.get("call_id") is None)

    def _read_all(self, query: Query) -> Iterator[Call]:
        """Read the whole trail, parsed as far as the question needs it, and give the calls that match."""
        # not when the question was put but when its answer is read: minutes may lie between the two
        self._source.trail.state.forget_the_living()
        self._source.unreadable = 0
        for folding in self._searched(query) or self._source.foldings():
            call = folding.call(self._source.trail.state.is_alive)
            if query.matches(call):
                yield call

    def _searched(self, query: Query) -> Iterator[Folding] | None:
        """Fold only the calls that can match, found by searching the lines; None where that is not worth it."""
        wanted = byte_search.wanted_by(query)
        # sealed segments only: of what is open no seal says that the writer made every line of it
        size = self._sealed_bytes() if wanted is not None else 0
        if wanted is None or size < WORTH_AN_INDEX:
            return None
        found = byte_search.records_of(self._source.trail.root, self._source.all_extents(), wanted, cores() if size >= WORTH_HELPERS else 1)
        if found is None:
            return None
        records, amendments, self._source.unreadable = found
        return foldings(records, amendments)

    def _usable_engine(self) -> Engine | None:
        """Give what answers quickly; None where there is no index, or where reading the whole trail is as quick."""
        # each question asks anew which writers live: a call may have been interrupted since the last one
        self._source.trail.state.forget_the_living()
        if self._engine is not None and not self._engine.usable:
            # this process was forked from the one that made it, and has none of its threads
            self._engine.close()
            self._looked = False
        if not self._looked and self._sealed_bytes() >= WORTH_AN_INDEX:
            self._engine, self._looked = self._make_engine(), True
        return self._engine

    def _note_what_is_missing(self) -> None:
        """Note what no answer can hold: segments that are gone, chains that cannot be opened, a torn line."""
        source = self._source
        here = source.chains()
        for name in source.trail.root.names():
            if name not in {PRIVATE_STATE, OWNER} and valid_chain(name) and name not in here:
                source.note(f"chain {name} cannot be opened: its records are in no answer; run `otel-tool-audit verify`")
        for chain in here:
            with source.folder(chain) as folder:
                view = source.trail.head_view(source.trail_id, chain)
                order = order_segments(folder, view.head if view is not None else None)
                for lack in segments.absent(folder, order, segments.extents_of(folder, order, view)):
                    source.note(f"chain {chain}: {lack}; run `otel-tool-audit verify`")

    def _make_engine(self) -> Engine | None:
        directory = settings.index_directory(self._index)
        key = None if directory == settings.STATELESS else self._source.trail.state.index_key()
        if key is None:
            # without a key nobody could tell our copies from somebody else's
            return None
        try:
            from otel_tool_audit.review.index.engine import Engine  # noqa: PLC0415 - an extra, and slow to import
            from otel_tool_audit.review.index.store import Index  # noqa: PLC0415 - likewise
        except ImportError:
            return None
        try:
            index = Index(self._source.trail.root, self._source.trail_id, directory, key)
        except (OSError, ValueError) as error:
            self._source.note(f"the trail is read without an index: {error}")
            return None
        return Engine(self._source.trail.root, index, self._source.all_extents, self._source.trail.state.is_alive)

    def _sealed_bytes(self) -> int:
        return sum(extent.end for found in self._source.all_extents().values() for extent in found[:-1])
