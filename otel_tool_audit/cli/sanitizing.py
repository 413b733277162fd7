"""``sanitize``: what would be stored of a value, to try rules out."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from rich.text import Text

from otel_tool_audit.access import scan as records
from otel_tool_audit.cli import options as opt
from otel_tool_audit.cli import output
from otel_tool_audit.record.jsonsafe import parse_json
from otel_tool_audit.redaction import Sanitizer
from otel_tool_audit.settings import Settings
from otel_tool_audit.text import plural


def sanitize(
    value: Annotated[
        str | None,
        typer.Argument(
            metavar="VALUE", help="Text or JSON; read from stdin when left out, which keeps it out of the shell's history.", show_default=False
        ),
    ] = None,
    *,
    recognizers: Annotated[
        str | None, typer.Option(metavar="FILE", help="A TOML file of your own rules; else as the settings say.", show_default=False)
    ] = None,
    scan: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="Count by rule what a trail's records hold that today's rules would hide; changes nothing.", show_default=False
        ),
    ] = None,
    style: opt.TableOrJson = "table",
    json: opt.Json = False,
) -> None:
    """Show what would be stored of a value, and what not."""
    sanitizer = Sanitizer.of(Settings.resolve(recognizers=recognizers))
    if scan is not None:
        _scan(scan, sanitizer, as_json=json or style == "json")
        return
    if value is None:
        if sys.stdin.isatty():
            output.say("reading stdin; end with Ctrl-D", "dim")
        value = sys.stdin.buffer.read().decode("utf-8", "surrogateescape").removesuffix("\n")
    found = sanitizer.value(_parsed(value))
    redactions = [{"path": r.path, "rule": r.rule, "count": r.count} for r in found.redactions]
    if json or style == "json":
        output.print_json({"value": found.value, "redactions": redactions})
        return
    console = output.stdout()
    console.print(Text(output.safe(found.value) if isinstance(found.value, str) else output.as_json(found.value, indent=2)))
    for redaction in redactions:
        count = f", {redaction['count']} times" if redaction["count"] != 1 else ""
        console.print(
            Text.assemble(("✗ ", "red"), output.safe(redaction["path"] or "the text"), (f"  {output.safe(redaction['rule'])}{count}", "dim"))
        )
    if not redactions:
        output.say("nothing was taken out", "dim")


def _scan(path: str, sanitizer: Sanitizer, *, as_json: bool) -> None:
    found = records.scan(path, sanitizer)
    if as_json:
        output.print_json(found._asdict())
        return
    for rule, count in found.rules.items():
        output.stdout().print(Text.assemble((f"{count:>8}  ", "red"), output.safe(rule)))
    output.say(f"{found.holding} of {plural(found.records, 'record')} of calls hold what today's rules would hide", "dim")


def _parsed(text: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return parse_json(text)
    except ValueError:
        return text
