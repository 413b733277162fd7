"""Values that another value beside them names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from otel_tool_audit.redaction import Sanitizer

SECRET = "hunter2"
NAMED: tuple[Any, ...] = (
    {"name": "DB_PASSWORD", "value": SECRET}, {"Key": "api_key", "Value": SECRET}, {"element": "Password field", "ref": "e12", "text": SECRET},
    {"selector": "#password", "value": SECRET}, {"selector": "input[type=password]", "text": SECRET}, {"selector": "input[name='user_password']", "value": SECRET},
    {"fields": [{"name": "Password", "type": "textbox", "ref": "e3", "value": SECRET}]}, {"type": "password", "value": SECRET}, {"id": "login-password", "val": SECRET},
    {"label": "Password input", "value": SECRET}, {"placeholder": "Enter your password", "text": SECRET}, {"locator": "xpath=//input[@id='passwd']", "characters": SECRET},
    {"user": "bob", "pass": SECRET}, {"host": "h", "login": "bob", "pw": SECRET},
)  # fmt: skip
HARMLESS: tuple[Any, ...] = (
    {"name": "color", "value": "red"}, {"element": "Search box", "text": "shoes"}, {"selector": "#password", "visible": True}, {"type": "text", "text": "Your password was reset"},
    {"element": "Forgot password link", "ref": "e1"}, {"pass": "yes", "tests": 3}, {"pass": True, "user": "bob"}, {"id": "password_policy", "text": "at least 12 signs"}, {"type": "number", "value": 3},
)  # fmt: skip


@pytest.mark.parametrize("value", NAMED, ids=json.dumps)
@pytest.mark.parametrize("written", [False, True])
def test_what_is_typed_into_a_secret_field_goes(value: Any, written: bool) -> None:
    """In the arguments of browser tools, of environments and accounts; as values and as JSON text."""
    clean = Sanitizer().value(json.dumps(value) if written else value).value
    assert SECRET not in repr(clean)
    assert "***REDACTED***" in repr(clean)


@pytest.mark.parametrize("value", HARMLESS, ids=json.dumps)
def test_what_only_speaks_of_one_stays(value: Any) -> None:
    """Other fields, messages, results of tests."""
    assert (value, ()) == Sanitizer().value(value)
