"""Trails for the tests of the gate: one that works, and one whose disk can be full."""

from __future__ import annotations

import contextlib
import errno
import os

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import otel_tool_audit as audit
from otel_tool_audit.host.system import System
from otel_tool_audit.processor import AuditSpanProcessor
from otel_tool_audit.recording import unbind
from otel_tool_audit.settings import Settings
from otel_tool_audit.testing import audit_trail


@pytest.fixture
def trail():
    with audit_trail() as recorded:
        yield recorded


@pytest.fixture
def who():
    """An attribution that leaves nothing unknown."""
    with audit.attribution(user="usr_1", role="agent", model="gpt-4.1", conversation="conv_1", turn=1, trigger="user_request"):
        yield


class Disk(System):
    """A disk that can be full."""

    def __init__(self):
        self.full = False

    def write(self, fd, data):
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(fd, data)


class Bench:
    """A trail on such a disk, with the gate bound to it."""

    def __init__(self, path, **settings):
        self.disk = Disk()
        self.path = path
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.trail = audit.Trail.open(path, durability=settings.pop("durability", "os"), system=self.disk)
        self.processor = AuditSpanProcessor(
            self.trail, SimpleSpanProcessor(self.exporter), settings=Settings.resolve(**settings), tracer_provider=self.provider
        )
        self.provider.add_span_processor(self.processor)

    def calls(self):
        self.processor.force_flush()
        return list(audit.TrailReader(self.path).calls())

    def close(self):
        self.disk.full = False
        self.processor.shutdown()
        self.provider.shutdown()
        unbind()
        self.trail.close()


@pytest.fixture
def bench(tmp_path):
    """Make benches; at most one at a time is bound."""
    made = []

    def make(**settings):
        made.append(Bench(tmp_path / f"audit{len(made)}", **settings))
        return made[-1]

    yield make
    for one in made:
        with contextlib.suppress(audit.AuditError):
            one.close()
