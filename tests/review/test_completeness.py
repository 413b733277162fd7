"""Whether anything is missing: what makes completeness "known gaps", and what does not."""

from __future__ import annotations

from typing import Any

from making import Made, call, killed, write

from otel_tool_audit.review.verify.findings import Verification
from otel_tool_audit.review.verify.verifier import verify
from otel_tool_audit.trail.trail import Trail


def judged(made: Made) -> Verification:
    found = verify(made.path, state=str(made.state))
    assert "intact" == found.integrity, found.as_dict()
    return found


def test_a_start_without_finish_is_a_gap(made: Made) -> None:
    """Closed in order, but one call has no end."""
    with Trail.open(made.path, state=made.state) as trail:
        call(trail, 1)
        call(trail, 2, end=False)
    found = judged(made)
    assert "known gaps" == found.completeness
    assert found.gaps


def test_a_writer_that_never_closed_is_a_gap(made: Made) -> None:
    """Even when all its calls ended, nobody knows what it had still in hand."""
    killed(made)
    write(made, 9, 9)
    assert "known gaps" == judged(made).completeness


def test_what_was_counted_as_lost_is_a_gap(made: Made) -> None:
    """`lost` above 0 and the record of the gap stay for ever."""
    with Trail.open(made.path, state=made.state) as trail:
        call(trail, 1)
        trail.lost(calls=1, records=2, reason="no space left on device")
    found = judged(made)
    assert "known gaps" == found.completeness
    assert any("no space left" in gap or "lost" in gap or "2" in gap for gap in found.gaps), found.gaps
    write(made, 2, 3)
    assert "known gaps" == judged(made).completeness


def test_a_running_call_of_a_living_writer_is_no_gap(made: Made) -> None:
    """What still runs is not missing."""
    with Trail.open(made.path, state=made.state) as trail:
        call(trail, 1, end=False)
        assert "known gaps" != judged(made).completeness


def test_two_writers_that_closed_are_complete(made: Made) -> None:
    """One after the other, and one beside the other."""
    write(made)
    with Trail.open(made.path, state=made.state) as one:
        call(one, 5)
        with Trail.open(made.path, state=made.state) as other:
            call(other, 6)
    found: dict[str, Any] = judged(made).as_dict()
    assert ("complete", []) == (found["completeness"], found["gaps"])
