"""
The standard logger ``tool_audit``: every acknowledged record, one JSON object a message, for log pipelines that exist already.

Source: ARCHITECTURE.md, R2. The salt is left out: with it a reader of the log could test guesses against hashes shown to others.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Final

from otel_tool_audit.trail.worker import call_inside

_logger = logging.getLogger("tool_audit")
_own = logging.getLogger("otel_tool_audit")
_SALT: Final = re.compile(rb',"salt":"[0-9a-f]{32}"')


def is_logged() -> bool:
    """Tell whether anybody listens."""
    return _logger.isEnabledFor(logging.INFO)


def log_lines(lines: Sequence[bytes]) -> None:
    """
    Log records that are acknowledged. Costs nothing while INFO is off; never fails a call.

    Args:
        lines: As written, with hash and LF.
    """
    if is_logged():
        call_inside(_log_each, lines)


def _log_each(lines: Sequence[bytes]) -> None:
    for line in lines:
        try:
            # the first match is the record's own field: it stands before every value that a caller chose
            _logger.info(_SALT.sub(b"", line[:-1], count=1).decode())
        except Exception:  # noqa: BLE001 - a handler of the application's; the record is on disk, and the call goes on
            _own.warning("a handler of the logger tool_audit failed", exc_info=True)
