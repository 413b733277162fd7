"""Which names hide their values, and what a tool's author may say about its arguments."""

from __future__ import annotations

import pytest

from otel_tool_audit.redaction import MARK, Keyring, Redaction, Sanitizer, ToolRules

RING = Keyring([("k1", b"k" * 32)])
SECRET_NAMES = (
    "password", "Password", "PASSWORD", "dbPassword", "db_password", "db-password", "db.password", "passwd", "pwd",
    "passphrase", "token", "Token", "access_token", "accessToken", "sessionToken", "refresh_token", "id_token", "idToken",
    "api_key", "apiKey", "API_KEY", "APIKey", "apikey", "X-Api-Key", "x-api-key", "stripe_api_key", "secret", "clientSecret",
    "client_secret", "AWS_SECRET_ACCESS_KEY", "secret_key", "private_key", "privateKey", "access_key", "credit_card",
    "creditCard", "creditcard", "card_number", "ssn", "SSN", "user_ssn", "authorization", "Authorization",
    "Proxy-Authorization", "http.request.header.authorization", "cookie", "Set-Cookie", "cvv", "CVC", "credentials",
    "GITHUB_TOKEN", "bearerToken", "password1", "old_password", "newPassword",
)  # fmt: skip
PLAIN_NAMES = (
    "token_count", "tokenCount", "max_tokens", "maxTokens", "input_tokens", "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens", "gen_ai.request.max_tokens", "total_tokens", "llm.token_count.prompt", "tokenizer",
    "tokenize", "secretary", "passenger", "author", "authority", "monkey", "keyboard", "key", "primary_key", "sort_key",
    "order_id", "name", "pinned", "spinner", "opinion", "compass", "passage", "encompass", "message_id", "password_policy",
    "secretariat", "classname", "description", "amount", "currency", "city", "cardinality", "discard", "postcard", "keyword",
    "keywords", "session_id", "conversation_id", "trace_id",
)  # fmt: skip


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_secret_name_hides_its_value(name: str) -> None:
    """Whatever the value is, a mark stands in its place, and the record says where and why."""
    for value in ("x9", 12345, ["a", "b"], {"a": {"b": "c"}}, 1.5, b"raw"):
        result = Sanitizer().value({"outer": [{name: value}]}, "arguments")
        assert result.value == {"outer": [{name: MARK}]}
        (redaction,) = result.redactions
        assert redaction.count == 1
        assert redaction.path == f"arguments.outer[0].{name}"


@pytest.mark.parametrize("name", PLAIN_NAMES)
def test_a_name_that_only_resembles_one_hides_nothing(name: str) -> None:
    """Counts, limits and words that merely contain such a word keep their values."""
    for value in ("plain", 512):
        assert Sanitizer().value({name: value}) == ({name: value}, ())
        assert Sanitizer().attributes({name: value}) == ({name: value}, ())


def test_an_applications_own_names_are_added_and_taken_back() -> None:
    """secret_keys adds names in any convention, keep_keys takes packaged ones back."""
    sanitizer = Sanitizer(secret_keys=["patient_name"], keep_keys=["public_token"])
    value = {"patientName": "Ann", "PATIENT-NAME": "Ann", "name": "Ann", "public_token": "abc", "token": "abc"}
    expected = {"patientName": MARK, "PATIENT-NAME": MARK, "name": "Ann", "public_token": "abc", "token": MARK}
    assert expected == sanitizer.value(value).value


def test_sanitizing_twice_changes_nothing_more() -> None:
    """What was marked is not redacted again."""
    once = Sanitizer().value({"password": "x", "note": "token=abc123def", "mail": "ann@example.com"})
    assert Sanitizer().value(once.value) == (once.value, ())


def test_redact_names_an_argument_or_a_path_into_it() -> None:
    """Redact hides whole arguments and what a dotted path leads to, in lists as well."""
    rules = ToolRules(redact=frozenset({"note", "filters.owner"}))
    result = Sanitizer().value({"note": "hi", "filters": [{"owner": "ann", "kind": "a"}], "owner": "bob"}, "arguments", rules)
    assert result.value == {"note": MARK, "filters": [{"owner": MARK, "kind": "a"}], "owner": "bob"}
    assert {"arguments.note", "arguments.filters[0].owner"} == {r.path for r in result.redactions}


def test_keep_is_an_allow_list() -> None:
    """With keep, only what it names is stored, and that still passes all other rules."""
    rules = ToolRules(keep=frozenset({"order_id", "filters.kind", "password", "note"}))
    value = {"order_id": "o1", "filters": {"kind": "a", "owner": "ann"}, "password": "x", "other": 1, "note": "mail ann@example.com"}
    result = Sanitizer().value(value, "arguments", rules)
    expected = {"order_id": "o1", "filters": {"kind": "a", "owner": MARK}, "password": MARK, "other": MARK, "note": f"mail {MARK}"}
    assert expected == result.value
    assert Redaction("arguments.other", "allow-list", 1) in result.redactions


def test_an_empty_allow_list_keeps_nothing() -> None:
    """An empty keep is not the same as none."""
    assert Sanitizer().value({"a": 1}, "arguments", ToolRules(keep=frozenset())).value == {"a": MARK}


def test_pseudonymize_replaces_by_kind() -> None:
    """Two arguments of one kind share the pseudonym of one value; numbers have one, too."""
    rules = ToolRules(pseudonymize={"patient": "subject", "mrn": "subject", "filters.mail": "email", "number": "subject"})
    value = {"patient": "00042", "mrn": "00042", "filters": {"mail": "ann@example.com"}, "number": 42}
    clean = Sanitizer(RING).value(value, "arguments", rules).value
    expected = {
        "patient": RING.pseudonym("00042", "subject"),
        "mrn": RING.pseudonym("00042", "subject"),
        "filters": {"mail": RING.pseudonym("ann@example.com", "email")},
        "number": RING.pseudonym("42", "subject"),
    }
    assert expected == clean


def test_without_a_key_nothing_raw_stands_for_a_pseudonym() -> None:
    """A missing key never lets the value through, and does not fail the call."""
    result = Sanitizer().value({"patient": "MRN-00042", "n": 1}, "arguments", ToolRules(pseudonymize={"patient": "subject"}))
    assert result.value["n"] == 1
    assert "MRN-00042" not in str(result)
    assert result.redactions != ()


def test_pseudonyms_digests_and_marks_pass() -> None:
    """Our own pseudonyms, digests, hashes and ids are never taken for something else."""
    own = {
        "subject": RING.pseudonym("42", "subject"),
        "digest": RING.digest(b"x"),
        "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "call": "4bf92f3577b34da6a3ce929d0e0e4736",
        "span": "00f067aa0ba902b7",
        "uuid": "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "trace": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    }
    text = ", ".join(f"{name} {value}" for name, value in own.items())
    assert Sanitizer().value({**own, "text": text}) == ({**own, "text": text}, ())


def test_redactions_are_bounded() -> None:
    """A thousand secrets leave at most a hundred places and one entry that counts the rest."""
    result = Sanitizer().value([{"password": "x"} for _ in range(500)], "arguments")
    assert len(result.redactions) <= 101
    assert sum(r.count for r in result.redactions) == 500


@pytest.mark.parametrize(("name", "value"), [("name", "value"), ("Name", "Value"), ("key", "value"), ("Key", "Value")])
def test_a_name_and_its_value_side_by_side_are_read_together(name: str, value: str) -> None:
    """Environment variables and headers often come as two fields: the one names what the other holds."""
    result = Sanitizer().value([{name: "DB_PASSWORD", value: "hunter2"}, {name: "CITY", value: "Berlin"}])
    assert result.value == [{name: "DB_PASSWORD", value: MARK}, {name: "CITY", value: "Berlin"}]


@pytest.mark.parametrize("name", ["Passwort", "contraseña", "mot_de_passe", "senha"])
def test_other_languages_passwords_are_known(name: str) -> None:
    """A form's field is named in the language of its country."""
    assert Sanitizer().value({name: "zx81"}).value == {name: MARK}
