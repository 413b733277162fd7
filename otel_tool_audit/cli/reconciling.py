"""``reconcile``: whether the trail and a trace backend agree."""

from __future__ import annotations

import time
from typing import Annotated, Final

import typer
from rich.text import Text

from otel_tool_audit.cli import BadUsage, output, progress
from otel_tool_audit.cli import options as opt
from otel_tool_audit.cli.options import asked, trail_directory
from otel_tool_audit.cli.output import Cell
from otel_tool_audit.review.reconcile import sources
from otel_tool_audit.review.reconcile.compare import COUNTS, MISMATCHED, MISSING_IN_BACKEND, MISSING_IN_TRAIL
from otel_tool_audit.review.reconcile.jaeger import HEADERS, Jaeger
from otel_tool_audit.review.reconcile.otlp_files import OtlpFiles
from otel_tool_audit.review.reconcile.run import Reconciliation
from otel_tool_audit.review.reconcile.run import reconcile as compare_both
from otel_tool_audit.text import plural

FINDINGS_SHOWN: Final = 20
"""Findings that a table shows; ``--format json`` has more."""

STYLES: Final = {"agrees": "bold green", "disagrees": "bold red", "cannot tell": "bold yellow"}
_WRONG: Final = frozenset({MISSING_IN_BACKEND, MISSING_IN_TRAIL, MISMATCHED})

_Jaeger = Annotated[
    str | None,
    typer.Option(
        "--jaeger", metavar="URL", help=f"Jaeger's gRPC query service, http://HOST:16685 or https://…; headers from {HEADERS}.", show_default=False
    ),
]
_Files = Annotated[
    list[str] | None,
    typer.Option("--otlp-file", metavar="FILE", help="What the Collector's file exporter wrote; may be repeated.", show_default=False),
]
_AllowMissing = Annotated[bool, typer.Option("--allow-missing", help="Spans may be missing: sampled, or lost. Records may not.", show_default=False)]


def reconcile(
    directory: opt.Directory = None,
    *,
    jaeger: _Jaeger = None,
    otlp_file: _Files = None,
    since: opt.Since = None,
    until: opt.Until = None,
    during: opt.During = None,
    time_zone: opt.TimeZone = None,
    allow_missing: _AllowMissing = False,
    style: opt.TableOrJson = "table",
    json: opt.Json = False,
    state: opt.State = None,
) -> None:
    """Compare a trail with a trace backend, both ways.

    Spans carry their record's hash: whoever removes or rewrites records has them against him. Exit 0 when both agree, 1 when they do not, 3
    when that cannot be told.
    """
    path = trail_directory(directory)
    if (jaeger is None) == (not otlp_file):
        raise BadUsage("which backend? Give --jaeger URL, or --otlp-file FILE once or more")
    within = asked(since, until, during, time_zone)
    source: sources.Source = OtlpFiles(otlp_file) if otlp_file else Jaeger(str(jaeger))
    with progress.of_steps() as report:
        found = compare_both(
            path, source, now=time.time_ns(), since=within.since, until=within.until, allow_missing=allow_missing, state=state,
            progress=report or (lambda *_: None),
        )  # fmt: skip
    if json or style == "json":
        output.print_json(found.as_dict())
    else:
        _print(found, path)
    raise typer.Exit(found.exit_code)


def _print(found: Reconciliation, path: str) -> None:
    console, counts = output.stdout(), found.comparison.counts
    pairs = [
        ("trail", Cell(f"{path} ({found.trail_id})")),
        ("backend", Cell(f"{found.backend}, {plural(found.spans_read, 'span')}")),
        ("time", Cell(f"{found.since[:19]}Z to {found.until[:19]}Z")),
        ("verdict", Cell(found.verdict, STYLES[found.verdict])),
    ]
    pairs += [(name, Cell(f"{counts[name]:,}", "red" if name in _WRONG else "")) for name in COUNTS if counts[name] or name in {"calls", "agreed"}]
    output.print_fields(pairs)
    shown = found.comparison.findings[:FINDINGS_SHOWN]
    if shown:
        console.print()
    for finding in shown:
        message = f"  {output.safe(finding.message)}"
        console.print(
            Text.assemble(("✗ ", "bold red"), (output.safe(finding.where), "bold"), f"  {finding.call_id}", message, (f"  [{finding.kind}]", "dim"))
        )
    left = sum(counts[kind] for kind in _WRONG) - len(shown)
    if left:
        console.print(Text(f"… and {left:,} more; --json lists up to 1,000 of each kind"))
    output.print_remarks(("?", found.doubts), ("·", found.notes))
