"""Stories that real frameworks run, each in a process and an environment of its own, and what is on record of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import otel_tool_audit as audit

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

from environments import EnvironmentMissing, python_of  # noqa: E402 - beside this file

SECRET = b"sk-test-123"
KEY = "a-key-that-both-sides-share"


@dataclass
class Told:
    """What became of a story."""

    directory: Path
    ran: list[str]
    outcome: str

    def calls(self, trail: str = "audit") -> list[dict[str, Any]]:
        """Give what is on record, in a trail that is whole."""
        found = audit.verify(self.directory / trail)
        assert ("intact", "complete") == (found.integrity, found.completeness)
        return list(audit.TrailReader(self.directory / trail).calls())

    def spans(self) -> list[dict[str, Any]]:
        """Give what was exported."""
        file = self.directory / "spans.jsonl"
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []

    def leaks(self) -> list[str]:
        """Name every file that has the secret in it: trails, spans, and what was printed."""
        return [str(file) for file in self.directory.rglob("*") if file.is_file() and SECRET in file.read_bytes()]


@pytest.fixture
def tell(tmp_path, monkeypatch):
    """Run a story: ``tell(name, instrumentation, "gate", environment="frameworks")``."""
    monkeypatch.setenv("OTEL_TOOL_AUDIT_STATE", str(tmp_path / "state"))

    def start(name: str, instrumentation: str, *more: str, environment: str = "frameworks", **variables: str) -> Told:
        try:
            python = python_of(environment)
        except EnvironmentMissing as error:
            if os.environ.get("CI") == "true":
                pytest.fail(str(error))
            pytest.skip(str(error).splitlines()[0])
        directory = tmp_path / "story"
        directory.mkdir()
        environ = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
        environ |= {"OTEL_TOOL_AUDIT_STATE": str(tmp_path / "state"), "OTEL_TOOL_AUDIT_ATTRIBUTION_KEY": KEY, "OTEL_TRACES_EXPORTER": "none"}
        environ |= {"PYTHONPATH": str(ROOT), **variables}
        command = [python, "-W", "ignore", HERE / "stories" / f"{name}.py", directory, instrumentation, *more]
        done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False, timeout=150)
        assert 0 == done.returncode, done.stderr[-4000:]
        said = json.loads(done.stdout.splitlines()[-1])
        return Told(directory, said["ran"], said["outcome"])

    return start
