"""
Removing secrets and personal data from one text.

Pure and linear: a cheap look decides whether a text can hold anything at all; then each rule whose literals occur is run once.

Source: DESIGN, "Sanitizing".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from otel_tool_audit.sanitize import validators as valid
from otel_tool_audit.sanitize.keys import KeyNames, KeyKind, is_weak_key_name, name_is_secret
from otel_tool_audit.sanitize.patterns import PII_RULES, SECRET_RULES, Rule
from otel_tool_audit.sanitize.phones import find_phones
from otel_tool_audit.sanitize.values import MARK

_SUSPECT = re.compile(r"[@=:~]|[0-9][0-9 .()/-]{5}|[A-Za-z0-9_+/-]{16}|sk-|[sS]{2}[nN]|-u|\bis\b")
"""What no harmless short text has: without any of it no rule can match."""

_NAME_HINTS: Final = (
    "pass", "pwd", "secret", "token", "key", "auth", "cred", "cvv", "cvc", "cookie", "jwt", "otp", "dsn", "ssn", "access", "pin", "card", "mnemonic", "bearer",
)  # fmt: skip
_ASSIGNED = re.compile(r"""(?P<name>[A-Za-z_][\w.\-]{0,80})(?P<between>\\{0,4}["'`\]]{0,2}\s{0,8}(?::=|=>|->|=|:|\bis\b)\s{0,8}\\{0,4}["'`]{0,3})(?P<v>[^\s"'`,;&<>(){}\[\]\\]{1,4096})""")
_QUOTED = re.compile(r"""(?P<q>["'])(?P<v>[^"'\\\n]{1,4096})(?P=q)""")
_FLAG = re.compile(r"(?:^|\s)--?(?P<name>[A-Za-z][\w-]{1,60})[ =](?P<v>[^\s\"'-][^\s\"']{2,512})")
_PEM_BEGIN: Final = "-----BEGIN "
_PEM_LABEL = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_LEAST: Final = 40

Count = Callable[[str, int], None]
"""Takes a rule's name and how often it removed something."""


class Texts:
    """Cleans texts by all rules."""

    def __init__(self, names: KeyNames) -> None:
        self._names = names

    def clean(self, text: str, count: Count, *, pii: bool = True, phone: bool = False) -> str:
        """
        Remove what must not be stored.

        Args:
            text: Any text.
            count: Hears what was removed.
            pii: Whether personal data counts, besides secrets.
            phone: Whether the text is known to be a telephone number.

        Returns:
            The same object when nothing was found.
        """
        if not phone and _SUSPECT.search(text) is None:
            return text
        lower = text.lower()
        if _PEM_BEGIN in text:
            text = _without_pem(text, count)
        for rule in SECRET_RULES:
            if any(hint in lower for hint in rule.hints):
                text = _without(rule, text, count)
        if any(hint in lower for hint in _NAME_HINTS):
            text = self._without_assigned(text, count)
        if pii:
            text = _without_pii(text, lower, count, phone=phone)
        return text

    def _without_assigned(self, text: str, count: Count) -> str:
        """Remove values that stand under the name of a secret, whatever the notation: ``password=…``, ``"api_key": "…"``, ``--token …``."""
        pieces: list[str] = []
        at = 0
        for pattern in (_ASSIGNED, _FLAG):
            at, pieces = 0, []
            search = 0
            while (match := pattern.search(text, search)) is not None:
                start, end = self._secret_value(text, match)
                if end <= start:
                    # a value that is itself a name may begin the next assignment
                    search = max(match.start("v"), match.start() + 1)
                    continue
                pieces += [text[at:start], MARK]
                at = search = end
                count("value-of-secret-name", 1)
            if pieces:
                text = "".join(pieces) + text[at:]
        return text

    def _secret_value(self, text: str, match: re.Match[str]) -> tuple[int, int]:
        name, value = match["name"], match["v"]
        start, end = match.span("v")
        secret = name_is_secret(name) or self._names.kind(name) is KeyKind.SECRET
        groups = match.re.groupindex
        between = match["between"] if "between" in groups else ""
        if between.rstrip("\\").endswith(("'", '"')) and (secret or is_weak_key_name(name)):
            # a quoted value may hold blanks: it ends at its own quote
            quote = between.rstrip("\\")[-1]
            close = text.find(quote, start)
            if 0 < close - start <= 4096 and "\n" not in text[start:close]:
                end = close - (1 if text[close - 1] == "\\" else 0)
                value = text[start:end]
        if value.startswith("***") or valid.is_placeholder(value):
            return start, start
        if secret:
            harmless = " is" in between and not any(c.isdigit() for c in value)
            return (start, start) if harmless or len(value) < 2 or _is_prose(text, between, value) else (start, end)
        if is_weak_key_name(name) and valid.is_strong(value):
            return start, end
        return start, start


def _is_prose(text: str, between: str, value: str) -> bool:
    """Tell ``Token: the quick brown fox`` from a value: a plain lower-case word after a colon and a blank, unquoted."""
    return between.strip() == ":" and between.endswith(" ") and value.isalpha() and value.islower() and len(value) < 12


def _without(rule: Rule, text: str, count: Count) -> str:
    pieces: list[str] = []
    at = 0
    for match in rule.pattern.finditer(text):
        start, end = match.span("v")
        found = match["v"]
        if found.startswith("***") or (rule.accept is not None and not rule.accept(found)):
            continue
        pieces += [text[at:start], MARK]
        at = end
    if not pieces:
        return text
    count(rule.name, len(pieces) // 2)
    return "".join(pieces) + text[at:]


def _without_pem(text: str, count: Count) -> str:
    pieces: list[str] = []
    at = search = 0
    while (begin := _PEM_LABEL.search(text, search)) is not None:
        end = text.find("-----END ", begin.end())
        close = text.find("-----", end + 9) if end >= 0 else -1
        stop = close + 5 if close >= 0 else len(text)
        search = begin.end()
        if stop - begin.end() >= _PEM_LEAST + 20:
            pieces += [text[at : begin.start()], MARK]
            at = search = stop
            count("private-key", 1)
    return "".join(pieces) + text[at:] if pieces else text


def _without_pii(text: str, lower: str, count: Count, *, phone: bool) -> str:
    for rule in PII_RULES:
        if not rule.hints or rule.hints[0] in lower:
            text = _without(rule, text, count)
    pieces: list[str] = []
    at = 0
    for start, end in find_phones(text, marked=phone):
        pieces += [text[at:start], MARK]
        at = end
    if not pieces:
        return text
    count("phone", len(pieces) // 2)
    return "".join(pieces) + text[at:]
