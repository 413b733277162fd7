"""``demo``: a support agent at work, and what its trail proves."""

from __future__ import annotations

import tempfile
from typing import Annotated

import typer

from otel_tool_audit.cli import output


def demo(
    directory: Annotated[
        str | None, typer.Option("--dir", metavar="DIR", help="Where to put everything; by default a new temporary directory.", show_default=False)
    ] = None,
) -> None:
    """Watch an agent work, its trail verify, a forger fail."""
    from otel_tool_audit.cli.demo.story import tell  # noqa: PLC0415 - the writer and the SDK, which no other verb loads

    tell(output.stdout(), directory or tempfile.mkdtemp(prefix="otel-tool-audit-"))
