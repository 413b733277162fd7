from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from made_calls import Printed, call, record

from otel_tool_audit.trail.trail import Trail

Command = Callable[..., Printed]


def _change(trail: Path, old: bytes, new: bytes) -> None:
    segment = trail / "financial" / "000000000000.jsonl"
    data = segment.read_bytes()
    assert old in data
    segment.write_bytes(data.replace(old, new))


def test_an_untouched_trail_is_intact(command: Command, trail: Path) -> None:
    """Exit 0; JSON has the promised keys; an open call is a known gap, and no break."""
    printed = command("verify", trail, "--json")
    found = json.loads(printed.out)
    assert (0, True, "intact", "known gaps", []) == (printed.code, found["ok"], found["integrity"], found["completeness"], found["findings"])
    assert 7 <= found["records"]


def test_completeness_counts_when_it_is_required(command: Command, trail: Path) -> None:
    """--require-complete exits 3 where something is known to be missing, and 0 where nothing is."""
    assert 3 == command("verify", trail, "--require-complete").code
    with Trail.open(trail.parent / "whole") as opened:
        record(opened, call(1))
    printed = command("verify", trail.parent / "whole", "--require-complete", "--deep")
    assert 0 == printed.code
    assert "complete" in printed.out


def test_a_changed_record_is_named(command: Command, trail: Path) -> None:
    """Exit 1, and the finding names chain and record, in both formats."""
    _change(trail, b'"error":"too late"', b'"error":"too soon"')
    printed = command("verify", trail, "--json")
    found = json.loads(printed.out)
    assert (1, False, "broken") == (printed.code, found["ok"], found["integrity"])
    assert {"check", "chain", "seq", "message"} <= set(found["findings"][0])
    assert ("financial", 1) == (found["findings"][0]["chain"], found["findings"][0]["seq"])
    table = command("verify", trail)
    assert 1 == table.code
    assert "financial/1" in table.out
    assert "broken" in table.out


def test_a_trail_without_its_state_can_not_be_judged(command: Command, trail: Path, tmp_path: Path) -> None:
    """Exit 3: what is there holds, whether the end was cut off cannot be told."""
    copied = tmp_path / "elsewhere"
    shutil.copytree(trail, copied)
    printed = command("verify", copied, "--state", tmp_path / "another-state", "--json")
    assert (3, "cannot tell") == (printed.code, json.loads(printed.out)["integrity"])


def test_verifying_writes_nothing_in_the_trail(command: Command, trail: Path) -> None:
    """A verdict leaves every byte of the trail, and every time stamp, as it was."""
    before = {path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in trail.rglob("*")}
    command("verify", trail, "--deep")
    command("recover", trail)
    assert before == {path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in trail.rglob("*")}


def test_recover_says_what_a_broken_trail_needs(command: Command, trail: Path) -> None:
    """Without --accept nothing is changed: the verdict, its exit code, and the command that would accept it."""
    assert 0 == command("recover", trail).code
    _change(trail, b'"error":"too late"', b'"error":"too soon"')
    printed = command("recover", trail)
    assert 1 == printed.code
    assert f"otel-tool-audit recover {trail} --accept --reason" in printed.err


def test_accepting_a_loss_begins_an_epoch(command: Command, trail: Path) -> None:
    """With --accept and a reason the trail can be written again, and is intact no more for ever: 'cannot tell'."""
    (trail / "financial" / "000000000000.jsonl").write_bytes(b"")
    assert 1 == command("verify", trail).code
    printed = command("recover", trail, "--accept", "--reason", "restored from a backup", "--who", "auditor")
    assert 0 == printed.code
    assert "epoch 1 begins at financial/2" in printed.out
    with Trail.open(trail) as opened:
        record(opened, call(9, tool_name="issue_refund", retention_class="financial"))
    assert 3 == command("verify", trail).code


def test_accepting_needs_a_reason(command: Command, trail: Path) -> None:
    """Nobody accepts a loss without saying why."""
    printed = command("recover", trail, "--accept")
    assert (2, "") == (printed.code, printed.out)
    assert "--reason" in printed.err


def test_a_newer_format_can_not_be_judged(command: Command, trail: Path) -> None:
    """A trail of a format from the future is neither good nor broken."""
    document = trail / "trail.json"
    document.write_text(json.dumps(json.loads(document.read_text()) | {"format": 99}))
    for verb in ("calls", "verify"):
        printed = command(verb, trail)
        assert printed.code in (1, 3)
        assert "Traceback" not in printed.err


@pytest.mark.parametrize("arguments", [["verify", "--format", "xml"], ["verify", "--deeper"]])
def test_wrong_options_are_usage_errors(command: Command, trail: Path, arguments: list[str]) -> None:
    """What does not exist is named, with exit code 2."""
    printed = command(*arguments, trail)
    assert (2, "") == (printed.code, printed.out)
    assert arguments[-1] in printed.err
