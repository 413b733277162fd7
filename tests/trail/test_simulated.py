"""The whole writer on a simulated disk: kills at any system call, power losses with pages reaching the disk in any order."""

from __future__ import annotations

import hashlib
import json
import random

import pytest
from simulated_system import Crash, Interrupted, SimulatedSystem

from otel_tool_audit.errors import AuditUnavailable, SettingsError
from otel_tool_audit.format.events import STARTED
from otel_tool_audit.format.head import Head
from otel_tool_audit.record.model import new_call
from otel_tool_audit.trail import lifetimes
from otel_tool_audit.trail.trail import Trail
from otel_tool_audit.trail.worker import ServingThread

CHAINS = ("general", "financial")


class World:
    """Up to two writers on one host, what was promised to them, and what must hold after every step."""

    def __init__(self, seed: int, faults: float = 0.0) -> None:
        self.random = random.Random(seed)
        self.system = SimulatedSystem(seed)
        self.system.faults = faults
        self.refused = 0
        self.writers: dict[str, Trail] = {}
        self.promised: dict[tuple[str, int], tuple[str, str]] = {}
        self.on_disk: set[tuple[str, int]] = set()
        self.calls = 0
        self.crashes = self.losses = self.interrupts = 0

    def run(self, steps: int) -> None:
        for _ in range(steps):
            name = self.random.choice(["a", "b"])
            self.system.process = name
            if self.random.random() < 0.25:
                self.system.budget = self.random.randrange(1, 60)
            if self.random.random() < 0.25:
                self.system.patience = self.random.randrange(12)
            try:
                self.act(name)
                self.system.budget = None
            except Crash:
                self.crashes += 1
                self.crash(name)
            except Interrupted:
                self.interrupted(name)
            except AuditUnavailable:
                if not self.system.faults:
                    raise
                self.system.budget = None
                self.refused += 1
            except SettingsError:
                if not self.system.faults:
                    raise
                self.system.budget = None
            self.system.patience = None
            if self.random.random() < 0.03:
                self.power_loss()
            self.check()
        self.end()

    def interrupted(self, name: str) -> None:
        """A caller is interrupted and the process goes on: it may call again, and its background sync comes before another process has waited in vain."""
        self.interrupts += 1
        self.system.budget = None
        writer = self.writers[name]
        if self.random.random() < 0.5:
            try:
                self.append(writer)
            except AuditUnavailable:
                if not self.system.faults:
                    raise
        writer.tick()

    def act(self, name: str) -> None:
        writer = self.writers.get(name)
        if writer is None:
            durability = self.random.choice(["fsync", "fsync", "os"])
            size = self.random.choice([1500, 4000, 100_000])
            self.writers[name] = Trail.open("/sim/trail", state="/sim/state", durability=durability, segment_bytes=size, system=self.system)
            return
        action = self.random.choices(["append", "tick", "close"], [8, 2, 1])[0]
        if action == "tick":
            writer.tick()
        elif action == "close":
            writer.close()
            del self.writers[name]
        else:
            self.append(writer)

    def append(self, writer: Trail) -> None:
        self.calls += 1
        call = new_call(f"{self.calls:032x}", "tool", "2026-01-01T00:00:00.000000Z" if self.calls % 7 == 0 else "2100-01-01T00:00:00.000000Z")
        call["retention_class"] = self.random.choice(CHAINS)
        receipt = writer.append(STARTED, call)
        key = (receipt.chain, receipt.seq)
        assert key not in self.promised, "a seq was given out twice"
        self.promised[key] = (receipt.hash, call["call_id"])
        if writer.durability == "fsync":
            self.on_disk.add(key)

    def crash(self, name: str) -> None:
        self.forget(name)
        self.system.kill()

    def forget(self, name: str) -> None:
        writer = self.writers.pop(name, None)
        if writer is not None:
            writer._ended = True
            lifetimes.forget(writer)

    def power_loss(self) -> None:
        self.losses += 1
        for name in list(self.writers):
            self.forget(name)
        self.system.power_loss()
        self.promised = {k: v for k, v in self.promised.items() if k in self.on_disk}

    def end(self) -> None:
        self.system.faults = 0.0
        for name in ("a", "b"):
            self.system.process = name
            if name not in self.writers:
                self.writers[name] = Trail.open("/sim/trail", state="/sim/state", system=self.system)
            self.append(self.writers[name])
        for name in ("a", "b"):
            self.writers.pop(name).close()
        self.check()

    def check(self) -> None:
        stands = {}
        for chain in CHAINS:
            for seq, found, call_id in lines_of(self.system, chain):
                stands[chain, seq] = (found, call_id)
        missing = {k: v for k, v in self.promised.items() if stands.get(k) != v}
        assert not missing, f"acknowledged and gone: {missing}"


def lines_of(system: SimulatedSystem, chain: str):
    """Read a chain as a stranger would: by FORMAT.md and the head, sharing nothing with the writer but the head's layout."""
    sim = system.root.names.get("sim")
    trail = sim and sim.names.get("trail")
    directory = trail and trail.names.get(chain)
    if not directory:
        return
    trail_id = json.loads(bytes(trail.names["trail.json"].data))["trail_id"]
    head = Head.unpack(bytes(sim.names["state"].names["heads"].names[trail_id].names[chain].data))
    segments: dict[int, tuple[int, bytes]] = {}
    for name, node in directory.names.items():
        if name.endswith(".jsonl") and node.data and head is not None:
            first, _, attempt = name.removesuffix(".jsonl").partition("-")
            if (int(attempt or 0), bytes(node.data)) > segments.get(int(first), (-1, b"")):
                segments[int(first)] = (int(attempt or 0), bytes(node.data))
    ends = {}
    holes = {}
    readable = set()
    for named, (_, data) in segments.items():
        try:
            record = json.loads(data.split(b"\n")[0])
            readable.add(named)
        except ValueError:
            record = {}  # what a power loss left, before a writer has looked at it
        previous = (record.get("details") or {}).get("previous") if record.get("event") == "trail.segment_opened" else None
        if previous:
            ends[previous["first_seq"], previous["attempt"]] = previous["valid_end"]
            if previous["unsynced_from"]:
                # acknowledged by `os` only, then a sync failed: a host crash may have taken them, and the record says so
                holes[record["seq"]] = record["previous_hash"]
    previous_hash = hashlib.sha256(f"{trail_id}/{chain}".encode()).hexdigest()
    seq = 0
    for first, (attempt, data) in sorted(segments.items()):
        if (first, attempt) > (head.first_seq, head.attempt):
            continue
        if first in holes:
            seq, previous_hash = first, holes[first]
        if first in readable:
            assert seq == first, f"segment {first} after {seq}"
        end = ends.get((first, attempt), len(data))
        for line in data[:end].splitlines(keepends=True):
            if not line.endswith(b"\n") or line[-76:-67] != b',"hash":"':
                break
            body = line[:-76] + b"}"
            found = hashlib.sha256(b"\x00" + body).hexdigest()
            if found.encode() != line[-67:-3]:
                break
            record = json.loads(body)
            if record["previous_hash"] != previous_hash or record["seq"] != seq:
                break
            yield seq, found, record["call_id"]
            seq, previous_hash = seq + 1, found


@pytest.fixture(autouse=True)
def no_threads(monkeypatch):
    monkeypatch.setattr(ServingThread, "start", lambda _: False)


@pytest.mark.parametrize("block", range(8))
def test_nothing_acknowledged_is_lost_and_nobody_honest_is_accused(block):
    """Through kills at any system call, interrupts of callers and power losses in any order of pages every acknowledged record stands, and the next writer opens."""
    interrupts = 0
    for seed in range(block * 25, block * 25 + 25):
        world = World(seed)
        try:
            world.run(60)
        except AuditUnavailable as error:
            raise AssertionError(f"seed {seed}") from error
        except Exception as error:
            raise AssertionError(f"seed {seed}: {type(error).__name__}: {error}") from error
        interrupts += world.interrupts
    # a run in which nobody was interrupted would prove nothing
    assert interrupts > 20


@pytest.mark.parametrize("block", range(4))
def test_a_failing_disk_costs_calls_but_no_acknowledged_record(block):
    """With writes that fail or fall short and syncs that drop pages, besides kills and power losses, what was acknowledged stands and nobody is accused."""
    for seed in range(10_000 + block * 25, 10_025 + block * 25):
        world = World(seed, faults=0.02)
        try:
            world.run(60)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {type(error).__name__}: {error}") from error
