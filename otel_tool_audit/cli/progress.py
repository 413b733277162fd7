"""Bars that show on stderr how far something is, as long as it takes; nothing where stderr is no terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TypeVar

from rich import progress as rich

from otel_tool_audit.cli import output

_Tell = TypeVar("_Tell")


def of_bytes() -> AbstractContextManager[Callable[[int, int], None] | None]:
    """Show bytes verified, and bytes in all."""
    columns = (rich.TextColumn("verifying"), rich.BarColumn(), rich.DownloadColumn(binary_units=True), rich.TimeRemainingColumn())
    return _shown(lambda update: lambda done, total: update(completed=done, total=total), *columns)


def of_calls(what: str) -> AbstractContextManager[Callable[[int], None] | None]:
    """Show how many calls were gone through; *what* names what is done with them."""
    columns = (rich.SpinnerColumn(), rich.TextColumn(what + " {task.completed:,} calls"), rich.TimeElapsedColumn())
    return _shown(lambda update: lambda count: update(completed=count), *columns)


def of_steps() -> AbstractContextManager[Callable[[str, int, int | None], None] | None]:
    """Show what is being done, how much of it is done, and how much there is."""
    columns = (rich.TextColumn("{task.description}"), rich.BarColumn(), rich.TaskProgressColumn(), rich.TimeElapsedColumn())
    return _shown(lambda update: lambda doing, done, total: update(description=doing, completed=done, total=total), *columns)


@contextmanager
def _shown(telling: Callable[[Callable[..., None]], _Tell], *columns: rich.ProgressColumn) -> Iterator[_Tell | None]:
    console = output.stderr()
    if not console.is_terminal:
        yield None
        return
    with rich.Progress(*columns, console=console, transient=True) as bar:
        yield telling(partial(bar.update, bar.add_task("", total=None)))
