"""
A trail, opened once for a whole use case: whoever reads, plans, verifies or keeps the journal of readings is handed this value.

Source: PROTOCOL.md, rules 6 and 8; ARCHITECTURE.md, D11.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Self

from otel_tool_audit.format.document import TrailDocument
from otel_tool_audit.format.names import DOCUMENT
from otel_tool_audit.review.source.chain_end import HeadView
from otel_tool_audit.review.source.directory import Folder, Stamp, UnsafeFileError, reading, resolve, stamp_of
from otel_tool_audit.review.source.location import Relation, open_root, place_of, read_document, relation
from otel_tool_audit.review.source.state import KnownPlace, StateView


class OpenedTrail:
    """
    A trail's directory, what it says it is, and the state directory of its writers.

    What hardly ever changes (``trail.json``, the state's ``places``, and with them whether the writers' heads speak for these files) is
    read once, and again only when the file is another one or was changed. What writers change all the time (heads, segments, who lives)
    is never kept: two looks at it may differ, and each is as fresh as its question.

    Attributes:
        path: The trail's directory, resolved but for its last component.
        given_state: The state directory as the caller named it, for a writer that opens the trail for itself.
        state: The state directory, as far as this reader may read it.
    """

    def __init__(self, path: str | os.PathLike[str], *, state: str | os.PathLike[str] | None = None) -> None:
        """
        Name a trail; its directory is opened when it is first asked for.

        Args:
            path: Its directory.
            state: The writers' state directory, or ``none``; by default as the environment says.
        """
        self.path = resolve(path)
        self.given_state = state
        self.state = StateView.of(self.path, state)
        self._root: Folder | None = None
        self._document: tuple[Stamp, TrailDocument] | None = None
        self._relation: tuple[KnownPlace, Stamp | None, Relation] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it; a second time does nothing."""
        self.state.close()
        if self._root is not None:
            self._root.close()

    @property
    def root(self) -> Folder:
        """
        The trail's directory.

        Raises:
            TrailCorrupt: There is none, it is a link, or it may not be read.
        """
        if self._root is None:
            self._root = open_root(self.path)
        return self._root

    @property
    def document(self) -> TrailDocument:
        """
        What ``trail.json`` says.

        Raises:
            TrailCorrupt: There is none, or it cannot be read as one.
            UnsupportedFormat: A newer version wrote it.
        """
        # looked at before it is read: what is put in its place meanwhile shows as another file the next time
        stamp = self.root.stamp(DOCUMENT)
        if stamp is not None and self._document is not None and self._document[0] == stamp:
            return self._document[1]
        found = read_document(self.root)
        self._document = None if stamp is None else (stamp, found)
        return found

    def relation_to(self, place: KnownPlace | None) -> Relation:
        """
        Tell whether the writers' heads speak for the files here; see :func:`~otel_tool_audit.review.source.location.relation`.

        Args:
            place: Where the state directory says the trail lies.
        """
        if place is None:
            return relation(self.root, place, self.path)
        # a copy is told from a move by what lies at the old place, so that is looked at, too
        elsewhere = None if place.resolved == self.path else _stamp_at(os.path.join(place.resolved, DOCUMENT))
        if self._relation is None or self._relation[:2] != (place, elsewhere):
            self._relation = (place, elsewhere, relation(self.root, place, self.path))
        return self._relation[2]

    def head_view(self, trail_id: str, chain: str) -> HeadView | None:
        """
        Read a chain's head and what else decides where it ends, anew each time; None where there is none, or none that speaks for the files here.

        Args:
            trail_id: Of the trail, as it was when it was opened.
            chain: The chain's name.
        """
        with contextlib.suppress(UnsafeFileError):
            if self.relation_to(place_of(self.state, trail_id)) in {Relation.OWN, Relation.MOVED}:
                return self.state.head_view(trail_id, chain)
        return None

    def lies_here(self) -> bool:
        """Tell whether the path leads to the directory that is open; a reader may outlive a move, or a restored backup."""
        if self._root is None:
            return True
        try:
            with reading(self.path):
                found = os.stat(self.path, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return (found.st_dev, found.st_ino) == self._root.identity

    @contextlib.contextmanager
    def as_it_lies_now(self) -> Iterator[OpenedTrail]:
        """
        Give this trail while its path leads to it, else what its path leads to now, opened for as long as it is needed.

        A reader goes on with the files that it opened, but a verdict is asked about a path.
        """
        if self.lies_here():
            yield self
        else:
            with OpenedTrail(self.path, state=self.given_state) as other:
                yield other


def _stamp_at(path: str) -> Stamp | None:
    try:
        with reading(path):
            return stamp_of(os.stat(path, follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return None
