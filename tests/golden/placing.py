"""
Putting a frozen trail where it can be verified: Git keeps no modes, no inodes, and no boot of this host.

What the frozen state directory leaves out is made here: ``places``, empty directories, modes, and this host's boot id in heads that were
written under "this boot".
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from independent import TRAIL_ID, document, with_boot

TRAILS = Path(__file__).parent / "trails"


def boot_id() -> bytes:
    return bytes.fromhex(Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip().replace("-", ""))


def place(case: Path, target: Path) -> tuple[Path, Path | None]:
    """Copy a case to *target*; its trail, and its state directory if it has one."""
    shutil.copytree(case, target)
    trail, state = target / "trail", target / "state"
    if state.exists():
        for head in (state / "heads" / TRAIL_ID).iterdir():
            head.write_bytes(with_boot(head.read_bytes(), boot_id()))
        for name in ("writers", "keys", "readers"):
            (state / name).mkdir()
        (state / "lock").touch()
        remember(state, trail)
    for folder, _, files in os.walk(target):
        os.chmod(folder, 0o700)
        for name in files:
            os.chmod(os.path.join(folder, name), 0o600)
    return trail, state if state.exists() else None


def remember(state: Path, trail: Path) -> None:
    """Say in ``places`` that the trail lies where it lies, with the document that its writers wrote."""
    found = trail.stat()
    text = document().decode()
    (state / "places").write_text(json.dumps({TRAIL_ID: {
        "path": str(trail), "resolved": str(trail.resolve()), "device": found.st_dev, "inode": found.st_ino, "machine": "", "creating": False,
        "documents": [{"sha256": hashlib.sha256(text.encode()).hexdigest(), "text": text}], "keys": [],
    }}))  # fmt: skip
