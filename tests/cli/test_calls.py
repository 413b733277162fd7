from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from made_calls import HOSTILE, Printed

Command = Callable[..., Printed]


def test_one_object_a_call_on_each_line(command: Command, trail: Path) -> None:
    """With jsonl there is a line for each call, oldest first, its records folded, with the record's field names and a status."""
    printed = command("calls", trail, "--format", "jsonl")
    found = [json.loads(line) for line in printed.out.splitlines()]
    assert (0, ["success", "error", "success", "interrupted"]) == (printed.code, [call["status"] for call in found])
    assert ["conv_1", "conv_2", "conv_3", "conv_4"] == [call["conversation_id"] for call in found]
    assert HOSTILE == found[2]["user_id"]
    assert [2, 2, 2, 1] == [len(call["records"]) for call in found]


def test_json_is_one_document(command: Command, trail: Path) -> None:
    """--json and --format json print the same: the calls, where the next page begins, and what the trail is worth."""
    found = json.loads(command("calls", trail, "--json").out)
    assert (4, None, "intact", []) == (len(found["calls"]), found["next"], found["trail"]["integrity"], found["trail"]["findings"])
    assert command("calls", trail, "--json") == command("calls", trail, "--format", "json")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--user", "usr_2"], [2]),
        (["--conversation", "conv_1"], [1]),
        (["--tool", "get_order"], [1, 3, 4]),
        (["--status", "error"], [2]),
        (["--status", "interrupted"], [4]),
        (["--trigger", "system"], []),
        (["--since", "2026-03-01T12:00:03Z"], [3, 4]),
        (["--since", "2026-03-01T13:00:03+01:00"], [3, 4]),
        (["--until", "2026-03-01T12:00:02"], [1]),
        (["--tool", "get_order", "--limit", "2"], [1, 3]),
        (["--since", "1m"], []),
    ],
)
def test_filters_are_named_like_attribution(command: Command, trail: Path, arguments: list[str], expected: list[int]) -> None:
    """Each filter leaves what matches; together all must."""
    found = json.loads(command("calls", trail, "--json", *arguments).out)["calls"]
    assert expected == [call["turn_number"] for call in found]


def test_data_can_not_forge_a_line(command: Command, trail: Path) -> None:
    """Neither line feeds nor escape sequences of a record reach the terminal, in any of the formats."""
    for arguments in (["calls", trail], ["calls", trail, "--format", "jsonl"], ["timeline", trail, "conv_3"], ["show", trail, f"{3:032x}"]):
        printed = command(*arguments)
        assert 0 == printed.code
        assert not set("\x1b\x9b\u202e\u2028\r") & set(printed.out)
        assert not [line for line in printed.out.splitlines() if line.startswith("[Turn 9]")]


def test_the_table_has_a_line_a_call(command: Command, trail: Path) -> None:
    """People see when, what came of it, who, where, what, how long, and where it stands."""
    lines = command("calls", trail, "--conversation", "conv_2").out.splitlines()
    assert ["TIME (UTC)           STATUS  USER   CONVERSATION  TOOL           TOOK  RECORD"] == lines[:1]
    assert ["2026-03-01 12:00:02  error   usr_2  conv_2        issue_refund  12 ms  financial/1"] == lines[1:]


def test_a_record_is_shown_by_its_address(command: Command, trail: Path) -> None:
    """CHAIN/SEQ shows that record, as it stands in its line."""
    found = json.loads(command("show", trail, "financial/1", "--json").out)
    assert ("tool_call.finished", 1, "financial", "issue_refund") == (found["event"], found["seq"], found["chain"], found["tool_name"])


def test_a_call_is_shown_by_its_id(command: Command, trail: Path) -> None:
    """A call's id shows who called what through whom, and the address and hash of each of its records."""
    found = json.loads(command("show", trail, f"{2:032x}", "--json").out)
    printed = command("show", trail, f"{2:032x}").out
    assert "User usr_2 → m → issue_refund [user_request]" == printed.splitlines()[0]
    for record in found["records"]:
        assert f"{record['chain']}/{record['seq']}" in printed
        assert record["hash"] in printed


def test_the_trail_may_be_named_by_the_variable(command: Command, trail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With OTEL_TOOL_AUDIT_TRAIL set, the thing asked for is the only argument."""
    monkeypatch.setenv("OTEL_TOOL_AUDIT_TRAIL", str(trail))
    assert command("show", trail, "general/0") == command("show", "general/0")
    assert command("timeline", trail, "conv_1") == command("timeline", "conv_1")
    assert command("calls", trail) == command("calls")


def test_the_timeline_is_told_in_the_usual_words(command: Command, trail: Path) -> None:
    """A turn is one line: turn, mark, tool, arguments, result, duration."""
    expected = '[Turn 1] ✅ get_order({"order_id": "ORD-1"}) → {"success": true} [12ms]\n'
    assert (0, expected, "") == command("timeline", trail, "conv_1")
    failed = '[Turn 2] ❌ issue_refund({"order_id": "ORD-2"}) → {"success": false, "error": "too late"} [12ms]\n'
    assert failed == command("timeline", trail, "conv_2").out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["show", "general/99"], "there is no general/99"),
        (["show", "nonsense"], "CHAIN/SEQ"),
        (["show"], "RECORD"),
        (["calls", "--since", "yesterdy"], "yesterday"),
        (["calls", "--status", "odd"], "odd"),
        (["calls", "--limit", "0"], "--limit"),
    ],
)
def test_a_mistake_gets_one_line_and_exit_code_2(
    command: Command, trail: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    """What was wrong is said in words, on stderr, without a stack trace."""
    monkeypatch.setenv("OTEL_TOOL_AUDIT_TRAIL", str(trail))
    printed = command(*arguments)
    assert (2, "") == (printed.code, printed.out)
    assert printed.err.startswith("error: ")
    assert says in printed.err
    assert "Traceback" not in printed.err


def test_nothing_found_is_an_answer(command: Command, trail: Path) -> None:
    """A filter that nothing matches exits 0, with nothing on stdout."""
    assert (0, "", "no calls\n") == command("calls", trail, "--user", "nobody")
