"""
Personal data that a pattern can find: cards, IBANs, social security numbers, addresses of mail and machines, telephone numbers.

Names, streets and birthdays in free text cannot be found by patterns; per-tool allow-lists are for them.

Source: ARCHITECTURE.md, R3; RFC 5322, section 3.4.1 (mail addresses), RFC 4291, section 2.2 (IPv6).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from otel_tool_audit.redaction.phones import PHONE_FEWEST, is_phone, number_at, numbers
from otel_tool_audit.redaction.spans import Span, covered
from otel_tool_audit.redaction.validators import iban_length, is_address, is_card, is_iban, is_ssn
from otel_tool_audit.redaction.work import Work

_DENSE: Final = re.compile(r"[0-9](?:[^0-9A-Za-z]{0,4}[0-9]){5,}")
"""Digits close enough, and enough of them, for a telephone number, and so for a card, an IBAN, a social security number."""

_MOMENTS: Final = re.compile(
    r"(?<![0-9])(?:(?:19|20)[0-9]{2}-[01][0-9]-[0-3][0-9](?:[T ][0-2][0-9]:[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]{1,9})?)?)?|[0-2][0-9]:[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]{1,6})?)?"
    r"|[0-9]{1,3}(?:,[0-9]{3}){1,3}(?:\.[0-9]{1,3})?)(?![0-9])"
)
_GAP: Final = "     "
"""More than digits of one number have between them."""

_LOOKED_THROUGH: Final = 256
_LEFT_OF_DENSE, _RIGHT_OF_DENSE = 48, 40
_RUN: Final = re.compile(r"[0-9]{1,64}(?:[ .\u00a0\u2011\u2013-]{1,2}[0-9]{1,64}){0,64}")
_GROUP: Final = re.compile(r"[0-9]+")
_IBAN: Final = re.compile(r"[0-9]{2}[ -]?[A-Za-z0-9]{3}")
_IPV4: Final = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}")
_COLONS: Final = re.compile(r":[0-9A-Fa-f]{0,4}:")
_IPV6: Final = re.compile(r"[0-9A-Fa-f:.]{2,46}")
_IPV6_REVERSED: Final = re.compile(r"[0-9A-Fa-f]{0,4}")
_HOST: Final = re.compile(r"(?:[^\W_]|-){1,63}(?:\.(?:[^\W_]|-){1,63}){1,8}")
_LOCAL_REVERSED: Final = re.compile(r"[\w.+'%&=!#$~^-]{1,64}")
_FILES_TEXT: Final = "png jpg jpeg gif svg webp css js ts mjs json html htm txt py yml yaml md lock ico map pdf"
_FILES: Final = frozenset(_FILES_TEXT.split())
_PROTECTED: Final = re.compile(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
    r"|(?:hmac-sha256|psn):[A-Za-z0-9._-]{1,64}:[0-9a-f]{32,64}"
    r"|[0-9a-fA-F]{32,128}"
    r"|<(?:int|float|cut)[^<>]{1,64}>"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2})?(?:[.,][0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_CARD_WORDS: Final = re.compile(r"card|\bcc\b|credit|debit|visa|master|maestro|amex|discover|\bpan\b|tarjeta|carte|karte|carta", re.IGNORECASE)
_THING_BEFORE: Final = re.compile(
    r"(?i)(?<![a-z])(?:article|artikel|tracking|sku|ean|gtin|upc|barcode|isbn|serial|parcel|shipment|imei|iccid|item|product|order|invoice|ticket|waybill|awb|part|lot|batch|vin|rma|consignment|asset)"
    r"[ _-]?(?:number|no|nr|num|id|code|ref)?[\"'.:=#()\\ ]{0,8}$"
)
_SSN_WORDS: Final = re.compile(r"ssn|social|taxpayer|\bitin\b|\btin\b", re.IGNORECASE)
_VERSION_WORDS: Final = re.compile(
    r"(?i)(?:version|release|build|ver|\bv|firmware|\bfw|bios|driver|revision|\brev|section|\bsec|chapter|clause|paragraph|article|appendix|annex|table|figure|\bfig|§|patch|update"
    r"|upgrade|\boid|kernel|agent|client|sdk|lib|plugin|package|schema|model|item|step|rule|req|requirement|control)s?(?:[ _-]?(?:version|number|no|nr|to|from|is|of))?[ :=.#\"'v([-]{1,4}$"
)
_AROUND: Final = 48
_DOTS: Final = 3
_CARD_FEWEST, _CARD_MOST, _SSN_DIGITS = 12, 19, 9


def find_personal(text: str, work: Work, *, hinted: bool, counted: bool, taken: Sequence[Span] = ()) -> Iterator[Span]:
    """
    Find personal data.

    Args:
        text: Any text.
        work: Counts what is looked at.
        hinted: Whether the name the text is kept under tells of a telephone number.
        counted: Whether that name tells of a thing's number: an article's, a parcel's.
        taken: What other rules found: a host behind a password is no address of mail.
    """
    if "@" in text:
        # the sign behind a password belongs to it
        credentials = covered(len(text) + 1, ((start, end + 1) for start, end, rule in taken if rule == "url-credentials"))
        yield from (span for span in _mail(text, work) if 1 not in credentials[span[0] : span[1]])
    spans = list(_addresses(text, work)) if text.count(".") >= _DOTS else []
    windows = _windows(text, hinted=hinted) if not counted else []
    known = covered(len(text), (span[:2] for span in spans)) if windows else bytearray()
    for start, stop in windows:
        work.spend(20 * (stop - start))
        spans += _numbers(text, start, stop, known, hinted=hinted)
    if spans:
        protected = covered(len(text), (match.span() for match in _PROTECTED.finditer(text)))
        yield from (span for span in spans if 1 not in protected[span[0] : span[1]])
    for start, stop in windows:
        yield from _ibans(text, start, stop)
    if ":" in text:
        yield from _ipv6(text, work)


def _windows(text: str, *, hinted: bool) -> list[tuple[int, int]]:
    """Where digits stand close together, other than in dates and times: only there the costly rules look."""
    found: list[tuple[int, int]] = []
    for match in _DENSE.finditer(text):
        dense = match.group()
        if not hinted and len(dense) < _LOOKED_THROUGH and not _DENSE.search(_MOMENTS.sub(_GAP, dense)):
            continue
        start, stop = max(0, match.start() - _LEFT_OF_DENSE), match.end() + _RIGHT_OF_DENSE
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], stop)
        else:
            found.append((start, stop))
    return found


def _addresses(text: str, work: Work) -> Iterator[Span]:
    for match in _IPV4.finditer(text):
        work.spend(400)
        if _stands_alone(text, *match.span()) and is_address(match.group()) and not _is_version(text, match.start(), match.group()):
            yield *match.span(), "ip-address"


def _numbers(text: str, start: int, stop: int, taken: bytearray, *, hinted: bool) -> Iterator[Span]:
    """Find cards, social security and telephone numbers between two places, and not inside what was found before."""
    for run in _RUN.finditer(text, start, stop):
        if run.end() - run.start() < _SSN_DIGITS:
            continue
        for span in _in_run(text, run):
            taken[span[0] : span[1]] = b"\1" * (span[1] - span[0])
            yield span
    for match in numbers(text, start, stop):
        begin, end = match.span()
        if end - begin < PHONE_FEWEST or 1 in taken[begin:end] or not _stands_alone(text, begin, end):
            continue
        number = number_at(text, match)
        if is_phone(text, number, hinted=hinted):
            yield number.start, number.end, "phone"


class _Group(NamedTuple):
    start: int
    end: int
    digits: str


def _in_run(text: str, run: re.Match[str]) -> Iterator[Span]:
    """Find cards and social security numbers among the groups of one run of digits."""
    groups = [_Group(run.start() + m.start(), run.start() + m.end(), m.group()) for m in _GROUP.finditer(run.group())]
    i = 0
    while i < len(groups):
        found = _ssn_at(text, groups, i) or _card_at(text, groups, i)
        if found is None:
            i += 1
            continue
        last, rule = found
        yield groups[i].start, groups[last].end, rule
        i = last + 1


def _card_at(text: str, groups: list[_Group], first: int) -> tuple[int, str] | None:
    if not _opens(text, groups, first):
        return None
    digits = ""
    best: int | None = None
    for last in range(first, min(len(groups), first + _CARD_MOST)):
        group = groups[last].digits
        # cards are written in one, or in groups that begin with four
        if last > first and (len(groups[first].digits) != 4 or len(group) > 7):  # noqa: PLR2004
            break
        digits += group
        if len(digits) > _CARD_MOST:
            break
        if len(digits) >= _CARD_FEWEST and _closes(text, groups, last) and _is_card(text, digits, groups[first].start):
            best = last
    return None if best is None else (best, "card")


def _is_card(text: str, digits: str, start: int) -> bool:
    if _THING_BEFORE.search(text, max(0, start - 40), start):
        return False
    return is_card(digits) or (is_card(digits, said=True) and _near(_CARD_WORDS, text, start))


def _ssn_at(text: str, groups: list[_Group], first: int) -> tuple[int, str] | None:
    here = groups[first]
    if not _opens(text, groups, first):
        return None
    if len(here.digits) == _SSN_DIGITS and _closes(text, groups, first):
        return (first, "ssn") if is_ssn(here.digits) and _near(_SSN_WORDS, text, here.start) else None
    three = groups[first : first + 3]
    if tuple(len(g.digits) for g in three) != (3, 2, 4) or not _closes(text, groups, first + 2):
        return None
    separators = {text[three[0].end : three[1].start], text[three[1].end : three[2].start]}
    dashed = len(separators) == 1 and separators <= {"-", "\u2011", "\u2013"}
    said = _near(_SSN_WORDS, text, here.start)
    return (first + 2, "ssn") if is_ssn("".join(g.digits for g in three)) and (dashed or (said and len(separators) == 1)) else None


def _opens(text: str, groups: list[_Group], at: int) -> bool:
    start = groups[at].start
    if at:
        return text[start - 1] in " \u00a0"
    return _left(text, start) and text[start - 1 : start] != "."


def _closes(text: str, groups: list[_Group], at: int) -> bool:
    end = groups[at].end
    if at + 1 < len(groups):
        return text[end] in " \u00a0" or text[end : end + 2] == ". "
    return not _of_word(text[end : end + 1])


def _of_word(sign: str) -> bool:
    # letters of scripts without spaces, or of any but this one, are no part of a number beside them
    return sign == "_" or (sign.isalnum() and (sign.isascii() or not sign.isalpha()))


def _left(text: str, start: int) -> bool:
    """Nothing of a word touches it from the left; the n of a written-out line break is no word."""
    if not start or not _of_word(text[start - 1]):
        return True
    return text[start - 1] in "nrt" and text[start - 2 : start - 1] == "\\"


def _stands_alone(text: str, start: int, end: int) -> bool:
    after = text[end : end + 2]
    if (after[:1].isalnum() and not (after[:1] == "x" and after[1:].isdigit())) or after[:1] == "_":
        return False
    is_address = text[start:end].count(".") == _DOTS
    if after[:1] == "%" or (after[:1] in (".", "-", ":", "/") and after[1:].isdigit()):
        # part of something longer, a version, a time, an identifier; or an address with its port, mask or an escape
        return is_address and after[:1] in ("%", ":", "/")
    if not _left(text, start):
        return False
    before = text[max(0, start - 2) : start]
    attached = len(before) == len("x-") and before[0].isalnum() and before[1] in ".-/#"
    return not attached or (is_address and before[1] == "/")


def _near(pattern: re.Pattern[str], text: str, start: int) -> bool:
    return pattern.search(text, max(0, start - _AROUND), start + _AROUND) is not None


def _is_version(text: str, start: int, address: str) -> bool:
    if _VERSION_WORDS.search(text, max(0, start - 32), start):
        return True
    # "Chrome/120.0.0.0": a product and its version
    return text[start - 1 : start] == "/" and text[max(0, start - 2) : start - 1].isalpha() and address.endswith(".0")


def _ipv6(text: str, work: Work) -> Iterator[Span]:
    if text.count(":") < 2:  # noqa: PLR2004
        return
    done = 0
    for colons in _COLONS.finditer(text):
        if colons.start() < done:
            continue
        first = _IPV6_REVERSED.match(text[max(0, colons.start() - 4) : colons.start()][::-1])
        match = _IPV6.match(text, colons.start() - (first.end() if first else 0))
        if match is None:
            continue
        found = match.group()
        start, end = match.span()
        done = end
        work.spend(2 * len(found))
        trimmed = found.rstrip(".:") if not found.endswith("::") else found
        end -= len(found) - len(trimmed)
        groups = [g for g in trimmed.split(":") if g]
        telling = len(groups) > 2 or any(len(g) == 4 for g in groups)  # noqa: PLR2004
        if telling and any(c.isdigit() for c in trimmed) and _left(text, start) and not text[end : end + 1].isalnum() and is_address(trimmed):
            yield start, end, "ip-address"


def _ibans(text: str, begin: int, stop: int) -> Iterator[Span]:
    for match in _IBAN.finditer(text, begin, stop):
        start = match.start() - 2
        if start < 0 or not _left(text, start) or not text[start : start + 2].isalpha() or not text[start : start + 2].isascii():
            continue
        length = iban_length(text[start : start + 2].upper())
        letters: list[str] = []
        at = start
        while at < len(text) and len(letters) < length:
            c = text[at]
            if c.isascii() and c.isalnum():
                letters.append(c)
            elif c not in " -\u00a0":
                break
            at += 1
        if length and len(letters) == length and is_iban("".join(letters).upper()) and not text[at : at + 1].isalnum():
            yield start, at, "iban"


def _mail(text: str, work: Work) -> Iterator[Span]:
    at = text.find("@")
    while at >= 0:
        host = _HOST.match(text, at + 1)
        work.spend(64)
        local = _LOCAL_REVERSED.match(text[max(0, at - 65) : at][::-1])
        if host and local:
            start = at - local.end()
            name = text[start:at].lstrip("'=!#$~^&.")
            start = at - len(name)
            if start and text[start - 1] == "\\" and name[:1] in "nrt":
                start += 1
            end = _host_end(host)
            if end and start < at and not (name == "git" and text[end : end + 1] in (":", "/")):
                yield start, end, "email"
        at = text.find("@", at + 1)


def _host_end(host: re.Match[str]) -> int:
    """Where a mail host ends, or 0 if it is none: its last label is a word, and no file's kind."""
    labels = host.group().split(".")
    last = labels[-1].rstrip("-")
    if last.lower() in _FILES or len(last) < 2 or not (last.isalpha() or last.startswith("xn--")):  # noqa: PLR2004
        return 0
    return host.end() - (len(labels[-1]) - len(last))
