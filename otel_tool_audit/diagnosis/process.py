"""
What keeps calls off the record in this process, and how to mend it.

Source: ARCHITECTURE.md, R1.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from typing import NamedTuple

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from otel_tool_audit.errors import AuditError, AuditUnavailable
from otel_tool_audit.processor import AuditSpanProcessor, exporting_neighbours, follows_callers, processors, records_all
from otel_tool_audit.recording import Binding, bound, switched_off
from otel_tool_audit.settings import variable


class ProcessFinding(NamedTuple):
    """
    One thing that was looked at.

    Attributes:
        name: What.
        ok: Whether it is as it should be.
        message: How it is.
        remedy: What to do; empty when nothing is.
        fatal: Whether recording is not active because of it.
    """

    name: str
    ok: bool
    message: str
    remedy: str = ""
    fatal: bool = False


def diagnose() -> list[ProcessFinding]:
    """Look at everything that recording in this process depends on; never raises."""
    binding = bound()
    if binding is None:
        if switched_off():
            return [ProcessFinding("configured", ok=False, message="recording is switched off", remedy=f"unset {variable('disabled')}", fatal=True)]
        remedy = "call otel_tool_audit.configure('./audit') before the first tool runs"
        return [ProcessFinding("configured", ok=False, message="no trail is configured in this process", remedy=remedy, fatal=True)]
    return [ProcessFinding("configured", ok=True, message=f"tools write to {binding.recorder.trail.path}"), *_findings(binding)]


def require_active() -> None:
    """
    Make sure that calls are recorded, before an application begins to serve.

    Raises:
        AuditUnavailable: Something keeps them off the record; the message says what, and how to mend it.
    """
    wrong = [finding for finding in diagnose() if finding.fatal and not finding.ok]
    if wrong:
        raise AuditUnavailable("; ".join(f"{finding.message}: {finding.remedy}" for finding in wrong))


def _findings(binding: Binding) -> Iterator[ProcessFinding]:
    yield _trail(binding)
    yield from _provider(binding)
    yield from _loggers()
    yield from _counted(binding)


def _trail(binding: Binding) -> ProcessFinding:
    trail = binding.recorder.trail
    try:
        trail.check()
    except AuditError as error:
        remedy = "mend that, or run `otel-tool-audit doctor` and `otel-tool-audit verify` on it"
        return ProcessFinding("trail", ok=False, message=f"the trail {trail.path} cannot be written: {error}", remedy=remedy, fatal=True)
    return ProcessFinding("trail", ok=True, message=f"{trail.path} can be written ({trail.durability})")


def _provider(binding: Binding) -> Iterator[ProcessFinding]:
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        message = "OTEL_SDK_DISABLED is set: own tools are recorded, but without spans, and no other instrumentation's are"
        yield ProcessFinding("sdk", ok=False, message=message, remedy="unset OTEL_SDK_DISABLED", fatal=True)
    provider = binding.provider or trace.get_tracer_provider()
    current = trace.get_tracer_provider()
    processor = binding.processor
    if not isinstance(processor, AuditSpanProcessor):
        message = "no AuditSpanProcessor writes to this trail: own tools are recorded, other instrumentations' are not"
        remedy = "provider.add_span_processor(AuditSpanProcessor(trail, forward=…)), or use configure()"
        yield ProcessFinding("processor", ok=False, message=message, remedy=remedy, fatal=True)
    elif processor not in processors(current) and processor not in processors(provider):
        message = (
            "the tracer provider has no AuditSpanProcessor of this trail, or was replaced: own tools are recorded, other instrumentations' are not"
        )
        remedy = "add the processor to the provider that is in use, or call configure() after everything that sets a provider"
        yield ProcessFinding("processor", ok=False, message=message, remedy=remedy, fatal=True)
    else:
        yield ProcessFinding("processor", ok=True, message="spans reach the AuditSpanProcessor")
    if isinstance(provider, TracerProvider) and not records_all(provider.sampler):
        dropped = "what callers in other processes did not sample" if follows_callers(provider.sampler) else provider.sampler.get_description()
        message = f"the provider's sampler drops spans ({dropped}): tool calls of other instrumentations leave no record then, own tools' do"
        remedy = "use configure(), or make the provider with sampler=otel_tool_audit.processor.RecordAll(sampler)"
        yield ProcessFinding("sampler", ok=False, message=message, remedy=remedy)
    if others := exporting_neighbours(provider, AuditSpanProcessor):
        message = f"unsanitized spans are exported by {', '.join(others)} on the same provider"
        yield ProcessFinding("neighbours", ok=False, message=message, remedy="hand that processor to AuditSpanProcessor(trail, forward=…) instead")


def _loggers() -> Iterator[ProcessFinding]:
    disabled = [name for name in ("tool_audit", "otel_tool_audit") if logging.getLogger(name).disabled]
    if disabled:
        message = f"the logging setup disables {' and '.join(disabled)}: records and warnings reach the trail, and no log"
        remedy = "give dictConfig() or fileConfig() disable_existing_loggers=False, or call it before otel_tool_audit is imported"
        yield ProcessFinding("loggers", ok=False, message=message, remedy=remedy)


def _counted(binding: Binding) -> Iterator[ProcessFinding]:
    counters = binding.recorder.trail.counters.snapshot()
    for name, what, remedy in (
        ("lost", "records could not be written", "see the log; a trail.gap record tells when"),
        ("unattributed", "calls had no user, conversation or model", "call tools inside `with attribution(…):`"),
        ("spans_dropped", "spans did not reach their backend", "look at OTEL_EXPORTER_OTLP_ENDPOINT and at the Collector"),
    ):
        if counters[name]:
            yield ProcessFinding(name, ok=False, message=f"{counters[name]} {what}", remedy=remedy)
    if counters["blocked_loop"]:
        names = ", ".join(sorted(binding.recorder.blocked))
        message = f"{counters['blocked_loop']} calls of sync tools held up an event loop: {names}"
        yield ProcessFinding("blocked_loop", ok=False, message=message, remedy="make them `async def`, or call them with asyncio.to_thread()")
