"""
A writer of simple trails, made from FORMAT.md alone: it imports nothing of the package, so both can be wrong only separately.

Everything is deterministic: ids, salts and times are counted.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import struct
import zlib
from pathlib import Path
from typing import Any

TRAIL_ID = "0123456789abcdef0123456789abcdef"
STATE_ID = "fedcba9876543210fedcba9876543210"
WRITER = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
THIS_BOOT = b"THIS BOOT       "
"""Stands for the boot id of the host that reads; placing.py puts the real one there."""
OTHER_BOOT = bytes(range(16))
KEY = bytes(range(100, 132))
"""The vouching key of the state directory."""
OTHER_KEY = bytes(32)
CLEAN, POISONED, OS = 1, 2, 4
NONE = 2**64 - 1
_SLOT = struct.Struct("<8sQ32s16sIQIQQ32sQQ32sII32sQIQQQQ32s")
_CALL = [
    "conversation_id",
    "turn_number",
    "user_id",
    "user_role",
    "agent",
    "model",
    "tool_name",
    "tool_call_id",
    "attempt",
    "retry_of",
    "trigger",
    "purpose",
    "subject",
    "arguments",
    "result_summary",
    "success",
    "error",
    "error_type",
    "duration_ms",
    "session_metadata",
    "redactions",
    "trace_id",
    "span_id",
    "parent_span_id",
    "source",
    "claimed",
    "retention_class",
]


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def origin(chain: str, epoch: int = 0) -> bytes:
    return hashlib.sha256(f"{TRAIL_ID}/{chain}{f'/{epoch}' if epoch else ''}".encode()).digest()


def make_line(seq: int, previous: bytes, event: str, rest: dict[str, Any]) -> tuple[bytes, bytes]:
    """The line of a record, and its hash."""
    body = compact({"seq": seq, "previous_hash": previous.hex(), "event": event, **rest})
    found = hashlib.sha256(b"\0" + body).digest()
    return body[:-1] + b',"hash":"' + found.hex().encode() + b'"}\n', found


def vouched_salt(key: bytes, seq: int, previous: bytes, event: str, rest: dict[str, Any]) -> str:
    """The salt that vouches for a record."""
    body = compact({"seq": seq, "previous_hash": previous.hex(), "event": event, **rest, "salt": "0" * 32})
    return hmac.new(key, body, "sha256").hexdigest()[:32]


def key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"otel-tool-audit vouching key id\0" + key).digest()[:8]


class Chain:
    """One chain in memory: its segments as bytes, and what its head must say. Without *key* its writer is of a version that did not vouch."""

    def __init__(self, name: str, key: bytes | None = None) -> None:
        self.name = name
        self.key = key
        self.vouched_from = 0
        self.lines = 0
        self.hash = self.origin = origin(name)
        self.segments: dict[str, bytearray] = {}
        self.seals: dict[str, bytes] = {}
        self.marks: list[tuple[int, int, bytes]] = [(0, 0, self.hash)]
        self.prev = (NONE, 0, 0, NONE, NONE, 0, bytes(32))
        self._open(0, 0)

    def _open(self, first_seq: int, attempt: int) -> None:
        self.first_seq, self.attempt = first_seq, attempt
        self.segment = f"{first_seq:012d}{f'-{attempt}' if attempt else ''}.jsonl"
        self.segments[self.segment] = bytearray()

    @property
    def data(self) -> bytearray:
        return self.segments[self.segment]

    @property
    def mark(self) -> tuple[int, int, bytes]:
        return self.lines, len(self.data), self.hash

    def add(self, event: str, **rest: Any) -> None:
        salt = hashlib.sha256(f"{self.name} {self.lines}".encode()).hexdigest()[:32]
        when = f"2026-03-01T12:{self.lines // 60:02d}:{self.lines % 60:02d}.000000Z"
        call_id = rest.pop("call_id", None)
        head = {"call_id": call_id, "salt": salt, "writer": rest.pop("writer", WRITER), "service": "golden", "timestamp": when}
        if self.key is not None:
            head["salt"] = vouched_salt(self.key, self.lines, self.hash, event, head | rest)
        line, self.hash = make_line(self.lines, self.hash, event, head | rest)
        self.data.extend(line)
        self.lines += 1
        self.marks.append(self.mark)

    def call(self, event: str, number: int, **fields: Any) -> None:
        known: dict[str, Any] = dict.fromkeys(_CALL) | {
            "conversation_id": "conv_1", "turn_number": number, "user_id": "usr_98765", "user_role": "support_agent", "model": "gpt-4.1",
            "tool_name": "issue_refund", "trigger": "user_request", "arguments": {"order_id": f"ORD-{number}"}, "session_metadata": {},
            "redactions": [], "source": "tool_audit", "retention_class": self.name,
        }  # fmt: skip
        self.add(event, call_id=f"{number:032x}", **(known | fields))

    def rotate(self, reason: str = "size", aside: bytes = b"", *, void: bytes | None = None) -> None:
        """Leave the segment; *aside*: bytes of a killed write behind its end; *void*: what a first attempt of the next one holds."""
        end, count, first = len(self.data), self.lines - self.first_seq, self.first_seq
        sha256 = hashlib.sha256(aside).digest() if aside else bytes(32)
        self.prev = (self.first_seq, self.attempt, end, NONE, NONE, len(aside), sha256)
        previous = {
            "segment": self.segment, "first_seq": self.first_seq, "attempt": self.attempt, "valid_end": end,
            "aside_bytes": len(aside), "aside_sha256": sha256.hex() if aside else None, "unsynced_from": None,
        }  # fmt: skip
        self._seal(end, count, first)
        self.data.extend(aside)
        self._open(self.lines, 0)
        if void is not None:
            self.data.extend(void)
            self._open(self.lines, 1)
        self.add("trail.segment_opened", details={"previous": previous, "void_attempts": self.attempt, "reason": reason})

    def _seal(self, end: int, count: int, first: int) -> None:
        lines = [json.loads(line) for line in bytes(self.data[:end]).splitlines()]
        self.seals[self.segment.replace(".jsonl", ".seal")] = compact({
            "segment": self.segment, "first_seq": first, "attempt": self.attempt, "count": count, "bytes": end,
            "sha256": hashlib.sha256(self.data[:end]).hexdigest(), "first_hash": lines[0]["hash"], "last_hash": lines[-1]["hash"],
            "first_timestamp": lines[0]["timestamp"], "last_timestamp": lines[-1]["timestamp"],
        }) + b"\n"  # fmt: skip

    def head(self, *, flags: int = CLEAN, boot: bytes = THIS_BOOT, written: Any = None, synced: Any = None, pending: Any = None) -> bytes:
        """The head file: the wanted slot, and an older one in the other place."""
        written = written or self.mark
        rest = (self.origin, boot, flags, self.first_seq, self.attempt, *written, *(synced or written), *(pending or (0, 0, bytes(32))), *self.prev)
        slots = {g % 2: pack_slot(g, rest) + (pack_vouching(g, self.vouched_from, self.key) if self.key is not None else b"") for g in (6, 7)}
        return b"".join(slots[i].ljust(2048, b"\0") for i in (0, 1))


def pack_slot(generation: int, rest: tuple[Any, ...]) -> bytes:
    packed = _SLOT.pack(b"OTAHEAD1", generation, *rest)
    return packed + struct.pack("<I", zlib.crc32(packed))


def pack_vouching(generation: int, vouched_from: int, key: bytes) -> bytes:
    packed = struct.pack("<QQ8s", generation, vouched_from, key_id(key))
    return packed + struct.pack("<I", zlib.crc32(packed))


def with_boot(head: bytes, boot: bytes) -> bytes:
    """The same head, written under another boot of the host; what is no head's length or has no valid slot stays as it is."""
    slots = []
    for at in (0, 2048):
        slot = head[at : at + 2048]
        if len(head) == 4096 and slot[:8] == b"OTAHEAD1":
            fields = list(_SLOT.unpack_from(slot))
            if fields[3] == THIS_BOOT:
                fields[3] = boot
                slot = pack_slot(fields[1], tuple(fields[2:])) + slot[_SLOT.size + 4 :]
        slots.append(slot)
    return b"".join(slots) + head[4096:]


def document(version: int = 1) -> bytes:
    classes = {"general": {"days": 365, "years": 1, "tools": []}}
    content = {"format": version, "trail_id": TRAIL_ID, "created": "2026-03-01T12:00:00.000000Z", "retention_classes": classes, "public_keys": []}
    return compact(content) + b"\n"


def write_case(target: Path, chains: dict[str, Chain], heads: dict[str, bytes], text: bytes, *, state: bool = True) -> None:
    """Write a trail and its state directory; what depends on the place is left to placing.py."""
    trail = target / "trail"
    trail.mkdir(parents=True)
    (trail / "trail.json").write_bytes(text)
    (trail / "owner").write_bytes(compact({"state": STATE_ID}) + b"\n")
    for name, chain in chains.items():
        (trail / name).mkdir()
        for file, data in {**chain.segments, **chain.seals}.items():
            (trail / name / file).write_bytes(data)
    if state:
        known = target / "state" / "heads" / TRAIL_ID
        known.mkdir(parents=True)
        (target / "state" / "id").write_bytes(STATE_ID.encode() + b"\n")
        (target / "state" / "vouching-key").write_bytes(KEY.hex().encode() + b"\n")
        for name, head in heads.items():
            (known / name).write_bytes(head)
