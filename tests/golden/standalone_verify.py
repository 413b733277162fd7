"""Verifies a trail by FORMAT.md alone, with nothing but the standard library: ``python standalone_verify.py TRAIL [STATE]``. Clean, killed and crashed trails; no live ones."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

SLOT = struct.Struct("<8sQ32s16sIQIQQ32sQQ32sII32sQIQQQQ32s")


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def read_head(path: Path, key: bytes | None) -> tuple[Any, ...] | None:
    """Give the fields of the newest valid slot, and last from which seq on lines are vouched for (None: cannot be said)."""
    data, slots = path.read_bytes() if path.is_file() else b"", []
    for at in (0, 2048):
        slot = (data[at : at + 324] if len(data) == 4096 else b"").ljust(324, b"\0")
        if slot[:8] == b"OTAHEAD1" and zlib.crc32(slot[:292]) == struct.unpack("<I", slot[292:296])[0]:
            _, first, key_id, crc = struct.unpack("<QQ8sI", slot[296:])
            holds = slot[8:16] == slot[296:304] and crc == zlib.crc32(slot[296:320]) and first != 2**64 - 1
            known = key is not None and key_id == sha256(b"otel-tool-audit vouching key id\0" + key)[:8]
            slots.append((*SLOT.unpack(slot[:292]), first if holds and known else None))
    return max(slots, key=lambda s: s[1], default=None)


def after_crash(data: bytes, head: tuple[Any, ...], key: bytes | None) -> tuple[int, bool]:
    """Give where the lines that count end after a crash of the host, and whether somebody vouches for the last of them."""
    count, at, previous, end, sure = head[10], head[11], head[12], head[11], True
    for line in data[at:].split(b"\n")[:-1]:
        found = check_line(line + b"\n", count, previous)
        if found is None:
            break
        count, at, previous, body = count + 1, at + len(line) + 1, found, line[:-75] + b"}"
        salt = body.find(b',"salt":"') + 9
        vouched = (
            key is not None
            and hmac.new(key, body[:salt] + b"0" * 32 + body[salt + 32 :], "sha256").hexdigest()[:32].encode() == body[salt : salt + 32]
        )
        if vouched or head[-1] is None or count <= head[-1]:
            end, sure = at, vouched
    return end, sure


def check_line(line: bytes, seq: int, previous: bytes) -> bytes | None:
    body = line[:-76] + b"}"
    start = b'{"seq":%d,"previous_hash":"%s","event":"' % (seq, previous.hex().encode())
    found = sha256(b"\0" + body)
    return found if len(line) <= 65610 and body.startswith(start) and line[-76:] == b',"hash":"%s"}\n' % found.hex().encode() else None


def verify_chain(
    folder: Path, trail_id: str, head: tuple[Any, ...] | None, boot: bytes, key: bytes | None
) -> tuple[list[bytes], list[dict[str, Any]], list[str], bool]:
    """Give hashes (by seq; empty where an epoch skipped), the trail's own records, what is wrong, and whether a loss was accepted or nobody vouches for the end."""
    files = {(int(m[1]), int(m[2] or 0)): p for p in folder.glob("*.jsonl") if (m := re.fullmatch(r"(\d{12,})(?:-(\d+))?\.jsonl", p.name))}
    if any(p.is_symlink() or not p.is_file() or p.stat().st_nlink != 1 for p in files.values()):
        return [], [], ["a segment is not a file of its own"], False
    counting = sorted(
        {f: (f, max(a for g, a in files if g == f)) for f, _ in files if any(files[k].stat().st_size for k in files if k[0] == f)}.values()
    )
    hashes, own, wrong, unsure, previous, valid = [], [], [], False, sha256(f"{trail_id}/{folder.name}".encode()), 0
    segments = [files[k].read_bytes() for k in counting]
    for index, (first, attempt) in enumerate(counting):
        follower = json.loads(segments[index + 1].partition(b"\n")[0])["details"].get("previous") if index + 1 < len(segments) else None
        valid = follower["valid_end"] if follower else len(segments[index]) if head is None else min(len(segments[index]), head[8])
        record = json.loads(segments[index].partition(b"\n")[0]) if b"\n" in segments[index] else {}
        if record.get("event") == "trail.epoch":
            unsure, epoch, hashes = True, record["details"]["epoch"], hashes + [b""] * (first - len(hashes))
            previous = sha256(f"{trail_id}/{folder.name}/{epoch}".encode())
        elif first != len(hashes) or (first and (record.get("details") or {}).get("previous") is None):
            wrong.append(f"segment {first} does not follow")
        if index + 1 == len(counting) and head is not None:
            if (first, attempt) != (head[5], head[6]) or len(segments[index]) < head[11]:
                wrong.append("not the segment that the head names, or shorter than it")
            extra, crashed = len(segments[index]) - head[8], head[3] != boot and not head[4] & 1
            whole = head[14] == extra and extra > 0
            valid = len(segments[index]) if whole or crashed else valid
            if not crashed and (extra < 0 or extra > head[14]):
                wrong.append("not as long as the head says")
            if crashed:
                valid, sure = after_crash(segments[index], head, key)
                unsure = unsure or not sure
        for line in (
            segments[index][:valid].splitlines(keepends=True)
            if b"\r" not in segments[index]
            else re.findall(rb"[^\n]*\n?", segments[index][:valid])[:-1]
        ):
            found = check_line(line, len(hashes), previous)
            if found is None and not (head is None and not line.endswith(b"\n")):
                wrong.append(f"record {len(hashes)} is not what was written")
            hashes, previous = (
                [*hashes, found or b""],
                found or bytes.fromhex(line[-67:-3].decode("ascii", "replace")) if re.fullmatch(rb"[0-9a-f]{64}", line[-67:-3]) else previous,
            )
            if found and b'"call_id":null' in line[:200]:
                own.append(json.loads(line))
    if head is not None and (len(hashes) < head[10] or (hashes and hashes[head[10] - 1] != head[12]) or (not hashes and head[7])):
        wrong.append("does not hold what the head says was synced")
    return hashes, own, wrong, unsure


def verify(trail: Path, state: Path | None = None, boot: bytes = b"") -> tuple[str, list[str]]:
    """Give ``intact``, ``broken`` or ``cannot tell``, and what is wrong."""
    text = (trail / "trail.json").read_bytes()
    trail_id, unsure, marks, all_hashes = json.loads(text)["trail_id"], state is None, [], {}
    key_file = state / "vouching-key" if state else Path("/nonexistent")
    key = bytes.fromhex(key_file.read_text().strip()) if key_file.is_file() else None
    heads = state / "heads" / trail_id if state else Path("/nonexistent")
    wrong = []
    if state is not None and sha256(text).hex() not in [d["sha256"] for d in json.loads((state / "places").read_bytes())[trail_id]["documents"]]:
        wrong.append("trail.json is not the one that was written")
    if state is not None:
        state_id = (state / "id").read_bytes() if (state / "id").is_file() else b""
        if not re.fullmatch(rb"[0-9a-f]{32}\n", state_id) or (trail / "owner").read_bytes() != b'{"state":"%s"}\n' % state_id[:-1]:
            wrong.append("id or owner is not what was written")
    there = {p.name for p in trail.iterdir() if p.is_dir() and p.name != ".state"}
    known = {p.name for p in heads.iterdir() if ".old-" not in p.name} if heads.is_dir() else there
    wrong += [f"chain {name} was added or removed" for name in sorted(there ^ known)]
    wrong += [f"chain {name} has no head" for name in sorted(there & known) if state is not None and read_head(heads / name, key) is None]
    for name in sorted(there & known):
        hashes, own, found, accepted = verify_chain(trail / name, trail_id, read_head(heads / name, key), boot, key)
        wrong, unsure, all_hashes[name] = wrong + [f"{name}: {w}" for w in found], unsure or accepted, hashes
        marks += [
            (c, m["count"], m["hash"]) for r in own if r["event"] in {"trail.heartbeat", "trail.closed"} for c, m in r["details"]["heads"].items()
        ]
        for path in (trail / name).glob("*.seal"):
            seal, data = json.loads(path.read_bytes()), path.with_suffix(".jsonl").read_bytes() if path.with_suffix(".jsonl").exists() else b""
            if sha256(data[: seal["bytes"]]).hex() != seal["sha256"] or data[: seal["bytes"]].count(b"\n") != seal["count"]:
                wrong.append(f"{name}: {path.name} does not match its segment")
    for chain, count, found in marks:
        if (
            not accepted_loss(all_hashes.get(chain, []), count)
            and count
            and (len(all_hashes.get(chain, [])) < count or all_hashes[chain][count - 1].hex() != found)
        ):
            wrong.append(f"{chain}: record {count - 1} is not the one that the trail's own records name")
    return ("broken" if wrong else "cannot tell" if unsure else "intact"), wrong


def statuses(trail: Path) -> dict[str, str]:
    """Tell what came of each call, by section 4; of amendments that join calls nothing, and every writer is taken for dead."""
    calls: dict[str, dict[str, Any]] = {}
    for path in sorted(trail.glob("*/*.jsonl")):
        for line in path.read_bytes().split(b"\n")[:-1]:
            record = json.loads(line)
            if record.get("call_id") is not None:
                call = calls.setdefault(record["call_id"], {})
                if record.get("outcome") is not None or record.get("success") is not None:
                    call.update({"success": None, "outcome": None} if record.get("outcome") is not None else {"outcome": None})
                call.update({name: record[name] for name in ("success", "outcome", "error", "error_type") if record.get(name) is not None})
    names = {True: "success", False: "error", None: None}
    return {
        i: (c.get("outcome") == "interrupted" and c["outcome"])
        or names[c.get("success")]
        or c.get("outcome")
        or ("error" if c.get("error") or c.get("error_type") else "interrupted")
        for i, c in calls.items()
    }


def accepted_loss(hashes: list[bytes], count: int) -> bool:
    """Tell whether an epoch skipped that record."""
    return 0 < count <= len(hashes) and hashes[count - 1] == b""


if __name__ == "__main__":
    this_boot = bytes.fromhex(Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip().replace("-", ""))
    verdict, reasons = verify(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None, this_boot)
    sys.stdout.write("\n".join([verdict, *reasons]) + "\n")
    sys.exit({"intact": 0, "broken": 1, "cannot tell": 3}[verdict])
