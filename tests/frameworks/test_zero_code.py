"""An agent of a real framework, audited without a line of code."""

from __future__ import annotations

import os
import subprocess
import tomllib

import pytest
from environments import interpreter
from telling import HERE, ROOT, SECRET

import otel_tool_audit as audit

pytestmark = [pytest.mark.timeout(600, func_only=True)]
INSTRUMENT = "from opentelemetry.instrumentation.auto_instrumentation import run; run()"


def installed(directory):
    """Make a directory that, on the path, is this package as installed: its entry points."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
    home = directory / "otel_tool_audit-0.dist-info"
    home.mkdir(parents=True)
    (home / "METADATA").write_text("Metadata-Version: 2.1\nName: otel-tool-audit\nVersion: 0\n", encoding="utf-8")
    lines = [line for group, points in groups.items() for line in (f"[{group}]", *(f"{name} = {value}" for name, value in points.items()))]
    (home / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
    return directory


def test_an_agent_under_all_its_instrumentations_at_once_is_on_record(tmp_path, monkeypatch):
    """Three instrumentations tell of each call, one record has it: what one of them hides, another one told."""
    monkeypatch.setenv("OTEL_TOOL_AUDIT_STATE", str(tmp_path / "state"))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
        "OTEL_TOOL_AUDIT_STATE": str(tmp_path / "state"),
        "OTEL_TOOL_AUDIT_REQUIRED": "true",
        "OTEL_TRACES_EXPORTER": "console",
        # its release does not fit the MCP SDK's beside it, and no tool of this agent is one of MCP
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "mcp",
        "PYTHONPATH": os.pathsep.join((str(installed(tmp_path / "installed")), str(ROOT))),
    }
    python = interpreter("frameworks")
    command = [python, "-c", INSTRUMENT, "--tool_audit_trail", "audit", python, "-W", "ignore", HERE / "stories" / "plain_agent.py"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, check=False, timeout=150)
    assert 0 == done.returncode, done.stderr[-4000:]
    assert b"the agent is done" in done.stdout
    spans = [name for name in (b'"name": "execute_tool get_order"', b'"name": "get_order"') if name in done.stdout]
    assert 2 == len(spans)
    found = audit.verify(tmp_path / "audit")
    assert ("intact", "complete") == (found.integrity, found.completeness)
    get, cancel = audit.TrailReader(tmp_path / "audit").calls()
    assert ("get_order", "success", "call_1") == (get["tool_name"], get["status"], get["tool_call_id"])
    assert ("cancel_order", "error", "call_2", "ValueError") == (cancel["tool_name"], cancel["status"], cancel["tool_call_id"], cancel["error_type"])
    assert [{"order_id": "ORD-123", "api_key": "***REDACTED***"}, {"order_id": "ORD-456"}] == [get["arguments"], cancel["arguments"]]
    assert {("support", "stub-model", "conv-789")} == {(call["agent"], call["model"], call["conversation_id"]) for call in (get, cancel)}
    assert "shipped" == get["result_summary"]["status"]
    everything = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert not any(SECRET in content for content in (done.stdout, done.stderr, *everything))
