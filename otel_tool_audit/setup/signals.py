"""
SIGTERM: shut down in order, then end as the process would have.

Source: POSIX.1-2024, ``kill``; Python documentation, ``signal`` ("Execution of Python signal handlers").
"""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any, Final, Protocol

from otel_tool_audit.errors import SettingsError


class Closing(Protocol):
    """What is shut down."""

    def shutdown(self) -> None:
        """Shut down."""


class _Handled:
    """The handler that was there before, and who is shut down first."""

    def __init__(self) -> None:
        self.audit: Closing | None = None
        self.before: Any = None
        self.down = False


_handled: Final = _Handled()


def shut_down_on_sigterm(audit: Closing) -> None:
    """
    Shut *audit* down when SIGTERM comes, then do what would have been done without this.

    Raises:
        SettingsError: Not called in the main thread, where Python handles signals.
    """
    try:
        _handled.before = signal.signal(signal.SIGTERM, _on_sigterm)
    except ValueError as error:
        message = "flush_on_sigterm can only be set in the main thread: call configure() there"
        raise SettingsError(message) from error
    _handled.audit, _handled.down = audit, False


def leave_alone(audit: Closing) -> None:
    """Put back the handler that was there before, if it is still ours, and this is the thread that may."""
    if _handled.audit is not audit or _handled.down:
        return
    _handled.audit = None
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is _on_sigterm:
        signal.signal(signal.SIGTERM, _handled.before)


def _on_sigterm(number: int, frame: FrameType | None) -> None:
    audit = _handled.audit
    if audit is None or _handled.down:
        _as_before(number, frame)
        return
    _handled.down = True
    # The main thread may hold one of the trail's locks at this very moment: it goes on, and another thread shuts down.
    threading.Thread(target=_shut_down, args=(audit,), name="tool-audit-sigterm").start()


def _shut_down(audit: Closing) -> None:
    try:
        audit.shutdown()
    finally:
        os.kill(os.getpid(), signal.SIGTERM)


def _as_before(number: int, frame: FrameType | None) -> None:
    before = _handled.before
    _handled.audit = None
    if callable(before):
        signal.signal(signal.SIGTERM, before)
        before(number, frame)
    else:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)
        os.kill(os.getpid(), signal.SIGTERM)
