"""
JSON inside text, read so that nothing in it goes unseen.

Source: RFC 8259, section 4: a name that stands twice leaves open which value counts, and readers differ.
"""

from __future__ import annotations

import json
from typing import Any


def read_json(text: str) -> tuple[Any, bool]:
    """
    Read JSON text.

    Args:
        text: Any text that is not too deep for a record.

    Returns:
        What it says, None when it is no JSON; and whether a name stood twice, so that only the last value was seen.
    """
    doubled = False

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal doubled
        read = dict(found)
        doubled = doubled or len(read) != len(found)
        return read

    try:
        return json.loads(text, object_pairs_hook=pairs, strict=False), doubled
    except ValueError:
        return None, False
