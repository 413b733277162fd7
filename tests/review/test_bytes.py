"""No byte of a trail can be changed unseen, and nothing that lies in one makes the verification fall over."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from making import Made, write

from otel_tool_audit.errors import AuditError
from otel_tool_audit.review.reader import UnauditedReader
from otel_tool_audit.review.verify.verifier import verify


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Made:
    root = tmp_path_factory.mktemp("frozen")
    made = Made(root / "trail", root / "state")
    write(made, 1, 2, segment_bytes=1500)
    return made


def _segments(made: Made) -> list[Path]:
    return [p for p in sorted(made.path.rglob("*.jsonl")) if p.stat().st_size]


def _integrity(made: Made) -> str:
    return verify(made.path, state=str(made.state)).integrity


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_every_flipped_byte_is_found(frozen: Made, data: st.DataObject) -> None:
    """Any byte of any segment, changed to any other value, breaks the trail."""
    segment = data.draw(st.sampled_from(_segments(frozen)))
    before = segment.read_bytes()
    at = data.draw(st.integers(0, len(before) - 1))
    value = data.draw(st.integers(1, 255))
    try:
        segment.write_bytes(before[:at] + bytes([before[at] ^ value]) + before[at + 1 :])
        assert "broken" == _integrity(frozen)
    finally:
        segment.write_bytes(before)
    assert "intact" == _integrity(frozen)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_truncation_is_found(frozen: Made, data: st.DataObject) -> None:
    """Any segment cut anywhere breaks the trail."""
    segment = data.draw(st.sampled_from(_segments(frozen)))
    before = segment.read_bytes()
    end = data.draw(st.integers(0, len(before) - 1))
    try:
        segment.write_bytes(before[:end])
        assert "broken" == _integrity(frozen)
    finally:
        segment.write_bytes(before)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    junk=st.one_of(
        st.binary(max_size=300),
        st.binary(max_size=100).map(lambda b: b'{"seq":0,"previous_hash":"' + b + b"\n"),
        st.just(b"\n" * 50),
        st.just(b"9" * 200_000),
    )
)
def test_junk_in_a_segment_never_makes_the_reader_fall_over(frozen: Made, junk: bytes) -> None:
    """Whatever stands in a segment: verify says broken, and reading gives records or a clear error."""
    segment = _segments(frozen)[0]
    before = segment.read_bytes()
    try:
        for data in (junk, before[:200] + junk + b"!" + before[200:], before + junk + b"!"):
            segment.write_bytes(data)
            assert "broken" == _integrity(frozen)
            try:
                reader = UnauditedReader(frozen.path, state=str(frozen.state))
                list(reader.records())
                list(reader.calls())
            except AuditError:
                pass
    finally:
        segment.write_bytes(before)


@pytest.mark.parametrize("name", ["owner", "trail.json"])
def test_junk_in_small_files_is_a_finding_or_a_clear_error(frozen: Made, tmp_path: Path, name: str) -> None:
    """Random bytes in the trail's small files never make the verification fall over."""
    dice = random.Random(7)
    file = frozen.path / name
    before = file.read_bytes()
    try:
        for junk in (b"", b"{}", b"[]", b"null", b"\xff\xfe", dice.randbytes(300), b"[" * 5000):
            file.write_bytes(junk)
            assert "broken" == _integrity(frozen)
    finally:
        file.write_bytes(before)


def test_junk_in_a_state_directory_is_never_intact(frozen: Made, tmp_path: Path) -> None:
    """A damaged head or place never makes a verdict milder than "cannot tell"."""
    for file in [*sorted((frozen.state / "heads").rglob("*")), frozen.state / "places", frozen.state / "id"]:
        if file.is_file():
            state = tmp_path / file.name / "state"
            shutil.copytree(frozen.state, state)
            target = state / file.relative_to(frozen.state)
            target.write_bytes(b"\xff" * target.stat().st_size)
            try:
                integrity = verify(frozen.path, state=str(state)).integrity
            except AuditError:
                continue
            assert integrity != "intact" or file.name == "id", file
