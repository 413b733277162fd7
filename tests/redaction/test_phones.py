"""Telephone numbers as many countries write them, and the numbers that are none."""

from __future__ import annotations

import random
import re

import pytest

from otel_tool_audit.redaction import MARK, Sanitizer

# '#' is any digit, '%' any but 0 and 1
NATIONAL = (
    "%##-%##-####", "(%##) %##-####", "(%##)%##-####", "%##.%##.####", "%## %## ####", "%##-%##-####x###", "0%# #### ####",
    "0%### ######",
    "0%# ## ## ## ##", "0%.##.##.##.##", "0%## ### ## ##", "0%##-######", "0%## ########", "0%#/#######", "### ### ###",
    "## ## ## ##",
    "#### ####", "0%#-####-####", "0%##-###-####", "(0%##) ######", "(##) 9####-####", "8 (%##) ###-##-##", "0%# ### ## ##",
    "### ## ## ##",
)  # fmt: skip
INTERNATIONAL = (
    "+1 %##-%##-####", "+1%##%######", "+44 20 #### ####", "+44 (0)20 #### ####", "+49 30 ######", "+49 (0)%## #######",
    "+33 % ## ## ## ##",
    "+39 0%# ### ####", "+34 6## ### ###", "+41 %# ### ## ##", "+46 (0)8 ### ### ##", "+47 ### ## ###", "+48 ### ### ###",
    "+91 %#### #####",
    "+55 (##) 9####-####", "+81 %#-####-####", "+86 1## #### ####", "+7 (9##) ###-##-##", "+61 4## ### ###", "+353 8# ### ####",
    "+971 5# ### ####",
    "001 %## %## ####", "0049 30 ######",
)  # fmt: skip
MARKED = (
    "call me at {}",
    "Phone: {}",
    "Tel. {}, fax none",
    "my mobile is {}.",
    "you can reach me on {}",
    "Fax:\\n{}\\n",
    "dial {} now",
    "contact {}",
)
UNMARKED = ("the form says {} in the second line", "{}", "it was {}, I think")
NONE = (
    "2026-11-24 12:30", "24/11/2026", "11-24-2026", "12:30:45", "2026 11 24", "1990-2020", "1234567890", "3,5 of 10,000",
    "52.5200, 13.4050",
    "1.2.3-4", "ORD-20261124-0001", "ISBN 978-3-16-148410-0", "1 000 000", "1.000.000,00", "12 34", "100-200",
    "2 x 3 x 4", "0.123456789", "1e10 and 2e10", "4bf92f3577b34da6", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "1764000000",
    "§ 12 34 56", "$1 234 567",
    "1,234,567", "3.14159265", "20261124123045", "10-12 days", "5-7 items", "1920x1080", "12.5 - 13.5", "2026-W48-2",
    "Q3 2025 - Q1 2026",
)  # fmt: skip


def draw(shape: str, chance: random.Random) -> str:
    """Fill a shape with digits."""
    filled = re.sub("#", lambda _: str(chance.randint(0, 9)), shape)
    return re.sub("%", lambda _: str(chance.randint(2, 9)), filled)


def share_left(shapes: tuple[str, ...], places: tuple[str, ...]) -> tuple[float, list[str]]:
    """Measure which share of drawn numbers stays in the text."""
    chance, left, total = random.Random(11), [], 0
    for shape in shapes:
        for place in places:
            for _ in range(3):
                number = draw(shape, chance)
                total += 1
                if number in Sanitizer().text(place.format(number)).value:
                    left.append(place.format(number))
    return len(left) / total, left


def test_marked_numbers_go() -> None:
    """At least 95 of 100 numbers with a plus, or with a word for them before, are gone."""
    for shapes, places in ((INTERNATIONAL, MARKED + UNMARKED), (NATIONAL, MARKED)):
        share, left = share_left(shapes, places)
        print(f"\nmarked numbers left: {share:.1%} {left[:6]}")
        assert share <= 0.05


def test_most_other_numbers_go() -> None:
    """At least 60 of 100 numbers that nothing marks are gone."""
    share, left = share_left(NATIONAL, UNMARKED)
    print(f"\nunmarked numbers left: {share:.1%} {left[:6]}")
    assert share <= 0.40


@pytest.mark.parametrize("text", NONE)
def test_other_numbers_stay(text: str) -> None:
    """Dates, amounts, versions, ranges, coordinates and identifiers are no telephone numbers."""
    assert Sanitizer().text(f"see {text} there") == (f"see {text} there", ())


@pytest.mark.parametrize("key", ["phone", "phoneNumber", "mobile_phone", "fax", "contact.telephone"])
def test_a_key_marks_a_number(key: str) -> None:
    """Under a name that says so, digits without any sign are a telephone number."""
    assert Sanitizer().value({key: "6038505064"}).value == {key: MARK}
    assert Sanitizer().attributes({key: "6038505064"}).value == {key: MARK}
