"""Backups of a living trail, copied in any order, restored without their state and written on; and damage that was accepted."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from worker import call

from otel_tool_audit.errors import SettingsError, TrailTampered
from otel_tool_audit.format.events import STARTED
from otel_tool_audit.review.reader import UnauditedReader
from otel_tool_audit.review.verify.findings import Verification
from otel_tool_audit.review.verify.verifier import verify
from otel_tool_audit.trail.state.accept_loss import accept
from otel_tool_audit.trail.trail import Trail

CHAINS = ("general", "trail", "zeta")


def write(trail: Trail, numbers: range, *chains: str) -> None:
    for number in numbers:
        for chain in chains or ("general", "zeta"):
            trail.append(STARTED, call(number, chain[:3], chain))


def beat(trail: Trail) -> None:
    """Sync, and record what is synced."""
    trail._heartbeat_due = 0.0
    trail._appended = True
    trail.tick()


def backup(source: Path, target: Path, order: tuple[str, ...], between: Callable[[], None]) -> None:
    """Copy a living trail chain by chain; the writer goes on in between."""
    target.mkdir(mode=0o700)
    for name in ("trail.json", "owner"):
        shutil.copy(source / name, target / name)
    for name in order:
        if (source / name).exists():
            shutil.copytree(source / name, target / name)
        between()


def judged(trail: Path, state: Path) -> Verification:
    return verify(trail, state=str(state))


@pytest.mark.parametrize("order", list(itertools.permutations(CHAINS)), ids="-".join)
@pytest.mark.parametrize("rounds", [1, 2], ids=["a backup", "a backup of a backup"])
def test_a_restored_live_backup_accuses_nobody(tmp_path: Path, order: tuple[str, ...], rounds: int) -> None:
    """However the chains were copied, nothing is a finding: not before a writer takes the trail over, not after, not when it was written on for long."""
    source, state = tmp_path / "trail", tmp_path / "state"
    for number in range(rounds):
        writer = Trail.open(source, state=state, segment_bytes=4000)
        write(writer, range(3), "general")
        target, fresh = tmp_path / f"restored{number}", tmp_path / f"state{number}"

        def between(writer: Trail = writer) -> None:
            write(writer, range(10, 12))
            beat(writer)
            write(writer, range(20, 21))

        backup(source, target, order, between)
        writer.close()
        os.rename(source, tmp_path / f"gone{number}")
        assert ("cannot tell", []) == (judged(target, fresh).integrity, judged(target, fresh).findings)
        with Trail.open(target, state=fresh) as other:
            assert ("cannot tell", []) == (judged(target, fresh).integrity, judged(target, fresh).findings)
            write(other, range(30, 40))
            beat(other)
            write(other, range(40, 42))
        assert ("cannot tell", []) == (judged(target, fresh).integrity, judged(target, fresh).findings)
        source, state = target, fresh


def test_what_a_taking_over_skips_is_on_record(tmp_path: Path) -> None:
    """Seqs that others speak of are not given out again: the epoch begins behind them and names the gap, and completeness lacks it."""
    writer = Trail.open(tmp_path / "trail", state=tmp_path / "state")
    write(writer, range(3), "general")
    backup(tmp_path / "trail", tmp_path / "restored", ("general", "trail"), lambda: (write(writer, range(3, 5), "general"), beat(writer)))  # type: ignore[func-returns-value]
    writer.close()
    shutil.rmtree(tmp_path / "trail")
    with Trail.open(tmp_path / "restored", state=tmp_path / "fresh") as other:
        receipt = other.append(STARTED, call(9, "a"))
    assert 6 == receipt.seq
    with UnauditedReader(tmp_path / "restored", state=tmp_path / "fresh") as reader:
        epoch = next(r for r in reader.records("general") if r["event"] == "trail.epoch")
    details = epoch["details"]
    assert (5, "taken_over", 1, 3, 5) == (epoch["seq"], details["kind"], details["epoch"], details["files"]["count"], details["claimed"]["count"])
    assert any("records 3 to 4 are not here" in gap for gap in judged(tmp_path / "restored", tmp_path / "fresh").gaps)


def test_a_taking_over_that_skips_nothing_lowers_nothing(tmp_path: Path) -> None:
    """A closed trail that came from another machine is complete as it was; integrity cannot be told for what lies before."""
    with Trail.open(tmp_path / "trail", state=tmp_path / "state") as writer:
        writer.append("tool_call.observed", {**call(1, "a"), "success": True})
    shutil.move(tmp_path / "trail", tmp_path / "moved")
    with Trail.open(tmp_path / "moved", state=tmp_path / "fresh"):
        pass
    found = judged(tmp_path / "moved", tmp_path / "fresh")
    assert ("cannot tell", "complete", []) == (found.integrity, found.completeness, found.findings)


def test_what_is_rewritten_after_a_taking_over_is_found(tmp_path: Path) -> None:
    """An epoch explains what others said before it, not what they say of what came after it."""
    with Trail.open(tmp_path / "trail", state=tmp_path / "state") as writer:
        write(writer, range(3), "general")
    with Trail.open(tmp_path / "trail", state=tmp_path / "fresh") as other:
        write(other, range(5, 8), "general")
    last = max((tmp_path / "trail" / "general").glob("*.jsonl"))
    last.write_bytes(last.read_bytes().replace(b'"tag":"gen","number":6', b'"tag":"gen","number":4'))
    assert "broken" == judged(tmp_path / "trail", tmp_path / "fresh").integrity


def remove_line(trail: Path) -> None:
    first = min((trail / "general").glob("*.jsonl"))
    lines = first.read_bytes().splitlines(keepends=True)
    first.write_bytes(b"".join(lines[:1] + lines[2:]))


def first_seal(trail: Path) -> Path:
    return min((trail / "general").glob("*.seal"))


def add(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def spoil(path: Path, at: int = 3) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


DAMAGE: dict[str, Callable[[Path, Path], Any]] = {
    "a line of a sealed segment removed": lambda trail, _: remove_line(trail),
    "a byte of a sealed segment changed": lambda trail, _: spoil(min((trail / "general").glob("*.jsonl")), 200),
    "bytes behind a sealed segment": lambda trail, _: add(min((trail / "general").glob("*.jsonl")), b"x"),
    "lines behind a sealed segment": lambda trail, _: add(min((trail / "general").glob("*.jsonl")), b"x\n"),
    "a seal changed": lambda trail, _: spoil(first_seal(trail)),
    "a seal that is no JSON": lambda trail, _: first_seal(trail).write_bytes(b"\xff"),
    "a sealed segment missing": lambda trail, _: min((trail / "general").glob("*.jsonl")).unlink(),
    "the open segment missing": lambda trail, _: max((trail / "general").glob("*.jsonl")).unlink(),
    "the open segment cut": lambda trail, _: os.truncate(max((trail / "general").glob("*.jsonl")), 10),
    "a segment added": lambda trail, _: (trail / "general" / "000000005000.jsonl").write_text("{}\n"),
    "a segment put in between": lambda trail, _: (trail / "general" / "000000000001.jsonl").write_text("{}\n"),
    "a link for a segment": lambda trail, _: (trail / "general" / "000000000001.jsonl").symlink_to("/etc/passwd"),
    "a chain removed": lambda trail, _: shutil.rmtree(trail / "general"),
    "a chain added": lambda trail, _: shutil.copytree(trail / "general", trail / "added"),
    "the trail's own chain removed": lambda trail, _: shutil.rmtree(trail / "trail"),
    "trail.json changed": lambda trail, _: spoil(trail / "trail.json"),
    "owner with a space": lambda trail, _: (trail / "owner").write_bytes((trail / "owner").read_bytes() + b" "),
    "a head removed": lambda _, state: next((state / "heads").glob("*/general")).unlink(),
    "a head damaged": lambda _, state: next((state / "heads").glob("*/general")).write_bytes(bytes(4096)),
    "a head too long": lambda _, state: add(next((state / "heads").glob("*/general")), bytes(904)),
    "the state's id removed": lambda _, state: (state / "id").unlink(),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_accepted_is_mended(tmp_path: Path, damage: str) -> None:
    """Whatever was broken, once it is accepted nothing is a finding any more, writers go on, and accepting again changes nothing."""
    trail, state = tmp_path / "trail", tmp_path / "state"
    with Trail.open(trail, state=state, segment_bytes=2500) as writer:
        write(writer, range(12), "general")
        writer.tick()
    assert first_seal(trail).exists()
    DAMAGE[damage](trail, state)
    assert "broken" == judged(trail, state).integrity
    accept(str(trail), reason="tried", who="a test", state=str(state))
    mended = judged(trail, state)
    assert [] == mended.findings
    assert mended.integrity in {"cannot tell", "intact"}
    with Trail.open(trail, state=state) as writer:
        write(writer, range(20, 25), "general")
        beat(writer)
    assert [] == judged(trail, state).findings
    again = accept(str(trail), reason="again", who="a test", state=str(state))
    assert ({}, {}) == (again.epochs, again.seals)
    assert [] == judged(trail, state).findings


def test_a_trail_that_is_not_whole_is_not_taken_over(tmp_path: Path) -> None:
    """A writer that finds an unknown trail with a line missing refuses, and says what to do."""
    trail = tmp_path / "trail"
    with Trail.open(trail, state=tmp_path / "state", segment_bytes=2500) as writer:
        write(writer, range(12), "general")
    remove_line(trail)
    with pytest.raises(TrailTampered, match="cannot be taken over"):
        Trail.open(trail, state=tmp_path / "fresh")


@pytest.mark.parametrize("which", ["trail", "state"])
def test_a_path_that_is_no_utf_8_is_refused_by_name(tmp_path: Path, which: str) -> None:
    """Records name paths: one that they could not name is a setting that cannot be used, and the message shows it."""
    odd = os.fsdecode(bytes(tmp_path) + b"/odd\xff")
    paths = {"trail": str(tmp_path / "trail"), "state": str(tmp_path / "state"), which: odd}
    with pytest.raises(SettingsError, match="is no UTF-8"):
        Trail.open(paths["trail"], state=paths["state"])
    assert not os.path.exists(odd)
