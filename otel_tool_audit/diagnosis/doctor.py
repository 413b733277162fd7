"""Everything that ``doctor`` looks at, in one list: this machine, its settings, the state directory and, if one is named, a trail."""

from __future__ import annotations

import os

from otel_tool_audit.diagnosis import host, trail
from otel_tool_audit.diagnosis.check import CheckResult, Level
from otel_tool_audit.settings import STATELESS, state_directory, variable

__all__ = ["CheckResult", "Level", "examine", "named_trail"]


def named_trail(path: str | None) -> str | None:
    """Tell which trail is meant: the one that is given, else the one that the environment names."""
    return path or os.environ.get(variable("trail")) or None


def examine(path: str | None, state: str | None = None) -> list[CheckResult]:
    """
    Make all checks. Nothing is written anywhere, and nothing is put on record: nobody is shown anybody's data.

    Args:
        path: The trail's directory, which may not exist yet; None: no trail is examined.
        state: The state directory, or ``none``; by default as the environment says.
    """
    where = state_directory(state)
    found = [*host.packages(), *host.environment(), *trail.of_state(where, path)]
    if path is not None:
        found += trail.of_trail(path, where)
    return [*found, *trail.of_disks(*(place for place in (path, where) if place and place != STATELESS))]
