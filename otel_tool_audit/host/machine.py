"""What a reader asks the host it runs on."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.EINTR, errno.EAGAIN})


def boot_id() -> bytes | None:
    """
    Read which boot of the host this is (16 bytes); None where the host does not tell: in some sandboxes, and where there is no ``/proc``.

    Raises:
        OSError: It could not be read just now; whether the host tells is not known.
    """
    try:
        return bytes.fromhex(Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip().replace("-", ""))
    except ValueError:
        return None
    except OSError as error:
        if error.errno in _EXHAUSTED:
            raise
        return None


def cores() -> int:
    """Count the cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
