"""``sanitize``: what would be stored of a value, to try rules out."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from rich.text import Text

from otel_tool_audit.cli import options as opt
from otel_tool_audit.cli import output
from otel_tool_audit.record.jsonsafe import parse_json
from otel_tool_audit.redaction import Sanitizer
from otel_tool_audit.settings import Settings


def sanitize(
    value: Annotated[
        str | None,
        typer.Argument(
            metavar="VALUE", help="Text or JSON; read from stdin when left out, which keeps it out of the shell's history.", show_default=False
        ),
    ] = None,
    *,
    style: opt.TableOrJson = "table",
    json: opt.Json = False,
) -> None:
    """Show what would be stored of a value, and what not."""
    if value is None:
        if sys.stdin.isatty():
            output.say("reading stdin; end with Ctrl-D", "dim")
        value = sys.stdin.buffer.read().decode("utf-8", "surrogateescape").removesuffix("\n")
    settings = Settings.resolve()
    found = Sanitizer(secret_keys=settings.secret_keys, keep_keys=settings.keep_keys).value(_parsed(value))
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


def _parsed(text: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return parse_json(text)
    except ValueError:
        return text
