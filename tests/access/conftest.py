"""A clinic's trail, and a command to compare with."""

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
def clinic(tmp_path: Path) -> Path:
    """A closed trail in which two patients' records were opened, one of them twice, and an order that is nobody's."""
    path = tmp_path / "audit"
    with Trail.open(path, service="clinic", durability="os") as trail:
        for number, subject in enumerate(["patient-1", "patient-2", "patient-1"], 1):
            record(trail, call(number, subject=subject, retention_class="healthcare"))
        record(trail, call(4, conversation_id="conv_2"))
    return path
