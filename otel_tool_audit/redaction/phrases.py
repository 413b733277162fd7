"""
Secrets told as people and programs tell them, without ``name=value``.

``password hunter2``, ``**Token:** …``, ``OTP 482193``, a part of a form, an XML element, ``IDENTIFIED BY '…'``, and what a password is
called in other languages.

Where only the neighbourhood tells, a value must look like one: letters and digits together. Every pattern is bounded, so the time is
linear in the text.

Source: ARCHITECTURE.md, R3; RFC 7578 (multipart/form-data).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from otel_tool_audit.redaction.judging import is_placeholder
from otel_tool_audit.redaction.keys import KeyKind, KeyNames
from otel_tool_audit.redaction.randomness import looks_random
from otel_tool_audit.redaction.spans import Span
from otel_tool_audit.redaction.work import Work

RULE: Final = "secret-key"

_WORDS: Final = r"pass(?:words?|wd|codes?|phrases?|wort|ord)|pwd|kennwort|wachtwoord|contrasena|senha"
_KEY: Final = r"(?:api|access|auth|bearer|secret|private|session|refresh)[ _-]?(?:key|token)|token"
_GAP: Final = (
    # "**Password:** x", "| password | x |", "password → x", "password - x", "password: |" and a line below, "password x"
    r"(?:[*_`]{0,3}[ \t]{0,2}[:=][ \t]{0,2}[*_]{1,3}[ \t]{1,3}|[*_`]{1,3}[ \t]{0,2}[:=][ \t]{1,3}|[*_`]{0,3}[ \t]{0,32}(?:[|→–—]|->|=>)[ \t]{1,3}|[ \t]-[ \t]"  # noqa: RUF001 - dashes are meant
    r"|[ \t]{0,4}:[ \t]{0,2}[|>]?[+-]?\r?\n[ \t]{1,32}|[ \t]{1,8})"
)
# these read the text in lower case
_NEARBY: Final = re.compile(
    rf"(?<![a-z0-9])(?:(?P<password>{_WORDS})|{_KEY}){_GAP}[\"'`“‘(*]{{0,2}}(?P<value>[^\s\"'`”’*|,;<>()\[\]{{}}]{{6,256}})"  # noqa: RUF001 - likewise
)
_AS_PASSWORD: Final = re.compile(
    rf"(?<!\S)[\"'`]?([^\s\"'`]{{6,128}})[\"'`]?[ ]as[ ](?:(?:the|my|your|his|her|its|their|a|an|new|our)[ ]){{0,2}}(?:{_WORDS}|{_KEY})\b"
)
_CODE: Final = re.compile(
    r"\b(?:(?:otp|totp|cvv2?|cvc2?|cvn|passcode|one[ -]?time (?:pass)?(?:code|word|password)"
    r"|(?:verification|security|login|sign-?in|auth(?:entication|enticator|orization)?|2fa|mfa|sms|backup|recovery) code)"
    r"(?: (?:code|number))?(?: (?:is|was))?[ ]{0,2}[:=#]?[ ]{0,2}[\"'(]?([0-9]{3}[ -]?[0-9]{3}|[0-9]{3,8})"
    r"|your code(?: is|:)[ ]{1,2}([0-9]{4,8})|pin(?: number)?(?: (?:is|was)[: ]{1,2}([0-9]{4,6})|[:= ]{1,3}([0-9]{4})))(?![0-9a-z%/]|[.,:-][0-9])"
)
_STATEMENT: Final = re.compile(
    r"\b(?:identified[ ]{1,4}(?:by|with[ ]{1,4}\S{1,64}[ ]{1,4}(?:by|as))|(?:with|set|encrypted)[ ]{1,4}password)[ ]{1,4}([\"'])((?:(?!\1)[^\r\n]){1,256})\1",
    re.IGNORECASE,
)
_PASSED: Final = re.compile(r"-pass(?:in|out)?[ =]{1,4}pass:(\S{1,256})")
_ELEMENT: Final = re.compile(
    r"<(?:[\w.-]{1,64}:)?([\w.-]{1,64})(?:\s{1,8}[\w:.-]{1,64}\s{0,2}=\s{0,2}(?:\"[^\"<>]{0,256}\"|'[^'<>]{0,256}')){1,16}\s{0,4}>([^<>]{1,2048})</"
)
_PART: Final = re.compile(r"(?:^|[; ])name=\"?([^\"\r\n;]{1,128})\"?[^\r\n]{0,128}\r?\n(?:[^\r\n]{1,256}\r?\n){0,4}\r?\n([^\r\n]{1,2048})")
_FOREIGN: Final = re.compile(
    "(?:парол[ья]|hasło|şifre|lösenord|密码|密碼|口令|パスワード|暗証番号|비밀번호|암호|كلمة المرور|كلمة السر|סיסמה|סיסמא|รหัสผ่าน|पासवर्ड|कूटशब्द|κωδικός πρόσβασης)"
    "[\"'*»]{0,3}\\s{0,3}(?P<said>[:=：＝]|是|は|это|—)?\\s{0,3}[\"'*«「]{0,3}(?P<value>[!-~]{4,256})"  # noqa: RUF001 - likewise
)
_HINTS: Final = frozenset(
    {"pass", "pwd", "token", "secret", "key", "auth", "code", "otp", "cvv", "cvc", "cvn", "pin", "kennwort", "woord", "contrase", "senha"}
)
"""One of them stands in all that is told in words."""

_FAR: Final = 160
"""Characters before a hint that may belong to what it tells; three times as many may follow."""

_CLOSING: Final = ".,;:!?\"'`*)]}"
_NAMES: Final = frozenset(
    "sha1 sha256 sha384 sha512 md5sum base64 base32 oauth2 oauth2.0 utf-8 utf8mb4 pbkdf2 argon2 argon2i argon2id ed25519 aes256 aes-256 rs256 hs256 es256 x509 x.509".split()  # noqa: SIM905 - reads better
)
_LONG_ENOUGH: Final = 12


def find_phrases(text: str, lower: str, names: KeyNames, stems: Sequence[str], work: Work) -> Iterator[Span]:
    """
    Find secrets that stand beside what tells of them.

    Args:
        text: Any text.
        lower: The same in lower case, character by character.
        names: Judges names.
        stems: Those parts of secrets' names that it holds.
        work: Counts what is looked at.
    """
    hints = [stem for stem in stems if stem in _HINTS]
    for start, stop in _windows(lower, hints):
        work.spend(4 * (stop - start))
        yield from _beside(text, lower, start, stop)
    for match in _STATEMENT.finditer(text) if _quoted(text) and (stems or "identified" in lower) else ():
        if not is_placeholder(match[2]):
            yield *match.span(2), RULE
    for match in _PASSED.finditer(text) if " pass:" in lower or "=pass:" in lower else ():
        yield *match.span(1), "command-password"
    if stems:
        yield from _framed(text, names)


def _windows(lower: str, hints: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Give the stretches in which a hint stands: only there the costly patterns look."""
    places: list[int] = []
    for hint in hints:
        at = lower.find(hint)
        while at >= 0:
            places.append(at)
            at = lower.find(hint, at + 1)
    begin = end = 0
    for at in sorted(places):
        if at - _FAR > end:
            if end:
                yield begin, end
            begin = at - _FAR
        end = at + 3 * _FAR
    if end:
        yield begin, end


def _quoted(text: str) -> bool:
    return "'" in text or '"' in text


def _beside(text: str, lower: str, start: int, stop: int) -> Iterator[Span]:
    for match in _CODE.finditer(lower, start, stop) if any(c.isdigit() for c in text[start:stop]) else ():
        yield *match.span(match.lastindex or 0), "code"
    for match in _NEARBY.finditer(lower, start, stop):
        begin, end = match.span("value")
        value = text[begin:end].rstrip(_CLOSING)
        if text[end - 1] != ":" and (_tells(value) if match["password"] else _generated(value)):
            yield begin, begin + len(value), RULE
    for match in _AS_PASSWORD.finditer(lower, start, stop) if text.find(" as ", start, stop) >= 0 else ():
        if _tells(text[match.start(1) : match.end(1)]):
            yield *match.span(1), RULE


def find_foreign(text: str) -> Iterator[Span]:
    """Find passwords behind what other languages call them."""
    for match in _FOREIGN.finditer(text):
        value = match["value"].rstrip(_CLOSING)
        if not is_placeholder(value) and (match["said"] or _tells(value)):
            yield match.start("value"), match.start("value") + len(value), RULE


def _framed(text: str, names: KeyNames) -> Iterator[Span]:
    """Find values that stand in an element with attributes, or in a part of a form."""
    for hint, other, pattern in (("</", "=", _ELEMENT), ("name=", "\n", _PART)):
        for match in pattern.finditer(text) if hint in text and other in text else ():
            value = match[2].strip()
            if value and not is_placeholder(value) and names.judge(match[1]).kind is KeyKind.SECRET:
                start = match.start(2) + match[2].index(value)
                yield start, start + len(value), RULE


def _tells(value: str) -> bool:
    """Tell whether a value beside a password's name is one: letters and digits together, and no name of a method."""
    return (
        any(c.isdigit() for c in value)
        and any(c.isalpha() for c in value)
        and "://" not in value
        and value.lower() not in _NAMES
        and not is_placeholder(value)
    )


def _generated(value: str) -> bool:
    """Tell whether a value beside a token's name is one: models, versions and methods have names with digits, too."""
    if looks_random(value, shortest=_LONG_ENOUGH):
        return True
    return value.isalnum() and _tells(value) and any(c.isupper() for c in value) and any(c.islower() for c in value) and len(value) >= 8  # noqa: PLR2004
