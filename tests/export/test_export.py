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

from otel_tool_audit.errors import SettingsError, TrailCorrupt
from otel_tool_audit.export import files as files_module
from otel_tool_audit.export import run as running
from otel_tool_audit.export.check import check
from otel_tool_audit.review.reader import UnauditedReader
from otel_tool_audit.review.verify.verifier import verify
from otel_tool_audit.trail.trail import Trail

Command = Callable[..., Printed]
FORMATS = ["jsonl", "csv", pytest.param("parquet", marks=pytest.mark.parquet)]


@pytest.fixture(autouse=True)
def _parquet(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("parquet"):
        pytest.importorskip("pyarrow")


@pytest.mark.parametrize("style", FORMATS)
def test_an_export_checks_against_its_manifest_and_its_trail(command: Command, trail: Path, tmp_path: Path, style: str) -> None:
    """What was asked for is there, the manifest describes it, and the trail vouches for the manifest."""
    out = tmp_path / "out"
    printed = command("export", trail, "--subject", "patient-1", "--format", style, "-o", out, "--as", "Ada", "--reason", "request 12")
    assert 0 == printed.code
    made = json.loads((out / "manifest.json").read_bytes())
    assert (8, style, "Ada", "request 12", "intact") == (
        made["count"],
        made["format"],
        made["who"]["as"],
        made["reason"],
        made["verdict"]["integrity"],
    )
    assert made["filters"]["subject"].startswith("psn:")
    assert b"patient-1" not in (out / "manifest.json").read_bytes()
    found = check(str(out), UnauditedReader(trail))
    assert ([], []) == (found.failed, found.unknown)
    assert any("names this manifest's SHA-256" in line for line in found.passed)
    checked = command("export", trail, "--check", out)
    assert 0 == checked.code
    assert "8 calls, as the manifest counts" in checked.out


def test_an_export_is_on_record_and_the_trail_stays_whole(command: Command, trail: Path, tmp_path: Path) -> None:
    """Before the first row a record says that it began, at the end another what it gave; the trail verifies."""
    command("export", trail, "--user", "usr_1", "-o", tmp_path / "out")
    begun, ended = [r for r in UnauditedReader(trail).records("trail") if r["event"] == "trail.exported"]
    assert (None, 40) == (begun["details"]["count"], ended["details"]["count"])
    assert f"trail/{begun['seq']}" == ended["details"]["begun"]
    assert "usr_1" == ended["details"]["filters"]["user"]
    found = verify(trail, deep=True)
    assert ("intact", "complete") == (found.integrity, found.completeness)


def test_the_lines_are_the_calls(command: Command, trail: Path, tmp_path: Path) -> None:
    """JSON lines hold each call as the reader gives it."""
    command("export", trail, "-o", tmp_path / "out")
    lines = (tmp_path / "out" / "calls.jsonl").read_bytes().splitlines()
    assert list(UnauditedReader(trail).calls()) == [json.loads(line) for line in lines]


def test_an_empty_answer_is_an_export(command: Command, trail: Path, tmp_path: Path) -> None:
    """Nothing found is an answer that can be checked, too."""
    command("export", trail, "--user", "nobody", "--format", "csv", "-o", tmp_path / "out")
    found = check(str(tmp_path / "out"), UnauditedReader(trail))
    assert (0, []) == (found.manifest.count, found.failed)


# --- what was changed afterwards


@pytest.fixture
def out(command: Command, trail: Path, tmp_path: Path) -> Path:
    command("export", trail, "-o", tmp_path / "out")
    return tmp_path / "out"


def told(trail: Path, out: Path, said: str) -> None:
    found = check(str(out), UnauditedReader(trail))
    assert any(said in line for line in found.failed), found


def test_a_changed_file_is_found(trail: Path, out: Path) -> None:
    """A byte of a file is enough."""
    data = (out / "calls.jsonl").read_bytes()
    (out / "calls.jsonl").write_bytes(data.replace(b"usr_1", b"usr_2", 1))
    told(trail, out, "is not the file that was exported")


def test_a_missing_or_added_file_is_found(trail: Path, out: Path) -> None:
    """The manifest names every file, and no other may lie there."""
    (out / "calls.jsonl").rename(out / "other.jsonl")
    told(trail, out, "calls.jsonl is missing")
    told(trail, out, "other.jsonl is no part of the export")


def _forge(out: Path, change: Callable[[bytes], bytes]) -> None:
    """Change the file and make the manifest agree."""
    data = change((out / "calls.jsonl").read_bytes())
    (out / "calls.jsonl").write_bytes(data)
    made = json.loads((out / "manifest.json").read_bytes())
    made["files"][0].update(bytes=len(data), sha256=files_module.digest(str(out / "calls.jsonl")), rows=data.count(b"\n"))
    made["count"] = data.count(b"\n")
    (out / "manifest.json").write_text(json.dumps(made))


def test_a_manifest_that_was_made_to_agree_is_found(trail: Path, out: Path) -> None:
    """Whoever changes a row and the manifest still contradicts the trail's own record."""
    _forge(out, lambda data: data.replace(b"usr_1", b"usr_2", 1))
    told(trail, out, "the manifest was changed")


def test_a_row_that_stands_nowhere_is_found(trail: Path, out: Path) -> None:
    """An invented row names a record that the trail does not hold."""
    _forge(out, lambda data: data + json.dumps({**json.loads(data.splitlines()[0]), "seq": 9_999}).encode() + b"\n")
    told(trail, out, "row 41 names healthcare/9999 with a hash that does not stand there")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b'"user_id":"usr_1"', b'"user_id":"usr_2"', "what the trail does not: user_id"), (b'"status":"success"', b'"status":"error"', "status"),
        (b'"duration_ms":', b'"duration_ms":1', "duration_ms"), (b'"success":true,"error"', b'"success":1,"error"', "does not: success"), (b'"error_type":null,', b"", "error_type"),
        (b'"status":"success"', b'"status":"success","extra":1', "extra"), (b'"call_id":"', b'"call_id":"f', "puts records together that are not of call f"),
        (b'"records":[', b'"records":[],"x":[', "names no records"),
    ],
)  # fmt: skip
def test_a_value_that_the_trail_does_not_say_is_found(trail: Path, out: Path, old: bytes, new: bytes, said: str) -> None:
    """Whoever was given a whole export with one value changed, and a manifest that agrees, is told which row and which field."""
    assert old in (out / "calls.jsonl").read_bytes()
    _forge(out, lambda data: data.replace(old, new, 1))
    told(trail, out, said)


@pytest.mark.parametrize("style", FORMATS)
def test_values_are_proven_in_every_format(command: Command, trail: Path, tmp_path: Path, style: str) -> None:
    """All values of all rows are what the records say: text, numbers, objects, what is null, what a spreadsheet would run."""
    with Trail.open(trail, durability="os") as more:
        record(
            more,
            call(
                77, user_id="=cmd|' /C calc'!A0", arguments={"a": [1, 2.5, None, "é\u2028\n"], "b": "'x"}, user_role="+1", session_metadata={"k": "v"}
            ),
        )
    out = tmp_path / "out"
    command("export", trail, "--format", style, "-o", out)
    found = check(str(out), UnauditedReader(trail))
    assert [] == found.failed
    assert any("each of its values is what they say" in line for line in found.passed)


@pytest.mark.parametrize("style", ["csv", pytest.param("parquet", marks=pytest.mark.parquet)])
def test_a_changed_cell_is_found(command: Command, trail: Path, tmp_path: Path, style: str) -> None:
    """In CSV and Parquet, too."""
    out = tmp_path / "out"
    command("export", trail, "--format", style, "-o", out)
    (path,) = out.glob("calls*")
    if style == "csv":
        path.write_bytes(path.read_bytes().replace(b'"usr_1"', b'"usr_2"', 1))
    else:
        import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

        table = pq.read_table(path)
        at = table.schema.get_field_index("user_id")
        pq.write_table(table.set_column(at, "user_id", [["usr_9", *table["user_id"].to_pylist()[1:]]]), path)
    made = json.loads((out / "manifest.json").read_bytes())
    made["files"][0].update(bytes=path.stat().st_size, sha256=files_module.digest(str(path)))
    (out / "manifest.json").write_text(json.dumps(made))
    told(trail, out, "what the trail does not: user_id")


def test_an_export_of_another_trail_is_found(command: Command, out: Path, tmp_path: Path) -> None:
    """Checked against a trail that it is not from, it fails."""
    with Trail.open(tmp_path / "other", durability="os") as other:
        record(other, call(1))
    told(tmp_path / "other", out, "this is trail")
    assert 1 == command("export", tmp_path / "other", "--check", out).code


def test_without_the_trail_the_files_are_checked_and_the_rest_is_said(command: Command, out: Path) -> None:
    """A reviewer who has only the export learns what was checked and what was not."""
    printed = command("export", "--check", out)
    assert 0 == printed.code
    assert "? whether the rows stand in the trail" in printed.out


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"manifest": 1}', b"\xff", b'{"manifest": 99}'])
def test_what_is_no_manifest_gets_one_line(command: Command, tmp_path: Path, content: bytes) -> None:
    """A file that only has the name is refused in words."""
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "manifest.json").write_bytes(content)
    printed = command("export", "--check", tmp_path / "given")
    assert (3, "") == (printed.code, printed.out)
    assert 1 == len(printed.err.splitlines())


# --- interrupted


class Stop(Exception):
    """Ends an export where a test wants it."""


@pytest.mark.parametrize("style", FORMATS)
@pytest.mark.parametrize("after", [0, 4, 9, 10, 11, 39, 40])
def test_an_interrupted_export_goes_on_to_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, style: str, after: int) -> None:
    """Stopped after any number of rows, the command given again ends with the files that an uninterrupted one gives."""
    monkeypatch.setattr(running, "_BATCH", 3)
    monkeypatch.setattr(files_module, "_GROUP", 5)
    monkeypatch.setattr(files_module, "PART", 10)
    calls = [dict(call(n)) | {"status": "success", "chain": "general", "seq": n, "hash": "0" * 64} for n in range(40)]

    def stopping():
        yield from calls[:after]
        raise Stop

    broken, whole = tmp_path / "broken", tmp_path / "whole"
    broken.mkdir()
    with pytest.raises(Stop):
        running.run(str(broken), running.begin(str(broken), {"trail_id": "x"}), style, stopping())
    if style != "parquet" and (broken / f"calls.{style}").exists():
        with open(broken / f"calls.{style}", "ab") as file:
            file.write(b"torn")
    progress = running.begin(str(broken), {"trail_id": "x"})
    assert progress.count <= after
    found = running.run(str(broken), progress, style, calls)
    assert found == running.run(str(whole), running.begin(str(whole), {"trail_id": "x"}), style, calls)
    assert 40 == progress.count == sum(file.rows for file in found)
    assert all(file.sha256 == files_module.digest(str(broken / file.name)) for file in found)


def test_what_an_interrupted_export_left_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes before the mark that are not those that were written, or other calls, are refused."""
    monkeypatch.setattr(running, "_BATCH", 2)
    monkeypatch.setattr(files_module, "_GROUP", 2)
    out, calls = str(tmp_path / "out"), [dict(call(n)) for n in range(10)]

    def stopping():
        yield from calls[:6]
        raise Stop

    with pytest.raises(Stop):
        running.run(out, running.begin(out, {}), "jsonl", stopping())
    with pytest.raises(TrailCorrupt, match="no longer answers"):
        running.run(out, running.begin(out, {}), "jsonl", calls[1:])
    data = (tmp_path / "out" / "calls.jsonl").read_bytes()
    (tmp_path / "out" / "calls.jsonl").write_bytes(data.replace(b"usr_1", b"usr_2", 1))
    with pytest.raises(TrailCorrupt, match="is not what the interrupted export wrote"):
        running.run(out, running.begin(out, {}), "jsonl", calls)


def test_an_export_never_mixes_with_anything_else(command: Command, trail: Path, out: Path, tmp_path: Path) -> None:
    """A finished export, another one that was interrupted, and a directory of other files are left alone."""
    assert (2, True) == ((printed := command("export", trail, "-o", out)).code, "finished export" in printed.err)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("hello")
    assert (2, True) == ((printed := command("export", trail, "-o", tmp_path / "mine")).code, "not empty" in printed.err)
    running.run(str(tmp_path / "half"), running.begin(str(tmp_path / "half"), {"trail_id": "x"}), "jsonl", [])
    with pytest.raises(SettingsError, match="another export, interrupted"):
        running.begin(str(tmp_path / "half"), {"trail_id": "y"})


def test_a_killed_export_goes_on_with_the_time_it_began_with(tmp_path: Path, command: Command) -> None:
    """Kill -9 in the middle: the command given again finishes it, `7d` still meaning what it meant, and it is on record once."""
    path, out = tmp_path / "audit", tmp_path / "out"
    with Trail.open(path, durability="os") as opened:
        for number in range(4_000):
            record(opened, {**call(number), "call_id": f"{number:032x}"})
    slow = (
        "import sys, time; from otel_tool_audit.export import run, files; run._BATCH = 50; files._GROUP = 50; "
        "keep = run._keep; run._keep = lambda *a: (keep(*a), time.sleep(600 if a[1].count > 100 else 0)); "
        "from otel_tool_audit.cli.app import run as main; sys.exit(main(sys.argv[1:]))"
    )
    arguments = ["export", str(path), "--since", "9000d", "-o", str(out)]
    with subprocess.Popen(
        [sys.executable, "-c", slow, *arguments], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env={**os.environ}
    ) as process:
        # it waits there to be killed
        while process.poll() is None and not (
            (out / "unfinished.json").exists() and json.loads((out / "unfinished.json").read_bytes())["count"] > 100
        ):
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    began = json.loads((out / "unfinished.json").read_bytes())
    assert 100 < began["count"] < 4_000
    printed = command(*arguments)
    assert (0, True) == (printed.code, "going on after" in printed.err)
    made = json.loads((out / "manifest.json").read_bytes())
    assert (4_000, began["about"]["recorded"]) == (made["count"], made["recorded"])
    assert made["filters"]["since"][:19] == began["asked"]["time"]["since"][:19].replace(" ", "T")
    assert check(str(out), UnauditedReader(path)).ok


def test_a_copy_is_exported_and_left_as_it_is(command: Command, trail: Path, tmp_path: Path) -> None:
    """On a copy the export works and says that it is on no record."""
    copy = tmp_path / "copy"
    shutil.copytree(trail, copy)
    before = {file: file.read_bytes() for file in copy.rglob("*") if file.is_file()}
    assert 0 == command("export", copy, "-o", tmp_path / "out").code
    assert before == {file: file.read_bytes() for file in copy.rglob("*") if file.is_file()}
    made = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert (None, "this is a copy of the trail") == (made["recorded"], made["not_recorded"])


@pytest.mark.parquet
def test_parquet_has_types(command: Command, trail: Path, tmp_path: Path) -> None:
    """Numbers are numbers in Parquet, and structured values JSON text."""
    parquet = pytest.importorskip("pyarrow.parquet")
    command("export", trail, "--format", "parquet", "-o", tmp_path / "out")
    table = parquet.read_table(tmp_path / "out" / "calls-00000.parquet")
    assert 40 == table.num_rows
    row = table.to_pylist()[1]
    assert (1, True, 12.0, '{"text":"=1+1"}') == (row["turn_number"], row["success"], row["duration_ms"], row["arguments"])


def test_an_export_of_a_broken_trail_is_made_and_exits_1(command: Command, trail: Path, tmp_path: Path) -> None:
    """The files are given with the verdict in their manifest, and a script notices, as with a report."""
    segment = trail / "healthcare" / "000000000000.jsonl"
    segment.write_bytes(segment.read_bytes().replace(b'"usr_1"', b'"usr_9"', 1))
    for more in ((), ("--json",)):
        printed = command("export", trail, "-o", (out := tmp_path / f"out{len(more)}"), *more)
        assert (1, True) == (printed.code, "the trail is broken" in printed.err)
        assert "broken" == json.loads((out / "manifest.json").read_bytes())["verdict"]["integrity"]
