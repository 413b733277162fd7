from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_reports import access_report, activity_report, heading, row

import otel_tool_audit.export
from otel_tool_audit.export import html
from otel_tool_audit.export.contents import access_document, activity_document
from otel_tool_audit.export.document import ReportDocument
from otel_tool_audit.text import printable

html5lib = pytest.importorskip("html5lib")
pytest.importorskip("jinja2")

TEXT = st.text(max_size=40) | st.sampled_from(
    ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</style>", "{{ 7*7 }}", "{% raw %}", "\u202e\x00", "&lt;", "'"]
)
ELEMENTS = {
    "html", "head", "meta", "title", "style", "body", "a", "header", "main", "footer", "section", "p", "h1", "h2", "h3", "dl", "div", "dt", "dd", "b", "span",
    "ul", "li", "figure", "figcaption", "svg", "rect", "details", "summary", "table", "caption", "colgroup", "col", "thead", "tbody", "tfoot", "tr", "th",
    "td", "pre", "code",
}  # fmt: skip
EMPTY = access_document(access_report([]), heading())


def page(document: ReportDocument) -> str:
    return "".join(html.render(document))


def parse(text: str) -> Element:
    """Read it as a strict parser does: any mistake in the markup is an error."""
    found: Element = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)
    return found


def elements(tree: Element) -> Iterator[tuple[str, Element]]:
    for element in tree.iter():
        if isinstance(element.tag, str):
            yield element.tag.rpartition("}")[2], element


@given(text=TEXT, other=TEXT)
@settings(max_examples=60, deadline=None)
def test_no_value_becomes_markup(text: str, other: str) -> None:
    """Whatever records and askers say, the page has the elements of its template and no others, and shows the text."""
    rows = [
        row(1, user_id=text, tool_name=other, error=text, arguments={text: other}, viewed={other: text}, fields=(text, other), hash=text, chain=other)
    ]
    document = access_document(access_report(rows, subject=text, path=other, notes=(text,)), heading(who=text, reason=other, filters={"user": text}))
    tree = parse(page(document))
    for name, element in elements(tree):
        assert name in ELEMENTS
        assert not any(attribute.lower().startswith("on") or attribute in {"style", "src"} for attribute in element.attrib)
        assert element.get("href") in {None, "#rows"}
    told = "".join(tree.itertext())
    assert printable(text) in told
    assert printable(other) in told


@pytest.mark.parametrize(
    "document",
    [EMPTY, access_document(access_report([row(1)]), heading()), access_document(access_report([row(n) for n in range(200)]), heading()),
     activity_document(activity_report(9), heading()), activity_document(activity_report(0, gaps=(), users=()), heading())],
    ids=["empty", "one row", "200 rows", "activity", "no activity"],
)  # fmt: skip
def test_a_page_is_well_formed_and_loads_nothing(document: ReportDocument) -> None:
    """It parses strictly, has its landmarks once, names every header's scope and every picture, and refers to nothing outside."""
    text = page(document)
    found = list(elements(parse(text)))
    for landmark in ("header", "main", "footer", "h1", "title"):
        assert 1 == sum(name == landmark for name, _ in found)
    assert all(element.get("scope") in {"col", "row"} for name, element in found if name == "th")
    assert all(
        element.get("aria-label") or element.get("aria-hidden") == "true" or element.get("viewBox") == "0 0 8 8"
        for name, element in found
        if name == "svg"
    )
    assert not re.search(r"https?://|url\(|@import|<script|javascript:", text)
    ids = [element.get("id") for _, element in found if element.get("id")]
    assert len(set(ids)) == len(ids)
    assert all(element.get("aria-labelledby") in ids for _, element in found if element.get("aria-labelledby"))


def test_only_this_style_sheet_may_act() -> None:
    """The page's own policy allows its style by hash, and nothing else."""
    text = page(EMPTY)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"content=\"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'\"" in text.replace("&#39;", "'")


def test_every_row_has_what_proves_it() -> None:
    """Address and whole hash of each row, the verdict and the heads stand in the page."""
    told = "".join(parse(page(access_document(access_report([row(n) for n in range(30)]), heading()))).itertext())
    assert all(f"healthcare/{2 * n + 1}" in told and f"{n:064x}" in told for n in range(30))
    assert all(part in told for part in ("intact", "known gaps", "a" * 64, "b" * 64, "trail/5", "request 17", "UTC"))


def test_what_is_not_shown_is_counted() -> None:
    """Values beyond the ten of a chart, and text beyond what fits a row, are announced, never just left out."""
    told = "".join(parse(page(activity_document(activity_report(9), heading()))).itertext())
    assert "and 20 more" in told
    long = access_document(access_report([row(1, arguments={"note": "x" * 1000})]), heading())
    assert "more characters; the record has them" in page(long)


def test_an_empty_report_says_so() -> None:
    """No row is a sentence, not an empty table."""
    assert "No call touched this subject" in page(EMPTY)
    assert 'role="table"' not in page(EMPTY)


def _palettes() -> Iterator[dict[str, str]]:
    style = (Path(otel_tool_audit.export.__file__).parent / "templates" / "report.css").read_text(encoding="utf-8")
    for block in re.findall(r":root\{(.*?)\}", style):
        yield dict(re.findall(r"--(\w+):(#[0-9a-f]+)", block))


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(d * 2 for d in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_colours_have_the_contrast_of_wcag_aa() -> None:
    """Text has 4.5 to 1 on paper and panels, bars have 3 to 1: in light, in dark, and in print."""
    palettes = list(_palettes())
    assert 3 == len(palettes)
    for palette in palettes:
        for ground in ("paper", "panel"):
            assert all(_contrast(palette[name], palette[ground]) >= 4.5 for name in ("ink", "soft", "accent", "good", "bad", "unsure"))
            assert all(_contrast(palette[name], palette[ground]) >= 3 for name in ("p0", "p1", "p2", "p3", "p4", "p5"))


def test_few_bars_stay_bars_and_each_has_its_name() -> None:
    """A report on two days is no wall of colour; below each bar stands its day, and a sentence says what the picture shows."""
    page = "".join(html.render(activity_document(activity_report(9), heading())))
    widths = {float(width) for width in re.findall(r'<rect class="p\d" x="[\d.]+" y="[\d.]+" width="([\d.]+)"', page)}
    assert max(widths) < 4
    assert 5 == len(re.findall(r"<span>2026-03-0\d</span>", page))
    assert "27 calls from 2026-03-01 to 2026-03-05, a bar a day; most: 9 (2026-03-01)" in page


def test_months_without_an_access_have_a_bar_of_nothing() -> None:
    """A year with two accesses shows twelve months."""
    rows = [row(1, timestamp="2025-04-02T00:00:00.000000Z"), row(2, timestamp="2026-03-01T00:00:00.000000Z")]
    series = access_document(access_report(rows), heading()).series
    assert series
    assert [1, *[0] * 10, 1] == [bar.total for bar in series.bars]
    assert ("2025-04", "2026-03") == (series.bars[0].name, series.bars[-1].name)
