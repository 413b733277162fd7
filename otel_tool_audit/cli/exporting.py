"""``export``: calls as plain files with a manifest, and checking such an export."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, NoReturn

import typer
from rich.text import Text

from otel_tool_audit import exit_codes
from otel_tool_audit.access.answer import AnswerStatus, broken_in_words
from otel_tool_audit.access.question import Question
from otel_tool_audit.access.reader import TrailReader
from otel_tool_audit.cli import BadUsage, output, progress
from otel_tool_audit.cli import options as opt
from otel_tool_audit.cli.options import trail_directory
from otel_tool_audit.cli.questions import AnswerRequest, asks, request_options
from otel_tool_audit.cli.verdicts import STYLES
from otel_tool_audit.export import formats
from otel_tool_audit.export.check import Checked, as_dict, check
from otel_tool_audit.export.manifest import Manifest
from otel_tool_audit.text import one_of, plural


@asks
def export(
    directory: opt.Directory = None,
    *,
    question: Question,
    folder: Annotated[
        str | None, typer.Option("--output", "-o", metavar="DIR", help="Where the files go: a new directory.", show_default=False)
    ] = None,
    style: Annotated[str, opt.format_option(f"{formats.names()[0]} (default), {one_of(formats.names()[1:])}.", formats.names)] = formats.names()[0],
    examined: Annotated[
        str | None, typer.Option("--check", metavar="DIR", help="Check the export that lies there; with the trail, against it.", show_default=False)
    ] = None,
    request: Annotated[AnswerRequest, request_options(file=False)],
) -> None:
    """Write calls to files with a manifest, or check such files.

    An export that was interrupted goes on when its command is given again. Exit 1 when the trail is broken, or a file is not what was
    exported; 3 when there is no key to recognise the subject by.
    """
    if examined is not None:
        _check(directory, examined, request.state, json=request.json)
        return
    if folder is None:
        raise BadUsage("where to? Name a new directory: --output DIR")
    done = request.open(trail_directory(directory)).export(
        folder, style, said=question.said, verifying=progress.of_bytes, exporting=partial(progress.of_calls, "exporting"), going_on=_going_on,
        **question.filters(),
    )  # fmt: skip
    made = done.manifest
    if done.ended is not None and done.ended.obstacle is not None:
        output.say(f"the trail holds that this export began ({done.begun.address}), not what it gave: {done.ended.obstacle}", "yellow")
    if request.json:
        output.print_json(_shown(made))
        _leave(made, done.status)
    pairs = [
        ("calls", output.Cell(f"{made.count:,}", "bold")),
        *((file.name, output.Cell(f"{plural(file.rows, 'call')}, {plural(file.bytes, 'byte')}, SHA-256 {file.sha256}")) for file in made.files),
        ("manifest", output.Cell(f"{folder}/manifest.json")),
        ("integrity", output.Cell(made.verdict["integrity"], STYLES[made.verdict["integrity"]])),
        ("completeness", output.Cell(made.verdict["completeness"], STYLES[made.verdict["completeness"]])),
    ]
    output.print_fields(pairs)
    for remark in made.missing:
        output.say(remark, "yellow")
    _leave(made, done.status)


def _going_on(count: int) -> None:
    output.say(f"going on after {plural(count, 'call')}", "dim")


def _leave(made: Manifest, status: AnswerStatus) -> NoReturn:
    if status.broken:
        output.say(broken_in_words(made.verdict["findings"], made.verdict["findings_in_all"]), "bold red")
    raise typer.Exit(status.exit_code)


def _check(directory: str | None, folder: str, state: str | None, *, json: bool) -> None:
    reader = TrailReader(trail_directory(directory), state=state).unaudited if directory is not None else None
    with progress.of_calls("checking") as tell:
        found = check(folder, reader, tell)
    if json:
        output.print_json(as_dict(found))
    else:
        _print_checked(found)
    raise typer.Exit(exit_codes.GOOD if found.ok else exit_codes.BROKEN)


def _print_checked(found: Checked) -> None:
    console, made = output.stdout(), found.manifest
    pairs: list[tuple[str, output.Cell | str]] = [
        ("exported", f"{made.made} by {made.who.get('as') or made.who.get('os_user')} with {made.tool}"),
        ("from", f"trail {made.trail_id}, {made.path}"),
        ("filters", output.as_json(dict(made.filters))),
        ("trail then", f"{made.verdict.get('integrity')}, {made.verdict.get('completeness')}"),
    ]
    output.print_fields(pairs)
    console.print()
    for sign, colour, remarks in (("✓ ", "green", found.passed), ("✗ ", "bold red", found.failed), ("? ", "yellow", found.unknown)):
        for remark in remarks:
            console.print(Text.assemble((sign, colour), output.safe(remark)))


def _shown(made: Manifest) -> Any:  # noqa: ANN401 - a JSON document
    import json as codec  # noqa: PLC0415 - the verb's option has the module's name

    return codec.loads(made.dump())
