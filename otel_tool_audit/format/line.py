"""A line of a segment: its body, its hash, where it stands. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Final

HASH_TRAILER: Final = len(',"hash":"') + 64 + len('"}\n')
"""Bytes that close every line after its body's content."""

MAX_BODY: Final = 65_535
"""The largest body, in bytes (FORMAT.md, section 2); the tlog entry size of C2SP tlog-tiles."""

MAX_LINE: Final = MAX_BODY - 1 + HASH_TRAILER
"""The longest line with its LF, in bytes."""


Read = Callable[[int, int], bytes]
"""Reads at most so many bytes of a segment, from an offset on; nothing at its end."""

BLOCK: Final = 1 << 20
"""Bytes of a segment that are read at once."""


def whole_blocks(read: Read, start: int, end: int, *, longest: int = MAX_LINE) -> Iterator[bytes]:
    """
    Give the whole lines of a part of a segment, many at once; what follows the last LF is left out.

    Args:
        read: Reads the segment.
        start: From which byte on; a line begins there.
        end: Before which byte.
        longest: Bytes of a line. What is longer is none, and must not fill the memory: only its end is given.
    """
    rest, at = b"", start
    while at < end and (data := read(min(BLOCK, end - at), at)):
        at += len(data)
        stop = data.rfind(b"\n") + 1
        if stop:
            yield rest + data[:stop]
            rest = data[stop:]
        else:
            rest += data
        rest = rest[-longest:]


def split_line(line: bytes) -> tuple[bytes, bytes] | None:
    """
    Take a line apart from its end.

    Args:
        line: One line with its LF.

    Returns:
        The body and the hash it claims (64 ASCII bytes); None when the line does not end as every line does.

    Source: FORMAT.md, section 2.
    """
    if len(line) <= HASH_TRAILER or line[-HASH_TRAILER : -HASH_TRAILER + 9] != b',"hash":"' or line[-3:] != b'"}\n':
        return None
    return line[:-HASH_TRAILER] + b"}", line[-67:-3]


def parse_place(body: bytes) -> tuple[int, bytes] | None:
    """
    Read ``seq`` and ``previous_hash`` (64 ASCII bytes) of a body by position; None when they do not stand there.

    Source: FORMAT.md, section 2.
    """
    comma = body.find(b",", 7, 28)
    digits = body[7:comma]
    if comma < 0 or body[:7] != b'{"seq":' or not digits.isdigit() or (digits[:1] == b"0" and len(digits) > 1):
        return None
    if body[comma : comma + 18] != b',"previous_hash":"' or body[comma + 82 : comma + 93] != b'","event":"':
        return None
    return int(digits), body[comma + 18 : comma + 82]


def body(seq: int, previous_hash: str, tail: bytes) -> bytes:
    """Join a record's place and its tail into the bytes that are hashed."""
    return b'{"seq":%d,"previous_hash":"%b",%b' % (seq, previous_hash.encode(), tail)


def leaf_hash(record_body: bytes) -> str:
    """Hash a body: :func:`leaf_digest` in 64 hex digits."""
    return leaf_digest(record_body).hex()


def leaf_digest(record_body: bytes) -> bytes:
    """
    Hash a body, in 32 bytes.

    Source: RFC 6962, section 2.1: the Merkle leaf hash, SHA-256 of a zero byte and the entry.
    """
    return hashlib.sha256(b"\x00" + record_body).digest()


def line(record_body: bytes, record_hash: str) -> bytes:
    """Make the line that is written: the body, closed by its hash."""
    return b'%b,"hash":"%b"}\n' % (record_body[:-1], record_hash.encode())


def good_line(text: bytes, seq: int, previous: bytes) -> bytes | None:
    """
    Check one line against its place.

    Args:
        text: The line with its LF.
        seq: What its ``seq`` must be.
        previous: What its ``previous_hash`` must be, 32 bytes.

    Returns:
        The line's hash (32 bytes), or None when anything is wrong.

    Source: FORMAT.md, sections 2 and 3.
    """
    parts = split_line(text)
    if parts is None or len(text) > MAX_LINE:
        return None
    content, claimed = parts
    if parse_place(content) != (seq, previous.hex().encode()):
        return None
    found = leaf_hash(content)
    return bytes.fromhex(found) if found.encode() == claimed else None
