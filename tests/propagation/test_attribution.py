"""Who calls, on whose behalf, and why."""

from __future__ import annotations

import asyncio
import decimal
import enum
import fractions
import logging
import re

import pytest
from opentelemetry import baggage
from opentelemetry import context as otel

import otel_tool_audit as audit
from otel_tool_audit.propagation.context import NOBODY, _tell_of_slip, current
from otel_tool_audit.testing import audit_trail

numpy = pytest.importorskip("numpy")


@pytest.fixture
def trail():
    with audit_trail() as recorded:
        yield recorded


def test_inner_values_win_and_outer_ones_hold_on():
    """Nesting adds; leaving restores."""
    with audit.attribution(user="usr_1", role="agent", ticket=7):
        with audit.attribution(role="admin", model="m", region="eu") as inner:
            assert {"user": "usr_1", "role": "admin", "model": "m"} == inner.values
            assert {"ticket": 7, "region": "eu"} == inner.metadata
        assert {"user": "usr_1", "role": "agent"} == current().values
    assert current() is NOBODY


def test_it_works_in_async_code_and_as_a_decorator():
    """Async with, coroutine functions and plain functions; each call enters it anew."""

    @audit.attribution(user="usr_1")
    async def later(model=None):
        await asyncio.sleep(0)
        return current().get("user")

    @audit.attribution(user="usr_2")
    def now():
        return current().get("user")

    async def main():
        async with audit.attribution(user="usr_0"):
            return [*await asyncio.gather(later(), later()), now(), current().get("user")]

    assert ["usr_1", "usr_1", "usr_2", "usr_0"] == asyncio.run(main())
    assert current() is NOBODY


def test_a_generator_cannot_be_decorated():
    """Between two items its attribution would hold for whoever reads it."""

    def items():
        yield 1

    with pytest.raises(audit.SettingsError, match="with attribution"):
        audit.attribution(user="u")(items)


class Why(enum.Enum):
    ASKED = "user_request"


@pytest.mark.parametrize("number", [3, 3.0, numpy.int64(3), numpy.uint8(3), numpy.float32(3), decimal.Decimal(3), fractions.Fraction(3)])
@pytest.mark.parametrize("trigger", ["user_request", Why.ASKED, "User-Request", " USER_REQUEST "])
def test_what_a_value_means_counts_and_not_its_type(number, trigger):
    """Numbers of NumPy and whole floats are numbers, members of enumerations their values: nothing is raised into an agent for them."""
    with audit.attribution(turn=number, attempt=number, trigger=trigger) as said:
        assert (3, 3, "user_request") == (said.get("turn"), said.get("attempt"), said.get("trigger"))
        assert {int} == {type(said.get("turn")), type(said.get("attempt"))}


@pytest.mark.parametrize("wrong", [{"trigger": "because"}, {"turn": -1}, {"turn": "3"}, {"attempt": True}, {"turn": 3.5}, {"turn": float("nan")}])
def test_values_that_cannot_be_are_refused(wrong):
    """A trigger is one of five, numbers are whole and not negative."""
    with pytest.raises(audit.SettingsError):
        audit.attribution(**wrong)


def test_every_value_becomes_its_field(trail):
    """The whole chain user → role → agent → model → tool, with its trigger, is in the record."""
    said = {
        "user": "usr_98765", "role": "support_agent", "agent": "helper", "model": "gpt-4.1", "conversation": "conv_abc123",
        "turn": 3, "trigger": "user_request", "purpose": "billing", "client_ip": "10.0.1.5", "user_agent": "SupportDashboard/2.1",
    }  # fmt: skip
    with audit.attribution(**said, tenant="acme"):
        audit.execute_tool("issue_refund", {}, lambda: 1)
    trail.assert_recorded(
        "issue_refund",
        user_id="usr_98765", user_role="support_agent", agent="helper", model="gpt-4.1", conversation_id="conv_abc123", turn_number=3,
        trigger="user_request", purpose="billing",
        session_metadata={"tenant": "acme", "client_ip": "10.0.1.5", "user_agent": "SupportDashboard/2.1", "user_role": "support_agent"},
    )  # fmt: skip


def test_metadata_is_sanitized_and_ids_keep_what_looks_personal(trail):
    """Added metadata gets all rules; a user id may be an e-mail address, a client has an address."""
    with audit.attribution(user="alice@example.com", client_ip="10.0.1.5", note="call alice@example.com", api_key="abc"):
        audit.execute_tool("t", {}, lambda: 1)
    call = trail.assert_recorded("t", user_id="alice@example.com")
    assert call["session_metadata"] == {"note": "call ***REDACTED***", "api_key": "***REDACTED***", "client_ip": "10.0.1.5"}
    assert {"session_metadata.note", "session_metadata.api_key"} == {r["path"] for r in call["redactions"]}


def test_a_subject_is_a_pseudonym_of_its_own_kind(trail):
    """Named by attribution or by the tool's parameter, one subject has one pseudonym, and is nowhere in clear."""
    view = audit.tool(name="access_patient_record", subject="patient")(lambda patient, part: {"patient_id": "P-9"})
    view(4711, "labs")
    with audit.attribution(subject="4711"):
        audit.execute_tool("update_treatment", {}, lambda: 1)
    first, second = trail.calls()
    assert first["subject"] == second["subject"] == first["arguments"]["patient"]
    assert first["subject"].startswith("psn:")
    assert not re.search(r"(?<![0-9a-f])4711(?![0-9a-f])", str([first["arguments"], first["subject"]]))
    assert ["healthcare", "healthcare"] == [first["retention_class"], second["retention_class"]]


def test_internal_subjects_are_stored_as_they_are():
    """subject_is_internal=True says that subjects are no personal data."""
    with audit_trail(subject_is_internal=True) as trail:
        audit.tool(name="view", subject="order.id")(lambda order: 1)({"id": "ORD-1"})
        trail.assert_recorded("view", subject="ORD-1", arguments={"order": {"id": "ORD-1"}})


def test_a_retry_knows_which_attempt_and_of_which_call(trail):
    """After a failure in the same conversation, a retry is linked to it; what is said outright counts more."""

    def flaky():
        raise ValueError

    with audit.attribution(conversation="conv_1", user="u", model="m"):
        for trigger in ("user_request", "retry", "retry"):
            with audit.attribution(trigger=trigger):
                audit.execute_tool("flaky", {}, flaky, reraise=False)
        with audit.attribution(trigger="retry", attempt=9, retry_of="f" * 32):
            audit.execute_tool("flaky", {}, lambda: 1)
    with audit.attribution(conversation="conv_2", trigger="retry"):
        audit.execute_tool("flaky", {}, lambda: 1)
    one, two, three, four, other = trail.calls()
    assert (None, None) == (one["attempt"], one["retry_of"])
    assert (2, one["call_id"]) == (two["attempt"], two["retry_of"])
    assert (3, two["call_id"]) == (three["attempt"], three["retry_of"])
    assert (9, "f" * 32) == (four["attempt"], four["retry_of"])
    assert (None, None) == (other["attempt"], other["retry_of"])
    assert trail.spans()[1].attributes["tool_audit.retry_of"] == one["call_id"]


def test_inbound_baggage_is_only_a_claim(trail):
    """`baggage: user.id=admin` makes nobody an admin."""
    token = otel.attach(baggage.set_baggage("user.id", "admin"))
    audit.execute_tool("t", {}, lambda: 1)
    otel.detach(token)
    trail.assert_recorded("t", user_id="unknown", claimed={"baggage": {"user.id": "admin"}})


def test_baggage_that_a_setting_trusts_counts_below_what_is_said_here():
    """A trusted upstream's keys fill in what this process did not say; others stay claims, odd values too."""
    context = otel.Context()
    for key, value in {"user.id": "usr_1", "tool_audit.turn": "4", "tool_audit.trigger": "bad", "gen_ai.conversation.id": "conv_1"}.items():
        context = baggage.set_baggage(key, value, context)
    with audit_trail(trusted_baggage=["user.id", "tool_audit.turn", "region"]) as trail:
        token = otel.attach(baggage.set_baggage("region", [1], context))
        audit.execute_tool("t", {}, lambda: 1)
        with audit.attribution(user="usr_2"):
            audit.execute_tool("t", {}, lambda: 1)
        otel.detach(token)
        first, second = trail.calls()
    assert ("usr_1", 4, "unknown") == (first["user_id"], first["turn_number"], first["conversation_id"])
    assert {"gen_ai.conversation.id": "conv_1", "tool_audit.trigger": "bad"} == first["claimed"]["baggage"]
    assert first["session_metadata"] == {"region": [1]}
    assert "usr_2" == second["user_id"]


@pytest.mark.parametrize(
    ("name", "meant"), [("usr", "user"), ("user_id", "user"), ("conversatoin", "conversation"), ("purpos", "purpose"), ("turn_number", "turn")]
)
def test_a_slip_in_a_name_is_told_once(caplog: pytest.LogCaptureFixture, name: str, meant: str) -> None:
    """What is almost a field's name would be metadata, and the field unknown, without a word."""
    _tell_of_slip.cache_clear()
    with caplog.at_level(logging.WARNING, "otel_tool_audit"):
        for _ in range(3):
            with audit.attribution(**{name: "x"}):
                assert {name: "x"} == current().metadata
    assert [f"Did you mean {meant}=…?"] == re.findall(r"Did you mean \w+=…\?", caplog.text)


def test_metadata_is_no_slip(caplog: pytest.LogCaptureFixture) -> None:
    """What applications add under names of their own is warned of by nobody."""
    with (
        caplog.at_level(logging.WARNING, "otel_tool_audit"),
        audit.attribution(tenant="t", region="eu", ticket="7", agent_id="a", model_version="2", session="s"),
    ):
        pass
    assert not caplog.text
