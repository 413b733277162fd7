"""
What older records hold that today's rules would hide: counted by rule, and nothing is changed.

Source: ARCHITECTURE.md, R3.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Final, NamedTuple

from otel_tool_audit.format.events import CALL_EVENTS
from otel_tool_audit.redaction.sanitizer import Sanitizer
from otel_tool_audit.review.reader import UnauditedReader

_SCANNED: Final = ("arguments", "result_summary", "session_metadata", "claimed", "error", "waits_for", "denial")
"""Fields of a call that hold what somebody else said; ids and times are the trail's own."""


class Scan(NamedTuple):
    """
    What was counted.

    Attributes:
        records: Records of calls that were looked at.
        holding: Those in which a rule finds something.
        rules: How often each rule does.
    """

    records: int
    holding: int
    rules: dict[str, int]


def scan(path: str | os.PathLike[str], sanitizer: Sanitizer, *, state: str | os.PathLike[str] | None = None) -> Scan:
    """
    Count what rules would hide in a trail's records. No value is given to anybody, so nothing is put on record.

    Args:
        path: The trail's directory.
        sanitizer: Today's rules.
        state: The writers' state directory, or ``none``; by default as the environment says.

    Raises:
        TrailCorrupt: There is no trail.
        UnsupportedFormat: A newer version wrote it.
    """
    records = holding = 0
    rules: Counter[str] = Counter()
    with UnauditedReader(path, state=state) as reader:
        for record in reader.records():
            if record.get("event") not in CALL_EVENTS:
                continue
            records += 1
            found = sanitizer.value({name: record[name] for name in _SCANNED if record.get(name) is not None}).redactions
            holding += bool(found)
            for redaction in found:
                rules[redaction.rule] += redaction.count
    return Scan(records, holding, dict(rules.most_common()))
