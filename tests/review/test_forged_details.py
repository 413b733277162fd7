"""Records with right hashes and senseless contents: on a copy without a head nobody rules them out, and they must not make the verification fall over."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "golden"))

from independent import Chain, document, write_case

from otel_tool_audit.review.reader import UnauditedReader
from otel_tool_audit.review.verify.verifier import verify

EVENTS = [
    "trail.opened", "trail.chain_created", "trail.heartbeat", "trail.closed", "trail.segment_opened", "trail.recovered", "trail.gap", "trail.epoch",
    "trail.pruned", "trail.key_rotated", "trail.configuration_changed", "trail.new", "tool_call.started", "tool_call.amended", "tool_call.new",
]  # fmt: skip
KEYS = [
    "writer", "counters", "heads", "chain", "count", "hash", "previous", "segment", "first_seq", "attempt", "valid_end", "aside_bytes", "aside_sha256",
    "unsynced_from", "void_attempts", "reason", "kind", "from", "to", "durability", "epoch", "old_head", "files", "who", "segments", "bytes", "sha256",
    "first_hash", "last_hash", "seal_sha256", "calls", "records", "document_sha256", "general", "trail", "lost", "recorded",
]  # fmt: skip
ATOMS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(max_size=5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["host_crash", "os", "general", "000000000000.jsonl", "a" * 32, "b" * 64])
)
VALUES = st.recursive(ATOMS, lambda c: st.lists(c, max_size=3) | st.dictionaries(st.sampled_from(KEYS), c, max_size=6), max_leaves=12)
RECORDS = st.lists(st.tuples(st.sampled_from(EVENTS), VALUES, st.booleans()), max_size=6)


def _fill(chain: Chain, records: list[tuple[str, Any, bool]]) -> Chain:
    for number, (event, details, own) in enumerate(records):
        if own:
            chain.add(event, details=details)
        else:
            chain.add(event, call_id=f"{number:032x}", tool_name=details, arguments=details, joins=details, timestamp=details)
    return chain


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(own=RECORDS, general=RECORDS, head=st.booleans())
def test_no_contents_make_reading_fall_over(
    own: list[tuple[str, Any, bool]], general: list[tuple[str, Any, bool]], head: bool, tmp_path_factory: Any
) -> None:
    """Whatever details say, there is a verdict, and reading gives records."""
    target = tmp_path_factory.mktemp("case") / "case"
    chains = {"trail": _fill(Chain("trail"), own), "general": _fill(Chain("general"), general)}
    write_case(target, chains, {name: c.head() for name, c in chains.items()}, document(), state=head)
    found = verify(target / "trail", state=str(target / "state"), deep=True)
    assert found.integrity != "intact"
    reader = UnauditedReader(target / "trail", state=str(target / "state"))
    assert len(own) + len(general) == len(list(reader.records()))
    list(reader.calls())


@pytest.mark.parametrize("number", [float("inf"), float("nan"), 10**4000, -1, True, "1", None, [1]])
def test_no_number_makes_the_layout_fall_over(number: object, tmp_path: Path) -> None:
    """An epoch or an ending of any number that JSON can write gives a verdict."""
    previous = dict.fromkeys(("first_seq", "attempt", "valid_end", "aside_bytes", "unsynced_from", "aside_sha256"), number) | {
        "segment": "000000000000.jsonl"
    }
    for event in ("trail.epoch", "trail.segment_opened"):
        chains = {"trail": Chain("trail"), "general": Chain("general")}
        chains["trail"].add(
            event, details={"epoch": number, "files": {"count": number}, "old_head": number, "previous": previous, "void_attempts": number}
        )
        chains["general"].add("trail.pruned", details={"segments": [{"first_seq": number, "count": number, "attempt": number}]})
        target = tmp_path / event
        write_case(target, chains, {}, document(), state=False)
        assert verify(target / "trail", state=str(target / "state"), deep=True).integrity != "intact"
