"""Putting a file in place: what is synced for which durability, and what stands there whatever fails."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_tool_audit.host import durable
from otel_tool_audit.host.durable import Durability, replace_file


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is synced and put in place, in order."""
    seen: list[str] = []

    def watch(name: str, told: Callable[..., str]) -> None:
        real = getattr(os, name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            seen.append(told(*args))
            return real(*args, **kwargs)

        monkeypatch.setattr(durable.os, name, watched)

    watch("fsync", lambda descriptor: "sync directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "sync file")
    watch("replace", lambda *_: "put in place")
    return seen


@pytest.mark.parametrize(
    ("durability", "expected"),
    [
        (Durability.WHOLE, ["put in place"]),
        (Durability.CONTENT, ["sync file", "put in place"]),
        (Durability.NAME, ["sync file", "put in place", "sync directory"]),
    ],
)
def test_what_is_synced_is_what_the_durability_says(tmp_path: Path, calls: list[str], durability: Durability, expected: list[str]) -> None:
    """The content is synced before the name leads to it, and the name before the caller goes on; or neither, where that was asked for."""
    path = tmp_path / "file"
    replace_file(str(path), [b"one ", b"two"], durability)
    assert (expected, b"one two") == (calls, path.read_bytes())
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("broken", ["open", "fsync", "replace"])
def test_what_fails_leaves_the_old_file_and_nothing_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str, alone: bool) -> None:
    """Whichever step fails, the old file stands there whole, and nothing is left beside it."""
    path = tmp_path / "file"
    replace_file(str(path), [b"old"], Durability.NAME, alone=alone)

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(durable.os, broken, fail)
        with pytest.raises(OSError, match="No space left"):
            replace_file(str(path), [b"new"], Durability.CONTENT, alone=alone)
    assert (b"old", [path]) == (path.read_bytes(), list(tmp_path.iterdir()))


def test_a_source_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    """What is written may be made while it is written; if that fails, nothing was put in place."""

    def pieces() -> Iterator[bytes]:
        yield b"new"
        raise ValueError("no more")

    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match="no more"):
        replace_file(str(path), pieces(), Durability.NAME)
    assert (b"old", [path]) == (path.read_bytes(), list(tmp_path.iterdir()))


def test_a_killed_attempt_is_overwritten_by_the_only_writer(tmp_path: Path) -> None:
    """What a writer that is alone left aside when it was killed does not lie there for ever."""
    (tmp_path / "file.tmp").write_bytes(b"torn")
    replace_file(str(tmp_path / "file"), [b"new"], Durability.WHOLE, alone=True)
    assert {"file": b"new"} == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_a_link_that_was_put_there_is_not_followed(tmp_path: Path) -> None:
    """Neither a link at the name nor one at the name aside leads the content somewhere else."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    for name in ("file", "file.tmp"):
        (tmp_path / name).symlink_to(victim)
    replace_file(str(tmp_path / "file"), [b"new"], Durability.WHOLE, alone=True)
    assert (b"untouched", b"new", False) == (victim.read_bytes(), (tmp_path / "file").read_bytes(), (tmp_path / "file").is_symlink())
