"""
Auditing without a line of code: what OpenTelemetry's entry points call.

    OTEL_TOOL_AUDIT_TRAIL=./audit opentelemetry-instrument python agent.py
    OTEL_TOOL_AUDIT_TRAIL=./audit OTEL_PYTHON_TRACER_PROVIDER=tool_audit python agent.py

The first audits whatever provider the SDK's auto-configuration made, from variables or from ``OTEL_CONFIG_FILE``: that has
no place for a processor of another package, so exporters are taken out of the provider after it was made. The second is for an
agent that is not started by ``opentelemetry-instrument``: the first tracer that anyone asks for comes from an audited provider.

Source: opentelemetry-instrumentation, ``auto_instrumentation/_load.py``; opentelemetry-api, ``trace.get_tracer_provider()``;
opentelemetry-sdk, ``_configuration``.
"""

from __future__ import annotations

import logging
import os
import sys
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Final, NoReturn, cast

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import Sampler

from otel_tool_audit.diagnosis.process import require_active
from otel_tool_audit.errors import AuditError, SettingsError
from otel_tool_audit.exit_codes import CANNOT_TELL, code_of
from otel_tool_audit.processor import RecordAll
from otel_tool_audit.settings import Settings, is_required, slips, variable
from otel_tool_audit.setup import exporter_takeover
from otel_tool_audit.setup.assembly import new_provider
from otel_tool_audit.setup.audit import Audit, configure, shutdown

_SAMPLERS: Final = "opentelemetry_traces_sampler"
_DEFAULT_ROOT: Final = "parentbased_always_on"
"""What the SDK samples with when nobody says anything."""

_SET_UP: Final = "opentelemetry.instrumentation.auto_instrumentation"
"""Where OpenTelemetry logs that its set-up failed."""

_REFUSED: Final = "auditing could not start, so this process does not"


def before_instrumentation() -> None:
    """
    Audit this process, before its libraries are instrumented (entry point ``opentelemetry_pre_instrument``).

    Does nothing where no setting asks for auditing, but names variables that look like one. If auditing cannot start, standard error says why; with
    ``OTEL_TOOL_AUDIT_REQUIRED=true`` the process ends here.
    """
    if not _wanted():
        for slip in slips():
            _say(slip)
        return
    try:
        # may lead to tracer_provider(), which is the same attempt then
        provider = trace.get_tracer_provider()
        _start(provider)
    except SystemExit as end:
        _leave(cast("int", end.code))


def distro() -> Any:  # noqa: ANN401 - of a package that only OpenTelemetry's command brings
    """
    Give the distro that OpenTelemetry would take without this one (entry point ``opentelemetry_distro``, ``OTEL_PYTHON_DISTRO``).

    With ``OTEL_TOOL_AUDIT_REQUIRED=true`` the process ends when OpenTelemetry's set-up fails, which it would only log.

    Raises:
        Exception: Whatever that distro raises.
    """
    distros = import_module("opentelemetry.instrumentation.distro")
    if _required():
        logging.getLogger(_SET_UP).addFilter(_end_with_it)
    for found in entry_points(group="opentelemetry_distro"):
        if found.name != "tool_audit":
            made = found.load()()
            if isinstance(made, distros.BaseDistro):
                return made
    return distros.DefaultDistro()


def tracer_provider() -> trace.TracerProvider:
    """
    Make this process' tracer provider, audited (entry point ``opentelemetry_tracer_provider``, ``OTEL_PYTHON_TRACER_PROVIDER``).

    Returns:
        The provider; not audited when that could not start, and need not.

    Raises:
        SystemExit: Auditing is required, and could not start.
    """
    try:
        made = new_provider(Settings.resolve())
    except SettingsError:
        # told below, when the same settings are used
        made = TracerProvider()
    # configure() asks for the provider, which would lead here again
    trace.set_tracer_provider(made)
    if _wanted():
        _start(made)
    return made


def sampler(root: str | None = None) -> Sampler:
    """
    Make a sampler that lets all spans reach the processors (entry point ``opentelemetry_traces_sampler``, ``OTEL_TRACES_SAMPLER``).

    Args:
        root: ``OTEL_TRACES_SAMPLER_ARG``: the sampler that decides what is exported, with its own argument behind an equals
            sign: ``parentbased_traceidratio=0.1``. Default: ``parentbased_always_on``.

    Raises:
        SettingsError: There is no such sampler.
    """
    name, _, argument = (root or _DEFAULT_ROOT).strip().partition("=")
    known = {found.name: found for found in entry_points(group=_SAMPLERS) if found.name != "tool_audit"}
    if name not in known:
        message = f"OTEL_TRACES_SAMPLER_ARG={root!r} cannot be used: tool_audit records all and samples with one of {', '.join(sorted(known))}"
        raise SettingsError(message)
    try:
        return RecordAll(known[name].load()(float(argument) if "ratio" in name else argument or None))
    except ValueError as error:
        message = f"OTEL_TRACES_SAMPLER_ARG={root!r} cannot be used: {error}; write for instance parentbased_traceidratio=0.1"
        raise SettingsError(message) from error


def _wanted() -> bool:
    """Tell whether a setting asks for auditing: the package may be installed for its command alone."""
    return bool(os.environ.get(variable("trail"))) or _required()


def _required() -> bool:
    """Tell whether the process may not run without."""
    return is_required(os.environ.get(variable("required"), ""))


def _start(provider: trace.TracerProvider) -> None:
    """Stand before what exports on a provider, or say why not."""
    try:
        audit = _configured(provider)
        if audit.settings.off:
            _say(f"{variable('disabled')} is set: tool calls are not recorded")
            return
        require_active()
    except AuditError as error:
        _failed(str(error), code_of(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, the agent would run unaudited
        _failed(f"{type(error).__name__}: {error}", CANNOT_TELL)


def _configured(provider: trace.TracerProvider) -> Audit:
    if not isinstance(provider, TracerProvider):
        return configure()
    taken = exporter_takeover.take(provider)
    try:
        audit = configure(forward=exporter_takeover.forward_to(taken))
    except BaseException:
        exporter_takeover.give_back(provider, taken)
        raise
    if audit.processor is None:
        exporter_takeover.give_back(provider, taken)
    else:
        exporter_takeover.take_later(provider, audit.processor)
    return audit


def _end_with_it(record: logging.LogRecord) -> bool:
    """End the process where OpenTelemetry logs that its set-up failed."""
    if record.levelno >= logging.ERROR and record.exc_info:
        error = record.exc_info[1]
        _say(f"{_REFUSED}: OpenTelemetry's own set-up failed ({type(error).__name__}: {error})")
        _leave(CANNOT_TELL)
    return True


def _leave(code: int) -> NoReturn:
    """End without raising: what is raised while `site` is imported ends in "Fatal Python error". Nothing of the agent runs yet."""
    sys.stderr.flush()
    os._exit(code)


def _failed(reason: str, code: int) -> None:
    if _required():
        _end(reason, code)
    _say(f"auditing could not start: {reason}. The process runs on; set {variable('required')}=true to have it refuse")


def _end(reason: str, code: int) -> NoReturn:
    _say(f"{_REFUSED}: {reason}")
    shutdown()
    raise SystemExit(code)


def _say(message: str) -> None:
    sys.stderr.write(f"otel-tool-audit: {message}\n")
