"""
Telephone numbers in free text: certain where something marks them, likely where only their grouping speaks.

Dates, times, coordinates, amounts, versions and years are none.

Source: ITU-T E.123 (notation), E.164 (at most 15 digits).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_CANDIDATE = re.compile(r"(?:(?<=\\[nrt])|(?<![\w.:/#$€£=-])(?<![0-9],))(?:\+|\(\+?)?[0-9](?:[ ().\-/]{0,3}[0-9]){5,16}(?:\s?(?:x|ext\.?)\s?[0-9]{1,6})?(?!\w|[:/=%]|-[0-9])(?![.,][0-9])")
_WORD = re.compile(
    r"(?i)\b(?:phone|telephone|telefon\w*|tel|call(?:ed|ing)?|mobile|mobil|cell|fax|sms|text(?: me)?|dial|whatsapp|ring|reach|contact|handy|hotline|number|tél\w*|móvil|ph)\b"
)
_WORD_AFTER = re.compile(r"(?i)^[\s,-]{0,2}(?:office|fax|mobile|home|work|cell|phone|tel|direct|desk|main|\(?(?:h|w|m|c|o)\)?\b)")
_DATE = re.compile(r"^(?:(?:19|20)[0-9]{2}[-./ ](?:0?[1-9]|1[0-2])[-./ ](?:0?[1-9]|[12][0-9]|3[01])\b|(?:0?[1-9]|[12][0-9]|3[01])[-./ ](?:0?[1-9]|[12][0-9]|3[01])[-./ ](?:19|20)?[0-9]{2}$)")
_YEARS = re.compile(r"^(?:19|20)[0-9]{2} ?[-/] ?(?:19|20)[0-9]{2}$")
_DECIMAL = re.compile(r"^[0-9]{1,3}\.[0-9]+$")
_THOUSANDS = re.compile(r"^[0-9]{1,3}(?:[ .][0-9]{3})+$")
_ZIP = re.compile(r"^[0-9]{5}-[0-9]{4}$")
_GROUPS = re.compile(r"[0-9]+")
_NEAR: Final = 40


def find_phones(text: str, *, marked: bool = False) -> Iterator[tuple[int, int]]:
    """
    Find telephone numbers.

    Args:
        text: Free text.
        marked: Whether the text as a whole is known to be a number (its key says so).

    Yields:
        Start and end of each.
    """
    for match in _CANDIDATE.finditer(text):
        found = match.group()
        start, end = match.span()
        if found.startswith("(") and ")" not in found:
            start, found = start + 1, found[1:]
        digits = sum(c.isdigit() for c in found)
        if not 7 <= digits <= 15 or _is_other(found):
            continue
        before = text[max(0, start - _NEAR) : start]
        if marked or found[0] in "+(" or "(" in found or _WORD.search(before) or _WORD_AFTER.match(text[end : end + 12]) or _is_grouped(found):
            yield start, end


def _is_other(found: str) -> bool:
    return any(pattern.match(found) for pattern in (_DATE, _YEARS, _DECIMAL, _ZIP))


def _is_grouped(found: str) -> bool:
    """Two to five groups, told apart by one kind of separator, as people write numbers down."""
    separators = set(re.findall(r"[^0-9]+", found))
    groups = _GROUPS.findall(found)
    if not 2 <= len(groups) <= 6 or len(separators) > 2 or not separators <= {" ", "-", "."}:
        return False
    if _THOUSANDS.match(found) and not found.startswith("0") and " " not in separators:
        return False
    return max(map(len, groups)) <= 8 and (len(groups) > 2 or min(map(len, groups)) >= 2)
