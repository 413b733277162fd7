"""
A report as one HTML file: nothing is loaded from anywhere, no script runs, and no value becomes markup.

Print-ready, for phones and wide screens, dark and light; charts are inline SVG beside their numbers.

Source: HTML Living Standard; WCAG 2.2, AA; CSP Level 3 (only this one style sheet, by its hash).
"""

from __future__ import annotations

import base64
import hashlib
import importlib
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, Final

from otel_tool_audit.export.charts import COLOURS, NAMED, share, vertical
from otel_tool_audit.export.document import ReportDocument, Table
from otel_tool_audit.extras import optional

_PIECES: Final = 1_000


def render(report: ReportDocument) -> Iterator[str]:
    """
    Write a report as HTML.

    Args:
        report: What it says.

    Yields:
        Pieces of the page, in order.

    Raises:
        SettingsError: jinja2 is not installed.
    """
    environment = _environment()
    style = _read("report.css") + "".join(_widths(number, table) for number, table in enumerate(report.tables, 1))
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    page = environment.from_string(_read("report.html.j2"))
    pieces: Any = page.stream(
        report=report, style=_safe(style), policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        chart=vertical(report.series) if report.series else None, colours=COLOURS, share=share, named=NAMED,
    )  # fmt: skip
    # the template gives a few signs at a time
    pieces.enable_buffering(_PIECES)
    return iter(pieces)


def jinja2() -> Any:  # noqa: ANN401 - a module of an extra
    """
    Give jinja2.

    Raises:
        SettingsError: It is not installed.
    """
    return optional("jinja2", "reports as HTML need jinja2: pip install 'otel-tool-audit[report]'")


def _environment() -> Any:  # noqa: ANN401 - jinja2's, which is imported only here
    module = jinja2()
    return module.Environment(autoescape=True, undefined=module.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)


def _safe(style: str) -> Any:  # noqa: ANN401 - markupsafe's
    """The style sheet is this package's own text and a few numbers: the only thing that is not escaped."""
    return importlib.import_module("markupsafe").Markup(style)


def _widths(number: int, table: Table) -> str:
    whole = sum(column.width for column in table.columns)
    return "".join(f".w{number} col:nth-child({n}){{width:{100 * column.width / whole:.1f}%}}" for n, column in enumerate(table.columns, 1))


def _read(name: str) -> str:
    return (files("otel_tool_audit.export") / "templates" / name).read_text("utf-8")
