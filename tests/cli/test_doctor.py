from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_calls import Printed

from otel_tool_audit.trail.trail import Trail

Command = Callable[..., Printed]


def _checks(printed: Printed) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in json.loads(printed.out)["checks"]}


def test_a_healthy_trail_has_no_problem(command: Command, trail: Path) -> None:
    """Exit 0; that trail and state belong to one user is said, for it limits what a verdict means."""
    printed = command("doctor", trail, "--json")
    found = _checks(printed)
    assert (0, True) == (printed.code, json.loads(printed.out)["ok"])
    assert {"good"} == {found[name]["level"] for name in ("trail", "head", "reading", "free disk", "settings")}
    assert ("notice", True) == (found["head protection"]["level"], "same user" in found["head protection"]["message"])


def test_examining_changes_nothing(command: Command, tmp_path: Path, state: Path) -> None:
    """Neither trail nor state directory is made by being asked about."""
    assert 0 == command("doctor", tmp_path / "audit").code
    assert not (tmp_path / "audit").exists()
    assert not state.exists()


def test_switched_off_recording_is_a_problem(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where tools would run unrecorded, doctor exits 1 and says which variable to unset."""
    monkeypatch.setenv("OTEL_TOOL_AUDIT_DISABLED", "true")
    printed = command("doctor", "--json")
    assert (1, "problem") == (printed.code, _checks(printed)["settings"]["level"])
    assert "OTEL_TOOL_AUDIT_DISABLED" in _checks(printed)["settings"]["message"]


def test_a_wrong_setting_is_a_problem(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that no setting takes is named with its variable."""
    monkeypatch.setenv("OTEL_TOOL_AUDIT_DURABILITY", "maybe")
    printed = command("doctor", "--json")
    assert (1, True) == (printed.code, "OTEL_TOOL_AUDIT_DURABILITY" in _checks(printed)["settings"]["message"])


def test_a_trail_that_others_can_write_is_a_problem(command: Command, trail: Path) -> None:
    """File modes that let others in are found, with the command that mends them."""
    trail.chmod(0o777)
    printed = command("doctor", trail, "--json")
    assert (1, f"chmod 700 {trail}") == (printed.code, _checks(printed)["trail"]["remedy"])


def test_a_state_directory_inside_the_trail_is_a_problem(command: Command, trail: Path) -> None:
    """What lies beside the evidence protects nothing."""
    printed = command("doctor", trail, "--state", trail / "state", "--json")
    assert (1, "problem") == (printed.code, _checks(printed)["state directory"]["level"])


def test_running_without_state_is_a_warning(command: Command, tmp_path: Path) -> None:
    """'none' is allowed, and what it costs is said."""
    with Trail.open(tmp_path / "audit", state="none"):
        pass
    printed = command("doctor", tmp_path / "audit", "--state", "none", "--json")
    assert (0, "warning") == (printed.code, _checks(printed)["state directory"]["level"])


def test_an_unknown_trail_is_a_warning(command: Command, trail: Path, tmp_path: Path) -> None:
    """A state directory that has never seen the trail cannot notice a cut end."""
    found = _checks(command("doctor", trail, "--state", tmp_path / "other", "--json"))
    assert "warning" == found["head"]["level"]


def test_counters_that_tell_of_trouble_come_with_a_remedy(command: Command, tmp_path: Path, state: Path) -> None:
    """What a writer counted as lost or unattributed is shown after it closed."""
    with Trail.open(tmp_path / "audit") as opened:
        opened.counters.add("unattributed", 3)
    found = _checks(command("doctor", tmp_path / "audit", "--json"))
    assert ("warning", "3") == (found["unattributed"]["level"], found["unattributed"]["message"])
    assert "attribution(" in found["unattributed"]["remedy"]


def test_the_endpoint_is_tried(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that answers is good; one that does not costs spans, not records; credentials in it are not printed."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://me:secret@127.0.0.1:{port}")
        good = command("doctor", "--json")
    bad = command("doctor", "--json")
    assert ("good", "warning") == (_checks(good)["exporter"]["level"], _checks(bad)["exporter"]["level"])
    assert "secret" not in good.out + bad.out


def test_a_disabled_sdk_is_a_warning(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_SDK_DISABLED costs spans and other instrumentations' records, and that is said."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert "warning" == _checks(command("doctor", "--json"))["spans"]["level"]


def test_a_damaged_trail_is_a_problem(command: Command, trail: Path) -> None:
    """What cannot be read is a problem, with the commands that come next."""
    (trail / "trail.json").write_text("{")
    printed = command("doctor", trail, "--json")
    assert (1, "problem") == (printed.code, _checks(printed)["reading"]["level"])


def test_people_get_a_line_a_check(command: Command, trail: Path) -> None:
    """The table says the same, with a sign, and ends with the sum."""
    printed = command("doctor", trail)
    assert [line for line in printed.out.splitlines() if line.startswith("✓ trail")]
    assert printed.out.splitlines()[-1] in {"nothing is wrong", "1 warning", "2 warnings", "3 warnings"}


def test_a_misspelt_variable_is_a_warning(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """What looks like a setting and is none is named, with the setting that is nearest."""
    monkeypatch.setenv("OTEL_TOOL_AUDIT_REQUIERD", "true")
    check = _checks(command("doctor", "--json"))["variables"]
    assert ("warning", True) == (check["level"], "OTEL_TOOL_AUDIT_REQUIRED" in check["message"])


def test_missing_extras_are_named(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an extra would add, and how to install it; what is installed is not spoken of."""
    for module in ("duckdb", "typst"):
        monkeypatch.setitem(sys.modules, module, None)
    for module in ("pyarrow", "jinja2"):
        monkeypatch.setitem(sys.modules, module, sys)
    checks = [check for check in json.loads(command("doctor", "--json").out)["checks"] if check["name"] == "extras"]
    assert ["pip install 'otel-tool-audit[query]'", "pip install 'otel-tool-audit[report]'"] == [check["remedy"] for check in checks]
    assert ["notice", "notice"] == [check["level"] for check in checks]
    assert "without [query] (duckdb)" in checks[0]["message"]
