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

from otel_tool_audit.redaction.extents import around, line_end, quoted, unquoted
from otel_tool_audit.redaction.judging import is_placeholder, is_secret_value, is_sentence
from otel_tool_audit.redaction.keys import KeyKind, KeyNames, words_of
from otel_tool_audit.redaction.randomness import looks_random
from otel_tool_audit.redaction.spans import Span
from otel_tool_audit.redaction.speech import find_spoken
from otel_tool_audit.redaction.work import Work

RULE: Final = "secret-key"

_WORDS: Final = r"pass(?:words?|wd|codes?|phrases?|wort|ord)|pwd|kennwort|wachtwoord|contrase[nñ]a|senha|mot de passe"
_KEY: Final = r"(?:api|access|auth|bearer|secret|private|session|refresh)[ _-]?(?:key|token)|token|secret"
_GAP: Final = (
    # "**Password:** x", "| password | x |", "password → x", "password - x", "password: |" and a line below, "password x"
    r"(?:[*_`]{0,3}[ \t]{0,2}[:=][ \t]{0,2}[*_]{1,3}[ \t]{1,3}|[*_`]{1,3}[ \t]{0,2}[:=][ \t]{1,3}|[*_`]{0,3}[ \t]{0,32}(?:[|→–—]|->|=>)[ \t]{1,3}|[ \t]-[ \t]"  # noqa: RUF001 - dashes are meant
    r"|[ \t]{0,4}:[ \t]{0,2}[|>]?[+-]?\r?\n[ \t]{1,32}|[ \t]{1,8})"
)
# these read the text in lower case
_NEARBY: Final = re.compile(
    rf"(?<![a-z0-9])(?:(?P<password>{_WORDS})|{_KEY}){_GAP}[\"'`“‘(*]{{0,2}}(?P<value>[^\s\"'`”’*|,;<>()\[\]{{}}]{{6,256}})"  # noqa: RUF001 - likewise
)
_TOLD: Final = re.compile(
    rf"(?<![a-z0-9])(?:(?P<password>(?P<pin>pin)|{_WORDS})|{_KEY})(?: (?:for|of|on|für|von|de|del|pour|di|da) \S{{1,64}}(?: \S{{1,64}})?)?"
    r"(?: (?:(?:(?:was|is|has been) )?(?:set|changed|reset|updated) (?:to|from)|is now|is|was|lautet|ist|est|es|è|will be|should be|to))"
    r"[ ]{1,3}[\"'`“‘]?(?P<value>[^\s\"'`”’|,;<>()\[\]{}]{4,256})"  # noqa: RUF001 - likewise
)
"""What a sentence says the password is, with its owner or a change told of in between."""

_SAID_TO_SERVER: Final = re.compile(
    r"(?m)^[^\w\n]{0,8}(?:[A-Za-z]?[0-9]{1,6} )?(?:PASS|AUTH(?: (?:LOGIN|PLAIN|[a-z]{1,32}))?|LOGIN \S{1,128})[ ]{1,2}\"?([^\s\"/.]{4,256})\"?[ ]{0,2}\r?$"
)
_CALLED: Final = re.compile(r"\b((?:set|Set|update|with|change)_?[A-Za-z_]{2,48})\([ ]{0,2}([\"'])((?:(?!\2)[^\n\\]){4,256})(?:\2[ ]{0,2}\)|$)")
_TYPED_INTO: Final = re.compile(
    r"([\"'])((?:(?!\1)[^\n]){2,128})\1[ ]{0,2}(?:,|\){1,3}[ ]{0,2}\.[ ]{0,2}(?:fill|type|send_?keys|sendKeys|press_sequentially|pressSequentially|set_?value|setValue)\()"
    r"[ ]{0,2}([\"'])((?:(?!\3)[^\n]){1,256})(?:\3|$)"
)
_FILLS: Final = re.compile(r"\b(?:fill|type|input_text|fill_in|press_sequentially|pressSequentially|setValue|set_value)\([ ]{0,2}$")
_LOGGED_IN: Final = re.compile(
    r"\b(?:NetworkCredential|HTTPBasicAuth|BasicAuth|UsernamePassword\w{0,24}|\w{0,24}Credentials?|basic_auth|set_basic_auth|auth=|auth:|\.login|\.authenticate)[ ]?"
    r"[(\[][ ]{0,2}[\"'][^\"'\n]{1,128}[\"'],[ ]{0,2}([\"'])((?:(?!\1)[^\n]){1,256})(?:\1|$)"
)
_SIGNS_OF_LOGIN: Final = (".login(", ".authenticate(", "Credential", "BasicAuth", "basic_auth", "auth=", "auth:")
_DIRECTIVE: Final = re.compile(
    r"(?m)^[ \t]{0,64}+(?:(?:proxy_set_header|RequestHeader set|Header set|add_header)[ \t]{1,8})?(?P<name>[A-Za-z][\w.-]{1,63}+)[ \t]{1,16}+"
    r"(?P<value>[^\s\"'/.;=:|]{6,256}+|\"[^\"\n]{6,256}+\"|'[^'\n]{6,256}+');?[ \t]{0,4}\r?$"
)
"""A line of a configuration file that has a name and a value, and no sign between them."""

_PROPERTY: Final = re.compile(r"<key>([^<>]{1,128})</key>\s{0,64}<string>([^<]{1,4096})(?:</string>|$)")
_VALIDATED: Final = re.compile(r"(?m)^([A-Za-z_][\w.]{0,128})\r?\n[ \t]{1,8}[^\n]{1,512}?\binput_value=([\"'])(?=([^\n]{1,4096}))")
_INPUT_TYPE: Final = re.compile(r"[\"'], input_type=")
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
    r"\b(?:identified[ ]{1,4}(?:by|with[ ]{1,4}\S{1,64}[ ]{1,4}(?:by|as))|(?:with|set|encrypted)[ ]{1,4}password|convertto-securestring(?:[ ]{1,3}-string)?)[ ]{1,4}([\"'])((?:(?!\1)[^\r\n]){1,256})(?:\1|$)",
    re.IGNORECASE,
)
_PASSED: Final = re.compile(r"-pass(?:in|out)?[ =]{1,4}pass:(\S{1,256})")
_ELEMENT: Final = re.compile(
    r"<(?:[\w.-]{1,64}:)?([\w.-]{1,64})(?:\s{1,8}[\w:.-]{1,64}\s{0,2}=\s{0,2}(?:\"[^\"<>]{0,256}\"|'[^'<>]{0,256}')){1,16}\s{0,4}>([^<>]{1,2048})</"
)
_PART: Final = re.compile(r"(?:^|[; ])name=\"?([^\"\r\n;]{1,128})\"?[^\r\n]{0,128}\r?\n(?:[^\r\n]{1,256}\r?\n){0,4}\r?\n([^\r\n]{1,2048})")
_FOREIGN: Final = re.compile(
    "(?P<name>парол[ья]|hasło|şifre|lösenord|密码|密碼|口令|パスワード|暗証番号|비밀번호|암호|كلمة المرور|كلمة السر|סיסמה|סיסמא|รหัสผ่าน|पासवर्ड|कूटशब्द|κωδικός πρόσβασης)"
    "[\"'*»]{0,3}\\s{0,3}(?:(?:is|was)(?=:))?(?P<said>[:=：＝]|是|は|это|—)?\\s{0,3}[\"'*«「]{0,3}(?P<value>[!-~]{4,256})"  # noqa: RUF001 - likewise
)
_COLONS: Final = (":", "=", "：", "＝")  # noqa: RUF001 - wide signs are meant
STATEMENTS: Final = ("identified", "securestring")
"""One of them stands in a statement that says a password without its name."""

_HINTS: Final = words_of("phrases.hints")
"""One of them stands in all that is told in words."""

_FAR: Final = 160
"""Characters before a hint that may belong to what it tells; three times as many may follow."""

_CLOSING: Final = ".,;:!?\"'`*)]}"
_NAMES: Final = words_of("phrases.names")
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
        yield from find_spoken(text, lower, start, stop)
    for match in _STATEMENT.finditer(text) if _quoted(text) and (stems or any(hint in lower for hint in STATEMENTS)) else ():
        if not is_placeholder(match[2]):
            yield *match.span(2), RULE
    for match in _PASSED.finditer(text) if " pass:" in lower or "=pass:" in lower else ():
        yield *match.span(1), "command-password"
    if "PASS" in text or "AUTH" in text or "LOGIN" in text:
        yield from ((*match.span(1), RULE) for match in _SAID_TO_SERVER.finditer(text) if is_telling_password(match[1]))
    if any(sign in text for sign in _SIGNS_OF_LOGIN):
        for match in _LOGGED_IN.finditer(text):
            if not is_placeholder(match[2]) and not match[2].isalpha():
                yield *match.span(2), RULE
    if stems:
        yield from _framed(text, names)
        yield from _called(text, names)
        yield from _directed(text, names)


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
        if text[end - 1] != ":" and (is_telling_password(value) if match["password"] else is_generated(value)):
            yield begin, begin + len(value), RULE
    for match in _TOLD.finditer(lower, start, stop):
        begin, end = match.span("value")
        value = text[begin:end].rstrip(_CLOSING)
        if (
            (is_telling_password(value) and len(value) >= _SHORTEST_TOLD)
            if match["password"] and not value.isdecimal()
            else (value.isdecimal() if match["pin"] else is_generated(value))
        ):
            yield begin, begin + len(value), RULE
    for match in _AS_PASSWORD.finditer(lower, start, stop) if text.find(" as ", start, stop) >= 0 else ():
        if is_telling_password(text[match.start(1) : match.end(1)]):
            yield *match.span(1), RULE


def find_foreign(text: str) -> Iterator[Span]:
    """Find passwords behind what other languages call them."""
    for match in _FOREIGN.finditer(text):
        at = match.start("value")
        line = around(text, match.start(), match.end("name"))
        if match["said"] in _COLONS and (text[at - 1] in "\"'" or line.opens or not is_sentence(text[at : line_end(text, at, 256)], "")):
            whole = quoted(text, at - 1) if text[at - 1] in "\"'" else unquoted(text, at, line, separator=":", to_line_end=True, look=512)
            if whole is not None and not is_placeholder(text[whole.start : whole.end]):
                yield whole.start, whole.end, RULE
                continue
        value = match["value"].rstrip(_CLOSING)
        if not is_placeholder(value) and (match["said"] or is_telling_password(value)):
            yield match.start("value"), match.start("value") + len(value), RULE


def _framed(text: str, names: KeyNames) -> Iterator[Span]:
    """Find values that stand in an element with attributes, or in a part of a form."""
    for hint, other, pattern in (("</", "=", _ELEMENT), ("name=", "\n", _PART)):
        for match in pattern.finditer(text) if hint in text and other in text else ():
            value = match[2].strip()
            said = names.judge(match[1])
            if value and (said.kind is KeyKind.SECRET or said.kind is KeyKind.LIKELY) and is_secret_value(value, said):
                start = match.start(2) + match[2].index(value)
                yield start, start + len(value), RULE


def _called(text: str, names: KeyNames) -> Iterator[Span]:
    """Find values that a program sets, or types into a password's field."""
    for match in _CALLED.finditer(text) if _quoted(text) and "(" in text else ():
        if names.judge(match[1]).kind is KeyKind.SECRET and not is_placeholder(match[3]):
            yield *match.span(3), RULE
    for match in _TYPED_INTO.finditer(text) if _quoted(text) and "(" in text else ():
        into = match[0][match.end(2) - match.start() :]
        if ("(" in into or _FILLS.search(text, max(0, match.start() - 32), match.start())) and not is_placeholder(match[4]):
            field = _NOT_NAME.sub(" ", match[2]).strip()
            if names.judge(field).kind is KeyKind.SECRET:
                yield *match.span(4), RULE


def _directed(text: str, names: KeyNames) -> Iterator[Span]:
    """Find values that a configuration file has behind a name, properties, and invalid values that a program shows."""
    for match in _DIRECTIVE.finditer(text):
        if names.judge(match["name"]).kind is KeyKind.SECRET and is_telling_password(match["value"].strip("\"'")):
            yield *match.span("value"), RULE
    for match in _PROPERTY.finditer(text) if "<key>" in text else ():
        if names.judge(match[1]).kind is KeyKind.SECRET and not is_placeholder(match[2]):
            yield *match.span(2), RULE
    for match in _VALIDATED.finditer(text) if "input_value=" in text else ():
        if names.judge(match[1].rpartition(".")[2]).kind is not KeyKind.SECRET:
            continue
        begin = match.start(3)
        closing = _INPUT_TYPE.search(text, begin, match.end(3))
        if not is_placeholder(text[begin : closing.start() if closing else match.end(3)]):
            yield begin, closing.start() if closing else match.end(3), RULE


_NOT_NAME: Final = re.compile(r"[^A-Za-z0-9_-]+")
_SHORTEST_TOLD: Final = 6


def is_telling_password(value: str) -> bool:
    """Tell whether a value beside a password's name is one: letters and digits together, and no name of a method."""
    return (
        any(c.isdigit() for c in value)
        and any(c.isalpha() for c in value)
        and "://" not in value
        and value.lower() not in _NAMES
        and not is_placeholder(value)
    )


def is_generated(value: str) -> bool:
    """Tell whether a value beside a token's name is one: models, versions and methods have names with digits, too."""
    if looks_random(value, shortest=_LONG_ENOUGH):
        return True
    return value.isalnum() and is_telling_password(value) and any(c.isupper() for c in value) and any(c.islower() for c in value) and len(value) >= 8  # noqa: PLR2004
