"""A report on the terminal: facts, the verdict, figures, bars, rows, as wide as there is room."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from otel_tool_audit.cli import output
from otel_tool_audit.cli.output import Cell, Column
from otel_tool_audit.export import document as doc
from otel_tool_audit.export.document import Ranking, ReportDocument, Series, Table

STYLES: Final = {doc.GOOD: "green", doc.BAD: "red", doc.UNSURE: "yellow", doc.PLAIN: ""}
_EIGHTHS: Final = "▁▂▃▄▅▆▇█"
_BLOCKS: Final = " ▏▎▍▌▋▊▉█"
_BAR: Final = 24
_WIDEST_NAME: Final = 32


def show(report: ReportDocument) -> None:
    """
    Print a report for people.

    Args:
        report: What it says.
    """
    console = output.stdout()
    console.print(Text.assemble((report.title, "bold"), "  ", report.subject))
    output.print_fields((fact.name.lower(), fact.value) for fact in report.facts)
    _heading("Verdict")
    seal = report.seal
    pairs = [
        ("integrity", Cell(seal.integrity, f"bold {STYLES[seal.integrity_tone]}")), ("completeness", Cell(seal.completeness, STYLES[seal.completeness_tone])),
        *((head.name, Cell(head.value, "dim")) for head in seal.heads),
    ]  # fmt: skip
    output.print_fields(pairs)
    for remarks in (*seal.remarks, *report.remarks):
        for item in remarks.items:
            console.print(Text.assemble((f"{remarks.title.lower()}: ", STYLES[remarks.tone] or "dim"), item))
    _heading("In figures")
    figures = ((tile.name, Cell(f"{tile.value}{f'  ({tile.note})' if tile.note else ''}", STYLES[tile.tone])) for tile in report.tiles)
    output.print_fields(figures)
    if report.series is not None:
        _heading(report.series.title)
        console.print(Text(sparkline(bar.total for bar in _fitting(report.series, console.width))))
        console.print(Text(report.series.summary, "dim"))
    for ranking in report.rankings:
        _heading(ranking.title)
        _bars(ranking)
    for table in report.tables:
        _heading(table.title)
        _rows(table)


def sparkline(values: Iterable[int]) -> str:
    """Draw numbers as a line of bars, an eighth of a line each; nothing is a blank."""
    listed = list(values)
    highest = max(listed, default=0)
    return "".join(" " if not value else _EIGHTHS[max(0, -(-value * len(_EIGHTHS) // highest) - 1)] for value in listed)


def bar(share: float, width: int = _BAR) -> str:
    """
    Draw a bar to an eighth of a character; what is not nothing can be seen.

    Args:
        share: 0 to 1.
        width: Of the whole, in characters.
    """
    eighths = max(1, round(share * width * 8)) if share > 0 else 0
    return "█" * (eighths // 8) + _BLOCKS[eighths % 8].strip()


def _fitting(series: Series, width: int) -> tuple[doc.Bar, ...]:
    """As many bars as there is room for, the latest; the sentence below names all."""
    return series.bars[-width:]


def _heading(title: str) -> None:
    console = output.stdout()
    console.print()
    console.print(Text(title, "bold"))


def _bars(ranking: Ranking) -> None:
    console = output.stdout()
    width = min(_WIDEST_NAME, max((cell_len(item.name) for item in ranking.bars), default=0))
    longest = max((item.total for item in ranking.bars), default=0)
    for item in ranking.bars:
        name = item.name if cell_len(item.name) <= width else set_cell_size(item.name, width - 1) + "…"
        failed = f"  {item.parts[-1]:,} failed" if item.parts[-1] else ""
        console.print(Text.assemble(set_cell_size(name, width), f"  {item.total:>8,}  ", (bar(item.total / longest), "blue"), (failed, "red")))
    if ranking.others:
        console.print(Text(f"and {ranking.others:,} more", "dim"))


def _rows(table: Table) -> None:
    if not table.rows:
        output.stdout().print(Text(table.empty, "dim"))
        return
    columns = [
        Column(column.title.upper(), shrinks=number not in {0, len(table.columns) - 1}, right=column.right)
        for number, column in enumerate(table.columns)
    ]
    # a line a row: what the lines below hold, JSON and HTML show
    lines = [2 if column.title == "Time" else 1 for column in table.columns]
    first = ([Cell(" ".join(cell.lines[:number]), STYLES[cell.tone]) for number, cell in zip(lines, row, strict=True)] for row in table.rows)
    output.print_table(columns, first)
