"""
One text, all rules, in linear time.

Most texts hold nothing: the first look costs a few searches for a character or a stem, and only what they find is looked at closer.

Source: ARCHITECTURE.md.
"""

from __future__ import annotations

import re
from typing import Final

from otel_tool_audit.redaction.assignments import find_assignments, is_generated_value, stems_in
from otel_tool_audit.redaction.keys import KeyName, KeyNames
from otel_tool_audit.redaction.personal import find_personal
from otel_tool_audit.redaction.phrases import find_phrases
from otel_tool_audit.redaction.secrets import find_secrets
from otel_tool_audit.redaction.spans import Span, replace
from otel_tool_audit.redaction.views import views

_PLAIN: Final = re.compile(r"(?!(?i:pin|cv[vc]|otp|[srp]k_))[A-Za-z_]{0,16}[-_ ]?[0-9]{0,5}")
"""A short word, number or identifier: nothing can match."""

LONGEST_PLAIN: Final = 23
"""Characters of the longest text that :func:`is_plain` looks at."""

is_plain: Final = _PLAIN.fullmatch
"""Whether a short text is a word, number or identifier that no rule can match, unless the name it stands under says more."""

_PROSE: Final = re.compile(r"(?:[A-Za-z]{1,14}[ ,.!?;'\n]{1,3})*[A-Za-z]{0,14}")
"""Words of plain letters, none long: no number, no separator, no key can stand in it."""

_PASSES: Final = 4
_SHORTEST_TEXT: Final = 5


class Texts:
    """Finds and replaces what must not be kept in a text."""

    __slots__ = ("names",)

    def __init__(self, names: KeyNames) -> None:
        """Clean with *names* as the judge of what stands before a value."""
        self.names = names

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
        size = len(text)
        if size < _SHORTEST_TEXT or (size <= LONGEST_PLAIN and not hinted and is_plain(text)):
            return text, rules
        if _PROSE.fullmatch(text):
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
        spans = self._find_in(text, typed=typed, hinted=hinted)
        for view in views(text):
            spans += map(view.back, self._find_in(view.text, typed=typed, hinted=hinted))
        return spans

    def _find_in(self, text: str, *, typed: bool, hinted: bool) -> list[Span]:
        spans: list[Span] = []
        lower = text.lower()
        if len(lower) != len(text):
            # a few letters become two: places must stay the same
            lower = "".join(small if len(small := c.lower()) == 1 else c for c in text)
        longest = max(map(len, text.split()), default=0)
        spans += find_secrets(text, lower, longest)
        stems = stems_in(lower, self.names)
        spans += find_assignments(text, lower, self.names, longest, stems)
        spans += find_phrases(text, lower, self.names, stems)
        if typed:
            spans += find_personal(text, hinted=hinted)
        return spans

    def is_suspicious(self, value: str, said: KeyName) -> bool:
        """Tell whether a value is a secret when only its look can tell (``HEROKU_KEY``)."""
        return is_generated_value(value, provider=said.provider)
