"""Secrets in the notations of many languages, and personal data of many countries: drawn by chance, not from the corpora."""

from __future__ import annotations

import random
import re
import string

import pytest

from otel_tool_audit.redaction import Sanitizer

ALNUM = string.ascii_letters + string.digits
NAMES = ["adafruit_api_key", "algolia_api_key", "asana_client_secret", "bitbucketClientSecret", "COINBASE_ACCESS_TOKEN",
    "discord-client-secret", "dropbox.api.secret", "etsyAccessToken", "FASTLY_API_TOKEN", "flickr_access_token",
    "kraken_secret_key", "launchdarkly-access-token", "lobApiKey", "mattermost_access_token", "MESSAGEBIRD_API_TOKEN",
    "netlify_access_token", "okta_access_token", "plaidSecretKey", "rapidapi_access_token", "sendbird_access_token",
    "snyk_token", "SQUARESPACE_ACCESS_TOKEN", "travisci_access_token", "trello_access_token", "twitchApiToken",
    "twitter_api_secret", "yandex_api_key", "zendesk_secret_key"]  # fmt: skip
NOTATIONS = (
    '{name} = "{value}"', "{name}='{value}'", '"{name}": "{value}"', "{name}: {value}", "{name}={value}", "export {NAME}={value}",
    '{name} := "{value}"', "{name} := `{value}`", '{name} => "{value}"', '"{name}" => "{value}"', 'const {name} = "{value}";',
    'String {name} = "{value}";', "${name} = '{value}'", "var {name} = '{value}'", '{name} ?= "{value}"', '{name} ||= "{value}"',
    'System.setProperty("{NAME}", "{value}")', "<{name}>{value}</{name}>", "<{name}>\n  {value}\n</{name}>",
    '{name} += "{value}"',
    "os.environ['{NAME}'] = '{value}'", 'os.getenv("{NAME}", "{value}")', "curl -H '{name}: {value}' https://example.com",
    "?{name}={value}&x=1",
    'set {name}="{value}"', "--{name}={value}", '\\"{name}\\":\\"{value}\\"', "{name}:\t{value}", "{{'{name}': '{value}'}}",
)  # fmt: skip


@pytest.mark.parametrize("notation", NOTATIONS)
def test_a_value_under_a_secret_name_goes_in_every_notation(notation: str) -> None:
    """However a language writes an assignment, at least 95 of 100 random values under a secret's name are gone."""
    chance = random.Random(notation)
    left = []
    for name in NAMES:
        value = "".join(chance.choices(ALNUM, k=chance.randint(16, 48)))
        upper = re.sub(r"(?<=[a-z])(?=[A-Z])|[.-]", "_", name).upper()
        text = notation.format(name=name, NAME=upper, value=value)
        if value in Sanitizer().text(text).value:
            left.append(text)
    assert len(left) <= 0.05 * len(NAMES), f"{len(left)} of {len(NAMES)} stayed, such as {left[:2]}"


def luhn(body: str) -> str:
    """Append the check digit."""
    total = 0
    for at, char in enumerate(reversed(body)):
        number = int(char) * (2 if at % 2 == 0 else 1)
        total += number - 9 if number > 9 else number
    return body + str(-total % 10)


def iban(country: str, body: str) -> str:
    """Put the two check digits in front."""
    number = "".join(str(int(char, 36)) for char in f"{body}{country}00")
    return f"{country}{98 - int(number) % 97:02}{body}"


def digits(chance: random.Random, count: int) -> str:
    """Draw digits."""
    return "".join(chance.choices(string.digits, k=count))


def grouped(text: str, sizes: tuple[int, ...], between: str) -> str:
    """Cut into groups, the last size repeating."""
    parts, rest = [], text
    for at in range(len(text)):
        size = sizes[min(at, len(sizes) - 1)]
        parts, rest = [*parts, rest[:size]], rest[size:]
        if not rest:
            break
    return between.join(parts)


CARDS = {"4": 16, "51": 16, "55": 16, "2221": 16, "2720": 16, "34": 15, "37": 15, "6011": 16, "65": 16, "644": 16, "3528": 16,
    "3589": 16, "36": 14,
         "300": 14, "38": 14, "62": 16, "5018": 16, "6304": 16, "6759": 16, "2200": 16}  # fmt: skip
IBANS = {"DE": 18, "GB": ("QIRA", 14), "FR": 23, "NL": ("ABNA", 10), "ES": 20, "IT": ("X", 22), "CH": 17, "AT": 16, "BE": 12,
    "PL": 24, "NO": 11,
         "SE": 20, "DK": 14, "FI": 14, "PT": 21, "IE": ("AIBK", 14), "CZ": 20, "HU": 24, "GR": 23, "TR": 22, "MT": ("MALT",
         23)}  # fmt: skip
SENTENCES = (
    "my number is {} thanks",
    "{}",
    "Please use {}, not the other",
    "({})",
    "value: {}\n",
    "'{}'",
    "charge {}.",
    "?cc={}&x=1",
    "old\\n{}\\nnew",
)


def test_cards_of_every_issuer() -> None:
    """At least 98 of 100 valid numbers of every scheme are gone, plain or grouped."""
    chance, left, total = random.Random(5), [], 0
    for prefix, size in CARDS.items():
        for _ in range(20):
            number = luhn(prefix + digits(chance, size - len(prefix) - 1))
            sizes = (4, 6, 5) if size == 15 else (4,)
            for form in (number, grouped(number, sizes, " "), grouped(number, sizes, "-")):
                total += 1
                if form in Sanitizer().text(chance.choice(SENTENCES).format(form)).value:
                    left.append(form)
    assert len(left) <= 0.02 * total, left[:10]


def test_ibans_of_many_countries() -> None:
    """At least 98 of 100 valid IBANs are gone, plain or in groups of four."""
    chance, left, total = random.Random(6), [], 0
    for country, shape in IBANS.items():
        for _ in range(20):
            body = digits(chance, shape) if isinstance(shape, int) else shape[0] + digits(chance, shape[1])
            for form in (iban(country, body), grouped(iban(country, body), (4,), " ")):
                total += 1
                if form in Sanitizer().text(chance.choice(SENTENCES).format(form)).value:
                    left.append(form)
    assert len(left) <= 0.02 * total, left[:10]


def test_numbers_that_fail_their_check_stay() -> None:
    """Sixteen digits whose check digit is wrong are some other number: at most 2 of 100 are taken."""
    chance = random.Random(7)
    numbers = [f"9{digits(chance, 15)}" for _ in range(300)]
    touched = [number for number in numbers if Sanitizer().text(f"parcel {number} sent").redactions]
    assert len(touched) <= 6, touched[:5]


DOMAINS = ("example.com", "mail.example.co.uk", "müller.de", "sub-domain.example.museum", "x.io", "пример.рф", "123.org")
LOCALS = ("ann", "Ann.Lee", "a_b-c+tag", "o'neil", "JohnDoe42", "x", "josé", "first.last.third", "1234", "a%b")


def test_emails_of_many_forms() -> None:
    """Every address is gone, in other alphabets as well."""
    addresses = [f"{local}@{domain}" for local in LOCALS for domain in DOMAINS]
    left = [a for a in addresses for s in SENTENCES if a in Sanitizer().text(s.format(a)).value]
    assert len(left) <= 0.02 * len(addresses) * len(SENTENCES), left[:10]


def test_ssns_and_ips() -> None:
    """Numbers that can have been assigned, and addresses of both versions, are gone; those that can't be are no such."""
    chance, left, total = random.Random(8), [], 0
    for _ in range(200):
        area = chance.choice([n for n in range(1, 900) if n != 666])
        forms = [
            f"{area:03}-{chance.randint(1, 99):02}-{chance.randint(1, 9999):04}",
            ".".join(str(chance.randint(0, 255)) for _ in range(4)),
            ":".join(f"{chance.getrandbits(16):x}" for _ in range(8)),
            f"2001:db8::{chance.getrandbits(16) | 1:x}:{chance.getrandbits(16) | 1:x}",
            f"fe80::{chance.getrandbits(16):x}:{chance.getrandbits(16):x}:{chance.getrandbits(16):x}:{chance.getrandbits(16):x}",
        ]
        total += len(forms)
        left += [form for form in forms if form in Sanitizer().text(chance.choice(SENTENCES).format(form)).value]
    assert len(left) <= 0.02 * total, left[:10]
    for text in ("000-12-3456", "666-12-3456", "123-00-4567", "123-45-0000", "256.1.1.1", "1.2.3"):
        assert {r.rule for r in Sanitizer().text(f"n {text} n").redactions}.isdisjoint({"ssn", "ip-address"})
