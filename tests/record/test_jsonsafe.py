"""JSON that is read as it was written."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_tool_audit.record.jsonsafe import parse_json

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=("Cs",)), max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.booleans())
def test_what_was_written_comes_back(value, as_bytes):
    """Also integers beyond 64 bits: an order's number of 20 digits stays that number."""
    text = json.dumps(value)
    assert value == parse_json(text.encode() if as_bytes else text)


@pytest.mark.parametrize("text", ["", "{", "nan", "[NaN, 1000000000000000000000]", '{"a": 10000000000000000000', "1" * 19 + "x", b"\xff"])
def test_what_is_no_json_is_none(text):
    """A long number does not make the reader more lenient."""
    with pytest.raises(ValueError, match=r".+"):
        parse_json(text)


def test_what_lies_too_deep_is_read_all_the_same():
    """Where the exact reader gives up, the quick one's answer counts: nobody is brought down by brackets."""
    found = parse_json("[" * 1000 + "1" * 20 + "]" * 1000)
    while isinstance(found, list):
        (found,) = found
    assert 1.1e19 < found < 1.2e19
