from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from made_calls import Printed, call, record

from otel_tool_audit.review.verify import quick
from otel_tool_audit.review.verify.quick import quick_verify
from otel_tool_audit.trail.trail import Trail

Command = Callable[..., Printed]


@pytest.fixture
def shop(tmp_path: Path, state: Path) -> Path:
    """A closed trail of six calls in one conversation."""
    with Trail.open(tmp_path / "audit", service="shop", durability="os") as trail:
        for number in range(6):
            record(trail, call(number))
    return tmp_path / "audit"


def segment(trail: Path) -> Path:
    return trail / "general" / "000000000000.jsonl"


QUESTIONS = [["calls"], ["stats"], ["timeline", "conv_1"], ["tail"], ["show", "general/1"], ["sql", "SELECT 1 AS n"]]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question[0])
def test_every_answer_says_that_the_trail_is_broken(command: Command, shop: Path, question: list[str]) -> None:
    """The answer is given, stderr and JSON name the first finding, and the exit code is 1."""
    if question[0] == "sql":
        pytest.importorskip("duckdb")
    assert "the trail is broken" not in command(question[0], shop, *question[1:]).err
    segment(shop).write_bytes(segment(shop).read_bytes().replace(b'"ORD-3"', b'"ORD-9"', 1))
    printed = command(question[0], shop, *question[1:])
    assert 1 == printed.code
    assert printed.out
    assert "the trail is broken: general/6: " in printed.err
    found = json.loads(command(question[0], shop, *question[1:], "--json").out)["trail"]
    assert "broken" == found["integrity"]
    assert "general/6" in found["findings"][0]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question[0])
def test_every_document_says_what_the_trail_is_worth(command: Command, shop: Path, tmp_path: Path, question: list[str]) -> None:
    """Intact where it is; without a state directory nobody can tell, which changes no exit code of a question."""
    if question[0] == "sql":
        pytest.importorskip("duckdb")
    assert "intact" == json.loads(command(question[0], shop, *question[1:], "--json").out)["trail"]["integrity"]
    printed = command(question[0], shop, *question[1:], "--json", "--state", tmp_path / "nowhere")
    assert (0, "cannot tell") == (printed.code, json.loads(printed.out)["trail"]["integrity"])
    assert "cannot be told" in printed.err


def cut(trail: Path) -> None:
    segment(trail).write_bytes(segment(trail).read_bytes()[:-300])


def lengthen(trail: Path) -> None:
    segment(trail).write_bytes(segment(trail).read_bytes() + b'{"seq":12}\n')


def remove(trail: Path) -> None:
    shutil.rmtree(trail / "general")


def add(trail: Path) -> None:
    shutil.copy(segment(trail), trail / "general" / "000000000005.jsonl")


@pytest.mark.parametrize("attack", [cut, lengthen, remove, add])
def test_what_a_long_trail_lacks_is_noticed_without_reading_it(shop: Path, attack: Callable[[Path], None]) -> None:
    """Names, sizes and heads tell that lines were cut off or added, or that a chain is gone."""
    assert "not verified" == quick_verify(shop, whole=0).integrity
    attack(shop)
    found = quick_verify(shop, whole=0)
    assert "broken" == found.integrity
    assert found.findings[0].startswith("general")


def test_a_long_trail_is_never_called_intact(shop: Path) -> None:
    """A changed byte of the same length shows only where lines are hashed, so nothing is claimed; a short trail is hashed."""
    segment(shop).write_bytes(segment(shop).read_bytes().replace(b'"ORD-3"', b'"ORD-9"', 1))
    assert ("not verified", "broken") == (quick_verify(shop, whole=0).integrity, quick_verify(shop).integrity)


def test_a_long_trail_at_work_is_no_finding(shop: Path) -> None:
    """While a writer appends, nothing is wrong."""
    with Trail.open(shop, service="shop", durability="os") as trail:
        for number in range(20, 30):
            record(trail, call(number))
            assert ("not verified", ()) == quick_verify(shop, whole=0)[:2]


def test_looking_at_a_trail_writes_nothing(shop: Path, state: Path) -> None:
    """Neither into the trail nor into its state directory."""
    before = {path: path.stat().st_mtime_ns for root in (shop, state) for path in root.rglob("*")}
    quick_verify(shop)
    quick_verify(shop, whole=0)
    assert before == {path: path.stat().st_mtime_ns for root in (shop, state) for path in root.rglob("*")}
    assert quick.VERIFIED_WHOLE <= 8 << 20


@pytest.mark.parametrize("there", [True, False])
def test_a_wrong_state_directory_is_left_as_it_is(command: Command, shop: Path, tmp_path: Path, there: bool) -> None:
    """Whoever names the wrong directory by a slip finds nothing new in it, and none is made."""
    wrong = tmp_path / "wrong"
    if there:
        wrong.mkdir()
    for verb in (["verify"], ["calls"], ["stats"], ["report", "activity"], ["doctor"]):
        command(*verb, shop, "--state", wrong)
        assert (there, []) == (wrong.exists(), list(wrong.rglob("*")))
