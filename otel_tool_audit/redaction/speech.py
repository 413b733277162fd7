"""
Passwords and keys that a sentence tells: ``log in with bob / …``, ``use … as the key``, ``the new one is …``, ``it's …, don't share it``.

Only where a word of secrets stands near (the texts' windows), and only what looks like a password: letters and digits in one word, and
either a sign or both cases among them. Every pattern is bounded, so the time is linear in the text.

Source: ARCHITECTURE.md, R3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from otel_tool_audit.redaction.spans import Span

RULE: Final = "secret-key"

_V: Final = r"[\"'`“‘]?(?P<value>[^\s\"'`”’|,;<>()\[\]{}/]{6,128})"  # noqa: RUF001 - quotes are meant
_W: Final = r"(?:password|passwd|passcode|passphrase|passwort|kennwort|contraseña|contrasena|clave|mot de passe|pass|pwd|pw|(?:api |access |secret |auth |bearer )?(?:key|token)|secret|pin|credentials?|creds)"
_ITS: Final = r"(?:it's|it is|its|the new one is|new one is|new one:|here (?:it )?is|this is|take this|try|c'est|es ist|die neue ist|das neue ist|la nueva es|le nouveau est)"
_OWNED: Final = r"(?:(?:the|my|your|our|his|her|its|their|a|an|new|old|admin|root|master|api|access|das|dein|mein|le|la|el|mi|mon|tu)[ ]){0,3}"
_FORWARD: Final = re.compile(
    # "use x as the key", "try x for the password", "x is my new password", "enter x when it asks for the password", "type x at the password prompt"
    rf"(?<!\S){_V}[\"'`”’]?,?[ ](?:(?:as|als|como|comme|for|is|ist|es|est|is now)[ ]{_OWNED}|(?:that is|that's|which is)[ ]{_OWNED}|the[ ]{_OWNED}|"  # noqa: RUF001 - quotes are meant
    rf"(?:when|if|once|wenn|cuando|quand)[ ][^.\n]{{0,32}}?|at the |into the )(?P<word>{_W})(?![\w-])"
)
_BACKWARD: Final = re.compile(
    # the word first, and the value after what the sentence says of it: "my token, it's x", and what is asked for, entered or new
    rf"(?<![\w-])(?P<word>{_W})(?![\w-])(?:[ ]\([^()\n]{{1,48}}\))?(?:[?:,.]?[ ]{{1,2}}|[^.\n\"']{{0,48}}?(?:[,;:.]|[ ](?:is|was|are|and|ist|es|est|lautet))[ ])"
    rf"(?:[^.\n\"']{{0,32}}?{_ITS}[ ]|(?:enter|type|use|try|is|new (?:key|token|password) (?:is|:))[ ]|key is[ ])?{_V}"
)
_LOGIN: Final = re.compile(
    rf"(?i)(?<![\w-])(?:log(?:ged)?[ -]?in|login|sign(?:ed)?[ -]?in|signin|creds?|credentials|authenticate|connect|melde dich|anmelden|inicia sesión|connecte-toi|connexion)(?![\w-])"
    rf"[^.\n\"']{{0,24}}?[ :](?:[\w.@+-]{{1,64}}[ ]?(?:/|and|und|y|et|with|:|,)[ ]?|(?<=with )|(?<=using )){_V}"
)


def find_spoken(text: str, lower: str, start: int, stop: int) -> Iterator[Span]:
    """
    Find what sentences tell.

    Args:
        text: Any text.
        lower: The same in lower case, character by character.
        start: Where to look.
        stop: As far.
    """
    for pattern in (_FORWARD, _BACKWARD):
        yield from _chosen(text, pattern.finditer(lower, start, stop))


def find_logins(text: str, words: str) -> Iterator[Span]:
    """
    Find what stands behind a user in a sentence that tells how to log in.

    Args:
        text: Any text.
        words: Its words in lower case.
    """
    if any(hint in words for hint in _LOGIN_HINTS):
        yield from _chosen(text, _LOGIN.finditer(text))


_LOGIN_HINTS: Final = ("log", "sign", "cred", "authentic", "melde", "inicia", "connect")


def _chosen(text: str, matches: Iterator[re.Match[str]]) -> Iterator[Span]:
    for match in matches:
        begin, end = match.span("value")
        value = text[begin:end].rstrip(".,;:!?*)")
        if _looks_chosen(value):
            yield begin, begin + len(value), RULE


_WORD: Final = r"(?:[A-Z]?[a-z]+|[A-Z]{1,8}|(?:[A-Z]{1,3}[a-z]{2,16}){1,4})"
_NAMES: Final = re.compile(
    rf"{_WORD}(?:[-_.]?v?[0-9.]{{1,8}}[a-z]?)?(?:[-_.](?:{_WORD}|[0-9.]{{1,8}}[a-zA-Z]?)){{0,6}}|[0-9]{{1,40}}(?:[-_.:][0-9]{{1,40}}){{0,20}}[a-zA-Z]{{0,3}}"
)


def _looks_chosen(value: str) -> bool:
    """Tell whether a word is one that nobody would say otherwise: letters and digits, with a sign or with both cases, and no numbered name."""
    return (
        any(c.isdigit() for c in value)
        and any(c.isalpha() for c in value)
        and "://" not in value
        and "***" not in value
        and (_STRONG.search(value) is not None or (any(c.isupper() for c in value[1:]) and any(c.islower() for c in value)))
        and _NAMES.fullmatch(value) is None
    )


_STRONG: Final = re.compile(r"[!?#$%&*+~^@=]|[A-Za-z][-_.][0-9]|[0-9][-_.][A-Za-z]")
