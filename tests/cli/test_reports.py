from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from made_calls import HOSTILE, Printed, call, record

from otel_tool_audit.access.reader import TrailReader
from otel_tool_audit.export import pdf
from otel_tool_audit.review.verify.verifier import verify
from otel_tool_audit.trail.trail import Trail

Command = Callable[..., Printed]


@pytest.fixture
def clinic(tmp_path: Path, state: Path) -> Path:
    """A closed trail: five accesses to one patient's data, one of them failed, one with hostile text."""
    path = tmp_path / "audit"
    with Trail.open(path, service="clinic", durability="os") as trail:
        for number in range(4):
            record(trail, call(number, subject="patient-1", purpose="treatment", retention_class="healthcare"))
        record(trail, call(4, subject="patient-1", user_id=HOSTILE), success=False, error="no such record", error_type="LookupError")
        record(trail, call(5, subject="patient-2"))
    return path


def test_an_access_report_tells_who_saw_what_and_is_on_record(command: Command, clinic: Path) -> None:
    """On the terminal: who asked, the verdict with its heads, each access with its address; the trail says that it was read."""
    printed = command("report", "access", clinic, "--subject", "patient-1", "--during", "2026-03", "--as", "Ada", "--reason", "request 3")
    assert 0 == printed.code
    assert all(
        part in printed.out for part in ("Ada (account ", "request 3", "integrity", "intact", "healthcare/1", "usr_1", "until before 2026-04-01, UTC")
    )
    assert not set("\x1b\u202e\x07") & set(printed.out)
    (entry,) = [r for r in TrailReader(clinic).records("trail") if r["event"] == "trail.read"]
    assert ("report access", 5) == (entry["details"]["what"], entry["details"]["count"])
    assert f"trail/{entry['seq']}" in printed.out
    assert ("intact", "complete") == ((found := verify(clinic)).integrity, found.completeness)


def test_json_has_all_of_it(command: Command, clinic: Path) -> None:
    """One document: heading, verdict, every row with its hash."""
    printed = command("report", "access", clinic, "--subject", "patient-1", "--json")
    found = json.loads(printed.out)
    assert (5, "intact", 64) == (len(found["rows"]), found["verdict"]["integrity"], len(found["rows"][0]["hash"]))
    assert "patient-1" == found["heading"]["subject"]


@pytest.mark.parametrize(("kind", "begins"), [("html", b"<!DOCTYPE html>"), ("pdf", b"%PDF-")])
def test_a_file_s_name_says_what_it_is(command: Command, clinic: Path, tmp_path: Path, kind: str, begins: bytes) -> None:
    """-o report.html and -o report.pdf need no --format."""
    pytest.importorskip("jinja2" if kind == "html" else "typst")
    for verb in (["access", clinic, "--subject", "patient-1"], ["activity", clinic]):
        target = tmp_path / f"{verb[0]}.{kind}"
        printed = command("report", *verb, "-o", target)
        assert (0, "") == (printed.code, printed.out)
        assert target.read_bytes().startswith(begins)
        assert 0o600 == target.stat().st_mode & 0o777


def test_a_conversation_is_told_call_by_call(command: Command, clinic: Path, tmp_path: Path) -> None:
    """On the terminal, as JSON and as HTML: each call with its turn, what was asked and answered, and its proof; recorded like any report."""
    printed = command("report", "conversation", clinic, "--conversation", "conv_1", "--as", "Ada")
    assert 0 == printed.code
    assert all(part in printed.out for part in ("Conversation  conv_1", "TURN", "healthcare/1", "integrity", "intact"))
    found = json.loads(command("report", "conversation", clinic, "--conversation", "conv_1", "--json").out)
    assert ([0, 1, 2, 3, 4, 5], "conv_1") == ([row["turn_number"] for row in found["rows"]], found["conversation"])
    entry = next(r for r in TrailReader(clinic).records("trail") if r["event"] == "trail.read")
    assert ("report conversation", 6) == (entry["details"]["what"], entry["details"]["count"])
    pytest.importorskip("jinja2")
    assert 0 == command("report", "conversation", clinic, "--conversation", "conv_1", "-o", tmp_path / "told.html").code
    assert all(f"healthcare/{2 * n + 1}" in (tmp_path / "told.html").read_text("utf-8") for n in range(4))
    assert "No call was made" in command("report", "conversation", clinic, "--conversation", "nobody's").out


def test_an_activity_report_counts_what_happened(command: Command, clinic: Path) -> None:
    """Calls, failures, users, tools, refused calls and gaps of a period."""
    found = json.loads(command("report", "activity", clinic, "--during", "March 2026", "--json").out)
    assert (6, 1, 0) == (found["total"]["calls"], found["total"]["failed"], found["refused"])
    printed = command("report", "activity", clinic, "--during", "March 2026")
    assert all(part in printed.out for part in ("Calls over time", "By user", "By trigger", "Tools", "get_order", "Gaps", "refused"))


def test_a_broken_trail_is_reported_on_and_exits_1(command: Command, clinic: Path) -> None:
    """The report is given with its verdict, nothing is hidden, and a script notices."""
    segment = clinic / "healthcare" / "000000000000.jsonl"
    segment.write_bytes(segment.read_bytes().replace(b'"usr_1"', b'"usr_9"', 1))
    printed = command("report", "access", clinic, "--subject", "patient-1")
    assert 1 == printed.code
    assert "broken" in printed.out
    assert "findings: healthcare/" in printed.out


def test_a_copy_is_reported_on(command: Command, clinic: Path, tmp_path: Path) -> None:
    """A copy gives the same rows; that it is on no record stands in the report."""
    copy = tmp_path / "copy"
    shutil.copytree(clinic, copy)
    there, here = (json.loads(command("report", "access", path, "--subject", "patient-1", "--json").out) for path in (clinic, copy))
    assert there["rows"] == here["rows"]
    assert "no: this is a copy of the trail" == here["heading"]["on_record"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["access"], "--subject"),
        (["conversation"], "--conversation"),
        (["activity", "--format", "docx"], "docx"),
        (["activity", "--format", "table", "-o", "x.txt"], ".json, .html or .pdf"),
        (["activity", "-o", "/nowhere/x.json"], "cannot be written"),
    ],
)
def test_a_mistake_gets_one_line(command: Command, clinic: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str) -> None:
    """What was wrong is said in words, with exit code 2."""
    monkeypatch.setenv("OTEL_TOOL_AUDIT_TRAIL", str(clinic))
    printed = command("report", *arguments)
    assert (2, "") == (printed.code, printed.out)
    assert says in printed.err


def test_a_subject_that_cannot_be_recognised_is_not_reported_as_absent(command: Command, clinic: Path, tmp_path: Path) -> None:
    """Without a pseudonym key "no call" may be wrong, and every answer about a subject in clear says so, once, with exit code 3."""
    nowhere = tmp_path / "no-state"
    for verb in (
        ["calls", clinic], ["stats", clinic], ["tail", clinic], ["report", "access", clinic], ["report", "activity", clinic], ["export", clinic, "-o", tmp_path / "out"],
    ):  # fmt: skip
        printed = command(*verb, "--subject", "patient-9", "--state", nowhere)
        assert (3, 1) == (printed.code, (printed.out + printed.err).count("there is no pseudonym key here"))
    printed = command("report", "access", clinic, "--subject", "patient-9", "--state", nowhere)
    assert "cannot be told" in printed.out.splitlines()[-1]
    assert "No call touched" not in printed.out
    pseudonym = "psn:798ab5875487cf48:30cb4c5a7665ae65ac60d1995d606c6d"
    assert 0 == command("report", "access", clinic, "--subject", pseudonym, "--state", nowhere).code
    printed = command("calls", clinic, "--subject", "patient-9")
    assert 0 == printed.code
    assert "no pseudonym key" not in printed.err


def test_the_command_works_without_the_packages_of_other_extras(clinic: Path) -> None:
    """With [cli] alone everything is answered; HTML, PDF, Parquet and SQL say what to install."""
    block = "import sys; sys.modules.update(dict.fromkeys(['jinja2', 'typst', 'pyarrow', 'duckdb', 'markupsafe'])); from otel_tool_audit.cli.app import run; sys.exit(run(sys.argv[1:]))"

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", block, *map(str, arguments)], capture_output=True, encoding="utf-8", check=False, timeout=120, env={**os.environ}
        )

    assert 0 == run("calls", clinic).returncode
    assert 0 == run("report", "activity", clinic).returncode
    assert 0 == run("export", clinic, "--format", "csv", "-o", clinic.parent / "given").returncode
    for arguments, extra in (
        (["report", "activity", clinic, "-o", "x.html"], "report"),
        (["report", "activity", clinic, "-o", "x.pdf"], "report"),
        (["export", clinic, "--format", "parquet", "-o", clinic.parent / "never"], "query"),
        (["sql", clinic, "SELECT 1"], "query"),
    ):
        done = run(*arguments)
        assert 2 == done.returncode
        assert f"pip install 'otel-tool-audit[{extra}]'" in done.stderr
    assert not (clinic.parent / "never").exists()


def test_a_report_too_long_for_a_pdf_is_refused_before_it_is_on_record(
    command: Command, clinic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says how to have it all the same: as HTML, or in parts."""
    pytest.importorskip("typst")
    monkeypatch.setattr(pdf, "MOST_ROWS", 3)
    printed = command("report", "access", clinic, "--subject", "patient-1", "-o", tmp_path / "access.pdf")
    assert (2, "") == (printed.code, printed.out)
    assert "ask for HTML (-o report.html), or for parts of the time, from --during 2026-03-01" in printed.err
    assert not [r for r in TrailReader(clinic).records("trail") if r["event"] == "trail.read"]
    assert not (tmp_path / "access.pdf").exists()
