"""
The packaged retention classes: which tools belong to which, and for how long their records are kept.

Source: ARCHITECTURE.md, R12.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from otel_tool_audit.errors import SettingsError
from otel_tool_audit.format.names import TRAIL_CHAIN, valid_chain


class RetentionClass(NamedTuple):
    """
    One class, and so one chain of the trail.

    Attributes:
        name: Also the chain's name.
        days: How long records are kept, at least.
        years: The calendar floor: kept until as many calendar years have passed, too.
        tools: Tools that belong to the class unless told otherwise.
    """

    name: str
    days: int
    years: int
    tools: tuple[str, ...]


GENERAL: Final = "general"

RETENTION: Final[Mapping[str, RetentionClass]] = {
    c.name: c
    for c in (
        RetentionClass("financial", 2555, 7, ("charge_payment", "issue_refund", "apply_credit")),
        RetentionClass("healthcare", 2190, 6, ("access_patient_record", "update_treatment")),
        RetentionClass(GENERAL, 365, 1, ()),
    )
}

_CLASS_OF_TOOL: Final = {tool: c.name for c in RETENTION.values() for tool in c.tools}


def class_of(tool: str, assigned: Mapping[str, str] | None = None) -> str:
    """
    Tell the retention class of a tool.

    Args:
        tool: The tool's name.
        assigned: Classes of tools that an application assigned itself.
    """
    if assigned and tool in assigned:
        return assigned[tool]
    return _CLASS_OF_TOOL.get(tool, GENERAL)


def class_named(name: str) -> RetentionClass:
    """Give a retention class; one that is not packaged is kept as long as ``financial``, the longest."""
    return RETENTION.get(name) or RETENTION["financial"]._replace(name=name, tools=())


def check_class(name: str) -> str:
    """
    Check that *name* can be a retention class, and so a chain.

    Raises:
        SettingsError: It is not of the form ``[a-z0-9][a-z0-9-]{0,62}``, or it is the trail's own chain.
    """
    if name in (TRAIL_CHAIN, "owner") or not valid_chain(name):
        message = f"retention class {name!r} cannot be used: 1 to 63 of a-z, 0-9 and '-', not reserved; known: {', '.join(RETENTION)}"
        raise SettingsError(message)
    return name


def as_document() -> dict[str, Any]:
    """The packaged classes as they stand in ``trail.json``."""
    return {c.name: {"days": c.days, "years": c.years, "tools": list(c.tools)} for c in RETENTION.values()}
