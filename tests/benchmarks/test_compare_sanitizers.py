"""The sanitizer beside gitleaks, detect-secrets and Presidio on the same generated lines: how many secrets are found whole, how much clean text is touched."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from environments import interpreter

sys.path.insert(0, str(Path(__file__).parents[1] / "redaction"))

from clean import CLEAN
from kinds import ASSIGNED, COMMANDS, ENVIRONMENTS, HEADERS, LINES, VENDORS, draw, left_of
from test_formats import RULES
from test_formats import draw as draw_key

from otel_tool_audit.redaction import Sanitizer

pytestmark = pytest.mark.benchmark
ROOT = Path(__file__).parents[2]
GROUPS = {
    "behind a secret's name": ASSIGNED, "authorization headers": HEADERS, "lines of files": LINES, "command lines": COMMANDS, "lists of variables": ENVIRONMENTS, "unknown services": VENDORS,
}  # fmt: skip
ENGINES = ("ours", "gitleaks", "detect-secrets", "presidio")


def cases() -> list[tuple[str, str, str, str]]:
    """Draw lines: group, the line in one piece, its secret, and what stands around."""
    made = []
    for group, kinds in GROUPS.items():
        for kind in kinds:
            secret = draw(random.Random(f"compared {kind.name}"), kind)
            made.append((group, kind.place.replace("§", secret).replace("\n", " "), secret, kind.place))
    for at, (_, example) in enumerate(RULES):
        key = draw_key(example, random.Random(f"compared {at}"))
        made.append(("known formats", f"use {key} please", key, "use § please"))
    twice = ("".join(random.Random(number).choices("abcdefghkmnpqrstuvwxyzABCDEFGH23456789", k=24)) for number in range(60))
    place = "password: '§' and once more § here"
    return made + [("the same secret twice", place.replace("§", secret), secret, place) for secret in twice]


def others(gitleaks: Path, lines: list[str]) -> dict[str, list[list[str]]]:
    """Ask the other engines what they find in each line."""
    found: dict[str, list[list[str]]] = {"gitleaks": [[] for _ in lines]}
    command = [gitleaks, "stdin", "--report-format", "json", "--report-path", "-", "--no-banner", "--log-level", "error", "--exit-code", "0"]
    done = subprocess.run(command, input="\n".join(lines) + "\n", capture_output=True, text=True, check=True, timeout=300)
    for finding in json.loads(done.stdout):
        found["gitleaks"][finding["StartLine"] - 1].append(finding["Secret"])
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    script = ROOT / "tests" / "redaction" / "presidio_find.py"
    done = subprocess.run(
        [interpreter("presidio"), script], input=json.dumps(lines), env=environment, capture_output=True, text=True, check=True, timeout=900
    )
    for engine in ("presidio", "detect-secrets"):
        found[engine] = [told[engine] for told in json.loads(done.stdout)]
    return found


def hidden(line: str, found: list[str]) -> str:
    for secret in sorted(filter(None, found), key=len, reverse=True):
        # an engine tells of one place; whoever hides what it finds hides all
        line = line.replace(secret, "***", 1)
    return line


@pytest.mark.timeout(1_800)
def test_beside_others(gitleaks: Path) -> None:
    """Of each group more secrets go whole than with any of the others, and of clean lines no more than one in a hundred is touched."""
    drawn = cases()
    clean = [value for values in CLEAN.values() for value in values if isinstance(value, str) and "\n" not in value]
    lines = [line for _, line, _, _ in drawn] + clean
    found = others(gitleaks, lines)
    sanitizer = Sanitizer()
    shown = {"ours": [sanitizer.text(line).value for line in lines]}
    shown |= {engine: [hidden(line, told) for line, told in zip(lines, found[engine], strict=True)] for engine in found}
    groups = dict.fromkeys(group for group, *_ in drawn)
    print(f"\n| | lines | {' | '.join(ENGINES)} |\n| --- | --- |{' --- |' * len(ENGINES)}")
    shares: dict[str, dict[str, float]] = {}
    for group in groups:
        at = [number for number, case in enumerate(drawn) if case[0] == group]
        shares[group] = {engine: sum(not left_of(drawn[n][2], shown[engine][n], drawn[n][3]) for n in at) / len(at) for engine in ENGINES}
        print(f"| {group} | {len(at)} | {' | '.join(f'{shares[group][engine]:.0%}' for engine in ENGINES)} |")
    touched = {engine: sum(line != shown[engine][len(drawn) + n] for n, line in enumerate(clean)) / len(clean) for engine in ENGINES}
    print(f"| clean lines touched | {len(clean)} | {' | '.join(f'{touched[engine]:.1%}' for engine in ENGINES)} |")
    assert {} == {group: share for group, share in shares.items() if share["ours"] < max(share.values())}
    assert touched["ours"] <= 0.01
