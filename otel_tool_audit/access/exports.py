"""
Exports under audit: the trail is verified and the export on record before its first row is written; at its end a second record names the manifest.

Source: FORMAT.md, section 4 (``trail.exported``); export/run.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import otel_tool_audit
from otel_tool_audit.access.answer import AnswerStatus, lacks, recognisable
from otel_tool_audit.access.journal import SERVICE, Entry, Journal, Reading, stored_subject
from otel_tool_audit.access.question import moment_of, recordable
from otel_tool_audit.access.reports import Watching
from otel_tool_audit.export import formats
from otel_tool_audit.export import run as running
from otel_tool_audit.export.manifest import Manifest, verdict_of
from otel_tool_audit.format.events import EXPORTED
from otel_tool_audit.review.reader import UnauditedReader
from otel_tool_audit.review.verify.verifier import verify_opened

WHAT: Final = "export"


class Exported(NamedTuple):
    """
    An export that stands.

    Attributes:
        manifest: What it is.
        begun: The record that stood before its first row.
        ended: The record that names its manifest; None where the first one could not be written.
        status: What it is worth.
    """

    manifest: Manifest
    begun: Entry
    ended: Entry | None
    status: AnswerStatus


def export(
    reader: UnauditedReader, journal: Journal, folder: str, style: str, filters: Mapping[str, Any], *, said: Mapping[str, str],
    verifying: Watching, exporting: Callable[[], AbstractContextManager[Callable[[int], None] | None]], going_on: Callable[[int], object],
) -> Exported:  # fmt: skip
    """
    Write calls to files, or go on with an export that was interrupted.

    Args:
        reader: The trail.
        journal: Where it is recorded.
        folder: Where the files go: a directory that is not there yet, is empty, or holds this very export, interrupted.
        style: Name of their format.
        filters: Which calls.
        said: The words in which the time was given: by them an interrupted export is known again, whatever "7d" means by now.
        verifying: Watches the verification, in bytes.
        exporting: Watches the writing, in calls.
        going_on: Is told how many calls are there already, when an interrupted export goes on.

    Raises:
        SettingsError: A filter or the directory cannot be used, or pyarrow is not installed.
        TrailCorrupt: The interrupted export cannot be continued.
    """
    # what is wrong with the question is found before a directory is made, and before anything is on record
    formats.named(style)
    reader.matcher(**filters)
    only = {name: value for name, value in filters.items() if value is not None and name not in {"since", "until"}}
    shown = {**only, "subject": stored_subject(str(only["subject"]), reader.trail)} if "subject" in only else only
    # an open end would let calls in that an interrupted part could not see
    given = {name: moment_of(filters[name], name) for name in ("since", "until") if filters.get(name) is not None}
    time: dict[str, Any] = {"since": None, "until": datetime.now(UTC), **given}
    kept = running.begin(folder, {"trail_id": reader.trail_id, "filters": shown, "said": said, "format": style, "time": time})
    time = {name: moment and datetime.fromisoformat(str(moment)) for name, moment in kept.asked["time"].items()}
    asked = recordable(filters)
    begun = _begun(reader, journal, kept, _reading(asked, style), verifying, going_on)
    with exporting() as tell:
        files = running.run(folder, kept, style, reader.calls(**only, **time), tell)
    made = Manifest(
        tool=f"{SERVICE} {otel_tool_audit.__version__}", made=_written(datetime.now(UTC)), who=journal.who(), reason=journal.reason, trail_id=reader.trail_id,
        path=reader.path, filters=shown | {name: moment and _written(moment) for name, moment in time.items()}, format=style, count=kept.count,
        first_timestamp=kept.first, last_timestamp=kept.last, files=files, verdict=kept.about["verdict"], heads=kept.about["heads"],
        missing=lacks(reader), recorded=begun.address, not_recorded=begun.obstacle,
    )  # fmt: skip
    sha256 = hashlib.sha256(running.finish(folder, made)).hexdigest()
    ended = None if begun.address is None else journal.note(_reading(asked, style, sha256), kept.count, begun=begun.address)
    return Exported(made, begun, ended, _status(made, recognisable(only.get("subject"), reader.trail)))


def _reading(filters: Mapping[str, Any], style: str, manifest_sha256: str | None = None) -> Reading:
    return Reading(WHAT, filters, EXPORTED, {"format": style, "manifest_sha256": manifest_sha256})


def _begun(
    reader: UnauditedReader, journal: Journal, kept: running.Progress, reading: Reading, verifying: Watching, going_on: Callable[[int], object]
) -> Entry:
    """Verify the trail and put the export on record, once: an export that goes on has both from when it began."""
    if kept.about:
        if kept.count:
            going_on(kept.count)
        return journal.announce(Entry(kept.about["recorded"], kept.about["not_recorded"]))
    with verifying() as progress:
        verdict, heads = verdict_of(verify_opened(reader.trail, progress=progress))
    entry = journal.begin(reading, None)
    kept.about = {"verdict": verdict, "heads": heads, "recorded": entry.address, "not_recorded": entry.obstacle}
    return entry


def _status(made: Manifest, certain: bool) -> AnswerStatus:
    verdict = made.verdict
    return AnswerStatus(
        made.path, made.trail_id, verdict["integrity"], tuple(verdict["findings"]), tuple(verdict["doubts"]), tuple(made.missing), certain
    )


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
