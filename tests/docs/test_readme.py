"""What README says is what the package does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from otel_tool_audit.cli.app import run
from otel_tool_audit.review.verify.checks import CHECKS
from otel_tool_audit.settings import Settings, variable

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def under(heading: str) -> str:
    """Give what stands under a heading, up to the next one."""
    return README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_readme_is_short() -> None:
    """Nobody reads more than 150 lines."""
    assert len(README.splitlines()) <= 150


@pytest.mark.parametrize("heading", ["Try it", "Test it"])
def test_trying_and_testing_are_one_line_each(heading: str) -> None:
    """Both headings stand there once, with one `sh` block of one line under each."""
    assert 1 == README.count(f"\n## {heading}\n")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", under(heading), re.MULTILINE | re.DOTALL)
    assert ["sh"] == [language for language, _ in blocks]
    assert 1 == blocks[0][1].count("\n")


@pytest.mark.parametrize("code", [code for language, code in BLOCKS if language == "python"])
def test_the_python_code_runs(code: str, tmp_path: Path) -> None:
    """Copied into a file and run, the examples work, and record what they say."""
    environment = {**os.environ, "OTEL_TRACES_EXPORTER": "none", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", check=False, timeout=60
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert "get_order {'order_id': 'ORD-123', 'api_key': '***REDACTED***'} success\n" == done.stdout
    assert b"sk-live-51H8xYzKq0" not in b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())


@pytest.mark.parametrize("block", [code for language, code in BLOCKS if language == "text" and code.startswith("$ ")])
def test_the_help_is_what_the_command_prints(block: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A block that shows a command shows its output, to the letter."""
    monkeypatch.setenv("COLUMNS", "100")
    shown, _, expected = block.partition("\n")
    assert 0 == run(shown.removeprefix("$ otel-tool-audit ").split())
    assert expected.split() == capsys.readouterr().out.split()


def test_the_commands_shown_have_these_options(capsys: pytest.CaptureFixture[str]) -> None:
    """Every verb and option in README's examples exists."""
    commands = re.findall(r"^(?:.*\| )?otel-tool-audit ((?:report )?\w+)(.*)$", README, re.MULTILINE)
    assert commands
    for verb, arguments in commands:
        assert 0 == run([*verb.split(), "--help"])
        printed = capsys.readouterr().out
        assert all(option in printed for option in re.findall(r"--[a-z-]+", arguments))


@pytest.mark.parametrize("name", ["README.md", "examples/README.md", "collector-config/README.md", "otel_tool_audit/ARCHITECTURE.md", "CHANGELOG.md"])
def test_links_lead_somewhere(name: str) -> None:
    """Every relative link is to a file of the repository."""
    text = (ROOT / name).read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#]+)", text) if "://" not in target]
    missing = [target for target in targets if not ((ROOT / name).parent / target).exists()]
    assert [] == missing


def test_every_setting_states_its_variable() -> None:
    """The page that README sends readers to names the variable of each setting."""
    text = (ROOT / "otel_tool_audit" / "settings.py").read_text(encoding="utf-8")
    assert [] == [field.name for field in fields(Settings) if f"``{variable(field.name)}``" not in text]


def test_the_numbered_checks_are_those_of_verify() -> None:
    """A reviewer who ticks the checks off finds the numbers, names and meanings that `verify` uses."""
    expected = [f"{check.number}. {check.name}: {check.passes}" for check in CHECKS]
    assert expected == re.findall(r"^\d+\. .*$", README, re.MULTILINE)
