"""Verdicts and answers on any stack: called with few frames left, or with a recursion limit that nothing reaches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from making import Made, call, rehash, write

from otel_tool_audit.access.reader import TrailReader
from otel_tool_audit.format.line import leaf_hash
from otel_tool_audit.format.line import line as whole_line
from otel_tool_audit.review.verify.verifier import verify
from otel_tool_audit.trail.trail import Trail

FRAMES = (150, 900, 200_000)
DEPTHS = (40, 122, 130, 300, 1000, 3000, 20_000)


def lists(depth: int) -> Any:
    found: list[Any] = []
    for _ in range(depth - 1):
        found = [found]
    return found


def answers(made: Made) -> tuple[Any, ...]:
    found = verify(made.path, state=made.state, deep=True)
    reader = TrailReader(made.path, state=made.state)
    calls = [(one["call_id"], one["status"]) for one in reader.calls()]
    return found.integrity, [finding.message for finding in found.findings], calls, reader.statistics()


def same(made: Made, with_frames: Callable[..., Any]) -> tuple[Any, ...]:
    first, *others = [with_frames(frames, lambda: answers(made)) for frames in FRAMES]
    assert [first] * len(others) == others
    return first


def test_deep_arguments_are_read_on_every_stack(made: Made, with_frames: Callable[..., Any]) -> None:
    """What a writer stored is intact, and answered, wherever it is asked for."""
    with Trail.open(made.path, state=made.state) as trail:
        for number, depth in enumerate((1, 64, 120, 200, 250), 1):
            call(trail, number, arguments={"a": lists(depth)})
    integrity, messages, calls, _ = same(made, with_frames)
    assert ("intact", [], 5) == (integrity, messages, len(calls))


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_line_that_nests_too_deep_is_no_record_on_any_stack(made: Made, with_frames: Callable[..., Any], depth: int) -> None:
    """Whoever forges one neither brings the reader down nor chooses what it says."""
    write(made)
    lines = made.general.read_bytes().splitlines(keepends=True)
    forged, _ = rehash(lines[-1], arguments="PLACE")
    text = forged.replace(b'"PLACE"', b"[" * depth + b"]" * depth)
    made.general.write_bytes(b"".join(lines[:-1]) + rehash_text(text))
    integrity, messages, calls, _ = same(made, with_frames)
    assert "broken" == integrity
    assert messages
    assert 4 == len(calls)


@pytest.mark.parametrize("name", ["trail.json", "owner", "places", "readers", "general/000000000000.seal", "first line"])
def test_documents_that_nest_too_deep_are_judged_the_same_on_every_stack(made: Made, with_frames: Callable[..., Any], name: str) -> None:
    """Each file that a forger can fill with brackets: the same findings or the same error, with every recursion limit."""
    write(made, last=40, segment_bytes=4096)
    place = {"places": made.state / "places", "readers": made.state / "readers" / f"{made.trail_id}.json"}.get(name, made.path / name)
    if name == "first line":
        place = sorted((made.path / "general").glob("*.jsonl"))[1]
    place.parent.mkdir(exist_ok=True)
    before = place.read_bytes() if name == "first line" else b""
    for depth in (130, 900, 3000, 30_000):
        deep = b"[" * depth + b"]" * depth
        if name == "first line":
            line = before.splitlines(keepends=True)[0]
            place.write_bytes(rehash_text(line[:-77] + b',"x":' + deep[:60_000] + line[-77:]) + before[len(line) :])
        else:
            place.write_bytes(deep)
        told = {with_frames(frames, lambda: outcome(lambda: answers(made))) for frames in FRAMES}
        assert 1 == len(told), told


def outcome(work: Callable[[], Any]) -> str:
    try:
        return repr(work())
    except RecursionError:
        raise
    except Exception as error:  # noqa: BLE001 - which one is what is compared
        return f"{type(error).__name__}: {error}"


def rehash_text(line: bytes) -> bytes:
    """Give a line, however strange, the hash of its own bytes."""
    body = line[:-77] + b"}"
    return whole_line(body, leaf_hash(body))
