"""The frozen trails: the package and a stand-alone verifier of one page say the same of each, and the right thing."""

from __future__ import annotations

import filecmp
import json
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import make
import placing
import standalone_verify

from otel_tool_audit.access.reader import TrailReader
from otel_tool_audit.review.verify.verifier import verify

CASES = sorted(make.CASES)


def test_the_frozen_trails_are_what_the_generator_makes(tmp_path: Path) -> None:
    """Every frozen byte comes from the generator, so that nobody mends a golden trail by hand."""
    made = tmp_path / "trails"
    make.make(made)

    def contents(root: Path) -> dict[str, bytes]:
        return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}

    assert contents(placing.TRAILS) == contents(made)
    assert filecmp.dircmp(placing.TRAILS, made).funny_files == []


@pytest.mark.parametrize("name", CASES)
def test_the_package_gives_the_expected_verdict(name: str, tmp_path: Path) -> None:
    """Integrity and completeness of each frozen trail are what its name says, and a finding names the right record."""
    trail, state = placing.place(placing.TRAILS / name, tmp_path / "case")
    _, integrity, completeness, places = make.CASES[name]
    found = verify(trail, state=str(state or tmp_path / "none-here"))
    assert (integrity, [] if integrity != "broken" else [True]) == (found.integrity, [True for _ in found.findings[:1]]), found.as_dict()
    if completeness is not None:
        assert completeness == found.completeness, found.gaps
    for chain, seq in places:
        assert any(f.chain == chain and seq in {None, f.seq} for f in found.findings), [tuple(f) for f in map(_plain, found.findings)]


def _plain(finding: object) -> tuple[object, ...]:
    return tuple(getattr(finding, name) for name in ("check", "chain", "seq", "message"))


@pytest.mark.parametrize("name", CASES)
def test_the_stand_alone_verifier_gives_the_expected_verdict(name: str, tmp_path: Path) -> None:
    """A verifier of one page, made from the format's description alone, comes to the same verdict."""
    trail, state = placing.place(placing.TRAILS / name, tmp_path / "case")
    assert make.CASES[name][1] == standalone_verify.verify(trail, state, placing.boot_id())[0]


@pytest.mark.parametrize("name", sorted(make.STATUSES))
def test_what_came_of_each_call_is_what_the_format_says(name: str, tmp_path: Path) -> None:
    """The package and the stand-alone reader fold pauses, denials and what takes them back alike; trails without any read as ever."""
    trail, state = placing.place(placing.TRAILS / name, tmp_path / "case")
    expected = make.STATUSES[name]
    assert expected == standalone_verify.statuses(trail)
    calls = list(TrailReader(trail, state=str(state)).calls())
    assert expected == {call["call_id"]: call["status"] for call in calls}
    for status in set(expected.values()):
        found = TrailReader(trail, state=str(state)).calls(status=status)
        assert {i for i, one in expected.items() if one == status} == {call["call_id"] for call in found}


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("bad-")])
def test_a_deep_verification_finds_nothing_in_what_honest_writers_leave(name: str, tmp_path: Path) -> None:
    """Where no hash is wrong, reading every line strictly changes no verdict."""
    trail, state = placing.place(placing.TRAILS / name, tmp_path / "case")
    assert make.CASES[name][1] == verify(trail, state=str(state or tmp_path / "none-here"), deep=True).integrity


@pytest.mark.parametrize("name", CASES)
def test_verifying_writes_nothing(name: str, tmp_path: Path) -> None:
    """A verification leaves every file of the trail as it was, names and times included."""
    trail, state = placing.place(placing.TRAILS / name, tmp_path / "case")

    def stamps() -> list[tuple[str, int, int, int]]:
        return [(str(p), s.st_ino, s.st_size, s.st_mtime_ns) for p in sorted(trail.rglob("*")) for s in [os.stat(p)]]

    before = stamps()
    verify(trail, state=str(state or tmp_path / "none-here"), deep=True)
    assert before == stamps()


def test_the_stand_alone_verifier_imports_nothing_but_the_standard_library() -> None:
    """Whoever distrusts this package can read one file and run it."""
    source = Path(standalone_verify.__file__).read_text()
    imported = {line.split()[1].partition(".")[0] for line in source.splitlines() if line.startswith(("import ", "from "))}
    assert imported <= set(sys.stdlib_module_names)


def test_expected_verdicts_are_frozen_beside_the_trails() -> None:
    """Other implementations find the expected verdict beside each trail, without running this project's code."""
    frozen = {p.parent.name: json.loads(p.read_bytes())["integrity"] for p in placing.TRAILS.glob("*/expected.json")}
    assert {name: case[1] for name, case in make.CASES.items()} == frozen
