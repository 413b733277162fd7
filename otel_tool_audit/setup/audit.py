"""
``configure()`` and ``shutdown()``: what is configured in this process.

Nothing here imports the SDK, the trail or the sanitizer: an application imports this at its top, and pays for them when it configures.

Source: ARCHITECTURE.md, D22.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
from dataclasses import fields
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Final, Self, Unpack

from opentelemetry import trace

from otel_tool_audit.errors import SettingsError
from otel_tool_audit.recording import disable, unbind
from otel_tool_audit.settings import Arguments, Settings, slips

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

    from otel_tool_audit.processor import AuditSpanProcessor
    from otel_tool_audit.processor.sampler import RecordAll
    from otel_tool_audit.trail.trail import Trail

_log = logging.getLogger("otel_tool_audit")
_lock: Final = threading.RLock()


class Audit:
    """
    What ``configure()`` joined; a context manager that takes it apart.

    Attributes:
        settings: As resolved.
        trail: Open; None while recording is off on purpose.
        provider: Where spans are made; an application's own, or the one that was made here.
        processor: Records and forwards; None while recording is off.
        sampler: What stands around the provider's own sampler; None when the provider is not the SDK's.
    """

    def __init__(self, settings: Settings, trail: Trail | None, provider: trace.TracerProvider) -> None:
        """Not for applications: use :func:`configure`."""
        self.settings = settings
        self.trail = trail
        self.provider = provider
        self.processor: AuditSpanProcessor | None = None
        self.sampler: RecordAll | None = None
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

    def finish(self) -> None:
        """
        Record and export what is left, where the process ends.

        While what exports still works: others' exit hooks, registered before, may take it apart. The trail is closed last of all, and spans
        that end until then are recorded.
        """
        if self.processor is not None:
            self.processor.shutdown()

    def shutdown(self) -> None:
        """Record and export what is left, undo everything that ``configure()`` did, close the trail. A second time does nothing."""
        with _lock:
            if self._closed:
                return
            self._closed = True
            if _current.audit is self:
                _current.audit = None
            atexit.unregister(self.finish)
            if self.trail is None:
                unbind()
            else:
                _assembly().take_apart(self)

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
        provider = tracer_provider or trace.get_tracer_provider()
        if resolved.off:
            disable(disabled=True)
            made = Audit(resolved, None, provider)
        else:
            made = _assembly().assemble(resolved, provider, forward)
        _current.audit = made
        atexit.register(made.finish)
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


def _assembly() -> ModuleType:
    """Import what joins the parts, and with it all of them."""
    from otel_tool_audit.setup import assembly  # noqa: PLC0415 - the reason stands at the top

    return assembly
