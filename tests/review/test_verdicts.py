"""Every row of the table of verdicts: what honest people and hosts do to a trail, and what a verification says then."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from making import OTHER_BOOT, Made, announce, call, change_head, crash_host, killed, lines_of, next_lines, write  # fmt: skip

from otel_tool_audit.errors import TrailTampered
from otel_tool_audit.format.head import CLEAN, OS, Head, Position
from otel_tool_audit.review.verify.verifier import verify
from otel_tool_audit.trail.state.accept_loss import accept
from otel_tool_audit.trail.trail import Trail


def judged(made: Made, path: Path | None = None, state: Path | None = None) -> tuple[str, int]:
    found = verify(path or made.path, state=str(state or made.state))
    return found.integrity, found.exit_code()


def test_a_closed_trail_is_intact_and_complete(made: Made) -> None:
    """Untouched and closed: intact, complete, exit 0, with every record counted."""
    write(made)
    found = verify(made.path, state=str(made.state))
    assert ("intact", "complete", [], 0) == (found.integrity, found.completeness, found.findings, found.exit_code(require_complete=True))
    assert 8 == found.chains["general"]["count"]
    assert sum(chain["count"] for chain in found.chains.values()) == found.records


def test_a_killed_writer_is_no_finding(made: Made) -> None:
    """A writer killed inside a call leaves an intact trail with known gaps, which only --require-complete turns into exit 3."""
    killed(made)
    found = verify(made.path, state=str(made.state))
    assert ("intact", "known gaps") == (found.integrity, found.completeness), found.as_dict()
    assert (0, 3) == (found.exit_code(), found.exit_code(require_complete=True))


@pytest.mark.parametrize("segment_bytes", [1500, 1 << 20])
def test_a_trail_is_intact_before_and_after_the_next_writer(made: Made, segment_bytes: int) -> None:
    """Killed, opened again, rotated: intact each time."""
    killed(made, segment_bytes=segment_bytes)
    assert ("intact", 0) == judged(made)
    killed(made, 5, 7, segment_bytes=segment_bytes)
    assert ("intact", 0) == judged(made)
    write(made, 8, 9, segment_bytes=segment_bytes)
    assert ("intact", 0) == judged(made)


def test_an_orderly_reboot_is_no_finding(made: Made) -> None:
    """Closed under another boot of the host: intact."""
    write(made)
    for chain in ("trail", "general"):
        change_head(made.head_file(chain), lambda h: h._replace(boot=OTHER_BOOT))
    assert ("intact", 0) == judged(made)


def test_a_living_writer_is_no_finding(made: Made) -> None:
    """Verified while a writer has it open, between appends: intact, and a running call is no gap."""
    with Trail.open(made.path, state=made.state) as trail:
        for number in range(1, 6):
            call(trail, number, end=number != 3)
            found = verify(made.path, state=str(made.state))
            assert "intact" == found.integrity, found.as_dict()


def test_an_older_backup_in_the_same_place_is_broken_until_accepted(made: Made) -> None:
    """The files of yesterday under the heads of today: shorter than the head; accepted, it can't be told any more, for ever."""
    write(made)
    backup = made.path.with_name("backup")
    shutil.copytree(made.path, backup)
    write(made, 5, 8)
    shutil.copytree(backup, made.path, dirs_exist_ok=True)
    found = verify(made.path, state=str(made.state))
    assert ("broken", 1) == (found.integrity, found.exit_code())
    assert any("shorter than" in f.message and f.chain == "general" for f in found.findings), found.as_dict()
    accept(str(made.path), reason="backup restored", who="admin", state=str(made.state))
    found = verify(made.path, state=str(made.state))
    assert ("cannot tell", "known gaps", 3) == (found.integrity, found.completeness, found.exit_code()), found.as_dict()


def test_writing_goes_on_after_an_accepted_loss(made: Made) -> None:
    """The next writer after an accepted loss leaves nothing that is a finding."""
    write(made)
    backup = made.path.with_name("backup")
    shutil.copytree(made.path, backup)
    write(made, 5, 8)
    shutil.copytree(backup, made.path, dirs_exist_ok=True)
    accept(str(made.path), reason="backup restored", who="admin", state=str(made.state))
    write(made, 9, 10)
    assert ("cannot tell", 3) == judged(made)


def test_a_copy_without_state_cannot_be_told(made: Made) -> None:
    """On another machine what is there verifies, but a cut tail can't be ruled out."""
    write(made)
    assert ("cannot tell", 3) == judged(made, state=made.state.with_name("other"))


def test_an_older_state_is_broken_until_accepted(made: Made) -> None:
    """Files longer than the head: the state was restored, or a line forged; the writer refuses, too."""
    write(made)
    shutil.copytree(made.state, made.state.with_name("old"))
    write(made, 5, 6)
    shutil.rmtree(made.state)
    shutil.copytree(made.state.with_name("old"), made.state)
    found = verify(made.path, state=str(made.state))
    assert ("broken", 1) == (found.integrity, found.exit_code())
    assert any("longer than" in f.message for f in found.findings), found.as_dict()
    with pytest.raises(TrailTampered):
        Trail.open(made.path, state=made.state)
    accept(str(made.path), reason="state restored", who="admin", state=str(made.state))
    assert ("cannot tell", 3) == judged(made)


def test_a_copy_beside_its_trail(made: Made) -> None:
    """Equal to the head: intact; a true prefix: can't be told; anything else: broken."""
    write(made)
    copy = made.path.with_name("copy")
    shutil.copytree(made.path, copy)
    assert ("intact", 0) == judged(made, copy)
    write(made, 5, 6)
    found = verify(copy, state=str(made.state))
    assert ("cannot tell", 3) == (found.integrity, found.exit_code()), found.as_dict()
    segment = copy / "general" / made.general.name
    segment.write_bytes(segment.read_bytes().replace(b"usr_98765", b"usr_00000", 1))
    assert ("broken", 1) == judged(made, copy)


def test_a_copy_taken_while_live(made: Made) -> None:
    """A partial last line in a copy without a head is what a copy in mid-write has."""
    write(made)
    copy = made.path.with_name("copy")
    shutil.copytree(made.path, copy)
    segment = copy / "general" / made.general.name
    os.truncate(segment, segment.stat().st_size - 40)
    assert ("cannot tell", 3) == judged(made, copy, made.state.with_name("other"))


def test_a_missing_segment_is_broken_and_named(made: Made) -> None:
    """A segment that logrotate took: broken, and the finding asks about it."""
    write(made, segment_bytes=1500)
    sorted((made.path / "general").glob("*.jsonl"))[1].unlink()
    found = verify(made.path, state=str(made.state))
    assert ("broken", 1) == (found.integrity, found.exit_code())
    assert any("missing" in f.message and "rotated" in f.message for f in found.findings), found.as_dict()


def test_a_moved_trail_is_no_finding(made: Made) -> None:
    """Moved with mv, the old place empty: its head still judges it."""
    write(made)
    moved = made.path.with_name("moved")
    made.path.rename(moved)
    assert ("intact", 0) == judged(made, moved)


@pytest.mark.parametrize("extra", [0, 1, 2])
def test_a_host_crash_with_fsync_is_intact(made: Made, extra: int) -> None:
    """Under another boot, not closed: intact, whether or not lines behind synced, and a torn one, reached the disk; before and after the next writer."""
    write(made)
    crash_host(made)
    with made.general.open("ab") as file:
        file.write(next_lines(made, extra) + b'{"seq":' * (extra > 1))
    found = verify(made.path, state=str(made.state))
    assert ("intact", 0) == (found.integrity, found.exit_code()), found.as_dict()
    write(made, 5, 5)
    found = verify(made.path, state=str(made.state))
    assert ("intact", 0) == (found.integrity, found.exit_code()), found.as_dict()
    assert "complete" != found.completeness


def test_a_host_crash_with_os_loses_what_was_not_synced(made: Made) -> None:
    """With `os` durability lines behind synced may be lost: intact, known gaps."""
    write(made)
    *kept, lost = lines_of(made.general)
    os.truncate(made.general, sum(map(len, kept)))
    last = bytes.fromhex(kept[-1][-67:-3].decode())
    synced = Position(len(kept), sum(map(len, kept)), last)
    change_head(made.head_file(), lambda h: h._replace(boot=OTHER_BOOT, flags=OS, synced=synced))
    change_head(made.head_file("trail"), lambda h: h._replace(boot=OTHER_BOOT, flags=h.flags & ~CLEAN))
    # the closing record named a synced head that a real crash would not have left behind
    trail_segment = made.path / "trail" / "000000000000.jsonl"
    data = lines_of(trail_segment)
    os.truncate(trail_segment, sum(map(len, data[:-1])))
    before = Position(len(data) - 1, sum(map(len, data[:-1])), bytes.fromhex(data[-2][-67:-3].decode()))
    change_head(made.head_file("trail"), lambda h: h._replace(written=before, synced=before))
    found = verify(made.path, state=str(made.state))
    assert lost.endswith(b"\n")
    assert ("intact", "known gaps", 0) == (found.integrity, found.completeness, found.exit_code()), found.as_dict()


def test_a_crash_that_reached_synced_lines_is_broken(made: Made) -> None:
    """What was synced is there after any crash of the host; if it is not, it was cut."""
    write(made)
    crash_host(made)
    os.truncate(made.general, sum(map(len, lines_of(made.general)[:-1])))
    assert ("broken", 1) == judged(made)


@pytest.mark.parametrize("part", [0, 1, 500, -1, None])
def test_a_write_that_was_killed_is_no_finding(made: Made, part: int | None) -> None:
    """Of a pending write any prefix may stand; before and after the next writer the trail is intact."""
    write(made)
    lines = next_lines(made, 2)
    announce(made, lines, len(lines) if part is None else part % len(lines))
    assert ("intact", 0) == judged(made)
    write(made, 7, 7)
    assert ("intact", 0) == judged(made)


def test_changed_bytes_of_a_killed_write_are_no_finding_until_named(made: Made) -> None:
    """They were never acknowledged; once a record names them, changing them is found."""
    write(made)
    segment = made.general
    announce(made, next_lines(made, 2), 100)
    data = bytearray(segment.read_bytes())
    data[-50] ^= 1
    segment.write_bytes(data)
    assert ("intact", 0) == judged(made)
    write(made, 7, 7)
    assert ("intact", 0) == judged(made)
    data[-50] ^= 1
    segment.write_bytes(data)
    assert ("broken", 1) == judged(made)


def test_a_whole_pending_write_with_other_bytes_is_broken(made: Made) -> None:
    """On one boot a kill leaves only a prefix of what was announced."""
    write(made)
    lines = next_lines(made, 2)
    announce(made, lines.replace(b"usr_98765", b"usr_00000"), len(lines))
    change_head(made.head_file(), lambda h: h._replace(pending=h.pending._replace(hash=bytes(32))))
    assert ("broken", 1) == judged(made)


def test_a_clock_that_jumps_is_no_finding(made: Made) -> None:
    """Records whose times go back verify: time is never an integrity check."""
    with Trail.open(made.path, state=made.state) as trail:
        call(trail, 59)
        call(trail, 1)
    assert ("intact", 0) == judged(made)


def test_a_trail_without_state_directory_is_never_better_than_cannot_tell(made: Made) -> None:
    """With state `none` the heads lie within the attacker's reach."""
    with Trail.open(made.path, state="none") as trail:
        call(trail, 1)
    found = verify(made.path, state="none")
    assert ("cannot tell", 3) == (found.integrity, found.exit_code())


def test_an_unknown_trail_taken_over_stays_untold(made: Made) -> None:
    """A state that made a head from the files says for ever that what lies before cannot be told."""
    write(made)
    other = made._replace(state=made.state.with_name("other"))
    write(other, 5, 6)
    assert ("cannot tell", 3) == judged(other)


def test_a_known_trail_without_heads_is_broken(made: Made) -> None:
    """A state that knows the trail and has lost a chain's head does not call it unknown."""
    write(made)
    made.head_file().unlink()
    assert ("broken", 1) == judged(made)


def test_torn_slots_leave_the_older_head(made: Made) -> None:
    """A PUT that was cut off leaves the other slot valid."""
    killed(made)
    path = made.head_file()
    data = bytearray(path.read_bytes())
    head = Head.unpack(bytes(data))
    assert head is not None
    torn = 2048 * ((head.generation + 1) % 2)
    data[torn : torn + 100] = bytes(100)
    path.write_bytes(data)
    assert ("intact", 0) == judged(made)


@pytest.mark.parametrize("name", ["trail.json.tmp", "owner.tmp", "other.tmp", "trail/000000000000.seal.tmp"])
def test_what_may_be_half_a_file_is_named(name: str, made: Made) -> None:
    """A killed writer may have left it, and anybody may have put it there: it is no part of the trail, and no reader passes over it in silence."""
    write(made, 1, 1)
    (made.path / name).write_bytes(b"anything")
    found = verify(made.path, state=str(made.state))
    assert ("intact", True) == (found.integrity, any(f"/{name} is no " in note for note in found.notes)), found.notes
