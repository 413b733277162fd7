"""
A verifier in another language, made from FORMAT.md and nothing else, judges frozen trails and drawn changes of them.

It shares no line with the package: where both say the same of a trail, the format's description says it, too. What its author had to guess was
written into FORMAT.md. How many gaps a broken trail has is not compared: that depends on how far a reader goes on.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import make
import mutations
import placing

from otel_tool_audit.errors import TrailCorrupt, UnsupportedFormat
from otel_tool_audit.review.verify.verifier import verify

CASES = sorted(make.CASES)
ROUND = 200
STRICTER = {
    "the state directory has no id": "section 8, rule 3: the package takes an `id` that lacks its LF",
    "a segment begins with a record that cannot be read": "section 8: the package takes the head's `prev` for it, also where the segment is not empty",
    "the head is of another origin": "section 5: the package leaves a head's origin unjudged",
    "the head and the open segment tell of the segment before differently": "section 5: the package reads `prev` of a head only while nothing else tells",
    "the files are not what the head has synced": "section 5: the package leaves `synced.offset` unjudged",
    "the head has synced more than the chain has": "section 5: of what a head has synced, the package excuses too much with an epoch, and 2^64-1 wholly",
}
"""What the stranger finds broken, as the format says, and the package does not judge: each contradicts the state directory's own files only."""


def strangers(program: Path, pairs: list[tuple[Path, Path | None]]) -> list[dict[str, Any]]:
    """Ask the other verifier about many trails at once."""
    asked = "".join(f"{trail}\t{state or '-'}\n" for trail, state in pairs)
    done = subprocess.run([program, "--batch"], input=asked, capture_output=True, text=True, check=True, timeout=500)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("name", CASES)
def test_the_stranger_gives_the_expected_verdict(name: str, tmp_path: Path, auditcheck_program: Path) -> None:
    """It says of each frozen trail what is expected, and leaves with the exit code that the format names."""
    trail, state = placing.place(placing.TRAILS / name, tmp_path / "case")
    _, integrity, completeness, _ = make.CASES[name]
    done = subprocess.run([auditcheck_program, trail, state or "-"], capture_output=True, text=True, check=False, timeout=60)
    found = json.loads(done.stdout)
    assert (integrity, completeness or found["completeness"]) == (found["integrity"], found["completeness"]), found
    assert {"intact": 0, "broken": 1, "cannot tell": 3}[integrity] == done.returncode


def ours(trail: Path, state: Path | None, nowhere: Path) -> tuple[str, str, list[str]]:
    """Say what the package says; a trail that it refuses to read is one of which nothing can be told."""
    try:
        found = verify(trail, state=str(state or nowhere), jobs=1, remember=False)
    except (TrailCorrupt, UnsupportedFormat) as error:
        return "cannot tell", "cannot tell", [str(error)]
    return found.integrity, found.completeness, [*(f"{one.check}: {one.message}" for one in found.findings), *found.doubts, *found.gaps]


def is_stricter(their: dict[str, Any]) -> bool:
    """Tell whether all that the stranger finds broken is what the package is known to leave unjudged."""
    broken = [one for one in their["findings"] if one.startswith("broken: ")]
    return bool(broken) and all(one.endswith(tuple(STRICTER)) for one in broken)


def differences(program: Path, directory: Path, numbers: range) -> tuple[Counter[str], list[str]]:
    """Draw changes by number, ask both, and tell how many agreed by kind, and where they did not."""
    pairs, told = [], []
    for number in numbers:
        draw = Random(number)
        name = draw.choice(CASES)
        placed = mutations.Placed(*placing.place(placing.TRAILS / name, directory / str(number)))
        kind, what = mutations.mutate(placed, draw)
        pairs.append((placed.trail, placed.state))
        told.append((kind, f"{number} {name}: {kind} {what}"))
    theirs = strangers(program, pairs)
    assert len(pairs) == len(theirs)
    agreed: Counter[str] = Counter()
    apart = []
    for (trail, state), (kind, what), their in zip(pairs, told, theirs, strict=True):
        integrity, completeness, why = ours(trail, state, directory / "none-here")
        if integrity == their["integrity"] and (integrity == "broken" or completeness == their["completeness"]):
            agreed[f"{kind}: {integrity}"] += 1
        elif integrity != "broken" and is_stricter(their):
            agreed[f"{kind}: the stranger is stricter"] += 1
        else:
            apart.append(f"{what}\n  package: {integrity}, {completeness}, {why}\n  stranger: {their}")
        shutil.rmtree(directory / what.split()[0])
    return agreed, apart


def test_both_say_the_same_of_drawn_changes(tmp_path: Path, auditcheck_program: Path) -> None:
    """Two hundred trails, each changed in one place, are judged alike; each verdict is among them."""
    agreed, apart = differences(auditcheck_program, tmp_path, range(ROUND))
    assert [] == apart
    assert {"intact", "broken", "cannot tell"} <= {of.partition(": ")[2] for of in agreed}


@pytest.mark.soak
@pytest.mark.parametrize("start", range(0, 10_000, ROUND))
def test_both_say_the_same_of_ten_thousand_drawn_changes(start: int, tmp_path: Path, auditcheck_program: Path) -> None:
    """The same, fifty times over with other changes."""
    assert [] == differences(auditcheck_program, tmp_path, range(start, start + ROUND))[1]
