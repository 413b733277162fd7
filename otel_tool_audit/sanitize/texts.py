"""
One text, all rules, in linear time.

Most texts hold nothing: the first look costs a few searches for a character or a stem, and only what they find is looked at closer.

Source: DESIGN.md, section 6.
"""

from __future__ import annotations

from typing import Final

from otel_tool_audit.sanitize.assignments import find_assignments, is_generated_value
from otel_tool_audit.sanitize.keys import KeyName, KeyNames
from otel_tool_audit.sanitize.personal import find_personal
from otel_tool_audit.sanitize.secrets import find_secrets
from otel_tool_audit.sanitize.shapes import SHORTEST
from otel_tool_audit.sanitize.spans import Span, replace

_STEMS: Final = (
    "pass", "pwd", "token", "secret", "key", "auth", "cred", "cookie", "ssn", "cvv", "cvc", "jwt", "bearer", "otp", "card", "social",
    "security", "code", "access", "bundle_", "connection", "mnemonic", "phrase", "ccn", "cc ", "cc_", "basic", "pin", "curl", "wget",
    "sig", "contrasena", "senha", "conn",
)  # fmt: skip
_PROVIDED: Final = 12
_PASSES: Final = 4
_SHORTEST_TEXT: Final = 5


class Texts:
    """Finds and replaces what must not be kept in a text."""

    __slots__ = ("_stems", "names")

    def __init__(self, names: KeyNames) -> None:
        """Clean with *names* as the judge of what stands before a value."""
        self.names = names
        self._stems = (*_STEMS, *names.stems)

    def clean(self, text: str, *, typed: bool = True, hinted: bool = False) -> tuple[str, list[str]]:
        """
        Replace what must not be kept.

        Args:
            text: Any text that UTF-8 can hold.
            typed: Whether personal data counts, or only secrets.
            hinted: Whether the name the text is kept under tells of a telephone number.

        Returns:
            The text, the same object when nothing was found, and the rule of each mark.
        """
        rules: list[str] = []
        if len(text) < _SHORTEST_TEXT:
            return text, rules
        for _ in range(_PASSES):
            # what was replaced may have kept two numbers apart, or together
            spans = self._find(text, typed=typed, hinted=hinted)
            if not spans:
                break
            text, found = replace(text, spans)
            rules += found
        return text, rules

    def _find(self, text: str, *, typed: bool, hinted: bool) -> list[Span]:
        spans: list[Span] = []
        lower = text.lower()
        spans += find_secrets(text, lower)
        if self._may_assign(text, lower):
            spans += find_assignments(text, lower, self.names)
        if typed:
            spans += find_personal(text, hinted=hinted)
        return spans

    def _may_assign(self, text: str, lower: str) -> bool:
        for stem in self._stems:
            if stem in lower:
                return True
        return ("=" in text or ":" in text) and len(text) > SHORTEST + _PROVIDED and max(map(len, text.split()), default=0) >= SHORTEST

    def is_suspicious(self, value: str, said: KeyName) -> bool:
        """Tell whether a value is a secret when only its look can tell (``HEROKU_KEY``)."""
        return is_generated_value(value, provider=said.provider)
