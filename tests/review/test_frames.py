"""Answers as data frames of other packages."""

from __future__ import annotations

from typing import Any

import pytest
from making import Made, call, write

from otel_tool_audit.access.reader import TrailReader
from otel_tool_audit.trail.trail import Trail

pytest.importorskip("pyarrow")


@pytest.mark.parametrize("package", ["pandas", "polars"])
def test_calls_are_a_data_frame_with_types(made: Made, package: str) -> None:
    """Numbers are numbers, what is not known is missing and no text, and an empty answer has the columns of a full one."""
    pytest.importorskip(package)
    write(made, 1, 3)
    with Trail.open(made.path, state=made.state) as trail:
        call(trail, 9, end=False, turn_number=None)
    reader = TrailReader(made.path, state=str(made.state))

    def frame(**filters: Any) -> Any:
        return getattr(reader.calls(**filters), package)()

    found, nothing = frame(), frame(user="nobody")
    assert (4, list(nothing.columns)) == (found.shape[0], list(found.columns))
    assert 0 == nothing.shape[0]
    assert 156.0 == found["duration_ms"].mean()
    assert 6 == found["turn_number"].sum()
    assert ["success"] * 3 + ["interrupted"] == list(found["status"])
    missing = found["duration_ms"].isna() if package == "pandas" else found["duration_ms"].is_null()
    assert [False, False, False, True] == list(missing)
