"""The list of checks: one more is one more value, and everything that tells of checks follows the list."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from making import Made, lines_of, write

from otel_tool_audit.cli.app import run
from otel_tool_audit.review.verify import checks
from otel_tool_audit.review.verify.block_check import BlockCheck
from otel_tool_audit.review.verify.blocks import Block
from otel_tool_audit.review.verify.checks import CHECKS, Check
from otel_tool_audit.review.verify.quick import quick_verify
from otel_tool_audit.review.verify.verifier import verify
from otel_tool_audit.review.verify.view import TrailView


class Refunds(BlockCheck):
    """Finds every block of lines, and the end."""

    def take(self, block: Block) -> None:
        for seq in range(block.first_seq, block.first_seq + block.lines):
            self.chain.find("made up", seq, f"record {seq} was handed over")

    def end(self) -> None:
        self.chain.find("made up", None, f"the end of {self.chain.name}")


def of_chains(view: TrailView) -> None:
    view.findings.find("made up", None, None, f"{sum(result.lines for result in view.chains)} lines")


MADE_UP = Check(99, "made up", "nothing is there", lines=Refunds, after=of_chains)


@pytest.fixture
def with_99(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "CHECKS", (*CHECKS, MADE_UP))


def test_numbers_and_names_are_unique_and_in_order() -> None:
    """Each check has a number and a name of its own, and the list is in the order of the numbers."""
    assert list(range(1, len(CHECKS) + 1)) == [check.number for check in CHECKS]
    assert len(CHECKS) == len({check.name for check in CHECKS})
    assert [f"{check.number} {check.name}" for check in CHECKS] == [check.label for check in CHECKS]


@pytest.mark.usefixtures("with_99")
def test_a_check_that_is_added_finds_what_it_finds(made: Made) -> None:
    """A check of lines is handed each line of each chain once, a check of the trail sees what was read, and both speak under number and name."""
    write(made, 1, 2)
    lines = {chain: len(lines_of(max((made.path / chain).glob("*.jsonl")))) for chain in ("general", "trail")}
    found = verify(made.path, state=str(made.state))
    expected = [(None, None, f"{sum(lines.values())} lines")]
    for chain, number in lines.items():
        expected += [(chain, seq, f"record {seq} was handed over") for seq in range(number)] + [(chain, None, f"the end of {chain}")]
    assert expected == [(finding.chain, finding.seq, finding.message) for finding in found.findings]
    assert ("broken", {"99 made up"}) == (found.integrity, {finding.check for finding in found.findings})


@pytest.mark.usefixtures("with_99")
def test_what_is_added_is_listed_by_its_number(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    """Its findings stand after those of lower numbers, in JSON and in the text that people read."""
    write(made, 1, 2)
    lines = lines_of(made.general)
    made.general.write_bytes(b"".join([lines[0].replace(b"issue_refund", b"issue_reward"), *lines[1:]]))
    arguments = ["verify", str(made.path), "--state", str(made.state)]
    assert 1 == run([*arguments, "--json"])
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert ["6 lines", *["99 made up"] * (len(findings) - 1)] == [finding["check"] for finding in findings]
    assert 1 == run(arguments)
    printed = capsys.readouterr().out
    assert "checks        failed: 6 lines, 99 made up; 12 content only with --deep\n" in printed
    assert "✗ general/1  record 1 was handed over  [99 made up]\n" in printed


def test_which_checks_were_made_is_told_by_their_numbers(made: Made, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A run of numbers is told by its ends, also where numbers are left out."""
    write(made)
    monkeypatch.setattr(checks, "CHECKS", (*CHECKS, Check(99, "made up", "nothing"), Check(120, "thorough", "nothing", deep=True)))
    told = []
    for option in ([], ["--deep"]):
        assert 0 == run(["verify", str(made.path), "--state", str(made.state), *option])
        told.append(capsys.readouterr().out.partition("checks        ")[2].partition("\n")[0])
    assert ["1 to 11, 99 pass; 12 content, 120 thorough only with --deep", "1 to 12, 99, 120 pass"] == told


def test_a_deep_check_is_made_only_where_it_is_asked_for(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """`deep` keeps a check out of a shallow verification."""
    write(made)
    monkeypatch.setattr(checks, "CHECKS", (*CHECKS, replace(MADE_UP, deep=True)))
    assert ["intact", "broken"] == [verify(made.path, state=str(made.state), deep=deep).integrity for deep in (False, True)]


def test_a_check_before_the_lines_counts_beside_every_answer(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can be told without reading a line is told of a long trail, too."""
    write(made)
    early = Check(99, "made up", "nothing", before=lambda view: view.findings.find("made up", "general", 3, "seen early"))
    monkeypatch.setattr(checks, "CHECKS", (*CHECKS, early))
    assert ("broken", ("general/3: seen early",)) == quick_verify(made.path, state=str(made.state), whole=0)[:2]
