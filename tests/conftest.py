"""What every test has: a state directory of its own, none of the caller's settings, and real programs to start."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent / "real"))

from fixtures import (
    auditcheck_program,
    collector_program,
    compose,
    gitleaks,
    jaeger_program,
    kafka_program,
    module_starter,
    prometheus_program,
    promtool,
    pytest_collection_modifyitems,
    run_agent,
    run_collector,
    run_gateway,
    run_jaeger,
    starter,
)

# how long an example takes says how busy the machine is, and no more
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")

__all__ = [
    "auditcheck_program",
    "collector_program",
    "compose",
    "gitleaks",
    "jaeger_program",
    "kafka_program",
    "module_starter",
    "prometheus_program",
    "promtool",
    "pytest_collection_modifyitems",
    "run_agent",
    "run_collector",
    "run_gateway",
    "run_jaeger",
    "starter",
]


@pytest.fixture(autouse=True)
def own_state(tmp_path_factory, monkeypatch):
    """No test ever touches the user's own state directory, or is steered by the user's own settings."""
    for name in list(os.environ):
        if name.startswith(("OTEL_", "XDG_STATE")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OTEL_TOOL_AUDIT_STATE", str(tmp_path_factory.mktemp("state")))


@pytest.fixture
def with_frames():
    """Do something with so many frames of Python's stack left, or with more than anything needs."""

    def run(frames, work):
        depth, frame = 0, sys._getframe()
        while frame is not None:
            depth, frame = depth + 1, frame.f_back
        before = sys.getrecursionlimit()
        sys.setrecursionlimit(depth + frames)
        try:
            return work()
        finally:
            sys.setrecursionlimit(before)

    return run
