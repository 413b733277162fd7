"""What a trail says of who read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from otel_tool_audit.review.reader import UnauditedReader


def readings(path: Path) -> list[dict[str, Any]]:
    return [r for r in UnauditedReader(path).records("trail") if r["event"] in {"trail.read", "trail.exported"}]
