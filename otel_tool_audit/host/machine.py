"""What a reader asks the host it runs on."""

from __future__ import annotations

import os
from pathlib import Path


def boot_id() -> bytes | None:
    """Read which boot of the host this is (16 bytes); None when it cannot be read, and every chain that was not closed counts as crashed."""
    try:
        return bytes.fromhex(Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip().replace("-", ""))
    except (OSError, ValueError):
        return None


def cores() -> int:
    """Count the cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
