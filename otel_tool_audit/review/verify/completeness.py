"""
Whether everything that was done is on record, as far as the trail itself can tell.

Source: FORMAT.md, section 6; ARCHITECTURE.md, D6; PROTOCOL.md, "Verdicts".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from otel_tool_audit.format.events import CLOSED, OPENED, RECOVERED, Completeness, gap_of, kind_of
from otel_tool_audit.record.untrusted import details_of, mapping
from otel_tool_audit.review.source.state import StateView
from otel_tool_audit.review.verify import findings as f
from otel_tool_audit.review.verify.chain import ChainResult
from otel_tool_audit.text import plural

_NAMED: Final = 5


class Writers:
    """What each writer said of itself: in chain ``trail``, in written order."""

    def __init__(self, events: Iterable[tuple[int, dict[str, Any]]]) -> None:
        self.opened: dict[str, int] = {}
        self.closed: set[str] = set()
        self.counters: dict[str, dict[str, Any]] = {}
        for seq, record in events:
            event, details = record.get("event"), details_of(record)
            writer = str(details.get("writer"))
            if event == OPENED:
                self.opened[writer] = seq
            elif kind_of(record).completeness is Completeness.COUNTERS:
                self.counters[writer] = mapping(details.get("counters"))
                if event == CLOSED:
                    self.closed.add(writer)

    def count(self, writer: str, name: str) -> int:
        """Read a counter; 0 when the writer did not say."""
        number = self.counters.get(writer, {}).get(name)
        return number if type(number) is int else 0


def judge(results: list[ChainResult], writers: Writers, state: StateView, findings: f.Findings, *, at_home: bool) -> str:
    """
    Judge completeness.

    Args:
        results: All chains.
        writers: What writers said of themselves.
        state: Tells who lives.
        findings: Takes the reasons.
        at_home: Whether the state directory is that of these files' writers.

    Returns:
        ``complete``, ``known gaps`` or ``cannot tell``.
    """
    state.forget_the_living()
    _judge_writers(results, writers, state, findings, at_home=at_home)
    _judge_calls(results, state, findings)
    for result in results:
        _judge_chain(result, findings)
    if findings.findings:
        findings.unknown.append("the trail is broken")
    if findings.gaps:
        return f.KNOWN_GAPS
    return f.CANNOT_TELL if findings.unknown else f.COMPLETE


def _judge_writers(results: list[ChainResult], writers: Writers, state: StateView, findings: f.Findings, *, at_home: bool) -> None:
    whole = not any(result.facts.epochs or result.facts.pruned for result in results)
    for writer, seq in writers.opened.items():
        lost = writers.count(writer, "lost")
        if lost:
            findings.gaps.append(f"writer {writer} lost {plural(lost, 'record')}")
        dropped = writers.count(writer, "spans_dropped")
        if dropped:
            findings.notes.append(f"the exporter of writer {writer} dropped {plural(dropped, 'span')}; the trail does not depend on them")
        if writer in writers.closed:
            here = sum(result.facts.recorded.get(writer.encode(), 0) for result in results)
            if whole and here < writers.count(writer, "recorded"):
                findings.gaps.append(
                    f"writer {writer} counted {plural(writers.count(writer, 'recorded'), 'call')} as recorded, {here} on record here"
                )
        elif state.is_alive(writer):
            findings.notes.append(f"writer {writer} (trail/{seq}) is at work")
        elif at_home:
            findings.gaps.append(f"writer {writer} (trail/{seq}) was never closed and does not live")
        else:
            findings.unknown.append(f"writer {writer} (trail/{seq}) was not closed; whether it lives cannot be told here")


def _judge_calls(results: list[ChainResult], state: StateView, findings: f.Findings) -> None:
    running = 0
    interrupted: list[str] = []
    for result in results:
        if result.facts.overflow:
            findings.gaps.append(f"chain {result.name} has tens of thousands of calls without an end")
        for call, writer in result.facts.opened.items():
            if state.is_alive(writer.decode("ascii", "replace")):
                running += 1
            else:
                interrupted.append(call.decode("ascii", "replace"))
    if running:
        findings.notes.append("1 call is running" if running == 1 else f"{running:,} calls are running")
    if interrupted:
        more = f" and {len(interrupted) - _NAMED} more" if len(interrupted) > _NAMED else ""
        what = "1 call started and has no end" if len(interrupted) == 1 else f"{len(interrupted):,} calls started and have no end"
        findings.gaps.append(f"{what}: {', '.join(interrupted[:_NAMED])}{more}")


def _judge_chain(result: ChainResult, findings: f.Findings) -> None:
    for seq, record in result.facts.events:
        details = details_of(record)
        where = f"{result.name}/{seq}"
        gap = gap_of(record, where)
        if gap:
            findings.gaps.append(gap)
        elif record.get("event") == RECOVERED and details.get("kind") == "host_crash":
            _crashed(where, mapping(details.get("from")).get("count"), mapping(details.get("to")).get("count"), details.get("durability"), findings)
    tail = result.tail
    if tail is not None and tail.crashed is not None:
        _crashed(f"{result.name}, since its last opening", tail.from_count, tail.upto, tail.crashed, findings)


def _crashed(where: str, begin: object, end: object, durability: object, findings: f.Findings) -> None:
    what = f"the host went down before {where}: what was written after record {begin} and is not among those up to {end}"
    if durability == "os":
        findings.gaps.append(f"{what} is lost (durability os)")
    else:
        findings.unknown.append(f"{what} cannot be told")
