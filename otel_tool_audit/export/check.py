"""
Checking an export that one was given: first the files against the manifest, then, with the trail, both against the trail.

Source: manifest.py; ARCHITECTURE.md, R28.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from otel_tool_audit.errors import AuditError
from otel_tool_audit.export import manifest
from otel_tool_audit.export.files import digest
from otel_tool_audit.export.manifest import Manifest
from otel_tool_audit.export.rows import Line, contradicts, rows
from otel_tool_audit.format.events import EXPORTED
from otel_tool_audit.format.names import TRAIL_CHAIN
from otel_tool_audit.record.untrusted import details_of
from otel_tool_audit.review.reader import UnauditedReader
from otel_tool_audit.text import plural

MOST: Final = 20
"""Rows that are named when they say what the trail does not; more are counted."""

_BATCH: Final = 10_000


@dataclass(slots=True)
class Checked:
    """
    What checking an export found.

    Attributes:
        manifest: What it says it is.
        passed: What holds, in words.
        failed: What does not.
        unknown: What could not be checked, and why.
    """

    manifest: Manifest
    passed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing contradicts the manifest or the trail."""
        return not self.failed


def check(folder: str, reader: UnauditedReader | None = None, tell: Callable[[int], None] | None = None) -> Checked:
    """
    Check an export.

    Args:
        folder: Its directory.
        reader: The trail it is said to be from; None: only the files are checked.
        tell: Told now and then how many rows were looked at.

    Raises:
        TrailCorrupt: There is no manifest.
        UnsupportedFormat: A newer version wrote it.
    """
    made, data = manifest.load(folder)
    found = Checked(made)
    whole = _check_files(folder, found)
    if whole:
        _check_rows(folder, found, reader, tell)
    if reader is None:
        found.unknown.append("whether the rows stand in the trail: name the trail to check that, too")
    else:
        _check_origin(found, reader, hashlib.sha256(data).hexdigest())
    return found


def _check_files(folder: str, found: Checked) -> bool:
    said = {file.name: file for file in found.manifest.files}
    whole = True
    for file in said.values():
        actual = digest(os.path.join(folder, file.name)) if os.path.basename(file.name) == file.name else None
        if actual is None:
            found.failed.append(f"{file.name} is missing")
        elif actual != file.sha256:
            found.failed.append(f"{file.name} is not the file that was exported: its SHA-256 is {actual}, not {file.sha256}")
        whole = whole and actual == file.sha256
    for name in sorted(set(os.listdir(folder)) - set(said) - {manifest.NAME}):
        found.failed.append(f"{name} is no part of the export: it was added")
    if whole:
        found.passed.append(f"{len(said)} file{'' if len(said) == 1 else 's'}, each with its SHA-256")
    return whole


class _Rows:
    """Counts rows, and those that say what the trail does not."""

    def __init__(self, line: Line | None, tell: Callable[[int], None] | None) -> None:
        self.count = 0
        self.strangers: list[str] = []
        self.more = 0
        self._line = line
        self._tell = tell

    def read(self, path: str, style: str) -> int:
        """Read a file; gives how many rows it has."""
        before = self.count
        for row in rows(path, style):
            self.count += 1
            wrong = None if self._line is None else contradicts(row, self._line)
            if wrong is not None:
                if len(self.strangers) < MOST:
                    self.strangers.append(f"row {self.count} {wrong}")
                else:
                    self.more += 1
            if self._tell is not None and self.count % _BATCH == 0:
                self._tell(self.count)
        return self.count - before


def _check_rows(folder: str, found: Checked, reader: UnauditedReader | None, tell: Callable[[int], None] | None) -> None:
    made = found.manifest
    try:
        with contextlib.nullcontext() if reader is None else reader.finding() as line:
            counted = _Rows(line, tell)
            for file in made.files:
                held = counted.read(os.path.join(folder, file.name), made.format)
                if held != file.rows:
                    found.failed.append(f"{file.name} holds {plural(held, 'call')}, not {file.rows:,}")
    except (AuditError, ValueError, KeyError, TypeError, csv.Error) as error:
        found.unknown.append(f"what the rows say: they cannot be read as {made.format} ({error})")
        return
    if counted.count != made.count:
        found.failed.append(f"rows that are here: {counted.count:,}; the manifest counts {made.count:,}")
    else:
        found.passed.append(f"{plural(counted.count, 'call')}, as the manifest counts")
    found.failed.extend(counted.strangers)
    if counted.more:
        found.failed.append(f"and {counted.more:,} more rows that say what the trail does not")
    if reader is not None and not counted.strangers:
        found.passed.append("each row's records stand in the trail, with their hashes, and each of its values is what they say")


def _check_origin(found: Checked, reader: UnauditedReader, sha256: str) -> None:
    made = found.manifest
    if reader.trail_id != made.trail_id:
        found.failed.append(f"it is an export of trail {made.trail_id}, this is trail {reader.trail_id}")
        return
    for chain, head in made.heads.items():
        last = reader.record(chain, int(head["count"]) - 1) if head["count"] else None
        if head["count"] and (last is None or last.get("hash") != head["hash"]):
            found.failed.append(f"chain {chain} of the trail has no record {head['count'] - 1} with the hash that the manifest names")
    records = [r for r in reader.records(TRAIL_CHAIN) if r.get("event") == EXPORTED]
    told = [r for r in records if details_of(r).get("manifest_sha256") == sha256]
    if told:
        found.passed.append(f"the trail's own record {TRAIL_CHAIN}/{told[0]['seq']} names this manifest's SHA-256")
    elif any(details_of(r).get("begun") == made.recorded for r in records if made.recorded):
        found.failed.append(f"the manifest was changed: the record of this export ({made.recorded}) names another SHA-256")
    else:
        why = made.not_recorded or "no record names its SHA-256"
        found.unknown.append(f"whether the manifest is the one that was written: the trail does not vouch for it ({why})")


def as_dict(found: Checked) -> dict[str, Any]:
    """Give what was found as one JSON object."""
    made = found.manifest
    return {
        "ok": found.ok, "passed": found.passed, "failed": found.failed, "unknown": found.unknown,
        "export": json.loads(made.dump()),
    }  # fmt: skip
