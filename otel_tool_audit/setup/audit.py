"""
``configure()``: the one place that knows all parts and joins them, and takes them apart again.

Source: ARCHITECTURE.md.
"""

from __future__ import annotations

import atexit
import gc
import logging
import os
import threading
import uuid
from dataclasses import fields
from types import TracebackType
from typing import Any, Final, Self, Unpack, cast

from opentelemetry import propagate, trace
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, Resource
from opentelemetry.sdk.trace import SpanProcessor, Tracer, TracerProvider

from otel_tool_audit.errors import SettingsError
from otel_tool_audit.policy.retention import check_class
from otel_tool_audit.processor import AuditSpanProcessor, RecordAll, exporting_neighbours
from otel_tool_audit.propagation import threads
from otel_tool_audit.propagation.header import AttributionHeader
from otel_tool_audit.recording import disable, unbind
from otel_tool_audit.settings import Arguments, Settings, slips, variable
from otel_tool_audit.setup import exporters, metrics, signals
from otel_tool_audit.trail.trail import Durability, Trail

_log = logging.getLogger("otel_tool_audit")
_lock: Final = threading.RLock()
_UNNAMED: Final = "unknown_service"


class Audit:
    """
    What ``configure()`` joined; a context manager that takes it apart.

    Attributes:
        settings: As resolved.
        trail: Open; None while recording is off on purpose.
        provider: Where spans are made; an application's own, or the one that was made here.
        processor: Records and forwards; None while recording is off, or when the provider is not the SDK's.
    """

    def __init__(self, settings: Settings, trail: Trail | None, provider: trace.TracerProvider) -> None:
        """Not for applications: use :func:`configure`."""
        self.settings = settings
        self.trail = trail
        self.provider = provider
        self.processor: AuditSpanProcessor | None = None
        self._sampler: RecordAll | None = None
        self._textmap: tuple[TextMapPropagator, TextMapPropagator] | None = None
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether it was shut down."""
        return self._closed

    def flush(self, timeout: float = 30.0) -> bool:
        """
        Wait until everything so far is recorded and exported.

        Args:
            timeout: Seconds.

        Returns:
            Whether it is, as far as exporters tell.
        """
        return self.processor is None or self.processor.force_flush(int(timeout * 1000))

    def shutdown(self) -> None:
        """Record and export what is left, undo everything that ``configure()`` did, close the trail. A second time does nothing."""
        with _lock:
            if self._closed:
                return
            self._closed = True
            if _current.audit is self:
                _current.audit = None
            atexit.unregister(self.shutdown)
            signals.leave_alone(self)
            threads.leave_alone(self)
            self._take_apart()

    def _take_apart(self) -> None:
        if self._textmap is not None and propagate.get_global_textmap() is self._textmap[1]:
            propagate.set_global_textmap(self._textmap[0])
        processor = self.processor
        if processor is not None:
            processor.shutdown()
            _remove(self.provider, processor)
            unbind(processor.binding)
        else:
            unbind()
        if self._sampler is not None:
            _set_sampler(cast("TracerProvider", self.provider), self._sampler, self._sampler.root)
        if self.trail is not None:
            self.trail.close()

    def __enter__(self) -> Self:
        """Use it for the length of a block."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Shut down."""
        self.shutdown()


class _Current:
    """What is configured in this process."""

    def __init__(self) -> None:
        self.audit: Audit | None = None


_current: Final = _Current()


def configure(
    path: str | os.PathLike[str] | None = None,
    *,
    tracer_provider: trace.TracerProvider | None = None,
    forward: SpanProcessor | None = None,
    **settings: Unpack[Arguments],
) -> Audit:
    """
    Record this process' tool calls: open the trail, sanitize and export spans, carry attribution through threads.

    An SDK tracer provider that is there already is added to, never replaced; without one, one is made, exporting OTLP as
    OpenTelemetry's environment variables say.

    Args:
        path: The trail's directory; else ``OTEL_TOOL_AUDIT_TRAIL``.
        tracer_provider: The provider to add to, if not the global one.
        forward: Exports the sanitized spans, if not as the environment variables say.
        **settings: Fields of :class:`~otel_tool_audit.settings.Settings`; each may come from its variable instead.

    Returns:
        The same object again for the same settings.

    Raises:
        SettingsError: A setting cannot be used, or this process is configured otherwise already.
        TrailTampered: The trail contradicts what its writers remember.
        TrailCorrupt: Something lies there that is no trail.
        UnsupportedFormat: A newer version wrote the trail.
        AuditUnavailable: The trail cannot be written now.
    """
    resolved = Settings.resolve(trail=path, **settings)
    with _lock:
        known = _current.audit
        if known is not None:
            return _same(known, resolved, tracer_provider)
        for slip in slips():
            _log.warning(slip)
        made = _configured(resolved, tracer_provider or trace.get_tracer_provider(), forward)
        _current.audit = made
        atexit.register(made.shutdown)
        return made


def shutdown() -> None:
    """Shut down what ``configure()`` set up; does nothing when nothing is."""
    with _lock:
        if _current.audit is not None:
            _current.audit.shutdown()


def _same(known: Audit, resolved: Settings, provider: trace.TracerProvider | None) -> Audit:
    different = [f.name for f in fields(resolved) if getattr(known.settings, f.name) != getattr(resolved, f.name)]
    if provider is not None and provider is not known.provider:
        different.append("tracer_provider")
    if different:
        message = f"this process is configured already, with another {' and '.join(different)}: call shutdown() first, or use the same settings"
        raise SettingsError(message)
    return known


def _configured(settings: Settings, provider: trace.TracerProvider, forward: SpanProcessor | None) -> Audit:
    if settings.off:
        disable(disabled=True)
        return Audit(settings, None, provider)
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
        str(settings.trail),
        state=settings.state,
        service=service,
        durability=cast("Durability", settings.durability),
        segment_bytes=settings.segment_bytes,
        segment_seconds=settings.segment_seconds,
        heartbeat_seconds=settings.heartbeat_seconds,
        group=settings.group,
        append_only_flag=settings.append_only_flag,
        pseudonym_key=settings.pseudonym_key,
        queue_size=settings.queue_size,
    )


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
        audit._sampler = RecordAll(sdk.sampler)  # noqa: SLF001 - made and undone in this module
        _set_sampler(sdk, sdk.sampler, audit._sampler)  # noqa: SLF001 - as above
    keys = tuple(key.strip() for key in (settings.attribution_key or "").split(",") if key.strip())
    before = propagate.get_global_textmap()
    joined = CompositePropagator([before, AttributionHeader(keys, unsigned=False)])
    propagate.set_global_textmap(joined)
    audit._textmap = (before, joined)  # noqa: SLF001 - as above
    metrics.observe(trail)
    if settings.propagate_threads:
        threads.propagate(audit)
    if settings.flush_on_sigterm:
        signals.shut_down_on_sigterm(audit)


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
    active = provider._active_span_processor  # noqa: SLF001 - as above
    return [o for o in gc.get_objects() if isinstance(o, Tracer) and o.span_processor is active]


def _remove(provider: trace.TracerProvider, processor: AuditSpanProcessor) -> None:
    """Take a processor out of its provider, which has no public way to do so; where it stays, it does nothing any more."""
    processor.retire()
    active = getattr(provider, "_active_span_processor", None)
    if active is not None and hasattr(active, "_lock"):
        with active._lock:  # noqa: SLF001 - the lock that adding takes
            active._span_processors = tuple(p for p in active._span_processors if p is not processor)  # noqa: SLF001 - as above
