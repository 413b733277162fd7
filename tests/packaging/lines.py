"""Lines of code by room, without blank lines, comments and docstrings: ``python tests/packaging/lines.py`` fills ARCHITECTURE.md's table."""

from __future__ import annotations

import ast
import io
import tokenize
from collections import Counter
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "otel_tool_audit"
DOCUMENT = PACKAGE / "ARCHITECTURE.md"
BEGIN, END = "<!-- lines -->\n", "<!-- /lines -->\n"
WRITING = ("capture", "observe", "processor", "recognise", "recording", "redaction", "trail")
WRITING_AIM, WRITING_MOST = 11_500, 12_600
AIM, MOST = 20_000, 26_000
"""The package, and the rooms that write, have no more than the second number; the first is the budget, and the second follows it down."""

_NO_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def lines_of(source: str) -> int:
    """Count the lines of a module that hold code."""
    held: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _NO_CODE:
            held.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            held.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(held)


def by_room() -> Counter[str]:
    """Count the package's lines: each folder, and the modules beside them together."""
    found: Counter[str] = Counter()
    for path in PACKAGE.rglob("*.py"):
        place = path.relative_to(PACKAGE).parts
        found[place[0] if len(place) > 1 else "modules beside"] += lines_of(path.read_text(encoding="utf-8"))
    return found


def table() -> str:
    """Write the table."""
    found = by_room()
    rows = [f"| `{room}/` | {lines:,} |" if room != "modules beside" else f"| {room} | {lines:,} |" for room, lines in sorted(found.items())]
    rows += [
        f"| **the rooms that write** (at most {WRITING_MOST:,}, to become {WRITING_AIM:,}) | {sum(found[room] for room in WRITING):,} |",
        f"| **the package** (at most {MOST:,}, to become {AIM:,}) | {found.total():,} |",
    ]
    return "| room | lines |\n| --- | ---: |\n" + "\n".join(rows) + "\n"


def main() -> None:
    """Fill the table in."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    DOCUMENT.write_text(f"{before}{BEGIN}{table()}{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
