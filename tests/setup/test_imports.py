"""What importing costs, and what the public names are."""

from __future__ import annotations

import subprocess
import sys

import pytest

import otel_tool_audit as audit
from otel_tool_audit.testing import audit_trail


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout


def test_every_public_name_is_there_and_nothing_else():
    """Each resolves, dir() lists them, another is an AttributeError."""
    assert sorted(audit.__all__) == sorted(audit._HOMES) == dir(audit)
    assert all(getattr(audit, name) is not None for name in audit.__all__)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = audit.nonsense


def test_importing_alone_loads_no_sdk():
    """Names are imported when they are first used, and exporters only by configure()."""
    out = run("import sys, otel_tool_audit; print([m for m in sys.modules if m.startswith(('opentelemetry', 'orjson', 'grpc'))])")
    assert out == "[]\n"
    out = run(
        "import sys, otel_tool_audit as a; a.configure, a.tool, a.Trail; print([m for m in ('grpc', 'typer', 'rich', 'phonenumbers', 'requests') if m in sys.modules])"
    )
    assert out == "[]\n"


@pytest.mark.parametrize(
    "first", ["otel_tool_audit.propagation", "otel_tool_audit.redaction", "otel_tool_audit.processor", "otel_tool_audit.testing"]
)
def test_submodules_do_not_hide_public_names(first):
    """`audit.attribution` and `audit.sanitize` stay functions whatever was imported before."""
    out = run(f"import {first}, otel_tool_audit as a; a.attribution(user='u'); print(a.sanitize({{'password': 'x'}}))")
    assert out == "{'password': '***REDACTED***'}\n"


def test_sanitize_shows_what_would_be_stored():
    """By default rules and the environment's, or those of what is configured."""
    assert {"note": "***REDACTED***"} == audit.sanitize({"note": "sk-abcdefghijklmnopqrstuvwxyz1234567890ABCD"})
    with audit_trail(secret_keys=["badge"]):
        assert {"badge": "***REDACTED***"} == audit.sanitize({"badge": "7"})
