"""The table of known formats: each rule finds its own examples, in whatever stands around them, whole and cut, and says when it was checked."""

from __future__ import annotations

import datetime as dt
import random
import re

import pytest
from kinds import left_of

from otel_tool_audit.redaction import MARK, Sanitizer
from otel_tool_audit.redaction.formats import Format, formats

ALPHABETS = {
    "h": "0123456789abcdef", "d": "0123456789", "l": "abcdefghijklmnopqrstuvwxyz0123456789", "u": "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", "2": "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
    "a": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "w": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
    "b": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", "L": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "o": "abcdefghijklmnopqrstuvwxyz",
}  # fmt: skip
PLACES = ("{}", "use {} please", '{{"v": "{}"}}', "x={}&y=1", "({})", "'{}',", "a\\n{}\\nb", "{}\nnext")
RULES = [(rule, example) for rule in formats() for example in rule.examples]


def draw(example: str, chance: random.Random) -> str:
    return re.sub(r"\{([a-zA-Z2])(\d+)\}", lambda part: "".join(chance.choices(ALPHABETS[part[1]], k=int(part[2]))), example)


@pytest.mark.parametrize(("rule", "example"), RULES, ids=[f"{rule.rule}-{at}" for at, (rule, _) in enumerate(RULES)])
def test_a_rule_finds_its_examples(rule: Format, example: str) -> None:
    """Wherever they stand; what stands around them stays."""
    sanitizer, chance = Sanitizer(), random.Random(example)
    left = []
    for place in PLACES:
        for _ in range(3):
            key = draw(example, chance)
            if left_of(key, sanitizer.text(place.format(key)).value, place + re.sub(r"\{[^}]*\}", "\0", example)):
                left.append(place.format(key))
    assert len(left) <= 1, left[:3]


@pytest.mark.parametrize(
    ("rule", "example"), [(r, e) for r, e in RULES if not r.search and len(r.keywords[0]) > 3], ids=lambda value: getattr(value, "rule", None)
)
def test_one_that_was_cut_is_known_by_its_beginning(rule: Format, example: str) -> None:
    """What a limit left of it goes, too; of keys whose beginning is a word as well, as long as letters and digits stand together."""
    sanitizer, chance = Sanitizer(), random.Random(example)
    left = []
    for _ in range(12):
        key = draw(example, chance)
        start = len(re.match(r"[^{]*", example)[0])
        cut = key[: chance.randint(min(start + 8, len(key)), len(key))]
        if len(cut) - start > 7 and MARK not in sanitizer.text(f"seen {cut}").value:
            left.append(cut)
    assert len(left) <= 2, left[:4]


def test_the_table_is_whole() -> None:
    """Each rule has a keyword, a pattern with a group, and a day in the past on which it was compared with its source."""
    for rule in formats():
        assert rule.keywords
        assert all(rule.keywords)
        assert re.compile(rule.source).groups >= 1
        assert dt.date(2026, 1, 1) <= dt.date.fromisoformat(rule.checked)
    assert 120 < len(formats())
