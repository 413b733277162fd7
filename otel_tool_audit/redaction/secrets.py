"""
Keys, tokens and credentials that show what they are by their shape.

Source: ARCHITECTURE.md, R3; RFC 7468 (PEM), RFC 3986, section 3.2.1 (user information in URLs), RFC 6750, section 2.1 (bearer).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Final

from otel_tool_audit.redaction.formats import SHORTEST, cut_at, find_cut, find_formats
from otel_tool_audit.redaction.judging import is_placeholder
from otel_tool_audit.redaction.randomness import looks_random, stands_in
from otel_tool_audit.redaction.spans import Span
from otel_tool_audit.redaction.work import Work

PEM_BEGIN: Final = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_BODY: Final = re.compile(r"(?:[A-Za-z0-9+/=\s\\,\"':-]|\.\.\.)*+")
_PEM_END: Final = re.compile(r"-----END [A-Z0-9 ]{0,40}-----")
_PEM_LINE: Final = re.compile(r"(?=[A-Za-z0-9+/=]*[0-9A-Z+/])[A-Za-z0-9+/=]{12,}|^\W*(?=[A-Za-z+/]{0,11}[0-9+/=])[A-Za-z0-9+/=]{2,11}\W*$")
_NO_BREAKS: Final = dict.fromkeys(map(ord, " \t\r\n"), "")

_PREFIXED: Final = re.compile(
    r"(?<![A-Za-z0-9+])(?:[srp]k(?P<sign>[_-])(?:live|test|prod)[_-](?P<body>[A-Za-z0-9]{3,250})|sk-(?P<short>[A-Za-z0-9]{6,13}))(?![A-Za-z0-9_+~-])"
)
_DIGITS_OF_SHORT: Final = 2

_AUTHORITY: Final = re.compile(r"[^\s\"'<>`]{1,2048}+")
_PORT: Final = re.compile(r"[0-9]{1,5}(?:[/?#].*)?")
_USER_HOST: Final = re.compile(r"[A-Za-z0-9\[$<{*]")
_BEARER: Final = re.compile(r"(?i)\b(?:bearer|basic)\\?[ \t]{1,4}([A-Za-z0-9._~+/=-]{6,8000})")
_BASE64_LONG: Final = 12
_BEARER_LONG: Final = 24
_HASH: Final = re.compile(r"(?<![A-Za-z0-9])\$(?:1|2[abxy]?|5|6|7|y|apr1|argon2i?d?|scrypt|pbkdf2(?:-sha\d{1,3})?)\$[A-Za-z0-9./+=$,-]{20,512}")
"""A password's hash, as crypt(3) and the Password Hashing Competition write it: whoever has it can try passwords against it."""

_THIN: Final = re.compile(r"(?i):(?:thin|oci8?):([\w.$#-]{1,64})/([^\s\"'@…]{1,128})(?:@|$|(?=[…\s]))")
_ACCOUNT: Final = re.compile(r"\\*\"type\\*\"\s{0,4}:\s{0,4}\\*\"(service_account)\\*\"")


def find_secrets(text: str, rest: str, words: Collection[str], longest: int, work: Work) -> Iterator[Span]:
    """
    Find what shows by its shape that it is a secret.

    Args:
        text: Any text.
        rest: In lower case, what of it is not known to be harmless, for telling quickly what it can't hold.
        words: The same, one by one, as it stands.
        longest: The length of the longest word.
        work: Counts what is looked at.
    """
    if "-----begin" in rest:
        yield from _pem(text)
    if "://" in rest:
        yield from _urls(text, work)
    if "bearer" in rest or "basic" in rest:
        yield from _bearers(text)
    if "$" in rest:
        yield from ((*m.span(), "password-hash") for m in _HASH.finditer(text))
    if "oracle:" in rest:
        yield from ((*m.span(2), "url-credentials") for m in _THIN.finditer(text) if not is_placeholder(m[2]))
    if '"service_account' in rest:
        yield from ((m.start(1), m.end(1), "gcp-service-account") for m in _ACCOUNT.finditer(text))
    if longest > len("sk-live-") and ("k-" in rest or "k_" in rest):
        yield from _prefixed(text)
    if longest >= SHORTEST:
        yield from find_formats(text, words, work)
    yield from find_cut(text, work)


def _prefixed(text: str) -> Iterator[Span]:
    """Find keys whose beginning tells much: their bodies may be short, but are no words; after underscores even that, where they are live."""
    for match in _PREFIXED.finditer(text):
        body, short = match["body"], match["short"]
        if short is not None:
            found = _DIGITS_OF_SHORT <= sum(c.isdigit() for c in short) < len(short)
        else:
            live = match["sign"] == "_" and "live" in match[0]
            found = (live or any(c.isdigit() for c in body) or len(body) >= SHORTEST) and not is_placeholder(body) and "xxx" not in body.lower()
        if found:
            yield *match.span(), "api-key"


def _pem(text: str) -> Iterator[Span]:
    """Find private keys, whatever their length; one that never ends goes as far as a key's letters do."""
    done = 0
    last_end = text.rfind("-----END ")
    for begin in PEM_BEGIN.finditer(text):
        if begin.start() < done:
            continue
        end = _PEM_END.search(text, begin.end()) if begin.end() <= last_end else None
        if end is not None:
            done = end.end()
        else:
            body = _PEM_BODY.match(text, begin.end())
            done = body.end() if body else begin.end()
        inner = text[begin.end() : min(done, begin.end() + 256)] if end is None else text[begin.end() : end.start()][:256]
        letters = inner.translate(_NO_BREAKS)
        if end is not None and (not letters.strip("\\nr. …") or (letters.isalpha() and letters.islower() and len(letters) < 16)):  # noqa: PLR2004 - a word
            continue
        if end is None and not _PEM_LINE.search(inner):
            continue
        yield begin.start(), done, "private-key"


def _urls(text: str, work: Work) -> Iterator[Span]:
    """Find passwords before a host; one that a limit cut off before its host goes to the end."""
    at = text.find("://")
    last = cut_at(text)
    while at >= 0:
        chunk = _AUTHORITY.match(text, at + 3)
        end = at + 3
        if chunk is not None:
            end = chunk.end()
            work.spend(end - at)
            yield from _userinfo(at + 3, chunk.group(), last)
        at = text.find("://", end)


def _userinfo(start: int, chunk: str, last: int) -> Iterator[Span]:
    user_end = chunk.rfind("@")
    whole = chunk
    if user_end < 0:
        # cut inside the password: what follows the colon is no port
        if start + len(chunk) < last:
            return
        chunk = chunk[: max(0, last - start)]
        user, colon, password = chunk.partition(":")
        if (
            colon
            and "/" not in user
            and password
            and not _PORT.fullmatch(password)
            and not is_placeholder(password)
            and "." not in user
            and "[" not in user
        ):
            yield start + len(user) + 1, start + len(chunk), "url-credentials"
        return
    host = _USER_HOST.match(whole, user_end + 1)
    if host is None:
        return
    slash = min((place for sign in "/?#" if (place := whole.find(sign)) >= 0), default=len(whole))
    if slash < user_end and not (0 <= whole.find(":") < slash and not whole[whole.find(":") + 1 : slash].isdecimal()):
        # the sign belongs to a path: https://host/@user
        return
    user, colon, password = whole[:user_end].partition(":")
    if colon and password and not is_placeholder(password) and not stands_in(password):
        yield start + len(user) + 1, start + user_end, "url-credentials"
    elif not password and looks_random(user):
        yield start, start + len(user), "url-credentials"


def _bearers(text: str) -> Iterator[Span]:
    for match in _BEARER.finditer(text):
        token = match.group(1)
        if is_placeholder(token) or stands_in(token):
            continue
        basic = match.group()[:5].lower() == "basic"
        digit = any("0" <= c <= "9" for c in token)
        if (basic and len(token) >= _BASE64_LONG and (digit or token.endswith("="))) or (not basic and (digit or len(token) >= _BEARER_LONG)):
            yield match.start(1), match.end(1), "basic-auth" if basic else "bearer-token"
