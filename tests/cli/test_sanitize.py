from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest
from made_calls import Printed

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
