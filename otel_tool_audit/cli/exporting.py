"""``export``: calls as plain files with a manifest, and checking such an export."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, NoReturn

import typer
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

import otel_tool_audit
from otel_tool_audit.access.journal import Entry, Journal, announce, exported, recognisable, stored_subject
from otel_tool_audit.access.question import Question, missing
from otel_tool_audit.cli import options as opt
from otel_tool_audit.cli import output
from otel_tool_audit.cli.answer_status import broken
from otel_tool_audit.cli.options import BadUsage, trail_directory
from otel_tool_audit.cli.verdicts import STYLES, progress
from otel_tool_audit.export import run as running
from otel_tool_audit.export.check import Checked, as_dict, check
from otel_tool_audit.export.files import pyarrow
from otel_tool_audit.export.manifest import Manifest, verdict_of
from otel_tool_audit.review.reader import TrailReader
from otel_tool_audit.review.verify.verifier import verify
from otel_tool_audit.text import plural


class Files(StrEnum):
    """What an export's files are."""

    jsonl = "jsonl"
    csv = "csv"
    parquet = "parquet"


def export(
    directory: opt.Directory = None,
    *,
    folder: Annotated[
        str | None, typer.Option("--output", "-o", metavar="DIR", help="Where the files go: a new directory.", show_default=False)
    ] = None,
    style: Annotated[Files, typer.Option("--format", metavar="FORMAT", help="jsonl (default), csv or parquet.", show_default=False)] = Files.jsonl,
    examined: Annotated[
        str | None, typer.Option("--check", metavar="DIR", help="Check the export that lies there; with the trail, against it.", show_default=False)
    ] = None,
    question: Question,
    name: opt.As = None,
    reason: opt.Reason = None,
    json: opt.Json = False,
    state: opt.State = None,
) -> None:
    """Write calls to files with a manifest, or check such files.

    An export that was interrupted goes on when its command is given again. Exit 1 when the trail is broken, or a file is not what was
    exported; 3 when there is no key to recognise the subject by.
    """
    if examined is not None:
        _check(directory, examined, state, json=json)
        return
    if folder is None:
        raise BadUsage("where to? Name a new directory: --output DIR")
    path = trail_directory(directory)
    subject = question.only.get("subject")
    certain = subject is None or recognisable(subject, path, state)
    made = _export(folder, style.value, question, Journal(path, state, name=name, reason=reason))
    if json:
        output.print_json(_shown(made))
        _leave(made, certain=certain)
    console = output.stdout()
    pairs = [
        ("calls", output.Cell(f"{made.count:,}", "bold")),
        *((file.name, output.Cell(f"{plural(file.rows, 'call')}, {plural(file.bytes, 'byte')}, SHA-256 {file.sha256}")) for file in made.files),
        ("manifest", output.Cell(f"{folder}/manifest.json")),
        ("integrity", output.Cell(made.verdict["integrity"], STYLES[made.verdict["integrity"]])),
        ("completeness", output.Cell(made.verdict["completeness"], STYLES[made.verdict["completeness"]])),
    ]
    for line in output.fields(pairs):
        console.print(line)
    for remark in made.missing:
        output.say(remark, "yellow")
    _leave(made, certain=certain)


def _leave(made: Manifest, *, certain: bool) -> NoReturn:
    if made.verdict["integrity"] == "broken":
        output.say(broken(made.verdict["findings"], made.verdict["findings_in_all"]), "bold red")
        raise typer.Exit(output.BROKEN)
    raise typer.Exit(output.GOOD if certain else output.CANNOT_TELL)


def _export(folder: str, style: str, question: Question, journal: Journal) -> Manifest:
    path, state = journal.path, journal.state
    only = dict(question.only)
    if "subject" in only:
        only["subject"] = stored_subject(only["subject"], path, state)
    if style == Files.parquet:
        pyarrow()
    reader = TrailReader(path, state=state)
    # an open end would let calls in that an interrupted part could not see
    time: dict[str, Any] = {"since": question.time.since, "until": question.time.until or datetime.now(UTC)}
    kept = running.begin(folder, {"trail_id": reader.trail_id, "filters": only, "said": question.said, "format": style, "time": time})
    time = {name: moment and datetime.fromisoformat(str(moment)) for name, moment in kept.asked["time"].items()}
    entry = _begun(kept, journal, style, question)
    announce(entry)
    with _bar("exporting") as tell:
        files = running.run(folder, kept, style, reader.calls(**question.only, **time), tell)
    made = Manifest(
        tool=f"{output.NAME} {otel_tool_audit.__version__}", made=_written(datetime.now(UTC)), who=journal.who(), reason=journal.reason, trail_id=reader.trail_id,
        path=reader.path, filters=only | {name: moment and _written(moment) for name, moment in time.items()}, format=style, count=kept.count,
        first_timestamp=kept.first, last_timestamp=kept.last, files=files, verdict=kept.about["verdict"], heads=kept.about["heads"],
        missing=missing(reader), recorded=entry.address, not_recorded=entry.obstacle,
    )  # fmt: skip
    sha256 = hashlib.sha256(running.finish(folder, made)).hexdigest()
    if entry.address is not None:
        ended = journal.note(exported("export", question.on_record(), style, sha256), kept.count, begun=entry.address)
        if ended.obstacle is not None:
            output.say(f"the trail holds that this export began ({entry.address}), not what it gave: {ended.obstacle}", "yellow")
    return made


def _begun(kept: running.Progress, journal: Journal, style: str, question: Question) -> Entry:
    """Verify the trail and put the export on record, once: an export that goes on has both from when it began."""
    if not kept.about:
        with progress() as report:
            verdict, heads = verdict_of(verify(journal.path, state=journal.state, progress=report))
        entry = journal.note(exported("export", question.on_record(), style), None)
        kept.about = {"verdict": verdict, "heads": heads, "recorded": entry.address, "not_recorded": entry.obstacle}
    elif kept.count:
        output.say(f"going on after {plural(kept.count, 'call')}", "dim")
    return Entry(kept.about["recorded"], kept.about["not_recorded"])


def _check(directory: str | None, folder: str, state: str | None, *, json: bool) -> None:
    reader = TrailReader(trail_directory(directory), state=state) if directory is not None else None
    with _bar("checking") as tell:
        found = check(folder, reader, tell)
    if json:
        output.print_json(as_dict(found))
    else:
        _print_checked(found)
    raise typer.Exit(output.GOOD if found.ok else output.BROKEN)


def _print_checked(found: Checked) -> None:
    console, made = output.stdout(), found.manifest
    pairs: list[tuple[str, output.Cell | str]] = [
        ("exported", f"{made.made} by {made.who.get('as') or made.who.get('os_user')} with {made.tool}"),
        ("from", f"trail {made.trail_id}, {made.path}"),
        ("filters", output.as_json(dict(made.filters))),
        ("trail then", f"{made.verdict.get('integrity')}, {made.verdict.get('completeness')}"),
    ]
    for line in output.fields(pairs):
        console.print(line)
    console.print()
    for sign, colour, remarks in (("✓ ", "green", found.passed), ("✗ ", "bold red", found.failed), ("? ", "yellow", found.unknown)):
        for remark in remarks:
            console.print(Text.assemble((sign, colour), output.safe(remark)))


def _shown(made: Manifest) -> Any:  # noqa: ANN401 - a JSON document
    import json as codec  # noqa: PLC0415 - the verb's option has the module's name

    return codec.loads(made.dump())


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int], None] | None]:
    """Give something to report rows to; None where stderr is no terminal."""
    console = output.stderr()
    if not console.is_terminal:
        yield None
        return
    with Bar(SpinnerColumn(), TextColumn(what + " {task.completed:,} calls"), TimeElapsedColumn(), console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda count: bar.update(task, completed=count)
