r"""
Markdown for tickets and chats: headings and tables, in which no value is read as anything but text.

Every sign of a value that Markdown could read as markup inside a line gets a backslash, which each dialect shows as the sign itself: also what
begins a link, a mention, a formula or an emoji on the sites where tickets are written.

Source: CommonMark 0.31, section 2.4 (any ASCII punctuation may be escaped); GitHub Flavored Markdown, section 4.10 (tables).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import tzinfo
from typing import Any, Final

from otel_tool_audit.export.document import text
from otel_tool_audit.review.calls.clocks import in_zone, zone_name
from otel_tool_audit.review.calls.timeline import why_not
from otel_tool_audit.text import as_json, duration

_MARKUP: Final = re.compile(r"([\\`*_\[\]<>|~&@$#^!]|:(?!\d\d(?!\d))|(?<=www)\.)", re.IGNORECASE)


def escaped(value: object) -> str:
    """Show any value as text in one line."""
    return _MARKUP.sub(r"\\\1", text(value))


def table(titles: Sequence[str], rows: Iterable[Iterable[object]], right: Sequence[bool] = ()) -> Iterator[str]:
    """
    Write a table, row by row.

    Args:
        titles: Of its columns.
        rows: Their values.
        right: Of each column whether it is aligned to the right; by default none is.
    """
    yield _row(titles)
    yield "|" + "|".join(" ---: " if number < len(right) and right[number] else " --- " for number in range(len(titles))) + "|\n"
    yield from map(_row, rows)


def conversation(name: str, calls: Iterable[Mapping[str, Any]], zone: tzinfo) -> Iterator[str]:
    """
    Tell a conversation, call by call.

    Args:
        name: Its id.
        calls: By time.
        zone: Whose clocks the reader is shown.
    """
    yield f"# Conversation {escaped(name)}\n\n"
    yield from table(
        (f"Time ({zone_name(zone)})", *_TITLES), (_told(call, zone) for call in calls), (False, True, False, False, False, False, False, True)
    )


_TITLES: Final = ("Turn", "User", "Tool", "Arguments", "Result", "Outcome", "Took", "Record")


def _told(call: Mapping[str, Any], zone: tzinfo) -> tuple[object, ...]:
    summary = call["result_summary"]
    viewed = {key: value for key, value in summary.items() if not str(key).startswith("_")} if isinstance(summary, Mapping) else summary
    took = call["duration_ms"]
    return (
        in_zone(call["timestamp"], zone), call["turn_number"], call["user_id"], call["tool_name"], None if call["arguments"] is None else as_json(call["arguments"]),
        None if viewed is None else as_json(viewed), why_not(call) or (call["status"] if call["error"] is None else f"{call['status']}: {call['error']}"),
        duration(took) if isinstance(took, (int, float)) else None, f"{call['chain']}/{call['seq']}",
    )  # fmt: skip


def _row(values: Iterable[object]) -> str:
    return "| " + " | ".join(map(escaped, values)) + " |\n"
