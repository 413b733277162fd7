"""
Whether a number is what it looks like: check digits, ranges, lengths.

Source: ISO/IEC 7812-1 (cards: Luhn), ISO 13616-1 (IBAN), SSA POMS RM 10201.030 (SSN), RFC 791, RFC 4291.
"""

from __future__ import annotations

import ipaddress
from typing import Final

_CARD_RANGES: Final = (
    ("4", (13, 16, 19)), ("34", (15,)), ("37", (15,)), ("300", (14, 16, 19)), ("301", (14, 16, 19)), ("302", (14, 16, 19)),
    ("303", (14, 16, 19)), ("304", (14, 16, 19)), ("305", (14, 16, 19)), ("309", (14, 16, 19)), ("36", (14, 16, 19)), ("38", (14, 16, 19)),
    ("39", (14, 16, 19)), ("35", (16, 17, 18, 19)), ("2131", (15,)), ("1800", (15,)), ("50", (16, 19)), ("56", (16, 19)), ("57", (16, 19)),
    ("58", (16, 19)), ("6", (16, 17, 18, 19)), ("81", (16,)), ("82", (16,)), ("9792", (16,)),
)  # fmt: skip
_MAESTRO: Final = ("50", "56", "57", "58", "59", "6")
_MASTERCARD: Final = range(2221, 2721)
_MIR: Final = range(2200, 2205)

_IBAN_LENGTHS: Final = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29, "BY": 28,
    "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18,
    "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HN": 28, "HR": 21, "HU": 28,
    "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20,
    "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28,
    "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24,
    "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26,
    "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}  # fmt: skip
_NOBODYS: Final = frozenset({"127.0.0.1", "0.0.0.0", "255.255.255.255", "::1", "::"})  # noqa: S104 - compared, not bound


def luhn(digits: str) -> bool:
    """
    Check a card number's last digit.

    Source: ISO/IEC 7812-1, annex B.
    """
    total = sum(map(int, digits[-1::-2]))
    for digit in digits[-2::-2]:
        double = int(digit) * 2
        total += double - 9 if double > 9 else double  # noqa: PLR2004
    return total % 10 == 0


def is_card(digits: str, *, said: bool = False) -> bool:
    """
    Tell whether digits are a payment card's number.

    Args:
        digits: 12 to 19 digits, nothing else.
        said: Whether the text around speaks of a card; then lengths that only Maestro uses count too.
    """
    size = len(digits)
    if not 12 <= size <= 19 or len(set(digits)) == 1 or not luhn(digits):  # noqa: PLR2004
        return False
    if size == 16 and ("51" <= digits[:2] <= "55" or int(digits[:4]) in _MASTERCARD or int(digits[:4]) in _MIR):  # noqa: PLR2004
        return True
    if any(size in sizes and digits.startswith(prefix) for prefix, sizes in _CARD_RANGES):
        return True
    return said and (digits.startswith(_MAESTRO) or size in (13, 14, 15, 16, 19))


def is_iban(text: str) -> bool:
    """
    Tell whether letters and digits are an IBAN: its country's length, and 1 modulo 97.

    Source: ISO 13616-1; ISO/IEC 7064, MOD 97-10.
    """
    if _IBAN_LENGTHS.get(text[:2]) != len(text):
        return False
    return int("".join(str(int(c, 36)) for c in text[4:] + text[:4])) % 97 == 1


def iban_length(country: str) -> int:
    """Tell how many letters and digits an IBAN of a country has; 0 where it has none."""
    return _IBAN_LENGTHS.get(country, 0)


def is_ssn(digits: str) -> bool:
    """
    Tell whether nine digits can be a US social security number, or a taxpayer number.

    Source: SSA POMS RM 10201.030 (area, group and serial never all zero, area never 666); IRS Publication 1915 (9xx).
    """
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    if area in ("000", "666") or group == "00" or serial == "0000":
        return False
    return area[0] != "9" or "50" <= group <= "99"


def is_address(text: str) -> bool:
    """Tell whether text is an IP address of somebody: not this machine's own, and not "any"."""
    if text in _NOBODYS:
        return False
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return not address.is_loopback and not address.is_unspecified
