"""
A secret's name with its value after it, in any text: ``password=hunter2``, ``"api_key": "…"``, ``--token abc``, ``curl -u user:pass``.

The text is read word by word, each word judged as a name; only what follows a secret's name is looked at closer, so the time is
linear in the text.

Source: ARCHITECTURE.md (value under secret-like key); RFC 9110, section 11.6.2 (Authorization).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from otel_tool_audit.redaction.keys import KeyKind, KeyName, KeyNames, words
from otel_tool_audit.redaction.randomness import is_placeholder, looks_random
from otel_tool_audit.redaction.spans import Span

RULE: Final = "secret-key"

_WORD_BEFORE: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_WORD: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}+")
_STEMS: Final = (
    "pass", "pwd", "token", "secret", "key", "auth", "cred", "cookie", "ssn", "cvv", "cvc", "jwt", "bearer", "otp", "card", "security",
    "code", "access", "bundle_", "conn", "mnemonic", "phrase", "ccn", "cc_", "contrasena", "senha", "woord", "kennwort",
)  # fmt: skip
"""In lower case: one of them stands in every name of a secret."""

_GENERATED: Final = re.compile(r"[^\s,;]{12,}")
_GENERATED_LEAST: Final = 12
_ONE_TOKEN: Final = re.compile(r"[A-Za-z0-9_+/=.~-]+")
_WINDOW: Final = 64
_SEPARATOR: Final = re.compile(
    r"(?:\\{0,7}[\"'`]?[\])]?(?:[ \t]{1,4}(?:string|str|String|NSString|let|char))?[ \t]{0,12}"
    r"(=>|:=|::=|\?\?=|\|\|=|\?=|\.=|\+=|!=|={1,3}|:|>)[ \t]{0,12}(?:>[ \t]{0,4})?)"
)
_XML_BREAK: Final = re.compile(r"[ \t]{0,16}\r?\n[ \t]{0,32}")
_ARGUMENT: Final = re.compile(r"[\"'`][ \t]{0,4}(,)[ \t]{0,4}")
_TYPE: Final = re.compile(r"(?:string|str|String|NSString|any|char|text)\??[ \t]{0,4}=[ \t]{0,4}")
_QUOTE: Final = re.compile(r"(?:[brfuRBFU@]|[lL]it)?(\\{0,7})([\"'`])")
_UNQUOTED: Final = re.compile(r"[^\s\"'`,;&<>)}\]|\\]+")
_LINE: Final = re.compile(r"[^\"'`\r\n\\<>]+")
_AUTH: Final = re.compile(
    r"(?i)(?:basic|bearer|token|digest|negotiate|apikey|api-key|api-token|key|hmac|aws4-hmac-sha256|sharedkey|sso-key|flyv1)[ \t]{1,4}"
)
_IS: Final = re.compile(r"[\"'`]?\s{1,3}(?:is|was|=|are|to|ist|est|es)\s{1,3}:?\s{0,2}")
_PAIR: Final = re.compile(r"\\{0,7}[\"'`]?\s{0,3}[,;>]?\s{0,40}\\{0,7}[\"'`]?(?:[a-z_]{0,16}value)\\{0,7}[\"'`]?\s{0,4}[:=]\s{0,4}")
_USER: Final = re.compile(r"(?:[ \t]-u|--user|--proxy-user|--user-pass)(?:[ \t=]{1,4}|[ \t]{0,4}\\\r?\n[ \t]{0,16})")
_SHELL_WORD: Final = re.compile(r"(?:\"[^\"\r\n]{0,512}\"|'[^'\r\n]{0,512}'|[^\s\"'])")
_SIGNATURE: Final = re.compile(
    r"(?i)(?:[?&](?:key|code)|\b(?:sig|signature|x-amz-signature|x-goog-signature|x-amz-security-token|client_assertion))=([A-Za-z0-9%+/=_~.-]{16,4096})"
)

_COMMANDS: Final = ("mysql", "mariadb", "sshpass", "redis-cli", "docker login", "podman login", "openssl", "mongo", "cqlsh", "sqlcmd", "zip -")
_OPTION: Final = re.compile(
    r"\b(?:mysql(?:dump|admin)?|mariadb(?:-dump|-admin)?|sshpass|redis-cli|(?:docker|podman) login|openssl \w{2,10}|mongo(?:sh|dump)?|cqlsh|sqlcmd|(?:un)?zip)"
    r"(?:[ \t][^\r\n|;&]{0,128})?[ \t]-(?:p[ \t]?|a[ \t]|k[ \t]|P[ \t])['\"]?([^\s'\"-][^\s'\"]{3,128})"
)
_LONGEST_VALUE: Final = 8_192
_LONGEST_NAME: Final = 128
_PROSE: Final = frozenset({"token", "auth", "cookie", "cookies", "credentials", "credential", "authorization", "bearer", "secret", "tokens", "key"})
_HEADERS: Final = frozenset({"authorization", "auth"})
_MADE_UP_TEXT: Final = "test pass password passwd pwd token secret yyy user username key apikey api_key x-oauth-basic x-token-auth x"
_MADE_UP: Final = frozenset(_MADE_UP_TEXT.split())


def stems_in(lower: str, names: KeyNames) -> list[str]:
    """List the parts of secrets' names that a text in lower case holds."""
    return [stem for stem in (*_STEMS, *names.stems) if stem in lower]


def find_assignments(text: str, lower: str, names: KeyNames, longest: int, stems: Sequence[str]) -> Iterator[Span]:
    """
    Find values that stand after a secret's name.

    Args:
        text: Any text.
        lower: The same in lower case, character by character.
        names: Judges names.
        longest: The length of the longest word.
        stems: What :func:`stems_in` gave.
    """
    done = 0
    for start, end in _named(text, lower, stems, longest):
        if start < done:
            # inside a value that goes as a whole
            continue
        name = text[start:end]
        said = names.judge(name)
        before = _WORD_BEFORE.match(text[max(0, start - _WINDOW) : start - 1][::-1]) if start and text[start - 1] == " " else None
        if before is not None and said.kind is not KeyKind.SECRET:
            # "API key: …": two words that only together name a secret
            joined = names.judge(f"{before.group()[::-1]} {name}")
            said = joined if joined.kind is KeyKind.SECRET else said
        if said.kind is not KeyKind.PLAIN:
            found = _after(text, (start, end), name, said, prose=before is not None)
            if found is not None:
                done = found[1]
                yield found
    if "curl" in lower or "wget" in lower:
        yield from _users(text)
    if "=" in text and any(hint in lower for hint in ("sig", "-token=", "key=", "code=", "assertion=")):
        yield from ((m.start(1), m.end(1), "url-signature") for m in _SIGNATURE.finditer(text) if looks_random(m.group(1)))
    if " -" in text and any(hint in lower for hint in _COMMANDS):
        yield from ((m.start(1), m.end(1), "command-password") for m in _OPTION.finditer(text) if not is_placeholder(m.group(1)))


def _named(text: str, lower: str, stems: Sequence[str], longest: int) -> list[tuple[int, int]]:
    """Where words stand that may name a secret: those with a stem, the word after one, and what precedes a generated value."""
    found: set[tuple[int, int]] = set()
    for stem in stems:
        at = lower.find(stem)
        while at >= 0:
            left = _WORD_BEFORE.match(text[max(0, at - _LONGEST_NAME) : at][::-1])
            start = at - left.end() if left else at
            word = _WORD.match(text, start)
            end = word.end() if word else at + len(stem)
            found.add((start, end))
            follower = _WORD.match(text, end + 1) if text[end : end + 1] == " " else None
            if follower:
                found.add(follower.span())
            at = lower.find(stem, max(end, at + len(stem)))
    if ("=" in text or ":" in text) and longest >= _GENERATED_LEAST:
        for value in _GENERATED.finditer(text):
            if "://" not in value.group() and any(c.isdigit() for c in value.group()[:_LONGEST_NAME]):
                found.update(w.span() for w in _WORD.finditer(text, max(0, value.start() - _WINDOW), min(value.end(), value.start() + _WINDOW)))
    return sorted(found)


def is_generated_value(value: str, *, provider: bool) -> bool:
    """
    Tell whether a value is a secret when its name only may be a secret's.

    Args:
        value: One token.
        provider: Whether the name is that of a service that gives out keys.
    """
    return _ONE_TOKEN.fullmatch(value) is not None and looks_random(value, shortest=12 if provider else 16)


def _after(text: str, at: tuple[int, int], name: str, said: KeyName, *, prose: bool) -> Span | None:
    start, end = at
    separator = _SEPARATOR.match(text, end) or (_ARGUMENT.match(text, end) if text[start - 2 : start - 1] == "(" else None)
    if separator is None:
        found = _spoken(text, end, name, said)
    elif separator.group(1) == ">" and text[start - 1 : start] not in ("<", ""):
        found = None
    else:
        found = _value(text, separator.end(), separator.group(1), _last(name))
        quoted = found is not None and text[found[0] - 1 : found[0]] in ('"', "'", "`")
        plain = found is not None and text[found[0] : found[1]].rstrip(".,;:!?").isalpha()
        if (
            prose
            and plain
            and not quoted
            and separator.group(1) == ":"
            and _last(name) in _PROSE
            and text[start - 2 : start - 1] not in ("-", "{", ",")
        ):
            found = None
    if found is None or found[0] >= found[1]:
        return None
    value = text[found[0] : found[1]]
    if is_placeholder(value):
        return None
    if said.kind is KeyKind.SUSPECT and not is_generated_value(value.strip(), provider=said.provider):
        return None
    return found[0], found[1], RULE


def _last(name: str) -> str:
    found = words(name)
    return found[-1] if found else ""


def _spoken(text: str, end: int, name: str, said: KeyName) -> tuple[int, int] | None:
    """What stands after a name without a separator: ``--token abc``, ``name: TOKEN, value: abc``, ``my password is hunter2``."""
    if said.kind is KeyKind.SECRET and name.startswith("-") and text[end : end + 1] in (" ", "\t") and name.strip("-"):
        found = _value(text, end + 1, " ", _last(name))
        return None if found is None or text[found[0]] == "-" else found
    pair = _PAIR.match(text, end)
    if pair is not None:
        return _value(text, pair.end(), "=", "")
    spoken = _IS.match(text, end) if said.kind is KeyKind.SECRET else None
    if spoken is None:
        return None
    found = _value(text, spoken.end(), " ", "")
    if found is None:
        return None
    value = text[found[0] : found[1]].rstrip(".,;:!?")
    # "password is required" tells nothing, "password is hunter2" does
    telling = len(value) > 3 and (any(c.isdigit() for c in value) or not value.replace("-", "").replace("'", "").isalpha())  # noqa: PLR2004
    return (found[0], found[0] + len(value)) if telling else None


def _value(text: str, at: int, separator: str, last: str) -> tuple[int, int] | None:
    """Find where a value begins and ends: inside its quotes, to the end of a header, or of a word."""
    typed = _TYPE.match(text, at)
    at = typed.end() if typed else at
    if separator == ">":
        broken = _XML_BREAK.match(text, at)
        at = broken.end() if broken else at
    quote = _QUOTE.match(text, at)
    if quote:
        return _quoted(text, quote)
    if last in _HEADERS:
        scheme = _AUTH.match(text, at)
        at = scheme.end() if scheme else at
    if last == "cookie":
        line = _LINE.match(text, at, at + _LONGEST_VALUE)
        return (at, line.end()) if line else None
    word = _UNQUOTED.match(text, at, at + _LONGEST_VALUE)
    if word is None:
        return None
    value = word.group()
    inner = _QUOTE.match(text, word.end()) if value.endswith("(") else None
    if inner:
        # a value that is wrapped: token=SecretStr('…')
        return _quoted(text, inner)
    # a sentence's full stop and an ellipsis are not the value's
    end = word.end() - (1 if value.endswith((".", ":")) and not value.endswith("..") else 0)
    return at, end


def _quoted(text: str, quote: re.Match[str]) -> tuple[int, int] | None:
    start = quote.end()
    closing = quote.group(1) + quote.group(2)
    stop = text.find(closing, start, start + _LONGEST_VALUE)
    while stop > start and not quote.group(1) and text[stop - 1] == "\\":
        stop = text.find(closing, stop + 1, start + _LONGEST_VALUE)
    if stop < 0:
        word = _UNQUOTED.match(text, start, start + _LONGEST_VALUE)
        return (start, word.end()) if word else None
    scheme = _AUTH.match(text, start, stop)
    return (scheme.end() if scheme else start), stop


def _users(text: str) -> Iterator[Span]:
    """Find passwords in ``-u user:password``."""
    for match in _USER.finditer(text):
        pieces: list[tuple[int, int]] = []
        at = match.end()
        while len(pieces) < _LONGEST_NAME and (piece := _SHELL_WORD.match(text, at)):
            pieces.append(piece.span())
            at = piece.end()
        whole = text[match.end() : at]
        user, colon, password = whole.partition(":")
        bare_user, bare = user.strip("\"'"), password.strip("\"'")
        if not colon or (is_placeholder(user) and bare_user) or _made_up(bare):
            if colon and not bare and _could_be_one(bare_user):
                begin = match.end() + user.index(bare_user)
                yield begin, begin + len(bare_user), "curl-user"
            continue
        begin = match.end() + len(user) + 1 + password.index(bare)
        yield begin, begin + len(bare), "curl-user"


def _could_be_one(user: str) -> bool:
    # a key given as the user, with no password after it
    return len(user) >= 8 and any(c.isdigit() for c in user) and (user.lower() != user or not user.isalnum())  # noqa: PLR2004


def _made_up(password: str) -> bool:
    return not password or is_placeholder(password) or password.lower() in _MADE_UP
