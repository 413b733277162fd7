from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from otel_tool_audit.cli.options import BadUsage, asked, directory_and, trail_directory

NOW = datetime(2026, 3, 8, 12, tzinfo=UTC)


def test_a_period_is_asked_for_with_one_option(capsys: pytest.CaptureFixture[str]) -> None:
    """--during gives both ends, and how it was understood is said on stderr, with the zone that was assumed."""
    found = asked(None, None, "2026-03", None, NOW)
    assert (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)) == found[:2]
    printed = capsys.readouterr()
    assert "" == printed.out
    assert printed.err.startswith("from 2026-03-01 00:00:00 until before 2026-04-01 00:00:00 UTC (assumed:")


def test_a_zone_that_was_named_is_not_assumed(capsys: pytest.CaptureFixture[str]) -> None:
    """--time-zone decides what a date means, and what is shown."""
    found = asked("2026-03-01", None, None, "Europe/Berlin", NOW)
    assert datetime(2026, 2, 28, 23, tzinfo=UTC) == found.since
    assert "from 2026-03-01 00:00:00 Europe/Berlin\n" == capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("yesterdy", None, None, None), "did you mean yesterday"),
        ((None, "01/03/2026", None, None), "--until: '01/03/2026' is read differently"),
        (("March", None, "March", None), "--during names both ends"),
        ((None, None, "2 days ago", None), "names a moment"),
        (("2026-03-02", "2026-03-01", None, None), "must lie before"),
        (("7d", None, None, "Europe/Berln"), "nearest: Europe/Berlin"),
        (("999999999w", None, None, None), "calendar"),
    ],
)
def test_what_cannot_be_understood_is_refused_in_words(given: tuple[str | None, ...], told: str) -> None:
    """A mistake is a usage error that says what would be understood."""
    with pytest.raises(BadUsage, match=re.escape(told)):
        asked(*given, NOW)


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
