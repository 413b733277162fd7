"""What was looked at, what was found, and how grave it is."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple


class Level(StrEnum):
    """How grave a finding is."""

    good = "good"
    notice = "notice"
    warning = "warning"
    problem = "problem"


class CheckResult(NamedTuple):
    """
    What was looked at, and what was found.

    Attributes:
        name: What was looked at.
        level: How grave it is.
        message: What was found.
        remedy: What to do; empty when nothing has to be done.
    """

    name: str
    level: Level
    message: str
    remedy: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Give the check as JSON prints it."""
        return {"name": self.name, "level": self.level.value, "message": self.message, "remedy": self.remedy or None}
