"""Reading a trail: records, calls and what came of them, timelines."""

from __future__ import annotations

import gc
import json
import os
import shutil
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from making import Made, call, killed, lines_of, write

from otel_tool_audit.access.reader import TrailReader
from otel_tool_audit.errors import TrailCorrupt, UnsupportedFormat
from otel_tool_audit.format.events import AMENDED, OBSERVED, STARTED
from otel_tool_audit.record.model import new_call
from otel_tool_audit.review.verify.verifier import verify
from otel_tool_audit.trail.trail import Trail


def reader(made: Made) -> TrailReader:
    return TrailReader(made.path, state=str(made.state))


def test_calls_are_folded_with_their_status(made: Made) -> None:
    """A call's records make one object: what was known first, what came of it, where it stands."""
    with Trail.open(made.path, state=made.state, service="shop") as trail:
        call(trail, 1, arguments={"order_id": "ORD-1"})
        failed = new_call(f"{2:032x}", "issue_refund", "2026-03-01T12:00:02.000000Z")
        trail.append(STARTED, failed)
        trail.append("tool_call.finished", {**failed, "success": False, "error": "no money", "error_type": "ValueError", "duration_ms": 3.0})
    first, second = reader(made).calls()
    assert ("success", "error") == (first["status"], second["status"])
    assert ({"order_id": "ORD-1"}, "shop", "general", 1) == (first["arguments"], first["service"], first["chain"], first["seq"])
    assert ["tool_call.started", "tool_call.finished"] == [r["event"] for r in first["records"]]
    assert first["records"][-1]["hash"] == first["hash"]
    assert "2026-03-01T12:00:01.000000Z" == first["timestamp"]


def test_a_call_without_end_is_running_while_its_writer_lives(made: Made) -> None:
    """Only the lock of a living writer makes a call "running"; without the state directory nothing does."""
    with Trail.open(made.path, state=made.state) as trail:
        call(trail, 1, end=False)
        assert ["running"] == [c["status"] for c in reader(made).calls()]
        assert ["interrupted"] == [c["status"] for c in TrailReader(made.path, state=str(made.state / "none")).calls()]


def test_a_killed_writers_call_was_interrupted(made: Made) -> None:
    """After kill -9 the started call shows as interrupted."""
    killed(made)
    assert ["success"] * 4 + ["interrupted"] == [c["status"] for c in reader(made).calls()]


def test_an_amended_call_keeps_its_first_time_and_takes_what_is_new(made: Made) -> None:
    """Amendments add what is known, never erase; joined ids become one call."""
    with Trail.open(made.path, state=made.state) as trail:
        call(trail, 1)
        call(trail, 2)
        seen = new_call(f"{9:032x}", "issue_refund", "2026-03-01T12:00:09.000000Z")
        trail.append(OBSERVED, {**seen, "success": True})
        more = {**new_call(f"{1:032x}", "issue_refund", "2026-03-01T12:00:10.000000Z"), "purpose": "billing", "joins": [f"{9:032x}"]}
        trail.append(AMENDED, more)  # type: ignore[arg-type]
    first, second = reader(made).calls()
    assert ("billing", "usr_98765", "2026-03-01T12:00:01.000000Z") == (first["purpose"], first["user_id"], first["timestamp"])
    assert 4 == len(first["records"])
    assert f"{2:032x}" == second["call_id"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"user": "usr_1"}, [1]),
        ({"tool": "look_up"}, [2]),
        ({"conversation": "conv_1"}, [1, 2, 3]),
        ({"conversation": "conv_1", "limit": 2}, [1, 2]),
        ({"trigger": "retry"}, [3]),
        ({"subject": "patient-1"}, [3]),
        ({"purpose": "treatment"}, [3]),
        ({"model": "m2"}, [2]),
        ({"role": "nurse"}, [3]),
        ({"agent": "triage"}, [1]),
        ({"trace_id": "a" * 32}, [2]),
        ({"status": "error"}, []),
        ({"since": datetime(2026, 3, 1, 12, 0, 2, tzinfo=UTC)}, [2, 3]),
        ({"until": datetime(2026, 3, 1, 12, 0, 2, tzinfo=UTC)}, [1]),
    ],
)
def test_filters(made: Made, filters: dict[str, object], expected: list[int]) -> None:
    """Each filter keeps the calls it names; filters add up."""
    with Trail.open(made.path, state=made.state) as trail:
        call(trail, 1, user_id="usr_1", agent="triage")
        call(trail, 2, tool="look_up", model="m2", trace_id="a" * 32)
        call(trail, 3, trigger="retry", subject="patient-1", purpose="treatment", user_role="nurse")
    assert expected == [c["turn_number"] for c in reader(made).calls(**filters)]  # type: ignore[arg-type]


def test_calls_of_several_chains_come_in_order_of_time(made: Made) -> None:
    """Retention classes are chains of their own; calls come merged."""
    with Trail.open(made.path, state=made.state) as trail:
        for number in range(1, 7):
            call(trail, number, retention_class="financial" if number % 2 else "general")
    assert list(range(1, 7)) == [c["turn_number"] for c in reader(made).calls()]
    assert ["financial", "general", "trail"] == reader(made).chains()


def test_records_over_segments_and_killed_writes(made: Made) -> None:
    """Every record comes once, in order, over rotations and set-aside bytes."""
    killed(made, 1, 6, segment_bytes=1500)
    with made.general.open("ab") as file:
        file.write(b"")
    write(made, 8, 12, segment_bytes=1500)
    records = list(reader(made).records("general"))
    assert list(range(len(records))) == [r["seq"] for r in records]
    assert {"general"} == {r["chain"] for r in records}


def test_a_single_record_and_a_single_call(made: Made) -> None:
    """CHAIN/SEQ and a call's id each give one object, or nothing."""
    write(made, segment_bytes=1500)
    found = reader(made).record("general", 3)
    assert found is not None
    assert (
        found["hash"]
        == json.loads(next(line for s in sorted((made.path / "general").glob("*.jsonl")) for line in lines_of(s) if line.startswith(b'{"seq":3,')))[
            "hash"
        ]
    )
    assert None is reader(made).record("general", 10**9)
    assert None is reader(made).record("nothing", 0)
    one = reader(made).call(f"{2:032x}")
    assert one is not None
    assert (2, "success") == (one["turn_number"], one["status"])
    assert None is reader(made).call("f" * 32)


def test_the_timeline_of_a_conversation(made: Made) -> None:
    """One line a call, as R15 shows it."""
    with Trail.open(made.path, state=made.state) as trail:
        base = new_call(f"{3:032x}", "initiate_return", "2026-03-01T12:00:03.000000Z")
        base.update({"conversation_id": "conv_1", "turn_number": 3, "arguments": {"order_id": "ORD-456"}})
        trail.append(STARTED, base)
        summary = {"success": True, "return_id": "RET-789", "_type": "dict"}
        trail.append("tool_call.finished", {**base, "success": True, "result_summary": summary, "duration_ms": 156.2})
    assert '[Turn 3] ✅ initiate_return({"order_id": "ORD-456"}) → {"success": true, "return_id": "RET-789"} [156ms]' == reader(made).timeline(
        "conv_1"
    )
    assert "" == reader(made).timeline("conv_2")


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"not json", b'{"format":1}', b'{"format":1,"trail_id":"../../etc"}', b'{"format":true,"trail_id":"' + b"a" * 32 + b'"}'],
)
def test_a_foreign_directory_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    """What is no trail gives a clear error that names it."""
    (tmp_path / "trail.json").write_bytes(content)
    with pytest.raises(TrailCorrupt, match=tmp_path.name):
        TrailReader(tmp_path, state=str(tmp_path / "state"))


def test_an_empty_or_missing_directory_is_refused(tmp_path: Path) -> None:
    """Nothing there is no trail."""
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(TrailCorrupt):
            TrailReader(path, state=str(tmp_path / "state"))


def test_a_newer_format_is_refused(made: Made) -> None:
    """A trail of a newer version asks for that version."""
    write(made)
    document = made.path / "trail.json"
    document.write_bytes(document.read_bytes().replace(b'"format": 1', b'"format": 2').replace(b'"format":1', b'"format":2'))
    with pytest.raises(UnsupportedFormat, match="newer"):
        reader(made)


def test_a_linked_trail_is_refused(made: Made) -> None:
    """The trail's path may not be a symbolic link."""
    write(made)
    link = made.path.with_name("link")
    link.symlink_to(made.path)
    with pytest.raises(TrailCorrupt):
        TrailReader(link, state=str(made.state))


def test_reading_works_on_read_only_media(made: Made) -> None:
    """Nothing needs to be written to read or verify: not in the trail, not in the state."""
    write(made)
    every = [made.path, made.state, *made.path.rglob("*"), *made.state.rglob("*")]
    for path in every:
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222)
    try:
        assert 4 == len(list(reader(made).calls()))
        assert "intact" == verify(made.path, state=str(made.state)).integrity
    finally:
        for path in every:
            path.chmod(path.stat().st_mode | 0o200)


def test_newlines_in_fields_forge_no_line(made: Made) -> None:
    """Control characters, newlines and separators stay inside their record, and inside their line of the timeline."""
    nasty = 'a\n[Turn 9] ✅ forged() → {}\r\x1b[2J\u2028\u0085\u202e{"seq":0}'
    with Trail.open(made.path, state=made.state) as trail:
        call(trail, 1, arguments={"x": nasty}, user_id=nasty, conversation_id=nasty)
    (one,) = reader(made).calls()
    assert (nasty, {"x": nasty}) == (one["user_id"], one["arguments"])
    told = reader(made).timeline(nasty)
    assert 1 == len(told.splitlines())
    assert told.isprintable()


def test_the_reader_needs_no_opentelemetry_sdk() -> None:
    """An auditor's machine verifies without the SDK, and without the writer."""
    program = (
        "import sys; import otel_tool_audit.review.verify.verifier, otel_tool_audit.review.reader;"
        "bad=[m for m in sys.modules if m.startswith(('opentelemetry.sdk','typer','rich','phonenumbers','otel_tool_audit.trail.trail','otel_tool_audit.trail.chain.chain'))];"
        "print(bad); sys.exit(bool(bad))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    )
    assert 0 == done.returncode, done.stdout + done.stderr


def test_a_chain_that_is_a_link_is_refused(made: Made) -> None:
    """Nothing outside of the trail is read as if it were inside."""
    write(made)
    shutil.move(made.path / "general", made.path.with_name("outside"))
    (made.path / "general").symlink_to(made.path.with_name("outside"))
    assert ["trail"] == reader(made).chains()


def test_readers_that_nobody_closes_use_up_no_descriptors(made: Made) -> None:
    """A service that opens a reader for each question, as the README does, never runs out of files for its own trail."""
    write(made)
    assert list(TrailReader(made.path, state=str(made.state)).calls())
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        assert list(TrailReader(made.path, state=str(made.state)).calls())
    gc.collect()
    assert before >= len(os.listdir("/proc/self/fd"))
