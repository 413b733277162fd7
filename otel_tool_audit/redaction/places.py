"""
Secrets that only their place in a notation tells: a default of a variable, a Wi-Fi code, a switch, a line of a password file, a here-string.

Each rule waits for a word that stands in its notation, and every pattern is bounded, so the time is linear in the text.

Source: PostgreSQL, "The Password File"; MySQL, "SET PASSWORD Statement"; ZXing, "Barcode Contents" (Wi-Fi); chpasswd(8); Bash, "Here Strings".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from otel_tool_audit.redaction.judging import is_placeholder
from otel_tool_audit.redaction.keys import KeyKind, KeyNames
from otel_tool_audit.redaction.phrases import is_generated, is_telling_password
from otel_tool_audit.redaction.spans import Span

RULE: Final = "secret-key"
_COMMAND: Final = "command-password"

_DEFAULT: Final = re.compile(
    r"(?i)\b(?:getenv|environ\.get|environ\.setdefault|env(?:iron)?(?:\.(?:get|fetch|str))?)\([ ]?[\"']([\w.]{1,64})[\"'][ ]?"
    r"(?:,[ ]?|\)[ ]{0,2}(?:or|\|\||\?\?|\?:)[ ]{0,2})(?:default=)?([\"'])((?:(?!\2)[^\n\\]){4,256})(?:\2|$)"
)
_WIFI: Final = re.compile(r"(?i:wifi):(?:[^;\n]{0,128};){0,6}?P:((?:\\.|[^;\\\n]){1,256})")
_SET: Final = re.compile(
    r"(?i)\bset[ ]{1,4}password(?:[ ]{1,4}for[ ]{1,4}[^=\n]{1,128}?)?[ ]{0,4}(?:=|\bto\b)[ ]{0,4}(?:(?:old_)?password[ ]?\([ ]?)?([\"'])((?:(?!\1)[^\n]){1,256})(?:\1|$)"
)
_HERE: Final = re.compile(
    r"(?:\bsudo[ ][^\n]{0,64}?-S\b|\b(?:passwd|chpasswd|cryptsetup|kinit|smbpasswd|su|ssh-add|gpg|openssl|vault login|docker login|gh auth login)\b|-stdin\b|-fd[ =]0|--with-token)"
    r"[^\n|]{0,128}?<<<[ ]{0,2}(?:\"([^\"\n$]{1,256})|'([^'\n]{1,256})|([^\s\"'$;|&]{4,256}))"
)
_SWITCH: Final = re.compile(
    r"(?i)(?<![\w/:.\\])/(?P<name>p|pw|rp|pp|sp|psw|[a-z]{0,12}pass|[a-z]{0,12}pwd|[a-z]{0,12}password):(?P<word>\"[^\"\n]{1,256}\"?|[^\s\"',;]{4,256})"
)
_ACCOUNT: Final = re.compile(r"(?i)[ \"',]/(?:u|ru|user|username|login)[: ]")
_DEFINED: Final = re.compile(r"[A-Za-z_][\w.]{0,64}=")
_PASSWORD_FILE: Final = re.compile(
    r"(?m)^(?:(?=[\w.-]{0,64}[A-Za-z])[\w.-]{1,128}|\*|(?:[0-9]{1,3}\.){3}[0-9]{1,3}):(?:[0-9]{4,5}|\*):(?:(?=[0-9]{0,8}[A-Za-z])[\w.-]{1,64}|\*):[A-Za-z*][\w.@*-]{0,63}:([^\s]{4,256})$"
)
_SOURCE: Final = re.compile(r"[^:\n]{0,128}\.(?:py|js|ts|go|rs|c|cc|cpp|h|java|rb|php|kt|sh|sql|log|md|txt):")
_OF_ACCOUNT: Final = re.compile(r"(?m)^[ \t]{0,16}[a-z_][\w.-]{0,31}:([^\s:]{4,256})$")


def find_places(text: str, lower: str, names: KeyNames) -> Iterator[Span]:
    """
    Find what stands where a notation has its secret.

    Args:
        text: Any text.
        lower: Its words in lower case, once each or oftener: what does not stand there, no rule has to look for.
        names: Judges names.
    """
    if "env" in lower:
        yield from _defaults(text, names)
    if "wifi:" in lower:
        yield from ((*match.span(1), RULE) for match in _WIFI.finditer(text))
    if "password" in lower:
        yield from ((*match.span(2), RULE) for match in _SET.finditer(text) if not is_placeholder(match[2]))
    if "<<<" in lower:
        yield from ((*match.span(last), _COMMAND) for match in _HERE.finditer(text) if not is_placeholder(match[last := match.lastindex or 0]))
    if "/" in lower and ":" in lower:
        yield from _switches(text)
    if text.count(":") >= _PARTS or "chpasswd" in lower:
        yield from _in_lines(text, lower)


def _defaults(text: str, names: KeyNames) -> Iterator[Span]:
    """Find what a program takes where a variable is not set."""
    for match in _DEFAULT.finditer(text):
        value = match[3]
        if is_generated(value) or (names.judge(match[1]).kind is KeyKind.SECRET and not is_placeholder(value)):
            yield *match.span(3), RULE


def _in_lines(text: str, lower: str) -> Iterator[Span]:
    """Find the last part of each line in a list of accounts."""
    for match in _PASSWORD_FILE.finditer(text):
        if (is_telling_password(match[1]) or "pgpass" in lower) and not _SOURCE.match(match[0]):
            yield *match.span(1), RULE
    for match in _OF_ACCOUNT.finditer(text) if "chpasswd" in lower else ():
        if not is_placeholder(match[1]) and match[1] != "RANDOM":
            yield *match.span(1), RULE


_PARTS: Final = 4


def _switches(text: str) -> Iterator[Span]:
    """Find what a program of Windows gets behind a slash: one letter tells little, unless another switch names who logs in."""
    for match in _SWITCH.finditer(text):
        word = match["word"].strip('"')
        long = len(match["name"]) > len("pp")
        told = long or is_telling_password(word) or _ACCOUNT.search(text, max(0, match.start() - 128), match.end() + 128) is not None
        if told and not is_placeholder(word) and not _DEFINED.match(word):
            start = match.start("word") + match["word"].startswith('"')
            yield start, start + len(word), _COMMAND
