"""What the sanitizer gives back, and what a tool's author may tell it."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from otel_tool_audit.record.model import REDACTED

if TYPE_CHECKING:
    from collections.abc import Mapping

MARK: Final = REDACTED
"""What stands where something was removed."""


class Redaction(NamedTuple):
    """What was removed: where, by which rule, how often; never the value."""

    path: str
    rule: str
    count: int  # type: ignore[assignment] # the field hides tuple.count, which nobody calls on a redaction


class Sanitized(NamedTuple):
    """A JSON-safe value without what must not be stored, and what was removed from it."""

    value: Any
    redactions: tuple[Redaction, ...]


@dataclass(frozen=True, slots=True)
class ToolRules:
    """
    What a tool's author says about its arguments, by name (``token``) or dotted path (``filters.token``).

    Attributes:
        redact: Arguments that are never stored.
        keep: The only arguments that are stored, still under all other rules; None: all.
        pseudonymize: Arguments stored as a pseudonym, with the kind of each.
    """

    redact: frozenset[str] = frozenset()
    keep: frozenset[str] | None = None
    pseudonymize: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
