"""
Accepting a loss: ``recover --accept``. The evidence of what happened stays; a new epoch begins after it.

It never gives a seq out twice, never removes a byte of the trail, and writes nothing over but a ``trail.json`` that is gone or changed, from the state's copy.

Source: PROTOCOL.md, rule 9; FORMAT.md, section 7.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from otel_tool_audit import settings
from otel_tool_audit.errors import AuditError, AuditUnavailable, SettingsError, TrailCorrupt, TrailTampered
from otel_tool_audit.format.document import parse_document
from otel_tool_audit.format.events import EPOCH
from otel_tool_audit.format.head import NO_PENDING, NO_PREVIOUS, Head, Position
from otel_tool_audit.format.line import body, leaf_hash, line
from otel_tool_audit.format.names import DOCUMENT, OWNER, PRIVATE_STATE, genesis, parse_segment_name, segment_name
from otel_tool_audit.format.vouching import NO_SALT
from otel_tool_audit.host.directory import Directory, make_directories, write_all
from otel_tool_audit.host.system import System
from otel_tool_audit.record.codec import timestamp, trail_tail
from otel_tool_audit.trail.chain.chain import Chain, Others, Rotation, write_head
from otel_tool_audit.trail.chain.files import ChainFiles
from otel_tool_audit.trail.state.directory import State
from otel_tool_audit.trail.state.opening import owner_document, remember
from otel_tool_audit.trail.state.rebuild_heads import ChainWalk, chain_names, walk


class Accepted(NamedTuple):
    """
    What accepting a loss changed.

    Attributes:
        trail_id: The trail.
        document_restored: Whether ``trail.json`` was written again.
        epochs: For each chain that began a new epoch: its number and first seq.
    """

    trail_id: str
    document_restored: bool
    epochs: dict[str, tuple[int, int]]


def accept(path: str, *, reason: str, who: str, state: str | None = None, system: System | None = None) -> Accepted:
    """
    Accept that a trail is not what its writers left, and let it be written again.

    Completeness is "known gaps" from then on, for ever. The chains whose files agree with their heads stay as they are.

    Args:
        path: The trail's directory.
        reason: Why, in words; recorded.
        who: Who accepts; recorded.
        state: The state directory, or None for the usual one.
        system: The system calls.

    Raises:
        SettingsError: No reason or name was given, or this state has never known a trail there.
        TrailTampered: Another trail lies in the place; it is left untouched.
        AuditUnavailable: A writer of the trail lives, or the disk does not take what must be written.
    """
    if not reason.strip() or not who.strip():
        raise SettingsError("accepting a loss needs a reason and a name: `otel-tool-audit recover DIR --accept --reason … --who …`")
    system = system or System()
    resolved = os.path.join(os.path.realpath(os.path.dirname(os.path.abspath(path))), os.path.basename(os.path.abspath(path)))
    where = settings.state_directory(state)
    opened = State.open(system, f"{resolved}/{PRIVATE_STATE}" if where == "none" else where, None if where == "none" else resolved)
    try:
        with opened.locked():
            return _accept_locked(opened, path, resolved, reason, who)
    except OSError as error:
        raise AuditUnavailable(f"{path} cannot be mended ({error.strerror or error})") from error
    finally:
        opened.close()


def _accept_locked(state: State, path: str, resolved: str, reason: str, who: str) -> Accepted:
    trail_id = _known_id(state, resolved)
    if state.living_writers(trail_id):
        raise AuditUnavailable(f"a writer of {resolved} still runs: stop it first, then accept")
    make_directories(state.system, resolved)
    root = Directory.at(state.system, resolved)
    try:
        restored = _restore_document(state, root, trail_id)
        root.replace_file(OWNER, owner_document(state))
        epochs: dict[str, tuple[int, int]] = {}
        for name in sorted({*state.head_names(trail_id), *chain_names(root)}):
            begun = _settle(state, root, trail_id, name, reason, who)
            if begun is not None:
                epochs[name] = begun
        place = state.places()[trail_id]
        remember(state, path, root, parse_document(place["documents"][-1]["text"].encode(), DOCUMENT), creating=False, keys=place["keys"])
        return Accepted(trail_id, restored, epochs)
    finally:
        root.close()


def _known_id(state: State, resolved: str) -> str:
    known = [i for i, p in state.places().items() if p["resolved"] == resolved]
    document = os.path.join(resolved, DOCUMENT)
    there = None
    if os.path.lexists(document) and not os.path.islink(document):
        try:
            with open(document, "rb") as file:
                there = parse_document(file.read(1 << 20), document).trail_id
        except TrailCorrupt:
            there = None
    if known and there is not None and there != known[0]:
        raise TrailTampered(f"at {resolved} lies trail {there}, not {known[0]}: move it away first, it is left untouched")
    if known:
        return known[0]
    if there is not None and there in state.places():
        return there
    raise SettingsError(
        f"the state directory {state.path} has never known a trail at {resolved}: there is nothing to accept; check the path and OTEL_TOOL_AUDIT_STATE"
    )


def _restore_document(state: State, root: Directory, trail_id: str) -> bool:
    newest = state.places()[trail_id]["documents"][-1]
    try:
        if root.read_file(DOCUMENT) == newest["text"].encode():
            return False
    except (FileNotFoundError, TrailTampered):
        pass
    root.replace_file(DOCUMENT, newest["text"].encode())
    return True


def _settle(state: State, root: Directory, trail_id: str, name: str, reason: str, who: str) -> tuple[int, int] | None:
    """Leave a chain that agrees with its head as it is; begin a new epoch in any other."""
    old = _head_of(state, trail_id, name)
    if old is not None and _agrees(state, root, trail_id, name):
        return None
    directory = root.make_directory(name)
    heads = state.heads(trail_id)
    try:
        found = walk(state.system, directory, trail_id, name)
        epoch = 1 + max(found.epoch, _epoch_of(old, trail_id, name))
        first_seq = max(found.end.lines, old.written.lines if old else 0, _last_named(directory))
        _begin(state, directory, heads, name, _Epoch(trail_id, epoch, first_seq, old, found, reason, who))
        return epoch, first_seq
    finally:
        heads.close()
        directory.close()


def _head_of(state: State, trail_id: str, name: str) -> Head | None:
    heads = state.heads(trail_id)
    try:
        return Head.unpack(heads.read_file(name))
    except (FileNotFoundError, TrailTampered):
        return None
    finally:
        heads.close()


def _agrees(state: State, root: Directory, trail_id: str, name: str) -> bool:
    """Try what every writer does on opening; the whole chain must follow, too."""
    heads = state.heads(trail_id)
    files: ChainFiles | None = None
    try:
        files = ChainFiles(state.system, name, root, heads, lambda event, details: _tail(state, event, details), state.voucher)
        head = Chain(files, Rotation(1 << 62, float("inf")), 0)
        if head.head().written.lines == 0 and not root.exists(name):
            return True
        head.open(Others(live=False, older=False))
        found = walk(state.system, files.directory, trail_id, name)
        return found.flaw is None and found.end.lines == head.head().written.lines
    except (AuditError, FileNotFoundError):
        return False
    finally:
        if files is not None:
            files.close()
        heads.close()


def _epoch_of(head: Head | None, trail_id: str, name: str) -> int:
    """Find which epoch a head belongs to, by its origin; a loss is accepted a few times in a trail's life, not thousands."""
    if head is None:
        return 0
    return next((n for n in range(10_000) if genesis(trail_id, name, n) == head.origin), 0)


def _last_named(directory: Directory) -> int:
    """No seq is given out twice: not even one that only a file's name still speaks of."""
    return max((p[0] for p in map(parse_segment_name, directory.names()) if p is not None), default=0)


class _Epoch(NamedTuple):
    trail_id: str
    number: int
    first_seq: int
    old: Head | None
    found: ChainWalk
    reason: str
    who: str


def _begin(state: State, directory: Directory, heads: Directory, name: str, epoch: _Epoch) -> None:
    """
    Begin an epoch: its first record is on disk before any head names it.

    If we crash before the new head stands, the old one does, and accepting again takes the next free attempt.
    """
    system = state.system
    attempts = [p[1] for p in map(parse_segment_name, directory.names()) if p is not None and p[0] == epoch.first_seq]
    attempt = max(attempts, default=-1) + 1
    origin = genesis(epoch.trail_id, name, epoch.number)
    tail = _tail(state, EPOCH, _details(epoch))
    content = state.voucher.vouch(body(epoch.first_seq, origin.hex(), tail))
    found = leaf_hash(content)
    data = line(content, found)
    fd = directory.open_file(segment_name(epoch.first_seq, attempt), os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL)
    try:
        write_all(system, fd, data)
        system.fsync(fd)
    finally:
        system.close(fd)
    directory.sync()
    if heads.exists(name):
        # the old head stays: it is what says how much was lost
        heads.replace_file(f"{name}.old-{epoch.number}", heads.read_file(name))
    mark = Position(epoch.first_seq + 1, len(data), bytes.fromhex(found))
    write_head(
        heads,
        name,
        Head(1, origin, system.boot_id(), 0, epoch.first_seq, attempt, mark, mark, NO_PENDING, NO_PREVIOUS, epoch.first_seq, state.voucher.id),
    )


def _details(epoch: _Epoch) -> dict[str, Any]:
    found, old = epoch.found, epoch.old
    previous = None
    if found.end.offset:
        previous = {
            "segment": segment_name(found.first_seq, found.attempt), "first_seq": found.first_seq, "attempt": found.attempt,
            "valid_end": found.end.offset, "aside_bytes": max(0, found.size - found.end.offset), "aside_sha256": None, "unsynced_from": None,
        }  # fmt: skip
    return {
        "epoch": epoch.number,
        "old_head": None if old is None else {"count": old.written.lines, "hash": old.written.hash.hex()},
        "files": {"count": found.end.lines, "hash": found.end.hash.hex()},
        "who": epoch.who, "reason": epoch.reason, "previous": previous,
    }  # fmt: skip


def _tail(state: State, event: str, details: Mapping[str, Any]) -> bytes:
    system = state.system
    return trail_tail(event, timestamp(system.now()), details, salt=NO_SALT, writer="0" * 32, service=b"null", digest=lambda _: None)
