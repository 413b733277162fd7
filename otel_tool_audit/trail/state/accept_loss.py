"""
Accepting a loss: ``recover --accept``. The evidence of what happened stays; a new epoch begins after it.

It never gives a seq out twice, never removes a byte of the trail, and writes nothing over but a ``trail.json`` that is gone or changed, from the
state's copy, and seals, which are caches.

Source: PROTOCOL.md, rule 9; FORMAT.md, section 7.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from otel_tool_audit import settings
from otel_tool_audit.errors import AuditError, AuditUnavailable, SettingsError, TrailCorrupt, TrailTampered
from otel_tool_audit.format.document import parse_document
from otel_tool_audit.format.head import Head
from otel_tool_audit.format.names import DOCUMENT, OWNER, PRIVATE_STATE, TRAIL_CHAIN, genesis, valid_chain
from otel_tool_audit.host.directory import Directory, make_directories
from otel_tool_audit.host.system import System
from otel_tool_audit.record.witnesses import WitnessedHeads, Witnesses
from otel_tool_audit.trail.chain.chain import Chain, Others, Rotation
from otel_tool_audit.trail.chain.files import ChainFiles
from otel_tool_audit.trail.chain.seals import renew_seals
from otel_tool_audit.trail.state.directory import State
from otel_tool_audit.trail.state.epochs import ACCEPTED, Begun, Cause, begin, trail_record
from otel_tool_audit.trail.state.opening import owner_document, remember
from otel_tool_audit.trail.state.survey import chain_names, survey, witnesses_in


class Accepted(NamedTuple):
    """
    What accepting a loss changed.

    Attributes:
        trail_id: The trail.
        document_restored: Whether ``trail.json`` was written again.
        epochs: For each chain that began a new epoch: its number and first seq.
        seals: For each chain: seals that did not say what their segment is and were made anew.
    """

    trail_id: str
    document_restored: bool
    epochs: dict[str, tuple[int, int]]
    seals: dict[str, list[str]]


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
        witnesses = witnesses_in(root, trail_id)
        spoken_of = {name for name in witnesses.names() | witnesses.created if valid_chain(name)}
        names = {*state.head_names(trail_id), *chain_names(root), *spoken_of} - {TRAIL_CHAIN}
        epochs: dict[str, tuple[int, int]] = {}
        seals: dict[str, list[str]] = {}
        trail_count = 0
        for name in (TRAIL_CHAIN, *sorted(names)):
            begun = _settle(state, root, trail_id, name, witnesses, Cause(ACCEPTED, who, reason), trail_count)
            if begun is not None:
                epochs[name] = begun
            if name == TRAIL_CHAIN:
                head = _head_of(state, trail_id, name)
                trail_count = head.written.lines if head is not None else 0
            if root.exists(name):
                seals[name] = _renew_seals(root, trail_id, name)
        place = state.places()[trail_id]
        remember(state, path, root, parse_document(place["documents"][-1]["text"].encode(), DOCUMENT), creating=False, keys=place["keys"])
        return Accepted(trail_id, restored, epochs, {name: renewed for name, renewed in seals.items() if renewed})
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


def _settle(  # noqa: PLR0917 - what every chain is settled with
    state: State, root: Directory, trail_id: str, name: str, witnesses: Witnesses, cause: Cause, trail_count: int,
) -> Begun | None:  # fmt: skip
    """Leave a chain that agrees with its head as it is; begin a new epoch in any other."""
    old = _head_of(state, trail_id, name)
    if old is not None and _agrees(state, root, trail_id, name, witnesses.on(name)):
        return None
    directory = root.make_directory(name)
    try:
        found = survey(directory, trail_id, name, witnesses.on(name))
        return begin(state, directory, trail_id, name, found, old, witnesses, cause, trail_count)
    finally:
        directory.close()


def _head_of(state: State, trail_id: str, name: str) -> Head | None:
    heads = state.heads(trail_id)
    try:
        return Head.unpack(heads.read_file(name))
    except (FileNotFoundError, TrailTampered):
        return None
    finally:
        heads.close()


def _agrees(state: State, root: Directory, trail_id: str, name: str, claims: WitnessedHeads) -> bool:
    """Try what every writer does on opening; the whole chain must follow, too."""
    heads = state.heads(trail_id)
    files: ChainFiles | None = None
    try:
        files = ChainFiles(state.system, name, root, heads, lambda event, details: trail_record(state, event, details), state.voucher)
        chain = Chain(files, Rotation(1 << 62, float("inf")), 0)
        if chain.head().written.lines == 0 and not root.exists(name):
            return True
        chain.open(Others(live=False, older=False))
        found = survey(files.directory, trail_id, name, claims)
        head = chain.head()
        spoken_of = claims.highest()
        return (
            found.flaw is None
            and found.end.lines == head.written.lines
            and head.origin == genesis(trail_id, name, found.epoch)
            and (spoken_of is None or spoken_of.upto <= found.end.lines)
        )
    except (AuditError, FileNotFoundError):
        return False
    finally:
        if files is not None:
            files.close()
        heads.close()


def _renew_seals(root: Directory, trail_id: str, name: str) -> list[str]:
    """Make false seals anew: they are caches, and what they say is no evidence."""
    directory = root.open_directory(name)
    try:
        return renew_seals(directory, survey(directory, trail_id, name, WitnessedHeads()).parts)
    finally:
        directory.close()
