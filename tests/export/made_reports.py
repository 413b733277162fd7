"""Reports to be rendered, of any size and with any text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from otel_tool_audit.export.contents import Heading
from otel_tool_audit.review.calls.values import Bucket, Count, ToolStatistics
from otel_tool_audit.review.reports import Access, AccessReport, ActivityReport, ChainHead, ReportedGap, Verdict

PSEUDONYM = "psn:798ab5875487cf48:30cb4c5a7665ae65ac60d1995d606c6d"
VERDICT = Verdict(
    "intact",
    "known gaps",
    (),
    (),
    ("2 calls started and have no end",),
    ("keep checkpoints elsewhere",),
    20,
    (ChainHead("healthcare", 18, "a" * 64), ChainHead("trail", 2, "b" * 64)),
)


def heading(**fields: Any) -> Heading:
    told: dict[str, Any] = {
        "who": "Ada (account ada on host)", "reason": "request 17", "made": "2026-11-24T20:00:00Z", "zone": UTC, "filters": {}, "on_record": "trail/5",
        "tool": "otel-tool-audit 1",
    }  # fmt: skip
    return Heading(**(told | fields))


def row(number: int, **fields: Any) -> Access:
    when = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=37 * number)
    told: dict[str, Any] = {
        "timestamp": when.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "user_id": f"usr_{number % 5}", "user_role": "nurse", "agent": "ward-agent", "model": "m-1",
        "conversation_id": f"conv_{number}", "turn_number": 1, "tool_name": "open_record", "trigger": "user_request", "purpose": "treatment",
        "status": "success", "error": None, "duration_ms": 12.5, "arguments": {"patient_id": PSEUDONYM}, "viewed": {"success": True, "record_id": f"R{number}"},
        "fields": ("patient_id", "record_id"), "trace_id": None, "call_id": f"{number:032x}", "chain": "healthcare", "seq": 2 * number + 1,
        "hash": f"{number:064x}", "records": (),
    }  # fmt: skip
    return Access(**(told | fields))


def access_report(rows: list[Access], **fields: Any) -> AccessReport:
    users = tuple(Count(name, sum(r.user_id == name for r in rows), 0) for name in sorted({r.user_id for r in rows}))
    told: dict[str, Any] = {
        "trail_id": "1" * 32, "path": "/srv/audit", "subject": "patient-1", "stored_as": (PSEUDONYM, "patient-1"), "start": "2026-03-01T00:00:00Z", "end": None,
        "rows": tuple(rows), "users": users, "tools": (), "purposes": (Count(None, len(rows), 0),), "verdict": VERDICT,
    }  # fmt: skip
    return AccessReport(**(told | fields))


def statistics(tool: str | None, calls: int, series: tuple[Bucket, ...] = ()) -> ToolStatistics:
    return ToolStatistics(tool, calls, calls, 0, 0, 0, 0, 0, 1.0 if calls else None, 1.5, 2.5, 1.0, 2.0, 2.5, 3, None, None, series)


def activity_report(calls: int, **fields: Any) -> ActivityReport:
    series = tuple(Bucket(f"2026-03-{day:02d}T00:00:00Z", calls, calls - 1, 1, 0, 0, 0, 0, 1.0, 2.0) for day in (1, 2, 5)) if calls else ()
    told: dict[str, Any] = {
        "trail_id": "1" * 32, "path": "/srv/audit", "start": None, "end": None, "total": statistics(None, calls, series),
        "tools": (statistics("open_record", calls),) if calls else (), "users": tuple(Count(f"usr_{n}", n, 0) for n in range(30, 0, -1)), "roles": (),
        "agents": (), "models": (), "triggers": (), "purposes": (), "errors": (), "refused": 4, "lost": 1,
        "gaps": (ReportedGap("healthcare", 9, "trail.gap", "2026-03-02T00:00:00Z", "disk full", 3),), "verdict": None,
    }  # fmt: skip
    return ActivityReport(**(told | fields))
