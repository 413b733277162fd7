"""Answers from the index are those of the trail, whatever the trail holds and whoever wrote into the cache."""

from __future__ import annotations

import gc
import json
import os
import random
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from making import Made, lines_of

from otel_tool_audit.format.events import AMENDED, FINISHED, OBSERVED, STARTED
from otel_tool_audit.record.model import new_call
from otel_tool_audit.review import planner
from otel_tool_audit.review.index.extract import Extraction
from otel_tool_audit.review.reader import UnauditedReader
from otel_tool_audit.review.source import byte_search
from otel_tool_audit.review.source.location import open_root
from otel_tool_audit.trail.trail import Trail

pytest.importorskip("duckdb")
pytest.importorskip("pyarrow")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="writers run on Linux")


@pytest.fixture(autouse=True)
def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small trails are asked through the index, too."""
    monkeypatch.setattr(planner, "WORTH_AN_INDEX", 0)


def quick(made: Made) -> UnauditedReader:
    return UnauditedReader(made.path, state=str(made.state), index=made.path.parent / "index")


def slow(made: Made) -> UnauditedReader:
    return UnauditedReader(made.path, state=str(made.state), index="none")


def fill(made: Made, calls: int = 60, *, seed: int = 1) -> None:
    """Calls in several small segments and two chains: all events, some across segments, some joined, some without an end."""
    chance = random.Random(seed)
    started: list[Any] = []
    with Trail.open(made.path, state=made.state, segment_bytes=8192) as trail:
        for number in range(calls):
            call = new_call(
                f"{chance.getrandbits(128):032x}", f"tool_{number % 3}", f"2026-03-{1 + number // 25:02d}T00:{number % 25:02d}:00.000000Z"
            )
            call.update({
                "user_id": chance.choice(["unknown", "usr_1", "usr_ü", "o'brien"]), "conversation_id": f"conv_{number % 7}", "subject": chance.choice([None, "P-1", "P-2"]),
                "retention_class": chance.choice(["general", "healthcare"]), "arguments": {"text": 'Straße, "success":null'}, "agent": None, "attempt": chance.choice([None, 1]),
            })  # fmt: skip
            done = {
                **call,
                "success": chance.choice([True, True, False]),
                "duration_ms": chance.choice([1.0, 2.5, 1.0005, 300.125]),
                "user_id": "usr_1",
            }
            if chance.randrange(5) == 0:
                done |= {"success": None, "outcome": chance.choice(["paused", "denied"])}
            kind = chance.randrange(8)
            if kind == 0:
                trail.append(OBSERVED, done)  # type: ignore[arg-type]
                continue
            trail.append(STARTED, call)
            if kind == 1:
                started.append(done)
            elif kind == 2:
                continue
            else:
                trail.append(FINISHED, done)  # type: ignore[arg-type]
            if kind == 3 and number > 3:
                other = new_call(f"{chance.getrandbits(128):032x}", "tool_0", call["timestamp"])
                trail.append(OBSERVED, {**other, "success": True, "retention_class": call["retention_class"]})  # type: ignore[arg-type]
                trail.append(AMENDED, {**call, "user_role": "late", "joins": [other["call_id"]]})  # type: ignore[arg-type]
        for done in started[: len(started) // 2]:
            trail.append(FINISHED, done)


def questions(reader: UnauditedReader) -> list[Any]:
    """
    Many questions, each answer as a value that compares.

    The calls' times are made up, those of rotations are not: so a stream by time is asked for in order.
    """
    return [
        sorted(reader.calls(), key=lambda call: call["call_id"]),
        list(reader.calls(subject="P-1", order_by="timestamp")),
        list(reader.calls(user="usr_1", status="error", order_by="timestamp")),
        list(reader.calls(conversation="conv_3", since="2026-03-02", order_by="timestamp")),
        list(reader.calls(text="STRASSE", tool="tool_1", order_by="timestamp")),
        *(list(reader.calls(status=status, order_by="timestamp")) for status in ("interrupted", "paused", "denied")),
        list(reader.calls(order_by="outcome", limit=20)),
        list(reader.calls(order_by="duration_ms", descending=True, limit=7)),
        list(reader.calls(order_by="user_id", limit=9)),
        list(reader.calls(order_by="user_role", descending=True)),
        list(reader.calls(order_by="session_metadata", limit=5)),
        sorted(reader.timeline("conv_1").splitlines()),
        reader.statistics(every="day", retention="general"),
        reader.tool_statistics("tool_2", every="month"),
        reader.access_report("P-2", check=False),
        reader.activity_report("2026-03-02", every="hour", check=False),
    ]


def few(reader: UnauditedReader) -> list[Any]:
    """Some questions: one that reads lines, one that only counts."""
    return [list(reader.calls(user="usr_1", order_by="timestamp")), reader.statistics(user="usr_1")]


def test_index_and_trail_answer_the_same(made: Made) -> None:
    """Filters, orders, statistics and reports are equal, whether the index answers or all lines are read."""
    fill(made)
    assert questions(slow(made)) == questions(quick(made))
    assert len(list((made.path.parent / "index").rglob("*.parquet"))) > 5


def test_searching_finds_what_reading_all_finds(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Joined calls, calls across segments, damaged and unsealed segments: a search gives the calls and the count of unreadable lines of a full reading."""
    fill(made)
    with Trail.open(made.path, state=made.state) as trail:
        for number, (early, late) in enumerate((("unknown", "conv_late"), ("conv_late", "unknown")), 1):
            call = new_call(f"{number:032x}", "tool_0", "2026-03-09T00:00:00.000000Z")
            other = new_call(f"{number + 8:032x}", "tool_0", "2026-03-09T00:00:01.000000Z")
            trail.append(STARTED, {**call, "conversation_id": early})
            trail.append(OBSERVED, {**other, "conversation_id": late, "success": True})
            trail.append(AMENDED, {**call, "conversation_id": "unknown", "user_role": "late", "joins": [other["call_id"]]})  # type: ignore[arg-type]
    sealed = sorted((made.path / "general").glob("*.jsonl"))[:-1]
    assert len(sealed) > 4
    spoilt = sealed[1].read_bytes()
    sealed[1].write_bytes(spoilt[:300] + b"\xff" + spoilt[301:])
    sealed[2].with_suffix(".seal").unlink()
    asked: list[dict[str, Any]] = [
        *({"conversation": name} for name in ("conv_1", "conv_3", "conv_late", "nobody's")), *({"user": name} for name in ("usr_1", "usr_ü", "o'brien", "unknown")),
        {"subject": "P-1"}, {"subject": "P-2", "status": "error"}, {"conversation": "conv_2", "user": "usr_1"}, {"trace_id": "0" * 32},
    ]  # fmt: skip

    def answers() -> list[Any]:
        reader = slow(made)
        return [(list(reader.calls(order_by="timestamp", **filters)), reader.unreadable) for filters in asked]

    trusted = [found.trusted for found in _searches(made)]
    assert {True, False} == set(trusted)
    quickly = answers()
    monkeypatch.setattr(byte_search, "wanted_by", lambda _: None)
    assert answers() == quickly
    assert 2 == len(quickly[2][0])
    assert all(unreadable == 1 for _, unreadable in quickly)


def _searches(made: Made) -> list[byte_search.SearchHits]:
    """What the first round says of each segment of chain ``general``."""
    with open_root(str(made.path)) as root:
        worker = byte_search.SearchWorker(root)
        segments = sorted((made.path / "general").glob("*.jsonl"))
        found = [
            worker.do(byte_search.SearchTask("general", one.name, one.stat().st_size, "user_id", frozenset({"usr_1"}), sealed=one != segments[-1]))
            for one in segments
        ]
        worker.close()
    return found


def test_many_calls_are_read_as_before(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a search finds more calls than it is worth, everything is read, and the answer is the same."""
    fill(made)
    before = list(slow(made).calls(user="usr_1", order_by="timestamp"))
    monkeypatch.setattr(byte_search, "MOST", 2)
    assert before == list(slow(made).calls(user="usr_1", order_by="timestamp"))
    assert len(before) > 2


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_it_does_so_for_any_history(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """However calls start, end, are joined or left open across segments and chains, both ways agree."""
    place = tmp_path_factory.mktemp("any")
    made = Made(place / "trail", place / "state")
    fill(made, 30, seed=seed)
    assert questions(slow(made)) == questions(quick(made))


def test_pages_join_seamlessly(made: Made) -> None:
    """Pages by key, put together, are the whole order, for values, equal values and none."""
    fill(made)
    reader = quick(made)
    for field in ("attempt", "user_id", "timestamp", "subject"):
        for descending in (False, True):
            whole, pages, key = list(reader.calls(order_by=field, descending=descending)), [], None
            while True:
                page = reader.calls(order_by=field, descending=descending, limit=11, after=key)
                pages += list(page)
                key = page.next_key
                if key is None:
                    break
            assert whole == pages == list(slow(made).calls(order_by=field, descending=descending))


def test_what_is_appended_is_seen_at_once(made: Made) -> None:
    """A reader that has answered before sees records, rotations and ends that came since; none is older than the question."""
    fill(made, 20)
    reader = quick(made)
    before = reader.tool_statistics().calls
    with Trail.open(made.path, state=made.state, segment_bytes=8192) as trail:
        for number in range(40):
            call = new_call(f"{number:032x}", "new", f"2026-04-01T00:00:{number:02d}.000000Z")
            trail.append(STARTED, call)
            assert ["running"] == [c["status"] for c in reader.calls(tool="new", order_by="timestamp", descending=True, limit=1)]
            trail.append(FINISHED, {**call, "success": True})  # type: ignore[arg-type]
            assert before + number + 1 == reader.tool_statistics().calls
    assert questions(slow(made)) == questions(reader)


def copies(made: Made) -> list[Path]:
    return sorted((made.path.parent / "index").rglob("*.parquet"))


def poison(path: Path) -> None:
    """Change rows of a copy as somebody does who knows the format: what is in the metadata stays right."""
    import pyarrow.compute as pc  # noqa: PLC0415 - an extra
    import pyarrow.parquet as pq  # noqa: PLC0415 - likewise

    table = pq.read_table(path)
    changed = table.set_column(table.schema.get_field_index("user_id"), "user_id", pc.replace_substring(table["user_id"], "usr_1", "someone"))
    pq.write_table(changed.replace_schema_metadata(table.schema.metadata), path)


@pytest.mark.parametrize(
    "attack", ["rows", "rows and time", "swapped", "swapped back", "deleted", "note deleted", "note forged", "garbage", "empty", "older"]
)
@pytest.mark.parametrize("fresh", [False, True])
def test_a_poisoned_index_is_made_anew(made: Made, attack: str, fresh: bool) -> None:
    """Whatever is done to the cache, by who may write it, the answers stay those of the trail."""
    fill(made, 24)
    expected = few(slow(made))
    reader = quick(made)
    few(reader)
    first, second = copies(made)[:2]
    before = first.stat()
    old = first.read_bytes()
    note = first.with_name(first.name + ".note")
    if attack.startswith("rows"):
        poison(first)
    if attack == "rows and time":
        os.utime(first, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif attack.startswith("swapped"):
        kept = first.with_name("kept")
        first.rename(kept)
        second.rename(first)
        kept.rename(second)
    if attack == "swapped back":
        few(reader) if not fresh else None
        poison(first)
        first.write_bytes(old)
    elif attack == "deleted":
        first.unlink()
    elif attack == "note deleted":
        note.unlink()
    elif attack == "note forged":
        poison(first)
        said = json.loads(note.read_bytes())
        found = first.stat()
        said["stamp"] = [found.st_dev, found.st_ino, found.st_size, found.st_ctime_ns, found.st_mtime_ns]
        note.write_bytes(json.dumps(said).encode())
    elif attack in {"garbage", "empty"}:
        first.write_bytes(b"PAR1" * 100 if attack == "garbage" else b"")
    elif attack == "older":
        shutil.copytree(made.path.parent / "index", made.path.parent / "old")
        first.with_name(first.name + ".note").write_bytes(second.with_name(second.name + ".note").read_bytes())
        first.write_bytes(second.read_bytes())
    assert expected == few(quick(made) if fresh else reader)


def test_a_segment_that_was_changed_is_copied_anew(made: Made) -> None:
    """The answer is what the files hold now, not what they held when the index was made; verify says what is wrong with them."""
    fill(made)
    reader = quick(made)
    questions(reader)
    segment = min((made.path / "general").glob("*.jsonl"))
    lines = [line.replace(b"conv_", b"gone_") if number % 2 else line for number, line in enumerate(lines_of(segment))]
    segment.write_bytes(b"".join(lines))
    for asked in (reader, quick(made)):
        assert questions(slow(made)) == questions(asked)
    assert "broken" == reader.verdict().integrity


def test_a_copy_of_the_cache_is_checked_by_its_bytes(made: Made) -> None:
    """Restored files are other files with the same bytes: they are believed after they were hashed, and only then."""
    fill(made)
    expected = questions(quick(made))
    index = made.path.parent / "index"
    shutil.copytree(index, made.path.parent / "again")
    shutil.rmtree(index)
    shutil.move(made.path.parent / "again", index)
    inodes = {path: path.stat().st_ino for path in copies(made)}
    assert expected == questions(quick(made))
    assert inodes == {path: path.stat().st_ino for path in copies(made)}


def test_a_copied_cache_settles_all_at_once(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many segments there are, a cache and a trail that were copied to other files are waited for once."""
    fill(made)
    expected = questions(quick(made))
    for name in ("index", "trail"):
        place = made.path.parent / name if name == "index" else made.path
        shutil.copytree(place, made.path.parent / "again")
        shutil.rmtree(place)
        shutil.move(made.path.parent / "again", place)
    assert 2 < len(copies(made))
    waited: list[float] = []
    monkeypatch.setattr("otel_tool_audit.review.index.store.time.sleep", waited.append)
    assert expected == questions(quick(made))
    assert 1 == len(waited)


def test_where_no_index_may_be_there_is_none(made: Made, tmp_path: Path) -> None:
    """Without a state directory, with an index that others may write, or one that is no directory, the trail itself is read."""
    fill(made, 20)
    expected = questions(slow(made))
    loose = tmp_path / "loose" / made.trail_id
    loose.mkdir(parents=True)
    loose.chmod(0o777)
    (tmp_path / "file").write_text("no directory")
    for index in (loose.parent, tmp_path / "file", tmp_path / "a*"):
        reader = UnauditedReader(made.path, state=str(made.state), index=index)
        assert expected[:-2] == questions(reader)[:-2]
        assert any("without an index" in note for note in reader.notes)
    lonely = UnauditedReader(made.path, state=str(tmp_path / "nothing"), index=tmp_path / "index")
    assert len(list(lonely.calls(conversation="conv_1"))) == len(list(slow(made).calls(conversation="conv_1")))
    assert not (tmp_path / "index").exists()


def test_files_of_the_index_are_private(made: Made) -> None:
    """What was copied from a trail is as private as the trail."""
    fill(made, 20)
    questions(quick(made))
    for path in (made.path.parent / "index").rglob("*"):
        assert (0o700 if path.is_dir() else 0o600) == path.stat().st_mode & 0o777
    assert 0o600 == (made.state / "readers" / "index-key").stat().st_mode & 0o777
    assert [] == [path for path in made.path.rglob("*") if path.suffix in {".parquet", ".note"}]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.binary(max_size=200)
        | st.builds(
            lambda n, e, c: b'{"seq":%d,"previous_hash":"%s","event":"tool_call.%s","call_id":"%s"' % (n, b"0" * 64, e, c),
            st.integers(0, 9),
            st.sampled_from([b"started", b"finished", b"observed"]),
            st.sampled_from([b"a" * 32, b"b" * 32, b"G" * 32]),
        ),
        max_size=20,
    )
)
def test_no_line_disturbs_the_extraction(lines: list[bytes]) -> None:
    """Whatever stands in a segment, every line is part of a row, loose, or of the trail's life, and offsets add up."""
    found = Extraction()
    whole = [line.replace(b"\n", b" ") for line in lines]
    assert sum(map(len, whole)) + len(whole) == found.feed(whole, 0)
    assert len(whole) == len(found.loose) + len(found.waiting()) + len(found.events) + 2 * len(found)


def test_a_child_asks_for_itself_and_ends_in_peace(made: Made) -> None:
    """After a fork a reader answers in the child as in the parent, and what the parent had opened ends neither of them."""
    fill(made, 20)
    reader, forgotten = quick(made), quick(made)
    expected = few(reader)
    assert expected == few(forgotten)
    child = os.fork()
    if not child:
        status = 1
        try:
            del forgotten
            gc.collect()
            status = 0 if few(reader) == expected else 2
            reader.close()
            gc.collect()
        finally:
            os._exit(status)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert expected == few(reader)
