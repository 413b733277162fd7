"""
What a key's name says about its value: secret, an identifier, a telephone number, or nothing.

Names are compared word by word, whatever the convention: ``apiKey``, ``API_KEY``, ``x-api-key`` are the same two words and one more.

Source: REQUIREMENTS R3.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum
from typing import Final

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_LONGEST: Final = 128
_CACHED: Final = 10_000


class KeyKind(Enum):
    """What the value under a key is."""

    PLAIN = "plain"
    SECRET = "secret"
    IDENTIFIER = "identifier"
    PHONE = "phone"


_SECRET_WORDS: Final = frozenset(
    """password passwords passwd passphrase pwd passcode secret secrets apikey apikeys apitoken authtoken accesstoken refreshtoken idtoken sessiontoken bearertoken
    secretkey privatekey accesskey accessid signingkey encryptionkey clientsecret appsecret creditcard cardnumber creditcardnumber ssn authorization credential credentials
    cvv cvc cvv2 cookie cookies setcookie jwt bearer otp totp dsn connectionstring accountkey mnemonic""".split()
)
_SECRET_PAIRS: Final = frozenset(
    tuple(pair.split("_"))
    for pair in """api_key api_keys api_token access_key access_keys access_id private_key secret_key signing_key encryption_key master_key account_key shared_key
    session_key auth_key service_key deploy_key license_key app_key application_key webhook_key server_key storage_key ssh_key gpg_key hmac_key credit_card debit_card
    card_number card_no card_pan social_security connection_string session_cookie auth_code pin_code security_code recovery_code backup_code mfa_code client_credential
    bearer_token sas_signature account_password user_pass db_pass""".split()
)
_EXACT: Final = frozenset({"pass", "auth", "pin", "pan", "credit card number", "authorisation"})
_TOKEN_KINDS: Final = frozenset({"access", "auth", "refresh", "bearer", "api", "session", "id", "csrf", "xsrf", "oauth", "security", "secret", "user", "app", "bot", "jwt", "device"})
_COUNTS: Final = frozenset(
    """count counts limit limits usage used budget type types length size rate per cost costs price max min index position offset ids details window remaining left total
    logprobs logprob ratio url uri endpoint expiry expires expiration ttl lifetime name names hint policy rotation reset strength required present valid""".split()
)
_MEASURES: Final = frozenset(
    """max min input output total prompt completion cached cache reasoning num number n audio image text thinking tokenized special stop eos bos pad unk next page
    continuation cursor sync""".split()
)
_IDENTIFIERS: Final = frozenset({"id", "ids", "uuid", "guid", "hash", "sha256", "sha1", "md5", "digest", "checksum", "etag", "fingerprint", "version", "timestamp", "revision"})
_PHONE_WORDS: Final = frozenset({"phone", "telephone", "tel", "mobile", "cell", "fax", "msisdn", "whatsapp", "phonenumber", "cellphone", "handy"})
_IDENTIFIER_PREFIXES: Final = ("service.", "server.", "telemetry.", "otel.", "host.", "process.", "k8s.", "cloud.", "container.", "deployment.", "audit.", "gen_ai.usage.")
_IDENTIFIER_NAMES: Final = frozenset({
    "user.id", "enduser.id", "session.id", "client.address", "client.ip", "client_ip", "user_id", "gen_ai.conversation.id", "gen_ai.tool.call.id", "gen_ai.response.id",
    "gen_ai.agent.id", "user_agent.original", "user_agent", "network.peer.address", "net.peer.ip", "tool_audit.hash", "audit.record.id", "conversation_id",
})  # fmt: skip


class KeyNames:
    """The judgement on key names, with an application's own additions; each name is judged once."""

    def __init__(self, secret: Iterable[str] = (), keep: Iterable[str] = ()) -> None:
        """
        Take additions.

        Args:
            secret: More names whose values are secret, in any convention.
            keep: Names that are not, whatever the packaged rules say.
        """
        self._secret = {_words(name) for name in secret}
        self._keep = {_words(name) for name in keep}
        self._known: dict[str, KeyKind] = {}

    def kind(self, name: str) -> KeyKind:
        """Judge a name."""
        known = self._known.get(name)
        if known is None:
            known = self._judge(name)
            if len(self._known) < _CACHED and len(name) <= _LONGEST:
                self._known[name] = known
        return known

    def _judge(self, name: str) -> KeyKind:
        words = _words(name[-_LONGEST:])
        if words in self._keep:
            return KeyKind.PLAIN
        if words in self._secret or any(_contains(words, own) for own in self._secret) or is_secret_name(words):
            return KeyKind.SECRET
        if name in _IDENTIFIER_NAMES or name.startswith(_IDENTIFIER_PREFIXES):
            return KeyKind.IDENTIFIER
        if words and words[-1] in _IDENTIFIERS and "." in name:
            return KeyKind.IDENTIFIER
        return KeyKind.PHONE if _PHONE_WORDS.intersection(words) else KeyKind.PLAIN


def _words(name: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in _WORDS.findall(name))


def _contains(words: tuple[str, ...], part: tuple[str, ...]) -> bool:
    size = len(part)
    return size > 0 and any(words[i : i + size] == part for i in range(len(words) - size + 1))


def is_secret_name(words: tuple[str, ...]) -> bool:
    """
    Tell whether the words of a name say that its value is secret.

    Args:
        words: Lower case, in order.
    """
    if not words or " ".join(words) in _EXACT:
        return bool(words)
    last = words[-1]
    if last in _COUNTS:
        return False
    if _SECRET_WORDS.intersection(words) or any(pair in _SECRET_PAIRS for pair in zip(words, words[1:], strict=False)):
        return True
    if "token" in words:
        at = words.index("token")
        return not _MEASURES.intersection(words[:at]) and not _COUNTS.intersection(words[at + 1 :])
    return last == "tokens" and len(words) > 1 and words[-2] in _TOKEN_KINDS


def name_is_secret(name: str) -> bool:
    """Tell whether a name found in free text is that of a secret."""
    return is_secret_name(_words(name[-_LONGEST:]))


def is_weak_key_name(name: str) -> bool:
    """Tell whether a name ends in ``key`` and does not say that it is another kind of key than a secret one."""
    words = _words(name[-_LONGEST:])
    harmless = {"primary", "foreign", "partition", "sort", "cache", "idempotency", "public", "routing", "object", "row", "group", "unique", "sub", "lookup", "range", "map"}
    return bool(words) and words[-1] == "key" and len(words) > 1 and not harmless.intersection(words)
