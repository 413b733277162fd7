"""SQL that somebody wrote reads two tables, and nothing else."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from making import Made, write

from otel_tool_audit.access.reader import TrailReader
from otel_tool_audit.errors import SettingsError, TrailCorrupt
from otel_tool_audit.review.index import sandbox

pytest.importorskip("duckdb")


@pytest.fixture
def reader(made: Made) -> TrailReader:
    write(made, 1, 4)
    return TrailReader(made.path, state=str(made.state))


def test_it_asks_calls_and_records(reader: TrailReader) -> None:
    """Both tables are there, and hold what the trail holds, filtered as asked."""
    assert (("n", "user_id"), [(4, "usr_98765")]) == reader.sql("SELECT count(*) AS n, user_id FROM calls GROUP BY user_id")
    assert [("tool_call.started", 4)] == reader.sql("SELECT event, count(*) FROM records WHERE event LIKE '%started' GROUP BY 1").rows
    assert [(0,)] == reader.sql("SELECT count(*) FROM calls", user="nobody").rows


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO calls SELECT * FROM calls", "UPDATE calls SET user_id = 'x'", "DROP TABLE calls", "CREATE TABLE x AS SELECT 1",
        "ATTACH '{tmp}/x.db'", "COPY calls TO '{tmp}/x.csv'", "EXPORT DATABASE '{tmp}/x'", "INSTALL httpfs", "LOAD httpfs", "SET enable_external_access = true",
        "PRAGMA database_list", "CALL pragma_version()", "SELECT 1; DROP TABLE calls", "", "SELECT", "VACUUM", "SELECT * FROM no_such_table",
        "SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM read_text('/etc/passwd')", "SELECT * FROM '/etc/passwd'", "SELECT * FROM read_blob('/etc/*')",
        "SELECT * FROM glob('/etc/*')", "SELECT * FROM read_parquet('http://127.0.0.1:{port}/x')", "SELECT * FROM read_csv('http://127.0.0.1:{port}/x')",
        "SELECT * FROM sqlite_scan('{tmp}/x.db', 't')", "SELECT getenv('HOME')", "SELECT * FROM secret", "SELECT * FROM query('COPY calls TO ''{tmp}/x.csv''')",
    ],
)  # fmt: skip
def test_it_can_do_nothing_else(reader: TrailReader, tmp_path: Path, text: str) -> None:
    """It writes no file, reads none, reaches no address, sees no variable of the process, and changes no setting."""
    secret = [("a variable of the process",)]  # noqa: F841 - it is what must not be seen
    before = sorted(os.listdir(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.01)
        with pytest.raises(SettingsError):
            reader.sql(text.format(tmp=tmp_path, port=server.getsockname()[1]))
        with pytest.raises(TimeoutError):
            server.accept()
    assert before == sorted(os.listdir(tmp_path))


def test_it_is_bounded(reader: TrailReader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many rows are refused, and what takes too long is stopped."""
    with pytest.raises(SettingsError, match="more than 100,000 rows; add LIMIT"):
        reader.sql("SELECT * FROM range(1000000)")
    monkeypatch.setattr(sandbox, "SECONDS", 0.2)
    with pytest.raises(SettingsError, match="longer than"):
        reader.sql("SELECT count(*) FROM range(10000000000) a, range(1000000) b WHERE a.range % 7 = b.range % 11")


def test_what_is_given_can_be_proven(made: Made) -> None:
    """With ``verified`` every record of a call is held against its line and its neighbours; what does not hold is named, not given."""
    write(made, 1, 4)
    reader = TrailReader(made.path, state=str(made.state))
    assert 4 == len(list(reader.calls(verified=True)))
    made.general.write_bytes(made.general.read_bytes().replace(b'"turn_number":3', b'"turn_number":7'))
    with pytest.raises(TrailCorrupt, match="cannot be proven: its hash is not that of its line"):
        list(reader.calls(verified=True))
    assert [1, 2] == [call["turn_number"] for call in reader.calls(limit=2, verified=True)]


def test_what_cannot_be_read_is_told(made: Made) -> None:
    """A segment that is gone and a torn line are named beside the answer; nothing is left out in silence."""
    write(made, 1, 30, segment_bytes=4096)
    segments = sorted((made.path / "general").glob("*.jsonl"))
    segments[1].unlink()
    last = max((made.path / "general").glob("*.jsonl"))
    with last.open("ab") as file:
        file.write(b'{"seq":99')
    reader = TrailReader(made.path, state=str(made.state.parent / "nowhere"))
    assert list(reader.calls())
    assert any(segments[1].name in note and "is not there" in note for note in reader.notes)
    assert any("9 bytes of a line that is not whole" in note for note in reader.notes)


def test_copies_and_read_only_media_answer_the_same(made: Made, tmp_path: Path) -> None:
    """A copy without state, and a trail that nobody may write to, are read the same way; nothing is written into either."""
    import shutil  # noqa: PLC0415 - only here

    write(made, 1, 6)
    expected = list(TrailReader(made.path, state=str(made.state)).calls())
    copy = tmp_path / "copy"
    shutil.copytree(made.path, copy)
    for path in sorted(copy.rglob("*"), reverse=True):
        path.chmod(0o500 if path.is_dir() else 0o400)
    copy.chmod(0o500)
    before = {path: path.stat().st_mtime_ns for path in (copy, *copy.rglob("*"))}
    reader = TrailReader(copy, state=str(tmp_path / "nothing"))
    assert expected == list(reader.calls())
    assert "cannot tell" == reader.verdict().integrity
    assert before == {path: path.stat().st_mtime_ns for path in (copy, *copy.rglob("*"))}
