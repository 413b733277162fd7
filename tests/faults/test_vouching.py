"""What somebody adds after a crash of the host: right hashes, and nobody who vouches for them."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import pytest
from checker import read_head
from forger import files, sealed
from worker import call, call_id

from otel_tool_audit.errors import TrailTampered
from otel_tool_audit.format.events import STARTED
from otel_tool_audit.host.system import NO_BOOT, System
from otel_tool_audit.review.reader import UnauditedReader
from otel_tool_audit.review.source import state as reader_state
from otel_tool_audit.review.verify.findings import Verification
from otel_tool_audit.review.verify.verifier import verify
from otel_tool_audit.trail import lifetimes
from otel_tool_audit.trail.trail import Trail
from otel_tool_audit.trail.worker import ServingThread

THEN, NOW = b"the boot before!", b"the boot of now!"


class Boot(System):
    """A host that shows this boot id."""

    def __init__(self, boot: bytes) -> None:
        self.boot = boot

    def boot_id(self) -> bytes:
        return self.boot


@pytest.fixture(autouse=True)
def _no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A head is synced when a test says so."""
    monkeypatch.setattr(ServingThread, "start", lambda _: False)


class Scene:
    """A trail whose host goes down: what its head had brought to disk is older than what was acknowledged."""

    def __init__(self, where: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.trail, self.state = where / "trail", where / "state"
        self.patch = monkeypatch
        self.reader_sees(NOW)
        self.writer: Trail | None = None

    def reader_sees(self, boot: bytes | None) -> None:
        self.patch.setattr(reader_state, "boot_id", lambda: boot)

    def open(self, boot: bytes, **options: object) -> Trail:
        return Trail.open(self.trail, state=self.state, system=Boot(boot), **options)  # type: ignore[arg-type]  # whatever a test wants

    def heads(self) -> list[Path]:
        return sorted((self.state / "heads").glob("*/*"))

    def write_and_crash(self, *, kept: int = 2, acknowledged: int = 2, durability: str = "fsync", boot: bytes = THEN) -> None:
        """The head reaches the disk after *kept* calls; *acknowledged* more reach it without it; then the host is gone."""
        writer = self.open(boot, durability=durability)
        for number in range(kept):
            writer.append(STARTED, call(number, "a"))
        writer.tick()
        older = {head: head.read_bytes() for head in self.heads()}
        for number in range(kept, kept + acknowledged):
            writer.append(STARTED, call(number, "a"))
        kill(writer)
        for head, data in older.items():
            head.write_bytes(data)

    def forge(self, tag: str = "forged", after: int | None = None) -> None:
        """Append a line that names the last one (or cut to line *after* first), with right hashes."""
        last = files(self.trail, "general")[-1]
        lines = last.read_bytes().splitlines(keepends=True)[:after]
        made = sealed(lines[-1].replace(b'"tag":"a"', b'"tag":"%s"' % tag.encode()).replace(call_id(0, "a")[:12].encode(), call_id(0, tag)[:12].encode()),
                      json.loads(lines[-1])["seq"] + 1, json.loads(lines[-1])["hash"])  # fmt: skip
        last.write_bytes(b"".join([*lines, made]))

    def verdict(self) -> Verification:
        return verify(self.trail, state=self.state)

    def tags(self) -> list[str]:
        """Which calls a reader is given."""
        with UnauditedReader(self.trail, state=self.state) as reader:
            return [r["arguments"]["tag"] + str(r["arguments"]["number"]) for r in reader.records("general") if r["event"] == STARTED]

    def told(self, event: str) -> list[dict[str, object]]:
        with UnauditedReader(self.trail, state=self.state) as reader:
            return [r["details"] for r in reader.records("general") if r["event"] == event]


def kill(writer: Trail) -> None:
    """The process is gone: its locks with it, and nothing was closed."""
    writer._ended = True
    lifetimes.forget(writer)
    writer.after_fork()


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(tmp_path, monkeypatch)


@pytest.mark.parametrize("durability", ["fsync", "os"])
def test_acknowledged_records_behind_an_older_head_are_kept(scene: Scene, durability: str) -> None:
    """What a writer wrote and the disk holds belongs to the chain after a crash, though the head that reached the disk does not know it."""
    scene.write_and_crash(durability=durability)
    assert ("intact", ["a0", "a1", "a2", "a3"]) == (scene.verdict().integrity, scene.tags())
    scene.open(NOW).close()
    assert ("intact", ["a0", "a1", "a2", "a3"]) == (scene.verdict().integrity, scene.tags())
    recovered = scene.told("trail.recovered")[0]
    assert recovered["to"] == recovered["vouched"] != recovered["from"]


@pytest.mark.parametrize("boots", [(THEN, NOW), (NO_BOOT, NO_BOOT), (THEN, NO_BOOT)], ids=["another boot", "no boot id", "no boot id any more"])
def test_lines_that_nobody_vouches_for_are_in_no_answer_and_set_aside(scene: Scene, boots: tuple[bytes, bytes]) -> None:
    """A line with right hashes behind the last one is never adopted: not by a reader, not by the next writer, and what it left is on record."""
    then, now = boots
    scene.reader_sees(None if now == NO_BOOT else now)
    scene.write_and_crash(boot=then)
    scene.forge()
    before = scene.verdict()
    assert ("intact", ["a0", "a1", "a2", "a3"]) == (before.integrity, scene.tags())
    assert any("nobody vouches" in note for note in before.notes), before.notes
    size = files(scene.trail, "general")[-1].stat().st_size
    with scene.open(now) as writer:
        writer.append(STARTED, call(9, "a"))
    after = scene.verdict()
    assert ("intact", ["a0", "a1", "a2", "a3", "a9"]) == (after.integrity, scene.tags())
    assert any("nobody vouches" in note for note in after.notes), after.notes
    opened = scene.told("trail.segment_opened")[0]
    assert isinstance(opened["previous"], dict)
    assert ("unvouched", size) == (opened["reason"], opened["previous"]["valid_end"] + opened["previous"]["aside_bytes"])


def test_a_record_that_was_rewritten_behind_the_head_is_not_believed(scene: Scene) -> None:
    """Whoever replaces an acknowledged line by another one gets neither of them believed; the one before it stands."""
    scene.write_and_crash()
    scene.forge(after=-1)
    assert ["a0", "a1", "a2"] == scene.tags()
    assert any("cannot be told" in gap for gap in scene.verdict().gaps)
    scene.open(NOW).close()
    assert (["a0", "a1", "a2"], "intact") == (scene.tags(), scene.verdict().integrity)


def test_a_line_cannot_be_vouched_for_in_another_place(scene: Scene) -> None:
    """A salt vouches for one line in one place: put elsewhere with right hashes it vouches for nothing."""
    scene.write_and_crash()
    last = files(scene.trail, "general")[-1]
    lines = last.read_bytes().splitlines(keepends=True)
    last.write_bytes(b"".join([*lines, sealed(lines[-2], len(lines), json.loads(lines[-1])["hash"])]))
    assert ["a0", "a1", "a2", "a3"] == scene.tags()


def test_while_a_writer_lives_nothing_crashed(scene: Scene) -> None:
    """Two sandboxes of one host show different boot ids: the second finds no crash, and a line that was added is tampering to both."""
    with scene.open(THEN) as first:
        first.append(STARTED, call(0, "a"))
        with scene.open(NOW) as second:
            second.append(STARTED, call(1, "a"))
            scene.reader_sees(b"yet another boot")
            assert ("intact", ["a0", "a1"], []) == (scene.verdict().integrity, scene.tags(), scene.told("trail.recovered"))
            scene.forge()
            assert "broken" == scene.verdict().integrity
            with pytest.raises(TrailTampered):
                second.append(STARTED, call(2, "a"))


def older(scene: Scene) -> None:
    """Make it look as if a writer of a version that does not vouch had written last: it PUTs 296 bytes, and its file does not say that it vouches."""
    for head in scene.heads():
        data = bytearray(head.read_bytes())
        for at in (0, 2048):
            data[at + 296 : at + 324] = bytes(28)
        head.write_bytes(bytes(data))


def test_lines_of_an_older_version_are_adopted_and_leave_a_doubt(scene: Scene) -> None:
    """Where a writer that does not vouch was never closed, what stands behind the head may be its own: it is kept, and integrity says "cannot tell" for good."""
    scene.write_and_crash()
    older(scene)
    scene.forge("old")
    before = scene.verdict()
    assert ("cannot tell", ["a0", "a1", "a2", "a3", "old3"]) == (before.integrity, scene.tags())
    with scene.open(NOW) as writer:
        writer.append(STARTED, call(9, "a"))
    after = scene.verdict()
    assert ("cannot tell", ["a0", "a1", "a2", "a3", "old3", "a9"]) == (after.integrity, scene.tags())
    assert any("nobody vouches" in doubt for doubt in after.doubts), after.doubts


def test_an_older_trail_goes_on_and_says_from_where_on_it_is_vouched_for(scene: Scene) -> None:
    """The first writer that vouches begins at each chain's end, on record; what lies before stays as intact as it was."""
    with scene.open(THEN) as writer:
        writer.append(STARTED, call(0, "a"))
    older(scene)
    scene.open(THEN).close()
    with UnauditedReader(scene.trail, state=scene.state) as reader:
        first, second = (r["details"] for r in reader.records("trail") if r["event"] == "trail.opened")
    counted = {head.name: read_head(head)["written"] for head in scene.heads()}
    assert {"trail": 0} == first["vouched_from"]
    assert 1 == second["vouched_from"]["general"] == counted["general"][0]  # type: ignore[index]
    assert ("intact", second["vouching"]) == (scene.verdict().integrity, first["vouching"])


def test_a_writer_of_an_older_version_is_noticed_while_it_lives(scene: Scene) -> None:
    """While one lives no line is said to be vouched for, though the newer writer goes on vouching; after it a crash leaves a doubt only where lines need it."""
    with scene.open(THEN) as first:
        first.append(STARTED, call(0, "a"))
        (mark,) = (scene.state / "writers").iterdir()
        mark.write_bytes(b"\n".join(mark.read_bytes().split(b"\n")[:2]) + b"\n")
        second = scene.open(THEN)
        with UnauditedReader(scene.trail, state=scene.state) as reader:
            opened = [r["details"] for r in reader.records("trail") if r["event"] == "trail.opened"]
        assert [{"trail": 0}, {"trail": None, "general": None}] == [o["vouched_from"] for o in opened]
        second.append(STARTED, call(1, "a"))
        kill(second)
    assert "intact" == scene.verdict().integrity


@pytest.mark.parametrize("lost", ["removed", "replaced"])
def test_a_lost_key_leaves_a_doubt_and_loses_nothing(scene: Scene, lost: str) -> None:
    """Without the key that vouched nothing can be said of lines behind the head: they are kept, and integrity says "cannot tell"."""
    scene.write_and_crash()
    key = scene.state / "vouching-key"
    key.unlink() if lost == "removed" else key.write_text("ab" * 32 + "\n")
    assert ("cannot tell", ["a0", "a1", "a2", "a3"]) == (scene.verdict().integrity, scene.tags())
    scene.open(NOW).close()
    assert ("cannot tell", ["a0", "a1", "a2", "a3"]) == (scene.verdict().integrity, scene.tags())


def test_a_salt_is_what_the_format_says(scene: Scene) -> None:
    """Every line of a new trail carries the digest that FORMAT.md describes, and the head says so in its last 28 bytes."""
    import hashlib  # noqa: PLC0415 - as an outsider would
    import hmac  # noqa: PLC0415 - likewise

    with scene.open(THEN) as writer:
        for number in range(3):
            writer.append(STARTED, call(number, "a"))
    key = bytes.fromhex((scene.state / "vouching-key").read_text())
    for chain in ("trail", "general"):
        for line in files(scene.trail, chain)[0].read_bytes().splitlines():
            body, salt = line[:-75] + b"}", json.loads(line)["salt"].encode()
            assert 1 == body.count(salt)
            assert salt == hmac.new(key, body.replace(salt, b"0" * 32), hashlib.sha256).hexdigest()[:32].encode()
    for head in scene.heads():
        slot = max((head.read_bytes()[at : at + 324] for at in (0, 2048)), key=lambda s: s[8:16][::-1])
        generation, first, key_id, crc = struct.unpack("<QQ8sI", slot[296:])
        assert (struct.unpack("<Q", slot[8:16])[0], 0, zlib.crc32(slot[296:320])) == (generation, first, crc)
        assert hashlib.sha256(b"otel-tool-audit vouching key id\0" + key).digest()[:8] == key_id
