"""
What a tool says of its own arguments, answered place by place.

A place is a dotted path from the arguments down, list positions left out: ``filters.owner`` is the owner in every filter.

Source: ARCHITECTURE.md, R3 (per-tool schema allow-list).
"""

from __future__ import annotations

from collections.abc import Mapping

from otel_tool_audit.redaction.objects import field_names
from otel_tool_audit.redaction.values import ToolRules


class ArgumentRules:
    """Answers for one tool."""

    __slots__ = ("_keep", "_leads", "_pseudonymize", "_redact")

    def __init__(self, rules: ToolRules) -> None:
        """Read what the tool says once."""
        self._redact = rules.redact
        self._keep = rules.keep
        self._pseudonymize = rules.pseudonymize
        named = (*(rules.keep or ()), *rules.pseudonymize)
        self._leads = frozenset(".".join(parts[:n]) for name in named for parts in (name.split("."),) for n in range(1, len(parts) + 1))

    def is_redacted(self, name: str, place: str) -> bool:
        """Tell whether a value never stays: its place is named, or its name, at any depth."""
        return name in self._redact or place in self._redact

    def kind(self, place: str) -> str | None:
        """Tell as what kind a value is pseudonymized; None when it is not."""
        return self._pseudonymize.get(place)

    def may_keep(self, place: str) -> bool:
        """Tell whether a place is kept, lies in one that is, or leads to one."""
        return self._keep is None or place in self._leads or self._is_kept(place)

    def is_unnamed_leaf(self, value: object, place: str) -> bool:
        """Tell whether it is a plain value at a place that only leads to kept ones."""
        if self._keep is None or value is None or self._is_kept(place):
            return False
        if isinstance(value, str):
            return value.lstrip()[:1] not in ("{", "[")
        return not isinstance(value, Mapping | list | tuple) and field_names(type(value)) is None

    def _is_kept(self, place: str) -> bool:
        if self._keep is None:
            return True
        parts = place.split(".")
        return any(".".join(parts[:n]) in self._keep for n in range(1, len(parts) + 1))
