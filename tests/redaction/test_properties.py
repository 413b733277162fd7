"""What holds for every value, checked on generated ones."""

from __future__ import annotations

import json
import string
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_tool_audit.redaction import MARK, Keyring, Sanitizer

SANITIZER = Sanitizer(Keyring([("k1", b"k" * 32)]))
PLANTED = "ghp_" + "Zx81Qw72Er63Ty54Ui45Op36As27Df18Gh09"

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40) | st.binary(max_size=20)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4) | st.tuples(inner, inner),
    max_leaves=20,
)
words = st.lists(st.text(string.ascii_lowercase, min_size=1, max_size=8), max_size=8).map(" ".join)
harmless = st.recursive(
    words | st.integers(-(10**6), 10**6) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["name", "city", "order", "note", "items"]), inner, max_size=4),
    max_leaves=15,
)


def is_json_safe(value: object) -> bool:
    """Say whether only JSON's own types are in it, and only numbers that every reader keeps."""
    if isinstance(value, dict):
        return all(type(key) is str and is_json_safe(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(is_json_safe, value))
    if type(value) is float:
        return abs(value) < float("inf")
    return value is None or type(value) in {str, bool} or (type(value) is int and abs(value) < 2**53)


@settings(deadline=None)
@given(values)
def test_any_value_comes_out_json_safe(value: object) -> None:
    """The result can be written by orjson, read back the same, and holds no number that some reader would change."""
    result = SANITIZER.value(value, "arguments")
    assert is_json_safe(result.value)
    assert result.value == orjson.loads(orjson.dumps(result.value))
    orjson.dumps([tuple(redaction) for redaction in result.redactions])


@settings(deadline=None)
@given(values)
def test_sanitizing_is_idempotent(value: object) -> None:
    """A second pass finds nothing more."""
    once = SANITIZER.value(value).value
    assert SANITIZER.value(once) == (once, ())


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=12), values, max_size=4))
def test_attributes_are_always_valid(attributes: dict[str, Any]) -> None:
    """Each is text, a bool, a number or a list of one of these, whatever came in."""
    for value in SANITIZER.attributes(attributes).value.values():
        items = value if isinstance(value, list | tuple) else [value]
        assert all(isinstance(item, str | bool | int | float) for item in items)
        assert len({type(item) for item in items}) <= 1


@settings(deadline=None)
@given(harmless)
def test_harmless_values_do_not_change(value: object) -> None:
    """Words, small numbers and lists of them are stored as they are."""
    assert SANITIZER.value(value) == (value, ())


FRAGMENTS = (
    "password", "token", "api_key", "Authorization", "Bearer", "=", ":", " ", "'", '"', "\\n", "\n", "{", "}", "[", ",", "&",
    "?", "@", "/", "://",
    "4012 8888", "8888 1881", "4012888888881881", "DE89", "3704 0044", "0532 0130 00", "123-45-6789", "10.1.2.3", "fe80::1",
    "+49 30", "901820",
    "ann", "example.com", "zx81Qw72", "hunter2", PLANTED, MARK, "curl -u", "-----BEGIN RSA PRIVATE KEY-----",
    "eyJhbGciOiJIUzI1NiJ9", ".", "é", "-",
)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=14).map("".join))
def test_nothing_new_appears_at_a_second_look(text: str) -> None:
    """What a mark replaced never brings two halves together that then are one."""
    once = SANITIZER.text(text, "error")
    assert SANITIZER.text(once.value, "error") == (once.value, ())


@settings(deadline=None)
@given(st.text())
def test_text_stays_text(text: str) -> None:
    """Free text comes out as text that UTF-8 can carry."""
    for result in (SANITIZER.text(text), SANITIZER.identifier(text)):
        assert isinstance(result.value, str)
        result.value.encode()


def plant(draw: st.DrawFn, secret: str) -> Any:
    """Put a secret somewhere deep into a value."""
    found: Any = secret
    for step in draw(st.lists(st.sampled_from(["list", "dict", "tuple", "json", "text", "bytes", "key", "set"]), max_size=6)):
        match step:
            case "list":
                found = [draw(scalars), found]
            case "tuple":
                found = (found, draw(scalars))
            case "dict":
                found = {draw(st.text(max_size=8)): 1, draw(st.sampled_from(["note", "a.b", "x"])): found}
            case "json" if isinstance(found, str | list | dict):
                try:
                    found = json.dumps({"x": found})
                except (TypeError, ValueError):
                    continue
            case "text" if isinstance(found, str):
                found = f"{draw(words)} {found} {draw(words)}"
            case "bytes" if isinstance(found, str):
                found = found.encode("utf-8", "surrogatepass")
            case "key" if isinstance(found, str):
                found = {found: 1}
            case "set" if isinstance(found, str | bytes):
                found = {found}
    return found


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_planted_secret_never_survives(data: st.DataObject) -> None:
    """Wherever a provider's key is put, neither the value nor the list of redactions holds it afterwards."""
    value = st.composite(plant)(PLANTED)
    drawn = data.draw(value)
    for result in (SANITIZER.value(drawn, "arguments"), SANITIZER.attributes({"a": drawn})):
        assert PLANTED not in orjson.dumps(result.value).decode()
        assert PLANTED not in repr(result.redactions)


@settings(deadline=None)
@given(values, st.sampled_from(["password", "apiKey", "X-Api-Key", "client_secret", "authorization", "creditCard", "ssn"]))
def test_nothing_under_a_secret_name_survives(value: object, name: str) -> None:
    """Under a secret's name every value becomes the mark, and none of it is left."""
    clean = SANITIZER.value({"deep": [{name: ["planted-value", value]}]}).value
    assert clean == {"deep": [{name: MARK}]}
