"""
Rendered by Phoenix as well: on demand, for it has 855 MB and an environment of its own.

    python3 -m venv phoenix && phoenix/bin/pip install arize-phoenix==20.26.1
    PHOENIX_PYTHON=$PWD/phoenix/bin/python pytest tests/end_to_end/test_phoenix.py

It is run in a network namespace without any way out, since one of its ports listens on every interface.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from otel_tool_audit.cli.demo.script import CARD, CARRIER_KEY

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_phoenix_knows_agents_models_and_tools(tmp_path: Path) -> None:
    """Each span has its kind, tools their input and output, calls of a conversation are one session, and what failed is an error."""
    python = os.environ.get("PHOENIX_PYTHON")
    if not python or shutil.which("unshare") is None:
        pytest.skip("PHOENIX_PYTHON names no environment with arize-phoenix, or there is no `unshare`")
    alone = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"]), "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    done = subprocess.run(
        [*alone, sys.executable, Path(__file__).parent / "phoenix_probe.py", python, tmp_path],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, encoding="utf-8", check=False, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:] + (tmp_path / "phoenix.log").read_text()[-4000:]
    spans = json.loads(done.stdout)
    assert 23 == len(spans), (tmp_path / "phoenix.log").read_text()[-4000:]
    kinds = {kind: [span for span in spans if span["span_kind"] == kind] for kind in ("AGENT", "LLM", "TOOL")}
    assert (3, 9, 11) == tuple(map(len, kinds.values()))
    (tracked,) = (span["attributes"] for span in kinds["TOOL"] if span["attributes"].get("tool.name") == "track_parcel")
    assert {"order_id": "ORD-1001", "api_key": "***REDACTED***"} == json.loads(tracked["input.value"])
    assert json.loads(tracked["output.value"])["success"] is True
    assert "conv_anna" == tracked["session.id"]
    assert 3 == sum(span["status_code"] == "ERROR" for span in kinds["TOOL"])
    assert not any(secret in done.stdout for secret in (CARRIER_KEY, CARD))
