from __future__ import annotations

import csv
import io
import json
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from made_calls import HOSTILE, Printed, call, record

from otel_tool_audit.access.reader import TrailReader
from otel_tool_audit.cli.pages import bar, sparkline
from otel_tool_audit.review.verify.neighbours import prove
from otel_tool_audit.trail.trail import Trail

Command = Callable[..., Printed]


@pytest.fixture
def shop(tmp_path: Path, state: Path) -> Path:
    """A closed trail of twelve calls over three days, slower and slower."""
    path = tmp_path / "audit"
    with Trail.open(path, service="shop", durability="os") as trail:
        for number in range(12):
            made = call(number, tool_name=f"tool_{number % 2}", timestamp=f"2026-03-{1 + 2 * (number // 6):02d}T12:00:{number:02d}.000000Z")
            record(trail, made, duration_ms=float(number), success=number != 5)
    return path


def listed(printed: Printed, name: str = "calls") -> list[dict]:
    assert 0 == printed.code, printed
    return json.loads(printed.out)[name]


def test_calls_are_sorted_by_any_field(command: Command, shop: Path) -> None:
    """--order-by and --descending; an unknown field is refused with the nearest first."""
    found = listed(command("calls", shop, "--order-by", "duration_ms", "--descending", "--limit", "3", "--json"))
    assert [11.0, 10.0, 9.0] == [c["duration_ms"] for c in found]
    printed = command("calls", shop, "--order-by", "durations")
    assert (2, "") == (printed.code, printed.out)
    assert "did you mean one of: duration_ms" in printed.err


def test_pages_give_every_call_once(command: Command, shop: Path) -> None:
    """The key that a page names leads to the next one, until there is none."""
    seen: list[str] = []
    key: list[str] = []
    for _ in range(10):
        printed = command("calls", shop, "--limit", "5", "--json", *key)
        seen += [c["call_id"] for c in listed(printed)]
        named = re.search(r"--after (\S+)", printed.err)
        if named is None:
            break
        key = ["--after", named[1]]
    assert sorted(set(seen)) == sorted(seen)
    assert 12 == len(seen)


def test_calls_as_csv_are_rows_that_run_nothing(command: Command, tmp_path: Path, state: Path) -> None:
    """CSV on stdout, with the formula's sign neutralised."""
    with Trail.open(tmp_path / "audit", durability="os") as trail:
        record(trail, call(1, user_id="=cmd|' /C calc'!A0"))
    rows = list(csv.DictReader(io.StringIO(command("calls", tmp_path / "audit", "--format", "csv").out, newline="")))
    assert ["'=cmd|' /C calc'!A0"] == [row["user_id"] for row in rows]


def test_a_file_gets_what_its_name_says(command: Command, shop: Path, tmp_path: Path) -> None:
    """-o calls.jsonl, calls.csv and calls.parquet, whole, and for their owner only."""
    for style, count in (("jsonl", lambda p: len(p.read_text().splitlines())), ("csv", lambda p: len(p.read_text().splitlines()) - 1)):
        target = tmp_path / f"calls.{style}"
        assert (0, "") == command("calls", shop, "-o", target)[:2]
        assert (12, 0o600) == (count(target), target.stat().st_mode & 0o777)
    parquet = pytest.importorskip("pyarrow.parquet")
    command("calls", shop, "-o", tmp_path / "calls.parquet")
    assert 12 == parquet.read_table(tmp_path / "calls.parquet").num_rows


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["calls", "--format", "cvs"], "there is no 'cvs'; there are: csv"),
        (["calls", "--format", "parquet"], "--output"),
        (["calls", "-o", "calls.txt"], "csv"),
        (["calls", "-o", "/nowhere/calls.csv"], "cannot be written"),
        (["calls", "--after", "nonsense"], "key"),
        (["stats", "--every", "dya"], "there are: day"),
        (["tail", "--json", "-f"], "jsonl"),
        (["calls", "--statos", "error"], "--status"),
    ],
)
def test_a_mistake_names_what_there_is(command: Command, shop: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str) -> None:
    """One line, exit code 2, and the nearest valid value first."""
    monkeypatch.setenv("OTEL_TOOL_AUDIT_TRAIL", str(shop))
    printed = command(*arguments)
    assert (2, "") == (printed.code, printed.out)
    assert says in printed.err


def test_statistics_are_a_table_and_a_document(command: Command, shop: Path) -> None:
    """Each tool and all together; over time with the days on which nothing was called."""
    found = json.loads(command("stats", shop, "--json").out)
    assert (12, 6, 11.0) == (found["total"]["calls"], found["tools"][0]["calls"], found["total"]["max_ms"])
    lines = command("stats", shop, "--every", "day").out.splitlines()
    assert ["TOOL", "CALLS"] == lines[0].split()[:2]
    assert "all" == lines[-1].split()[0]
    # the middle day is a blank between two bars
    assert re.search(r"█ █$", lines[-1])
    assert 3 == len(command("stats", shop, "--format", "jsonl").out.splitlines())


def test_nothing_is_never_drawn_as_something() -> None:
    """A bar for nothing is blank, the smallest something can be seen, the largest is full."""
    assert " ▁█" == sparkline([0, 1, 1000])
    assert ("", "▏", "█" * 24) == (bar(0), bar(0.0001), bar(1))


def test_show_tells_how_a_record_stands(command: Command, shop: Path) -> None:
    """Its hash, what it follows and what follows it; and where its trace is seen."""
    printed = command("show", shop, "general/4", "--trace-url", "http://localhost:16686")
    assert all(part in printed.out for part in ("before it", "general/3", "after it", "general/5", "its hash holds", "the next record names it"))
    found = json.loads(command("show", shop, "general/4", "--json").out)
    assert (True, "general/3", "general/5") == (found["proof"]["ok"], found["proof"]["before"], found["proof"]["after"])


def test_the_first_and_the_last_record_have_one_neighbour(shop: Path) -> None:
    """What cannot be compared is not called proven."""
    reader = TrailReader(shop)
    first, last = prove(reader, "general", 0), prove(reader, "general", 23)
    assert first
    assert last
    assert (None, True) == (first.follows, first.followed)
    assert (True, None) == (last.follows, last.followed)
    assert prove(reader, "general", 24) is None


@pytest.mark.parametrize(("old", "new", "holds"), [(b'"tool_1"', b'"tool_7"', False), (b'"seq":4,', b'"seq":4,', True)])
def test_a_changed_record_is_not_proven(shop: Path, old: bytes, new: bytes, holds: bool) -> None:
    """A line whose bytes were changed does not hold."""
    segment = shop / "general" / "000000000000.jsonl"
    lines = segment.read_bytes().split(b"\n")
    lines[2] = lines[2].replace(old, new, 1)
    segment.write_bytes(b"\n".join(lines))
    found = prove(TrailReader(shop), "general", 2)
    assert found
    assert holds is found.holds is found.ok


def test_tail_shows_the_latest(command: Command, shop: Path) -> None:
    """The last calls, oldest of them first, filtered like calls."""
    printed = command("tail", shop, "-n", "2", "--tool", "tool_0")
    assert [8, 10] == [int(line.split()[1].rpartition(":")[2]) for line in printed.out.splitlines()[1:]]


def test_tail_goes_on_with_calls_as_they_end(shop: Path) -> None:
    """-f gives each call that matches, once, soon after it ended, however hostile; Ctrl-C ends it."""
    command = [sys.executable, "-m", "otel_tool_audit", "tail", str(shop), "-f", "-n", "0", "--format", "jsonl", "--conversation", "conv_9"]
    # whoever runs the tests in the background has SIGINT ignored, and children inherit that
    heeding = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", preexec_fn=heeding) as process:  # noqa: PLW1509 - one system call, no lock
        assert process.stderr
        assert process.stdout
        assert "waiting" in process.stderr.readline()
        with Trail.open(shop, service="shop", durability="os") as trail:
            for number in range(20, 26):
                record(trail, call(number, conversation_id="conv_9" if number % 2 else "conv_8", user_id=HOSTILE))
            told = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.send_signal(signal.SIGINT)
        assert 130 == process.wait(30)
    assert [21, 23, 25] == [found["turn_number"] for found in told]
    assert ["success"] * 3 == [found["status"] for found in told]
    assert 2 == len(told[0]["records"])


@pytest.mark.parametrize("verb", ["calls", "stats"])
def test_what_cannot_be_read_is_said(command: Command, shop: Path, verb: str) -> None:
    """A line that is no record is passed over, counted, and told beside the answer."""
    segment = shop / "general" / "000000000000.jsonl"
    lines = segment.read_bytes().split(b"\n")
    lines[3] = b"\x00" * len(lines[3])
    segment.write_bytes(b"\n".join(lines))
    printed = command(verb, shop)
    assert 1 == printed.code
    assert "1 line could not be read and is missing here" in printed.err


def test_sql_reads_and_is_on_record(command: Command, shop: Path) -> None:
    """A SELECT over calls and records is answered in any format; the trail holds the question."""
    pytest.importorskip("duckdb")
    text = "SELECT tool_name, count(*) AS n FROM calls GROUP BY 1 ORDER BY 1"
    assert [{"tool_name": "tool_0", "n": 6}, {"tool_name": "tool_1", "n": 6}] == listed(command("sql", shop, text, "--json"), "rows")
    assert '"tool_name","n"\r\n"tool_0",6\r\n"tool_1",6\r\n' == command("sql", shop, text, "--format", "csv").out
    assert ["TOOL_NAME", "N"] == command("sql", shop, text).out.split()[:2]
    before, after = [r["details"] for r in TrailReader(shop).records("trail") if r["event"] == "trail.read"][:2]
    assert ("sql", text, None) == (before["what"], before["filters"]["sql"], before["count"])
    assert ("sql", text, 2, True) == (after["what"], after["filters"]["sql"], after["count"], after["complete"])


@pytest.mark.parametrize("text", ["SELECT error(user_id) FROM calls", "SELECT CAST(user_id AS INTEGER) FROM calls", "SELECT nothing FROM calls"])
def test_a_question_that_fails_is_on_record_and_shows_no_value(command: Command, shop: Path, text: str) -> None:
    """Before it is asked, and again as broken off; an error of the database could show any value, and shows none."""
    pytest.importorskip("duckdb")
    users = {str(call["user_id"]) for call in listed(command("calls", shop, "--json"), "calls")}
    printed = command("sql", shop, text)
    assert 2 == printed.code
    assert not [user for user in users if user in printed.err + printed.out]
    asked = [r["details"] for r in TrailReader(shop).records("trail") if r["event"] == "trail.read" and r["details"]["what"] == "sql"]
    assert [(text, None, True), (text, None, False)] == [(a["filters"]["sql"], a["count"], a["complete"]) for a in asked]


@pytest.mark.parametrize(
    "text",
    [
        "DROP TABLE calls",
        "COPY calls TO '/tmp/stolen.csv'",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT 1; SELECT 2",
        "INSTALL httpfs",
        "SELEC 1",
        "ATTACH 'x.db'",
    ],
)
def test_sql_can_do_nothing_else(command: Command, shop: Path, text: str) -> None:
    """What writes, opens or loads anything is refused in words."""
    pytest.importorskip("duckdb")
    printed = command("sql", shop, text)
    assert (2, "") == (printed.code, printed.out)
    assert "Traceback" not in printed.err


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells and bounds a process' memory so")
def test_one_huge_value_takes_no_more_memory_than_it_may(command: Command, shop: Path) -> None:
    """DuckDB does not count a single value; the process is bounded while it answers, and no longer."""
    pytest.importorskip("duckdb")
    before = resource.getrlimit(resource.RLIMIT_AS)
    printed = command("sql", shop, "SELECT repeat('x', 4000000000)")
    assert (2, "error: the question takes more memory than it may; ask for less") == (printed.code, printed.err.splitlines()[1])
    assert before == resource.getrlimit(resource.RLIMIT_AS)


def test_calls_can_be_verified_one_by_one(command: Command, shop: Path) -> None:
    """--verified stops at a call whose record does not hold, and names it; the exit code is that of an answer that is not checked record by record."""
    assert 12 == len(listed(command("calls", shop, "--verified", "--json")))
    segment = shop / "general" / "000000000000.jsonl"
    segment.write_bytes(segment.read_bytes().replace(b'"usr_1"', b'"usr_9"', 1))
    printed = command("calls", shop, "--verified")
    assert (1, 1) == (printed.code, command("calls", shop).code)
    assert "record general/0 of call" in printed.err


def test_an_error_of_sql_shows_where_it_is(command: Command, shop: Path) -> None:
    """The database's own message, line by line, set in so that none of them can be taken for another message."""
    pytest.importorskip("duckdb")
    lines = command("sql", shop, "SELECT foo FROM calls").err.splitlines()[1:]
    assert lines[0].startswith('error: SQL: Binder Error: Referenced column "foo" not found')
    assert ["       LINE 1: SELECT foo FROM calls", "                      ^"] == [lines[-2], lines[-1].rstrip("^") + "^"]
    assert all(line.startswith("       ") for line in lines[1:])


@pytest.mark.parametrize(("verb", "what"), [("show", "RECORD"), ("timeline", "CONVERSATION")])
def test_a_directory_alone_is_asked_for_the_rest(command: Command, shop: Path, verb: str, what: str) -> None:
    """Whoever names the trail and forgets what to show is told what is missing."""
    printed = command(verb, shop)
    assert (2, "") == (printed.code, printed.out)
    assert f"{shop} is a directory: which {what}" in printed.err


@pytest.mark.parametrize(
    ("verb", "style", "begins"),
    [
        (["stats"], "csv", '"tool","calls","succeeded"'),
        (["stats"], "md", "| TOOL | CALLS |"),
        (["timeline", "conv_1"], "csv", '"call_id","service"'),
        (["timeline", "conv_1"], "jsonl", '{"call_id": '),
        (["timeline", "conv_1"], "md", "# Conversation conv\\_1"),
        (["tail"], "csv", '"call_id","service"'),
        (["tail"], "json", '{"calls": ['),
        (["sql", "SELECT tool_name FROM calls"], "md", "| tool\\_name |"),
    ],
)
def test_answers_in_more_formats(command: Command, shop: Path, verb: list[str], style: str, begins: str) -> None:
    """What a spreadsheet, a ticket or a program takes, on stdout."""
    if verb[0] == "sql":
        pytest.importorskip("duckdb")
    printed = command(verb[0], shop, *verb[1:], "--format", style)
    assert 0 == printed.code
    assert printed.out.startswith(begins)


def test_the_trail_s_size_is_told(command: Command, shop: Path) -> None:
    """Verify counts the bytes of the lines that hold: here all there are."""
    found = json.loads(command("verify", shop, "--json").out)["chains"]
    assert {name: (shop / name / "000000000000.jsonl").stat().st_size for name in ("general", "trail")} == {
        name: chain["bytes"] for name, chain in found.items()
    }
    assert "KiB" in command("verify", shop).out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["show", "{trail}", "generel/1"], "there is no generel/1 in {trail}; its chains are: general, trail"),
        (["show", "{trail}", "general/24"], "the last record of chain general is general/23"),
        (["show", "{trail}", "f" * 32], "there is no ffff"),
        (["calls", "{trail}/general"], "{trail}/general is a part of the trail {trail}: name that one"),
    ],
)
def test_who_asks_for_what_is_not_there_is_told_what_is(command: Command, shop: Path, arguments: list[str], says: str) -> None:
    """Chains, the last record, the trail that a chain belongs to."""
    printed = command(*(part.format(trail=shop) for part in arguments))
    assert (2, "") == (printed.code, printed.out)
    assert says.format(trail=shop) in printed.err
