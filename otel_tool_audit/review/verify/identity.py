"""
Checks 1 to 3: what lies at a path, whether its ``trail.json`` and ``owner`` are the writers', and whether the trail belongs there.

Source: PROTOCOL.md, "Files", rules 5, 6 and 8.
"""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING, NamedTuple

from otel_tool_audit.errors import TrailCorrupt, TrailUnreadable, UnsupportedFormat
from otel_tool_audit.format.document import TrailDocument
from otel_tool_audit.format.events import OPENED, Integrity, kind_of
from otel_tool_audit.format.line import MAX_LINE, parse_place
from otel_tool_audit.format.names import DOCUMENT, OWNER, OWNER_LOCK, PRIVATE_STATE, TRAIL_CHAIN, genesis, segment_name, valid_chain
from otel_tool_audit.format.nesting import read_json
from otel_tool_audit.record.untrusted import details_of
from otel_tool_audit.review.source.directory import Folder, UnsafeFileError, pread
from otel_tool_audit.review.source.location import Relation
from otel_tool_audit.review.source.opened import OpenedTrail
from otel_tool_audit.review.source.state import KnownPlace, StateView, reason
from otel_tool_audit.review.verify import findings as f

if TYPE_CHECKING:
    from otel_tool_audit.review.verify.view import TrailView


class Identity(NamedTuple):
    """
    What a trail turned out to be.

    Attributes:
        trail_id: 32 hex digits.
        document: Its ``trail.json``; None when it is gone or cannot be read.
        place: What the state directory knows of it, or None.
        relation: Whether the writers' heads speak for the files here.
    """

    trail_id: str
    document: TrailDocument | None
    place: KnownPlace | None
    relation: Relation


def identify(trail: OpenedTrail, findings: f.Findings) -> tuple[Folder | None, Identity]:
    """
    Find out what lies at a path.

    Args:
        trail: Opened there; stays the caller's.
        findings: Takes what is found.

    Returns:
        The trail's directory (None when it is gone), and what the trail is.

    Raises:
        TrailCorrupt: No trail lies there, and the state directory knows of none.
        UnsupportedFormat: A newer version wrote it.
    """
    try:
        places = trail.state.places()
    except UnsafeFileError as refused:
        places = []
        findings.find(f.PLACE, None, None, f"{refused}: the state directory was damaged")
    here = next((place for place in places if place.resolved == trail.path), None)
    try:
        root = trail.root
    except TrailCorrupt as error:
        if here is None or here.creating:
            raise
        findings.find(f.DIRECTORY, None, None, f"{error}; the state directory knows trail {here.trail_id} there: it was removed or replaced")
        return None, Identity(here.trail_id, None, here, Relation.OWN)
    return root, _identify_in(trail, root, places, here, findings)


def _identify_in(trail: OpenedTrail, root: Folder, places: list[KnownPlace], here: KnownPlace | None, findings: f.Findings) -> Identity:
    if here is not None and here.creating:
        return Identity(here.trail_id, None, here, Relation.CREATING)
    document: TrailDocument | None = None
    try:
        document = trail.document
    except (TrailCorrupt, UnsupportedFormat) as error:
        if here is None or (isinstance(error, UnsupportedFormat) and _is_lawful(root, here)):
            raise
        findings.find(f.DOCUMENT, None, None, f"{error}; the writers' trail.json of trail {here.trail_id} was removed or changed")
    trail_id = here.trail_id if document is None and here is not None else document.trail_id if document is not None else ""
    if here is not None and trail_id != here.trail_id:
        if _begins_with(root, here.trail_id):
            findings.find(f.DOCUMENT, None, None, f"{DOCUMENT} names trail {trail_id}, the chains are those of trail {here.trail_id}: it was changed")
            trail_id = here.trail_id
        else:
            findings.find(
                f.PLACE, None, None, f"here lay trail {here.trail_id}; what lies here now is trail {trail_id}: another one was put in its place"
            )
    place = next((place for place in places if place.trail_id == trail_id), None)
    if place is not None and document is not None and document.sha256 not in {d.sha256 for d in place.documents}:
        findings.find(f.DOCUMENT, None, None, f"{DOCUMENT} is not the one that the writers left (its SHA-256 is {document.sha256}): it was changed")
    return Identity(trail_id, document, place, trail.relation_to(place))


def _is_lawful(root: Folder, place: KnownPlace) -> bool:
    """A document of a newer format is lawful where the state knows it: then a newer version is needed, and nothing is wrong."""
    try:
        digest = hashlib.sha256(root.read(DOCUMENT)).hexdigest()
    except (FileNotFoundError, UnsafeFileError):
        return False
    return digest in {document.sha256 for document in place.documents}


def _begins_with(root: Folder, trail_id: str) -> bool:
    """Tell whether the chain ``trail`` here is that of the trail with this id."""
    try:
        with root.folder(TRAIL_CHAIN) as folder, folder.opened(segment_name(0, 0)) as descriptor:
            place = parse_place(pread(descriptor, MAX_LINE, 0))
    except (FileNotFoundError, UnsafeFileError):
        return False
    return place == (0, genesis(trail_id, TRAIL_CHAIN).hex().encode())


def check_directory(view: TrailView) -> None:
    """
    Check what lies in a trail's directory beside its chains.

    Args:
        view: The trail; nothing of it is read yet.
    """
    root, found, findings = view.root, view.found, view.findings
    for name in root.names():
        kind = root.stat(name)
        if name in {DOCUMENT, OWNER, OWNER_LOCK, PRIVATE_STATE} or kind is None:
            continue
        if not valid_chain(name):
            findings.notes.append(f"{root.path}/{name} is no part of a trail; it was left aside")
            continue
        try:
            # that it could not be opened just now, the check of the chain itself says
            with contextlib.suppress(TrailUnreadable):
                root.folder(name).close()
        except (FileNotFoundError, UnsafeFileError) as error:
            findings.find(f.DIRECTORY, name, None, f"{reason(error)}: something else stands where a chain would")
    if view.knows:
        _check_owner(root, view.state, findings)
    if found.relation is Relation.MOVED and found.place is not None:
        findings.notes.append(f"the trail was moved here from {found.place.resolved}; the next writer records it")


def _check_owner(root: Folder, state: StateView, findings: f.Findings) -> None:
    if state.id is None:
        what = f"{state.path}/id is gone or is no id, though this state directory knows the trail: removed, or the state was damaged"
        findings.find(f.DIRECTORY, None, None, what)
    try:
        data = root.read(OWNER)
        owner = read_json(data)["state"]
    except FileNotFoundError:
        findings.find(f.DIRECTORY, None, None, f"{root.path}/{OWNER} is gone")
    except (UnsafeFileError, ValueError, KeyError, TypeError) as error:
        findings.find(f.DIRECTORY, None, None, f"{root.path}/{OWNER} cannot be read ({error}): it was changed")
    else:
        if state.id is not None and owner != state.id:
            what = f"{root.path}/{OWNER} names another state directory ({str(owner)[:40]!r}): changed, or somebody else wrote here"
            findings.find(f.DIRECTORY, None, None, what)
        elif state.id is not None and data != f'{{"state":"{state.id}"}}\n'.encode():
            findings.find(f.DIRECTORY, None, None, f"{root.path}/{OWNER} holds more than writers put there: it was changed")


def check_document(view: TrailView) -> None:
    """
    Hold ``trail.json`` against the trail's own records, where no state directory has its digest: the last opening says it, or what changed it since.

    Args:
        view: The trail; all chains are read.
    """
    if view.state.private or view.found.relation is not Relation.UNKNOWN:
        return
    said: str | None = None
    for _, record in view.events:
        if record.get("event") == OPENED:
            said = details_of(record).get("document_sha256")
        elif kind_of(record).integrity is Integrity.DOCUMENT:
            said = details_of(record).get("document_sha256") or said
    if said is not None and view.found.document is not None and said != view.found.document.sha256:
        what = f"trail.json is not the one of the last opening (its SHA-256 was {said}): it was changed"
        view.findings.find(f.DOCUMENT, None, None, what)
