"""A reader whose host gives it no descriptors, no memory, no permission or a bad disk: it says that it could not read, and accuses nobody."""

from __future__ import annotations

import builtins
import errno
import fcntl
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from worker import call

sys.path.insert(0, str(Path(__file__).parents[1] / "reconcile"))

from backend import export, line

from otel_tool_audit.cli.app import run
from otel_tool_audit.format.events import FINISHED, STARTED
from otel_tool_audit.review import planner
from otel_tool_audit.trail.trail import Trail

ERRORS = [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.EACCES]
COMMANDS: dict[str, list[str]] = {
    "verify": ["verify", "{trail}"],
    "verify --deep": ["verify", "{trail}", "--deep"],
    "calls": ["calls", "{trail}", "--json"],
    "calls --verified": ["calls", "{trail}", "--verified", "--json"],
    "stats": ["stats", "{trail}"],
    "tail": ["tail", "{trail}"],
    "timeline": ["timeline", "{trail}", "unknown"],
    "sql": ["sql", "{trail}", "SELECT tool_name, count(*) FROM calls GROUP BY ALL"],
    "reconcile": ["reconcile", "{audited}", "--otlp-file", "{spans}"],
    "indexed calls": ["calls", "{trail}", "--json", "--tool", "look_up"],
    "indexed stats": ["stats", "{trail}"],
    "indexed sql": ["sql", "{trail}", "SELECT count(*) FROM calls"],
    "show": ["show", "{trail}", "general/1"],
    "report activity": ["report", "activity", "{trail}", "--json"],
    "export --check": ["export", "--check", "{export}", "{trail}"],
}
ACCUSING = re.compile(r"broken|removed|was added|is gone|rewritten|forged|tampered", re.IGNORECASE)
_PATCHED: list[tuple[Any, str]] = [
    (os, "open"), (os, "pread"), (os, "fstat"), (os, "stat"), (os, "listdir"), (fcntl, "fcntl"), (builtins, "open"),
]  # fmt: skip


class Host:
    """Counts the system calls on files of a trail, and makes one of them fail."""

    def __init__(self, where: Path) -> None:
        self.where = str(where)
        self.count = 0
        self.due = 0
        self.error = 0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **named: Any) -> Any:
            if self._ours(args, named):
                self.count += 1
                if self.count == self.due:
                    raise OSError(self.error, os.strerror(self.error))
            return function(*args, **named)

        return called

    def _ours(self, args: tuple[Any, ...], named: dict[str, Any]) -> bool:
        """By path, or by descriptor: of the libraries' own files nothing is promised here."""
        if named.get("dir_fd") is not None:
            return True
        first = args[0] if args else None
        if isinstance(first, int):
            return first > 2 and os.readlink(f"/proc/self/fd/{first}").startswith(self.where)
        return isinstance(first, str | os.PathLike) and os.fspath(first).startswith((self.where, "/proc/sys/kernel"))


@pytest.fixture(scope="module")
def kept(quick_directory: Path) -> Path:
    """A healthy trail of a few segments, a seal, a killed writer's file, and an export of it."""
    with Trail.open(quick_directory / "trail", state=quick_directory / "state", segment_bytes=3000) as trail:
        for number in range(6):
            trail.append(STARTED, call(number, "a"))
            trail.append(FINISHED, {**call(number, "a"), "success": True})
        trail.tick()
    (quick_directory / "state" / "writers" / ("ab" * 16)).write_text("no trail\n1\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_TOOL_AUDIT_STATE", str(quick_directory / "state"))
        assert 0 == run(["export", str(quick_directory / "trail"), "-o", str(quick_directory / "export")])
        (quick_directory / "spans.jsonl").write_bytes(b"".join(map(line, export(quick_directory / "audited").requests)))
    return quick_directory


@pytest.fixture
def host(kept: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    made = Host(kept)
    monkeypatch.setenv("OTEL_TOOL_AUDIT_STATE", str(kept / "state"))
    for module, name in _PATCHED:
        monkeypatch.setattr(module, name, made.around(getattr(module, name)))
    yield made
    monkeypatch.undo()


@pytest.fixture
def command(request: pytest.FixtureRequest, kept: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A command's name; what is asked through an index has one, however small the trail."""
    name = str(request.param)
    monkeypatch.setenv("OTEL_TOOL_AUDIT_INDEX", "none")
    if name.endswith("sql") or name.startswith("indexed"):
        pytest.importorskip("duckdb")
    if name.startswith("indexed"):
        monkeypatch.setenv("OTEL_TOOL_AUDIT_INDEX", str(kept / "index"))
        monkeypatch.setattr(planner, "WORTH_AN_INDEX", 0)
    return name


def failures(command: str, host: Host, kept: Path, capsys: pytest.CaptureFixture[str], most: int | None = None) -> list[str]:
    """Let the system fail at *most* of a command's calls, by default at each, and give what it then says that it must not say."""
    arguments = [
        part.format(trail=kept / "trail", export=kept / "export", audited=kept / "audited", spans=kept / "spans.jsonl") for part in COMMANDS[command]
    ]
    host.count, host.due = 0, 0
    assert 0 == run(arguments), capsys.readouterr()
    calls, wrong = host.count, []
    assert calls > 10
    step = 1 if most is None else -(-calls // most)
    for number in range(1, calls + 1, step):
        # every error falls on every call in some run: which one it is here moves on with the call
        host.count, host.due, host.error = 0, number, ERRORS[(number // step) % len(ERRORS)]
        capsys.readouterr()
        code = run(arguments)
        told = capsys.readouterr()
        if code == 1 or ACCUSING.search(told.err) or (command.startswith("verify") and ACCUSING.search(told.out)):
            wrong.append(f"{errno.errorcode[host.error]} at call {number} of {calls}: exit {code}: {told.err[-300:]} {told.out[-300:]}")
    return wrong


@pytest.mark.parametrize("command", COMMANDS, indirect=True)
def test_an_error_of_the_host_accuses_nobody(command: str, host: Host, kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whichever system call fails, no reading command ends with 1 or says that somebody did something to the trail."""
    assert [] == failures(command, host, kept, capsys, most=20)[:3]


@pytest.mark.soak
@pytest.mark.parametrize("command", COMMANDS, indirect=True)
@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
def test_every_error_at_every_call(
    command: str, error: int, host: Host, kept: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for each error at each call."""
    monkeypatch.setattr("test_unreadable.ERRORS", [error])
    assert [] == failures(command, host, kept, capsys)[:3]
