from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from otel_tool_audit.cli.options import BadUsage, directory_and, moment, trail_directory

NOW = datetime(2026, 3, 8, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", datetime(2026, 3, 8, 10, 30, tzinfo=UTC)),
        ("12h", datetime(2026, 3, 8, tzinfo=UTC)),
        ("7d", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("1w", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01", "2026-03-01"),
        (None, None),
    ],
)
def test_how_long_ago_is_a_moment(text: str | None, expected: object) -> None:
    """A number and a unit count back from now; everything else is left to the reader."""
    assert expected == moment(text, NOW)


def test_before_the_calendar_begins_is_a_mistake() -> None:
    """A moment that no calendar has is refused in words."""
    with pytest.raises(BadUsage, match="calendar"):
        moment("999999999w", NOW)


def test_the_variable_names_the_trail_when_no_argument_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An argument beats the variable, which beats nothing."""
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.setenv("OTEL_TOOL_AUDIT_TRAIL", str(tmp_path))
    assert str(tmp_path) == trail_directory(None)
    assert str(other) == trail_directory(str(other))
    assert (str(tmp_path), "conv_1") == directory_and("conv_1", None, "CONVERSATION")
    assert (str(other), "conv_1") == directory_and(str(other), "conv_1", "CONVERSATION")


def test_without_a_trail_the_message_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever names no trail is told how to."""
    monkeypatch.delenv("OTEL_TOOL_AUDIT_TRAIL", raising=False)
    with pytest.raises(BadUsage, match="OTEL_TOOL_AUDIT_TRAIL"):
        trail_directory(None)
