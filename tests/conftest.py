"""What every test has: a state directory of its own, and none of the caller's settings."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def own_state(tmp_path_factory, monkeypatch):
    """No test ever touches the user's own state directory, or is steered by the user's own settings."""
    for name in list(os.environ):
        if name.startswith(("OTEL_", "XDG_STATE")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OTEL_TOOL_AUDIT_STATE", str(tmp_path_factory.mktemp("state")))
