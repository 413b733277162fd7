"""
A report as it is laid out, whatever it is written as: facts, figures, charts, tables. Pure values.

Every text in it came from a record, from whoever asked, or from this package; all of it is shown as text, nothing as markup, and what
could hide or turn text round is shown as an escape (:func:`~otel_tool_audit.review.calls.timeline.printable`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from otel_tool_audit.text import NOTHING, plural, printable

GOOD: Final = "good"
BAD: Final = "bad"
UNSURE: Final = "unsure"
PLAIN: Final = "plain"


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and what it stands for."""

    name: str
    value: str
    code: bool = False
    """Whether it is a hash, an id or an address: shown in a face that tells its letters apart."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure that is seen first."""

    name: str
    value: str
    note: str = ""
    tone: str = PLAIN


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a chart, in parts from the axis outwards."""

    name: str
    parts: tuple[int, ...]
    """As many numbers as the chart has parts."""

    @property
    def total(self) -> int:
        """All parts together."""
        return sum(self.parts)


@dataclass(frozen=True, slots=True)
class Ranking:
    """How often each value of a field occurs: horizontal bars, the longest first."""

    title: str
    parts: tuple[str, ...]
    """What the parts of a bar are."""
    bars: tuple[Bar, ...]
    others: int = 0
    """Values that are not shown."""


@dataclass(frozen=True, slots=True)
class Series:
    """How much there was over time: vertical bars."""

    title: str
    parts: tuple[str, ...]
    bars: tuple[Bar, ...]
    every: str
    """What a bar stands for: ``minute``, ``hour``, ``day`` or ``month``."""
    things: tuple[str, str]
    """What is counted: one of them, and several."""

    @property
    def summary(self) -> str:
        """Tell in a sentence what the picture shows."""
        if not self.bars:
            return "nothing"
        total, highest = plural(sum(bar.total for bar in self.bars), *self.things), max(self.bars, key=lambda bar: bar.total)
        if len(self.bars) == 1:
            return f"{total} in one {self.every}, {highest.name}"
        return f"{total} from {self.bars[0].name} to {self.bars[-1].name}, a bar a {self.every}; most: {highest.total:,} ({highest.name})"


@dataclass(frozen=True, slots=True)
class ReportCell:
    """What stands in a table: lines, the first of them the one that counts."""

    lines: tuple[str, ...]
    code: tuple[str, ...] = ()
    """Lines below them that are hashes or values."""
    tone: str = PLAIN


@dataclass(frozen=True, slots=True)
class ReportColumn:
    """A column of a table."""

    title: str
    width: int
    """Its share of the page, where pages have a width."""
    right: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings."""

    title: str
    columns: tuple[ReportColumn, ...]
    rows: tuple[tuple[ReportCell, ...], ...]
    empty: str
    """What is said where there are no rows."""
    about: str = ""


@dataclass(frozen=True, slots=True)
class Remarks:
    """Sentences, each of its own."""

    title: str
    items: tuple[str, ...]
    tone: str = PLAIN


@dataclass(frozen=True, slots=True)
class VerdictPanel:
    """What was found when the trail was verified."""

    integrity: str
    completeness: str
    integrity_tone: str
    completeness_tone: str
    sentence: str
    heads: tuple[Fact, ...]
    """Of each chain: how many records, and the hash of the last one."""
    remarks: tuple[Remarks, ...]


@dataclass(frozen=True, slots=True)
class ReportDocument:
    """A report."""

    title: str
    subject: str
    """What it is about, in a few words."""
    facts: tuple[Fact, ...]
    """Who asked, when, for what."""
    seal: VerdictPanel
    tiles: tuple[Tile, ...]
    series: Series | None
    rankings: tuple[Ranking, ...]
    tables: tuple[Table, ...]
    remarks: tuple[Remarks, ...]
    proof: tuple[str, ...]
    """How a reader proves a row."""


def text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Show any value as text that hides nothing."""
    return NOTHING if value is None or value == "" else printable(value)


def count(number: int) -> str:
    """Show a number."""
    return f"{number:,}"


def cell(*lines: Any, code: Sequence[str] = (), tone: str = PLAIN) -> ReportCell:  # noqa: ANN401 - any JSON values
    """Make a cell; lines that are None are left out, unless nothing would be left."""
    shown = tuple(text(line) for line in lines if line is not None)
    return ReportCell(shown or ((text(None),) if not code else ()), tuple(printable(line) for line in code), tone)
