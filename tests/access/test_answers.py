"""What an answer is worth is a value with an exit code in it, whoever shows it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from made_calls import Printed, call, record
from readings import readings

import otel_tool_audit as audit
from otel_tool_audit.access.reports import TooManyRowsError
from otel_tool_audit.trail.trail import Trail

Command = Callable[..., Printed]


def spoil(clinic: Path) -> None:
    segment = clinic / "general" / "000000000000.jsonl"
    segment.write_bytes(segment.read_bytes().replace(b'"ORD-4"', b'"ORD-9"', 1))


def test_a_good_trail_s_answer_is_worth_0(clinic: Path) -> None:
    """Nothing is wrong, nothing is missing, nothing is left to say."""
    asked = audit.TrailReader(clinic)
    list(asked.calls(subject="patient-1"))
    status = asked.status("patient-1")
    assert (0, "intact", (), None) == (status.exit_code, status.integrity, status.notes, status.in_words())


def test_a_broken_trail_s_answer_is_worth_1(command: Command, clinic: Path) -> None:
    """The value says what the command says, and its dictionary is what JSON has."""
    spoil(clinic)
    asked = audit.TrailReader(clinic)
    list(asked.calls())
    status = asked.status()
    printed = command("calls", clinic)
    assert (1, 1, True) == (status.exit_code, printed.code, status.broken)
    assert str(status.in_words()) in printed.err
    assert status.findings[0].startswith("general/0: ")
    assert ("broken", str(clinic)) == (status.as_dict()["integrity"], status.as_dict()["path"])


def test_an_answer_that_nobody_can_be_sure_of_is_worth_3(command: Command, clinic: Path, tmp_path: Path) -> None:
    """Without a key nobody can say which pseudonym is the subject's: for calls, reports and exports alike."""
    asked = audit.TrailReader(clinic, state=tmp_path / "nowhere")
    list(asked.calls(subject="patient-9"))
    found = asked.access_report("patient-9")
    assert 3 == asked.status("patient-9").exit_code == asked.status("patient-9", found.verdict).exit_code
    assert 3 == asked.export(tmp_path / "one", subject="patient-9").status.exit_code
    assert 3 == command("report", "access", clinic, "--subject", "patient-9", "--state", tmp_path / "nowhere").code
    assert 0 == asked.status().exit_code


def test_a_report_s_verdict_tells_its_exit_code(clinic: Path) -> None:
    """A report verified the trail; nothing is verified again for its status."""
    spoil(clinic)
    asked = audit.TrailReader(clinic)
    found = asked.activity_report()
    assert found.verdict is not None
    status = asked.status(verdict=found.verdict)
    assert (1, found.verdict.findings) == (status.exit_code, status.findings)


def test_a_report_that_is_too_long_was_not_read(clinic: Path) -> None:
    """Whoever can use so many rows only gets none, learns which times to ask for, and nothing is on record."""
    asked = audit.TrailReader(clinic)
    with pytest.raises(TooManyRowsError, match="2 calls are more than 1: ask for parts of the time, from 2026-03-01 to 2026-03-01") as found:
        asked.access_report("patient-1", most=1)
    assert (2, "2026-03-01T12:00:01.000000Z") == (found.value.rows, found.value.first)
    assert ([], None) == (readings(clinic), asked.on_record)
    assert 2 == len(asked.access_report("patient-1", most=2).rows)


def test_an_export_from_python_goes_on_where_it_stopped(clinic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted and asked for again it is on record once, and the trail names its manifest."""
    from otel_tool_audit.export import run  # noqa: PLC0415 - only here

    def stopping(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(run, "finish", stopping)
        with pytest.raises(KeyboardInterrupt):
            audit.TrailReader(clinic).export(tmp_path / "out", since="2026-03-01", user="usr_1")
    with Trail.open(clinic, service="clinic", durability="os") as trail:
        record(trail, call(9, timestamp="2099-01-01T00:00:00.000000Z"))
    done = audit.TrailReader(clinic).export(tmp_path / "out", since="2026-03-01", user="usr_1")
    begun, ended = readings(clinic)
    assert (4, f"trail/{begun['seq']}") == (done.manifest.count, done.manifest.recorded)
    assert (done.begun.address, 4) == (ended["details"]["begun"], ended["details"]["count"])
    assert 64 == len(ended["details"]["manifest_sha256"])
    assert (0, "intact") == (done.status.exit_code, done.status.integrity)
