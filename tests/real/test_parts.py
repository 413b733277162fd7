"""How real programs are built: once, whole, by whoever comes first; and what is said where that cannot be."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from parts import BuildFailed, Part, PartMissing, built

HELLO = 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("hello") }\n'


@pytest.fixture
def part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Part:
    """A small program, and a cache of its own."""
    if shutil.which("go") is None and os.environ.get("CI") != "true":
        pytest.skip("no `go` on the path")
    # Go's own cache stays where it is: building the standard library anew takes long
    monkeypatch.setenv("GOCACHE", subprocess.run(["go", "env", "GOCACHE"], capture_output=True, text=True, check=True).stdout.strip())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    module = tmp_path / "module"
    module.mkdir()
    (module / "go.mod").write_text("module example.com/hello\n\ngo 1.24\n")
    (module / "main.go").write_text(HELLO)
    return Part("hello", module, ".")


def programs(tmp_path: Path) -> list[Path]:
    return [p for p in (tmp_path / "cache").rglob("*") if p.is_file() and p.name != "lock"]


def test_a_program_is_built_once_and_anew_when_its_source_changes(part: Part, tmp_path: Path) -> None:
    """The second time it is only found; a changed file is another program, beside the first."""
    first = built(part)
    assert "hello\n" == subprocess.run([first], capture_output=True, text=True, check=True).stdout
    before = first.stat().st_mtime_ns
    assert (first, before) == (built(part), first.stat().st_mtime_ns)
    (part.module / "main.go").write_text(HELLO.replace("hello", "goodbye"))
    second = built(part)
    assert "goodbye\n" == subprocess.run([second], capture_output=True, text=True, check=True).stdout
    assert sorted([first, second]) == sorted(programs(tmp_path))


def test_of_two_that_need_it_one_builds(part: Part, tmp_path: Path) -> None:
    """Processes that come at once get the same whole file."""
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from parts import Part, built
path = built(Part("hello", Path({str(part.module)!r}), "."))
print(path, path.stat().st_ino)
"""
    both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = {process.communicate(timeout=120)[0] for process in both}
    assert [0, 0] == [process.returncode for process in both]
    assert 1 == len(answers)
    assert 1 == len(programs(tmp_path))


def test_what_cannot_be_built_says_why_and_leaves_nothing(part: Part, tmp_path: Path) -> None:
    """Go's own words are passed on, and no file that could be taken for the program stays."""
    (part.module / "main.go").write_text("package main\n\nfunc main() { nonsense() }\n")
    with pytest.raises(BuildFailed, match="undefined: nonsense"):
        built(part)
    assert [] == programs(tmp_path)


def test_without_go_it_says_so(part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which lets a test be skipped, and with CI=true fail."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(PartMissing, match="no `go` on the path to build the real hello"):
        built(part)


@pytest.mark.parametrize(("ci", "outcome"), [("", "1 skipped"), ("true", "1 error")])
def test_a_test_that_needs_a_program_is_skipped_without_go_and_in_ci_fails(ci: str, outcome: str) -> None:
    """The reason is given both times."""
    root = Path(__file__).parents[2]
    environment = {"PATH": "/usr/bin:/bin" if shutil.which("go", path="/usr/bin:/bin") is None else "/nowhere", "CI": ci, "HOME": "/tmp"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/collector/test_gateway.py", "-k", "without_tls"]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert outcome in done.stdout
    assert "no `go` on the path to build the real collector with" in done.stdout
