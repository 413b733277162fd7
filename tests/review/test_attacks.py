"""
Tampering by somebody who knows the format and writes the trail's files as he likes, but cannot write the state directory.

Each attack is made on a closed trail and on one whose writer was killed, and verified before and after the next writer tried to go on.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from making import Made, call, killed, lines_of, next_lines, rehash, rewrite, write

from otel_tool_audit.errors import AuditError
from otel_tool_audit.review.verify.verifier import verify
from otel_tool_audit.trail.trail import Trail

Where = tuple[str | None, int | None]


def _put(segment: Path, lines: list[bytes]) -> None:
    segment.write_bytes(b"".join(lines))


def flip_a_byte(made: Made) -> Where:
    lines = lines_of(made.general)
    lines[3] = lines[3].replace(b"usr_98765", b"usr_98764")
    _put(made.general, lines)
    return "general", 3


def change_with_right_hash(made: Made) -> Where:
    lines = lines_of(made.general)
    _put(made.general, rewrite(lines, 3, 3, user_id="usr_00000"))
    return "general", 3


def rewrite_the_middle(made: Made) -> Where:
    _put(made.general, rewrite(lines_of(made.general), 2, 5, user_id="usr_00000"))
    return "general", 5


def rewrite_to_the_end(made: Made) -> Where:
    lines = rewrite(lines_of(made.general), 2, user_id="usr_00000")
    _put(made.general, lines)
    return "general", len(lines) - 1


def delete_a_line(made: Made) -> Where:
    lines = lines_of(made.general)
    _put(made.general, lines[:3] + lines[4:])
    return "general", 3


def delete_and_rehash(made: Made) -> Where:
    lines = lines_of(made.general)
    rest = rewrite([lines[2], *lines[4:]], 0)
    _put(made.general, lines[:2] + rest)
    return "general", 3


def delete_and_renumber(made: Made) -> Where:
    lines = lines_of(made.general)
    previous = bytes.fromhex(lines[2][-67:-3].decode())
    rest = []
    for seq, line in enumerate(lines[4:], 3):
        made_line, previous = rehash(line, previous, seq=seq)
        rest.append(made_line)
    _put(made.general, lines[:3] + rest)
    return "general", None


def swap_two_lines(made: Made) -> Where:
    lines = lines_of(made.general)
    lines[3], lines[4] = lines[4], lines[3]
    _put(made.general, lines)
    return "general", 3


def repeat_a_line(made: Made) -> Where:
    lines = lines_of(made.general)
    _put(made.general, [*lines[:4], lines[3], *lines[4:]])
    return "general", 4


def drop_the_first_three(made: Made) -> Where:
    _put(made.general, lines_of(made.general)[3:])
    return "general", 0


def cut_the_last_line(made: Made) -> Where:
    lines = lines_of(made.general)
    _put(made.general, lines[:-1])
    return "general", len(lines) - 1


def cut_a_byte(made: Made) -> Where:
    os.truncate(made.general, made.general.stat().st_size - 1)
    return "general", len(lines_of(made.general)) - 1


def empty_the_segment(made: Made) -> Where:
    os.truncate(made.general, 0)
    return "general", 0


def forge_a_line(made: Made) -> Where:
    lines = lines_of(made.general)
    with made.general.open("ab") as file:
        file.write(next_lines(made, 1))
    return "general", len(lines)


def forge_a_segment(made: Made) -> Where:
    seq = len(lines_of(made.general))
    (made.general.parent / f"{seq:012d}.jsonl").write_bytes(next_lines(made, 1))
    return "general", None


def forge_an_attempt(made: Made) -> Where:
    (made.general.parent / "000000000000-1.jsonl").write_bytes(made.general.read_bytes())
    return "general", None


def remove_a_segment(made: Made) -> Where:
    made.general.unlink()
    return "general", None


def link_a_segment(made: Made) -> Where:
    elsewhere = made.path.with_name("elsewhere.jsonl")
    made.general.rename(elsewhere)
    (made.path / "general" / elsewhere.name).unlink(missing_ok=True)
    (made.path / "general" / "000000000000.jsonl").symlink_to(elsewhere)
    return "general", None


def name_a_segment_twice(made: Made) -> Where:
    os.link(made.general, made.path.with_name("second-name"))
    return "general", None


def give_a_segment_away(made: Made) -> Where:
    os.chown(made.general, 12345, -1)
    return "general", None


def put_a_directory_in_place(made: Made) -> Where:
    made.general.unlink()
    (made.path / "general" / "000000000000.jsonl").mkdir()
    return "general", None


def put_a_pipe_in_place(made: Made) -> Where:
    made.general.unlink()
    os.mkfifo(made.path / "general" / "000000000000.jsonl")
    return "general", None


def remove_a_chain(made: Made) -> Where:
    shutil.rmtree(made.path / "general")
    return "general", None


def remove_the_trails_own_chain(made: Made) -> Where:
    shutil.rmtree(made.path / "trail")
    return "trail", None


def add_a_chain(made: Made) -> Where:
    shutil.copytree(made.path / "general", made.path / "financial")
    return "financial", None


def link_a_chain(made: Made) -> Where:
    elsewhere = made.path.with_name("elsewhere")
    (made.path / "general").rename(elsewhere)
    (made.path / "general").symlink_to(elsewhere)
    return "general", None


def change_the_document(made: Made) -> Where:
    document = made.path / "trail.json"
    content = json.loads(document.read_bytes())
    content["retention_classes"]["general"]["days"] = 1
    document.write_text(json.dumps(content))
    return None, None


def remove_the_document(made: Made) -> Where:
    (made.path / "trail.json").unlink()
    return None, None


def wipe_everything(made: Made) -> Where:
    for child in made.path.iterdir():
        shutil.rmtree(child) if child.is_dir() else child.unlink()
    return None, None


def put_a_fresh_trail_there(made: Made) -> Where:
    shutil.rmtree(made.path)
    fresh = Made(made.path.with_name("fresh"), made.state.with_name("fresh-state"))
    write(fresh)
    fresh.path.rename(made.path)
    return None, None


def put_a_fresh_trail_of_the_same_id_there(made: Made) -> Where:
    """All lines of chain ``general`` made anew from the start."""
    _put(made.general, rewrite(lines_of(made.general), 0, conversation_id="conv_2"))
    return "general", None


def change_the_opening_record(made: Made) -> Where:
    segment = made.path / "trail" / "000000000000.jsonl"
    segment.write_bytes(segment.read_bytes().replace(b'"pid":', b'"pib":', 1))
    return "trail", 0


def name_another_owner(made: Made) -> Where:
    (made.path / "owner").write_text('{"state":"%s"}\n' % ("0" * 32))
    return None, None


ATTACKS: list[Callable[[Made], Where]] = [
    flip_a_byte, change_with_right_hash, rewrite_the_middle, rewrite_to_the_end, delete_a_line, delete_and_rehash, delete_and_renumber,
    swap_two_lines, repeat_a_line, drop_the_first_three, cut_the_last_line, cut_a_byte, empty_the_segment, forge_a_line, forge_a_segment,
    forge_an_attempt, remove_a_segment, link_a_segment, name_a_segment_twice, give_a_segment_away, put_a_directory_in_place,
    put_a_pipe_in_place, remove_a_chain, remove_the_trails_own_chain, add_a_chain, link_a_chain, change_the_document, remove_the_document,
    wipe_everything, put_a_fresh_trail_there, put_a_fresh_trail_of_the_same_id_there, change_the_opening_record, name_another_owner,
]  # fmt: skip


def _write_on(made: Made) -> None:
    """The next writer goes on, or refuses; both are fine, as long as the attack is found afterwards."""
    with contextlib.suppress(AuditError, OSError), Trail.open(made.path, state=made.state) as trail:
        call(trail, 9)


@pytest.mark.parametrize("first", ["verify", "writer"])
@pytest.mark.parametrize("ended", ["closed", "killed"])
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.__name__)
def test_tampering_is_found_and_named(made: Made, attack: Callable[[Made], Where], ended: str, first: str) -> None:
    """Broken, exit 1, and a finding names the right place, whoever looks first."""
    (write if ended == "closed" else killed)(made)
    if attack is give_a_segment_away and os.geteuid() != 0:
        pytest.skip("giving a file away needs root")
    chain, seq = attack(made)
    if first == "writer":
        _write_on(made)
    found = verify(made.path, state=str(made.state))
    assert ("broken", 1) == (found.integrity, found.exit_code()), found.as_dict()
    assert any(f.chain == chain and seq in {None, f.seq} for f in found.findings) or chain is None, [
        (f.chain, f.seq, f.message) for f in found.findings
    ]


@pytest.mark.parametrize("attack", [flip_a_byte, change_with_right_hash, delete_a_line], ids=lambda a: a.__name__)
def test_one_change_is_one_finding_on_its_chain(made: Made, attack: Callable[[Made], Where]) -> None:
    """A changed record in a long chain does not make an avalanche of follow-on findings."""
    write(made, 1, 50)
    attack(made)
    found = [f for f in verify(made.path, state=str(made.state)).findings if f.chain == "general" and f.check != "8 head"]
    assert 1 <= len(found) <= 3, [(f.check, f.seq, f.message) for f in found]


def test_a_flipped_byte_while_a_writer_lives_is_found(made: Made) -> None:
    """Tampering is found while the trail is open, too."""
    with Trail.open(made.path, state=made.state) as trail:
        for number in range(1, 5):
            call(trail, number)
        flip_a_byte(made)
        assert "broken" == verify(made.path, state=str(made.state)).integrity


def test_a_missing_directory_is_broken_where_a_trail_lay(made: Made) -> None:
    """`rm -r` of the whole trail is found by whoever still has the state directory."""
    write(made)
    shutil.rmtree(made.path)
    assert "broken" == verify(made.path, state=str(made.state)).integrity


def test_findings_survive_json(made: Made) -> None:
    """`verify --format json` has ok, integrity, completeness, records, and findings with check, chain, seq, message."""
    write(made)
    flip_a_byte(made)
    told = json.loads(json.dumps(verify(made.path, state=str(made.state)).as_dict()))
    assert {"ok", "integrity", "completeness", "records", "findings"} <= told.keys()
    assert told["ok"] is False
    assert {"check", "chain", "seq", "message"} <= told["findings"][0].keys()
