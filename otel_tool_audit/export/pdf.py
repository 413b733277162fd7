"""
A report as PDF, set by Typst: tagged for screen readers, with the fonts in it, and made without a network or a file.

What a report says goes in as data, so that no value is read as markup. A sign that neither Typst's fonts nor the system's have is shown as
its number, never as a box, and the report says so; the HTML has all of them.

Source: typst.app/docs; ISO 14289-1 (PDF/UA-1).
"""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.resources import files
from typing import Any, Final

import orjson

from otel_tool_audit.errors import SettingsError
from otel_tool_audit.export.charts import COLOURS, NAMED, share, vertical
from otel_tool_audit.export.document import UNSURE, Remarks, ReportDocument
from otel_tool_audit.extras import optional
from otel_tool_audit.text import escape, plural

STANDARD: Final = "ua-1"
MOST_ROWS: Final = 10_000
"""Rows of one PDF: each takes about 2 ms of a core and 250 kB of memory, and eight fill a page."""

_ATTEMPTS: Final = 150
_FONTS: Final = '("Libertinus Serif", "DejaVu Sans Mono")'
_SAMPLE: Final = f'#set document(title: "-")\n#set text(font: {_FONTS}, lang: "en")\n#sys.inputs.text'.encode()
"""Sets a text as the template does."""

_UNBROKEN: Final = re.compile(r"[^\s\u200b-]{25}(?=[^\s\u200b-])")
_BREAK: Final = "\u200b"
_FOREIGN: Final = re.compile("[^\u0000-\u052f\u1e00-\u1fff\u200b-\u206f\u2190-\u2193]")


def render(report: ReportDocument) -> bytes:
    """
    Write a report as PDF.

    Args:
        report: What it says.

    Raises:
        SettingsError: typst is not installed, or cannot set the report.
    """
    engine = typst()
    rows = sum(len(table.rows) for table in report.tables)
    if rows > MOST_ROWS:
        raise SettingsError(f"{rows:,} rows are too many for a PDF (at most {MOST_ROWS:,}); ask for HTML, or for a shorter time")
    template = (files("otel_tool_audit.export") / "templates" / "report.typ").read_bytes()
    texts = _texts(report)
    try:
        return bytes(engine.compile(template, sys_inputs=texts, pdf_standards=STANDARD))
    except engine.TypstError:
        # the standard refuses text that no font can show
        unknown = _without_font(engine, "".join(sorted({*_FOREIGN.findall("".join(texts.values()))})))
    pattern = re.compile(f"[{re.escape(unknown)}]" if unknown else r"(?!)")
    where = "in place of each stands its number (\\u…); the same report as HTML has all of them."
    told = Remarks("Letters", (f"{plural(len(unknown), 'sign')} that no font here can show: {where}",), UNSURE)
    # inside JSON text: two backslashes are one that is shown
    escaped = {
        name: pattern.sub(lambda sign: "\\" + escape(sign[0]), value)
        for name, value in _texts(replace(report, remarks=(*report.remarks, told))).items()
    }
    try:
        return bytes(engine.compile(template, sys_inputs=escaped, pdf_standards=STANDARD))
    except engine.TypstError as error:
        raise SettingsError(f"the report cannot be set as PDF ({error}); ask for HTML") from error


def _texts(report: ReportDocument) -> dict[str, str]:
    """Write down what the template is told, as JSON."""
    inputs = {
        "report": _breakable(orjson.loads(orjson.dumps(report))),
        "chart": _chart(report),
        "shares": [[[share(part, ranking) for part in bar.parts] for bar in ranking.bars] for ranking in report.rankings],
        "colours": COLOURS[len(report.series.parts)] if report.series else [],
    }
    return {name: orjson.dumps(value).decode() for name, value in inputs.items()}


def _without_font(engine: Any, signs: str) -> str:  # noqa: ANN401 - a module of an extra
    """
    Find the signs that no font can show, by halving: fonts lack whole scripts, and each attempt takes some milliseconds.

    What is still open after :data:`_ATTEMPTS` counts as lacking, too.
    """
    lacking, open_ = "", [signs] if signs else []
    for _ in range(_ATTEMPTS):
        if not open_:
            break
        part = open_.pop()
        try:
            engine.compile(_SAMPLE, sys_inputs={"text": part}, pdf_standards=STANDARD)
        except engine.TypstError:
            half = len(part) // 2
            if half:
                open_ += [part[half:], part[:half]]
            else:
                lacking += part
    return lacking + "".join(open_)


def typst() -> Any:  # noqa: ANN401 - a module of an extra
    """
    Give typst.

    Raises:
        SettingsError: It is not installed.
    """
    return optional("typst", "reports as PDF need typst: pip install 'otel-tool-audit[report]'")


def _chart(report: ReportDocument) -> dict[str, Any]:
    if report.series is None:
        return {}
    chart = vertical(report.series)
    return {"summary": report.series.summary, "width": chart.width, "named": NAMED, "rects": [rect._asdict() for rect in chart.rects]}


def _breakable(value: Any) -> Any:  # noqa: ANN401 - a JSON value
    """Allow long words to be broken: a hash is wider than its column."""
    if isinstance(value, str):
        return _UNBROKEN.sub(lambda found: found[0] + _BREAK, value) if len(value) > 25 else value  # noqa: PLR2004 - as in the pattern
    if isinstance(value, list):
        return [_breakable(item) for item in value]
    return {name: _breakable(item) for name, item in value.items()} if isinstance(value, dict) else value
