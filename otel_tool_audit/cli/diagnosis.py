"""``doctor``: what could keep calls off the record, or spans from their backend, and how to mend it."""

from __future__ import annotations

from typing import Final

import typer
from rich.text import Text

from otel_tool_audit import exit_codes
from otel_tool_audit.cli import options as opt
from otel_tool_audit.cli import output
from otel_tool_audit.diagnosis.doctor import CheckResult, Level, examine, named_trail
from otel_tool_audit.settings import variable
from otel_tool_audit.text import plural

_SIGNS: Final = {Level.good: ("✓", "green"), Level.notice: ("·", "cyan"), Level.warning: ("!", "yellow"), Level.problem: ("✗", "bold red")}


def doctor(directory: opt.Directory = None, *, style: opt.TableOrJson = "table", json: opt.Json = False, state: opt.State = None) -> None:
    """Find what could keep calls off the record.

    Examines this machine, its settings and, if one is named, a trail. Exit 1 if there is a problem, 0 if there are warnings at most.
    """
    path = named_trail(directory)
    found = examine(path, state)
    problems = sum(check.level is Level.problem for check in found)
    if json or style == "json":
        output.print_json({"ok": not problems, "checks": [check.as_dict() for check in found]})
    else:
        _print(found)
        if path is None:
            output.say(f"no trail was named: give its directory, or set {variable('trail')}, to have it examined, too", "dim")
    raise typer.Exit(exit_codes.BROKEN if problems else exit_codes.GOOD)


def _print(found: list[CheckResult]) -> None:
    console = output.stdout()
    width = max(len(check.name) for check in found)
    for check in found:
        sign, style = _SIGNS[check.level]
        console.print(Text.assemble((sign, style), " ", (check.name.ljust(width), "bold"), "  ", output.safe(check.message)))
        if check.remedy:
            console.print(Text.assemble(" " * (width + 4), ("→ ", "dim"), output.safe(check.remedy)))
    counts = {level: sum(check.level is level for check in found) for level in (Level.problem, Level.warning)}
    summary = ", ".join(plural(count, level.value) for level, count in counts.items() if count)
    console.print()
    console.print(Text(summary or "nothing is wrong", "bold red" if counts[Level.problem] else "yellow" if summary else "green"))
