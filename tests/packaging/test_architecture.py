"""ARCHITECTURE.md says what is so: rooms, lines, numbers that docstrings name."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import lines

TEXT = lines.DOCUMENT.read_text(encoding="utf-8")
TERMS = ["trail", "chain", "segment", "epoch", "head", "receipt", "seal", "gap", "call", "record", "fold", "subject", "purpose"]


def section(title: str) -> str:
    return TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_every_room_has_its_place() -> None:
    """The table of layers has each folder and module of the package, once."""
    rooms = {f"{path.name}/" if path.is_dir() else path.name for path in lines.PACKAGE.iterdir()}
    known = {name for name in rooms if not name.startswith("__") and (name.endswith(("/", ".py")))}
    table = [row for row in section("Rooms and layers").splitlines() if re.match(r"\| \d+ \|", row)]
    listed = [name for row in table for name in re.findall(r"`([\w.]+/?)`", row.split("|")[2])]
    assert sorted(known) == sorted(listed)


def test_the_package_keeps_within_its_lines() -> None:
    """Neither the rooms that write nor the package have more than the numbers in the table say; the budget itself is lower."""
    found = lines.by_room()
    assert sum(found[room] for room in lines.WRITING) <= lines.WRITING_MOST
    assert found.total() <= lines.MOST


def test_the_table_of_lines_is_about_right() -> None:
    """Each room stands there, within a tenth or fifty lines; `python tests/packaging/lines.py` fills it in."""
    told = {
        room: int(number.replace(",", ""))
        for room, number in re.findall(r"^\| `?([\w ]+?)/?`? \| ([\d,]+) \|$", section("Lines of code"), re.MULTILINE)
    }
    found = lines.by_room()
    assert found.keys() == told.keys()
    assert {} == {room: (told[room], number) for room, number in found.items() if abs(told[room] - number) > max(50, number // 10)}


def test_the_glossary_has_each_term_once() -> None:
    """One page, one meaning each."""
    assert TERMS == re.findall(r"^\| (\w+) \| \S", section("Glossary"), re.MULTILINE)[1:]


def test_promises_and_decisions_are_numbered_without_a_gap() -> None:
    """So that a number means one thing for good."""
    promises = [int(number) for number in re.findall(r"^\| R(\d+) \|", section("Promises"), re.MULTILINE)]
    decisions = [int(number) for number in re.findall(r"^### D(\d+) ", section("Decisions"), re.MULTILINE)]
    assert list(range(1, 35)) == promises
    assert list(range(1, len(decisions) + 1)) == decisions


def test_each_decision_says_why() -> None:
    """Context, decision, what instead, and the price."""
    for decision in section("Decisions").split("\n### ")[1:]:
        assert [1, 1, 1, 1] == [len(re.findall(f"^{part}:", decision, re.MULTILINE)) for part in ("Context", "Decision", "Instead of", "Price")], (
            decision
        )


@pytest.mark.parametrize("path", sorted(lines.PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(lines.PACKAGE)))
def test_sources_name_what_is_there(path: Path) -> None:
    """A docstring that rests on this document names a promise, a decision or a section of it."""
    known = {*re.findall(r"\bR\d+(?= \|)", TEXT), *re.findall(r"(?<=### )D\d+", TEXT)}
    titles = set(re.findall(r"^## (.+)$", TEXT, re.MULTILINE))
    for named in re.findall(r"ARCHITECTURE\.md(.*)", path.read_text(encoding="utf-8")):
        numbers = re.findall(r"\b[RD]\d+\b", named)
        quoted = re.match(r', "([^"]+)"', named)
        assert numbers or quoted, f"ARCHITECTURE.md{named}"
        assert set(numbers) <= known
        assert quoted is None or quoted[1] in titles
