"""``otel-tool-audit reconcile``, on trails that the product wrote and spans that it exported."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from backend import Exported, FakeJaeger, export, line
from hypothesis import given, settings
from hypothesis import strategies as st
from making import lines_of, rewrite
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import NoOpTracerProvider

import otel_tool_audit as audit
from otel_tool_audit.cli.app import run
from otel_tool_audit.format import line as codec_line
from otel_tool_audit.record import codec
from otel_tool_audit.record.model import new_call
from otel_tool_audit.review.reconcile import jaeger, otlp_files, records, spill
from otel_tool_audit.review.reconcile.spill import pack_recorded
from otel_tool_audit.review.source import records as trail_records

LATER = "2100-01-01"


@pytest.fixture
def reconciled(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, dict]]:
    def command(*arguments: object) -> tuple[int, dict]:
        capsys.readouterr()
        code = run(["reconcile", *map(str, arguments), "--json"])
        return code, json.loads(capsys.readouterr().out)

    return command


def to_file(made: Exported, *, leave_out: int = 0, copies: int = 1) -> Path:
    path = made.path.parent / "spans.jsonl"
    path.write_bytes(b"".join(map(line, made.requests[leave_out:])) * copies)
    return path


def kinds(found: dict) -> dict[str, int]:
    return {name: number for name, number in found["counts"].items() if number}


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute has passed: nothing is on its way any more."""
    monkeypatch.setattr("otel_tool_audit.review.reconcile.run.SETTLED", 0.0)


def test_both_agree(exported: Callable[..., Exported], reconciled) -> None:
    """Every call is on both sides, asked over gRPC and from the Collector's file; exit 0."""
    made = exported(5)
    code, found = reconciled(made.path, "--otlp-file", to_file(made))
    assert (0, "agrees", {"calls": 5, "agreed": 5}, []) == (code, found["verdict"], kinds(found), found["findings"])
    with FakeJaeger(made.requests) as fake:
        code, found = reconciled(made.path, "--jaeger", fake.url)
    assert (0, {"calls": 5, "agreed": 5}, fake.url) == (code, kinds(found), found["backend"])


def test_helper_processes_find_the_same(exported: Callable[..., Exported], reconciled, settled, monkeypatch: pytest.MonkeyPatch) -> None:
    """However small the pieces are that trail and backend are read in, and by whom."""
    monkeypatch.setattr(trail_records, "WORTH_HELPERS", 0)
    monkeypatch.setattr(trail_records, "cores", lambda: 2)
    monkeypatch.setattr(records, "PIECE", 500)
    monkeypatch.setattr(otlp_files, "PIECE", 500)
    monkeypatch.setattr(jaeger, "DEPTH", 3)
    made = exported(9)
    expected = (1, {"calls": 9, "agreed": 8, "missing_in_backend": 1})
    code, found = reconciled(made.path, "--otlp-file", to_file(made, leave_out=1))
    assert (*expected, 8) == (code, kinds(found), found["spans_read"])
    with FakeJaeger(made.requests[1:]) as fake:
        code, found = reconciled(made.path, "--jaeger", fake.url)
    assert (*expected, 8) == (code, kinds(found), found["spans_read"])


def test_delivered_twice_is_no_disagreement(exported: Callable[..., Exported], reconciled) -> None:
    """At-least-once delivery is counted, and nothing else."""
    made = exported(5)
    code, found = reconciled(made.path, "--otlp-file", to_file(made, copies=2))
    assert (0, {"calls": 5, "agreed": 5, "duplicated_spans": 5}) == (code, kinds(found))


def test_a_span_that_is_missing(exported: Callable[..., Exported], reconciled, settled) -> None:
    """Exit 1, and the call's record is named; with --allow-missing it is counted and exits 0."""
    made = exported(5)
    code, found = reconciled(made.path, "--otlp-file", to_file(made, leave_out=1))
    assert (1, "disagrees", {"calls": 5, "agreed": 4, "missing_in_backend": 1}) == (code, found["verdict"], kinds(found))
    assert ("missing in backend", "general/1") == (found["findings"][0]["kind"], found["findings"][0]["where"])
    assert 0 == reconciled(made.path, "--otlp-file", to_file(made, leave_out=1), "--allow-missing")[0]
    code, found = reconciled(made.path, "--otlp-file", to_file(made, leave_out=5), "--allow-missing")
    assert (3, ["no call was found on both sides: nothing could be compared"]) == (code, found["doubts"])


def test_what_has_just_ended_may_be_on_its_way(exported: Callable[..., Exported], reconciled) -> None:
    """Within a minute of a call's end a missing span is no finding, and no agreement either: exit 3."""
    made = exported(5)
    code, found = reconciled(made.path, "--otlp-file", to_file(made, leave_out=1))
    assert (3, {"calls": 5, "agreed": 4, "on_the_way": 1}) == (code, kinds(found))


def test_a_fragment_may_hold_what_is_missing(exported: Callable[..., Exported], reconciled, settled) -> None:
    """With a torn line a missing span proves nothing: exit 3, and the line is named."""
    made = exported(5)
    path = to_file(made, leave_out=1)
    path.write_bytes(path.read_bytes() + line(made.requests[0])[:300])
    code, found = reconciled(made.path, "--otlp-file", path)
    assert (3, "cannot tell", 1) == (code, found["verdict"], found["counts"]["missing_in_backend"])
    assert "line 5" in found["doubts"][0]


def test_a_record_that_was_removed_is_missed(exported: Callable[..., Exported], reconciled) -> None:
    """Whoever removes the last call and makes head and hashes fit has the backend against him: exit 1."""
    made = exported(5)
    segment = max((made.path / "general").glob("*.jsonl"))
    segment.write_bytes(b"".join(lines_of(segment)[:-2]))
    shutil.rmtree(Path(os.environ["OTEL_TOOL_AUDIT_STATE"]) / "heads")
    code, found = reconciled(made.path, "--otlp-file", to_file(made))
    assert (1, {"calls": 4, "agreed": 4, "missing_in_trail": 1}) == (code, kinds(found))
    assert ("missing in trail", "general/9") == (found["findings"][0]["kind"], found["findings"][0]["where"])
    assert 1 == reconciled(made.path, "--otlp-file", to_file(made), "--allow-missing")[0]


def test_a_trail_written_anew_as_a_whole_is_found(exported: Callable[..., Exported], reconciled) -> None:
    """With one user changed, and every hash from there on made right, each of these calls contradicts its span."""
    made = exported(5)
    segment = max((made.path / "general").glob("*.jsonl"))
    segment.write_bytes(b"".join(rewrite(lines_of(segment), 3, user_id="somebody-else")))
    shutil.rmtree(Path(os.environ["OTEL_TOOL_AUDIT_STATE"]) / "heads")
    code, found = reconciled(made.path, "--otlp-file", to_file(made))
    assert (1, {"calls": 5, "agreed": 1, "mismatched": 4}) == (code, kinds(found))
    assert "changed after it was exported" in found["findings"][0]["message"]


def test_a_changed_byte_is_found_although_the_line_claims_its_old_hash(exported: Callable[..., Exported], reconciled) -> None:
    """What is compared is the hash of the bytes that are there."""
    made = exported(2)
    segment = max((made.path / "general").glob("*.jsonl"))
    lines = lines_of(segment)
    lines[-1] = lines[-1].replace(b"usr_1", b"usr_2")
    segment.write_bytes(b"".join(lines))
    code, found = reconciled(made.path, "--otlp-file", to_file(made))
    assert (1, 1) == (code, found["counts"]["mismatched"])


def test_calls_that_were_not_sampled_are_not_missed(tmp_path: Path, reconciled, settled) -> None:
    """Their records say so, of own calls and of foreign ones; without tracing there is nothing to miss either."""
    provider = TracerProvider(sampler=ALWAYS_OFF)
    with audit.configure(tmp_path / "audit", tracer_provider=provider):
        audit.tool(lambda n: n, name="tool")(1)
        provider.get_tracer("other").start_span("t", attributes={"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t"}).end()
    with audit.configure(tmp_path / "audit", tracer_provider=NoOpTracerProvider()):
        audit.tool(lambda n: n, name="tool")(2)
    (tmp_path / "spans").write_bytes(b"")
    code, found = reconciled(tmp_path / "audit", "--otlp-file", tmp_path / "spans")
    assert (0, {"calls": 3, "sampled_away": 2, "without_span": 1}) == (code, kinds(found))
    assert 0 == run(["verify", str(tmp_path / "audit"), "--deep"])


@settings(deadline=None)
@given(
    st.dictionaries(st.text(max_size=9), st.text(max_size=30) | st.integers(0, 9) | st.none(), max_size=3),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_reading_by_position_is_reading(arguments, claimed, sampled, traced) -> None:
    """Whatever a call's arguments imitate, a line that is read by position says what it says when it is parsed."""
    call = new_call("0" * 32, "t", "2026-03-01T12:00:00.000000Z")
    call["arguments"] = {
        **arguments,
        "x": ',"span_id":"0123456789abcdef","parent_span_id":null,"source":"s","claimed":null,"retention_class":"g"',
        "sampled": False,
    }
    call["claimed"] = {"span_id": "0123456789abcdef"} if claimed else None
    call["span_id"] = "0123456789abcdef" if traced else None
    if not sampled:
        call["sampled"] = False
    body = codec_line.body(
        7, "ab" * 32, codec.call_tail("tool_call.finished", call, salt="1" * 32, writer="2" * 32, service=b'"shop"', digest=lambda _: None)
    )
    text = codec_line.line(body, codec_line.leaf_hash(body)).rstrip(b"\n")
    usual = records._usual(text, b"general")
    parsed = records._recorded(json.loads(text), "general", codec_line.leaf_digest(body), records.nanoseconds(call["timestamp"]))
    assert (traced, sampled) == (parsed.traced, parsed.sampled)
    assert usual == (None if claimed else (7, parsed.at, pack_recorded(parsed)))


def test_a_window_of_time(exported: Callable[..., Exported], reconciled, settled) -> None:
    """Calls outside of it are not asked for."""
    made = exported(3)
    (made.path.parent / "empty").write_bytes(b"")
    code, found = reconciled(made.path, "--otlp-file", made.path.parent / "empty", "--until", "1h")
    assert (0, {}) == (code, kinds(found))
    assert 1 == reconciled(made.path, "--otlp-file", made.path.parent / "empty", "--since", "1h")[0]


def test_spans_of_another_trail_are_told_apart(exported: Callable[..., Exported], tmp_path: Path, reconciled) -> None:
    """Two services with a trail each may share a backend."""
    made, other = exported(3), export(tmp_path / "other", 2)
    path = to_file(made)
    path.write_bytes(path.read_bytes() + b"".join(map(line, other.requests)))
    code, found = reconciled(made.path, "--otlp-file", path)
    assert (0, {"calls": 3, "agreed": 3, "spans_of_other_trails": 2}) == (code, kinds(found))
    assert 1 == len(found["other_trails"])


def test_people_get_a_table(exported: Callable[..., Exported], capsys: pytest.CaptureFixture[str], settled) -> None:
    """It names the verdict, the counts and the findings."""
    made = exported(3)
    assert 1 == run(["reconcile", str(made.path), "--otlp-file", str(to_file(made, leave_out=1))])
    printed = capsys.readouterr().out
    assert all(text in printed for text in ("disagrees", "missing in backend", "general/1", "agreed"))


@pytest.mark.parametrize(
    "arguments", [[], ["--jaeger", "http://localhost", "--otlp-file", "x"], ["--otlp-file", "nothing"], ["--jaeger", "ftp://x"], ["--since", "never"]]
)
def test_mistakes_are_usage(exported: Callable[..., Exported], arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2 and one line."""
    made = exported(1)
    extra = ["--otlp-file", str(to_file(made))] if arguments == ["--since", "never"] else []
    assert 2 == run(["reconcile", str(made.path), *arguments, *extra])
    assert "Traceback" not in capsys.readouterr().err


def test_a_backend_that_is_not_there_cannot_tell(exported: Callable[..., Exported], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 3, and what to look at."""
    assert 3 == run(["reconcile", str(exported(1).path), "--jaeger", "127.0.0.1:9"])
    assert "is it running" in capsys.readouterr().err


def test_without_room_to_sort_it_cannot_tell(
    exported: Callable[..., Exported], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 3, not the 1 that means that they disagree, and where room is needed."""
    made = exported(1)
    monkeypatch.setattr(spill.Heap.__init__, "__defaults__", (1,))
    monkeypatch.setattr(spill.Spill.__init__, "__defaults__", (1,))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    assert 3 == run(["reconcile", str(made.path), "--otlp-file", str(to_file(made))])
    assert "No space left on device): make room there, or let TMPDIR" in capsys.readouterr().err.replace("\n", " ")


def test_a_trail_whose_numbers_no_writer_wrote(exported: Callable[..., Exported], reconciled) -> None:
    """Whatever seq or time somebody put into a record, it is compared or told to be no record, and nothing crashes."""
    made = exported(3)
    segment = max((made.path / "general").glob("*.jsonl"))
    lines = lines_of(segment)
    for number, (old, new) in enumerate(
        [(b'{"seq":1,', b'{"seq":-1,'), (b'{"seq":2,', b'{"seq":18446744073709551615,'), (b'"timestamp":"2', b'"timestamp":"9')], 1
    ):
        assert old in lines[number]
        lines[number] = lines[number].replace(old, new)
    segment.write_bytes(b"".join(lines))
    shutil.rmtree(Path(os.environ["OTEL_TOOL_AUDIT_STATE"]) / "heads")
    code, found = reconciled(made.path, "--otlp-file", to_file(made))
    assert (1, 1, 2) == (code, found["counts"]["agreed"], found["counts"]["mismatched"])
    assert "2 lines of the trail are no records" in " ".join(found["notes"])
