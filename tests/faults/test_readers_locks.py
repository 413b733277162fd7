"""Locks that somebody takes who may only read: no writer waits for them."""

from __future__ import annotations

import contextlib
import fcntl
import grp
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from checker import read_trail
from worker import call, call_id

from otel_tool_audit.errors import AuditUnavailable
from otel_tool_audit.format.events import STARTED
from otel_tool_audit.trail.trail import Trail

READER = 12_345
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


@contextlib.contextmanager
def reader_locks(path: Path, kind: int, *, uid: int | None = None) -> Iterator[None]:
    """Another process holds a flock on a file that it opened for reading, as the user *uid*."""
    ready, told = os.pipe()
    go, gone = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(gone)
            if uid is not None:
                os.setgroups([])
                os.setgid(grp.getgrnam("nogroup").gr_gid)
                os.setuid(uid)
            fcntl.flock(os.open(path, os.O_RDONLY), kind)
            os.write(told, b"locked")
            os.read(go, 1)
        finally:
            os._exit(0)
    os.close(told)
    os.close(go)
    try:
        assert b"locked" == os.read(ready, 6)
        yield
    finally:
        os.close(gone)
        os.close(ready)
        os.waitpid(child, 0)


def shared(where: Path) -> dict[str, object]:
    """A trail that a group may read, below directories that it may pass."""
    for directory in (where, *where.parents):
        if directory.stat().st_uid == os.geteuid() and directory != Path("/"):
            directory.chmod(stat.S_IMODE(directory.stat().st_mode) | 0o011)
    return {"path": where / "trail", "state": where / "state", "group": "nogroup"}


@pytest.mark.parametrize("kind", [fcntl.LOCK_EX, fcntl.LOCK_SH], ids=["exclusive", "shared"])
@pytest.mark.parametrize("uid", [None, pytest.param(READER, marks=AS_ROOT)], ids=["own user", "reader of the group"])
def test_a_lock_on_what_readers_may_open_keeps_no_writer_out(tmp_path: Path, uid: int | None, kind: int) -> None:
    """Whoever holds a lock on any file or directory of the trail that its group may open, the next writer opens at once, appends and closes."""
    options = shared(tmp_path) if uid is not None else {"path": tmp_path / "trail", "state": tmp_path / "state"}
    with Trail.open(**options) as trail:
        trail.append(STARTED, call(0, "a"))
    found = [tmp_path / "trail", *(tmp_path / "trail").rglob("*")]
    readable = [path for path in found if path.stat().st_mode & 0o040 or uid is None]
    assert tmp_path / "trail" / "owner" in readable
    if uid is not None:
        assert tmp_path / "trail" / "owner.lock" not in readable
    for number, path in enumerate(path for path in readable if path.name != "owner.lock"):
        with reader_locks(path, kind, uid=uid), Trail.open(**options) as trail:
            trail.append(STARTED, call(1 + number, "a"))
    ids = [record["call_id"] for record in read_trail(tmp_path / "trail", tmp_path / "state")["general"]]
    assert [call_id(number, "a") for number in range(len(ids))] == ids


@AS_ROOT
def test_a_reader_keeps_nobody_from_taking_a_trail_over(tmp_path: Path) -> None:
    """A shared lock that a reader holds for ever looks like that of a writer with another state; it is no process of the trail's user."""
    options = shared(tmp_path)
    with Trail.open(**options) as trail:
        trail.append(STARTED, call(0, "a"))
    with reader_locks(tmp_path / "trail" / "owner", fcntl.LOCK_SH, uid=READER), Trail.open(**{**options, "state": tmp_path / "another"}) as trail:
        trail.append(STARTED, call(1, "a"))
    lines = [line for path in sorted((tmp_path / "trail" / "general").glob("*.jsonl")) for line in path.read_bytes().splitlines()]
    assert {call_id(0, "a"), call_id(1, "a")} <= {json.loads(line)["call_id"] for line in lines}


@pytest.mark.parametrize("name", ["owner", "owner.lock"])
def test_a_living_writer_with_another_state_is_respected(tmp_path: Path, name: str) -> None:
    """A shared lock of the trail's own user on ``owner.lock``, or on ``owner`` as older versions take it, keeps another state's writers out."""
    with Trail.open(tmp_path / "trail", state=tmp_path / "state") as trail:
        trail.append(STARTED, call(0, "a"))
    with reader_locks(tmp_path / "trail" / name, fcntl.LOCK_SH), pytest.raises(AuditUnavailable, match="another state directory"):
        Trail.open(tmp_path / "trail", state=tmp_path / "another")
    Trail.open(tmp_path / "trail", state=tmp_path / "another").close()


def test_two_living_writers_with_different_states(tmp_path: Path) -> None:
    """While a writer lives no other state's writer opens the trail, also where the group's readers hold locks."""
    with Trail.open(tmp_path / "trail", state=tmp_path / "state") as trail:
        trail.append(STARTED, call(0, "a"))
        with pytest.raises(AuditUnavailable, match="another state directory"):
            Trail.open(tmp_path / "trail", state=tmp_path / "another")


def test_what_is_waited_for_is_nobody_elses(tmp_path: Path) -> None:
    """``owner.lock``, the state's lock and the heads are private again after an opening, whatever somebody made of them."""
    with Trail.open(tmp_path / "trail", state=tmp_path / "state") as trail:
        trail.append(STARTED, call(0, "a"))
    private = [tmp_path / "trail" / "owner.lock", tmp_path / "state" / "lock", *(tmp_path / "state" / "heads").rglob("*/general")]
    assert 3 == len(private)
    for path in private:
        path.chmod(0o644)
    Trail.open(tmp_path / "trail", state=tmp_path / "state").close()
    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in private}
