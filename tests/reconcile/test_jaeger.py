"""Asking Jaeger, window by window."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from backend import Exported, FakeJaeger, spans_of
from fixtures import certificate

from otel_tool_audit.errors import AuditError, SettingsError
from otel_tool_audit.review.reconcile import jaeger
from otel_tool_audit.review.reconcile.jaeger import Jaeger
from otel_tool_audit.review.reconcile.values import Window


def read(url: str, moments=lambda _: []):
    source = Jaeger(url)
    now = time.time_ns()
    return spans_of(source, Window(now - 10**12, now + 10**10), moments), source


def test_every_span_comes_once(exported: Callable[..., Exported], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a window holds more traces than are given at once it is halved, and what was read before does not count twice."""
    monkeypatch.setattr(jaeger, "DEPTH", 3)
    made = exported(20)
    with FakeJaeger(made.requests) as fake:
        found, source = read(fake.url)
    assert (20, 20, 20) == (len(found), len(set(found)), source.tally.spans_read)
    assert len(fake.asked) > 7
    assert all(query.raw_traces and query.search_depth == 3 for query in fake.asked)


def test_the_trail_says_where_to_cut(exported: Callable[..., Exported], monkeypatch: pytest.MonkeyPatch) -> None:
    """With moments of the trail no window has to be halved."""
    monkeypatch.setattr(jaeger, "DEPTH", 7)
    made = exported(20)
    starts = sorted(r.resource_spans[0].scope_spans[0].spans[0].start_time_unix_nano for r in made.requests)
    with FakeJaeger(made.requests) as fake:
        found, _ = read(fake.url, lambda step: starts[:: step - 2])
    assert 20 == len(found)
    assert 5 == len(fake.asked)


def test_a_store_that_keeps_less_is_asked_for_less(exported: Callable[..., Exported]) -> None:
    """Jaeger's memory store refuses a limit above what it keeps."""
    made = exported(5)
    with FakeJaeger(made.requests, keeps=100) as fake:
        found, _ = read(fake.url)
    assert 5 == len(found)
    assert fake.asked[-1].search_depth <= 100


def test_a_trace_in_several_windows_is_read_once(exported: Callable[..., Exported]) -> None:
    """A span belongs to the window in which it started."""
    made = exported(6)
    for request in made.requests:
        request.resource_spans[0].scope_spans[0].spans[0].trace_id = b"\1" * 16
    starts = sorted(r.resource_spans[0].scope_spans[0].spans[0].start_time_unix_nano for r in made.requests)
    with FakeJaeger(made.requests) as fake:
        found, source = read(fake.url, lambda _: starts)
    assert (6, 6, 7) == (len(set(found)), source.tally.spans_read, len(fake.asked))


def test_too_many_at_one_moment_cannot_be_told(exported: Callable[..., Exported], monkeypatch: pytest.MonkeyPatch) -> None:
    """When halving does not help it says so instead of leaving some out."""
    monkeypatch.setattr(jaeger, "DEPTH", 3)
    made = exported(4)
    for request in made.requests:
        request.resource_spans[0].scope_spans[0].spans[0].start_time_unix_nano = time.time_ns() // 10**9 * 10**9
    with FakeJaeger(made.requests) as fake, pytest.raises(AuditError, match="not all of them could be read"):
        read(fake.url)


def test_nobody_there() -> None:
    """The message says what to look at."""
    with pytest.raises(AuditError, match=r"cannot be read \(UNAVAILABLE.*is it running"):
        read("http://127.0.0.1:9")


def test_a_token_comes_from_the_environment(exported: Callable[..., Exported], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the answer names the variable; what cannot be read is refused without showing it."""
    made = exported(1)
    with FakeJaeger(made.requests, wants="Bearer t0ken") as fake:
        with pytest.raises(AuditError, match=jaeger.HEADERS):
            read(fake.url)
        monkeypatch.setenv(jaeger.HEADERS, "Authorization=Bearer t0ken")
        assert 1 == len(read(fake.url)[0])
        monkeypatch.setenv(jaeger.HEADERS, "t0ken")
        with pytest.raises(SettingsError, match=jaeger.HEADERS) as refused:
            read(fake.url)
    assert "t0ken" not in str(refused.value)


def test_over_tls_only_a_certificate_that_is_trusted_is_answered(exported: Callable[..., Exported], tmp_path: Path) -> None:
    """`https://` means TLS; gRPC's own variable names whom to trust."""
    certificate(tmp_path)
    made = exported(2)
    with FakeJaeger(made.requests, tls=tmp_path) as fake:
        command = [sys.executable, "-m", "otel_tool_audit", "reconcile", made.path, "--jaeger", f"https://localhost:{fake.port}"]
        codes = [
            subprocess.run(command, env={**os.environ, **trusting}, capture_output=True, check=False, timeout=60).returncode
            for trusting in ({}, {"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(tmp_path / "gateway.crt")})
        ]
    assert [3, 0] == codes


@pytest.mark.parametrize("url", ["ftp://host", "http://", "http://host:port", "http://host/path", "http://user@host", ""])
def test_what_is_no_address_is_refused(url: str) -> None:
    """Before anything is read."""
    with pytest.raises(SettingsError, match="--jaeger"):
        Jaeger(url)


def test_reading_needs_no_sdk() -> None:
    """What review imports in a bare interpreter is no SDK, not even when it has read Jaeger's answer."""
    code = (
        "import sys, pkgutil, importlib, otel_tool_audit.review as r\n"
        "for m in pkgutil.walk_packages(r.__path__, r.__name__ + '.'): importlib.import_module(m.name)\n"
        "print([m for m in sys.modules if m.startswith('opentelemetry')])\n"
        "import grpc, opentelemetry.proto.trace.v1.trace_pb2\n"
        "print([m for m in sys.modules if m.startswith('opentelemetry.sdk')])"
    )
    assert "[]\n[]\n" == subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
