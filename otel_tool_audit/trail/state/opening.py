"""
Finding out what lies at a path before anybody writes there: a new trail, ours, a copy, one that was moved, someone else's, or a tampered one.

All of it runs under ``<state>/lock``. Nothing here truncates, overwrites or removes a byte of a trail (PROTOCOL.md, rule 1).

Source: PROTOCOL.md, rules 2, 5, 6 and 8, "First open".
"""

from __future__ import annotations

import os
import stat
from typing import Any, Final, NamedTuple

import orjson

from otel_tool_audit.errors import AuditUnavailable, SettingsError, TrailCorrupt, TrailTampered
from otel_tool_audit.format.document import TrailDocument, parse_document
from otel_tool_audit.format.names import DOCUMENT, OWNER, OWNER_LOCK, PRIVATE_STATE, TRAIL_CHAIN, genesis, valid_chain
from otel_tool_audit.host.directory import Directory, Modes, make_directories, sync_ancestors
from otel_tool_audit.host.system import System
from otel_tool_audit.record.codec import timestamp
from otel_tool_audit.trail.chain.chain import create_chain_directory, create_head
from otel_tool_audit.trail.state.directory import State, StoredPlace, document
from otel_tool_audit.trail.state.new_trail import new_document
from otel_tool_audit.trail.state.take_over import take_over

RECOVER: Final = "`otel-tool-audit recover DIR --accept --reason …`"


class Discovery(NamedTuple):
    """
    A trail that may be written.

    Attributes:
        root: Its directory, open.
        document: Its ``trail.json``.
        absent: Heads that had to be made from the files: chain, count, hash (``trail.opened`` records them).
        moved_from: Where it lay before, or None.
        new: Whether it was just made.
    """

    root: Directory
    document: TrailDocument
    absent: list[dict[str, Any]]
    moved_from: str | None
    new: bool


def find(system: System, state: State, path: str, modes: Modes) -> Discovery:
    """
    Find the trail at *path*, or make one where nothing is.

    Args:
        system: The system calls.
        state: Open and locked.
        path: As given.
        modes: For what is made.

    Raises:
        TrailTampered: What lies there contradicts what the state remembers.
        TrailCorrupt: Something lies there that is no trail.
        UnsupportedFormat: A trail of a newer format.
        SettingsError: The path cannot be used.
        AuditUnavailable: A writer with another state directory lives.
    """
    root = _open_root(system, path, modes)
    try:
        return _find_in(state, path, root)
    except BaseException:
        root.close()
        raise


def _open_root(system: System, path: str, modes: Modes) -> Directory:
    absolute = os.path.abspath(path)
    try:
        if stat.S_ISLNK(system.stat(absolute).st_mode):
            raise SettingsError(f"the trail's path {path} is a symbolic link: give the directory itself")
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _unusable(path, error) from error
    resolved = os.path.join(os.path.realpath(os.path.dirname(absolute)), os.path.basename(absolute))
    try:
        make_directories(system, os.path.dirname(resolved))
        parent = Directory.at(system, os.path.dirname(resolved), modes)
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        name = os.path.basename(resolved)
        if not parent.exists(name):
            parent.make_directory(name).close()
        fd = system.open(resolved, os.O_RDONLY | os.O_DIRECTORY)
        root = Directory(system, fd, resolved, modes)
        owner = system.fstat(fd).st_uid
        if owner != system.uid():
            root.close()
            raise SettingsError(f"the trail {path} belongs to user {owner}; only its owner writes it (reading needs no ownership)")
    except OSError as error:
        raise _unusable(path, error) from error
    finally:
        parent.close()
    return root


def _unusable(path: str, error: OSError) -> SettingsError:
    return SettingsError(f"the trail's path {path} cannot be used ({error.strerror or error}): choose a directory that this user can write")


def _find_in(state: State, path: str, root: Directory) -> Discovery:
    places = state.places()
    device, inode = root.identity()
    names = [n for n in root.names() if n != PRIVATE_STATE and not n.endswith(".tmp")]
    here = {i: p for i, p in places.items() if p["resolved"] == root.path or (p["device"], p["inode"]) == (device, inode)}
    creating = next((i for i, p in here.items() if p["creating"]), None)
    if creating is not None:
        return _create(state, path, root, creating, places[creating])
    if not root.exists(DOCUMENT):
        at_path = [i for i, p in here.items() if p["resolved"] == root.path]
        if at_path:
            what = "is gone from" if names else "and everything else is gone from"
            raise TrailTampered(f"{DOCUMENT} {what} {root.path}, where trail {at_path[0]} lay: put it back, or {RECOVER}")
        if names:
            raise TrailCorrupt(f"{root.path} is not empty and holds no {DOCUMENT} (found {', '.join(names[:3])}): give an empty directory or a trail")
        return _create(state, path, root, state.system.random_id(), None)
    found = parse_document(root.read_file(DOCUMENT), f"{root.path}/{DOCUMENT}")
    return _known_or_taken_over(state, path, root, found, places)


def _known_or_taken_over(state: State, path: str, root: Directory, found: TrailDocument, places: dict[str, StoredPlace]) -> Discovery:
    here = [i for i, p in places.items() if p["resolved"] == root.path and i != found.trail_id]
    if here:
        raise TrailTampered(
            f"at {root.path} lay trail {here[0]}; what lies there now is trail {found.trail_id}: put the first one back, or open the other elsewhere"
        )
    place = places.get(found.trail_id)
    if place is None:
        _arbitrate(state, root, known=False)
        absent = take_over(state, root, found.trail_id)
        root.replace_file(OWNER, owner_document(state))
        remember(state, path, root, found, creating=False)
        return Discovery(root, found, absent, None, new=False)
    _settle_document(state, root, found, place)
    moved_from = _moved_from(state.system, root, place, found.trail_id)
    _arbitrate(state, root, known=True)
    _check_chains(state, root, found.trail_id)
    if moved_from is not None or (place["device"], place["inode"]) != root.identity():
        remember(state, path, root, found, creating=False, keys=place["keys"])
    return Discovery(root, found, [], moved_from, new=False)


def _settle_document(state: State, root: Directory, found: TrailDocument, place: StoredPlace) -> None:
    """While a lawful change is under way two documents are right; the next writer completes it (PROTOCOL.md, rule 6)."""
    known = [d["sha256"] for d in place["documents"]]
    if found.sha256 not in known:
        raise TrailTampered(f"{root.path}/{DOCUMENT} is not what this trail's writers left (its SHA-256 differs): restore it, or {RECOVER}")
    if len(known) > 1:
        newest = place["documents"][-1]
        if found.sha256 != newest["sha256"]:
            root.replace_file(DOCUMENT, newest["text"].encode())
        place["documents"] = [newest]
        state.remember(found.trail_id, place)


def _moved_from(system: System, root: Directory, place: StoredPlace, trail_id: str) -> str | None:
    """Tell a move from a copy: the old place of a copied trail still holds a ``trail.json`` of this id (PROTOCOL.md, rule 8)."""
    if place["resolved"] == root.path or (place["device"], place["inode"]) == root.identity():
        return None if place["resolved"] == root.path else place["resolved"]
    try:
        old = Directory.at(system, place["resolved"])
    except OSError:
        return place["resolved"]
    try:
        there = parse_document(old.read_file(DOCUMENT), place["resolved"]).trail_id
    except (OSError, TrailCorrupt, TrailTampered):
        return place["resolved"]
    finally:
        old.close()
    if there == trail_id:
        raise SettingsError(
            f"{root.path} is a copy of the trail at {place['resolved']}: it can be read and verified, not written; open the original, or a new directory"
        )
    return place["resolved"]


def _arbitrate(state: State, root: Directory, *, known: bool) -> None:
    """``owner`` decides between living writers only, and never makes a verdict milder."""
    try:
        named = orjson.loads(root.read_file(OWNER)).get("state")
    except FileNotFoundError:
        named = None
    except (ValueError, AttributeError) as error:
        raise TrailTampered(f"{root.path}/{OWNER} cannot be read: it was changed; restore it, or {RECOVER}") from error
    if named == state.id:
        return
    if named is not None and _another_writes(state.system, root):
        raise AuditUnavailable(
            f"{root.path} is being written by a process with another state directory: give all writers of a trail the same OTEL_TOOL_AUDIT_STATE"
        )
    if known:
        what = "is gone" if named is None else f"names another state directory ({named})"
        raise TrailTampered(f"{root.path}/{OWNER} {what}: somebody else wrote here, or changed it; run `otel-tool-audit verify`, then {RECOVER}")


def _another_writes(system: System, root: Directory) -> bool:
    """
    Tell whether a writer lives that has another state directory.

    A writer of an older version locks ``owner`` alone, which whoever may read the trail can lock, too: there a holder counts that is this user's, or that
    cannot be seen from here.
    """
    fd = root.private().open_file(OWNER_LOCK, os.O_RDWR | os.O_CREAT)
    try:
        if not system.lock_now(fd):
            return True
    finally:
        system.close(fd)
    fd = root.open_file(OWNER, os.O_RDWR)
    try:
        if system.lock_now(fd):
            return False
        owners = system.lock_owners(fd)
        return not owners or system.uid() in owners
    finally:
        system.close(fd)


def _check_chains(state: State, root: Directory, trail_id: str) -> None:
    """Every chain has a head, and every head its chain; only a chain that is being made may have no directory yet."""
    heads = set(state.head_names(trail_id))
    for name in root.names():
        if name in {PRIVATE_STATE, OWNER} or not valid_chain(name):
            continue
        if name not in heads and stat.S_ISDIR(state.system.stat(name, dir_fd=root.fd).st_mode):
            raise TrailTampered(f"{root.path}/{name} looks like a chain, but this trail's writers made none of that name: look at it, then remove it")
    if TRAIL_CHAIN not in heads:
        raise TrailTampered(f"the heads of trail {trail_id} are gone from {state.path}: the state directory was damaged; {RECOVER}")


def _create(state: State, path: str, root: Directory, trail_id: str, begun: StoredPlace | None) -> Discovery:
    """
    Make a trail, or finish making it.

    The order is the protocol's. Until the mark "creating" is removed, whatever is found half made is completed, and nothing of it is a finding.
    """
    system = state.system
    if begun is None:
        made = new_document(trail_id, timestamp(system.now()))
        remember(state, path, root, made, creating=True)
    else:
        made = parse_document(begun["documents"][0]["text"].encode(), f"{state.path}/places")
    sync_ancestors(system, root.path)
    heads = state.heads(trail_id)
    try:
        if not heads.exists(TRAIL_CHAIN):
            create_head(heads, TRAIL_CHAIN, genesis(trail_id, TRAIL_CHAIN), system.boot_id(), state.voucher.id)
    finally:
        heads.close()
    root.replace_file(OWNER, owner_document(state))
    root.replace_file(DOCUMENT, made.text.encode())
    create_chain_directory(root, TRAIL_CHAIN)
    root.sync()
    remember(state, path, root, made, creating=False)
    return Discovery(root, made, [], None, new=True)


def owner_document(state: State) -> bytes:
    """Make the content of ``owner``: which state directory's writers own the trail."""
    return orjson.dumps({"state": state.id}) + b"\n"


def remember(state: State, path: str, root: Directory, found: TrailDocument, *, creating: bool, keys: list[str] | None = None) -> None:
    """Remember where a trail lies and what its ``trail.json`` says, durably. Under the state's lock."""
    device, inode = root.identity()
    state.remember(found.trail_id, {
        "path": path, "resolved": root.path, "device": device, "inode": inode, "machine": state.system.machine_id(),
        "creating": creating, "documents": [document(found.text)], "keys": keys or [],
    })  # fmt: skip
