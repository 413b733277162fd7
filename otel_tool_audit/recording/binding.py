"""
Which recorder this process' tools write through.

The first trail that is configured is bound; a second one in the same process is named by the tool (``tool(trail=…)``).
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.trace import Tracer, TracerProvider

from otel_tool_audit import __version__, semconv
from otel_tool_audit.errors import AuditUnavailable
from otel_tool_audit.settings import Settings, variable

if TYPE_CHECKING:
    # a process that only has decorated tools needs neither yet
    from otel_tool_audit.recording.recorder import Recorder
    from otel_tool_audit.trail.trail import Trail

CALL_KEY: Final = otel.create_key("tool-audit-call")
"""Where the context keeps the call that runs: what starts inside it belongs to it, and is not it."""

OWN_SPANS_ENDING: Final[dict[int, Any]] = {}
"""
Own spans that are ending at this moment, by span id, with the attributes the gate stamped them with.

``on_end`` runs without a context, inside ``span.end()``; so the gate puts a span here before it ends it and takes it out after.
"""

# Guards what is bound and what is known of trails, which two threads may change at once. Re-entrant: the collector may run a destructor that
# shuts a trail down, in a thread that is binding another.
_lock: Final = threading.RLock()
_recorders: Final[weakref.WeakKeyDictionary[Trail, Binding]] = weakref.WeakKeyDictionary()


class Binding:
    """
    A recorder and where its own spans go.

    Attributes:
        recorder: Writes.
        provider: Makes the spans of own calls; None: whatever provider is the global one when a tool is called.
        processor: The processor that forwards them; None when there is none.
        dropped: Hears of own spans that a sampler dropped.
    """

    __slots__ = ("_made", "dropped", "processor", "provider", "recorder")

    def __init__(self, recorder: Recorder, provider: TracerProvider | None = None) -> None:
        """Join the two."""
        self.recorder = recorder
        self.provider = provider
        self.processor: object | None = None
        self.dropped: Callable[[], None] | None = None
        self._made: tuple[TracerProvider | None, Tracer | None] = (None, None)

    def tracer(self) -> Tracer:
        """Give the tracer of own calls: of the provider that is there now, also when it came later or was replaced."""
        provider = self.provider or trace.get_tracer_provider()
        known, tracer = self._made
        if tracer is None or known is not provider:
            tracer = provider.get_tracer("otel_tool_audit", __version__, schema_url=semconv.SCHEMA_URL)
            self._made = (provider, tracer)
        return tracer


class _Bound:
    """What is bound in this process; one object, so that tests and ``shutdown()`` can reset it whole."""

    def __init__(self) -> None:
        self.binding: Binding | None = None
        self.disabled: bool | None = None
        self.told = False


_bound: Final = _Bound()


def bind(binding: Binding) -> None:
    """Let this process' tools write there, unless they write elsewhere already."""
    with _lock:
        _recorders[binding.recorder.trail] = binding
        holder = _bound.binding
        if holder is None or holder.recorder.trail.closed or holder.recorder.trail is binding.recorder.trail:
            _bound.binding = binding


def unbind(binding: Binding | None = None) -> None:
    """Undo :func:`bind`; without an argument, whatever is bound."""
    with _lock:
        if binding is None or _bound.binding is binding:
            _bound.binding = None
            _bound.disabled = None
            _bound.told = False
        if binding is not None:
            _recorders.pop(binding.recorder.trail, None)


def bound() -> Binding | None:
    """Give what this process' tools are bound to."""
    return _bound.binding


def disable(disabled: bool | None) -> None:
    """Let ``configure()`` decide whether tools run without records; None leaves it to the environment."""
    _bound.disabled = disabled


def switched_off() -> bool:
    """Tell whether recording is off on purpose."""
    if _bound.disabled is not None:
        return _bound.disabled
    return Settings.resolve().off


def binding_for(trail: Trail | None) -> Binding | None:
    """
    Find what a tool writes through.

    Args:
        trail: The tool's own; None: the one that is bound.

    Returns:
        None when recording is off on purpose; then standard error was told, once.

    Raises:
        AuditUnavailable: Nothing is bound.
    """
    if trail is not None:
        # no lock around a call, which may be interrupted in it: of two threads that make one at a time, one's is kept
        known = _recorders.get(trail)
        if known is None:
            try:
                from otel_tool_audit.recording.recorder import Recorder  # noqa: PLC0415 - the trail is there, so its room is loaded
            except ImportError as error:
                # a signal handler that calls a tool while the very first call loads this
                raise AuditUnavailable(
                    "the tool was called while the recorder is being loaded for another call of this thread; call it again"
                ) from error

            # a trail opened by hand and named by a tool: it needs no processor to be written
            known = _recorders.setdefault(trail, Binding(Recorder(trail, Settings.resolve())))
        return known
    if _bound.binding is not None:
        return _bound.binding
    if switched_off():
        if not _bound.told:
            _bound.told = True
            print(f"otel-tool-audit: {variable('disabled')} is set: tools run and are not recorded", file=sys.stderr)  # noqa: T201 - a warning that no logging setup may hide
        return None
    message = (
        "no trail is configured in this process, so no tool may run: call otel_tool_audit.configure('./audit') first, "
        f"or set {variable('disabled')}=true to run without records"
    )
    raise AuditUnavailable(message)
