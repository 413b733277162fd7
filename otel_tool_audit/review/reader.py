"""
Asking a trail without leaving a trace: calls by what they were, timelines, statistics, reports.

What people read goes through :class:`~otel_tool_audit.access.reader.TrailReader`, which puts it on record.

Source: ARCHITECTURE.md, R13 to R16, R19.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Self, Unpack

from otel_tool_audit.errors import RecordCorrupt
from otel_tool_audit.review import activity
from otel_tool_audit.review.calls import statistics, timeline
from otel_tool_audit.review.calls.filters import CommonFilters, Filters, Moment, Query
from otel_tool_audit.review.calls.fold import ERROR, Call
from otel_tool_audit.review.calls.ordering import Order
from otel_tool_audit.review.calls.statistics import Counter
from otel_tool_audit.review.calls.values import ToolStatistics
from otel_tool_audit.review.index.sandbox import Rows, Sandbox
from otel_tool_audit.review.planner import QueryPlanner
from otel_tool_audit.review.reports import AccessReport, ActivityReport, ChainHead, ConversationReport, Verdict
from otel_tool_audit.review.results import Calls
from otel_tool_audit.review.source import segments
from otel_tool_audit.review.source.opened import OpenedTrail
from otel_tool_audit.review.source.records import TrailRecords
from otel_tool_audit.review.verify.neighbours import prove
from otel_tool_audit.review.verify.verifier import verify_opened
from otel_tool_audit.text import plural


class UnauditedReader:
    """
    A trail, opened for asking; nobody learns that it was asked.

    It works while writers write, on read-only media and on copies; it takes no lock and writes nothing.

    Attributes:
        trail: The trail, opened once; verification and the journal of readings take it from here.
        source: Its records, chain by chain.
    """

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
        self.trail = OpenedTrail(path, state=state)
        try:
            self.source = TrailRecords(self.trail)
        except BaseException:
            self.trail.close()
            raise
        self._planner = QueryPlanner(self.source, index)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it; a second time does nothing."""
        self._planner.close()
        self.trail.close()

    @property
    def path(self) -> str:
        """The trail's directory."""
        return self.trail.path

    @property
    def trail_id(self) -> str:
        """32 hex digits."""
        return self.source.trail_id

    @property
    def unreadable(self) -> int:
        """How many lines were passed over because they are no records; ``verify`` says which and why."""
        return self.source.unreadable

    @property
    def notes(self) -> list[str]:
        """What the reader cannot tell, and why."""
        return self.source.notes

    def chains(self) -> list[str]:
        """List the chains, by name."""
        return self.source.chains()

    def records(self, chain: str | None = None, *, deep: bool = False) -> Iterator[dict[str, Any]]:
        """Give records; see :meth:`~otel_tool_audit.review.source.records.TrailRecords.records`."""
        return self.source.records(chain, deep=deep)

    def record(self, chain: str, seq: int) -> dict[str, Any] | None:
        """Give one record by its address; None when there is none."""
        return self.source.record(chain, seq)

    def line(self, chain: str, seq: int) -> bytes | None:
        """Give a record's line as it stands in its file, without its LF; None when there is none."""
        return self.source.line(chain, seq)

    def finding(self) -> AbstractContextManager[Callable[[str, int], bytes | None]]:
        """Give a function for many addresses that finds what :meth:`line` finds."""
        return self.source.finding()

    def call(self, call_id: str) -> Call | None:
        """Give one call by any of its ids; None when there is none."""
        return self.source.call(call_id)

    def calls(
        self, *, order_by: str | None = None, descending: bool = False, limit: int | None = None, after: str | None = None, verified: bool = False,
        **filters: Unpack[Filters],
    ) -> Calls:  # fmt: skip
        """
        Give the calls that match, by default ordered by when they started.

        By default records are folded while they stream by, so memory does not grow with the trail. A call that is still open after 10,000
        others have started no longer holds these back: it comes when it ends, or last. With an order or a page the answer is sorted first:
        with a limit no more than it is held, without one all that match are.

        Args:
            order_by: A field of a call; equal ones stand in the order of their first records. Without a value they come last.
            descending: The largest first.
            limit: Give at most so many.
            after: The key that the page before gave (``next_key``): go on after it.
            verified: Check of every record that a call is made of whether its line holds its hash, stands in the trail, and agrees with its
                neighbours; that the chain is whole, only :meth:`verdict` tells.
            filters: :class:`~otel_tool_audit.review.calls.filters.Filters`.

        Returns:
            Calls, one by one or as a table: the fields of FORMAT.md, section 4, folded, with ``status``, ``writer``, ``chain``, ``seq`` and
            ``hash`` of the last record, and ``records``.

        Raises:
            SettingsError: A filter, a field or a key cannot be understood.
            RecordCorrupt: With *verified*, while the calls are read: a record does not hold.
        """
        query = self._planner.query(filters)
        order = Order.of(order_by, after, limit, descending=descending)
        found = self._planner.ordered(query, order)
        return Calls(map(self._proven, found) if verified else found, order)

    def timeline(self, conversation: str) -> str:
        """
        Show a conversation's calls, a line each, in the order in which they started.

        Source: ARCHITECTURE.md, R15.
        """
        return "\n".join(timeline.line(call) for call in self.calls(conversation=conversation))

    def tool_statistics(self, tool: str | None = None, *, every: str | None = None, **filters: Unpack[CommonFilters]) -> ToolStatistics:
        """
        Count calls of one tool, or of all tools together.

        Args:
            tool: ``tool_name``; None for all.
            every: ``minute``, ``hour``, ``day`` or ``month``: count each of these by itself, too.
            filters: :class:`~otel_tool_audit.review.calls.filters.CommonFilters`.

        Raises:
            SettingsError: A filter or *every* cannot be understood.
        """
        return self._planner.count(self._planner.query({**filters, "tool": tool}), every)[0]

    def statistics(self, *, every: str | None = None, **filters: Unpack[Filters]) -> tuple[ToolStatistics, tuple[ToolStatistics, ...]]:
        """
        Count calls: all together, and each tool by itself, the most called first.

        Args:
            every: As for :meth:`tool_statistics`.
            filters: :class:`~otel_tool_audit.review.calls.filters.Filters`.

        Raises:
            SettingsError: A filter or *every* cannot be understood.
        """
        return self._planner.count(self._planner.query(filters), every)

    def access_report(
        self, subject: str, start: Moment | None = None, end: Moment | None = None, *, check: bool = True, **filters: Unpack[CommonFilters],
    ) -> AccessReport:  # fmt: skip
        """
        Tell who saw a subject's data.

        Args:
            subject: Whose data; in clear or as stored.
            start: Not before this moment.
            end: Before this moment.
            check: Verify the whole trail, for the report's verdict.
            filters: More :class:`~otel_tool_audit.review.calls.filters.CommonFilters`.

        Raises:
            SettingsError: A filter cannot be understood.
        """
        query = self._planner.query({**filters, "subject": subject, "since": start, "until": end})
        rows, users, tools, purposes = self._rows(query, "user_id", "tool_name", "purpose")
        verdict = self.verdict() if check else None
        return AccessReport(
            self.trail_id, self.path, subject, tuple(sorted(query.subjects or ())), query.since, query.until, rows, users, tools, purposes, verdict,
            self._caveats(),
        )  # fmt: skip

    def conversation_report(
        self, conversation: str, /, start: Moment | None = None, end: Moment | None = None, *, check: bool = True, **filters: Unpack[Filters],
    ) -> ConversationReport:  # fmt: skip
        """
        Tell what happened in a conversation, call by call.

        Args:
            conversation: ``conversation_id``.
            start: Not before this moment.
            end: Before this moment.
            check: Verify the whole trail, for the report's verdict.
            filters: More :class:`~otel_tool_audit.review.calls.filters.Filters`.

        Raises:
            SettingsError: A filter cannot be understood.
        """
        query = self._planner.query({**filters, "conversation": conversation, "since": start, "until": end})
        rows, users, tools = self._rows(query, "user_id", "tool_name")
        verdict = self.verdict() if check else None
        return ConversationReport(self.trail_id, self.path, conversation, query.since, query.until, rows, users, tools, verdict, self._caveats())

    def activity_report(
        self, start: Moment | None = None, end: Moment | None = None, *, every: str | None = None, check: bool = True, **filters: Unpack[Filters],
    ) -> ActivityReport:  # fmt: skip
        """
        Tell what happened in a period.

        Args:
            start: Not before this moment.
            end: Before this moment.
            every: As for :meth:`tool_statistics`.
            check: Verify the whole trail, for the report's verdict.
            filters: More :class:`~otel_tool_audit.review.calls.filters.Filters`; what writers refused and lost is told of all calls.

        Raises:
            SettingsError: A filter or *every* cannot be understood.
        """
        query = self._planner.query({**filters, "since": start, "until": end})
        statistics.stretch(every)
        total, tools, counted = self._planner.count_by_value(query, every)
        life = activity.life(self._planner.own_life(), query.since, query.until)
        return ActivityReport(
            self.trail_id, self.path, query.since, query.until, total, tools, refused=life.refused, lost=life.lost, gaps=life.gaps,
            verdict=self.verdict() if check else None, notes=self._caveats(), every=every, **counted,
        )  # fmt: skip

    def verdict(self) -> Verdict:
        """Verify the trail, and give what a report says of it."""
        return Verdict.of(verify_opened(self.trail, remember=False))

    def heads(self) -> tuple[ChainHead, ...]:
        """Tell where each chain ends now, as its files say: seconds cheaper than a verdict, and no proof of anything."""
        found = []
        for chain in self.source.chains():
            with self.source.folder(chain) as folder:
                record = segments.last(folder, self.source.extents(folder, chain))
            if record is not None:
                found.append(ChainHead(chain, int(record["seq"]) + 1, str(record.get("hash"))))
        return tuple(found)

    def matcher(self, **filters: Unpack[Filters]) -> Callable[[Call], bool]:
        """
        Give what tells whether a call matches, for whoever has calls already.

        Args:
            filters: :class:`~otel_tool_audit.review.calls.filters.Filters`.

        Raises:
            SettingsError: A filter cannot be understood.
        """
        return self._planner.query(filters).matches

    def key_of(self, call: Call, order_by: str | None = None, *, descending: bool = False) -> str:
        """
        Give the key after which a page begins that is to follow this call.

        Args:
            call: One that :meth:`calls` gave.
            order_by: As it was asked for.
            descending: Likewise.
        """
        return Order.of(order_by, None, None, descending=descending).key_of(call)

    def sql(self, question: str, **filters: Unpack[Filters]) -> Rows:
        """
        Answer SQL that somebody wrote, over the tables ``calls`` and ``records``; it can read them and do nothing else.

        Both are loaded into memory first, ``records`` only when the question speaks of it.

        Args:
            question: One ``SELECT``.
            filters: Which calls the table ``calls`` holds.

        Raises:
            SettingsError: It is no such thing, or asks too much; or DuckDB is not installed.
        """
        with Sandbox(self.calls(**filters), self.records() if "records" in question.lower() else ()) as sandbox:
            return sandbox.ask(question)

    def _rows(self, query: Query, *counted: str) -> tuple[Any, ...]:
        """Give the calls as rows of a report, by time, and how often each value of some of their fields occurs."""
        rows = tuple(activity.access(call) for call in self._planner.ordered(query, Order(asked=True)))
        counters = [Counter() for _ in counted]
        for row in rows:
            for name, counter in zip(counted, counters, strict=True):
                counter.add(getattr(row, name), failed=row.status == ERROR)
        return (rows, *(counter.counts() for counter in counters))

    def _proven(self, call: Call) -> Call:
        for record in call["records"]:
            address = f"{record['chain']}/{record['seq']}"
            proof = prove(self, record["chain"], record["seq"])
            line = self.line(record["chain"], record["seq"])
            if proof is None or not proof.ok or line is None or (segments.parse(line) or {}).get("hash") != record["hash"]:
                said = "it is not there" if proof is None else proof.in_words()
                raise RecordCorrupt(f"record {address} of call {call['call_id']} cannot be proven: {said}; run `otel-tool-audit verify`")
        return call

    def _caveats(self) -> tuple[str, ...]:
        passed = plural(self.unreadable, "line is no record and was", "lines are no records and were")
        unreadable = [f"{passed} passed over; run `otel-tool-audit verify`"] if self.unreadable else []
        return (*self.notes, *unreadable)
