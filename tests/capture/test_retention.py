"""Which retention class a tool's records are in, and for how long they are kept."""

from __future__ import annotations

from typing import Any

import pytest

import otel_tool_audit as audit
from otel_tool_audit.policy.retention import RETENTION
from otel_tool_audit.testing import audit_trail

PACKAGED = [
    ("charge_payment", "financial", 2555, 7),
    ("issue_refund", "financial", 2555, 7),
    ("apply_credit", "financial", 2555, 7),
    ("access_patient_record", "healthcare", 2190, 6),
    ("update_treatment", "healthcare", 2190, 6),
    ("get_order", "general", 365, 1),
]


@pytest.mark.parametrize(("tool", "name", "days", "years"), PACKAGED)
def test_packaged_classes_have_their_tools_and_periods(tool: str, name: str, days: int, years: int) -> None:
    """Each packaged tool has its class and period, every other one is general."""
    assert (name, days, years) == audit.retention_for(tool)[:3]
    assert tool in audit.retention_for(tool).tools or name == "general"


def test_what_is_asked_is_what_is_recorded() -> None:
    """The class that is told is the chain in which the call stands."""

    @audit.tool(retention="healthcare")
    def look_up() -> str:
        return "found"

    @audit.tool
    def issue_refund() -> str:
        return "done"

    @audit.tool(name="charge_payment", retention="contracts")
    def charge() -> str:
        return "done"

    with audit_trail(retention={"issue_refund": "disputes", "charge_payment": "general"}) as trail:
        for function in (look_up, issue_refund, charge):
            function()
        expected = {call["tool_name"]: call["retention_class"] for call in trail.calls()}
        assert {"look_up": "healthcare", "issue_refund": "disputes", "charge_payment": "contracts"} == expected
        assert expected == {name: audit.retention_for(name).name for name in expected}
        assert list(expected.values()) == [audit.retention_for(function).name for function in (look_up, issue_refund, charge)]


def test_a_class_of_ones_own_is_kept_as_long_as_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has said for how long: so it is kept at least as long as whatever is kept longest."""
    monkeypatch.setenv("OTEL_TOOL_AUDIT_RETENTION", "get_order=contracts")
    found = audit.retention_for("get_order")
    assert ("contracts", max(c.days for c in RETENTION.values()), max(c.years for c in RETENTION.values()), ()) == found


def test_the_environment_counts_until_something_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before `configure()` the environment says it, afterwards what was configured; a tool's own word holds over both."""
    monkeypatch.setenv("OTEL_TOOL_AUDIT_RETENTION", "get_order=financial")
    assert "financial" == audit.retention_for("get_order").name
    with audit_trail(retention={"get_order": "healthcare"}):
        assert "healthcare" == audit.retention_for("get_order").name

        @audit.tool(retention="general")
        def get_order() -> None: ...

        assert "general" == audit.retention_for("get_order").name
        assert "general" == audit.retention_for(get_order).name


def test_methods_and_plain_functions_have_a_class_too() -> None:
    """A decorated method is asked about as it is called; of a function that is no tool only the name is known."""

    class Shop:
        @audit.tool(retention="financial")
        def refund(self) -> None: ...

    def issue_refund(order: Any) -> None: ...

    assert ("financial", "financial") == (audit.retention_for(Shop().refund).name, audit.retention_for(issue_refund).name)
