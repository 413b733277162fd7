"""A command to run, and trails to run it on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from made_calls import HOSTILE, call, command, record

from otel_tool_audit.format.events import STARTED
from otel_tool_audit.trail.trail import Trail

__all__ = ["command"]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OTEL_TOOL_AUDIT_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def trail(tmp_path: Path, state: Path) -> Path:
    """A closed trail: a success, a failure in another chain, a hostile one, one without an end."""
    path = tmp_path / "audit"
    with Trail.open(path, service="shop") as opened:
        record(opened, call(1))
        record(
            opened,
            call(2, tool_name="issue_refund", user_id="usr_2", conversation_id="conv_2", retention_class="financial"),
            success=False,
            error="too late",
            error_type="RefundError",
            result_summary={"success": False, "error": "too late", "_result_size": 20},
        )
        record(opened, call(3, user_id=HOSTILE, conversation_id="conv_3", arguments={"text": HOSTILE}))
        opened.append(STARTED, call(4, conversation_id="conv_4"))
    return path
