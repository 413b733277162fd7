"""
What a record says, where anybody may have written the record: a value of another kind counts as not said.

Source: FORMAT.md, section 4 ("Readers keep events and keys they do not know").
"""

from __future__ import annotations

from typing import Any


def mapping(value: object) -> dict[str, Any]:
    """Give an object as it is, anything else as an empty one."""
    return value if isinstance(value, dict) else {}


def listing(value: object) -> list[Any]:
    """Give a list as it is, anything else as an empty one."""
    return value if isinstance(value, list) else []


def details_of(record: object) -> dict[str, Any]:
    """Give the details of an event of the trail."""
    return mapping(mapping(record).get("details"))
