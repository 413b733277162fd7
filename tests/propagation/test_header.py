"""Attribution between processes, and why it cannot be forged."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import context as otel
from opentelemetry import propagate

import otel_tool_audit as audit
from otel_tool_audit.propagation.context import NOBODY, current
from otel_tool_audit.propagation.header import CLOCK_SKEW, HEADER, LIFETIME, LONGEST, AttributionHeader
from otel_tool_audit.recording import unbind
from otel_tool_audit.settings import Settings
from otel_tool_audit.testing import audit_trail

KEY = "a shared secret of the team"
NOW = 1_772_366_400.0


def header(*keys, at=NOW, **options):
    return AttributionHeader(keys, clock=lambda: at, **options)


@pytest.fixture
def sent():
    """A signed header."""
    with audit.attribution(user="usr_1", turn=3, trigger="follow_up", region="eu"):
        carrier = {}
        header(KEY).inject(carrier)
    return carrier


def received(carrier, by):
    return current(by.extract(carrier, context=otel.Context()))


def test_a_signed_header_holds(sent):
    """What was signed with the shared key is attribution on the other side."""
    found = received(sent, header(KEY))
    assert {"user": "usr_1", "turn": 3, "trigger": "follow_up"} == found.values
    assert {"region": "eu"} == found.metadata
    assert {} == found.claimed


def test_keys_can_be_rotated(sent):
    """Every key verifies, only the first signs."""
    assert received(sent, header("the new secret, 16+", KEY)).get("user") == "usr_1"


@pytest.mark.parametrize(
    ("by", "reason"),
    [
        (header(), "unknown key"),
        (header("some other secret of 16"), "unknown key"),
        (header(KEY, at=NOW + LIFETIME + 1), "expired"),
        (header(KEY, at=NOW - CLOCK_SKEW - 1), "expired"),
    ],
)
def test_what_cannot_be_verified_is_only_claimed(sent, by, reason):
    """Wrong key, too old, from the future: kept as a claim, with the reason."""
    found = received(sent, by)
    assert {} == found.values
    assert reason == found.claimed["header"]["reason"]
    assert "usr_1" == found.claimed["header"]["user"]


def test_an_unsigned_header_is_only_claimed():
    """Without a key the header is a claim, also for a receiver with one."""
    carrier = {}
    with audit.attribution(user="admin"):
        header().inject(carrier)
    assert {"reason": "unsigned", "user": "admin"} == received(carrier, header(KEY)).claimed["header"]


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_changed_byte_passes(place, change):
    """Whatever byte of a signed header is changed, it holds no more."""
    with audit.attribution(user="usr_1"):
        text = header(KEY).encode(current())
    data = bytearray(text.encode())
    data[place % len(data)] ^= change
    found = header(KEY).decode(data.decode("latin-1"), NOBODY)
    assert {} == found.values or _same(text, data.decode("latin-1"))


def _same(one, other):
    """Base64's last character has bits that mean nothing: another spelling of the same signature is no forgery."""
    version, key_id, payload, mac = one.split(".")
    again = other.split(".")
    return [version, key_id, payload] == again[:3] and base64.urlsafe_b64decode(mac + "=") == base64.urlsafe_b64decode(again[3] + "=")


@given(st.text() | st.from_regex(r"\A1\.[a-f0-9]{0,8}\.[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,10}\Z"))
def test_no_text_breaks_the_reader(text):
    """Anything may come from outside: it is malformed or a claim, never an exception and never an identity."""
    assert {} == header(KEY).decode(text, NOBODY).values


def test_headers_that_come_twice_or_are_too_long_are_malformed(sent):
    """Two stories are none, and nobody decodes megabytes."""
    twice = {HEADER: [sent[HEADER], sent[HEADER]]}
    assert {} == received(twice, header(KEY)).values
    assert {"reason": "malformed"} == header(KEY).decode("1." * LONGEST, NOBODY).claimed["header"]


def test_signed_nonsense_is_only_claimed():
    """A trigger that there is not is none, though signed."""
    carrier = {}
    signer = header(KEY)
    known = NOBODY.joined({"user": "u", "trigger": "because"}, {})
    carrier[HEADER] = signer.encode(known)
    assert "invalid" == received(carrier, signer).claimed["header"]["reason"]
    assert json.loads(base64.urlsafe_b64decode(carrier[HEADER].split(".")[2] + "==="))["exp"] == NOW + LIFETIME


def test_without_the_header_nothing_changes():
    """Requests of others pass."""
    assert received({}, header(KEY)) is NOBODY
    carrier = {}
    header(KEY).inject(carrier)
    assert {} == carrier
    assert {HEADER} == header().fields


def test_a_processor_made_by_hand_joins_it_too(tmp_path, monkeypatch):
    """Trail.open() and AuditSpanProcessor hand attribution on as configure() does, until the processor is shut down."""
    monkeypatch.setenv("OTEL_TOOL_AUDIT_STATE", str(tmp_path / "state"))
    before = propagate.get_global_textmap()
    with audit.Trail.open(tmp_path / "audit", durability="os") as trail:
        processor = audit.AuditSpanProcessor(trail, settings=Settings.resolve(attribution_key=KEY))
        carrier = {}
        with audit.attribution(user="usr_1"):
            propagate.inject(carrier)
        assert "usr_1" == current(propagate.extract(carrier)).get("user")
        processor.shutdown()
        unbind()
    assert propagate.get_global_textmap() is before


def test_configure_joins_it_to_the_global_propagator():
    """Instrumented clients and servers carry the header, if there is a key; a claim is not sent around unasked."""
    before = propagate.get_global_textmap()
    with audit_trail(attribution_key=KEY) as trail:
        carrier = {}
        with audit.attribution(user="usr_1"):
            propagate.inject(carrier)
        token = otel.attach(propagate.extract(carrier))
        audit.execute_tool("t", {}, lambda: 1)
        otel.detach(token)
        trail.assert_recorded("t", user_id="usr_1")
    assert propagate.get_global_textmap() is before
    with audit_trail(), audit.attribution(user="usr_1"):
        carrier = {}
        propagate.inject(carrier)
        assert HEADER not in carrier
