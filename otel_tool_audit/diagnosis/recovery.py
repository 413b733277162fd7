"""
Mending what a verdict says is broken: a loss is accepted, and the trail can be written again.

It stands here, beside what finds the trouble, because accepting a loss is a decision of people over a trail, not a step of any writer or
reader: whoever may ask what is wrong (a command, later a console) asks for the remedy at the same place, and no door reaches into the writer.

Source: PROTOCOL.md, rule 9.
"""

from __future__ import annotations

import getpass
import socket

from otel_tool_audit.trail.state import accept_loss
from otel_tool_audit.trail.state.accept_loss import Accepted

__all__ = ["Accepted", "accept"]


def accept(path: str, *, reason: str, who: str | None = None, state: str | None = None) -> Accepted:
    """
    Accept that a trail is not what its writers left, and let it be written again; no byte of it is removed.

    Args:
        path: The trail's directory; it may be gone.
        reason: Why, in words; recorded, for ever.
        who: Who accepts; by default who is logged in on this host.
        state: The state directory, or ``none``; by default as the environment says.

    Raises:
        SettingsError: No reason was given, or this state has never known a trail there.
        TrailTampered: Another trail lies in the place; it is left untouched.
        AuditUnavailable: A writer of the trail lives, or the disk does not take what must be written.
    """
    return accept_loss.accept(path, reason=reason, who=who or f"{getpass.getuser()}@{socket.gethostname()}", state=state)
