"""Sanitizing: nothing is written or exported before it has been through here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from otel_tool_audit.redaction.values import MARK, Redaction, Sanitized, ToolRules

if TYPE_CHECKING:
    from otel_tool_audit.keys.pseudonyms import Keyring
    from otel_tool_audit.redaction.redacted_values import RedactedValues
    from otel_tool_audit.redaction.sanitizer import Sanitizer

__all__ = ["MARK", "Keyring", "RedactedValues", "Redaction", "Sanitized", "Sanitizer", "ToolRules"]

# compiling the rules' patterns takes as long as importing the SDK: who only says what is secret, as a decorator does, need not wait for it
_HOMES: Final = {
    "Keyring": "otel_tool_audit.keys.pseudonyms",
    "RedactedValues": "otel_tool_audit.redaction.redacted_values",
    "Sanitizer": "otel_tool_audit.redaction.sanitizer",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - as many types as names
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value = getattr(import_module(_HOMES[name]), name)
    return value
