from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from otel_tool_audit.cli import output
from otel_tool_audit.cli.output import Cell, Column, safe
from otel_tool_audit.export.markdown import escaped
from otel_tool_audit.text import duration, percent, plural

DANGEROUS = {"Cc", "Cs", "Zl", "Zp"}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_json_keeps_every_value_and_holds_no_control_characters(value: object) -> None:
    """What is printed as JSON parses to the same value, and has nothing in it that a terminal acts on."""
    text = output.as_json(value)
    assert value == json.loads(text)
    assert not [c for c in text if unicodedata.category(c) in DANGEROUS]


@given(st.text(alphabet=st.characters(categories=["Cc", "Cf", "Zl", "Zp", "Lu"])))
def test_text_stays_one_line_without_control_characters(text: str) -> None:
    """Whatever a cell holds, it can neither end its line nor drive the terminal."""
    shown = output.safe(text)
    assert 1 == len((shown + "x").splitlines())
    assert not [c for c in shown if unicodedata.category(c) in {*DANGEROUS, "Cf"}]


def test_indented_json_keeps_its_line_feeds() -> None:
    """Only line feeds inside of strings are escaped."""
    assert '{\n  "a": "x\\ny"\n}' == output.as_json({"a": "x\ny"}, indent=2)


@given(st.lists(VALUES, max_size=3))
def test_a_list_is_a_document(values: list[object]) -> None:
    """No result, one or many: one JSON document, with what is known beside them."""
    assert {"rows": values, "more": {"n": 1}} == json.loads("".join(output.json_document("rows", values, lambda: {"more": {"n": 1}})))


def test_a_list_is_written_value_by_value() -> None:
    """A result is on its way before the next one is asked for, and what stands beside them is asked for last."""
    asked: list[object] = []

    def values() -> Iterator[int]:
        for number in (1, 2):
            asked.append(number)
            yield number

    pieces = output.json_document("rows", values(), lambda: {"seen": list(asked)})
    assert '{"rows": [\n1' == next(pieces)
    assert [1] == asked
    assert {"rows": [1, 2], "seen": [1, 2]} == json.loads('{"rows": [\n1' + "".join(pieces))


def test_a_table_lines_its_columns_up(capsys: pytest.CaptureFixture[str]) -> None:
    """Columns are as wide as their widest value; numbers stand at the right; no line ends in blanks."""
    rows = [(Cell("a"), Cell("5 ms"), Cell("general/1")), (Cell("long"), Cell("12 ms"), Cell("x"))]
    assert 2 == output.print_table((Column("NAME"), Column("TOOK", right=True), Column("RECORD")), rows)
    assert ["NAME   TOOK  RECORD", "a      5 ms  general/1", "long  12 ms  x"] == capsys.readouterr().out.splitlines()


def test_wide_characters_count_as_two_cells(capsys: pytest.CaptureFixture[str]) -> None:
    """Columns line up on the screen, not in characters."""
    output.print_table((Column("A"), Column("B")), [(Cell("注文"), Cell("x")), (Cell("abcd"), Cell("y"))])
    assert ["A     B", "注文  x", "abcd  y"] == capsys.readouterr().out.splitlines()


def test_markup_in_data_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Square brackets are no markup, colons no emoji."""
    output.print_table((Column("A"),), [(Cell("[bold red]x[/] :warning:"),)])
    assert "[bold red]x[/] :warning:" == capsys.readouterr().out.splitlines()[1]


def test_nothing_is_cut_when_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    """What goes into a pipe is whole, whatever the width of a terminal would be."""
    output.print_table((Column("A", shrinks=True), Column("B")), [(Cell("x" * 300), Cell("y"))])
    assert "x" * 300 + "  y" == capsys.readouterr().out.splitlines()[1]


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [
        (0, "0 ms"),
        (0.001, "<0.1 ms"),
        (0.2, "0.2 ms"),
        (1, "1 ms"),
        (2.25, "2.2 ms"),
        (9.96, "10 ms"),
        (12.4, "12 ms"),
        (999.4, "999 ms"),
        (999.6, "1.0 s"),
        (61_000, "61.0 s"),
        (None, "–"),
    ],
)
def test_what_took_a_while_never_took_nothing(milliseconds: float | None, shown: str) -> None:
    """Durations have two figures, and only nothing is 0."""
    assert shown == duration(milliseconds)


@pytest.mark.parametrize(
    "value", ["a|b", "<script>", "`x`", "**b**", "[x](http://y)", "# h", "line\nfeed", "@all", "https://x.y", "www.example.com", "\\|"]
)
def test_markdown_shows_every_value_as_text(value: str) -> None:
    """Each sign that could be markup has a backslash before it, and a row stays a row."""
    text = escaped(value)
    assert not re.search(r"(?<!\\)(?:\\\\)*[|<>`*_\[\]#@&!~$]|[^\\]://|www\.", text)
    assert "\n" not in text
    assert safe(value) == re.sub(r"\\(.)", r"\1", text)


def test_the_plural_is_that_of_the_number() -> None:
    """One call, two calls."""
    assert ["1 call", "0 calls", "1,000 calls", "2 people"] == [
        plural(1, "call"),
        plural(0, "call"),
        plural(1000, "call"),
        plural(2, "person", "people"),
    ]


@pytest.mark.parametrize(("room", "titles"), [(30, "A B SPARE LAST"), (24, "A B SPARE LAST"), (20, "A B LAST"), (15, "A B LAST")])
def test_a_narrow_table_gives_up_blanks_then_spare_columns_then_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, room: int, titles: str
) -> None:
    """Numbers are never cut, no line is longer than the terminal is wide, and the last column is whole."""
    monkeypatch.setattr(output, "stdout", lambda: Console(file=sys.stdout, force_terminal=True, width=room, color_system=None, soft_wrap=True))
    output.print_table(
        (Column("A", shrinks=True), Column("B", right=True), Column("SPARE", spare=True), Column("LAST")),
        [(Cell("abcdefgh"), Cell("123"), Cell("x"), Cell("12/9"))],
    )
    lines = capsys.readouterr().out.splitlines()
    assert titles.split() == lines[0].split()
    assert all(len(line) <= room for line in lines)
    assert ["123", "12/9"] == [cell for cell in lines[1].split() if cell[0] == "1"]


@pytest.mark.parametrize(
    ("rate", "shown"), [(0.0, "0.0 %"), (0.0001, "0.1 %"), (2 / 3, "66.7 %"), (0.5, "50.0 %"), (0.9999, "99.9 %"), (1.0, "100.0 %"), (None, "–")]
)
def test_a_rate_is_all_or_nothing_only_when_it_is(rate: float | None, shown: str) -> None:
    """Percentages are rounded to a tenth, but one failure in ten thousand calls is not a hundred percent."""
    assert shown == percent(rate)
