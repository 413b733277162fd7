"""
One text, all rules, in linear time.

Most texts hold nothing: the first look costs a few searches for a character or a stem, and only what they find is looked at closer.

Source: ARCHITECTURE.md, D7.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final, Protocol

from otel_tool_audit.redaction.assignments import SHORTEST_GENERATED, find_assignments, stems_in
from otel_tool_audit.redaction.commands import find_commands
from otel_tool_audit.redaction.judging import is_secret_value
from otel_tool_audit.redaction.keys import NAME_WORDS, KeyKind, KeyName, KeyNames
from otel_tool_audit.redaction.personal import find_personal
from otel_tool_audit.redaction.phrases import STATEMENTS, find_foreign, find_phrases
from otel_tool_audit.redaction.places import find_places
from otel_tool_audit.redaction.recognizers import Recognizer
from otel_tool_audit.redaction.redacted_values import recurring
from otel_tool_audit.redaction.secrets import find_secrets
from otel_tool_audit.redaction.spans import Span, covered, replace
from otel_tool_audit.redaction.speech import find_logins
from otel_tool_audit.redaction.tables import find_columns
from otel_tool_audit.redaction.values import MARK
from otel_tool_audit.redaction.views import views
from otel_tool_audit.redaction.work import Work

_PLAIN: Final = re.compile(r"(?!(?i:pin|cv[vc]|otp|[srp]k_))[A-Za-z_]{0,16}[-_ ]?[0-9]{0,5}")
"""A short word, number or identifier: nothing can match."""

LONGEST_PLAIN: Final = 23
"""Characters of the longest text that :func:`is_plain` looks at."""

is_plain: Final = _PLAIN.fullmatch
"""Whether a short text is a word, number or identifier that no rule can match, unless the name it stands under says more."""

_BY_NAME: Final = frozenset({"secret-key", "command-password", "url-credentials", "private-key"})
"""Rules that go by where a value stands: no look keeps it from them."""

_PASSES: Final = 4
_SHORTEST_TEXT: Final = 5
_MORE: Final = re.compile(r"[0-9@]|[A-Za-z0-9_+/=-]{15}")
_AROUND_WORDS: Final = ".,;:!?()[]{}\"'`*-_"
_MOST_WORDS: Final = 8_192
_SPECIAL: Final = re.compile(r"[0-9@%&\\\x1b\x80-\U0010ffff]|[^\n]{15}|(?m:^[\[({\"',]{0,4}-{1,2}[A-Za-z])")


class Call(Protocol):
    """What texts belong to."""

    def ask(self, recognizer: Recognizer, text: str) -> list[Span]:
        """Ask one of the user's own rules."""

    def pseudonym(self, value: str, kind: str) -> str:
        """Make the pseudonym of a value; the mark where there is no key."""

    @property
    def work(self) -> Work:
        """What it has cost so far."""

    def remember(self, value: object, shown: str, rule: str) -> None:
        """Keep a value that was taken out."""


class Texts:
    """Finds and replaces what must not be kept in a text."""

    __slots__ = ("_disguised", "_recognizers", "_words", "has_own", "names")

    def __init__(self, names: KeyNames, recognizers: Sequence[Recognizer] = ()) -> None:
        """
        Clean texts.

        Args:
            names: Judges what stands before a value.
            recognizers: The user's own rules.
        """
        self.names = names
        self._recognizers = tuple(recognizers)
        self.has_own = bool(recognizers)
        """Whether there are any: then no text is too short to be looked at."""
        self._disguised = {each.name: each.kind or each.name for each in recognizers if each.action == "pseudonym"}
        self._words: set[str] = set()
        """Words that no rule can begin at: most texts consist of them, and are not looked at any closer. Shared, bounded, only grows."""

    def clean(self, text: str, call: Call, *, typed: bool = True, hinted: bool = False, counted: bool = False) -> tuple[str, list[str]]:
        """
        Replace what must not be kept.

        Args:
            text: Any text that UTF-8 can hold.
            call: Counts what rules look at, and gets the values that were found, so that they are found where they recur.
            typed: Whether personal data counts, or only secrets.
            hinted: Whether the name the text is kept under tells of a telephone number.
            counted: Whether it tells of a thing's number.

        Returns:
            The text, the same object when nothing was found, and the rule of each mark.

        Raises:
            Exhausted: The call may not cost more.
            RecognizerFailed: A user's own rule could not be asked.
        """
        rules: list[str] = []
        size = len(text)
        own = self._recognizers
        if own:
            pass
        elif size < _SHORTEST_TEXT or (size <= LONGEST_PLAIN and not hinted and is_plain(text)):
            return text, rules
        for _ in range(_PASSES):
            # what was replaced may have kept two numbers apart, or together
            spans = self._find(text, call, typed=typed, hinted=hinted, counted=counted)
            if own:
                spans = self._with_own(text, spans, own, call)
                # what is found once is gone; what is kept is kept at each look
                own = tuple(each for each in own if each.action == "keep")
            if not spans:
                break

            def shown(value: str, rule: str) -> str:
                kind = self._disguised.get(rule)
                return MARK if kind is None else call.pseudonym(value, kind)

            text, found = replace(text, recurring(text, spans, call.remember, shown), shown)
            rules += found
            if not own and not _MORE.search(text.replace(MARK, " ")):
                # neither numbers nor long words are left that a mark could have brought together
                break
        return text, rules

    def _with_own(self, text: str, spans: list[Span], own: Sequence[Recognizer], call: Call) -> list[Span]:
        """Join what the user's rules find with what the others found; what is to be kept is kept from those that go by looks."""
        kept: list[Span] = []
        for each in own:
            (kept if each.action == "keep" else spans).extend(call.ask(each, text))
        if not kept:
            return spans
        mask = covered(len(text), (span[:2] for span in kept))
        return [span for span in spans if span[2] in _BY_NAME or 0 in mask[span[0] : span[1]]]

    def _find(self, text: str, call: Call, *, typed: bool, hinted: bool, counted: bool) -> list[Span]:
        unknown = set(text.split())
        unknown -= self._words
        if not unknown:
            return []
        rest = "\n".join(unknown)
        lower = rest.lower()
        stems = stems_in(lower, self.names)
        if not _SPECIAL.search(rest) and not (stems and not all(map(self._is_harmless, unknown))):
            # nothing begins at any of these words: they are not looked at again
            if len(self._words) < _MOST_WORDS:
                self._words |= unknown
            return []
        work = call.work
        spans = self._find_in(text, lower, unknown, stems, work, typed=typed, hinted=hinted, counted=counted)
        for view in views(text, lines=bool(stems)):
            words = set(view.text.split())
            lower = "\n".join(words).lower()
            spans += map(
                view.back, self._find_in(view.text, lower, words, stems_in(lower, self.names), work, typed=typed, hinted=hinted, counted=counted)
            )
        return spans

    def _is_harmless(self, word: str) -> bool:
        """Tell whether a word only sounds like a part of a secret's name (*shopping*, *consider*)."""
        bare = word.strip(_AROUND_WORDS)
        return (bare.isalpha() or not bare) and bare.lower() not in NAME_WORDS and self.names.judge(bare).kind is KeyKind.PLAIN

    def _find_in(
        self, text: str, rest: str, words: Collection[str], stems: Sequence[str], work: Work, *, typed: bool, hinted: bool, counted: bool
    ) -> list[Span]:
        """
        Run all rules.

        Args:
            text: Where they look.
            rest: In lower case, the words of it that are not known to be harmless: what does not stand there, no rule has to look for.
            words: The same, one by one.
            stems: The parts of secrets' names among them.
            work: Counts what rules look at.
            typed: Whether personal data counts.
            hinted: Whether a telephone number is told of.
            counted: Whether a thing's number is.
        """
        spans: list[Span] = []
        work.spend(len(text))
        longest = max(map(len, words), default=0)
        spans += find_secrets(text, rest, words, longest, work)
        if stems or longest >= SHORTEST_GENERATED or any(hint in rest for hint in STATEMENTS):
            lower = text.lower()
            if len(lower) != len(text):
                # a few letters become two: places must stay the same
                lower = "".join(small if len(small := c.lower()) == 1 else c for c in text)
            spans += find_assignments(text, lower, self.names, longest, stems, work)
            spans += find_phrases(text, lower, self.names, stems, work)
            if stems:
                spans += find_columns(text, lower, self.names, work)
        if not text.isascii():
            spans += find_foreign(text)
        spans += find_places(text, rest, self.names)
        spans += find_logins(text, rest)
        spans += find_commands(text, self.names, work)
        if typed:
            spans += find_personal(text, work, hinted=hinted, counted=counted, taken=spans)
        return spans

    def is_suspicious(self, value: str, said: KeyName) -> bool:
        """Tell whether a value is a secret when only its look can tell (``HEROKU_KEY``)."""
        return is_secret_value(value, said)
