"""The comparison of two streams, whatever they hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_tool_audit.review.reconcile.compare import KEPT, MISMATCHED, MISSING_IN_BACKEND, MISSING_IN_TRAIL, Terms, compare
from otel_tool_audit.review.reconcile.spill import Spill, pack_recorded, pack_seen
from otel_tool_audit.review.reconcile.values import ExportedSpan, Recorded, Window

TRAIL, OTHER = "a" * 32, "b" * 32
WRONG = b"\xff" * 32
TERMS = Terms(TRAIL, Window(0, 1000), 500, {})


def recorded(call: int, seq: int, at: int = 100, *, ended: bool = True, chain: str = "general", **changes) -> Recorded:
    made = Recorded(call.to_bytes(16), chain, seq, seq.to_bytes(32), ended, at, traced=True, sampled=True)
    return made._replace(**changes)


def seen(call: int, seq: int, at: int = 100, **changes) -> ExportedSpan:
    return ExportedSpan(call.to_bytes(16), TRAIL, "general", seq, seq.to_bytes(32), call.to_bytes(16), seq.to_bytes(8), at)._replace(**changes)


def compared(records, spans, terms=TERMS, names=None):
    with Spill() as spill:
        spill.put_records([pack_recorded(record) for record in records])
        spill.put_spans([pack_seen(span) for span in spans])
        spill.join(names or {})
        return compare(spill.records(), spill.spans(), terms)


def counted(*arguments, **named):
    return {name: number for name, number in compared(*arguments, **named).counts.items() if number}


CALL = [recorded(1, 0, ended=False), recorded(1, 1)]


@pytest.mark.parametrize(
    ("records", "spans", "expected"),
    [
        pytest.param(CALL, [seen(1, 1)], {"calls": 1, "agreed": 1}, id="both have it"),
        pytest.param(CALL, [seen(1, 1), seen(1, 1)], {"calls": 1, "agreed": 1, "duplicated spans": 1}, id="delivered twice"),
        pytest.param(CALL, [], {"calls": 1, MISSING_IN_BACKEND: 1}, id="the backend has not"),
        pytest.param([], [seen(1, 1)], {MISSING_IN_TRAIL: 1}, id="the trail has not"),
        pytest.param(CALL, [seen(1, 1, hash=WRONG)], {"calls": 1, MISMATCHED: 1}, id="another hash"),
        pytest.param(CALL, [seen(1, 7)], {"calls": 1, MISMATCHED: 1}, id="another place"),
        pytest.param(CALL, [seen(1, 1, chain="financial")], {"calls": 1, MISMATCHED: 1}, id="another chain"),
        pytest.param(CALL, [seen(1, 1), seen(1, 1, hash=WRONG)], {"calls": 1, MISMATCHED: 1}, id="two claims, one wrong"),
        pytest.param(CALL, [seen(1, 1, trail=OTHER)], {"calls": 1, MISMATCHED: 1}, id="stamped by another trail"),
        pytest.param([], [seen(1, 1, trail=OTHER)], {"spans of other trails": 1}, id="of another trail"),
        pytest.param(
            CALL, [seen(1, 1)._replace(seq=None, chain=None, trail=None)], {"calls": 1, "agreed": 1}, id="of the stamp only the hash is left"
        ),
        pytest.param(CALL[:1], [], {"calls": 1, "not ended": 1}, id="never ended"),
        pytest.param(CALL, [seen(1, 1, hash=None)], {"calls": 1, "without record": 1, MISSING_IN_BACKEND: 1}, id="span without a hash"),
        pytest.param([], [seen(1, 1, hash=None, trail=None)], {"without record": 1}, id="refused"),
        pytest.param([r._replace(sampled=False) for r in CALL], [], {"calls": 1, "sampled away": 1}, id="not sampled"),
        pytest.param([r._replace(traced=False) for r in CALL], [], {"calls": 1, "without span": 1}, id="no tracing"),
        pytest.param([recorded(1, 0, 600)], [], {"calls": 1, "on the way": 1}, id="just now"),
        pytest.param([recorded(1, 0, 2000)], [], {}, id="after the window"),
        pytest.param([recorded(1, 0, 2000)], [seen(1, 0, hash=WRONG)], {MISMATCHED: 1}, id="wrong, outside of the window"),
    ],
)
def test_every_case_has_its_name(records, spans, expected) -> None:
    """What either side has or has not is counted as what it is."""
    assert expected == counted(records, spans)


def test_what_was_pruned_lawfully_is_not_missed() -> None:
    """A span of a record before the first that is left is accounted for; one after it is missed."""
    terms = TERMS._replace(pruned={"general": 10})
    assert {"pruned": 1, MISSING_IN_TRAIL: 1} == counted([], [seen(1, 9), seen(2, 10)], terms)


def test_joined_ids_are_one_call() -> None:
    """Two instrumentations saw the same call: one id is enough in the backend, and both are compared."""
    records = [recorded(1, 0), recorded(2, 1), recorded(2, 2, traced=False)]
    names = dict.fromkeys((r.call for r in records), (1).to_bytes(16))
    assert {"calls": 1, "agreed": 1} == counted(records, [seen(2, 1)], names=names)
    assert {"calls": 1, MISMATCHED: 1} == counted(records, [seen(2, 1), seen(1, 0, hash=WRONG)], names=names)
    assert {"calls": 1, MISSING_IN_BACKEND: 1} == counted(records, [], names=names)


def test_findings_are_counted_all_and_kept_some() -> None:
    """A trail that is written anew as a whole does not fill the memory."""
    found = compared([], [seen(n, n) for n in range(KEPT + 5)])
    assert (KEPT + 5, KEPT) == (found.counts[MISSING_IN_TRAIL], len(found.findings))


@settings(deadline=None)
@given(st.sets(st.integers(0, 40)), st.sets(st.integers(0, 40)), st.sets(st.integers(0, 40)), st.randoms())
def test_the_sides_are_the_sets_they_are(trail, backend, changed, random) -> None:
    """Whatever is on either side, in whatever order it came: each call is agreed, mismatched or missing on one side, as sets say."""
    records = [recorded(n, n) for n in trail]
    spans = [seen(n, n, hash=WRONG if n in changed else n.to_bytes(32)) for n in backend]
    random.shuffle(records)
    random.shuffle(spans)
    counts = compared(records, spans).counts
    both = trail & backend
    assert len(both - changed) == counts["agreed"]
    assert len(both & changed) == counts[MISMATCHED]
    assert len(trail - backend) == counts[MISSING_IN_BACKEND]
    assert len(backend - trail) == counts[MISSING_IN_TRAIL]
    assert len(trail) == counts["calls"]


def test_moments_cut_the_records_into_equal_parts() -> None:
    """Between two moments lie about as many records as were asked for, in whatever portions they came."""
    with Spill() as spill:
        for begin in range(0, 6400, 50):
            spill.put_records([pack_recorded(recorded(n, n, n * 10)) for n in range(begin, begin + 50)])
        moments = spill.moments(1600)
    assert [15, 31, 47, 63] == [moment // 1000 for moment in moments]


IDS = st.binary(min_size=16, max_size=16)
TEXT = st.none() | st.text(st.characters(exclude_characters="/"), min_size=1, max_size=9)
NUMBERS = st.integers(0, (1 << 63) - 1)
RECORDS = st.builds(
    Recorded,
    IDS,
    st.from_regex("[a-z]{1,9}", fullmatch=True),
    NUMBERS,
    st.binary(min_size=32, max_size=32),
    st.booleans(),
    NUMBERS,
    st.booleans(),
    st.booleans(),
)
SPANS = st.builds(
    ExportedSpan,
    IDS,
    TEXT,
    TEXT,
    st.none() | NUMBERS,
    st.none() | st.binary(min_size=32, max_size=32),
    IDS,
    st.binary(min_size=8, max_size=8),
    st.integers(0, (1 << 64) - 1),
)


@settings(deadline=None)
@given(st.lists(RECORDS), st.lists(SPANS), st.sampled_from([1, 500, 1 << 20]))
def test_what_is_spilled_comes_back_as_it_was_and_in_order(records, spans, held) -> None:
    """Nothing is lost or changed, whether it was in memory or on disk, and it comes by call, then as written or by time."""
    with Spill(held) as spill:
        for record in records:
            spill.put_records([pack_recorded(record)])
        spill.put_spans([pack_seen(span) for span in spans])
        ones, others = list(spill.records()), list(spill.spans())
    assert Counter(records) == Counter(record for _, record in ones)
    assert Counter(spans) == Counter(span for _, span in others)
    assert [record.call for _, record in ones] == [key for key, _ in ones]
    assert sorted((key, record.seq) for key, record in ones) == [(key, record.seq) for key, record in ones]
    assert sorted((key, span.at) for key, span in others) == [(key, span.at) for key, span in others]


@settings(deadline=None)
@given(st.lists(st.integers(0, 9)), st.sets(st.integers(0, 9)), st.sampled_from([1, 1 << 20]))
def test_joined_calls_come_together_on_both_sides(calls, joined, held) -> None:
    """Each key comes once, in the same order on both sides, and holds what all of its ids have."""
    with Spill(held) as spill:
        spill.put_records([pack_recorded(recorded(call, seq)) for seq, call in enumerate(calls)])
        spill.put_spans([pack_seen(seen(call, seq)) for seq, call in enumerate(calls)])
        spill.join({call.to_bytes(16): min(joined).to_bytes(16) for call in joined})
        sides = [
            [(key, {item.call for _, item in group}) for key, group in groupby(side, key=lambda item: item[0])]
            for side in (spill.records(), spill.spans())
        ]
    assert sides[0] == sides[1]
    assert sorted(key for key, _ in sides[0]) == [key for key, _ in sides[0]]
    assert len({key for key, _ in sides[0]}) == len(sides[0]) == len({min(joined) if call in joined else call for call in calls})


def test_a_window_is_half_open() -> None:
    """Its beginning is in it, its end is not."""
    window = replace(Window(10, 20), until=30)
    assert (True, False, True) == (window.holds(10), window.holds(30), window.holds(29))
