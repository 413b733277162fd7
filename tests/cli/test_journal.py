from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from made_calls import Printed, call, record

from otel_tool_audit.access import journal as journal_module
from otel_tool_audit.access.reader import TrailReader
from otel_tool_audit.host.locks import LOCK_DEADLINE
from otel_tool_audit.review.source.opened import OpenedTrail
from otel_tool_audit.review.verify.verifier import verify
from otel_tool_audit.trail.trail import Trail

Command = Callable[..., Printed]


@pytest.fixture
def patients(tmp_path: Path, state: Path) -> Path:
    """A closed trail in which two patients' records were opened."""
    path = tmp_path / "audit"
    with Trail.open(path, service="clinic", durability="os") as trail:
        for number, subject in enumerate(["patient-1", "patient-2", "patient-1"], 1):
            record(trail, call(number, subject=subject, retention_class="healthcare"))
    return path


def readings(path: Path) -> list[dict]:
    return [r for r in TrailReader(path).records("trail") if r["event"] in {"trail.read", "trail.exported"}]


def test_a_query_of_subject_data_is_on_record_before_it_is_answered(command: Command, patients: Path) -> None:
    """Who asked, with which filters, why, and how many rows he got; the subject as its pseudonym only."""
    printed = command("calls", patients, "--subject", "patient-1", "--as", "Dr. Ada", "--reason", "complaint 17", "--json")
    assert 2 == len(json.loads(printed.out)["calls"])
    (entry,) = readings(patients)
    assert f"this reading is on record: trail/{entry['seq']}\n" == printed.err
    details = entry["details"]
    assert ("calls", "complaint 17", 2, True) == tuple(details[k] for k in ("what", "reason", "count", "complete"))
    assert ("Dr. Ada", os.getuid()) == (details["who"]["as"], details["who"]["uid"])
    assert details["filters"]["subject"].startswith("psn:")
    assert b"patient-1" not in b"".join(file.read_bytes() for file in (patients / "trail").iterdir())


def test_the_trail_verifies_after_it_was_read(command: Command, patients: Path) -> None:
    """What a reader writes is the chain's next record, and nothing is incomplete afterwards."""
    command("calls", patients, "--subject", "patient-1")
    found = verify(patients, deep=True)
    assert ("intact", "complete") == (found.integrity, found.completeness)


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (["calls", "--user", "usr_1"], 3),
        (["calls", "--user", "usr_1", "--limit", "1", "--format", "csv"], 1),
        (["timeline", "conv_1"], 3),
        (["tail", "-n", "2"], 2),
        (["show", "healthcare/1"], 1),
        (["show", f"{2:032x}"], 1),
        (["sql", "SELECT subject FROM calls"], 3),
    ],
)
def test_what_shows_a_subject_s_data_is_on_record(command: Command, patients: Path, arguments: list[str], count: int) -> None:
    """However it was asked for: who sees what was done with a patient's data has looked at it."""
    if arguments[0] == "sql":
        pytest.importorskip("duckdb")
    printed = command(arguments[0], patients, *arguments[1:], "--as", "Ada", "--reason", "17")
    first, *more = readings(patients)
    # a question in SQL is on record before it is asked, and once more when it was answered
    assert (1 if arguments[0] == "sql" else 0) == len(more)
    assert f"this reading is on record: trail/{first['seq']}" == printed.err.splitlines()[0]
    entry = (more or [first])[0]
    assert (arguments[0], count, "Ada", "17") == (
        entry["details"]["what"],
        entry["details"]["count"],
        entry["details"]["who"]["as"],
        entry["details"]["reason"],
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["calls", "--user", "nobody"],
        ["calls", "--tool", "issue_refund"],
        ["stats"],
        ["timeline", "conv_2"],
        ["tail", "--tool", "issue_refund"],
        ["show", "trail/0"],
    ],
)
def test_other_questions_leave_no_record(command: Command, patients: Path, arguments: list[str]) -> None:
    """What shows nobody's data is not recorded, else every look would fill the trail."""
    with Trail.open(patients, service="clinic", durability="os") as trail:
        record(trail, call(9, tool_name="issue_refund", conversation_id="conv_2"))
    assert 0 == command(arguments[0], patients, *arguments[1:]).code
    assert [] == readings(patients)


def test_a_long_answer_is_on_record_before_the_first_subject_s_data(command: Command, patients: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when that comes late: with a count at the end."""
    with Trail.open(patients, service="clinic", durability="os") as trail:
        for number in range(10, 14):
            record(trail, call(number, timestamp=f"2026-02-01T00:00:{number}.000000Z"))
    monkeypatch.setattr(journal_module, "PEEK", 1)
    command("calls", patients)
    before, after = readings(patients)
    assert (None, 7) == (before["details"]["count"], after["details"]["count"])


@pytest.mark.parametrize(
    ("arguments", "hidden"),
    [
        (["calls", "--format", "parquet"], None),
        (["calls", "-o", "/nowhere/calls.csv"], None),
        (["calls", "-o", "{here}/calls.parquet"], "pyarrow"),
        (["calls", "-o", "{here}/calls.docx"], None),
        (["tail", "--json", "-f"], None),
        (["report", "access", "-o", "{here}/access.html"], "jinja2"),
        (["report", "access", "-o", "{here}/access.pdf"], "typst"),
        (["report", "activity", "-o", "/nowhere/activity.json"], None),
        (["sql", "SELECT 1", "--format", "table", "-o", "{here}/x.csv"], None),
        (["sql", "SELECT 1"], "duckdb"),
        (["export", "--format", "parquet", "-o", "{here}/out"], "pyarrow"),
        (["timeline", "conv_1", "-o", "{here}"], None),
    ],
)
def test_what_is_not_answered_is_not_on_record(
    command: Command, patients: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], hidden: str | None
) -> None:
    """What is wrong with the question, its file, or what is installed, is found before anything is read."""
    if hidden is not None:
        monkeypatch.setitem(sys.modules, hidden, None)
    monkeypatch.setenv("OTEL_TOOL_AUDIT_TRAIL", str(patients))
    subject = [] if arguments[0] == "timeline" else ["--subject", "patient-1"]
    printed = command(*(part.format(here=tmp_path) for part in arguments), *subject)
    assert (2, "") == (printed.code, printed.out)
    assert [] == readings(patients)
    assert ["audit", "state"] == sorted(entry.name for entry in tmp_path.iterdir())


def test_secrets_in_a_question_stay_out(command: Command, patients: Path) -> None:
    """What a reader types is sanitized like anything else before it is written."""
    command("calls", patients, "--subject", "patient-1", "--reason", "key sk-live-51H8xYzKq0abcdefghijklmnop")
    assert b"sk-live-51H8xYzKq0" not in b"".join(file.read_bytes() for file in (patients / "trail").iterdir())


def test_a_long_answer_is_on_record_before_and_after(command: Command, patients: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows than are counted in advance: a record without a count first, one with it at the end."""
    monkeypatch.setattr(journal_module, "PEEK", 1)
    command("calls", patients, "--subject", "patient-1")
    before, after = readings(patients)
    assert (None, 2) == (before["details"]["count"], after["details"]["count"])
    assert f"trail/{before['seq']}" == after["details"]["begun"]


def test_an_answer_that_is_broken_off_says_so(patients: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who stops reading after the first row is on record with what he got."""
    monkeypatch.setattr(journal_module, "PEEK", 1)
    journal = journal_module.Journal(OpenedTrail(patients))
    rows = journal_module.audited(iter([{"subject": None}, {"subject": "psn:1"}, {}]), journal, journal_module.Reading("calls", {"subject": "psn:1"}))
    assert {"subject": None} == next(rows)
    rows.close()
    assert (1, False) == tuple(readings(patients)[-1]["details"][k] for k in ("count", "complete"))


def unchanged(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def test_a_copy_answers_and_is_left_as_it_is(command: Command, patients: Path, tmp_path: Path) -> None:
    """On a copy nothing is written, which is said; the answer is the same."""
    there = command("calls", patients, "--subject", "patient-1", "--json").out
    copy = tmp_path / "copy"
    shutil.copytree(patients, copy)
    before = unchanged(copy)
    printed = command("calls", copy, "--subject", "patient-1", "--json")
    assert (0, json.loads(there)["calls"]) == (printed.code, json.loads(printed.out)["calls"])
    assert "this reading is not on record: this is a copy of the trail\n" == printed.err
    assert before == unchanged(copy)


def test_without_the_state_directory_the_question_is_answered(command: Command, patients: Path, tmp_path: Path) -> None:
    """Whoever has no access to the state can read what is stored in clear, is told that this may not be all, and writes nothing."""
    before = unchanged(patients)
    printed = command("calls", patients, "--subject", "patient-1", "--json", "--state", tmp_path / "none-there")
    assert (3, 2) == (printed.code, len(json.loads(printed.out)["calls"]))
    assert "this reading is not on record: there is no state directory" in printed.err
    assert (before, False) == (unchanged(patients), (tmp_path / "none-there").exists())


def test_a_state_that_never_knew_the_trail_does_not_adopt_it(command: Command, patients: Path, tmp_path: Path) -> None:
    """A reader's own state directory never becomes the trail's by a question."""
    other = tmp_path / "other-state"
    other.mkdir()
    before = unchanged(patients)
    printed = command("calls", patients, "--subject", "patient-1", "--state", other)
    assert "has never known this trail" in printed.err
    assert (before, []) == (unchanged(patients), list(other.iterdir()))


def test_another_user_never_writes(command: Command, patients: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of another owner would break the trail: root, too, only reads what is not his."""
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    before = unchanged(patients)
    printed = command("calls", patients, "--subject", "patient-1")
    assert "belongs to another user" in printed.err
    assert before == unchanged(patients)


def test_read_only_media_are_read(command: Command, patients: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system says that nothing can be written, nothing is tried."""
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode, **rest: access(path, mode, **rest) and not (mode & os.W_OK and str(path) == str(patients)))
    printed = command("calls", patients, "--subject", "patient-1", "--json")
    assert 2 == len(json.loads(printed.out)["calls"])
    assert f"the trail {patients} cannot be written" in printed.err


def test_a_lock_that_hangs_delays_the_answer_but_never_prevents_it(command: Command, patients: Path, state: Path) -> None:
    """Reading waits for a busy lock a bounded time, says that it is not on record, and answers."""
    code = f"import fcntl,sys,time; f = open({str(state / 'lock')!r}, 'r+'); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            holder.stdout.readline()
            began = time.monotonic()
            printed = command("calls", patients, "--subject", "patient-1", "--json")
            assert time.monotonic() - began < 6 * LOCK_DEADLINE
        finally:
            holder.send_signal(signal.SIGKILL)
    assert (0, 2) == (printed.code, len(json.loads(printed.out)["calls"]))
    assert "this reading is not on record: " in printed.err
    assert "locked" in printed.err


def test_a_broken_trail_is_read_and_not_written(command: Command, patients: Path) -> None:
    """Where a writer would refuse, the reader says so, and answers with what is there."""
    segment = patients / "trail" / "000000000000.jsonl"
    segment.write_bytes(segment.read_bytes()[:-200])
    printed = command("calls", patients, "--subject", "patient-1", "--json")
    assert (1, 2) == (printed.code, len(json.loads(printed.out)["calls"]))
    assert "this reading is not on record: " in printed.err


def test_reading_joins_writers_at_work(command: Command, patients: Path) -> None:
    """While an agent writes, a question is recorded between his records, and the trail stays whole."""
    with Trail.open(patients, service="clinic", durability="os") as trail:
        record(trail, call(7, subject="patient-1", retention_class="healthcare"))
        assert "is on record" in command("calls", patients, "--subject", "patient-1").err
        record(trail, call(8, subject="patient-1", retention_class="healthcare"))
    found = verify(patients, deep=True)
    assert ("intact", "complete") == (found.integrity, found.completeness)
