"""A provider with the processor in front of an exporter in memory, and helpers beside the tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from replaying import GivenIds, Replay

import otel_tool_audit as audit
from otel_tool_audit.recording import unbind


class Recorded:
    """What is on record, and what left the process."""

    def __init__(self, calls, exported, files):
        self.calls = calls
        self.exported = exported
        self.files = files

    def outside(self):
        """Everything that was exported or written, as text."""
        return "\n".join(span.to_json() + str(span.attributes) for span in self.exported) + self.files


@pytest.fixture
def replay(tmp_path, monkeypatch):
    """Run spans through the processor, and give what came of them."""
    monkeypatch.setenv("OTEL_TOOL_AUDIT_STATE", str(tmp_path / "state"))

    def run(spans):
        trail = audit.Trail.open(tmp_path / "audit", durability="os")
        exporter, ids = InMemorySpanExporter(), GivenIds()
        provider = TracerProvider(id_generator=ids, shutdown_on_exit=False)
        provider.add_span_processor(audit.AuditSpanProcessor(trail, forward=SimpleSpanProcessor(exporter)))
        try:
            Replay(spans, provider, ids).run()
            provider.shutdown()
        finally:
            unbind()
            trail.close()
        with audit.TrailReader(tmp_path / "audit") as reader:
            calls = list(reader.calls())
        assert audit.verify(tmp_path / "audit").ok
        files = "".join(p.read_text(errors="replace") for p in tmp_path.rglob("*") if p.is_file())
        return Recorded(calls, exporter.get_finished_spans(), files)

    return run
