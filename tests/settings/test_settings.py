"""Settings: argument, else variable, else default."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path

import pytest

from otel_tool_audit import settings as module
from otel_tool_audit.errors import SettingsError
from otel_tool_audit.settings import Settings, state_directory, variable
from otel_tool_audit.trail.trail import Trail


def test_an_argument_beats_the_variable_beats_the_default(monkeypatch):
    """In this order, and None is not given."""
    assert Settings.resolve().durability == "fsync"
    monkeypatch.setenv("OTEL_TOOL_AUDIT_DURABILITY", "os")
    assert Settings.resolve(durability=None).durability == "os"
    assert Settings.resolve(durability="fsync").durability == "fsync"


def test_every_field_states_its_variable():
    """The docstring under each field names OTEL_TOOL_AUDIT_<FIELD>."""
    source = Path(module.__file__).read_text()
    for field in fields(Settings):
        stated = re.search(rf'^    {field.name}: .*\n    """(.*)"""', source, re.MULTILINE)
        assert stated is not None
        assert f"``{variable(field.name)}``" in stated.group(1)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("required", "TRUE", True),
        ("required", "0", False),
        ("segment_bytes", "1024", 1024),
        ("heartbeat_seconds", "0.5", 0.5),
        ("secret_keys", " mrn, badge ,", ("mrn", "badge")),
        ("retention", "view=healthcare, pay = financial", {"view": "healthcare", "pay": "financial"}),
        ("service_name", "shop", "shop"),
    ],
)
def test_variables_are_read_as_their_fields_type(monkeypatch, name, text, value):
    """Flags, numbers, lists and pairs can all be written in an environment."""
    monkeypatch.setenv(variable(name), text)
    assert value == getattr(Settings.resolve(), name)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("durability", "sometimes"), ("on_unavailable", "ignore"), ("required", "perhaps"), ("segment_bytes", "many"), ("segment_bytes", "1.5"),
        ("segment_seconds", "-1"), ("heartbeat_seconds", "nan"), ("retention", "view"), ("attribution_key", "short"), ("queue_size", "1e400"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_used_names_its_variable(monkeypatch, name, wrong):
    """The error says which variable is wrong, and what is valid."""
    monkeypatch.setenv(variable(name), wrong)
    with pytest.raises(SettingsError, match=variable(name)):
        Settings.resolve()


@pytest.mark.parametrize(("name", "wrong"), [("trail", 7), ("secret_keys", 7), ("retention", {"a": 1}), ("required", 1), ("nonsense", 1)])
def test_an_argument_that_cannot_be_used_is_named(name, wrong):
    """Wrong types and unknown names are errors, not guesses."""
    with pytest.raises(SettingsError, match=name):
        Settings.resolve(**{name: wrong})


def test_secrets_are_not_shown():
    """Neither repr nor an error holds a key."""
    settings = Settings.resolve(pseudonym_key="k" * 32, attribution_key="s" * 32)
    assert "kkk" not in repr(settings)
    assert "sss" not in repr(settings)
    with pytest.raises(SettingsError) as caught:
        Settings.resolve(attribution_key="hunter2")
    assert "hunter2" not in str(caught.value)


def test_the_service_has_opentelemetrys_name_unless_told_otherwise(monkeypatch):
    """OTEL_SERVICE_NAME is the default."""
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    assert Settings.resolve().service_name == "shop"
    assert Settings.resolve(service_name="till").service_name == "till"


def test_disabled_counts_unless_required():
    """REQUIRED wins."""
    assert Settings.resolve(disabled=True).off
    assert not Settings.resolve(disabled=True, required=True).off


def test_the_state_directory_follows_the_convention(monkeypatch):
    """Argument, own variable, XDG, home; `none` is itself."""
    monkeypatch.setenv("OTEL_TOOL_AUDIT_STATE", "/own")
    monkeypatch.setenv("XDG_STATE_HOME", "/xdg")
    monkeypatch.setenv("HOME", "/home/u")
    assert state_directory("/given") == "/given"
    assert state_directory("~/s") == "/home/u/s"
    assert state_directory() == "/own"
    monkeypatch.delenv("OTEL_TOOL_AUDIT_STATE")
    assert state_directory() == "/xdg/otel-tool-audit"
    monkeypatch.delenv("XDG_STATE_HOME")
    assert state_directory() == "/home/u/.local/state/otel-tool-audit"
    monkeypatch.setenv("OTEL_TOOL_AUDIT_STATE", "none")
    assert state_directory() == "none"


def test_both_doors_to_a_trail_have_the_same_defaults() -> None:
    """What `Trail.open()` does when nothing is said is what `configure()` does."""
    defaults = {field.name: field.default for field in fields(Settings)}
    shared = {name: parameter.default for name, parameter in inspect.signature(Trail.open).parameters.items() if name in defaults}
    assert {"durability", "heartbeat_seconds", "queue_size", "segment_bytes", "segment_seconds"} <= set(shared)
    assert {name: defaults[name] for name in shared} == shared
