"""
Makes the frozen trails: ``python tests/golden/make.py`` writes them again; a test compares.

Each case is a directory with ``trail``, ``state`` (unless it has none) and ``expected.json``: the two verdicts, and the
places (chain, seq) that findings must name.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from independent import KEY, OS, OTHER_BOOT, OTHER_KEY, STATE_ID, TRAIL_ID, WRITER, Chain, compact, document, make_line, origin, write_case

TRAILS = Path(__file__).parent / "trails"
Chains = dict[str, Chain]
COUNTERS = {
    "calls": 4, "recorded": 4, "finished": 4, "refused": 0, "lost": 0, "spans_forwarded": 0, "spans_dropped": 0, "unsampled": 0,
    "unattributed": 0, "blocked_loop": 0,
}  # fmt: skip


class Case(NamedTuple):
    """A frozen trail in the making; what the functions below do to it makes its name."""

    chains: Chains
    heads: dict[str, bytes]
    text: bytes
    state: bool = True
    change: Callable[[Path], None] = lambda _: None


def spoilt(path: str, change: Callable[[bytes], bytes | None]) -> Case:
    """A closed trail of which one file beside its lines was changed, or removed."""

    def do(target: Path) -> None:
        changed = change((target / path).read_bytes())
        (target / path).unlink()
        if changed is not None:
            (target / path).write_bytes(changed)

    return usual()._replace(change=do)


def opened(chains: Chains) -> None:
    details = {
        "writer": WRITER, "host": "golden", "pid": 1, "boot_id": OTHER_BOOT.hex(), "versions": {}, "document_sha256": hashlib.sha256(document()).hexdigest(),
        "state": STATE_ID, "path": "trail", "moved_from": None, "durability": "fsync", "heads": [],
    }  # fmt: skip
    chains["trail"].add("trail.opened", details=details)
    chains["trail"].add("trail.chain_created", details={"chain": "general"})


def calls(chain: Chain, first: int, last: int) -> None:
    for number in range(first, last + 1):
        chain.call("tool_call.started", number)
        chain.call("tool_call.finished", number, success=True, result_summary={"success": True}, duration_ms=156.0)


def outcomes(chain: Chain) -> None:
    """A call that waits and the one that goes on with it, one that was denied, and two whose outcome was told anew."""
    waits = {"kind": "approval", "reason": "a refund above $100"}
    chain.call("tool_call.started", 11, tool_call_id="call_11")
    chain.call("tool_call.finished", 11, tool_call_id="call_11", outcome="paused", waits_for=waits)
    chain.call("tool_call.started", 12, tool_call_id="call_11", continues=f"{11:032x}")
    chain.call("tool_call.finished", 12, tool_call_id="call_11", continues=f"{11:032x}", success=True, result_summary={"success": True})
    chain.call("tool_call.observed", 13, outcome="denied", denial={"rule": "approval", "reason": "too much", "by": None})
    chain.call("tool_call.observed", 14, success=True, result_summary={"success": True})
    chain.call("tool_call.amended", 14, outcome="paused", waits_for={"kind": None, "reason": None})
    chain.call("tool_call.observed", 15, outcome="paused", waits_for=waits)
    chain.call("tool_call.amended", 15, success=False, error="no money", error_type="ValueError")
    cut_off = {"success": False, "error": "cancelled", "error_type": "CancelledError", "result_summary": {"success": False, "error": "cancelled"}}
    chain.call("tool_call.started", 16)
    chain.call("tool_call.finished", 16, outcome="interrupted", **cut_off)


def heads_named(chains: Chains) -> dict[str, Any]:
    return {name: {"count": c.lines, "hash": c.hash.hex()} for name, c in chains.items()}


def heartbeat(chains: Chains) -> None:
    chains["trail"].add("trail.heartbeat", details={"writer": WRITER, "counters": COUNTERS, "heads": heads_named(chains)})


def closed(chains: Chains, **counters: int) -> None:
    chains["trail"].add("trail.closed", details={"writer": WRITER, "counters": COUNTERS | counters, "heads": heads_named(chains)})


def usual(between: Callable[[Chains], None] = lambda _: None, *, end: bool = True, key: bytes | None = KEY, **counters: int) -> Case:
    """Four calls, a heartbeat after two of them, something in between, and an orderly end."""
    chains = {"trail": Chain("trail", key), "general": Chain("general", key)}
    opened(chains)
    calls(chains["general"], 1, 2)
    heartbeat(chains)
    between(chains)
    calls(chains["general"], 3, 4)
    if end:
        closed(chains, **counters)
    return Case(chains, {name: c.head() for name, c in chains.items()}, document())


def rotated(chains: Chains) -> None:
    chains["general"].rotate()


# --- what honest writers leave


def killed() -> Case:
    case = usual(end=False)
    case.chains["general"].call("tool_call.started", 5)
    return case._replace(heads={name: c.head(flags=0) for name, c in case.chains.items()})


def pending(part: int | None) -> Case:
    """Killed inside a write of two lines: *part* bytes of it stand, or all."""
    case = usual(end=False)
    general = case.chains["general"]
    before, size = general.mark, len(general.data)
    calls(general, 5, 5)
    announced = (2, len(general.data) - size, general.hash)
    if part is not None:
        del general.data[size + part :]
    heads = {"trail": case.chains["trail"].head(flags=0), "general": general.head(flags=0, written=before, synced=before, pending=announced)}
    return case._replace(heads=heads)


def host_crash(flags: int, key: bytes | None = KEY) -> Case:
    """The host went down: synced at seq 6, written up to 8, both lines and half of a third found on disk."""
    case = usual(end=False, key=key)
    general = case.chains["general"]
    heads = {
        "trail": case.chains["trail"].head(flags=0, boot=OTHER_BOOT),
        "general": general.head(flags=flags, boot=OTHER_BOOT, synced=general.marks[6]),
    }
    general.data.extend(b'{"seq":8,"previous_hash":"')
    return case._replace(heads=heads)


def added_after_crash() -> Case:
    """The host went down, and somebody who has no key put two lines with right hashes behind the last one."""
    case = usual(end=False)
    general = case.chains["general"]
    heads = {"trail": case.chains["trail"].head(flags=0, boot=OTHER_BOOT), "general": general.head(flags=0, boot=OTHER_BOOT, synced=general.marks[6])}
    general.key = OTHER_KEY
    calls(general, 9, 9)
    return case._replace(heads=heads)


def second_epoch() -> Case:
    """An older backup was put back and the loss accepted: seqs 4 to 7 are gone for good."""
    case = usual(end=False)
    general = case.chains["general"]
    old = {"count": general.lines, "hash": general.hash.hex()}
    count, size, found = general.marks[4]
    del general.data[size:]
    previous = {
        "segment": general.segment, "first_seq": 0, "attempt": 0, "valid_end": size, "aside_bytes": 0, "aside_sha256": None, "unsynced_from": None,
    }  # fmt: skip
    general.hash = general.origin = origin("general", 1)
    general._open(8, 0)
    general.add("trail.epoch", writer="0" * 32, details={
        "epoch": 1, "old_head": old, "files": {"count": count, "hash": found.hex()}, "who": "admin", "reason": "backup restored", "previous": previous,
    })  # fmt: skip
    calls(general, 5, 6)
    closed(case.chains)
    return case._replace(heads={name: c.head() for name, c in case.chains.items()})


def gap() -> Case:
    lost = {"from": "2026-03-01T12:00:03.000000Z", "to": "2026-03-01T12:00:03.000000Z", "calls": 1, "records": 2, "reason": "no space left"}
    return usual(lambda c: c["general"].add("trail.gap", details=lost), lost=2)


# --- what attackers leave, who know the format and cannot write the state directory


def edited(change: Callable[[list[bytes]], list[bytes]], chain: str = "general", segment: int = 0, **kwargs: Any) -> Case:
    case = usual(**kwargs)
    target = case.chains[chain]
    data = list(target.segments.values())[segment]
    data[:] = b"".join(change(bytes(data).splitlines(keepends=True)))
    return case


def flipped(lines: list[bytes]) -> list[bytes]:
    return [*lines[:3], lines[3].replace(b"ORD-2", b"ORD-3"), *lines[4:]]


def swapped(lines: list[bytes]) -> list[bytes]:
    return [*lines[:3], lines[4], lines[3], *lines[5:]]


def rewritten(first: int, last: int) -> Callable[[list[bytes]], list[bytes]]:
    """Lines *first* to *last* say something else, with right hashes among themselves."""

    def change(lines: list[bytes]) -> list[bytes]:

        previous = bytes.fromhex(json.loads(lines[first])["previous_hash"])
        for at in range(first, min(last, len(lines) - 1) + 1):
            record = json.loads(lines[at])
            record["user_id"] = "usr_00000"
            seq, event = record["seq"], record["event"]
            rest = {k: v for k, v in record.items() if k not in {"seq", "previous_hash", "event", "hash"}}
            lines[at], previous = make_line(seq, previous, event, rest)
        return lines

    return change


def forged_line() -> Case:
    """A line with right hashes stands behind what the head names."""
    case = usual()
    case.chains["general"].call("tool_call.started", 9)
    return case


def wiped() -> Case:
    """Everything was deleted and a fresh trail of the same id put there."""
    case, fresh = usual(), usual(end=False)
    return Case({"trail": fresh.chains["trail"], "general": Chain("general")}, case.heads, case.text)


def without(chain: str) -> Case:
    case = usual()
    return case._replace(chains={name: c for name, c in case.chains.items() if name != chain})


def chain_added() -> Case:
    case = usual()
    added = Chain("financial")
    calls(added, 1, 1)
    return case._replace(chains=case.chains | {"financial": added})


def segment_missing() -> Case:
    case = usual(rotated)
    del case.chains["general"].segments["000000000000.jsonl"]
    return case


def seal_changed() -> Case:
    case = usual(rotated)
    seals = case.chains["general"].seals
    seals["000000000000.seal"] = seals["000000000000.seal"].replace(b'"count":4', b'"count":5')
    return case


INTACT, BROKEN, UNSURE = "intact", "broken", "cannot tell"
COMPLETE, GAPS = "complete", "known gaps"
CASES: dict[str, tuple[Callable[[], Case], str, str | None, list[list[Any]]]] = {
    "good-closed": (usual, INTACT, COMPLETE, []),
    "good-rotated": (lambda: usual(rotated), INTACT, COMPLETE, []),
    "good-killed": (killed, INTACT, GAPS, []),
    "good-pending-nothing": (lambda: pending(0), INTACT, GAPS, []),
    "good-pending-part": (lambda: pending(100), INTACT, GAPS, []),
    "good-pending-whole": (lambda: pending(None), INTACT, GAPS, []),
    "good-aside": (lambda: usual(lambda c: c["general"].rotate("aside", b'{"seq":4,"previous')), INTACT, COMPLETE, []),
    "good-void-attempt": (lambda: usual(lambda c: c["general"].rotate("poisoned", void=b"never acknowledged\n")), INTACT, COMPLETE, []),
    "good-host-crash-fsync": (lambda: host_crash(0), INTACT, None, []),
    "good-host-crash-os": (lambda: host_crash(OS), INTACT, GAPS, []),
    "good-host-crash-lines-added": (added_after_crash, INTACT, None, []),
    "unsure-host-crash-older-version": (lambda: host_crash(0, key=None), UNSURE, None, []),
    "unsure-host-crash-other-key": (lambda: host_crash(0, key=OTHER_KEY), UNSURE, None, []),
    "good-older-version-closed": (lambda: usual(rotated, key=None), INTACT, COMPLETE, []),
    "good-gap": (gap, INTACT, GAPS, []),
    "good-outcomes": (lambda: usual(lambda c: outcomes(c["general"])), INTACT, COMPLETE, []),
    "good-lost": (lambda: usual(lost=3), INTACT, GAPS, []),
    "unsure-no-state": (lambda: usual()._replace(state=False), UNSURE, UNSURE, []),
    "unsure-second-epoch": (second_epoch, UNSURE, GAPS, []),
    "bad-flipped-field": (lambda: edited(flipped), BROKEN, None, [["general", 3]]),
    "bad-deleted-line": (lambda: edited(lambda lines: lines[:3] + lines[4:]), BROKEN, None, [["general", 3]]),
    "bad-first-three-deleted": (lambda: edited(lambda lines: lines[3:]), BROKEN, None, [["general", 0]]),
    "bad-swapped-lines": (lambda: edited(swapped), BROKEN, None, [["general", 3]]),
    "bad-rewritten-middle": (lambda: edited(rewritten(2, 4)), BROKEN, None, [["general", 4]]),
    "bad-rewritten-tail": (lambda: edited(rewritten(5, 99)), BROKEN, None, [["general", 7]]),
    "bad-rewritten-whole": (lambda: edited(rewritten(0, 99)), BROKEN, None, [["general", 3]]),
    "bad-truncated": (lambda: edited(lambda lines: lines[:-1]), BROKEN, None, [["general", 7]]),
    "bad-torn": (lambda: edited(lambda lines: [*lines[:-1], lines[-1][:-9]]), BROKEN, None, [["general", 7]]),
    "bad-forged-line": (forged_line, BROKEN, None, [["general", 8]]),
    "bad-wiped": (wiped, BROKEN, None, [["general", 0]]),
    "bad-chain-removed": (lambda: without("general"), BROKEN, None, [["general", None]]),
    "bad-chain-added": (chain_added, BROKEN, None, [["financial", None]]),
    "bad-document-changed": (lambda: usual()._replace(text=document().replace(b"365", b"36")), BROKEN, None, [[None, None]]),
    "bad-segment-missing": (segment_missing, BROKEN, None, [["general", 0]]),
    "bad-id-removed": (lambda: spoilt("state/id", lambda _: None), BROKEN, None, [[None, None]]),
    "bad-owner-with-a-space": (lambda: spoilt("trail/owner", lambda data: data + b" "), BROKEN, None, [[None, None]]),
    "bad-head-too-long": (lambda: spoilt(f"state/heads/{TRAIL_ID}/general", lambda data: data + bytes(904)), BROKEN, None, [["general", None]]),
    "bad-head-removed": (lambda: spoilt(f"state/heads/{TRAIL_ID}/general", lambda _: None), BROKEN, None, [["general", None]]),
    "bad-seal-changed": (seal_changed, BROKEN, None, [["general", None]]),
}
"""Name: how it is made, integrity, completeness (None: not said), where findings must point (seq null: any)."""

_SUCCEEDED: Final = {f"{number:032x}": "success" for number in (1, 2, 3, 4)}
STATUSES: Final[dict[str, dict[str, str]]] = {
    "good-closed": _SUCCEEDED,
    "good-killed": _SUCCEEDED | {f"{5:032x}": "interrupted"},
    "good-outcomes": _SUCCEEDED
    | {f"{n:032x}": status for n, status in zip(range(11, 17), ("paused", "success", "denied", "paused", "error", "interrupted"), strict=True)},
}
"""Of some trails, what came of each call."""


def make(target: Path) -> None:
    """Write all cases below *target*, which must not exist yet."""
    for name, (build, integrity, completeness, findings) in CASES.items():
        case = build()
        write_case(target / name, case.chains, case.heads, case.text, state=case.state)
        case.change(target / name)
        expected: dict[str, Any] = {"integrity": integrity, "completeness": completeness, "findings": findings}
        if name in STATUSES:
            expected["statuses"] = STATUSES[name]
        (target / name / "expected.json").write_bytes(compact(expected) + b"\n")


if __name__ == "__main__":
    shutil.rmtree(TRAILS, ignore_errors=True)
    make(TRAILS)
    sys.stdout.write(f"{len(CASES)} trails in {TRAILS}\n")
