"""Examples of free text: what is taken out, and what must stay."""

from __future__ import annotations

import json

import pytest

from otel_tool_audit.redaction import MARK, Sanitizer

JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
PEM = "-----BEGIN EC PRIVATE KEY-----\n" + "MHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04fSeQ6tF1aY/PuoAoGCCqGSM49\n" * 3 + "-----END EC PRIVATE KEY-----"
REMOVED = {
    "password=hunter2": "hunter2", "password: hunter2": "hunter2", "PASSWORD = 'hunter 2'": "hunter 2",
    '{"password": "hunter2", "a": 1': "hunter2",
    "DB_PASSWORD=s3cr3t-Value": "s3cr3t", "login --password hunter2 now": "hunter2", "login --password=hunter2 now": "hunter2",
    "run --token abc123def456": "abc123def456", "api_key: zx81zx82": "zx81zx82", "'apiKey': 'zx81zx82'": "zx81zx82",
    '\\"api_key\\": \\"zx81zx82\\"': "zx81zx82", '\\\\\\"token\\\\\\": \\\\\\"zx81zx82\\\\\\"': "zx81zx82",
    "GET /v1?api_key=zx81zx82&page=2": "zx81zx82", "https://h/p?access_token=zx81zx82#top": "zx81zx82",
    'client_secret => "zx81-zx82"': "zx81-zx82",
    "Authorization: Basic dXNlcjpodW50ZXIy": "dXNlcjpodW50ZXIy", "Authorization: Bearer zx81.zx82_zx83": "zx81.zx82_zx83",
    "authorization: token zx81zx82zx83": "zx81zx82zx83", "sent Bearer zx81zx82zx83zx84": "zx81zx82zx83zx84",
    "X-Api-Key: zx81zx82zx83": "zx81zx82zx83", "Cookie: sid=zx81zx82zx83; a=b": "zx81zx82zx83",
    f"the token is {JWT}": "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    f"key:\n{PEM}\nend": "MHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04",
    "postgresql://app:hunter2@db.internal:5432/orders": "hunter2", "redis://:hunter2@cache:6379/0": "hunter2",
    "amqps://user:p%40ss@host/vhost": "p%40ss", "mongodb+srv://u:hunter2@cluster0.example.net/?retryWrites=true": "hunter2",
    "https://user:hunter2@example.com/x": "hunter2", "Server=db;Database=x;User Id=sa;Password=hunter2;": "hunter2",
    "AccountName=a;AccountKey=c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTIzNDU2Nzg5MA==;Endpoint": "c2VjcmV0c2VjcmV0",
    "sig=abcDEF123%2Fabc456%2BabcDEF789abcdefghij%3D&se=2026": "abcDEF123%2Fabc456",
    "card 4111 1111 1111 1111 please": "4111 1111", "card 4111-1111-1111-1111.": "4111-1111",
    "amex 378282246310005": "378282246310005",
    "5555555555554444": "5555555555554444", "iban DE89 3704 0044 0532 0130 00 ok": "0532 0130",
    "NL91ABNA0417164300": "ABNA0417164300",
    "FR1420041010050500013M02606": "20041010050500013M02606", "ssn 123-45-6789": "123-45-6789",
    "mail ann.lee+x@example.co.uk now": "ann.lee",
    "mailto:ann@example.com?subject=x": "ann@example.com", "<ann@example.com>": "ann@example.com",
    "from 203.0.113.77 port 22": "203.0.113.77",
    "from [2001:db8:85a3::8a2e:370:7334]:443": "8a2e:370:7334", "call +1 415 555 2671 now": "555 2671",
    "call (415) 555-2671": "555-2671",
    "tel. 030 901820": "901820", "phone: 020 7946 0958": "7946 0958", "Anruf unter +49 30 901820-0": "901820",
    "ops at 415-555-2671": "555-2671",
}  # fmt: skip
STAYS = (
    "2026-11-24", "2026-11-24T12:30:45.123456Z", "2026-11-24 12:30:45,123", "24.11.2026 12:30", "11/24/2026",
    "20261124T123045Z", "12:30:45",
    "1764000000", "1764000000123", "1764000000123456789", "52.520008, 13.404954", "lat=52.520008 lon=-13.404954",
    "-33.8688,151.2093",
    "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "4bf92f3577b34da6a3ce929d0e0e4736",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "hmac-sha256:k1:5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", "psn:k1:5bdcc146bf60754e6a042426089575c7",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "Order ORD-123 shipped, 3 items, 1,234,567.89 EUR", "version 1.2.3, build 2026.11.24", "opentelemetry-sdk 1.45.0",
    "python 3.11.7",
    "max_tokens=512, token_count: 1234, input_tokens=7", "the token was refused", "please reset my password",
    "what is a secret garden?",
    "Password: required", "password must have 12 characters", "the api_key parameter is missing", "token=null", "token: None",
    "password=",
    "password=${DB_PASSWORD}", "password={{ vault.password }}", "api_key=<your key>", "password=********",
    "curl -u $USER:$PASS https://x", "10% of 2,000,000", "ISBN 978-3-16-148410-0", "room 101-102", "page 12-34",
    "years 1990-2020",
    "GET /orders/123456789?page=2", "order 1234567890123", "status 404 after 30000 ms", "0x7ffee4b2c9d0", "a::b::c",
    "std::vector<int>",
    "List[str]", "foo@bar", "@decorator", "user@", "12:34:56:78", "aspect 16:9", "C:\\temp\\file.txt",
    "/usr/lib/python3.11/site-packages",
    "1.2.3", "v10.0.1", "1.2.3.4.5", "usr_98765", "issue_refund", "the quick brown fox jumps over the lazy dog",
    "cats and dogs: 5 of 7",
    "Sec. 12.3.4", "Ticket-2026-000123", "Temperatur -12.5 °C", "日本語のテキスト", "", " ", "\n",
)  # fmt: skip


@pytest.mark.parametrize("text", REMOVED)
def test_what_must_not_be_stored_is_taken_out(text: str) -> None:
    """The secret part is gone, a mark stands in its place, and the record says which rule did it."""
    result = Sanitizer().text(text, "error")
    assert REMOVED[text] not in result.value
    assert MARK in result.value
    assert {"error"} == {redaction.path for redaction in result.redactions}
    assert result.value == Sanitizer().text(result.value).value


@pytest.mark.parametrize("text", STAYS)
def test_what_is_harmless_stays(text: str) -> None:
    """Dates, numbers, hashes, versions, prose about passwords, and placeholders are stored as they are."""
    assert Sanitizer().text(text) == (text, ())
    assert Sanitizer().value({"a": text}) == ({"a": text}, ())
    assert Sanitizer().attributes({"a": text}) == ({"a": text}, ())


@pytest.mark.parametrize("key", ["sk-live-51H8xYzKq0", "sk-live-a1b2c3d4", "sk-live-1234567890", "pk-live-51H8-xYzK-q0", "rk-test-abc-12-def-345"])
@pytest.mark.parametrize("around", ["the key is {} for you", "({})", "got {}'s", "https://h/{}/orders", "~{}~", "{}/", "{}, and"])
def test_keys_with_hyphens_are_found_in_prose_and_in_paths(key: str, around: str) -> None:
    """Wherever a key with hyphens stands, and whatever follows it, it goes; what stands around it stays."""
    assert around.format(MARK) == Sanitizer().text(around.format(key)).value


@pytest.mark.parametrize("name", ["task-live-51H8xYzKq0", "sk-live-stream-1", "sk-test-suite-2024", "pk-prod-eu-west-1", "desk-test-2024-11-25"])
def test_names_with_hyphens_are_no_keys(name: str) -> None:
    """A name that only begins like a key stays."""
    assert (name, ()) == Sanitizer().text(name)


@pytest.mark.parametrize("text", ["203.0.113.77", "ann@example.com", "2001:db8::1:2:3", "4111111111111111", "+14155552671"])
def test_identifiers_keep_what_looks_like_personal_data(text: str) -> None:
    """A user's or a client's id may be an address or a number: it is what the record is about."""
    assert Sanitizer().identifier(text) == (text, ())


@pytest.mark.parametrize("key", ["user.id", "enduser.id", "client.address", "session.id", "service.name", "server.address"])
def test_identifying_attributes_keep_addresses_but_no_secrets(key: str) -> None:
    """The same holds for the span attributes that carry identity."""
    assert Sanitizer().attributes({key: "ann@example.com"}) == ({key: "ann@example.com"}, ())
    assert "AKIAIOSFODNN7QZXPLWM" not in Sanitizer().attributes({key: "AKIAIOSFODNN7QZXPLWM"}).value[key]


def test_json_in_text_is_read_as_json() -> None:
    """JSON in a string, and JSON in a string in it, lose their secrets and stay JSON."""
    inner = json.dumps({"token": "zx81", "n": 1})
    text = json.dumps({"body": inner, "list": [{"pass\u0077ord": "hunter2"}], "mail": "ann@example.com"})
    clean = json.loads(Sanitizer().value({"text": text}).value["text"])
    assert clean["list"] == [{"password": MARK}]
    assert clean["mail"] == MARK
    assert json.loads(clean["body"]) == {"token": MARK, "n": 1}


def test_a_key_given_twice_hides_nothing() -> None:
    """Of a key that stands twice in JSON text, no value escapes."""
    clean = Sanitizer().text('{"password": "hunter2", "password": null, "a": 1}').value
    assert "hunter2" not in clean


def test_harmless_json_text_stays_as_it_was_written() -> None:
    """Blanks, order and notation of JSON without secrets are kept."""
    text = '{ "b": 1.0,\n  "a": [1e3, true] }'
    assert Sanitizer().attributes({"x": text}) == ({"x": text}, ())


def test_attributes_that_need_no_change_are_the_same_objects() -> None:
    """Nothing is copied for nothing."""
    attributes = {"text": "harmless words", "list": ("a", "b"), "n": 5, "x": 1.5, "flag": True}
    clean = Sanitizer().attributes(attributes).value
    assert all(clean[key] is attributes[key] for key in attributes)


def test_a_card_number_as_a_number_goes_too() -> None:
    """An integer that is a card number is personal data; other integers stay."""
    assert Sanitizer().value([4111111111111111, 1764000000123]).value == [MARK, 1764000000123]


def test_control_characters_and_newlines_do_not_hide_a_secret() -> None:
    """A line break, a tab or a NUL before a secret changes nothing."""
    for gap in ("\n", "\r\n", "\t", "\x00", "\u2028", " "):
        assert "zx81zx82" not in Sanitizer().text(f"x{gap}api_key=zx81zx82{gap}y").value
