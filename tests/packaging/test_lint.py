"""The habits of the house, held by their tools. Where a tool is missing the test is skipped; in CI it fails."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TYPE_IGNORES = 5
"""Budget for the whole package; each has a code, and a reason beside it."""


def tool(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a tool on the repository."""
    if find_spec(module) is None and os.environ.get("CI") != "true":
        pytest.skip(f"{module} is not installed (dependency group `lint`)")
    program = Path(sys.executable).with_name(arguments[0])
    return subprocess.run([program, *arguments[1:]], cwd=ROOT, capture_output=True, text=True, check=False, timeout=170)


def test_ruff_finds_nothing() -> None:
    """Every rule holds but those that pyproject.toml gives a reason against."""
    done = tool("ruff", "ruff", "check", "--no-cache", ".")
    assert 0 == done.returncode, done.stdout


def test_the_formatter_changes_nothing() -> None:
    """Every file is as the formatter sets it."""
    done = tool("ruff", "ruff", "format", "--check", "--no-cache", ".")
    assert 0 == done.returncode, done.stdout


def test_mypy_finds_nothing() -> None:
    """The package and its examples are typed, strictly."""
    done = tool("mypy", "mypy", "--no-error-summary", "--cache-dir", os.devnull)
    assert 0 == done.returncode, done.stdout


def test_rooms_import_only_what_lies_below() -> None:
    """The layers hold; the reader imports neither writer nor SDK; records are pure."""
    done = tool("importlinter", "lint-imports", "--no-cache")
    assert 0 == done.returncode, done.stdout


def test_type_checks_are_rarely_switched_off() -> None:
    """Each `type: ignore` names its code and its reason, and there are few."""
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in (ROOT / "otel_tool_audit").rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if "type: ignore" in line
    ]
    assert [] == [line for line in found if not re.search(r"type: ignore\[[\w, -]+\]\s+# \w+", line)]
    assert len(found) <= TYPE_IGNORES, "\n".join(found)


def test_every_ignored_rule_has_its_reason() -> None:
    """In pyproject.toml each rule that does not hold says why, in its line."""
    lists = re.findall(r"^(?:ignore|\"[\w/*]+\") = \[\n(.*?)^\]", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    lines = [line.strip() for found in lists for line in found.splitlines()]
    assert len(lines) > 10
    assert [] == [line for line in lines if not re.fullmatch(r'"[A-Z]+\d*", +# .+', line)]


def test_no_code_is_dead() -> None:
    """What nothing in the package uses is used by whoever pyproject.toml says, and nothing stands there without need."""
    vulture = pytest.importorskip("vulture") if os.environ.get("CI") != "true" else import_module("vulture")
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = tomllib.loads(text)["tool"]["vulture"]
    found = vulture.Vulture()
    found.scavenge([str(ROOT / path) for path in listed["paths"]])
    unused = {item.name for item in found.get_unused_code(min_confidence=listed["min_confidence"])}
    assert sorted(listed["ignore_names"]) == sorted(unused)
    assert len(listed["ignore_names"]) == len(
        re.findall(r'^    "\w+", # \w.+$', text[text.index("ignore_names") :].partition("\n]")[0], re.MULTILINE)
    )
