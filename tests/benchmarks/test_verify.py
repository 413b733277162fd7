"""
How fast a trail verifies, as ratios to a bare loop that does the same hashing and parsing, in one run.

``BENCHMARK_RECORDS=10000,100000,1000000 pytest tests/benchmarks/test_verify.py -s`` prints the table for other sizes.

Source: ARCHITECTURE.md.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "golden"))

from independent import Chain, document, origin, write_case
from make import closed, opened
from placing import remember

from otel_tool_audit.review.verify.verifier import verify

pytestmark = pytest.mark.benchmark
SIZES = [int(n) for n in os.environ.get("BENCHMARK_RECORDS", "10000,100000").split(",")]
ROUNDS = 3
_MEMORY = """
import sys
def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
base = peak()
from otel_tool_audit.review.verify import verify
found = verify(sys.argv[1], state=sys.argv[2])
assert found.ok, found.as_dict()
print((peak() - base) // 1024)
"""


def make_trail(root: Path, records: int) -> tuple[Path, Path]:
    """A closed trail with one long chain, made without the package's writer; at most 64 MiB a segment."""
    chains = {"trail": Chain("trail"), "general": Chain("general")}
    opened(chains)
    general = chains["general"]
    general.marks = _Last()
    for number in range(records // 2):
        general.call("tool_call.started", number)
        general.call(
            "tool_call.finished", number, success=True, duration_ms=156.0, result_summary={"success": True, "a": 1, "b": 2, "c": 3, "d": "text"}
        )
        if len(general.data) > 64 << 20:
            general.rotate()
    closed(chains)
    write_case(root, chains, {name: c.head() for name, c in chains.items()}, document())
    for name in ("writers", "keys", "readers"):
        (root / "state" / name).mkdir()
    remember(root / "state", root / "trail")
    os.chmod(root / "state", 0o700)
    return root / "trail", root / "state"


class _Last(list):  # type: ignore[type-arg]
    """Keeps nothing: a million marks are not needed here."""

    def append(self, _: object) -> None:
        """Forget it."""


def bare(trail: Path, *, deep: bool = False) -> int:
    """The least that any verifier does: read, split, compare each line's place, hash it, compare its hash; deep: parse it, too."""
    seq, last = 0, origin("general").hex().encode()
    for path in sorted((trail / "general").glob("*.jsonl")):
        # a seal names the digest of its whole segment, so whoever checks seals hashes twice
        whole = hashlib.sha256() if path.with_suffix(".seal").exists() else None
        with path.open("rb") as file:
            rest = b""
            while block := file.read(1 << 20):
                if whole is not None:
                    whole.update(block)
                lines = (rest + block).split(b"\n")
                rest = lines.pop()
                for line in lines:
                    if not line.startswith(b'{"seq":%d,"previous_hash":"%s"' % (seq, last)):
                        raise ValueError(line)
                    last = hashlib.sha256(b"\0" + line[:-75] + b"}").hexdigest().encode()
                    if last != line[-66:-2]:
                        raise ValueError(line)
                    if deep:
                        json.loads(line, object_pairs_hook=_no_doubles)
                    seq += 1
    return seq


def _no_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError(pairs)
    return found


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


@pytest.mark.parametrize("records", SIZES)
def test_verifying_costs_little_more_than_hashing(records: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On one core at most 1.5 times a bare loop, plain and deep; the two sides alternate in one run, medians count."""
    trail, state = make_trail(tmp_path / "case", records)
    rows = []
    for deep in (False, True):
        ours, theirs, parallel = [], [], []
        for _ in range(ROUNDS):
            theirs.append(_seconds(lambda: bare(trail, deep=deep)))  # noqa: B023 - runs at once
            ours.append(_seconds(lambda: verify(trail, state=str(state), deep=deep, jobs=1)))  # noqa: B023
            parallel.append(_seconds(lambda: verify(trail, state=str(state), deep=deep)))  # noqa: B023
        one, loop, every = (statistics.median(times) for times in (ours, theirs, parallel))
        rows.append((deep, records / one, records / loop, one / loop, records / every))
    with capsys.disabled():
        sys.stdout.write(
            f"\n{platform.node()} {platform.machine()} {os.cpu_count()} cores, Python {platform.python_version()}, {records:,} records, orjson {orjson.__version__}\n"
        )
        for deep, one, loop, ratio, every in rows:
            sys.stdout.write(
                f"  {'deep ' if deep else 'plain'}  one core {one:>10,.0f}/s  bare loop {loop:>10,.0f}/s  ratio {ratio:.2f}  all cores {every:>10,.0f}/s\n"
            )
    if records >= 100_000:
        assert all(ratio <= 1.5 for _, _, _, ratio, _ in rows), rows


def test_memory_stays_flat(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Verifying takes at most 64 MiB over the bare interpreter, however long the trail is."""
    trail, state = make_trail(tmp_path / "case", max(SIZES))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", _MEMORY, str(trail), str(state)], capture_output=True, text=True, env=environment, check=True)
    with capsys.disabled():
        sys.stdout.write(f"\n  memory of verify at {max(SIZES):,} records: {int(done.stdout)} MiB over the bare interpreter\n")
    assert int(done.stdout) <= 64
