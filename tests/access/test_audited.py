"""Reading from Python is on record exactly as reading by the command is."""

from __future__ import annotations

import gc
import inspect
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from made_calls import Printed, call, record
from readings import readings

import otel_tool_audit as audit
from otel_tool_audit.access import journal
from otel_tool_audit.access.following import LatestCalls
from otel_tool_audit.access.journal import Entry
from otel_tool_audit.access.rules import RECORDED, RecordedWhen
from otel_tool_audit.diagnosis.doctor import examine
from otel_tool_audit.review.reconcile.otlp_files import OtlpFiles
from otel_tool_audit.review.reconcile.run import reconcile
from otel_tool_audit.review.source.workers import Worker
from otel_tool_audit.review.verify.verifier import verify
from otel_tool_audit.trail.trail import Trail

Command = Callable[..., Printed]
PERIOD = ["--since", "2026-03-01", "--until", "2026-03-02"]
DURING = {"since": "2026-03-01", "until": "2026-03-02"}


def reader(path: Path, **more: Any) -> audit.TrailReader:
    return audit.TrailReader(path, asked_by="Ada", reason="complaint 17", **more)


def latest(path: Path, number: int) -> list[dict[str, Any]]:
    """Give what the latest records of readings say, without what no two of them share."""
    return [
        {k: v for k, v in r["details"].items() if k not in {"begun", "manifest_sha256"}} | {"event": r["event"]} for r in readings(path)[-number:]
    ]


@pytest.mark.parametrize(
    ("arguments", "ask", "number"),
    [
        (["calls", "--subject", "patient-1"], lambda r, _: list(r.calls(subject="patient-1")), 1),
        (["calls", "--user", "usr_1", *PERIOD], lambda r, _: list(r.calls(user="usr_1", **DURING)), 1),
        (["calls", "--user", "usr_1"], lambda r, _: list(r.by_user("usr_1")), 1),
        (["calls", "--conversation", "conv_1"], lambda r, _: list(r.by_conversation("conv_1")), 1),
        (["calls", "--tool", "get_order", "--limit", "2"], lambda r, _: list(r.calls(tool="get_order", order_by="timestamp", limit=2)), 1),
        (["timeline", "conv_1"], lambda r, _: r.timeline("conv_1"), 1),
        (["stats", "--subject", "patient-1"], lambda r, _: r.statistics(subject="patient-1"), 1),
        (["show", "healthcare/1"], lambda r, _: r.record("healthcare", 1), 1),
        (["show", f"{2:032x}"], lambda r, _: r.call(f"{2:032x}"), 1),
        (["tail", "-n", "2", "--user", "usr_1"], lambda r, _: LatestCalls(r, 2, {"user": "usr_1"}, follow=False), 1),
        (["report", "access", "--subject", "patient-1", *PERIOD], lambda r, _: r.access_report("patient-1", "2026-03-01", "2026-03-02"), 1),
        (["report", "conversation", "--conversation", "conv_2"], lambda r, _: r.conversation_report("conv_2"), 1),
        (["report", "activity", "--tool", "get_order"], lambda r, _: r.activity_report(tool="get_order"), 1),
        (["export", "--subject", "patient-1", "-o", "{out}"], lambda r, out: r.export(out, subject="patient-1"), 2),
        (["export", "--format", "csv", "-o", "{out}"], lambda r, out: r.export(out, "csv"), 2),
    ],
)
def test_python_leaves_the_record_that_the_command_leaves(
    command: Command, clinic: Path, tmp_path: Path, arguments: list[str], ask: Callable[[Any, Path], Any], number: int
) -> None:
    """Who, why, what, with which filters, how many rows: word for word, and once."""
    verb = arguments[: 2 if arguments[0] == "report" else 1]
    rest = [part.format(out=tmp_path / "one") for part in arguments[len(verb) :]]
    assert 0 == command(*verb, clinic, *rest, "--as", "Ada", "--reason", "complaint 17").code
    expected = latest(clinic, number)
    assert number == len(readings(clinic))
    asked = reader(clinic)
    ask(asked, tmp_path / "two")
    assert 2 * number == len(readings(clinic))
    assert expected == latest(clinic, number)
    assert f"trail/{readings(clinic)[-number]['seq']}" == asked.on_record.address
    assert ("intact", "complete") == ((found := verify(clinic)).integrity, found.completeness)


def test_sql_is_on_record_with_its_question(command: Command, clinic: Path) -> None:
    """What SQL shows only its text tells, so every question is recorded, also one that the command reads from stdin."""
    pytest.importorskip("duckdb")
    command("sql", clinic, "SELECT count(*) FROM calls", "--as", "Ada", "--reason", "complaint 17")
    expected = latest(clinic, 1)
    assert [(4,)] == reader(clinic).sql("SELECT count(*) FROM calls").rows
    assert expected == latest(clinic, 1)
    piped = [sys.executable, "-m", "otel_tool_audit", "sql", str(clinic), "-"]
    subprocess.run(piped, input="SELECT 7", capture_output=True, text=True, check=True, timeout=60)
    assert "SELECT 7" == latest(clinic, 1)[0]["filters"]["sql"]


def test_tables_are_readings(clinic: Path) -> None:
    """Who takes an answer as an Arrow table has read it."""
    pytest.importorskip("pyarrow")
    assert 2 == reader(clinic).calls(subject="patient-1").arrow().num_rows
    assert [2] == [r["details"]["count"] for r in readings(clinic)]


def found(asked: audit.TrailReader) -> list[bytes | None]:
    with asked.finding() as find:
        return [find("healthcare", seq) for seq in range(4)]


RAW: dict[str, Callable[[Any], Any]] = {
    "records of a chain": lambda r: list(r.records("healthcare")),
    "records": lambda r: list(r.records()),
    "lines": lambda r: list(r.lines("healthcare")),
    "a line": lambda r: r.line("healthcare", 0),
    "lines that are found": found,
    "what was appended": lambda r: list(r.appended({})),
}


@pytest.mark.parametrize("how", RAW)
def test_raw_records_of_a_subject_are_readings(clinic: Path, how: str) -> None:
    """Below the calls there is no way round: lines and records that show a subject's data are on record, once."""
    assert RAW[how](reader(clinic))
    assert 1 == len(readings(clinic))


NOBODY: dict[str, Callable[[Any], Any]] = {
    "calls": lambda r: list(r.calls(conversation="conv_2")),
    "timeline": lambda r: r.timeline("conv_2"),
    "statistics": lambda r: (r.statistics(), r.tool_statistics("get_order")),
    "records": lambda r: (list(r.records("general")), list(r.records("trail")), list(r.lines("general")), r.record("general", 0)),
    "nothing": lambda r: (r.record("nothing", 0), r.call("f" * 32), r.line("healthcare", 99)),
    "what is no data": lambda r: (r.chains(), r.heads(), r.verdict(), r.status(), r.ends(), r.proof("healthcare", 0)),
}


@pytest.mark.parametrize("how", NOBODY)
def test_what_shows_nobody_s_data_leaves_no_record(clinic: Path, how: str) -> None:
    """Else every look would fill the trail."""
    asked = reader(clinic)
    NOBODY[how](asked)
    assert ([], None) == (readings(clinic), asked.on_record)


def test_nothing_is_given_before_it_is_on_record(clinic: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long answer is on record when its first call comes, and says at its end how many were given."""
    monkeypatch.setattr(journal, "PEEK", 1)
    answer = reader(clinic).calls(subject="patient-1")
    assert [] == readings(clinic)
    next(answer)
    assert [None] == [r["details"]["count"] for r in readings(clinic)]
    del answer
    gc.collect()
    assert [(None, True), (1, False)] == [(r["details"]["count"], r["details"]["complete"]) for r in readings(clinic)]


def test_pages_join_under_audit(clinic: Path) -> None:
    """The key of the next page is that of the reader beneath."""
    asked, pages, key = reader(clinic), [], None
    while True:
        page = asked.calls(order_by="turn_number", limit=3, after=key)
        pages += [found["turn_number"] for found in page]
        key = page.next_key
        if key is None:
            break
    assert [1, 2, 3, 4] == pages


def test_who_is_told_hears_of_the_record_first(clinic: Path) -> None:
    """A front end can say where the reading stands before it shows the first row."""
    told: list[Entry] = []
    for _ in reader(clinic, tell=told.append).calls(subject="patient-2"):
        assert [f"trail/{readings(clinic)[0]['seq']}"] == [entry.address for entry in told]


@pytest.mark.parametrize(
    "ask",
    [
        lambda r, _: r.calls(toll="x"),
        lambda r, _: r.calls(status="failed"),
        lambda r, _: r.calls(subject="patient-1", since="yesterday"),
        lambda r, _: r.access_report("patient-1", "yesterday"),
        lambda r, _: r.statistics(subject="patient-1", every="dya"),
        lambda r, out: r.export(out, subject="patient-1", toll="x"),
        lambda r, out: r.export(out, "docx", subject="patient-1"),
    ],
    ids=["filter", "status", "time", "report", "stretch", "export", "format"],
)
def test_a_question_that_cannot_be_understood_leaves_nothing(clinic: Path, tmp_path: Path, ask: Callable[[Any, Path], Any]) -> None:
    """No record says that somebody read what nobody was given, and no directory is made."""
    with pytest.raises(audit.SettingsError):
        ask(reader(clinic), tmp_path / "out")
    assert ([], False) == (readings(clinic), (tmp_path / "out").exists())


# --- which question is on record


class About(NamedTuple):
    """What a question is about: a call, by all that questions know it by."""

    subject: dict[str, str]
    conversation: str
    user: str
    since: str
    number: int
    chain: str
    seen: tuple[str, ...]


SOMEBODY = About({"subject": "patient-1"}, "conv_1", "usr_1", "2026-03-01", 1, "healthcare", ())
NOBODY_AT_ALL = About({}, "conv_2", "usr_2", "2026-03-02", 2, "general", ("healthcare",))


def found_at(asked: audit.TrailReader, chain: str) -> bytes | None:
    with asked.finding() as find:
        return find(chain, 0)


QUESTIONS: dict[str, Callable[[Any, About, Path], object]] = {
    "access_report": lambda r, q, _: r.access_report(q.subject.get("subject", "patient-9")),
    "conversation_report": lambda r, q, _: r.conversation_report(q.conversation),
    "activity_report": lambda r, q, _: r.activity_report(conversation=q.conversation),
    "sql": lambda r, q, _: r.sql("SELECT 1", conversation=q.conversation),
    "export": lambda r, q, out: r.export(out, conversation=q.conversation),
    "calls": lambda r, q, _: list(r.calls(conversation=q.conversation)),
    "by_conversation": lambda r, q, _: list(r.by_conversation(q.conversation)),
    "by_user": lambda r, q, _: list(r.by_user(q.user)),
    "failures": lambda r, q, _: list(r.failures(q.since)),
    "timeline": lambda r, q, _: r.timeline(q.conversation),
    "call": lambda r, q, _: r.call(f"{q.number:032x}"),
    "statistics": lambda r, q, _: r.statistics(**q.subject),
    "tool_statistics": lambda r, q, _: r.tool_statistics(**q.subject),
    "records": lambda r, q, _: list(r.records(q.chain)),
    "record": lambda r, q, _: r.record(q.chain, 0),
    "lines": lambda r, q, _: list(r.lines(q.chain)),
    "line": lambda r, q, _: r.line(q.chain, 0),
    "finding": lambda r, q, _: found_at(r, q.chain),
    "appended": lambda r, q, _: list(r.appended({chain: end for chain, end in r.ends().items() if chain in q.seen})),
    "LatestCalls": lambda r, q, _: LatestCalls(r, 9, {"conversation": q.conversation}, follow=False).latest,
    "status": lambda r, q, _: r.status(),
    "verdict": lambda r, q, _: r.verdict(),
    "heads": lambda r, q, _: r.heads(),
    "chains": lambda r, q, _: r.chains(),
    "proof": lambda r, q, _: r.proof(q.chain, 0),
    "ends": lambda r, q, _: r.ends(),
    "pieces": lambda r, q, _: list(r.pieces(q.chain, 1)),
    "pool": lambda r, q, _: r.pool(Worker, 0),
    "matcher": lambda r, q, _: r.matcher(conversation=q.conversation),
    "key_of": lambda r, q, _: r.key_of(next(iter(r.unaudited.calls(conversation=q.conversation)))),
}


@pytest.fixture
def two_calls(tmp_path: Path) -> Path:
    """A closed trail with a call about a patient and one about nobody, both failed."""
    with Trail.open(tmp_path / "audit", durability="os") as trail:
        record(trail, call(1, subject="patient-1", retention_class="healthcare"), success=False, error="no", error_type="ValueError")
        nobody = call(2, conversation_id="conv_2", user_id="usr_2", timestamp="2026-03-02T12:00:00.000000Z")
        record(trail, nobody, success=False, error="no", error_type="ValueError")
    return tmp_path / "audit"


@pytest.mark.parametrize("question", RECORDED)
def test_a_question_is_on_record_as_its_rule_says(two_calls: Path, tmp_path: Path, question: str) -> None:
    """The one list of questions says of each when it is put on record: always, if it is about somebody, or never."""
    if question == "sql":
        pytest.importorskip("duckdb")
    found = []
    for about in (NOBODY_AT_ALL, SOMEBODY):
        before = len(readings(two_calls))
        assert QUESTIONS[question](reader(two_calls), about, tmp_path / about.chain) is not None
        found.append(len(readings(two_calls)) > before)
    expected = {RecordedWhen.ALWAYS: [True, True], RecordedWhen.SUBJECT: [False, True], RecordedWhen.NEVER: [False, False]}
    assert expected[RECORDED[question]] == found


def test_every_question_has_a_rule() -> None:
    """A new method of the reader says when it is put on record, and is asked in the test above."""
    methods = {name for name, value in vars(audit.TrailReader).items() if not name.startswith("_") and inspect.isfunction(value)}
    assert (methods - {"close"}) | {"LatestCalls"} == set(RECORDED) == set(QUESTIONS)


# --- where nothing may be written


def contents(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def copied(clinic: Path, _: pytest.MonkeyPatch) -> tuple[Path, dict[str, Any]]:
    shutil.copytree(clinic, clinic.with_name("copy"))
    return clinic.with_name("copy"), {}


def stateless(clinic: Path, _: pytest.MonkeyPatch) -> tuple[Path, dict[str, Any]]:
    return clinic, {"state": str(clinic.with_name("nowhere"))}


def read_only(clinic: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, dict[str, Any]]:
    able = os.access
    monkeypatch.setattr(os, "access", lambda path, mode, **rest: able(path, mode, **rest) and not (mode & os.W_OK and str(path) == str(clinic)))
    return clinic, {}


def another_user(clinic: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, dict[str, Any]]:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    return clinic, {}


def exported(asked: audit.TrailReader, out: Path) -> list[str]:
    asked.export(out, subject="patient-1")
    return [json.loads(line)["call_id"] for line in (out / "calls.jsonl").read_bytes().splitlines()]


PLACES: dict[str, tuple[Callable[..., Any], str]] = {
    "a copy": (copied, "this is a copy of the trail"),
    "no state": (stateless, "there is no state directory"),
    "read-only": (read_only, "cannot be written"),
    "another user's": (another_user, "belongs to another user"),
}
ANSWERS: dict[str, Callable[[Any, Path], Any]] = {
    "calls": lambda r, _: [call["call_id"] for call in r.calls(subject="patient-1")],
    "a report": lambda r, _: [row.call_id for row in r.access_report("patient-1").rows],
    "an export": exported,
}


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("how", ANSWERS)
def test_who_may_not_write_is_answered_all_the_same(clinic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, how: str) -> None:
    """The answer is the same, a value says why it is not on record, and no byte of the trail is touched."""
    place, why = PLACES[where]
    path, more = place(clinic, monkeypatch)
    before = contents(path)
    asked = reader(path, **more)
    assert [f"{1:032x}", f"{3:032x}"] == ANSWERS[how](asked, tmp_path / "out")
    assert (None, True) == (asked.on_record.address, why in asked.on_record.obstacle)
    assert before == contents(path)


def test_a_reader_never_begins_a_trail(clinic: Path) -> None:
    """Who goes on reading after the trail was moved away finds all of it, and leaves nothing in its old place."""
    asked = reader(clinic)
    clinic.rename(clinic.with_name("elsewhere"))
    assert 2 == len(list(asked.calls(subject="patient-1")))
    assert "lies no longer at" in asked.on_record.obstacle
    assert not clinic.exists()


# --- who does not record


def test_checking_is_no_reading(clinic: Path, tmp_path: Path) -> None:
    """Verification, doctor, reconciliation and tests' assertions give nobody's data to anybody."""
    (tmp_path / "spans.jsonl").write_text("")
    verify(clinic, deep=True)
    examine(str(clinic))
    reconcile(clinic, OtlpFiles([str(tmp_path / "spans.jsonl")]), now=1_772_366_400_000_000_000 + 86_400 * 10**9)
    reader(clinic).verdict()
    assert [] == readings(clinic)


def test_a_reading_is_recorded_once_and_not_read_itself(clinic: Path) -> None:
    """The writer beneath the journal reads nothing under audit: a reading adds an opening, itself and a closing."""
    before = [r["event"] for r in reader(clinic).records("trail")]
    list(reader(clinic).calls(subject="patient-1"))
    assert ["trail.opened", "trail.read", "trail.closed"] == [r["event"] for r in reader(clinic).records("trail")][len(before) :]


@pytest.mark.parametrize("ask", ["list(r.calls(subject='patient-1'))", "r.access_report('patient-1')", "r.export({out!r}, subject='patient-1')"])
def test_a_reader_that_does_not_write_loads_no_sdk(clinic: Path, tmp_path: Path, ask: str) -> None:
    """On an auditor's machine, where there is only a copy, neither OpenTelemetry nor the writer is imported."""
    shutil.copytree(clinic, tmp_path / "copy")
    asked = ask.format(out=str(tmp_path / "out"))
    program = (
        f"import sys, otel_tool_audit as audit; r = audit.TrailReader({str(tmp_path / 'copy')!r}); {asked}; assert r.on_record.obstacle;"
        "print([m for m in sys.modules if m.startswith(('opentelemetry', 'typer', 'rich', 'otel_tool_audit.trail.'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert ("[]\n", "") == (done.stdout, done.stderr)


def test_reading_beside_ones_own_writer(clinic: Path) -> None:
    """A service that writes the trail may ask it from the same process; the trail stays whole."""
    with Trail.open(clinic, service="clinic", durability="os") as trail:
        record(trail, call(7, subject="patient-1", retention_class="healthcare"))
        assert 3 == len(list(reader(clinic).calls(subject="patient-1")))
        record(trail, call(8, subject="patient-1", retention_class="healthcare"))
    assert ("intact", "complete") == ((found := verify(clinic, deep=True)).integrity, found.completeness)
    assert 1 == len(readings(clinic))
