"""A full disk on a file system that needs room to overwrite: the agent is refused, not killed."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from helpers import assert_kept
from worker import call, call_id

from otel_tool_audit.errors import AuditUnavailable
from otel_tool_audit.format.events import STARTED
from otel_tool_audit.host.system import MAPPED_FILESYSTEMS, System
from otel_tool_audit.review.verify.verifier import verify
from otel_tool_audit.trail.trail import Trail

MIB = 1 << 20


@pytest.fixture
def btrfs(tmp_path: Path) -> Iterator[Path]:
    """A small btrfs of its own in a loop file; needs root, btrfs-progs and a kernel that knows it."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts file systems")
    if shutil.which("mkfs.btrfs") is None:
        assert "CI" not in os.environ, "btrfs-progs is missing: apt-get install btrfs-progs"
        pytest.skip("btrfs-progs is missing")
    image, where = tmp_path / "image", tmp_path / "btrfs"
    where.mkdir()
    with image.open("wb") as file:
        file.truncate(128 * MIB)
    subprocess.run(["mkfs.btrfs", "-q", "--mixed", image], check=True, capture_output=True)
    mounted = subprocess.run(["mount", "-o", "loop", image, where], check=False, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"btrfs cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield where
    finally:
        subprocess.run(["umount", where], check=True)


def takes(descriptor: int, data: bytes) -> bool:
    try:
        os.write(descriptor, data)
        os.fsync(descriptor)
    except OSError as error:
        return error.errno != errno.ENOSPC
    return True


def fill(where: Path) -> Path:
    """Leave no room at all: in large pieces first, then in small ones."""
    filling = where / "filling"
    descriptor = os.open(filling, os.O_CREAT | os.O_WRONLY)
    for size in (MIB, 4096, 1):
        while takes(descriptor, os.urandom(size)):
            continue
    os.close(descriptor)
    os.sync()
    return filling


def on_a_full_disk(where: Path, durability: Literal["os", "fsync"]) -> int:
    """An agent that goes on calling while its disk is full, and after that; how many calls were refused."""
    refused = 0
    promised = []
    with Trail.open(where / "trail", state=where / "state", durability=durability) as trail:
        for number in range(400):
            if number == 20:
                filling = fill(where)
            if number == 320:
                filling.unlink()
                os.sync()
            if number % 50 == 30:
                # the head's page is written back, and must be copied when it is written to again
                os.sync()
            try:
                receipt = trail.append(STARTED, call(number, "a"))
            except AuditUnavailable:
                assert 20 <= number < 330
                refused += 1
            else:
                promised.append((call_id(number, "a"), receipt.chain, receipt.seq, receipt.hash))
    assert_kept(where / "trail", where / "state", promised)
    return refused


@pytest.mark.parametrize("durability", ["os", "fsync"])
def test_a_full_disk_refuses_and_kills_nobody(btrfs: Path, durability: Literal["os", "fsync"]) -> None:
    """An agent on a btrfs that fills up is refused calls; with room again they are acknowledged, and the trail verifies."""
    child = os.fork()
    if not child:
        code = 1
        try:
            code = 0 if on_a_full_disk(btrfs, durability) else 2
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    assert not os.WIFSIGNALED(status), f"killed by signal {os.WTERMSIG(status)}"
    assert 0 == os.waitstatus_to_exitcode(status)
    assert "intact" == verify(str(btrfs / "trail"), state=str(btrfs / "state")).integrity


class NoRoom(System):
    """A file system of unknown kind, on which a page that is there already may find no room when it is overwritten."""

    def __init__(self) -> None:
        self.left = 1 << 30

    def mounts(self) -> str:
        return ""

    def overwrite(self, fd: int, data: bytes, offset: int) -> None:
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().overwrite(fd, data, offset)


@pytest.mark.parametrize("durability", ["os", "fsync"])
def test_a_put_that_fails_has_not_happened(tmp_path: Path, durability: str) -> None:
    """Whichever PUT of an append finds no room, that append is refused, and the next one with room is acknowledged."""
    system = NoRoom()
    promised, refused = [], []
    with Trail.open(tmp_path / "trail", state=tmp_path / "state", durability=durability, system=system, segment_bytes=3000) as trail:
        trail.append(STARTED, call(0, "a"))
        for number in range(1, 40):
            system.left = number % 5
            try:
                receipt = trail.append(STARTED, call(number, "a"))
                promised.append((call_id(number, "a"), receipt.chain, receipt.seq, receipt.hash))
            except AuditUnavailable as error:
                refused.append(str(error))
            system.left = 1 << 30
            receipt = trail.append(STARTED, call(number, "b"))
            promised.append((call_id(number, "b"), receipt.chain, receipt.seq, receipt.hash))
    assert refused
    assert all("No space left" in reason for reason in refused)
    assert_kept(tmp_path / "trail", tmp_path / "state", promised)
    assert "intact" == verify(str(tmp_path / "trail"), state=str(tmp_path / "state")).integrity


def test_only_what_overwrites_in_place_is_mapped() -> None:
    """btrfs, xfs (whose files may share their blocks), overlays and what nobody knows are written with system calls."""
    assert MAPPED_FILESYSTEMS.isdisjoint({"btrfs", "xfs", "zfs", "bcachefs", "f2fs", "overlay", None})
