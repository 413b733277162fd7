"""
What the command prints: results on stdout, everything else on stderr, and nothing that data can forge.

A record holds text that an attacker may have chosen. So no control character reaches a terminal as such, no
value is read as markup, and a line of output is never begun by data.
"""

from __future__ import annotations

import errno
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any, Final, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from otel_tool_audit.errors import SettingsError
from otel_tool_audit.host.durable import Durability, replace_file
from otel_tool_audit.text import printable

SAMPLE: Final = 500
"""Rows that decide how wide a table's columns are; what follows is fitted to them, so that a table of millions streams."""

_GAP: Final = 2
_NARROWEST: Final = 6
_LEGIBLE: Final = 14
"""Characters of a value that is cut which tell what it is; for less of it a spare column goes."""
_UNSAFE: Final = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
"""What JSON may hold raw and a terminal should not see; a line feed stands between values only."""


safe: Final = printable
"""Makes any text fit to stand in a line of output."""


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave a closed pipe to the one place that decides the exit code."""
        raise BrokenPipeError


class Column(NamedTuple):
    """
    A column of a table.

    Attributes:
        title: What stands above it.
        shrinks: Whether its values may be cut when the terminal is narrow.
        right: Whether it is aligned to the right.
        spare: Whether it is left out where there is no room for all.
    """

    title: str
    shrinks: bool = False
    right: bool = False
    spare: bool = False


class Cell(NamedTuple):
    """A value in a table, and rich's name of its style."""

    text: str
    style: str = ""


def stdout() -> Console:
    """Give the console of results; in colours only on a terminal."""
    return _console(sys.stdout)


def stderr() -> Console:
    """Give the console of everything else."""
    return _console(sys.stderr)


def _console(file: Any) -> Console:  # noqa: ANN401 - rich's own type of a stream is IO[str], sys.stdout is TextIO
    return _Console(file=file, highlight=False, markup=False, emoji=False, soft_wrap=True)


def as_json(value: object, *, indent: int | None = None) -> str:
    r"""
    Write *value* as JSON that a terminal cannot be deceived by: such characters stand as ``\uXXXX``.

    Args:
        value: JSON-safe values.
        indent: Spaces a level; None puts all on one line.
    """
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=str)
    return _UNSAFE.sub(lambda found: json.dumps(found[0])[1:-1], text)


def print_json(value: object) -> None:
    """Print one JSON document."""
    write_stdout([as_json(value, indent=2) + "\n"])


def json_lines(values: Iterable[object]) -> Iterator[str]:
    """Write one JSON object a line."""
    for value in values:
        yield as_json(value) + "\n"


def json_document(name: str, values: Iterable[object], beside: Callable[[], Mapping[str, object]]) -> Iterator[str]:
    """
    Write one JSON document: a list, value by value, and what is known beside it once all of it was given.

    Args:
        name: What the list is called.
        values: What it holds.
        beside: Asked last: more names and values.
    """
    separator = f'{{"{name}": [\n'
    for value in values:
        yield separator + as_json(value)
        separator = ",\n"
    yield f'{{"{name}": []' if separator.startswith("{") else "\n]"
    for more, value in beside().items():
        yield f',\n"{more}": {as_json(value)}'
    yield "\n}\n"


def write_file(pieces: Iterable[str | bytes], path: str) -> None:
    """
    Write a file that is there whole or not at all, for its owner only.

    Args:
        pieces: What it holds.
        path: Where; a file that lies there is replaced.

    Raises:
        SettingsError: It cannot be written.
    """
    with _told(path):
        replace_file(path, _encoded(pieces), Durability.WHOLE)


def check_file(path: str) -> None:
    """
    Find out whether a file could be written, before anything is read for it.

    Args:
        path: As for :func:`write_file`.

    Raises:
        SettingsError: It cannot be written.
    """
    probe = f"{path}.{os.getpid()}.tmp"
    with _told(path):
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        os.unlink(probe)
        if os.path.isdir(path):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))


@contextmanager
def _told(path: str) -> Iterator[None]:
    """Say which file cannot be written, and what to do."""
    try:
        yield
    except OSError as error:
        raise SettingsError(f"{path} cannot be written ({error.strerror or error}); name another file") from None


def give(pieces: Iterable[str | bytes], file: str | None) -> None:
    """
    Write a result that is for other programs.

    Args:
        pieces: What it holds.
        file: Where to; None: stdout.
    """
    if file is None:
        write_stdout(pieces)
    else:
        write_file(pieces, file)


def write_stdout(pieces: Iterable[str | bytes], *, flush: bool = False) -> None:
    """Write a result that is for other programs to stdout, as it is; with *flush* nothing waits for more."""
    sys.stdout.flush()
    encoded = _encoded(pieces)
    try:
        sys.stdout.buffer.writelines(encoded)
        if flush:
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        # without its number: typer would end the process with the exit code of a broken trail
        raise BrokenPipeError from None


def _encoded(pieces: Iterable[str | bytes]) -> Iterator[bytes]:
    return (piece.encode("utf-8", "backslashreplace") if isinstance(piece, str) else piece for piece in pieces)


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> int:
    """
    Print a table, row by row.

    Args:
        columns: From left to right; the last one is never padded or cut.
        rows: Cells for the columns.

    Returns:
        How many rows there were.
    """
    console = stdout()
    several = iter(rows)
    first = list(islice(several, SAMPLE))
    plan = _plan(columns, _widths(columns, first), console.width if console.is_terminal else None)
    if first:
        console.print(plan.line([Cell(c.title, "bold") for c in columns]))
    count = 0
    for row in chain(first, several):
        console.print(plan.line(row))
        count += 1
    return count


class OpenTable:
    """A table that goes on: its columns are as wide as its first rows want, and no narrower than was said."""

    def __init__(self, columns: Sequence[Column], least: Sequence[int], rows: Sequence[Sequence[Cell]]) -> None:
        """
        Begin a table; nothing is printed yet.

        Args:
            columns: From left to right.
            least: Of each, in characters.
            rows: Those that are known already; they decide the widths, and are not printed.
        """
        self._columns = columns
        self._console = stdout()
        wanted = [max(width, known) for width, known in zip(least, _widths(columns, rows), strict=True)]
        self._plan = _plan(columns, wanted, self._console.width if self._console.is_terminal else None)
        self._begun = False

    def add(self, row: Sequence[Cell]) -> None:
        """Print a row, and what stands above the first."""
        if not self._begun:
            self._console.print(self._plan.line([Cell(c.title, "bold") for c in self._columns]))
            self._begun = True
        self._console.print(self._plan.line(row))
        self._console.file.flush()


def print_fields(pairs: Iterable[tuple[str, Cell | str]]) -> None:
    """Print names and values, a line each, the values in one column."""
    listed = [(name, value if isinstance(value, Cell) else Cell(value)) for name, value in pairs]
    width = max((cell_len(name) for name, _ in listed), default=0) + _GAP
    console = stdout()
    for name, value in listed:
        console.print(Text.assemble((set_cell_size(name, width), "dim"), (safe(value.text), value.style)))


def print_remarks(*groups: tuple[str, Iterable[str]]) -> None:
    """Print sentences, each behind the sign of its group; the groups stand apart."""
    console = stdout()
    for sign, remarks in groups:
        for number, remark in enumerate(remarks):
            if not number:
                console.print()
            console.print(Text.assemble((f"{sign} ", "yellow"), safe(remark)))


def say(text: str, style: str = "") -> None:
    """Print a line to stderr: a hint, a note; never a result."""
    stderr().print(Text(safe(text), style))


def fail(text: str) -> None:
    """Print what went wrong to stderr; a line after the first stands apart, so that no data can forge one."""
    first, *more = filter(None, text.split("\n"))
    stderr().print(Text.assemble(("error: ", "bold red"), safe(first)))
    for line in more:
        stderr().print(Text("       " + safe(line)))


class _ColumnPlan(NamedTuple):
    """How the lines of a table are laid out: which columns, how wide, and how many blanks between them."""

    columns: Sequence[Column]
    widths: Mapping[int, int]
    gap: int

    def line(self, row: Sequence[Cell]) -> Text:
        """Lay out a row."""
        line = Text()
        last = len(self.columns) - 1
        for i, width in self.widths.items():
            column, text = self.columns[i], safe(row[i].text)
            if column.shrinks and cell_len(text) > width:
                text = set_cell_size(text, width - 1) + "…"
            padding = " " * max(0, width - cell_len(text))
            line.append(padding if column.right else "")
            line.append(text, row[i].style)
            line.append("" if i == last else (" " * self.gap if column.right else padding + " " * self.gap))
        line.rstrip()
        return line


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> list[int]:
    return [max([cell_len(c.title), *(cell_len(safe(row[i].text)) for row in rows)]) for i, c in enumerate(columns)]


def _plan(columns: Sequence[Column], wanted: Sequence[int], room: int | None) -> _ColumnPlan:
    """Fit a table into its room: first the blanks between columns go, then columns that are spare, then what values can lose."""
    widths = dict(enumerate(wanted))
    if room is None or sum(wanted) + _GAP * (len(wanted) - 1) <= room:
        return _ColumnPlan(columns, widths, _GAP)
    short = {i: min(width, _LEGIBLE) if columns[i].shrinks else width for i, width in widths.items()}
    for i in sorted((i for i, c in enumerate(columns) if c.spare), reverse=True):
        if sum(short.values()) + len(short) - 1 <= room:
            break
        del short[i], widths[i]
    while sum(widths.values()) + len(widths) - 1 > room:
        widest = max((i for i in widths if columns[i].shrinks), key=lambda i: widths[i], default=None)
        if widest is None or widths[widest] <= _NARROWEST:
            break
        widths[widest] -= 1
    return _ColumnPlan(columns, widths, 1)
