"""What ``doctor`` looks at beside trails: installed packages and the environment's settings."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Final
from urllib.parse import urlsplit

from otel_tool_audit.diagnosis.check import CheckResult, Level
from otel_tool_audit.errors import SettingsError
from otel_tool_audit.settings import Settings, slips, variable

REACHABLE_WITHIN: Final = 1.0
"""Seconds that a connection to the OTLP endpoint may take."""

_EXTRAS: Final = {
    "query": (("duckdb", "pyarrow"), "there is no `sql`, no Parquet and no index: long trails are answered slowly"),
    "report": (("jinja2", "typst"), "reports are shown on the terminal and as JSON only, not as HTML or PDF"),
}
"""Of each extra: its packages, and what is not there without them."""

_GRPC_PORT: Final = 4317
_HTTP_PORT: Final = 4318


def packages() -> Iterator[CheckResult]:
    """Tell the versions, and which extras are missing. `[cli]` is what is running."""
    try:
        yield CheckResult("package", Level.good, f"otel-tool-audit {version('otel-tool-audit')}, opentelemetry-sdk {version('opentelemetry-sdk')}")
    except PackageNotFoundError as error:
        yield CheckResult("package", Level.warning, f"{error.name} is not installed, only on the path", "pip install otel-tool-audit")
    for extra, (needed, what) in _EXTRAS.items():
        missing = [module for module in needed if not _is_there(module)]
        if missing:
            yield CheckResult("extras", Level.notice, f"without [{extra}] ({', '.join(missing)}) {what}", f"pip install 'otel-tool-audit[{extra}]'")


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        # ValueError: it was taken out of sys.modules
        return False


def environment() -> Iterator[CheckResult]:
    """Examine the settings that this environment makes; the agent's own may differ."""
    yield from (CheckResult("variables", Level.warning, slip, "correct its name, or unset it") for slip in slips())
    try:
        settings = Settings.resolve()
    except SettingsError as error:
        yield CheckResult("settings", Level.problem, str(error), "mend or unset that variable")
        return
    if settings.off:
        what = f"{variable('disabled')} is set: tools run and nothing is recorded"
        yield CheckResult("settings", Level.problem, what, f"unset it, or set {variable('required')}=true")
    elif settings.on_unavailable == "allow":
        yield CheckResult("settings", Level.warning, f"{variable('on_unavailable')}=allow: tools run even when nothing can be recorded", "use refuse")
    else:
        yield CheckResult("settings", Level.good, f"durability {settings.durability}; without a durable record no tool runs")
    yield from _telemetry()


def _telemetry() -> Iterator[CheckResult]:
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        what = "OTEL_SDK_DISABLED is set: no spans; own calls are recorded all the same, other instrumentations' are not"
        yield CheckResult("spans", Level.warning, what, "unset it")
        return
    sampler = os.environ.get("OTEL_TRACES_SAMPLER", "")
    if sampler and not sampler.endswith("always_on"):
        what = f"OTEL_TRACES_SAMPLER={sampler}: unsampled spans are recorded, if configure() made or found the provider, and not exported"
        yield CheckResult("sampler", Level.notice, what)
    if os.environ.get("OTEL_TRACES_EXPORTER", "otlp").strip() == "none":
        yield CheckResult("exporter", Level.notice, "OTEL_TRACES_EXPORTER=none: spans are not exported")
        return
    yield _endpoint()


def _endpoint() -> CheckResult:
    name = "exporter"
    protocol = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") or "grpc"
    given = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    if not given:
        return CheckResult(name, Level.notice, "no OTLP endpoint is set", "set OTEL_EXPORTER_OTLP_ENDPOINT to see calls in Jaeger, Phoenix or Tempo")
    default = _GRPC_PORT if protocol == "grpc" else _HTTP_PORT
    remedy = "start the Collector or backend there, or correct OTEL_EXPORTER_OTLP_ENDPOINT; the trail does not depend on it"
    try:
        parts = urlsplit(given if "//" in given else f"//{given}")
        host, port = parts.hostname or "localhost", parts.port or default
    except ValueError:
        return CheckResult(name, Level.warning, "OTEL_EXPORTER_OTLP_ENDPOINT is no address", remedy)
    # not the address as given: it may hold credentials
    where = f"{host}:{port} ({protocol})"
    try:
        with socket.create_connection((host, port), timeout=REACHABLE_WITHIN):
            return CheckResult(name, Level.good, f"{where} accepts connections")
    except OSError as error:
        return CheckResult(
            name, Level.warning, f"{where} cannot be reached ({error.strerror or error}): spans will be lost, records will not", remedy
        )
