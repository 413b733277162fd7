"""
The reader that people and front ends use: it answers like the reader beneath it, and puts on record who read what.

Source: ARCHITECTURE.md, R13 to R16, R19; FORMAT.md, section 4 (``trail.read``, ``trail.exported``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Self, Unpack

from otel_tool_audit.access import answer, reports
from otel_tool_audit.access.answer import AnswerStatus
from otel_tool_audit.access.journal import Entry, Journal, Reading, Watch, audited
from otel_tool_audit.access.question import recordable
from otel_tool_audit.access.reports import Report, Watching
from otel_tool_audit.extras import optional
from otel_tool_audit.review.calls import timeline
from otel_tool_audit.review.calls.filters import CommonFilters, Filters, Moment
from otel_tool_audit.review.calls.fold import ERROR, Call
from otel_tool_audit.review.calls.values import ToolStatistics
from otel_tool_audit.review.index.sandbox import NEEDS_DUCKDB, Rows
from otel_tool_audit.review.reader import UnauditedReader
from otel_tool_audit.review.reports import AccessReport, ActivityReport, ChainHead, ConversationReport, Verdict
from otel_tool_audit.review.results import Calls
from otel_tool_audit.review.source import segments
from otel_tool_audit.review.source.records import Cursor, Piece
from otel_tool_audit.review.source.workers import Pool, Worker
from otel_tool_audit.review.verify.neighbours import Proof, prove

if TYPE_CHECKING:
    from otel_tool_audit.access.exports import Exported


class TrailReader:
    """
    A trail, opened for asking; the trail learns who asked for whose data.

    It works while writers write, on read-only media and on copies. A question about a subject, whatever else shows a subject's data, a
    report, SQL and an export are put on record in the trail before the first such row is given, exactly as the command
    ``otel-tool-audit`` does it. Where this process may not write (a copy, read-only media, another user's trail, no state directory)
    nothing is touched, the answer is the same, and :attr:`on_record` says why there is no record. Which method is put on record when,
    :data:`~otel_tool_audit.access.rules.RECORDED` says.

    Attributes:
        unaudited: The reader beneath, for whatever gives nobody's data to anybody: verification, the check of an export.
        journal: Where readings are recorded.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, state: str | os.PathLike[str] | None = None, index: str | os.PathLike[str] | None = None,
        asked_by: str | None = None, reason: str | None = None, tell: Callable[[Entry], object] | None = None,
    ) -> None:  # fmt: skip
        """
        Open a trail.

        Args:
            path: Its directory.
            state: The writers' state directory, or ``none``; by default as the environment says.
            index: Where copies of sealed segments lie that are quick to ask, or ``none``; by default as the environment says.
            asked_by: Who asks, as they say themselves; recorded beside the name of the account.
            reason: Why, in words; recorded, sanitized.
            tell: Is told what became of each record, before what it is about is given.

        Raises:
            TrailCorrupt: There is no trail.
            UnsupportedFormat: A newer version wrote it.
        """
        self.unaudited = UnauditedReader(path, state=state, index=index)
        self.journal = Journal(self.unaudited.trail, asked_by=asked_by, reason=reason, tell=tell)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it; a second time does nothing."""
        self.unaudited.close()

    @property
    def path(self) -> str:
        """The trail's directory."""
        return self.unaudited.path

    @property
    def trail_id(self) -> str:
        """32 hex digits."""
        return self.unaudited.trail_id

    @property
    def unreadable(self) -> int:
        """How many lines were passed over because they are no records; ``verify`` says which and why."""
        return self.unaudited.unreadable

    @property
    def notes(self) -> list[str]:
        """What the reader cannot tell, and why."""
        return self.unaudited.notes

    @property
    def on_record(self) -> Entry | None:
        """What became of the record of the latest reading that had to be recorded: its address, or why there is none; None before the first."""
        return self.journal.entry

    def status(self, subject: str | None = None, verdict: Verdict | None = None) -> AnswerStatus:
        """
        Tell what the latest answer is worth, once all of it was read: the trail's condition, what the answer lacks, an exit code.

        Args:
            subject: Whose data was asked for, if anybody's: without a key nobody can be recognised.
            verdict: What is known of the trail already; without it as much is verified as costs little.

        Raises:
            TrailCorrupt: The trail is gone.
            UnsupportedFormat: A newer version wrote what is there now.
        """
        return answer.status_of(self.unaudited, subject, verdict)

    # --- calls

    def calls(
        self, *, order_by: str | None = None, descending: bool = False, limit: int | None = None, after: str | None = None, verified: bool = False,
        recorded_as: str = "calls", **filters: Unpack[Filters],
    ) -> Calls:  # fmt: skip
        """
        Give the calls that match, by default ordered by when they started.

        By default records are folded while they stream by, so memory does not grow with the trail. A call that is still open after 10,000
        others have started no longer holds these back: it comes when it ends, or last. With an order or a page the answer is sorted first:
        with a limit no more than it is held, without one all that match are.

        Up to 1,000 calls are read before the first is given: so the record of a short answer says how many calls it gave. A longer
        answer is recorded when it begins, and once more when it ends or is broken off.

        Args:
            order_by: A field of a call; equal ones stand in the order of their first records. Without a value they come last.
            descending: The largest first.
            limit: Give at most so many.
            after: The key that the page before gave (``next_key``): go on after it.
            verified: Check of every record that a call is made of whether its line holds its hash, stands in the trail, and agrees with its
                neighbours; that the chain is whole, only :meth:`verdict` tells.
            recorded_as: What the record of this reading calls it, for a front end that has a name of its own for the question.
            filters: :class:`~otel_tool_audit.review.calls.filters.Filters`.

        Returns:
            Calls, one by one or as a table: the fields of FORMAT.md, section 4, folded, with ``status``, ``writer``, ``chain``, ``seq`` and
            ``hash`` of the last record, and ``records``.

        Raises:
            SettingsError: A filter, a field or a key cannot be understood.
            RecordCorrupt: With *verified*, while the calls are read: a record does not hold.
        """
        found = self.unaudited.calls(order_by=order_by, descending=descending, limit=limit, after=after, verified=verified, **filters)
        return found.through(lambda calls: audited(calls, self.journal, Reading(recorded_as, recordable(filters))))

    def by_conversation(self, conversation: str) -> Calls:
        """Give all calls of a conversation, by time."""
        return self.calls(conversation=conversation)

    def by_user(self, user: str, since: Moment | None = None) -> Calls:
        """
        Give all calls on behalf of a user, by time.

        Args:
            user: ``user_id``.
            since: Not before this moment.
        """
        return self.calls(user=user, since=since)

    def failures(self, since: Moment | None = None) -> Calls:
        """
        Give all calls that failed, by time; calls without an end are not among them (``status="interrupted"``).

        Args:
            since: Not before this moment.
        """
        return self.calls(status=ERROR, since=since)

    def timeline(self, conversation: str) -> str:
        """
        Show a conversation's calls, a line each, in the order in which they started.

        Source: ARCHITECTURE.md, R15.
        """
        return "\n".join(timeline.line(call) for call in self.calls(conversation=conversation, recorded_as="timeline"))

    def call(self, call_id: str) -> Call | None:
        """
        Give one call by any of its ids; None when there is none.

        Args:
            call_id: 32 hex digits.
        """
        return self._shown(self.unaudited.call(call_id), call_id)

    def matcher(self, **filters: Unpack[Filters]) -> Callable[[Call], bool]:
        """
        Give what tells whether a call matches, for whoever has calls already.

        Args:
            filters: :class:`~otel_tool_audit.review.calls.filters.Filters`.

        Raises:
            SettingsError: A filter cannot be understood.
        """
        return self.unaudited.matcher(**filters)

    def key_of(self, call: Call, order_by: str | None = None, *, descending: bool = False) -> str:
        """
        Give the key after which a page begins that is to follow this call.

        Args:
            call: One that :meth:`calls` gave.
            order_by: As it was asked for.
            descending: Likewise.
        """
        return self.unaudited.key_of(call, order_by, descending=descending)

    # --- figures and reports

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
        return self.statistics(every=every, tool=tool, **filters)[0]

    def statistics(self, *, every: str | None = None, **filters: Unpack[Filters]) -> tuple[ToolStatistics, tuple[ToolStatistics, ...]]:
        """
        Count calls: all together, and each tool by itself, the most called first.

        Args:
            every: As for :meth:`tool_statistics`.
            filters: :class:`~otel_tool_audit.review.calls.filters.Filters`.

        Raises:
            SettingsError: A filter or *every* cannot be understood.
        """
        found = self.unaudited.statistics(every=every, **filters)
        self._watch("stats", filters).about((), found[0].calls)
        return found

    def access_report(
        self, subject: str, start: Moment | None = None, end: Moment | None = None, *, check: bool = True, most: int | None = None,
        verifying: Watching = nullcontext, **filters: Unpack[CommonFilters],
    ) -> AccessReport:  # fmt: skip
        """
        Tell who saw a subject's data.

        Args:
            subject: Whose data; in clear or as stored.
            start: Not before this moment.
            end: Before this moment.
            check: Verify the whole trail, for the report's verdict.
            most: The most rows that the report may have; by default any number.
            verifying: Gives something that is told of bytes verified and bytes in all, for as long as that takes.
            filters: More :class:`~otel_tool_audit.review.calls.filters.CommonFilters`.

        Raises:
            SettingsError: A filter cannot be understood; or the report has more rows than *most*, and nobody has seen it.
        """
        found = self.unaudited.access_report(subject, start, end, check=False, **filters)
        return self._reported("report access", found, {**filters, "subject": subject, "since": start, "until": end}, check, most, verifying)

    def conversation_report(
        self, conversation: str, /, start: Moment | None = None, end: Moment | None = None, *, check: bool = True, most: int | None = None,
        verifying: Watching = nullcontext, **filters: Unpack[Filters],
    ) -> ConversationReport:  # fmt: skip
        """
        Tell what happened in a conversation, call by call.

        Args:
            conversation: ``conversation_id``.
            start: Not before this moment.
            end: Before this moment.
            check: Verify the whole trail, for the report's verdict.
            most: As for :meth:`access_report`.
            verifying: Likewise.
            filters: More :class:`~otel_tool_audit.review.calls.filters.Filters`.

        Raises:
            SettingsError: As for :meth:`access_report`.
        """
        found = self.unaudited.conversation_report(conversation, start, end, check=False, **filters)
        asked = {**filters, "conversation": conversation, "since": start, "until": end}
        return self._reported("report conversation", found, asked, check, most, verifying)

    def activity_report(
        self, start: Moment | None = None, end: Moment | None = None, *, every: str | None = None, check: bool = True,
        verifying: Watching = nullcontext, **filters: Unpack[Filters],
    ) -> ActivityReport:  # fmt: skip
        """
        Tell what happened in a period.

        Args:
            start: Not before this moment.
            end: Before this moment.
            every: As for :meth:`tool_statistics`.
            check: Verify the whole trail, for the report's verdict.
            verifying: As for :meth:`access_report`.
            filters: More :class:`~otel_tool_audit.review.calls.filters.Filters`; what writers refused and lost is told of all calls.

        Raises:
            SettingsError: A filter or *every* cannot be understood.
        """
        found = self.unaudited.activity_report(start, end, every=every, check=False, **filters)
        return self._reported("report activity", found, {**filters, "since": start, "until": end}, check, None, verifying)

    def sql(self, question: str, **filters: Unpack[Filters]) -> Rows:
        """
        Answer SQL that somebody wrote, over the tables ``calls`` and ``records``; it can read them and do nothing else.

        Both are loaded into memory first, ``records`` only when the question speaks of it. What a question shows only its text could
        tell, so every one is recorded: before it is asked, and again with the number of rows, or that it was not answered.

        Args:
            question: One ``SELECT``.
            filters: Which calls the table ``calls`` holds.

        Raises:
            SettingsError: It is no such thing, or asks too much; or DuckDB is not installed.
        """
        # what cannot be understood, or has nobody to answer it, is no question yet
        optional("duckdb", NEEDS_DUCKDB)
        self.unaudited.matcher(**filters)
        reading = Reading("sql", {**recordable(filters), "sql": question})
        # before it is asked: one that fails, takes too long or all the memory may have shown something, too
        begun = self.journal.begin(reading, None)
        rows: int | None = None
        try:
            found = self.unaudited.sql(question, **filters)
            rows = len(found.rows)
        finally:
            self.journal.note(reading, rows, begun=begun.address, complete=rows is not None)
        return found

    def export(
        self, folder: str | os.PathLike[str], format: str = "jsonl", *, said: Mapping[str, str] | None = None, verifying: Watching = nullcontext,  # noqa: A002 - the word that manifest and command have for it
        exporting: Callable[[], AbstractContextManager[Callable[[int], None] | None]] = nullcontext, going_on: Callable[[int], object] = lambda _: None,
        **filters: Unpack[Filters],
    ) -> Exported:  # fmt: skip
        """
        Write calls to files with a manifest; an export that was interrupted goes on when it is asked for again.

        Args:
            folder: Where the files go: a directory that is not there yet, is empty, or holds this very export, interrupted.
            format: The name of one of :data:`~otel_tool_audit.export.formats.FORMATS`.
            said: The words in which the time was given, where *since* and *until* are what they meant just now.
            verifying: As for :meth:`access_report`.
            exporting: Gives something that is told now and then how many calls are written, for as long as that takes.
            going_on: Is told how many calls are there already, when an interrupted export goes on.
            filters: :class:`~otel_tool_audit.review.calls.filters.Filters`.

        Returns:
            The manifest, the records of this reading, and what the trail is worth.

        Raises:
            SettingsError: A filter or the directory cannot be used, or pyarrow is not installed.
            TrailCorrupt: The interrupted export cannot be continued.
        """
        from otel_tool_audit.access import exports  # noqa: PLC0415 - few readers export

        words = {name: str(filters[name]) for name in ("since", "until") if filters.get(name) is not None} if said is None else said
        return exports.export(
            self.unaudited, self.journal, os.fspath(folder), format, filters, said=words, verifying=verifying, exporting=exporting, going_on=going_on
        )

    def verdict(self) -> Verdict:
        """Verify the trail, and give what a report says of it."""
        return self.unaudited.verdict()

    def heads(self) -> tuple[ChainHead, ...]:
        """Tell where each chain ends now, as its files say: seconds cheaper than a verdict, and no proof of anything."""
        return self.unaudited.heads()

    # --- records

    def chains(self) -> list[str]:
        """List the chains, by name."""
        return self.unaudited.chains()

    def records(self, chain: str | None = None, *, deep: bool = False) -> Iterator[dict[str, Any]]:
        """
        Give all records of one chain, or of all chains ordered by time.

        Args:
            chain: Its name; None for all. Order across chains is presentation, not evidence.
            deep: Check each line's hash, too.

        Returns:
            Records as they stand in their lines, with ``chain`` added. Events and keys that this version does not know are kept.

        Raises:
            TrailCorrupt: There is no such chain; or, with *deep*, a line's hash does not hold.
        """
        return audited(self.unaudited.records(chain, deep=deep), self.journal, Reading("records", {"chain": chain}))

    def record(self, chain: str, seq: int) -> dict[str, Any] | None:
        """
        Give one record by its address; None when there is none.

        Args:
            chain: The chain's name.
            seq: The record's position in it.
        """
        return self._shown(self.unaudited.record(chain, seq), f"{chain}/{seq}")

    def proof(self, chain: str, seq: int) -> Proof | None:
        """
        Tell whether a record's line holds, and whether its neighbours hold on to it; None when there is no such record.

        Args:
            chain: The chain's name.
            seq: The record's position in it.
        """
        return prove(self.unaudited, chain, seq)

    def lines(self, chain: str) -> Iterator[bytes]:
        """
        Give the lines of one chain as they stand in its files, without their LF; what is no record is among them.

        Args:
            chain: Its name.

        Raises:
            TrailCorrupt: The chain cannot be read.
        """
        watch = self._watch("records", {"chain": chain})
        for line in self.unaudited.source.lines(chain):
            yield _seen(watch, line)

    def line(self, chain: str, seq: int) -> bytes | None:
        """
        Give a record's line as it stands in its file, without its LF; None when there is none.

        Args:
            chain: The chain's name.
            seq: The record's position in it.
        """
        found = self.unaudited.line(chain, seq)
        return None if found is None else _seen(self._watch("show", {"record": f"{chain}/{seq}"}), found)

    @contextmanager
    def finding(self) -> Iterator[Callable[[str, int], bytes | None]]:
        """Give a function for many addresses that finds what :meth:`line` finds, each chain as it stood when it was first asked for."""
        watch = self._watch("records", {})
        with self.unaudited.source.finding() as find:

            def found(chain: str, seq: int) -> bytes | None:
                line = find(chain, seq)
                return None if line is None else _seen(watch, line)

            yield found

    def appended(self, marks: dict[str, Cursor]) -> Iterator[dict[str, Any]]:
        """
        Give the records that were written since somebody last looked, chain by chain.

        Args:
            marks: How far each chain was read, moved on as records are given; a chain that is not in it is read from its beginning.
        """
        watch = self._watch("tail", {})
        for record in self.unaudited.source.appended(marks):
            watch.about((record,), None)
            yield record

    def ends(self) -> dict[str, Cursor]:
        """Tell where each chain ends now, for :meth:`appended`."""
        return self.unaudited.source.ends()

    def pieces(self, chain: str, size: int) -> Iterator[Piece]:
        """
        Cut one chain into pieces that helpers can read, each of whole lines, in order.

        Args:
            chain: Its name.
            size: Bytes that a piece has at least; the last one of a segment may have fewer.

        Raises:
            TrailCorrupt: The chain cannot be read.
        """
        return self.unaudited.source.pieces(chain, size)

    def pool(self, worker: type[Worker], size: int) -> Pool:
        """
        Give who does work beside this reader: a helper process for each core, where it is worth it.

        Args:
            worker: Who does the jobs.
            size: How many bytes there are to read.
        """
        return self.unaudited.source.pool(worker, size)

    def _watch(self, what: str, filters: Mapping[str, Any]) -> Watch:
        return Watch(self.journal, Reading(what, recordable(filters)))

    def _shown(self, found: dict[str, Any] | None, name: str) -> dict[str, Any] | None:
        if found is not None:
            self._watch("show", {"record": name}).about((found,), 1)
        return found

    def _reported(self, what: str, found: Report, filters: Mapping[str, Any], check: bool, most: int | None, verifying: Watching) -> Report:
        return reports.reported(found, self.journal, Reading(what, recordable(filters)), check=check, most=most, verifying=verifying)


def _seen(watch: Watch, line: bytes) -> bytes:
    """Give a line once the reading of it is on record, if it shows a subject's data."""
    if watch.entry is None:
        watch.about((segments.parse(line) or {},), None)
    return line
