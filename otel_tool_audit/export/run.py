"""
An export, begun or continued: calls into files, a mark now and then, the manifest last.

While it runs, ``unfinished.json`` says what is asked for and what is on disk. If we crash, that file is there and the manifest is not:
the same command goes on after the last mark, once what is there was checked against it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from otel_tool_audit.errors import SettingsError, TrailCorrupt
from otel_tool_audit.export import manifest
from otel_tool_audit.export.files import File, FilePart, Sink
from otel_tool_audit.export.formats import part_of, sink
from otel_tool_audit.export.manifest import Manifest
from otel_tool_audit.format.nesting import read_json
from otel_tool_audit.host.durable import Durability, replace_file
from otel_tool_audit.review.calls.fold import Call
from otel_tool_audit.review.calls.ordering import Order
from otel_tool_audit.review.results import Calls
from otel_tool_audit.text import plural

UNFINISHED: Final = "unfinished.json"
_BATCH: Final = 250
"""Calls that are written at once: few enough to stay in a processor's cache from their lines to their cells."""


@dataclass(slots=True)
class Progress:
    """
    How far an export is; kept in ``unfinished.json``.

    Attributes:
        asked: What is exported: trail, filters, format, and ``time``: what "7d" and the like meant when it began.
        files: What was on disk at the last mark.
        count: Calls in them.
        first: Timestamp of the first call.
        last: Timestamp of the last one.
        last_id: Its call id.
        about: What the caller wants kept over an interruption, such as the verdict.
    """

    asked: dict[str, Any]
    files: list[File] = field(default_factory=list)
    count: int = 0
    first: str | None = None
    last: str | None = None
    last_id: str | None = None
    about: dict[str, Any] = field(default_factory=dict)

    def add(self, part: FilePart) -> None:
        """Count calls that were written."""
        self.count += part.rows
        self.first = part.first if self.first is None else self.first
        self.last, self.last_id = part.last, part.last_id


def begin(folder: str, asked: Mapping[str, Any]) -> Progress:
    """
    Find out whether an export is new or goes on, and make its directory.

    Args:
        folder: Where its files go: a directory that is not there yet, is empty, or holds this very export, interrupted.
        asked: What is exported. Of an interrupted export its own ``time`` counts.

    Raises:
        SettingsError: Something else is there.
        TrailCorrupt: What is there cannot be continued.
    """
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        there = sorted(os.listdir(folder))
    except OSError as error:
        raise SettingsError(f"nothing can be exported to {folder} ({error.strerror}); name a directory that can be made") from error
    if not there:
        return Progress(dict(asked))
    if manifest.NAME in there:
        raise SettingsError(f"{folder} holds a finished export; name another directory")
    if UNFINISHED not in there:
        raise SettingsError(f"{folder} is not empty and holds no export; name another directory")
    found = _load(os.path.join(folder, UNFINISHED))
    if {**found.asked, "time": None} != {**json.loads(json.dumps(asked, default=str)), "time": None}:
        raise SettingsError(f"{folder} holds another export, interrupted: give its command again, or name another directory")
    return found


def run(folder: str, progress: Progress, style: str, calls: Iterable[Call], tell: Callable[[int], None] | None = None) -> list[File]:
    """
    Write calls, after those that are there already.

    Args:
        folder: The export's directory, as :func:`begin` left it.
        progress: How far it is; kept up to date.
        style: The format of the files.
        calls: All calls that were asked for, in an order that does not change; those that are there already are passed over.
        tell: Told now and then how many calls are written.

    Returns:
        The files. The manifest is still to be written, by :func:`finish`.

    Raises:
        TrailCorrupt: The calls before the mark are not those that were written.
        SettingsError: The directory cannot be written.
    """
    several = calls if isinstance(calls, Calls) else Calls(calls, Order())
    _pass_over(several, progress, folder)
    try:
        files = sink(style, folder, progress.files)
        try:
            _keep(folder, progress)
            for part in several.map_batches(partial(part_of, style), _BATCH):
                if not part.rows:
                    continue
                files.write(part)
                progress.add(part)
                if files.due:
                    _mark(folder, progress, files)
                if tell is not None:
                    tell(progress.count)
            _mark(folder, progress, files)
        finally:
            files.close()
    except OSError as error:
        raise SettingsError(
            f"the export to {folder} stopped after {plural(progress.count, 'call')} ({error.strerror or error}); mend that and give the command again: it goes on"
        ) from error
    return progress.files


def finish(folder: str, made: Manifest) -> bytes:
    """
    Write the manifest, and with it end the export.

    Args:
        folder: The export's directory.
        made: The manifest.

    Returns:
        Its bytes.
    """
    data = made.dump()
    replace_file(os.path.join(folder, manifest.NAME), [data], Durability.NAME, alone=True)
    # from here on the export is finished, whether or not this file is still there
    with suppress(FileNotFoundError):
        os.unlink(os.path.join(folder, UNFINISHED))
    return data


def _pass_over(calls: Calls, progress: Progress, folder: str) -> None:
    """Pass over what is written already, and be sure that it is the same."""
    last = calls.skip(progress.count)
    if progress.count and (last is None or str(last.get("call_id")) != progress.last_id):
        raise TrailCorrupt(f"the trail no longer answers as when {folder} was begun; remove {folder} and begin anew")


def _mark(folder: str, progress: Progress, files: Sink) -> None:
    # the files first: if we crash between the two, the older mark stands and what follows it is written again
    progress.files = list(files.mark())
    _keep(folder, progress)


def _keep(folder: str, progress: Progress) -> None:
    fields = {
        "asked": progress.asked, "files": [file._asdict() for file in progress.files], "count": progress.count, "first": progress.first,
        "last": progress.last, "last_id": progress.last_id, "about": progress.about,
    }  # fmt: skip
    data = json.dumps(fields, ensure_ascii=False, default=str).encode("utf-8", "backslashreplace")
    replace_file(os.path.join(folder, UNFINISHED), [data], Durability.NAME, alone=True)


def _load(path: str) -> Progress:
    try:
        with open(path, "rb") as file:
            fields = read_json(file.read(), most=manifest.LEVELS, loads=json.loads)
        files = [File(str(f["name"]), int(f["rows"]), int(f["bytes"]), str(f["sha256"])) for f in fields.pop("files")]
        return Progress(files=files, **fields)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TrailCorrupt(f"{path} cannot be read ({error}); remove its directory and begin anew") from error
