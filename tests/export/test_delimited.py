from __future__ import annotations

import csv
import io
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from otel_tool_audit.export import delimited
from otel_tool_audit.review.index.columns import COLUMNS

TEXT = st.text(max_size=60) | st.from_regex(r"[=+\-@\t\r'＝＋－＠\"\n][ -~]{0,20}", fullmatch=True)
VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | TEXT
    | st.lists(TEXT, max_size=2)
    | st.dictionaries(TEXT, TEXT, max_size=2)
)
CALLS = st.dictionaries(st.sampled_from(list(COLUMNS)), VALUES)


def read(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8"), newline=""), strict=True))


@settings(deadline=None)
@given(st.lists(CALLS, max_size=4))
def test_any_call_is_one_row_for_a_strict_parser(calls: list[dict]) -> None:
    """Whatever values hold, there is one row a call, of as many cells as the header has."""
    rows = read(delimited.header() + delimited.encode(calls))
    assert list(COLUMNS) == rows[0]
    assert [len(COLUMNS)] * len(calls) == [len(row) for row in rows[1:]]


@settings(deadline=None)
@given(CALLS)
def test_no_cell_begins_as_a_formula(call: dict) -> None:
    """Text that a spreadsheet would run has an apostrophe in front; only numbers may begin with a sign."""
    for kind, cell in zip(COLUMNS.values(), read(delimited.encode([call]))[0], strict=True):
        if kind in {"text", "json"}:
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"))
        elif cell and kind != "truth":
            assert math.isfinite(float(cell)) or math.isinf(float(cell))


@settings(deadline=None)
@given(TEXT)
def test_the_original_text_can_be_had(text: str) -> None:
    """One apostrophe less is the text as it was."""
    assert text == delimited.original(delimited.neutral(text))


def test_null_and_empty_are_told_apart() -> None:
    """Null is an empty cell, an empty text a quoted one; lines end with CR and LF."""
    line = delimited.encode([{"call_id": "", "success": True, "turn_number": 3}])
    assert line.startswith(b'"",,,,3,')
    assert line.endswith(b"\r\n")
    assert b",true," in line
