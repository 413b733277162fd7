"""
What ``doctor`` looks at in a trail and its state directory. Nothing here writes.

Each check says what it found, how grave that is, and what to do.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from otel_tool_audit.diagnosis.check import CheckResult, Level
from otel_tool_audit.errors import AuditError, SettingsError
from otel_tool_audit.format.events import Completeness, kind_of
from otel_tool_audit.format.names import TRAIL_CHAIN
from otel_tool_audit.host.directory import refuse_network
from otel_tool_audit.host.system import System
from otel_tool_audit.record.untrusted import details_of, mapping
from otel_tool_audit.review.reader import UnauditedReader
from otel_tool_audit.settings import STATELESS, variable
from otel_tool_audit.text import plural

FREE: Final = 0.05
"""Share of a disk below which it is warned: a full disk refuses every call."""

_APPEND_ONLY: Final = 0x20
"""``FS_APPEND_FL`` of ``linux/fs.h``."""

_GET_FLAGS: Final = 0x80086601
"""``FS_IOC_GETFLAGS`` of ``linux/fs.h``, on 64-bit hosts."""

_AHEAD: Final = timedelta(minutes=5)
_OTHERS: Final = 0o022
_REMEDIES: Final = {
    "lost": "find out why the trail could not be written: `otel-tool-audit verify` lists each gap with its reason",
    "refused": "tools were not run because nothing durable could be written; the application's log says why",
    "unattributed": "call tools inside `with attribution(user=…, conversation=…, model=…)`",
    "blocked_loop": "a sync @tool waits for the disk on a running event loop: make it `async def`, or call it through asyncio.to_thread",
    "spans_dropped": "the exporter could not deliver: check the endpoint, or raise OTEL_BSP_MAX_QUEUE_SIZE",
    "unsampled": "spans were dropped by sampling before they could be recorded: use configure(), which records them all the same",
}


def of_state(state: str, trail: str | None) -> Iterator[CheckResult]:
    """
    Examine the state directory.

    Args:
        state: Its path, or ``none``.
        trail: The trail's path, if one is named.
    """
    name = "state directory"
    elsewhere = f"set {variable('state')} to a directory on a local disk that only the agent's user can write"
    if state == STATELESS:
        what = "none: nothing outside the trail remembers its end, so no verdict is better than 'cannot tell'"
        yield CheckResult(name, Level.warning, what, elsewhere)
        return
    if trail is not None and (os.path.realpath(state) + os.sep).startswith(os.path.realpath(trail) + os.sep):
        yield CheckResult(name, Level.problem, f"{state} lies inside the trail, where it protects nothing", elsewhere)
        return
    yield _usable_directory(name, state, elsewhere)
    yield from _file_system(name, state, elsewhere)
    if (os.path.realpath(state) + os.sep).startswith(os.path.realpath(tempfile.gettempdir()) + os.sep):
        yield CheckResult(name, Level.warning, f"{state} is temporary: once it is cleaned away, no trail can be judged by it", elsewhere)
    if trail is not None and os.path.exists(trail) and os.path.exists(state) and os.stat(trail).st_uid == os.stat(state).st_uid:
        what = "trail and state directory belong to the same user: changes by other users, and to copies, are found, not his own"
        yield CheckResult("head protection", Level.notice, what, "export spans to a backend he cannot write: each carries its record's hash")


def of_disks(*paths: str) -> Iterator[CheckResult]:
    """
    Tell how much room is left.

    Args:
        *paths: Trail and state directory, which may not exist yet; each disk is told of once.
    """
    disks = {os.stat(place).st_dev: place for place in map(_existing, paths)}
    for place in disks.values():
        usage = shutil.disk_usage(place)
        share = usage.free / usage.total if usage.total else 0.0
        text = f"{share:.0%} is free under {place} ({usage.free / (1 << 30):.1f} GiB)"
        enough = (Level.good, text) if share >= FREE else (Level.warning, text, "make room: a full disk refuses every call")
        yield CheckResult("free disk", *enough)


def of_trail(path: str, state: str) -> Iterator[CheckResult]:
    """
    Examine a trail.

    Args:
        path: Its directory, which may not exist yet.
        state: The state directory, or ``none``.
    """
    name = "trail"
    elsewhere = "name another directory, on a local disk"
    if not os.path.lexists(path):
        above = _existing(path)
        if os.access(above, os.W_OK | os.X_OK):
            yield CheckResult(name, Level.notice, f"{path} does not exist yet; configure() will make it")
        else:
            yield CheckResult(name, Level.problem, f"{path} does not exist, and this user cannot make it in {above}", elsewhere)
        yield from _file_system(name, path, elsewhere)
        return
    yield _usable_directory(name, path, elsewhere)
    yield from _file_system(name, path, elsewhere)
    if not os.path.isdir(path) or (os.path.realpath(path) and not os.listdir(path)):
        return
    try:
        reader = UnauditedReader(path, state=state)
        records = _standing(reader)
        segments = [os.path.join(path, chain) for chain in reader.chains()]
    except AuditError as error:
        yield CheckResult("reading", Level.problem, str(error), f"run `otel-tool-audit verify {path}`, then `otel-tool-audit recover {path}`")
        return
    yield CheckResult("reading", Level.good, f"trail {reader.trail_id}, chains: {', '.join(sorted(reader.chains()))}")
    yield _known(state, reader.trail_id)
    yield from _counters(records)
    yield from _clock(records)
    yield _append_only(segments)


def _usable_directory(name: str, path: str, remedy: str) -> CheckResult:
    if not os.path.lexists(path):
        return CheckResult(name, Level.notice, f"{path} does not exist yet; the first writer makes it")
    if os.path.islink(path) or not os.path.isdir(path):
        return CheckResult(name, Level.problem, f"{path} is not a directory, or a link to one", remedy)
    found = os.stat(path)
    if found.st_mode & _OTHERS:
        return CheckResult(name, Level.problem, f"{path} can be written by others (mode {stat.S_IMODE(found.st_mode):04o})", f"chmod 700 {path}")
    if found.st_uid != os.getuid():
        return CheckResult(name, Level.notice, f"{path} belongs to user {found.st_uid}: this user can read at best")
    if not os.access(path, os.W_OK | os.X_OK):
        return CheckResult(name, Level.problem, f"{path} cannot be written by this user: every call would be refused", remedy)
    return CheckResult(name, Level.good, path)


def _existing(path: str) -> str:
    """Give the path itself, or the nearest directory above it that is there."""
    found = os.path.realpath(path)
    while not os.path.exists(found):
        found = os.path.dirname(found)
    return found


def _file_system(name: str, path: str, remedy: str) -> Iterator[CheckResult]:
    try:
        refuse_network(System(), os.path.realpath(path), f"the {name}")
    except SettingsError as error:
        yield CheckResult(name, Level.problem, str(error), remedy)


def _standing(reader: UnauditedReader) -> list[Mapping[str, Any]]:
    """The last heartbeat or goodbye of each writer."""
    last: dict[str, Mapping[str, Any]] = {}
    for record in reader.records(TRAIL_CHAIN):
        if kind_of(record).completeness is Completeness.COUNTERS:
            last[str(record.get("writer"))] = record
    return list(last.values())


def _known(state: str, trail_id: str) -> CheckResult:
    name = "head"
    if state != STATELESS and os.path.isdir(os.path.join(state, "heads", trail_id)):
        return CheckResult(name, Level.good, "the state directory remembers where each chain ends")
    remedy = f"examine it with the state directory of its writers: --state DIR, or {variable('state')}"
    return CheckResult(name, Level.warning, "this state directory has never known the trail: a cut end cannot be noticed", remedy)


def _counters(records: list[Mapping[str, Any]]) -> Iterator[CheckResult]:
    totals: Counter[str] = Counter()
    for record in records:
        totals.update({name: count for name, count in mapping(details_of(record).get("counters")).items() if isinstance(count, int)})
    if not totals:
        return
    what = f"{totals['calls']:,} attempted, {totals['recorded']:,} recorded, by {plural(len(records), 'writer')} that told"
    yield CheckResult("calls", Level.good, what)
    for name, remedy in _REMEDIES.items():
        if totals[name]:
            yield CheckResult(name, Level.warning, f"{totals[name]:,}", remedy)


def _clock(records: list[Mapping[str, Any]]) -> Iterator[CheckResult]:
    """Time is never evidence; but a clock that runs ahead makes every answer by time wrong."""
    latest = max((str(record.get("timestamp", "")) for record in records), default="")
    if latest > (datetime.now(UTC) + _AHEAD).isoformat(timespec="microseconds").replace("+00:00", "Z"):
        what = f"the trail's last record is of {latest}, which is in the future"
        yield CheckResult("clock", Level.warning, what, "let NTP set this machine's clock")


def _append_only(directories: list[str]) -> CheckResult:
    name = "append-only flag"
    flagged = total = 0
    for directory in directories:
        for entry in os.scandir(directory):
            if entry.name.endswith(".jsonl") and entry.is_file(follow_symlinks=False):
                total += 1
                flagged += bool(_flags(entry.path) & _APPEND_ONLY)
    if flagged:
        return CheckResult(name, Level.good, f"set on {flagged} of {plural(total, 'segment')}; root lifts it with `chattr -a FILE`")
    return CheckResult(name, Level.notice, "not set (append_only_flag=True sets it where the host allows it)")


def _flags(path: str) -> int:
    try:
        import fcntl  # noqa: PLC0415 - does not exist on Windows, where reading works

        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        try:
            return int.from_bytes(fcntl.ioctl(descriptor, _GET_FLAGS, bytes(8))[:4], "little")
        finally:
            os.close(descriptor)
    except (ImportError, OSError):
        return 0
