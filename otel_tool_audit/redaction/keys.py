"""
Names under which secrets are kept, told from names that only sound like it.

A name is cut into words (``dbPassword``, ``DB-PASSWORD`` and ``db.password`` are *db password*), and word sequences are compared,
so ``token`` matches and ``token_count``, ``max_tokens`` and ``tokenizer`` don't.

Source: ARCHITECTURE.md, R3.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

_LONGEST_KEY: Final = 128
_CACHE: Final = 4_096

_HUMP: Final = re.compile(r"([a-z0-9])([A-Z])")
_ACRONYM: Final = re.compile(r"([A-Z])([A-Z][a-z])")
_WORD: Final = re.compile(r"[^\W\d_]+|\d+")


@cache
def _tables() -> dict[str, dict[str, str]]:
    return tomllib.loads(files("otel_tool_audit.redaction").joinpath("words.toml").read_text("utf-8"))


def words_of(name: str) -> frozenset[str]:
    """Read one list of ``words.toml``: ``module.list``."""
    module, _, wanted = name.partition(".")
    return frozenset(_tables()[module][wanted].split())


def word_set(text: str) -> frozenset[str]:
    """Read a list of words."""
    return frozenset(text.split())


_SINGLE: Final = words_of("keys.single")
_SEQUENCES: Final = _tables()["keys"]["sequences"].split(";")
_LIKELY: Final = frozenset({"pass", "pin", "assertion", "assertions", "sess"})
_LIKELY_PAIRS: Final = frozenset({("session", "id"), ("session", "ids"), ("sess", "id"), ("secret", "id"), ("sessionid",)})
_ELSEWHERE: Final = (
    "kennwort", "wachtwoord", "hasło", "haslo", "şifre", "lösenord", "salasana", "heslo", "passord", "пароль", "密码", "密碼", "口令", "パスワード", "暗証番号",
    "비밀번호", "암호", "كلمة المرور", "كلمة السر", "סיסמה", "รหัสผ่าน", "पासवर्ड", "कूटशब्द",
)  # fmt: skip
"""What a password is called in other languages."""
_COMPACT: Final = (
    "password", "passwd", "passphrase", "apikey", "secretkey", "accesskey", "privatekey", "authkey", "token", "secret", "pwd", "passkey",
)  # fmt: skip

_CURSORS: Final = ("nexttoken", "pagetoken", "continuationtoken", "synctoken")
"""Written in one word: where a list goes on, and no secret."""

_AFTER: Final = words_of("keys.after")
_BEFORE: Final = words_of("keys.before")
_TAIL: Final = frozenset({"auth", "pass"})
_PASS_AFTER: Final = words_of("keys.pass-after")
_INNOCENT_KEYS: Final = words_of("keys.innocent-keys")
_PHONE: Final = word_set("phone phones mobile cellphone telephone telefon telefono tel fax msisdn whatsapp landline")
_THINGS: Final = words_of("keys.things")
"""Things that have numbers of their own."""

_IDENTIFIERS: Final = word_set("id ids uuid guid hash sha256 sha1 md5 digest checksum etag fingerprint version timestamp revision")
_IDENTIFIER_NAMES: Final = words_of("keys.identifier-names")
_IDENTIFIER_PREFIXES: Final = (
    "service.", "server.", "telemetry.", "otel.", "host.", "process.", "k8s.", "cloud.", "container.", "deployment.", "audit.",
)  # fmt: skip
PROVIDERS: Final = words_of("keys.providers")


_PROVIDERS_OF_WORDS: Final = ("newyorktimes", "messagebird", "newrelic", "privateai", "linkedin", "telegram")
"""Those that people write in several words, or with more behind."""


def _is_glued(found: tuple[str, ...]) -> bool:
    return any(
        word.endswith(("key", "token", "login", "secret")) and any(map(word.startswith, ("snyk", "sonar", "heroku", "slack", "stripe")))
        for word in found
    )


class KeyKind(Enum):
    """What a name says of its value."""

    PLAIN = 0
    SUSPECT = 1
    """Secret when the value looks random (``HEROKU_KEY``)."""
    LIKELY = 2
    """Secret unless the value is a plain word, a small number or a sentence (``pass``, ``session_id``)."""
    SECRET = 3


class KeyName(NamedTuple):
    """
    What a name says of its value.

    Attributes:
        kind: Whether the value is a secret.
        phone: Whether it is a telephone number.
        provider: Whether the name tells of a service that gives out keys.
        identifier: Whether it names who or what the record is about; such a value may look like personal data.
        number: Whether it is the number of a thing (an article, a parcel), which may look like a card's or a telephone's.
    """

    kind: KeyKind
    phone: bool
    provider: bool
    identifier: bool
    number: bool = False


PLAIN_NAME: Final = KeyName(KeyKind.PLAIN, phone=False, provider=False, identifier=False)
"""What no name, or one that says nothing, says."""


def words(key: str) -> tuple[str, ...]:
    """Cut a name into lower-case words, whatever its style."""
    if not key.isascii():
        # an accent more or less makes no other word
        key = "".join(c for c in unicodedata.normalize("NFKD", key) if not unicodedata.combining(c))
    spaced = _ACRONYM.sub(r"\1 \2", _HUMP.sub(r"\1 \2", key))
    return tuple(_WORD.findall(spaced.lower()))


class KeyNames:
    """Judges names, and remembers a bounded number of judgements."""

    __slots__ = ("_extra", "_keep", "_known", "cache", "stems")

    def __init__(self, secret_keys: Iterable[str] = (), keep_keys: Iterable[str] = ()) -> None:
        """
        Judge names.

        Args:
            secret_keys: More names of secrets; a name that ends with one is secret too.
            keep_keys: Names that are none, whatever they sound like.
        """
        self._extra = frozenset(found for key in secret_keys if (found := words(key)))
        self._keep = frozenset(found for key in keep_keys if (found := words(key)))
        self.cache = _CACHE
        """How many names are remembered."""
        self._known: dict[str, KeyName] = {}
        self.stems = tuple(sorted({found[0] for found in self._extra}))
        """What a text must hold, in lower case, for one of *secret_keys* to stand in it."""

    def judge(self, key: str) -> KeyName:
        """Judge one name."""
        known = self._known.get(key)
        if known is None:
            known = self._judge(key)
            if len(key) <= _LONGEST_KEY:
                if len(self._known) >= _CACHE:
                    self._known.clear()
                self._known[key] = known
        return known

    def _judge(self, key: str) -> KeyName:
        # the end of a name decides, and nobody's name is this long
        found = words(key[-_LONGEST_KEY:])
        phone = not _PHONE.isdisjoint(found)
        number = not phone and not _THINGS.isdisjoint(found)
        provider = not PROVIDERS.isdisjoint(found) or any(map("".join(found).__contains__, _PROVIDERS_OF_WORDS)) or _is_glued(found)
        identifier = _is_identifier(key, found)
        if found in self._keep:
            return KeyName(KeyKind.PLAIN, phone, provider, identifier, number)
        if any(found[-len(extra) :] == extra for extra in self._extra) or _is_secret(found) or _is_bundler(key):
            return KeyName(KeyKind.SECRET, phone, provider, identifier, number)
        if found and (found[-1] in _LIKELY or found[-1:] in _LIKELY_PAIRS or found[-2:] in _LIKELY_PAIRS) and not identifier:
            return KeyName(KeyKind.LIKELY, phone, provider, identifier, number)
        return KeyName(KeyKind.SUSPECT if _is_suspect(found, provider=provider) else KeyKind.PLAIN, phone, provider, identifier, number)


_BY_FIRST: Final[dict[str, list[tuple[str, ...]]]] = {}
for _sequence in [*([single] for single in _SINGLE), *(sequence.split() for sequence in _SEQUENCES), *map(words, _ELSEWHERE)]:
    _BY_FIRST.setdefault(_sequence[0], []).append(tuple(_sequence))
NAME_WORDS: Final = (
    frozenset(word for sequences in _BY_FIRST.values() for sequence in sequences for word in sequence)
    | _LIKELY
    | _TAIL
    | {"session", "sess", "key", "keys"}
)
"""Words of which secrets' names are made."""

_SQUASHED: Final = frozenset("".join(sequence) for sequences in _BY_FIRST.values() for sequence in sequences)


def _is_secret(found: tuple[str, ...]) -> bool:
    if "".join(found) in _SQUASHED or found == ("sid",):
        return True
    for i, word in enumerate(found):
        if i and found[i - 1] in _BEFORE:
            continue
        ends = [i + len(sequence) for sequence in _BY_FIRST.get(word, ()) if found[i : i + len(sequence)] == sequence]
        if word.endswith(_COMPACT) and not word.endswith(_CURSORS):
            ends.append(i + 1)
        if any(_AFTER.isdisjoint(found[end:]) for end in ends):
            return True
    if not found or found[-1] not in _TAIL:
        return False
    last = found[-1]
    if last == "auth":
        return len(found) == 1 or found[-2] not in _BEFORE
    return last == "pass" and found[-2:-1] != () and found[-2] in _PASS_AFTER


def _is_bundler(key: str) -> bool:
    # Bundler keeps a gem server's user and password in BUNDLE_HOST__NAME, dots written as two underscores
    return key.startswith("BUNDLE_") and "__" in key


def _is_suspect(found: tuple[str, ...], *, provider: bool) -> bool:
    if not found:
        return False
    if found[-1] in {"key", "keys"} and len(found) > 1:
        return found[-2] not in _INNOCENT_KEYS
    if found[-1] == "accessid" or found[-2:] == ("access", "id"):
        return True
    return provider and (
        len(found) == 1 or "".join(found) in _PROVIDERS_OF_WORDS or found[-1] in {"key", "id", "sid", "code", "hash", "sig", "signature"}
    )


def _is_identifier(key: str, found: tuple[str, ...]) -> bool:
    if key in _IDENTIFIER_NAMES or key.startswith(_IDENTIFIER_PREFIXES):
        return True
    return bool(found) and found[-1] in _IDENTIFIERS and "." in key
