"""
How a call ended, as a value: what the gate, the observers and the rules of recognition hand to whoever writes it down.

Source: ARCHITECTURE.md, R4 and R5.
"""

from __future__ import annotations

from typing import NamedTuple


class Returned(NamedTuple):
    """
    The tool gave a result, which may still tell of an error.

    Attributes:
        result: Raw; looked at, not kept.
        size: Characters of a result that came in pieces; None when it came in one.
    """

    result: object
    size: int | None = None


class Raised(NamedTuple):
    """
    The tool raised, or was cancelled or interrupted.

    Attributes:
        error: What came out of it.
    """

    error: BaseException


class Closed(NamedTuple):
    """
    Somebody closed a generator before its end; it may be the collector, in any thread.

    Attributes:
        error: The ``GeneratorExit``, or what the tool made of it.
    """

    error: BaseException


class Failed(NamedTuple):
    """
    The call failed although nothing was raised.

    Attributes:
        message: Raw.
        kind: What kind of error; None when nobody said.
    """

    message: object
    kind: str | None = None


class Interrupted(NamedTuple):
    """
    The call was cut off before its end: it failed, and nobody says that the tool did.

    Attributes:
        message: Raw.
        kind: What cut it off; None when nobody said.
    """

    message: object
    kind: str | None = None


class Paused(NamedTuple):
    """
    The call waits for somebody: neither a success nor a failure.

    Attributes:
        kind: What it waits for, one of ``WAITS_FOR``; None when that is not known.
        reason: In the words of whoever paused it, raw; None when there are none.
    """

    kind: str | None = None
    reason: object = None


class Denied(NamedTuple):
    """
    The call did not run because somebody said no: neither a success nor a failure.

    Attributes:
        rule: What forbids it, raw; ``approval`` when somebody who was asked said no. None when that is not known.
        reason: In the words of whoever said no, raw; None when there are none.
        by: Who said no, raw; None when that is not known.
    """

    rule: object = None
    reason: object = None
    by: object = None


Ending = Returned | Failed | Interrupted | Paused | Denied
"""How a call ended, when what was raised has been understood."""

Outcome = Ending | Raised | Closed
