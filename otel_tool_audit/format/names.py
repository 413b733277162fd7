"""
The arithmetic of the trail's format: names, origins, lines. Pure; shared by writers and readers.

Source: FORMAT.md, sections 1 to 3.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

FORMAT: Final = 1
"""The newest trail format this package knows."""

TRAIL_CHAIN: Final = "trail"
"""The chain of the trail's own life."""

DOCUMENT: Final = "trail.json"
OWNER: Final = "owner"
OWNER_LOCK: Final = "owner.lock"
"""Carries the shared locks of living writers; nobody else may open it."""

SEGMENT_SUFFIX: Final = ".jsonl"
SEAL_SUFFIX: Final = ".seal"
PRIVATE_STATE: Final = ".state"
"""Where the state lies when it was set to ``none``: inside the trail, which protects against crashes only."""


_CHAIN = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
_ID = re.compile(r"[0-9a-f]{32}\Z")
_SEGMENT = re.compile(r"([0-9]{12,20})(?:-([1-9][0-9]{0,8}))?\.jsonl\Z")


def valid_chain(name: str) -> bool:
    """Tell whether *name* may name a chain."""
    return _CHAIN.match(name) is not None


def valid_trail_id(text: str) -> bool:
    """Tell whether *text* is 32 lower-case hex digits."""
    return _ID.match(text) is not None


def genesis(trail_id: str, chain: str, epoch: int = 0) -> bytes:
    """
    Hash the origin of a chain's epoch: what its first record names as ``previous_hash``.

    Args:
        trail_id: 32 hex digits.
        chain: The chain's name.
        epoch: 0, or one more for each accepted loss.

    Returns:
        32 bytes.

    Source: FORMAT.md, section 3.
    """
    origin = f"{trail_id}/{chain}" if epoch == 0 else f"{trail_id}/{chain}/{epoch}"
    return hashlib.sha256(origin.encode()).digest()


def segment_name(first_seq: int, attempt: int) -> str:
    """Name the segment that begins with *first_seq*, in its *attempt*-th try (from 0)."""
    return f"{first_seq:012d}{f'-{attempt}' if attempt else ''}{SEGMENT_SUFFIX}"


def seal_name(segment: str) -> str:
    """Name the seal of the segment with that name."""
    return segment.removesuffix(SEGMENT_SUFFIX) + SEAL_SUFFIX


def parse_segment_name(name: str) -> tuple[int, int] | None:
    """Read a segment's first seq and attempt from its name; None when it is no segment's name."""
    match = _SEGMENT.match(name)
    if match is None:
        return None
    first_seq, attempt = int(match[1]), int(match[2] or 0)
    return (first_seq, attempt) if segment_name(first_seq, attempt) == name else None
