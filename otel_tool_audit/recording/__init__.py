"""
Raw facts in, sanitized records in the trail; and which trail this process' tools are bound to.

What a decorated tool needs is imported here. Who writes imports ``recorder`` and ``builder`` themselves: they bring the sanitizer's rules
and the trail with them, which a process needs when it is configured and not before.
"""

from __future__ import annotations

from typing import Any

from otel_tool_audit.record.outcomes import Closed, Denied, Failed, Interrupted, Outcome, Paused, Raised, Returned
from otel_tool_audit.recording.binding import CALL_KEY, OWN_SPANS_ENDING, Binding, bind, binding_for, bound, disable, switched_off, unbind
from otel_tool_audit.recording.failures import error_text, error_type, refusal
from otel_tool_audit.recording.spec import ToolOptions, ToolSpec, plain_spec, tool_spec
from otel_tool_audit.settings import Settings

__all__ = [
    "CALL_KEY", "OWN_SPANS_ENDING", "Binding", "Closed", "Denied", "Failed", "Interrupted", "Outcome", "Paused", "Raised", "Returned", "ToolOptions",
    "ToolSpec", "bind", "binding_for", "bound", "disable", "error_text", "error_type", "plain_spec", "refusal", "sanitize", "switched_off", "tool_spec",
    "unbind",
]  # fmt: skip


def sanitize(value: object) -> Any:  # noqa: ANN401 - any JSON value
    """
    Show what would be stored of a value.

    Args:
        value: Anything.

    Returns:
        A JSON value without secrets and personal data, by the rules of what is configured in this process.
    """
    binding = bound()
    if binding is not None:
        return binding.recorder.sanitizer.value(value).value
    from otel_tool_audit.redaction import Sanitizer  # noqa: PLC0415 - as above

    settings = Settings.resolve()
    return Sanitizer.of(settings).value(value).value
