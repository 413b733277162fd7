"""
Telephone numbers, told from dates, amounts and order numbers by shape and by the words around.

Source: ITU-T E.164 (at most 15 digits; country codes), E.123 (how they are written).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

NUMBER: Final = re.compile(
    r"(?:\+ ?|00 ?)?(?:\(\+?[0-9]{1,5}\)[ .-]{0,2})?[0-9]{1,16}(?:(?:[ \u00a0\u2011\u2013./-]{1,2}|[ .-]?\([0-9]{1,5}\)[ .-]?)[0-9]{1,16}){0,7}"
)
_EXTENSION: Final = re.compile(r" ?(?:x|ext\.? ?|#)[0-9]{1,6}")
_GROUP: Final = re.compile(r"[0-9]+")
_DIGIT: Final = re.compile(r"[0-9]")
_STRONG: Final = re.compile(
    r"phone|\btel\b|\btel[.:]|telefon|t[ée]l[ée]fon|tlf|mobil|m[óo]vil|celular|\bcell\b|\bfax|handy|\bdial\b|\bcall(?:ed|ing)? (?:\w+ ){0,3}(?:at|on|to)?\W{0,2}$"
    r"|\bcall(?:ed|ing)?\W{1,3}$|whatsapp|\bsms\b|voicemail|landline|hotline|msisdn|\bdesk:|\bring (?:me|us|him|her|them)\b|номер|телефон|τηλ|電話|电话|전화"
)
_WEAK: Final = re.compile(
    r"\bcall|answer|\btext(?:ed|s|ing)?\b|messag|\breach\b|contact|registered|\boffice\b|\bdesk\b|number|\bpager\b|\bring\b|\bhelpline\b|support|appel|llam|anruf|rufnummer|chiam|puhelin"
)
_AFTER: Final = re.compile(r"[\s,(-]{0,3}(?:office|fax|mobile|home|work|cell|tel|phone|mob\b)", re.IGNORECASE)
_NO_PHONE: Final = re.compile(
    r"(?:order|invoice|ticket|account|acct|reference|ref|tracking|case|serial|model|version|release|build|isbn|sku|id|part|batch|lot|po|pin|zip"
    r"|postcode|year|date|line|port|page|row|record|code|card|price|total|amount|cost|eur|usd|inr|gbp)[ .:#=\"'-]{0,4}(?:number|no|nr|id)?[ .:#=\"'-]{0,4}$"
    r"|[$€£¥₹]\s?$"
)
_DATES: Final = re.compile(
    r"(?:[0-9]{1,2}[./-][0-9]{1,2}[./-](?:1[89]|20)?[0-9]{2}|(?:1[89]|20|21)[0-9]{2}[./-][0-9]{1,2}[./-][0-9]{1,2})(?:[ T][0-9]{1,2})?"
    r"|(?:1[89]|20)[0-9]{2} ?[-/\u2013] ?(?:1[89]|20)[0-9]{2}|(?:1[89]|20)[0-9]{2} (?:1[89]|20)[0-9]{2}"
)
_DECIMAL: Final = re.compile(r"[0-9]+\.[0-9]+")
PHONE_FEWEST: Final = 6
"""The fewest digits of a telephone number."""

_MOST: Final = 15
_BEFORE: Final = 40


class Number(NamedTuple):
    """A run of digits and what stands between them, as written."""

    start: int
    end: int
    raw: str
    groups: tuple[str, ...]

    @property
    def digits(self) -> int:
        """How many digits there are."""
        return sum(map(len, self.groups))


def numbers(text: str, begin: int, stop: int) -> Iterator[re.Match[str]]:
    """Find runs of digits with what stands between and before them, from one place to another."""
    digit = _DIGIT.search(text, begin, stop)
    while digit is not None:
        start = digit.start()
        if text[start - 1 : start] == "(" and start:
            start -= 1
        for plus in ("+", "+ ", "(+"):
            if start >= len(plus) and text.endswith(plus, 0, digit.start() if plus == "(+" else start):
                start = (digit.start() if plus == "(+" else start) - len(plus)
                break
        match = NUMBER.match(text, start)
        if match is None:
            match = NUMBER.match(text, digit.start())
        if match is None:
            return
        yield match
        digit = _DIGIT.search(text, match.end(), stop)


def number_at(text: str, match: re.Match[str]) -> Number:
    """Read a match of :data:`NUMBER`, with the extension after it."""
    extension = _EXTENSION.match(text, match.end())
    end = extension.end() if extension else match.end()
    return Number(match.start(), end, match.group(), tuple(_GROUP.findall(match.group())))


def is_phone(text: str, number: Number, *, hinted: bool = False) -> bool:  # noqa: PLR0911 - one return for each way of telling
    """
    Tell whether a number is a telephone's.

    Args:
        text: Where it stands.
        number: The run of digits.
        hinted: Whether the name it is kept under says so.
    """
    size = number.digits
    if not PHONE_FEWEST <= size <= _MOST or _is_other(number):
        return False
    before = text[max(0, number.start - _BEFORE) : number.start].lower()
    if hinted:
        return True
    if number.raw.startswith("+"):
        return size >= 8 and number.groups[0][0] != "0"  # noqa: PLR2004 - country code and the shortest numbers
    if _NO_PHONE.search(before):
        return False
    if _STRONG.search(before) or _AFTER.match(text, number.end):
        return len(number.groups) > 1 or size >= 7  # noqa: PLR2004 - local numbers have seven
    bracketed = number.raw.startswith("(") and ")" in number.raw
    if bracketed and size >= 7:  # noqa: PLR2004 - as above
        return True
    written = len(number.groups) > 1
    if re.match(r"00[ ]?[1-9]", number.raw) and size >= 10:  # noqa: PLR2004 - an exit code, a country, a number
        return True
    if _WEAK.search(before):
        return written or (number.raw[0] == "0" and size >= 9) or size == 10  # noqa: PLR2004
    return written and _is_written_like_one(number)


def _is_other(number: Number) -> bool:
    """Dates, decimals, ISBNs, postcodes with an extension: never a telephone number, whatever is said before."""
    raw = number.raw
    if _DATES.fullmatch(raw):
        return True
    groups = number.groups
    if len(groups) == 2 and _DECIMAL.fullmatch(raw) and (len(groups[0]) < 3 or len(groups[1]) != 4):  # noqa: PLR2004
        return True
    if groups[0] in ("978", "979") and number.digits == 13:  # noqa: PLR2004
        return True
    if tuple(map(len, groups)) == (3, 2, 4) and "(" not in raw:
        return True
    return raw.count(".") == len(groups) - 1 == 3 and all(len(g) < 4 for g in groups) and set(map(len, groups)) != {2}  # noqa: PLR2004 - like IPv4


def _is_written_like_one(number: Number) -> bool:
    """Without a word that tells, only the ways of writing that little else uses."""
    sizes = tuple(map(len, number.groups))
    between = {b for b in re.split(r"[0-9]+", number.raw) if b}
    if any("/" in b for b in between):
        return False
    uniform = len(between) == 1
    if sizes in ((3, 3, 4), (1, 3, 3, 4)) and uniform:
        return number.groups[-3][0] in "23456789" or number.groups[0][0] == "0"
    if number.groups[0][0] == "0" and number.groups[0] != "0":
        return (9 <= number.digits <= 12 and 3 <= sizes[0] <= 5) or (set(sizes) == {2} and number.digits == 10)  # noqa: PLR2004
    pairs = set(sizes) == {2} and len(sizes) == 4  # noqa: PLR2004
    return pairs and uniform and between <= {"-", "."} and not _rising(number.groups)


def _rising(groups: tuple[str, ...]) -> bool:
    return all(int(a) <= int(b) for a, b in pairwise(groups))
