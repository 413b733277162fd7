"""Every line, pair, field and cut of a small trail: none can change unseen, and the finding names the record."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

import pytest
from making import Made, killed, lines_of, rehash, write

from otel_tool_audit.review.verify.verifier import verify

Change = tuple[list[bytes], set[int]]


def deletions(lines: list[bytes]) -> Iterator[Change]:
    for at in range(len(lines)):
        yield lines[:at] + lines[at + 1 :], {at}


def swaps(lines: list[bytes]) -> Iterator[Change]:
    for first, second in itertools.combinations(range(len(lines)), 2):
        changed = list(lines)
        changed[first], changed[second] = changed[second], changed[first]
        yield changed, {first, second}


def fields(lines: list[bytes]) -> Iterator[Change]:
    """Every stored field says something else, with the line's hash made anew."""
    for at, line in enumerate(lines):
        for name in json.loads(line).keys() - {"hash"}:
            changed = list(lines)
            changed[at], _ = rehash(line, **{name: {"seq": 999, "previous_hash": "0" * 64}.get(name, "changed")})
            yield changed, {at}


def cuts(lines: list[bytes]) -> Iterator[Change]:
    whole = b"".join(lines)
    for end in range(0, len(whole), 97):
        yield [whole[:end]], {whole[:end].count(b"\n")}


@pytest.mark.parametrize("ended", [write, killed], ids=["closed", "killed"])
@pytest.mark.parametrize("changes", [deletions, swaps, fields, cuts])
def test_every_change_is_found_under_its_record(made: Made, changes: object, ended: object) -> None:
    """Broken each time, and a finding names the record that was changed, on a closed trail and on one whose writer was killed."""
    ended(made, 1, 2)  # type: ignore[operator]
    segment = made.general
    for changed, seqs in changes(lines_of(segment)):  # type: ignore[operator]
        before = segment.read_bytes()
        segment.write_bytes(b"".join(changed))
        found = verify(made.path, state=str(made.state))
        segment.write_bytes(before)
        assert "broken" == found.integrity
        assert any(f.chain == "general" and f.seq in seqs for f in found.findings), (seqs, [(f.check, f.seq, f.message) for f in found.findings])
