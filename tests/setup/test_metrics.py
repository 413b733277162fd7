"""The trail's counters as metrics."""

from __future__ import annotations

import json
import os
import subprocess
import sys

CODE = """
import json, sys
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
import otel_tool_audit as audit

reader = InMemoryMetricReader()
if sys.argv[2] == "before":
    metrics.set_meter_provider(MeterProvider([reader]))

def read():
    data = reader.get_metrics_data()
    return {} if data is None else {
        m.name: [(p.value, p.attributes["tool_audit.trail_id"]) for p in m.data.data_points]
        for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics if m.name.startswith("tool_audit.")
    }

found = []
for name in ("/one", "/two"):
    with audit.configure(sys.argv[1] + name, durability="os", on_unavailable="refuse") as made:
        if sys.argv[2] == "after" and name == "/one":
            metrics.set_meter_provider(MeterProvider([reader]))
        with audit.attribution(user="u", conversation="c", model="m"):
            audit.execute_tool("t", {}, lambda: 1)
        audit.execute_tool("t", {}, lambda: 1)
        found.append([made.trail.trail_id, read()])
found.append(read())
print(json.dumps(found))
"""


def metrics(tmp_path, when):
    environment = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CODE, str(tmp_path), when], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert (0, "") == (done.returncode, "".join(line for line in done.stderr.splitlines() if "unknown" not in line))
    return json.loads(done.stdout)


def test_counters_are_metrics(tmp_path):
    """Each with the trail's id; when the trail is closed they end, and a second trail's begin; without a warning."""
    (one, first), (two, second), after = metrics(tmp_path, "before")
    assert [[2, one]] == first["tool_audit.calls"] == first["tool_audit.recorded"]
    assert [[1, one]] == first["tool_audit.unattributed"]
    assert [[0, one]] == first["tool_audit.lost"] == first["tool_audit.refused"] == first["tool_audit.spans_dropped"]
    assert 0 < first["tool_audit.append_seconds"][0][0] < 5
    assert first["tool_audit.free_bytes"][0][0] > 0
    assert [[2, two]] == second["tool_audit.calls"]
    assert all(points == [] for points in after.values())


def test_a_meter_provider_may_come_later(tmp_path):
    """Many applications set it after everything else."""
    (one, first), *_ = metrics(tmp_path, "after")
    assert [[2, one]] == first["tool_audit.calls"]
