"""Calls to export, and trails that hold them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))

from made_calls import call, command, record

from otel_tool_audit.trail.trail import Trail

__all__ = ["command"]


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """A closed trail with forty calls for five patients."""
    path = tmp_path / "audit"
    with Trail.open(path, service="clinic", durability="os") as opened:
        for number in range(40):
            record(opened, call(number, subject=f"patient-{number % 5}", retention_class="healthcare", arguments={"text": "=1+1"}))
    return path
