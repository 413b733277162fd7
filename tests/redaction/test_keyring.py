"""Keyed digests and pseudonyms."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_tool_audit.errors import SettingsError
from otel_tool_audit.redaction import Keyring

OLD, NEW = ("k1", b"1" * 32), ("k2", b"2" * 32)


def test_a_pseudonym_names_its_key_and_not_its_value() -> None:
    """A pseudonym is psn:, the key's id and 32 hex digits."""
    pseudonym = Keyring([NEW]).pseudonym("MRN-00042", "subject")
    assert re.fullmatch(r"psn:k2:[0-9a-f]{32}", pseudonym)


def test_the_same_value_keeps_its_pseudonym() -> None:
    """Two rings with the same key and tenant agree, so records can be joined."""
    assert Keyring([NEW], "clinic").pseudonym("42", "subject") == Keyring([NEW, OLD], "clinic").pseudonym("42", "subject")


@pytest.mark.parametrize(
    "other",
    [
        Keyring([OLD], "clinic").pseudonym("42", "subject"),
        Keyring([("k2", b"3" * 32)], "clinic").pseudonym("42", "subject"),
        Keyring([NEW], "").pseudonym("42", "subject"),
        Keyring([NEW], "clinic").pseudonym("43", "subject"),
        Keyring([NEW], "clinic").pseudonym("42", "email"),
    ],
    ids=["key id", "secret", "tenant", "value", "kind"],
)
def test_whatever_differs_makes_another_pseudonym(other: str) -> None:
    """Key, tenant, kind and value all go into a pseudonym."""
    assert Keyring([NEW], "clinic").pseudonym("42", "subject") != other


@settings(deadline=None)
@given(st.text(max_size=6), st.text(max_size=6), st.text(max_size=6), st.text(max_size=6))
def test_parts_never_run_together(tenant: str, kind: str, value: str, tail: str) -> None:
    """No two different inputs share a pseudonym because their parts were joined."""
    one = Keyring([NEW], tenant).pseudonym(tail + value, kind)
    two = Keyring([NEW], tenant).pseudonym(value, kind + tail)
    three = Keyring([NEW], tenant + tail).pseudonym(value, kind)
    assert len({one, two, three}) == (3 if tail else 1)


def test_a_reader_tries_every_key() -> None:
    """The candidates hold what an older key wrote, the current key's first."""
    ring = Keyring([NEW, OLD])
    assert ring.candidates("42", "subject") == (ring.pseudonym("42", "subject"), Keyring([OLD]).pseudonym("42", "subject"))


def test_without_a_key_there_is_no_digest_and_no_pseudonym() -> None:
    """No key: the digest is None, a pseudonym an error that names the variable to set."""
    assert Keyring([]).digest(b"x") is None
    assert Keyring([]).candidates("x", "subject") == ()
    with pytest.raises(SettingsError, match="OTEL_TOOL_AUDIT_PSEUDONYM_KEY"):
        Keyring([]).pseudonym("x", "subject")


def test_a_digest_is_keyed() -> None:
    """A digest is the HMAC of the data, checked against RFC 4231's second case."""
    digest = Keyring([("k", b"Jefe")]).digest(b"what do ya want for nothing?")
    assert digest == "hmac-sha256:k:5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


def test_no_repr_shows_a_key() -> None:
    """What a debugger or a log prints of a ring holds no secret."""
    assert "2222" not in repr(Keyring([NEW])) + str(Keyring([NEW]))


@settings(deadline=None)
@given(st.text(), st.text())
def test_any_text_has_a_pseudonym(value: str, kind: str) -> None:
    """Lone surrogates and empty texts are values too."""
    assert Keyring([NEW]).pseudonym(value, kind) != Keyring([NEW]).pseudonym(value + "x", kind)


def test_a_lone_surrogate_has_a_pseudonym() -> None:
    """Text that is no UTF-8 is no error."""
    assert Keyring([NEW]).pseudonym("\ud800", "subject").startswith("psn:k2:")
