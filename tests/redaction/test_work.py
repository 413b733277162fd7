"""Time is linear in the text, whatever stands in it: counted in work, not in seconds."""

from __future__ import annotations

import random
import sys
from typing import Any

import pytest

from otel_tool_audit.redaction import Keyring, Sanitizer
from otel_tool_audit.redaction.formats import formats
from otel_tool_audit.redaction.keys import KeyNames
from otel_tool_audit.redaction.texts import Texts
from otel_tool_audit.redaction.work import Exhausted, Work

WORST = 150
"""Characters that rules look at, for each character of the worst text."""

SEEDS = (
    "x_key:", "password=", "password='", 'password="', '"password": "', "token: ", "token:", "--token ", "-u a:b ", "-p ", "curl -u ", "Authorization: ", "eyJa", "eyJaaaaaaaa.", "eyJ-eyJ_", "sk-",
    "sk-ant-", "ghp_", "ghp_a1", "xoxb-1-", "AKIA", "-----BEGIN RSA PRIVATE KEY-----", "-----BEGIN ", "https://", "a://b:", "a@", "a@b.", "a@b.c", "1 ", "12-", "1.", "1.2.3.4 ", "a1:", "::", "DE89 ",
    "+1 (", "{", "[", "(", '{"a":', '["password",', "'", '"', "\\", '\\"', "%41", "&#65;", "&", "=", ":", " - ", "<a>", "<password>", "</", "key ", "pass ", "secret ", "code 1 ", "otp ", "é", "пароль ",
    "password is ", "a as password ", 'name="password"\n\n', "| password | x |\n", "acme_", "acme_a1", "_", "a-b_c.", "A1", "\n", "\t", " ", "x", "password: |\n ", "password={", "password=[", "password=f(",
    "api_key = os.getenv(", "-----END ", "…", "[truncated", "\x1b[1m", "identified by '", "-passin pass:", "sig=", "?code=", "BUNDLE_A__B:",
)  # fmt: skip


class Counted:
    """A call that nothing limits."""

    def __init__(self) -> None:
        self.work = Work(10**12)
        self.known: list[Any] = []

    def remember(self, *value: Any) -> None:
        self.known.append(value)


def work_of(text: str) -> int:
    call = Counted()
    Texts(KeyNames()).clean(text, call)
    return call.work.spent


def steps_of(text: str) -> int:
    """Count the calls that Python makes, of functions of its own and of C's."""
    steps = 0

    def count(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal steps
        steps += event in ("call", "c_call")

    texts, call = Texts(KeyNames()), Counted()
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        texts.clean(text, call)
    finally:
        sys.setprofile(before)
    return steps


def sized(seed: str, size: int) -> str:
    return seed * (size // len(seed)) + "!"


@pytest.mark.parametrize("seed", SEEDS)
def test_work_grows_no_faster_than_the_text(seed: str) -> None:
    """Four times the text is at most five times the work, and so many steps; a stated number of characters is looked at for each."""
    small, large = sized(seed, 4_000), sized(seed, 16_000)
    assert work_of(large) <= 5 * work_of(small) + 5_000
    assert work_of(large) <= WORST * len(large)
    assert steps_of(large) <= 5 * steps_of(small) + 5_000


@pytest.mark.parametrize("number", range(30))
def test_mixtures_are_linear_too(number: int) -> None:
    """Of what rules look for, drawn by chance, keywords of all formats among it."""
    chance = random.Random(number)
    keywords = [keyword for rule in formats() for keyword in rule.keywords]
    seed = "".join(chance.choice([*SEEDS, *keywords]) for _ in range(chance.randint(2, 6)))
    small, large = sized(seed, 4_000), sized(seed, 16_000)
    assert work_of(large) <= 5 * work_of(small) + 5_000
    assert work_of(large) <= WORST * len(large)
    assert steps_of(large) <= 5 * steps_of(small) + 5_000


def test_a_call_may_cost_so_much_and_no_more() -> None:
    """What comes after that is cut to its size and digest; short values before it are as they would have been."""
    sanitizer = Sanitizer(Keyring([("k1", b"k" * 32)]), max_text=2_000)
    value = {"first": "plain words", "costly": [sized("x_key:a1 ", 2_000) for _ in range(16)], "last": "password=hunter2xyz" * 10}
    clean, removed = sanitizer.value(value)
    cut = [item for item in clean["costly"] if isinstance(item, dict)]
    assert "plain words" == clean["first"]
    assert cut
    assert {"_cut", "_size", "_digest"} == cut[0].keys()
    assert "hunter2" not in repr(clean)
    assert "too-costly" in {redaction.rule for redaction in removed}


def test_the_limit_is_a_limit() -> None:
    """Whoever spends more is stopped."""
    with pytest.raises(Exhausted):
        Work(10).spend(10)
