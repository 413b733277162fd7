"""
Keys, tokens and credentials that show what they are by their shape.

Source: ARCHITECTURE.md; RFC 7468 (PEM), RFC 3986, section 3.2.1 (user information in URLs), RFC 6750, section 2.1 (bearer).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from otel_tool_audit.redaction.randomness import entropy, is_placeholder, looks_random, stands_in
from otel_tool_audit.redaction.shapes import SHAPES, SHORTEST, Shape
from otel_tool_audit.redaction.spans import Span

_TOKEN: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
_LEFT: Final = _TOKEN | {"+"}
_RIGHT: Final = _TOKEN | {"_", "-"}
_BASE64: Final = frozenset("+/~")
_UNLIKE_BASE64: Final = frozenset("-_:.")
_NAME_LIKE: Final = frozenset({"openai-api-key", "anthropic-api-key", "openrouter-api-key", "live-or-test-key", "voyage-api-key", "tavily-api-key"})
_CHUNK: Final = re.compile(rf"\S{{{SHORTEST},}}")

PEM_BEGIN: Final = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_BODY: Final = re.compile(r"[A-Za-z0-9+/=\s\\]+")
_PEM_END: Final = re.compile(r"-----END [A-Z0-9 ]{0,40}-----")
_PEM_SHORTEST, _PEM_LONGEST = 40, 65_536

_PREFIXED: Final = re.compile(
    r"(?<![A-Za-z0-9+])(?:[srp]k(?P<sign>[_-])(?:live|test|prod)[_-](?P<body>[A-Za-z0-9]{3,250})|sk-(?P<short>[A-Za-z0-9]{6,13}))(?![A-Za-z0-9_+~-])"
)
_DIGITS_OF_SHORT: Final = 2

_AUTHORITY: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]{0,20}://([^\s\"'<>/?#\\]{1,512})@")
_SLASHED: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]{0,20}://([^\s\"'<>@:/]{0,128}:[^\s\"'<>@]{1,256})@[A-Za-z0-9\[]")
_BEARER: Final = re.compile(r"(?i)\b(?:bearer|basic)\\?[ \t]{1,4}([A-Za-z0-9._~+/=-]{6,8000})")
_BASE64_LONG: Final = 12
_BEARER_LONG: Final = 24
_ACCOUNT: Final = re.compile(r"\\*\"type\\*\"\s{0,4}:\s{0,4}\\*\"(service_account)\\*\"")


def find_secrets(text: str, lower: str, longest: int) -> Iterator[Span]:
    """
    Find what shows by its shape that it is a secret.

    Args:
        text: Any text.
        lower: The same in lower case, for telling quickly what it can't hold.
        longest: The length of the longest word.
    """
    if "-----begin" in lower:
        yield from _pem(text)
    if "://" in text and "@" in text:
        yield from _urls(text)
    if "bearer" in lower or "basic" in lower:
        yield from _bearers(text)
    if '"service_account' in lower:
        yield from ((m.start(1), m.end(1), "gcp-service-account") for m in _ACCOUNT.finditer(text))
    if longest > len("sk-live-") and ("k-" in lower or "k_" in lower):
        yield from _prefixed(text)
    if longest >= SHORTEST:
        long = " ".join(chunk for chunk in text.split() if len(chunk) >= SHORTEST)
        likely = [shape for shape in SHAPES if shape.literal in long]
        for chunk in _CHUNK.finditer(text) if likely else ():
            for shape in likely:
                yield from _shaped(text, shape, *chunk.span())


def _shaped(text: str, shape: Shape, begin: int, stop: int) -> Iterator[Span]:
    for match in shape.pattern.finditer(text, begin, stop):
        start, end = match.span()
        if start and text[start - 1] in _LEFT and not _after_escape(text, start):
            continue
        if end < len(text) and not _ends_here(text, start, end):
            continue
        body = match.group(1)
        if _generated(body, shape):
            yield start, end, shape.rule


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


def _after_escape(text: str, start: int) -> bool:
    # the n of a written-out line break, or the 3D of a percent sign, is no part of what follows
    return (text[start - 1] in "nrt" and text[start - 2 : start - 1] == "\\") or text[start - 3 : start].upper() in {"%3D", "%20", "%22", "%3A"}


def _ends_here(text: str, start: int, end: int) -> bool:
    after = text[end]
    if after in _RIGHT:
        return False
    if after in _BASE64:
        # base64 goes on with these; what base64 cannot hold ends here, as a part of a path does
        return not _UNLIKE_BASE64.isdisjoint(text[start:end])
    # a file's or a host's name goes on after the dot, a sentence doesn't
    return after != "." or end + 1 == len(text) or text[end + 1] not in _TOKEN


def _generated(body: str, shape: Shape) -> bool:
    if entropy(body) < shape.bits or stands_in(body):
        return False
    return shape.rule not in _NAME_LIKE or looks_random(body, shortest=14)


def _pem(text: str) -> Iterator[Span]:
    done = 0
    for begin in PEM_BEGIN.finditer(text):
        if begin.start() < done:
            continue
        end = _PEM_END.search(text, begin.end(), begin.end() + _PEM_LONGEST) if "-----END " in text else None
        body = None if end else _PEM_BODY.match(text, begin.end())
        stop = end.start() if end else body.end() if body else begin.end()
        done = stop
        if sum(map(len, text[begin.end() : stop].split())) >= _PEM_SHORTEST:
            done = end.end() if end else stop
            yield begin.start(), done, "private-key"


def _urls(text: str) -> Iterator[Span]:
    for pattern in (_AUTHORITY, _SLASHED):
        for match in pattern.finditer(text):
            user, colon, password = match.group(1).partition(":")
            start = match.start(1)
            if colon and password and not is_placeholder(password) and not stands_in(password):
                yield start + len(user) + 1, match.end(1), "url-credentials"
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
