"""The command line: parse, call, render. What it shows comes from the rooms below; nothing is decided here."""

from __future__ import annotations

from typing import Final, cast

import typer

NAME: Final = "otel-tool-audit"

BadUsage: Final = cast("type[Exception]", typer.BadParameter.__mro__[1])
"""What typer raises for wrong arguments: ``UsageError``, whose home differs between typer's versions."""
