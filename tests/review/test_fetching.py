"""Calls that an index found are read in pieces, by helpers or here: always the same calls, and never others."""

from __future__ import annotations

import sys
from itertools import chain

import pytest
from making import Made, lines_of
from test_index import fill, quick, slow

from otel_tool_audit.errors import TrailCorrupt
from otel_tool_audit.review import planner
from otel_tool_audit.review.index import fetch

pytest.importorskip("duckdb")
pytest.importorskip("pyarrow")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="writers run on Linux")


@pytest.fixture(autouse=True)
def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small trails are asked through the index, too."""
    monkeypatch.setattr(planner, "WORTH_AN_INDEX", 0)


@pytest.mark.parametrize("helpers_from", [0, 10_000])
def test_what_is_made_of_calls_is_made_of_each_in_order(made: Made, monkeypatch: pytest.MonkeyPatch, helpers_from: int) -> None:
    """Pieces of any size, in helpers or in this process, with calls folded from several segments among them, join to the whole answer."""
    fill(made)
    monkeypatch.setattr(fetch, "WORTH_HELPERS", helpers_from)
    reader = quick(made)
    whole = list(reader.calls(order_by="timestamp"))
    assert whole == list(slow(made).calls(order_by="timestamp"))
    for size in (1, 7, 1000):
        assert whole == list(chain(*reader.calls(order_by="timestamp").map_batches(list, size)))
    begun = reader.calls(order_by="timestamp")
    first = [next(begun), next(begun)]
    assert whole == first + list(chain(*begun.map_batches(list, 4)))


def test_passing_over_calls_is_reading_them(made: Made) -> None:
    """Whatever number is passed over, the last of them is given and the rest follows, with an index and without."""
    fill(made, 30)
    for reader in (quick(made), slow(made)):
        whole = list(reader.calls(order_by="timestamp"))
        for count in (0, 1, 7, len(whole), len(whole) + 1):
            rest = reader.calls(order_by="timestamp")
            assert (whole[count - 1] if 0 < count <= len(whole) else None) == rest.skip(count)
            assert whole[count:] == list(rest)
        text = reader.calls(text="straße", order_by="timestamp")
        assert whole[4] == text.skip(5)


@pytest.mark.parametrize("helpers_from", [0, 10_000])
def test_lines_that_changed_since_are_refused(made: Made, monkeypatch: pytest.MonkeyPatch, helpers_from: int) -> None:
    """When a segment is written over between question and reading, there is an error, not another call."""
    fill(made)
    monkeypatch.setattr(fetch, "WORTH_HELPERS", helpers_from)
    found = quick(made).calls(order_by="timestamp")
    segment = min((made.path / "general").glob("*.jsonl"))
    segment.write_bytes(b"".join(lines_of(segment)[::-1]))
    with pytest.raises(TrailCorrupt, match="was changed while it was read"):
        list(found.map_batches(list, 3))
