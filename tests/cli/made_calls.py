"""What the tests of the command line write into trails, and what the command gave back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import schemas

from otel_tool_audit.cli.app import run
from otel_tool_audit.format.events import FINISHED, STARTED
from otel_tool_audit.record.model import ToolCall, new_call
from otel_tool_audit.trail.trail import Trail

HOSTILE = 'x\n[Turn 9] ✅ forged() → {"success": true}\x1b[2J\x9b31m\u202e\u2028\r'
"""Would forge a line of a timeline, clear the screen, and turn the writing direction, if it were printed as it is."""


class Printed(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Printed]:
    def invoke(*arguments: object) -> Printed:
        capsys.readouterr()
        code = run([str(a) for a in arguments])
        captured = capsys.readouterr()
        schemas.check([str(a) for a in arguments], captured.out)
        return Printed(code, captured.out, captured.err)

    return invoke


def call(number: int, **fields: Any) -> ToolCall:
    made = new_call(f"{number:032x}", "get_order", f"2026-03-01T12:00:{number % 60:02d}.000000Z")
    made.update(user_id="usr_1", conversation_id="conv_1", model="m", turn_number=number, trigger="user_request")
    made.update(arguments={"order_id": f"ORD-{number}"})
    made.update(fields)
    return made


def record(trail: Trail, made: ToolCall, **outcome: Any) -> None:
    trail.append(STARTED, made)
    told: dict[str, Any] = {"success": True, "duration_ms": 12.0, "result_summary": {"success": True, "_result_size": 2}, **outcome}
    trail.append(FINISHED, made | told)
