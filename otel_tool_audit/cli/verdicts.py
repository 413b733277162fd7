"""``verify`` and ``recover``: whether the trail still is what its writers wrote, and what to do when it is not."""

from __future__ import annotations

from itertools import groupby
from typing import Annotated, Final

import typer
from rich.text import Text

from otel_tool_audit.cli import BadUsage, output, progress
from otel_tool_audit.cli import options as opt
from otel_tool_audit.cli.options import trail_directory
from otel_tool_audit.cli.output import Cell
from otel_tool_audit.review.verify import checks
from otel_tool_audit.review.verify.findings import Verification
from otel_tool_audit.review.verify.verifier import verify as verify_trail
from otel_tool_audit.text import plural

STYLES: Final = {"intact": "bold green", "broken": "bold red", "complete": "green", "known gaps": "yellow", "cannot tell": "bold yellow"}
FINDINGS_SHOWN: Final = 20
"""Findings that a table shows; ``--format json`` has them all."""

_Deep = Annotated[bool, typer.Option("--deep", help="Parse every line strictly, too.", show_default=False)]
_RequireComplete = Annotated[bool, typer.Option("--require-complete", help="Exit 3 unless it is known that nothing is missing.", show_default=False)]


def verify(
    directory: opt.Directory = None,
    *,
    deep: _Deep = False,
    require_complete: _RequireComplete = False,
    style: opt.TableOrJson = "table",
    json: opt.Json = False,
    state: opt.State = None,
) -> None:
    """Check a trail: intact, broken, or cannot tell.

    Exit 0 when it is intact, 1 when it is broken, 3 when that cannot be told. Whether anything is missing is told beside it.
    """
    path = trail_directory(directory)
    with progress.of_bytes() as report:
        found = verify_trail(path, state=state, deep=deep, progress=report)
    if json or style == "json":
        output.print_json(found.as_dict())
    else:
        print_verification(found, path)
    raise typer.Exit(found.exit_code(require_complete=require_complete))


def recover(
    directory: opt.Directory = None,
    *,
    accept: Annotated[bool, typer.Option("--accept", help="Accept the loss and begin a new epoch.", show_default=False)] = False,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; recorded.", show_default=False)] = None,
    who: Annotated[str | None, typer.Option("--who", metavar="NAME", help="Who accepts; by default who is logged in.", show_default=False)] = None,
    state: opt.State = None,
) -> None:
    """Say what a broken trail needs; --accept lets it go on.

    After --accept the trail can be written again, in a new epoch. No byte of it is removed, the reason is recorded, and completeness is
    "known gaps" for ever.
    """
    if not accept:
        _plan(trail_directory(directory), state)
    if not reason:
        raise BadUsage("--accept needs --reason TEXT: it is recorded, for ever")
    # not trail_directory(): whoever accepts that the whole directory is gone must be able to say so
    path = directory or trail_directory(None)
    from otel_tool_audit.diagnosis.recovery import accept as accept_loss  # noqa: PLC0415 - the writer, which reading never loads

    accepted = accept_loss(path, reason=reason, who=who, state=state)
    console = output.stdout()
    console.print(Text.assemble("accepted  ", (accepted.trail_id, "dim")))
    if accepted.document_restored:
        console.print(Text("trail.json was written again from the state directory's copy"))
    for chain, (epoch, first_seq) in sorted(accepted.epochs.items()):
        console.print(Text.assemble(("  " + output.safe(chain), "bold"), f"  epoch {epoch} begins at {output.safe(chain)}/{first_seq}"))
    for chain, seals in sorted(accepted.seals.items()):
        console.print(Text.assemble(("  " + output.safe(chain), "bold"), f"  {plural(len(seals), 'false seal')} made anew: {', '.join(seals)}"))
    if not accepted.epochs and not accepted.seals and not accepted.document_restored:
        console.print(Text("nothing had to be changed"))
    output.say("integrity before the new epochs stays 'cannot tell', completeness 'known gaps', for ever", "dim")


def print_verification(found: Verification, path: str) -> None:
    """
    Print a verdict for people.

    Args:
        found: The verdict.
        path: The trail, as the user named it.
    """
    console = output.stdout()
    size = sum(chain["bytes"] for chain in found.chains.values())
    pairs = [
        ("trail", Cell(path)),
        ("integrity", Cell(found.integrity, STYLES[found.integrity])),
        ("completeness", Cell(found.completeness, STYLES[found.completeness])),
        ("checks", Cell(_checks(found))),
        ("records", Cell(f"{found.records:,} in {plural(len(found.chains), 'chain')}{', ' + _bytes(size) if size else ''}")),
    ]
    output.print_fields(pairs)
    if found.findings:
        console.print()
    for finding in found.findings[:FINDINGS_SHOWN]:
        where, check = output.safe(finding.where), output.safe(finding.check)
        console.print(Text.assemble(("✗ ", "bold red"), (where, "bold"), f"  {output.safe(finding.message)}", (f"  [{check}]", "dim")))
    if len(found.findings) > FINDINGS_SHOWN:
        console.print(Text(f"… and {plural(len(found.findings) - FINDINGS_SHOWN, 'more finding')}; --json lists them all"))
    output.print_remarks(("?", found.doubts), ("~", found.gaps), ("·", found.notes))


def _plan(path: str, state: str | None) -> None:
    """Say what is wrong and what accepting it would mean; leaves with the verdict's exit code."""
    with progress.of_bytes() as report:
        found = verify_trail(path, state=state, progress=report)
    print_verification(found, path)
    if found.ok:
        output.say("nothing to recover: the next writer goes on by itself")
    else:
        output.say("first find out what happened: a backup put back, a log rotation, or someone who changed evidence")
        output.say("keep a copy of the trail and of the state directory; then, to let it be written again:")
        output.say(f"  otel-tool-audit recover {path} --accept --reason 'what happened'")
    raise typer.Exit(found.exit_code())


def _checks(found: Verification) -> str:
    """Name the numbered checks that were made, and those that failed."""
    made = [check.number for check in checks.CHECKS if found.deep or not check.deep]
    # numbers that follow each other keep their distance to their places
    runs = [[number for _, number in run] for _, run in groupby(enumerate(made), key=lambda placed: placed[1] - placed[0])]
    passed = ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
    wrong = {finding.check for finding in found.findings}
    failed = [check.label for check in checks.CHECKS if check.label in wrong]
    left_out = ", ".join(check.label for check in checks.CHECKS if check.number not in made)
    said = f"failed: {', '.join(failed)}" if failed else f"{passed} pass"
    return f"{said}; {left_out} only with --deep" if left_out else said


def _bytes(number: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:  # noqa: PLR2004 - the step between two binary units
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"
