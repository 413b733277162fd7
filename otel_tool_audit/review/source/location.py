"""
What a trail says it is, and whether the state directory's heads speak for the files that lie at a path.

Source: PROTOCOL.md, rules 6 and 8; FORMAT.md, section 4.
"""

from __future__ import annotations

from enum import Enum

from otel_tool_audit.errors import TrailCorrupt, UnsupportedFormat
from otel_tool_audit.format.document import LARGEST, TrailDocument, parse_document
from otel_tool_audit.format.names import DOCUMENT
from otel_tool_audit.review.source.directory import Folder, UnsafeFileError
from otel_tool_audit.review.source.state import KnownPlace, StateView


class Relation(Enum):
    """How the files at a path stand to what the state directory knows."""

    UNKNOWN = "the state directory has never known this trail"
    OWN = "this is the place the writers know"
    MOVED = "the trail was moved here"
    COPY = "this is a copy; the trail itself lies elsewhere"
    CREATING = "the trail is being made"


def read_document(root: Folder) -> TrailDocument:
    """
    Read the ``trail.json`` of a trail.

    Raises:
        TrailCorrupt: There is none, or it cannot be read as one.
        UnsupportedFormat: It is of a newer format.
    """
    path = f"{root.path}/{DOCUMENT}"
    try:
        data = root.read(DOCUMENT, LARGEST)
    except FileNotFoundError as error:
        message = f"{root.path} holds no {DOCUMENT}; this is no trail"
        raise TrailCorrupt(message) from error
    except UnsafeFileError as error:
        message = f"{path} cannot be read ({error})"
        raise TrailCorrupt(message) from error
    return parse_document(data, path)


def relation(root: Folder, place: KnownPlace | None, resolved: str) -> Relation:
    """
    Tell whether the writers' heads speak for the files at a path.

    A copy is told from a move by the old place: it still holds a ``trail.json`` of this id with another inode.

    Args:
        root: The directory that is looked at.
        place: Where the state directory says the trail lies.
        resolved: The path that is looked at, resolved.
    """
    if place is None:
        return Relation.UNKNOWN
    if place.creating:
        return Relation.CREATING
    if place.resolved == resolved or (place.device, place.inode) == root.identity:
        return Relation.OWN
    try:
        with Folder.at(place.resolved) as old:
            there = read_document(old)
            if there.trail_id == place.trail_id and old.identity != root.identity:
                return Relation.COPY
    except (FileNotFoundError, UnsafeFileError, TrailCorrupt, UnsupportedFormat):
        return Relation.MOVED
    return Relation.MOVED


def place_of(state: StateView, trail_id: str) -> KnownPlace | None:
    """
    Look up what the state directory knows of a trail.

    Raises:
        UnsafeFileError: ``places`` cannot be used.
    """
    return next((place for place in state.places() if place.trail_id == trail_id), None)


def open_root(path: str) -> Folder:
    """
    Open a trail's directory for reading.

    Args:
        path: Resolved but for its last component.

    Raises:
        TrailCorrupt: There is none, it is a link, or it may not be read.
    """
    try:
        root = Folder.at(path)
        root.names()
    except UnsafeFileError as refused:
        message = f"{refused}; give the trail's own directory"
        raise TrailCorrupt(message) from refused
    except FileNotFoundError as error:
        message = f"there is no trail to read at {path} ({error.strerror})"
        raise TrailCorrupt(message) from error
    return root
