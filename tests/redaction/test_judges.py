"""Other engines as judges: what gitleaks finds on lines drawn from its own rules and from ours is gone, or has a reason to stay."""

from __future__ import annotations

import json
import random
import subprocess
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest
from drawing import drawn
from kinds import KINDS, draw

from otel_tool_audit.redaction import Sanitizer

MODULE = Path(__file__).parents[1] / "real" / "gitleaks"
REASONS = {
    "discord-client-id": "the id of an application, which is public",
    "asana-client-id": "as above",
    "linkedin-client-id": "as above; where letters alone are drawn nothing tells them from a word",
    "jwt": "drawn letters are no JSON in base64: a token's header begins with eyJ",
    "microsoft-teams-webhook": "drawn letters are no UUIDs; where they are, all of it goes",
    "private-key": "drawn blanks and hyphens between the two lines are no key",
    "sourcegraph-access-token": "forty hex digits alone are a commit as well",
    "sidekiq-secret": "drawn with ||, which no configuration writes before it",
    "curl-auth-user": "one letter repeated, and no blank behind the option",
    "curl-auth-header": "a header named Key with ten letters and digits",
    "generic-api-key": "behind `access,` or `key,` stands the next field of a list as often",
    "nytimes-access-token": "drawn with a comma and another sign between name and value",
    "huggingface-access-token": "drawn letters of one case may have too little entropy",
    "slack-legacy-token": "two hex digits at the end",
    "slack-legacy-workspace-token": "eight letters, and no digit among them",
}
"""What gitleaks finds, by its rule's id, and ours does not: and why not."""


def rules(gitleaks: Path) -> list[tuple[str, str]]:
    """Read its rules' patterns out of its module; they are not ours to ship."""
    assert gitleaks.exists()
    found = subprocess.run(
        ["go", "list", "-m", "-f", "{{.Dir}}", "github.com/zricethezav/gitleaks/v8"],
        cwd=MODULE,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    read = tomllib.loads((Path(found.stdout.strip()) / "config" / "gitleaks.toml").read_text("utf-8"))
    return [(rule["id"], rule["regex"]) for rule in read["rules"] if rule.get("regex")]


def found_in(gitleaks: Path, lines: list[str]) -> dict[int, list[tuple[str, str]]]:
    """Ask it: which rule finds what, by the number of the line."""
    command = [gitleaks, "stdin", "--report-format", "json", "--report-path", "-", "--no-banner", "--log-level", "error", "--exit-code", "0"]
    done = subprocess.run(command, input="\n".join(lines) + "\n", capture_output=True, text=True, check=True, timeout=120)
    found = defaultdict(list)
    for finding in json.loads(done.stdout):
        found[finding["StartLine"] - 1].append((finding["RuleID"], finding["Secret"]))
    return found


@pytest.fixture(scope="module")
def drawn_lines(gitleaks: Path) -> list[str]:
    """Six lines of each of its rules."""
    lines = []
    for rule, regex in rules(gitleaks):
        chance = random.Random(rule)
        try:
            lines += [drawn(regex, chance).replace("\n", " ").replace("\r", " ") for _ in range(6)]
        except IndexError:
            # a class of signs that no letter is in: the rule's other alternatives are drawn by others
            continue
    return lines


def test_the_judge_refuses(gitleaks: Path) -> None:
    """It finds a key where there is one, and nothing where there is none."""
    key = "ghp_" + "Zx81Qw72Er63Ty54Ui45Op36As27Df18Gh09"
    assert {0: [("github-pat", key)]} == found_in(gitleaks, [f"use {key}", "nothing here"])


def test_what_gitleaks_finds_is_gone_or_has_a_reason(gitleaks: Path, drawn_lines: list[str]) -> None:
    """On lines drawn from its own patterns: at least 94 of 100 finds, and no rule without a reason is missed."""
    sanitizer = Sanitizer()
    found = found_in(gitleaks, drawn_lines)
    missed = defaultdict(list)
    total = 0
    for number, findings in found.items():
        clean = sanitizer.text(drawn_lines[number]).value
        for rule, secret in findings:
            total += 1
            if secret in clean:
                missed[rule].append(drawn_lines[number])
    print(f"\ngitleaks finds {total}; left: {sum(map(len, missed.values()))} { {rule: len(lines) for rule, lines in missed.items()} }")
    assert total > 1_000
    assert {} == {rule: lines[:2] for rule, lines in missed.items() if rule not in REASONS}
    assert sum(map(len, missed.values())) <= 0.06 * total


def test_gitleaks_finds_nothing_in_what_was_sanitized(gitleaks: Path) -> None:
    """Secrets of all our kinds: what comes out holds none that it knows."""
    sanitizer = Sanitizer()
    lines = []
    for kind in KINDS:
        chance = random.Random(f"judged {kind.name}")
        lines.append(sanitizer.text(kind.place.replace("§", draw(chance, kind))).value.replace("\n", " "))
    left = {
        lines[number][:120]: findings
        for number, findings in found_in(gitleaks, lines).items()
        if all("REDACTED" not in secret for _, secret in findings)
    }
    assert {} == left
