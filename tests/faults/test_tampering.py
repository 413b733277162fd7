"""Tampering by someone who knows the format and writes the trail's files, but not the state directory: all of it is found."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attacks import all_attacks, file_attacks, forgeries
from forger import Attack, addresses, files, restore, snapshot
from helpers import forked
from worker import call

from otel_tool_audit.errors import AuditError, AuditUnavailable, TrailCorrupt, TrailTampered, UnsupportedFormat
from otel_tool_audit.format.events import STARTED
from otel_tool_audit.trail.trail import Trail


def verify(path: str, *, state: str) -> Any:
    """The package's own verification, loaded when the first test needs it."""
    return pytest.importorskip("otel_tool_audit.review.verify.verifier").verify(path, state=state)


class Scene:
    """A trail in one place, brought back to what it was before each attack."""

    def __init__(self, where: Path, *, killed: bool) -> None:
        self.trail, self.state, self.kept = where / "trail", where / "state", where / "kept"
        order = {"path": str(self.trail), "state": str(self.state), "tag": "a", "count": 6, "segment_bytes": 2200}
        status, told = forked(**order, close=not killed)
        assert 0 == status, told
        self.kept.mkdir()
        snapshot(self.trail, self.kept / "trail")
        snapshot(self.state, self.kept / "state")

    def restore(self) -> None:
        restore(self.kept / "trail", self.trail)
        restore(self.kept / "state", self.state)

    def verdict(self) -> Any:
        return verify(str(self.trail), state=str(self.state))

    def write(self) -> bool:
        """A writer comes: True when it refused to write."""
        try:
            trail = Trail.open(self.trail, state=self.state, durability="os")
        except (TrailTampered, TrailCorrupt, UnsupportedFormat):
            return True
        try:
            trail.append(STARTED, call(100, "next"))
        except TrailTampered:
            return True
        finally:
            trail.close()
        return False


@pytest.fixture(scope="module", params=[False, True], ids=["closed", "killed"])
def scene(request: pytest.FixtureRequest, quick_directory: Path) -> Scene:
    # in another order the same scene may be set up again
    return Scene(Path(tempfile.mkdtemp(dir=quick_directory)), killed=request.param)


@pytest.fixture
def untouched(scene: Scene) -> Iterator[Scene]:
    scene.restore()
    yield scene
    scene.restore()


def test_the_scene_is_honest(untouched: Scene) -> None:
    """Before any attack the trail is intact, has several segments, and stays intact when a writer comes."""
    assert len(files(untouched.trail, "general")) >= 3
    assert [] == untouched.verdict().findings
    assert not untouched.write()
    assert ("intact", []) == (untouched.verdict().integrity, untouched.verdict().findings)


def failures(scene: Scene, attacks: list[Attack], *, writer_first: bool) -> list[str]:
    missed = []
    for attack in attacks:
        scene.restore()
        attack.do(scene.trail)
        if writer_first:
            scene.write()
        found = scene.verdict()
        if found.integrity != "broken" or found.exit_code() != 1:
            missed.append(f"{attack.name}: {found.integrity}")
        elif attack.seq is not None and not {(attack.chain, seq) for seq in attack.named()} & {(f.chain, f.seq) for f in found.findings}:
            missed.append(
                f"{attack.name}: {attack.chain}/{attack.seq} is not named by {[(f.check, f.chain, f.seq, f.message) for f in found.findings][:4]}"
            )
    return missed


@pytest.mark.slow
@pytest.mark.parametrize("writer_first", [False, True], ids=["verify first", "writer first"])
def test_every_attack_is_found(untouched: Scene, writer_first: bool) -> None:
    """Each attack makes the verdict "broken", names the right record, and is no milder when a writer came in between."""
    attacks = list(all_attacks(untouched.trail))
    assert len(attacks) > 300
    assert [] == failures(untouched, attacks, writer_first=writer_first)


@pytest.mark.slow
@pytest.mark.parametrize("writer_first", [False, True], ids=["verify first", "writer first"])
def test_flipped_bytes_are_found(untouched: Scene, writer_first: bool) -> None:
    """One bit changed, in bytes spread over every file of the trail; seals apart, for they are a cache (see below)."""
    # tests/review flips bytes for the reader alone; here each run takes a sample of them, another one where a writer comes first
    step, start = (29, 3) if writer_first else (11, 0)
    attacks = []
    for path in sorted(path for path in untouched.trail.rglob("*") if path.is_file() and path.suffix != ".seal"):
        attacks += flips(path.relative_to(untouched.trail), range(start, path.stat().st_size, step))
    assert len(attacks) > 150
    assert [] == failures(untouched, attacks, writer_first=writer_first)


def flips(name: Path, places: range) -> list[Attack]:
    return [Attack(f"{name} at {at}", lambda root, n=name, a=at: _flip(root / n, a)) for at in places]


@pytest.mark.parametrize("writer_first", [False, True], ids=["verify first", "writer first"])
def test_flipped_bytes_of_a_seal_are_found(untouched: Scene, writer_first: bool) -> None:
    """A seal that differs from its segment is a finding, although it is no evidence (PROTOCOL.md, rule 10)."""
    # a killed writer may have left no seal: they are made on closing and by the background
    for seal in sorted(untouched.trail.rglob("*.seal"))[:1]:
        assert [] == failures(untouched, flips(seal.relative_to(untouched.trail), range(0, seal.stat().st_size, 3)), writer_first=writer_first)


def _flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ (1 << at % 8)]))


def test_a_fresh_trail_in_the_old_ones_place(untouched: Scene, tmp_path: Path) -> None:
    """A trail made elsewhere with another state, put where the old one was, is not taken for it, by verify or by a writer."""
    with Trail.open(tmp_path / "fresh", state=tmp_path / "other") as fresh:
        fresh.append(STARTED, call(1, "forged"))
    restore(tmp_path / "fresh", untouched.trail)
    assert "broken" == untouched.verdict().integrity
    with pytest.raises(TrailTampered):
        Trail.open(untouched.trail, state=untouched.state)
    assert "broken" == untouched.verdict().integrity


@pytest.mark.parametrize("attacker", ["renamed away", "renamed over"])
def test_a_directory_swapped_whole(untouched: Scene, tmp_path: Path, attacker: str) -> None:
    """The directory itself moved away, or another one moved into its place, is found although its inode changed."""
    kept = untouched.trail.with_name("moved")
    untouched.trail.rename(kept)
    try:
        if attacker == "renamed over":
            with Trail.open(tmp_path / "fresh", state=tmp_path / "other") as fresh:
                fresh.append(STARTED, call(1, "forged"))
            snapshot(tmp_path / "fresh", untouched.trail)
        else:
            untouched.trail.mkdir(mode=0o700)
        assert "broken" == untouched.verdict().integrity
        assert untouched.write()
        assert "broken" == untouched.verdict().integrity
    finally:
        with contextlib.suppress(OSError):
            restore(kept, untouched.trail)
            for path in sorted(untouched.trail.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            untouched.trail.rmdir()
        kept.rename(untouched.trail)


def live(where: Path, segment_bytes: int = 2200) -> Trail:
    trail = Trail.open(where / "trail", state=where / "state", durability="os", segment_bytes=segment_bytes)
    for number in range(6):
        trail.append(STARTED, call(number, "a"))
    return trail


@pytest.mark.parametrize("writer_first", [False, True], ids=["verify first", "writer first"])
def test_attacks_while_a_writer_lives(tmp_path: Path, writer_first: bool) -> None:
    """The same while a writer has the files open: verify finds it before and after the writer appends or refuses."""
    model = live(tmp_path / "model")
    model.close()
    names = [attack.name for attack in (*forgeries(tmp_path / "model" / "trail"), *file_attacks(tmp_path / "model" / "trail"))]
    missed = []
    for number, name in enumerate(names):
        where = tmp_path / str(number)
        trail = live(where)
        try:
            attack = next(a for a in (*forgeries(where / "trail"), *file_attacks(where / "trail")) if a.name == name)
            attack.do(where / "trail")
            if writer_first:
                with contextlib.suppress(TrailTampered):
                    trail.append(STARTED, call(100, "next"))
                with contextlib.suppress(AuditError, OSError):
                    trail.close()
            found = verify(str(where / "trail"), state=str(where / "state"))
            if found.integrity != "broken":
                missed.append(f"{name}: {found.integrity}")
        finally:
            with contextlib.suppress(AuditError, OSError):
                trail.close()
    assert [] == missed


def test_a_living_writer_refuses_once_its_paths_lead_elsewhere(tmp_path: Path) -> None:
    """Within a second of a rename or removal (logrotate) the writer refuses instead of writing where nobody looks."""
    trail = live(tmp_path, 1 << 20)
    last = files(tmp_path / "trail", "general")[-1]
    last.rename(last.with_suffix(".1"))
    trail._opened().chains["general"].files.paths_due = 0.0
    with pytest.raises(TrailTampered, match="rotated"):
        trail.append(STARTED, call(100, "next"))
    last.with_suffix(".1").rename(last)
    trail.append(STARTED, call(101, "next"))
    trail.close()


def test_a_living_writer_refuses_at_once_when_its_segment_is_removed_or_linked(tmp_path: Path) -> None:
    """A segment without a name, or with two, is seen by the very next append."""
    trail = live(tmp_path, 1 << 20)
    last = files(tmp_path / "trail", "general")[-1]
    os.link(last, tmp_path / "second")
    with pytest.raises(TrailTampered, match="2 names"):
        trail.append(STARTED, call(100, "next"))
    (tmp_path / "second").unlink()
    trail.append(STARTED, call(101, "next"))
    last.unlink()
    with pytest.raises(TrailTampered, match="0 names"):
        trail.append(STARTED, call(102, "next"))
    with contextlib.suppress(AuditUnavailable):
        trail.close()


def test_nothing_a_refusing_writer_did_changed_the_trail(untouched: Scene) -> None:
    """A writer that refuses leaves every byte of the tampered trail as the attacker left it."""
    for attack in (*forgeries(untouched.trail), *file_attacks(untouched.trail)):
        untouched.restore()
        attack.do(untouched.trail)
        before = contents(untouched.trail)
        if untouched.write():
            after = contents(untouched.trail)
            assert before == {name: data for name, data in after.items() if name in before}, attack.name
            added = {name for name in after if name not in before}
            # a chain that was opened before the tampered one was met has its own, honest records
            assert not {name for name in added if name.startswith("general")}, (attack.name, added)


def contents(trail: Path) -> dict[str, bytes]:
    return {str(path.relative_to(trail)): path.read_bytes() for path in trail.rglob("*") if path.is_file() and not path.is_symlink()}


def test_the_records_say_where_they_are(untouched: Scene) -> None:
    """The scene's chain is numbered from 0 without a gap: what the attacks rely on."""
    found = [json.loads(path.read_bytes().splitlines()[index])["seq"] for path, index in addresses(untouched.trail, "general")]
    assert list(range(len(found))) == found
