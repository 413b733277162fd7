from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from made_calls import Printed, call, record

from otel_tool_audit.trail.trail import Trail

Command = Callable[..., Printed]


def test_json_is_sanitized_as_arguments_are(command: Command) -> None:
    """A JSON value is printed as it would be stored, with what was taken out and by which rule; never the secret."""
    printed = command("sanitize", '{"order_id": "ORD-1", "api_key": "hunter2hunter2"}', "--json")
    found = json.loads(printed.out)
    assert (0, {"order_id": "ORD-1", "api_key": "***REDACTED***"}) == (printed.code, found["value"])
    assert [("api_key", 1)] == [(redaction["path"], redaction["count"]) for redaction in found["redactions"]]
    assert "hunter2" not in printed.out + printed.err


def test_text_is_sanitized_as_text(command: Command) -> None:
    """What is no JSON is text."""
    printed = command("sanitize", "pay with 4111 1111 1111 1111, thanks")
    assert "pay with ***REDACTED***, thanks" == printed.out.splitlines()[0]
    assert "4111" not in printed.out + printed.err


def test_stdin_is_read_when_nothing_is_given(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret need not stand in the shell's history; bytes that are no UTF-8 are no reason to fail."""
    stdin = io.TextIOWrapper(io.BytesIO(b"password=hunter2hunter2 \xff\n"))
    monkeypatch.setattr("sys.stdin", stdin)
    printed = command("sanitize", "--json")
    assert 0 == printed.code
    assert "hunter2" not in printed.out
    assert "***REDACTED***" in json.loads(printed.out)["value"]


def test_clean_text_stays_as_it_is(command: Command) -> None:
    """Nothing is taken out of what holds no secret, and that is said."""
    assert (0, "the parcel arrived on 2026-03-01\n", "nothing was taken out\n") == command("sanitize", "the parcel arrived on 2026-03-01")


def test_a_file_of_rules_is_tried_out(command: Command, tmp_path: Path) -> None:
    """As configure() would use it; one that cannot be read says so."""
    rules = tmp_path / "rules.toml"
    rules.write_text("[[pattern]]\nname = 'ward'\nregex = 'W-\\d{3}'\n")
    assert "in ***REDACTED***" == command("sanitize", "in W-123", "--recognizers", rules).out.splitlines()[0]
    broken = command("sanitize", "x", "--recognizers", tmp_path / "none.toml")
    assert broken.code != 0
    assert "none.toml" in broken.err


def test_what_older_records_hold_is_counted_and_left(command: Command, tmp_path: Path) -> None:
    """By rule, without a value; not a byte of the trail changes."""
    with Trail.open(str(tmp_path / "trail"), state=str(tmp_path / "state")) as trail:
        for number in range(3):
            made = call(number)
            made["arguments"] = {"note": "password=hunter2xyz1" if number else "fine", "mail": "ann@example.com" if number == 2 else None}
            record(trail, made)
    files = {path: path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()}
    printed = command("sanitize", "--scan", tmp_path / "trail", "--json")
    found = json.loads(printed.out)
    assert (0, 6, 4) == (printed.code, found["records"], found["holding"])
    assert {"secret-key": 4, "email": 2} == found["rules"]
    assert "hunter2" not in printed.out + printed.err
    assert files == {path: path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()}
    assert "4 of 6 records" in command("sanitize", "--scan", tmp_path / "trail").err
