"""Calls to export, and trails that hold them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))

from made_calls import Printed, call, record

from otel_tool_audit.cli.app import run
from otel_tool_audit.trail.trail import Trail


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Printed]:
    def invoke(*arguments: object) -> Printed:
        capsys.readouterr()
        code = run([str(a) for a in arguments])
        captured = capsys.readouterr()
        return Printed(code, captured.out, captured.err)

    return invoke


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """A closed trail with forty calls for five patients."""
    path = tmp_path / "audit"
    with Trail.open(path, service="clinic", durability="os") as opened:
        for number in range(40):
            record(opened, call(number, subject=f"patient-{number % 5}", retention_class="healthcare", arguments={"text": "=1+1"}))
    return path
