"""
Checking lines in bulk: a block that is as it must be, in as few steps a line as Python allows.

A block is either good from its first line to its last, or it is looked at again, line by line, by :mod:`~otel_tool_audit.review.verify.links`.

Source: FORMAT.md, sections 2 and 3.
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

from otel_tool_audit.format.events import AMENDED, EPOCH, FINISHED, OBSERVED, SEGMENT_OPENED, STARTED
from otel_tool_audit.format.line import HASH_TRAILER, MAX_BODY, parse_place
from otel_tool_audit.review.verify.strict import Place, flaw_of

_TRAILER: Final = HASH_TRAILER - 1
_LONGEST: Final = MAX_BODY - 1 + _TRAILER
_STARTED: Final = STARTED.encode() + b'","call_id":"'
_FINISHED: Final = FINISHED.encode() + b'","call_id":"'
_OPENS: Final = (SEGMENT_OPENED.encode() + b'"', EPOCH.encode() + b'"')
_TENTH: Final = len("tool_call.")
_IS_STARTED: Final = ord("s")
_IS_FINISHED: Final = ord("f")
_S: Final = len(_STARTED)
_F: Final = len(_FINISHED)
_WRITER: Final = len('","salt":"') + 32 + len('","writer":"')
_HEX: Final = frozenset(b"0123456789abcdef")


class Block(NamedTuple):
    """
    What a good block of lines says.

    Attributes:
        first_seq: The seq of its first line.
        previous: What that line names as ``previous_hash``, in hex.
        lines: How many lines.
        last: The hash of the last line, in hex.
        hashes: All hashes one after the other, 64 hex digits each.
        opened: Calls that start in it and do not end in it: call_id to writer.
        ended: Calls that end in it and did not start in it.
        recorded: How many calls each writer began to record in it.
        events: (seq, line) of each record of the trail's own life.
        flaws: (seq, what is wrong) of lines whose hash holds but whose content is not what a record may be.
        size: Of the block, in bytes.
    """

    first_seq: int
    previous: str
    lines: int
    last: str
    hashes: str
    opened: dict[bytes, bytes]
    ended: list[bytes]
    recorded: dict[bytes, int]
    events: list[tuple[int, bytes]]
    flaws: list[tuple[int, str]]
    size: int


def check_block(data: bytes, *, deep: Place | None = None) -> Block | None:  # noqa: C901 - a call a line would cost more than the line
    """
    Check that lines are whole, hold their hashes and follow each other.

    Args:
        data: Whole lines, the last LF included.
        deep: Where the first line lies, to read every line strictly, too.

    Returns:
        None when anything is wrong, whatever it is.
    """
    pieces = data.split(b"\n")
    if pieces.pop() or not pieces:
        return None
    place = parse_place(pieces[0])
    if place is None:
        return None
    first_seq, previous = place[0], place[1].decode("ascii", "replace")
    seq, last = first_seq, previous
    sha256 = hashlib.sha256
    hashes: list[str] = []
    opened: dict[bytes, bytes] = {}
    ended: list[bytes] = []
    recorded: dict[bytes, int] = {}
    events: list[tuple[int, bytes]] = []
    flaws: list[tuple[int, str]] = []
    try:
        for piece in pieces:
            prefix = f'{{"seq":{seq},"previous_hash":"{last}","event":"'.encode()
            last = sha256(b"\x00" + piece[:-_TRAILER] + b"}").hexdigest()
            if not piece.endswith(f',"hash":"{last}"}}'.encode()) or not piece.startswith(prefix) or len(piece) > _LONGEST:
                return None
            hashes.append(last)
            at = len(prefix)
            kind = piece[at + _TENTH]
            if kind == _IS_STARTED and piece.startswith(_STARTED, at):
                at += _S + 32
                writer = piece[at + _WRITER : at + _WRITER + 32]
                opened[piece[at - 32 : at]] = writer
                recorded[writer] = recorded.get(writer, 0) + 1
            elif kind == _IS_FINISHED and piece.startswith(_FINISHED, at):
                at += _F
                call = piece[at : at + 32]
                if opened.pop(call, None) is None:
                    ended.append(call)
            elif not _other(piece, at, seq, ended, opened, recorded, events):
                return None
            if deep is not None:
                flaw = flaw_of(piece, deep)
                if flaw is not None:
                    flaws.append((seq, flaw))
                if deep.openings:
                    deep = deep.behind(opening=piece.startswith(_OPENS, len(prefix)))
            seq += 1
    except IndexError:
        return None
    return Block(first_seq, previous, len(pieces), last, "".join(hashes), opened, ended, recorded, events, flaws, len(data))


def _other(  # noqa: PLR0917 - called for each line that is no usual one
    piece: bytes, at: int, seq: int, ended: list[bytes], opened: dict[bytes, bytes], recorded: dict[bytes, int], events: list[tuple[int, bytes]],
) -> bool:  # fmt: skip
    """Take in a line of any other event; False when no record looks like it."""
    stop = piece.find(b'"', at)
    event = piece[at:stop]
    if stop < 0 or not piece.startswith(b'","call_id":', stop):
        return False
    at = stop + len(b'","call_id":')
    if piece.startswith(b"null,", at):
        events.append((seq, piece))
        return True
    call = piece[at + 1 : at + 33]
    if piece[at : at + 1] != b'"' or piece[at + 33 : at + 35] != b'",' or not _HEX.issuperset(call):
        return False
    if event == OBSERVED.encode():
        at += 33
        writer = piece[at + _WRITER : at + _WRITER + 32]
        recorded[writer] = recorded.get(writer, 0) + 1
        if opened.pop(call, None) is None:
            ended.append(call)
    elif event != AMENDED.encode():
        events.append((seq, piece))
    return True
