"""Records whose hashes hold and that lie about where they stand: a shallow verification leaves them to a deep one, which names each."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "golden"))

import make
import placing
from independent import Chain, document, origin, write_case
from making import Made, lines_of, rewrite, write

from otel_tool_audit.format.events import EVENTS
from otel_tool_audit.review.verify.verifier import verify

Lie = Callable[[dict[str, Chain]], None]
PREVIOUS = {
    "segment": "000000000000.jsonl", "first_seq": 0, "attempt": 0, "valid_end": 9, "aside_bytes": 0, "aside_sha256": None, "unsynced_from": None,
}  # fmt: skip
OPENING = {"previous": PREVIOUS, "void_attempts": 0, "reason": "size"}


def of_trail(chain: str, event: str, **details: Any) -> Lie:
    return lambda chains: chains[chain].add(event, details=details)


def of_call(chain: str, event: str = "tool_call.started", **fields: Any) -> Lie:
    return lambda chains: chains[chain].call(event, 9, **fields)


def without(event: str, key: str) -> Lie:
    """An event in its own chain whose details lack a key."""
    known = {"reason": "", "segments": [], "epoch": 1} | dict.fromkeys(EVENTS[event].details)
    return of_trail(EVENTS[event].chain if EVENTS[event].chain == "trail" else "general", event, **{k: v for k, v in known.items() if k != key})


GAP = dict.fromkeys(("from", "to", "calls", "records", "reason"), 1)
LIES: dict[str, tuple[str, Lie, str]] = {
    "a call in the trail's chain": ("trail", of_call("trail", retention_class="general"), "is of a call"),
    "a call of another class": ("general", of_call("general", retention_class="financial"), "its retention_class is 'financial'"),
    "a call of no class": ("general", of_call("general", "tool_call.observed", retention_class=None), "its retention_class is 'None'"),
    "an unknown call event of another class": ("general", of_call("general", "tool_call.new", retention_class="trail"), "retention_class"),
    "a reading in another chain": (
        "general",
        of_trail("general", "trail.read", **dict.fromkeys(EVENTS["trail.read"].details)),
        "stands in chain trail",
    ),
    "an opening in the middle": ("general", of_trail("general", "trail.segment_opened", **OPENING), "first line of a segment"),
    "an opening in the middle of trail": ("trail", of_trail("trail", "trail.segment_opened", **OPENING), "first line of a segment"),
    "an event with a call": ("general", lambda chains: chains["general"].add("trail.gap", call_id="9" * 32, details=GAP), "has a call_id"),
    "a call without one": ("general", lambda chains: chains["general"].add("tool_call.new", details={}), "has no call_id"),
    "no name": ("trail", of_trail("trail", ""), "its event is ''"),
    "a name in capitals": ("trail", of_trail("trail", "Trail.Read"), "its event is 'Trail.Read'"),
    "a name with an escape": ("trail", of_trail("trail", "trail\n"), "its event is"),
} | {
    f"{event.name} without {key}": ("trail" if event.chain == "trail" else "general", without(event.name, key), f"have no {key}")
    for event in EVENTS.values()
    for key in event.details
    # each of these is read by a shallow verification, too
    if event.name not in {"trail.opened", "trail.chain_created", "trail.heartbeat", "trail.closed", "trail.epoch", "trail.pruned", "trail.recovered"}
}


def placed(lie: Lie, target: Path) -> Made:
    chains = {"trail": Chain("trail", make.KEY), "general": Chain("general", make.KEY)}
    make.opened(chains)
    make.calls(chains["general"], 1, 2)
    lie(chains)
    make.closed(chains)
    write_case(target / "case", chains, {name: c.head() for name, c in chains.items()}, document())
    trail, state = placing.place(target / "case", target / "placed")
    assert state is not None
    return Made(trail, state)


@pytest.mark.parametrize("name", sorted(LIES))
def test_a_record_that_lies_about_where_it_stands_is_named(name: str, tmp_path: Path) -> None:
    """Only the deep verification reads it, and it gives the record's address and what it should be."""
    chain, lie, what = LIES[name]
    made = placed(lie, tmp_path)
    assert "broken" != verify(made.path, state=str(made.state)).integrity
    found = verify(made.path, state=str(made.state), deep=True)
    assert [("12 content", chain, True)] == [(f.check, f.chain, what in f.message) for f in found.findings], found.findings
    lied = {"trail": 2, "general": 4}[chain]
    assert lied == found.findings[0].seq


@pytest.mark.parametrize(
    "more",
    [
        of_trail("trail", "trail.new", anything=1),
        of_trail("general", "trail.new"),
        of_trail("general", "trail.gap", further=1, **GAP),
        of_call("general", "tool_call.new"),
        lambda chains: chains["general"].add("tool_call.new", call_id="9" * 32),
    ],
    ids=["trail", "trail elsewhere", "key", "call", "call without fields"],
)
def test_what_a_later_version_may_write_is_kept(more: Lie, tmp_path: Path) -> None:
    """Events and keys that this version does not know are no findings, wherever they stand."""
    made = placed(more, tmp_path)
    assert "intact" == verify(made.path, state=str(made.state), deep=True).integrity


def test_an_older_version_may_have_left_a_second_opening(tmp_path: Path) -> None:
    """Right behind the first line of a segment it says nothing and is no finding; one line later it is one."""

    def second(chains: dict[str, Chain]) -> None:
        chains["general"].rotate()
        chains["general"].add("trail.segment_opened", details=OPENING)

    def third(chains: dict[str, Chain]) -> None:
        chains["general"].rotate()
        make.calls(chains["general"], 3, 3)
        chains["general"].add("trail.segment_opened", details=OPENING)

    for name, more, expected in (("second", second, "intact"), ("third", third, "broken")):
        made = placed(more, tmp_path / name)
        assert expected == verify(made.path, state=str(made.state), deep=True).integrity


def test_an_opening_names_the_attempt_that_it_opens(made: Made) -> None:
    """`void_attempts` of a segment's first line is the attempt in the segment's name."""
    write(made, 1, 4, segment_bytes=4096)
    last = made.general
    assert "intact" == verify(made.path, state=str(made.state), deep=True).integrity
    lines = lines_of(last)
    details = json.loads(lines[0])["details"] | {"void_attempts": 3}
    last.write_bytes(b"".join(rewrite(lines, 0, details=details)))
    found = verify(made.path, state=str(made.state), deep=True)
    assert any("its void_attempts are 3, and it opens attempt 0" in finding.message for finding in found.findings)


@pytest.mark.parametrize(("plain", "escaped"), [(b"tool_call.finished", rb"tool\u005fcall.finished"), (b'"salt":"', b'"s\\u0061lt":"')])
def test_what_is_read_by_its_place_has_no_escapes(plain: bytes, escaped: bytes, tmp_path: Path) -> None:
    """A name that reads right only once it is parsed is a finding of the deep verification."""
    chain = Chain("general")
    make.calls(chain, 1, 1)
    lines, previous = bytes(chain.data).splitlines(keepends=True), origin("general")
    chain.data.clear()
    for line in lines:
        body = line[:-76].replace(json.loads(line)["previous_hash"].encode(), previous.hex().encode()).replace(plain, escaped) + b"}"
        previous = hashlib.sha256(b"\0" + body).digest()
        chain.data.extend(body[:-1] + b',"hash":"' + previous.hex().encode() + b'"}\n')
    write_case(tmp_path / "case", {"trail": Chain("trail"), "general": chain}, {}, document(), state=False)
    found = verify(tmp_path / "case" / "trail", state=str(tmp_path / "none"), deep=True)
    assert {("general", True)} == {(f.chain, "without escapes" in f.message) for f in found.findings if f.check == "12 content"}, found.findings
