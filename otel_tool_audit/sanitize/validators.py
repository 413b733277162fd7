"""
What a match must fulfil before it counts: check digits, value ranges, and that it is no placeholder.

Source: ISO/IEC 7812-1 (card numbers, Luhn), ISO 13616-1 (IBAN), SSA's rules for assigned numbers, RFC 4291 (IPv6 text).
"""

from __future__ import annotations

import ipaddress
import math
import re
from typing import Final

_CARD_LENGTHS: Final = (
    ("4", (13, 16, 19)), ("34", (15,)), ("37", (15,)), ("35", (15, 16, 17, 18, 19)), ("2131", (15,)), ("1800", (15,)),
    ("30", (14, 16)), ("36", (14, 16)), ("38", (14, 16)), ("39", (14, 16)), ("6", tuple(range(12, 20))), ("50", tuple(range(12, 20))),
    ("56", tuple(range(12, 20))), ("57", tuple(range(12, 20))), ("58", tuple(range(12, 20))), ("51", (16,)), ("52", (16,)), ("53", (16,)),
    ("54", (16,)), ("55", (16,)),
)  # fmt: skip
_PLACEHOLDER = re.compile(
    r"(?i)^[<\[({$%*.#]|^(?:x{3,}|\*{3,}|\.{3,}|-{3,}|n/?a|none|null|nil|true|false|undefined|empty|string|str|bytes|int|optional|required|redacted|changeme|placeholder"
    r"|example|your[-_ ].*|my[-_ ]?(?:password|token|secret|key)|password|passwd|pass|token|secret|user|username|test|xxx+|yyy+|todo|[a-z_]*password|value|key)$|\$\(|\$\{|\{\{|<[a-z]"
)
_SAME = re.compile(r"(.)\1{7,}")


def luhn(digits: str) -> bool:
    """Check the Luhn check digit."""
    total = 0
    for at, char in enumerate(reversed(digits)):
        number = ord(char) - 48
        if at % 2:
            number = number * 2 - 9 if number > 4 else number * 2
        total += number
    return total % 10 == 0


def is_card(text: str) -> bool:
    """Tell whether digits, with spaces or hyphens, make a payment card's number."""
    digits = re.sub(r"[ -]", "", text)
    if len(set(digits)) < 3 or not digits.isdigit():
        return False
    if digits[:4].isdigit() and 2221 <= int(digits[:4]) <= 2720 and len(digits) == 16:
        return luhn(digits)
    return any(digits.startswith(prefix) and len(digits) in lengths for prefix, lengths in _CARD_LENGTHS) and luhn(digits)


def is_iban(text: str) -> bool:
    """Check an IBAN's two check digits: the rearranged number modulo 97 is 1."""
    compact = text.replace(" ", "").replace("-", "")
    if not 15 <= len(compact) <= 34:
        return False
    rearranged = compact[4:] + compact[:4]
    return int("".join(str(int(char, 36)) for char in rearranged)) % 97 == 1


def is_ssn(text: str) -> bool:
    """Tell whether an area, group and serial can have been assigned (US social security)."""
    area, group, serial = re.split(r"[- ]", text)
    return area not in {"000", "666"} and area[0] != "9" and group != "00" and serial != "0000"


def is_ip(text: str) -> bool:
    """Tell whether it is an IPv4 or IPv6 address of some other host, and not merely a few colons."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if address.is_loopback or address.is_unspecified:
        return False
    return address.version == 4 or sum(1 for part in text.split(":") if part) >= 3


def entropy(text: str) -> float:
    """Measure Shannon's entropy in bits a character."""
    size = len(text)
    return -sum(n / size * math.log2(n / size) for n in (text.count(char) for char in set(text))) if size else 0.0


def is_random(text: str, least: float = 3.0) -> bool:
    """Tell whether a token's body looks drawn by chance: enough entropy, no long runs, not a word."""
    return entropy(text) >= least and _SAME.search(text) is None


def is_placeholder(value: str) -> bool:
    """Tell whether a value only stands for one: a variable, a template, a row of x, a word from a manual."""
    return _PLACEHOLDER.search(value) is not None or (len(value) > 3 and len(set(value.lower())) <= 2) or _SAME.search(value) is not None


def is_strong(value: str) -> bool:
    """Tell whether a value is one that nobody chose: long, of letters and digits, random."""
    return len(value) >= 14 and any(c.isdigit() for c in value) and any(c.isalpha() for c in value) and is_random(value) and not is_placeholder(value)
