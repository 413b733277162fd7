"""Stories that real frameworks run, each in a process and an environment of its own, and what is on record of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from environments import interpreter
from telling import HERE, ROOT, Told

KEY = "a-key-that-both-sides-share"


@pytest.fixture
def tell(tmp_path, monkeypatch):
    """Run a story: ``tell(name, instrumentation, "gate", environment="frameworks")``."""
    monkeypatch.setenv("OTEL_TOOL_AUDIT_STATE", str(tmp_path / "state"))

    def start(name: str, instrumentation: str, *more: str, environment: str = "frameworks", **variables: str) -> Told:
        python = interpreter(environment)
        directory = tmp_path / "story"
        directory.mkdir()
        environ = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
        environ |= {"OTEL_TOOL_AUDIT_STATE": str(tmp_path / "state"), "OTEL_TOOL_AUDIT_ATTRIBUTION_KEY": KEY, "OTEL_TRACES_EXPORTER": "none"}
        environ |= {"PYTHONPATH": str(ROOT), **variables}
        command = [python, "-W", "ignore", HERE / "stories" / f"{name}.py", directory, instrumentation, *more]
        done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False, timeout=150)
        assert 0 == done.returncode, done.stderr[-4000:]
        said = json.loads(done.stdout.splitlines()[-1])
        return Told(directory, said["ran"], said["outcome"], done.stderr)

    return start
