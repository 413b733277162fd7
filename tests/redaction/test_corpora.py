"""What the sanitizer catches of two published corpora, counted as their README says."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from otel_tool_audit.redaction import MARK, Sanitizer

CORPORA = Path(__file__).parents[3] / "shared" / "sanitize"
PHONE_WORDS = re.compile(
    r"(?i)\b(phone|tel|telephone|mobile|cell|fax|call|desk|office|dial|ring"
    r"|reach|number|contact|text|sms|messages?|answering|registered)"
)
# The README does not count lines where a secret-like name has a value: those must be redacted.
NAMED_VALUE = re.compile(
    r"""(?i)(?:password|passwd|secret|token|api[-_]?key|access[-_]?id|authorization|credential)[\w-]{0,20}["']?"""
    r"""\s{0,4}(?::|=|=>|:=)\s{0,4}["']?[\w$<{*.]"""
)
# The line only says what kind of file this is; there is no secret in it to remove.
WITHOUT_SECRET = {"gcp-service-account"}
TYPES = ("CREDIT_CARD", "US_SSN", "EMAIL_ADDRESS", "IBAN_CODE", "IP_ADDRESS")

pytestmark = pytest.mark.skipif(not CORPORA.is_dir(), reason="the corpora lie beside the repository, not in it")


def secrets(kind: str) -> list[tuple[str, str]]:
    """Read the lines with (or without) a secret, with the rule each is about."""
    lines = json.loads((CORPORA / "secrets.json").read_text())[kind]
    return [(line["rule"], base64.b64decode(line["text_base64"]).decode("utf-8", "replace")) for line in lines]


def sentences() -> list[dict[str, Any]]:
    """Read the sentences with their spans."""
    return json.loads((CORPORA / "pii.json").read_text())


def is_marked(text: str, start: int, end: int) -> bool:
    """Say whether a telephone number is marked as one: a plus, brackets, or a word for it close before."""
    return bool(re.search(r"[+(]", text[max(0, start - 1) : end]) or PHONE_WORDS.search(text[max(0, start - 40) : start]))


def test_secrets_are_caught_in_every_family() -> None:
    """At least 95 of 100 lines with a secret are changed, and no family is missed as a whole."""
    found, missed = Counter[str](), Counter[str]()
    for rule, text in secrets("true_positives"):
        (found if MARK in Sanitizer().text(text).value else missed)[rule] += 1
    share = found.total() / (found.total() + missed.total())
    print(f"\nsecrets caught: {share:.1%}; missed: {dict(missed)}")
    assert share >= 0.95
    assert missed.keys() - found.keys() <= WITHOUT_SECRET


def test_lines_that_only_look_like_secrets_stay() -> None:
    """At most 5 of 100 lines without a secret are changed, counted as the corpus's README says."""
    lines = [(rule, text) for rule, text in secrets("false_positives") if rule != "gcp-api-key"]
    changed = [(rule, text, found) for rule, text in lines if (found := Sanitizer().text(text).redactions)]
    wrong = [(rule, [f.rule for f in found]) for rule, text, found in changed if not NAMED_VALUE.search(text)]
    print(f"\nfalse alarms: {len(wrong)} of {len(lines)} ({len(changed)} with values of secret names): {wrong}")
    assert len(wrong) <= 0.05 * len(lines)


@pytest.mark.parametrize("kind", TYPES)
def test_personal_data_is_caught(kind: str) -> None:
    """At least 98 of 100 cards, social security numbers, e-mail and IP addresses and IBANs are gone."""
    values = [(s["text"], s["text"][a:b]) for s in sentences() for a, b, type_ in s["spans"] if type_ == kind]
    missed = [value for text, value in values if value in Sanitizer().text(text).value]
    print(f"\n{kind}: {len(values) - len(missed)} of {len(values)}; missed: {missed[:5]}")
    assert len(missed) <= 0.02 * len(values)


@pytest.mark.parametrize(("marked", "least"), [(True, 0.95), (False, 0.60)])
def test_telephone_numbers_are_caught(marked: bool, least: float) -> None:
    """At least 95 of 100 marked telephone numbers are gone, and 60 of 100 others."""
    values = [
        (s["text"], s["text"][a:b])
        for s in sentences()
        for a, b, type_ in s["spans"]
        if type_ == "PHONE_NUMBER" and is_marked(s["text"], a, b) is marked
    ]
    missed = [value for text, value in values if value in Sanitizer().text(text).value]
    print(f"\nphones, marked={marked}: {len(values) - len(missed)} of {len(values)}; missed: {missed[:8]}")
    assert len(values) - len(missed) >= least * len(values)


def test_clean_sentences_stay() -> None:
    """At most one in a hundred sentences without personal data is changed."""
    clean = [s["text"] for s in sentences() if not s["spans"]]
    touched = [text for text in clean if Sanitizer().text(text).redactions]
    print(f"\nclean sentences changed: {len(touched)} of {len(clean)}: {touched[:3]}")
    assert len(touched) <= 0.01 * len(clean)


def test_dates_stay() -> None:
    """No date or time of the corpus is changed."""
    changed = []
    for sentence in sentences():
        value = Sanitizer().text(sentence["text"]).value
        changed += [(sentence["text"][a:b]) for a, b, type_ in sentence["spans"] if type_ == "DATE_TIME" and sentence["text"][a:b] not in value]
    assert changed == []
