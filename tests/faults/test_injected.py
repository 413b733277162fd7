"""EIO, ENOSPC and short writes at every write, sync, rename and open."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Literal

import pytest
from checker import read_trail
from helpers import assert_kept
from injected import SHORT, Failing
from worker import call, call_id

from otel_tool_audit.errors import AuditUnavailable, SettingsError
from otel_tool_audit.format.events import STARTED
from otel_tool_audit.trail.trail import Trail

FAULTS = [
    ("write", errno.EIO), ("write", errno.ENOSPC), ("fsync", errno.EIO), ("fdatasync", errno.EIO), ("fdatasync", errno.ENOSPC),
    ("write", SHORT), ("rename", errno.EIO), ("rename", errno.ENOSPC), ("open", errno.EIO), ("mkdir", errno.ENOSPC),
    ("unlink", errno.EIO), ("fstat", errno.EIO), ("read", errno.EIO), ("listdir", errno.EIO),
]  # fmt: skip
Promised = list[tuple[str, str, int, str]]


def name(value: object) -> str:
    return "short" if value == SHORT else errno.errorcode[value] if isinstance(value, int) and not isinstance(value, bool) else str(value)


def append(trail: Trail, number: int, promised: Promised, refused: list[int]) -> None:
    try:
        receipt = trail.append(STARTED, call(number, "a", "financial" if number % 5 == 4 else "general"))
    except AuditUnavailable:
        refused.append(number)
    else:
        promised.append((call_id(number, "a"), receipt.chain, receipt.seq, receipt.hash))


def run(where: Path, system: Failing, promised: Promised, refused: list[int], numbers: range, segment_bytes: int) -> None:
    """One writer from open to close; what it could not do it must have said with the package's own errors."""
    try:
        durability: Literal["os", "fsync"] = "os" if where.name.startswith("os") else "fsync"
        trail = Trail.open(where / "trail", state=where / "state", durability=durability, segment_bytes=segment_bytes, system=system)
    except (AuditUnavailable, SettingsError):
        refused.extend(numbers)
        return
    for number in numbers:
        append(trail, number, promised, refused)
    trail.close()


@pytest.mark.parametrize("ever", [False, True], ids=["once", "for ever"])
@pytest.mark.parametrize(("kind", "error"), FAULTS, ids=name)
@pytest.mark.parametrize("durability", ["os", "fsync"])
def test_a_failing_disk_refuses_and_never_loses_what_it_acknowledged(tmp_path: Path, durability: str, kind: str, error: int, ever: bool) -> None:
    """For every n, the n-th call from first open to close fails: only AuditUnavailable or SettingsError come out, later writers go on, all acknowledged records stay."""
    number = 0
    while True:
        # a disk that fails once fails at every call; one that stays broken needs no such fine steps
        number += 5 if ever and number > 20 else 1
        where = tmp_path / f"{durability}{number}"
        where.mkdir()
        system = Failing()
        system.arm(kind, number, error, ever=ever)
        promised: Promised = []
        refused: list[int] = []
        run(where, system, promised, refused, range(5), segment_bytes=900)
        hit = system.hit
        system.mend()
        run(where, system, promised, refused_later := [], range(100, 102), segment_bytes=1 << 20)
        assert not refused_later, "refused on a disk that works again"
        assert_honest(where, promised)
        if not hit:
            assert not refused, "refused without a fault"
            break
    assert number > 1, f"no {kind} was seen"


def assert_honest(where: Path, promised: Promised) -> None:
    chains = assert_kept(where / "trail", where / "state", promised)
    ids = [r["call_id"] for chain in chains.values() for r in chain if r["call_id"] is not None]
    for call_id_, *_ in promised:
        assert 1 == ids.count(call_id_), "an acknowledged record stands twice in the chain"


def working(tmp_path: Path, system: Failing, **options: object) -> Trail:
    trail = Trail.open(tmp_path / "trail", state=tmp_path / "state", system=system, **options)
    trail.append(STARTED, call(0, "first"))
    return trail


def test_a_short_write_leaves_the_segment_and_appends_again(tmp_path: Path) -> None:
    """After a short write the segment is left for a new one, the caller's record is acknowledged there, and the bytes aside are named."""
    system = Failing()
    trail = working(tmp_path, system)
    system.arm("write", 1, SHORT, ever=False)
    receipt = trail.append(STARTED, call(1, "second"))
    trail.close()
    chain = read_trail(tmp_path / "trail", tmp_path / "state")["general"]
    assert ["tool_call.started", "trail.segment_opened", "tool_call.started"] == [r["event"] for r in chain]
    assert 2 == receipt.seq
    assert "poisoned" == chain[1]["details"]["reason"]
    assert chain[1]["details"]["previous"]["aside_bytes"] > 0


def test_a_failed_sync_is_never_tried_again_on_the_same_segment(tmp_path: Path) -> None:
    """After a failed fdatasync the unsynced lines are appended again in a new segment, with the same call_id; the receipt names the new place."""
    system = Failing()
    trail = working(tmp_path, system)
    system.arm("fdatasync", 1, errno.EIO, ever=False)
    receipt = trail.append(STARTED, call(1, "second"))
    trail.close()
    chain = read_trail(tmp_path / "trail", tmp_path / "state")["general"]
    assert [None, call_id(1, "second")] == [r["call_id"] for r in chain[1:]]
    assert (2, chain[2]["hash"]) == (receipt.seq, receipt.hash)
    previous = chain[1]["details"]["previous"]
    assert previous["aside_bytes"] > 0
    assert previous["aside_sha256"] is None


def test_a_full_disk_that_changed_nothing_poisons_nothing(tmp_path: Path) -> None:
    """ENOSPC without a byte written refuses the call, and the next append goes on in the same segment once there is room."""
    system = Failing()
    trail = working(tmp_path, system)
    system.arm("write", 1, errno.ENOSPC, ever=True)
    with pytest.raises(AuditUnavailable, match="free space"):
        trail.append(STARTED, call(1, "second"))
    system.mend()
    assert 1 == trail.append(STARTED, call(2, "third")).seq
    trail.close()
    assert ["000000000000.jsonl"] == [p.name for p in (tmp_path / "trail" / "general").glob("*.jsonl")]


def test_with_os_durability_a_failed_background_sync_keeps_acknowledged_lines(tmp_path: Path) -> None:
    """``os`` acknowledged lines are not set aside after a failed sync: the new segment chains from them and names the range as unsynced."""
    system = Failing()
    trail = working(tmp_path, system, durability="os")
    trail.flush()
    receipts = [trail.append(STARTED, call(number, "a")) for number in range(3)]
    system.arm("fdatasync", 1, errno.EIO, ever=False)
    trail.tick()
    receipts.append(trail.append(STARTED, call(3, "a")))
    trail.close()
    assert_kept(tmp_path / "trail", tmp_path / "state", [(call_id(n, "a"), r.chain, r.seq, r.hash) for n, r in enumerate(receipts)])


def test_a_trail_that_could_not_be_written_says_so_in_a_gap(tmp_path: Path) -> None:
    """What was handed over while the disk failed is counted, and told by ``trail.gap`` before anything new."""
    system = Failing()
    trail = working(tmp_path, system)
    system.arm("write", 1, errno.EIO, ever=True)
    heard: list[object] = []
    assert trail.submit(STARTED, call(1, "lost"), heard.append)
    trail.flush()
    system.mend()
    receipt = trail.append(STARTED, call(2, "kept"))
    trail.close()
    chain = read_trail(tmp_path / "trail", tmp_path / "state")["general"]
    gap = chain[receipt.seq - 1]
    assert ([None], "trail.gap", 1, 1) == (heard, gap["event"], gap["details"]["records"], gap["details"]["calls"])
