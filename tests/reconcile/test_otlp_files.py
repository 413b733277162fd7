"""The Collector's files, whole, torn and joined."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from backend import Exported, line, spans_of
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_tool_audit.errors import SettingsError
from otel_tool_audit.review.reconcile import otlp_files
from otel_tool_audit.review.reconcile.otlp_files import OtlpFiles
from otel_tool_audit.review.reconcile.values import Window

ALL = Window(0, 1 << 63)


def read(*paths: Path, window: Window = ALL):
    source = OtlpFiles([str(path) for path in paths])
    return spans_of(source, window), source


@pytest.fixture
def lines(exported: Callable[..., Exported]) -> list[bytes]:
    return [line(request) for request in exported(4).requests]


def test_whole_lines_give_their_spans(lines, tmp_path: Path) -> None:
    """Each span comes with the record it names, from plain and from compressed files."""
    (tmp_path / "a.jsonl").write_bytes(b"".join(lines[:2]))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(b"".join(lines[2:])))
    found, source = read(tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz")
    assert (4, 4, []) == (len({span.call for span in found}), source.tally.spans_read, source.unread)
    assert all(span.hash and span.chain == "general" and span.trail and span.seq for span in found)
    assert ([], []) == (read(tmp_path / "a.jsonl", window=Window(0, 1))[0], source.unread)


def test_joined_lines_and_fragments(lines, tmp_path: Path) -> None:
    """Two requests on a line are two; what is before, between and after whole ones is told, and where."""
    first, second, third, fourth = (text.strip() for text in lines)
    path = tmp_path / "torn.jsonl"
    path.write_bytes(first + second + b"\n" + third[:100] + fourth + b"\n" + b'"}]}]}]}' + first + b"\n" + third[: len(third) // 2])
    found, source = read(path)
    assert sorted([first, second, fourth, first]) == sorted(
        next(text for text in map(bytes.strip, lines) if span.call.hex().encode() in text) for span in found
    )
    assert ["line 2: a fragment of 100 bytes", "line 3: a fragment of 8 bytes", f"line 4: a fragment of {len(third) // 2:,} bytes"] == [
        told.partition(", ")[2].rpartition(",")[0] if "bytes," in told else told for told in source.unread
    ]


@pytest.mark.parametrize("piece", [1, 100, 10_000])
def test_in_pieces_of_any_size_the_same_is_read(lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    """No line is left out or read twice where one piece ends and the next begins, and lines are counted through."""
    monkeypatch.setattr(otlp_files, "PIECE", piece)
    path = tmp_path / "pieces.jsonl"
    path.write_bytes(b"\n" + b"".join(lines) + b"{torn\n" + lines[0] + lines[1].rstrip())
    for here, packed in ((path, False), (tmp_path / "pieces.jsonl.gz", True)):
        if packed:
            here.write_bytes(gzip.compress(path.read_bytes()))
        found, source = read(here)
        assert (6, 4, 6) == (len(found), len(set(found)), source.tally.spans_read)
        assert [f"{here}, line 6: a fragment of 5 bytes, as a killed Collector leaves"] == source.unread


def test_a_compressed_file_that_was_cut_off_is_told(lines, tmp_path: Path) -> None:
    """What could be read counts; that there was more is said."""
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(gzip.compress(b"".join(lines))[:-20])
    _, source = read(path)
    assert 1 == len(source.unread)


def test_what_is_no_request_is_told(tmp_path: Path) -> None:
    """Other JSON, and values of other types than OTLP's, are no spans and no crash."""
    path = tmp_path / "odd.jsonl"
    odd = b'{"resourceSpans":[7,{"scopeSpans":{}},{"scopeSpans":[{"spans":[1,{"attributes":[2,{"key":["audit.record.id"]},{"key":"audit.record.id","value":7}]}]}]}]}\n'
    path.write_bytes(b"[1,2]\n\n" + odd)
    found, source = read(path)
    assert ([], 2, 1) == (found, source.tally.spans_read, len(source.unread))


def test_tool_spans_without_a_record_are_counted(tmp_path: Path) -> None:
    """A process that nobody audits is named by its service."""
    path = tmp_path / "other.jsonl"
    tool = '{"key":"gen_ai.operation.name","value":{"stringValue":"execute_tool"}}'
    service = '{"attributes":[{"key":"service.name","value":{"stringValue":"rogue"}}]}'
    path.write_text(f'{{"resourceSpans":[{{"resource":{service},"scopeSpans":[{{"spans":[{{"attributes":[{tool}]}}]}}]}}]}}\n')
    assert {"rogue": 1} == dict(read(path)[1].tally.unrecorded)


def test_a_file_that_is_not_there_is_a_mistake_of_the_user(tmp_path: Path) -> None:
    """The message names it."""
    with pytest.raises(SettingsError, match=r"nothing\.jsonl"):
        OtlpFiles([str(tmp_path / "nothing.jsonl")])


@settings(deadline=None)
@given(st.binary(max_size=200), st.binary(max_size=200))
def test_no_bytes_bring_it_down(tmp_path_factory, before: bytes, after: bytes) -> None:
    """Whatever stands around it, a whole request on a line of its own is found."""
    whole = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"audit.record.id","value":{"stringValue":"%b"}}]}]}]}]}' % (b"a" * 32)
    path = tmp_path_factory.mktemp("fuzz") / "f"
    path.write_bytes(b"\n" + before + b"\n" + whole + b"\n" + after)
    assert bytes.fromhex("a" * 32) in [span.call for span in read(path)[0]]
