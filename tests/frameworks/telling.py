"""Where stories run, and what became of one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import otel_tool_audit as audit

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SECRET = b"sk-test-123"


@dataclass
class Told:
    """What became of a story."""

    directory: Path
    ran: list[str]
    outcome: str
    errors: str = ""

    def calls(self, trail: str = "audit") -> list[dict[str, Any]]:
        """Give what is on record, in a trail that is whole."""
        found = audit.verify(self.directory / trail)
        assert ("intact", "complete") == (found.integrity, found.completeness)
        return list(audit.TrailReader(self.directory / trail).calls())

    def spans(self) -> list[dict[str, Any]]:
        """Give what was exported."""
        file = self.directory / "spans.jsonl"
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []

    def leaks(self) -> list[str]:
        """Name every file that has the secret in it: trails, spans, and what was printed."""
        return [str(file) for file in self.directory.rglob("*") if file.is_file() and SECRET in file.read_bytes()]
