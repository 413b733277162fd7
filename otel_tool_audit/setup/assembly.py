"""
The one place that knows all parts and joins them, and takes them apart again.

Source: ARCHITECTURE.md, R24.
"""

from __future__ import annotations

import gc
import uuid
from typing import Any, Final, cast

from opentelemetry import trace
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, Resource
from opentelemetry.sdk.trace import SpanProcessor, Tracer, TracerProvider

from otel_tool_audit.errors import SettingsError
from otel_tool_audit.policy.retention import check_class
from otel_tool_audit.processor import AuditSpanProcessor, RecordAll, exporting_neighbours
from otel_tool_audit.propagation import threads
from otel_tool_audit.recording import unbind
from otel_tool_audit.settings import Settings, variable
from otel_tool_audit.setup import exporters, metrics, signals
from otel_tool_audit.setup.audit import Audit
from otel_tool_audit.trail.trail import Durability, Trail

_UNNAMED: Final = "unknown_service"


def assemble(settings: Settings, provider: trace.TracerProvider, forward: SpanProcessor | None) -> Audit:
    """
    Open the trail, and join it with a provider, what exports, threads and signals.

    Raises:
        SettingsError: A setting cannot be used.
        AuditError: The trail cannot be opened.
    """
    if settings.trail is None:
        message = f"configure() needs the trail's directory: configure('./audit'), or set {variable('trail')}"
        raise SettingsError(message)
    for name in settings.retention.values():
        check_class(name)
    trail = _open(settings, provider)
    try:
        audit = Audit(settings, trail, _sdk(provider, settings))
        _join(audit, trail, forward)
    except BaseException:
        trail.close()
        raise
    return audit


def _open(settings: Settings, provider: trace.TracerProvider) -> Trail:
    service = settings.service_name
    if service is None and isinstance(provider, TracerProvider):
        named = str(provider.resource.attributes.get(SERVICE_NAME, _UNNAMED))
        service = None if named.startswith(_UNNAMED) else named
    return Trail.open(
        str(settings.trail), state=settings.state, service=service, durability=cast("Durability", settings.durability),
        segment_bytes=settings.segment_bytes, segment_seconds=settings.segment_seconds, heartbeat_seconds=settings.heartbeat_seconds,
        group=settings.group, append_only_flag=settings.append_only_flag, pseudonym_key=settings.pseudonym_key, queue_size=settings.queue_size,
    )  # fmt: skip


def _sdk(provider: trace.TracerProvider, settings: Settings) -> trace.TracerProvider:
    """Keep an application's provider, whatever it is; make one where there is none."""
    if not isinstance(provider, trace.ProxyTracerProvider):
        return provider
    made = new_provider(settings)
    trace.set_tracer_provider(made)
    return made


def new_provider(settings: Settings) -> TracerProvider:
    """
    Make an SDK provider with the service's name; it is the global one only if someone makes it so.

    Processes of one service are told apart by ``service.instance.id``: the one that ``OTEL_RESOURCE_ATTRIBUTES`` names, else the SDK's,
    else a new one (older SDKs have none).

    Source: OpenTelemetry semantic conventions, "Service" (``service.instance.id``: a random UUID where there is nothing better).
    """
    named = {} if settings.service_name is None else {SERVICE_NAME: settings.service_name}
    resource = Resource.create(named)
    if not resource.attributes.get(SERVICE_INSTANCE_ID):
        resource = resource.merge(Resource({SERVICE_INSTANCE_ID: str(uuid.uuid4())}))
    return TracerProvider(resource=resource)


def _join(audit: Audit, trail: Trail, forward: SpanProcessor | None) -> None:
    settings, provider = audit.settings, audit.provider
    sdk = provider if isinstance(provider, TracerProvider) else None
    if forward is None and sdk is not None and (exporters.asked_for() or not exporting_neighbours(sdk, AuditSpanProcessor)):
        forward = exporters.forward()
    own = None if provider is trace.get_tracer_provider() else provider
    processor = audit.processor = AuditSpanProcessor(trail, forward, settings=settings, tracer_provider=own)
    if sdk is None:
        processor.recorder.warn_once(
            "provider", "the tracer provider %s is not the SDK's: own tools are recorded, other instrumentations' are not", type(provider)
        )
    else:
        sdk.add_span_processor(processor)
        audit.sampler = RecordAll(sdk.sampler)
        _set_sampler(sdk, sdk.sampler, audit.sampler)
    metrics.observe(trail)
    if settings.propagate_threads:
        threads.propagate(audit)
    if settings.flush_on_sigterm:
        signals.shut_down_on_sigterm(audit)


def take_apart(audit: Audit) -> None:
    """Undo all that was joined, and close the trail."""
    signals.leave_alone(audit)
    threads.leave_alone(audit)
    processor = audit.processor
    if processor is not None:
        processor.shutdown()
        _remove(audit.provider, processor)
        unbind(processor.binding)
    if audit.sampler is not None:
        _set_sampler(cast("TracerProvider", audit.provider), audit.sampler, audit.sampler.root)
    if audit.trail is not None:
        audit.trail.close()


def _set_sampler(provider: TracerProvider, old: object, new: Any) -> None:  # noqa: ANN401 - a sampler
    """Put one sampler in place of another, also in the tracers that were made already: they keep their own reference."""
    if provider.sampler is old:
        provider.sampler = new
    for tracer in _tracers(provider):
        if tracer.sampler is old:
            tracer.sampler = new


def _tracers(provider: TracerProvider) -> list[Tracer]:
    """List the tracers that a provider has made."""
    known = getattr(provider, "_tracers", None)
    if known is not None:
        return list(known.values())
    # older SDKs keep no list; what they made shares the provider's processor
    active = provider._active_span_processor  # noqa: SLF001 - there is no public name
    return [o for o in gc.get_objects() if isinstance(o, Tracer) and o.span_processor is active]


def _remove(provider: trace.TracerProvider, processor: AuditSpanProcessor) -> None:
    """Take a processor out of its provider, which has no public way to do so; where it stays, it does nothing any more."""
    processor.retire()
    active = getattr(provider, "_active_span_processor", None)
    if active is not None and hasattr(active, "_lock"):
        with active._lock:  # noqa: SLF001 - the lock that adding takes
            active._span_processors = tuple(p for p in active._span_processors if p is not processor)  # noqa: SLF001 - as above
