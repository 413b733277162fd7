"""
How much a call may cost: characters that rules looked at, counted where they look, not timed.

Source: ARCHITECTURE.md, R31.
"""

from __future__ import annotations


class Exhausted(Exception):
    """A text took more work than the rest of its call may."""


class Work:
    """
    What one call has cost so far.

    Attributes:
        spent: Characters that rules looked at.
        limit: How many they may look at.
    """

    __slots__ = ("limit", "spent")

    def __init__(self, limit: int) -> None:
        """Begin with nothing spent."""
        self.limit = limit
        self.spent = 0

    def spend(self, characters: int) -> None:
        """
        Count what a rule looks at.

        Raises:
            Exhausted: The call may not look at more.
        """
        self.spent += characters + 1
        if self.spent > self.limit:
            raise Exhausted
