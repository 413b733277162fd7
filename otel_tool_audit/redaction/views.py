"""
Text as a person or another program would read it: escapes undone, invisible signs and colours left out, letters without accents.

A rule that knows ``password: x`` so finds it also in ``password%3Dx``, ``&quot;password&quot;:``, a terminal's coloured output, and in
full-width letters. What is found there is replaced where it stands in the text itself.

Source: RFC 3986, section 2.1 (percent-encoding); HTML Living Standard, "Named character references"; ECMA-48, section 5.4 (control
sequences); UAX #15 (NFKD).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from otel_tool_audit.redaction.spans import Span

_COLOUR: Final = r"(?:\x1b|\\{1,4}(?:u001[bB]|x1[bB]|033|e))\[[0-9;:?]{0,32}[A-Za-z]"
_HAS_COLOUR: Final = re.compile(_COLOUR)
_OTHERWISE: Final = re.compile(
    rf"(?P<colour>{_COLOUR})"
    r"|%(?P<percent>[2-7][0-9A-Fa-f]|0[9aAdD])"
    r"|&(?:#(?P<decimal>[0-9]{1,6})|#[xX](?P<hex>[0-9A-Fa-f]{1,5})|(?P<name>quot|apos|lt|gt|amp|nbsp|colon|equals|commat|period|lowbar));"
    r"|\\{1,4}u(?P<unicode>[0-9A-Fa-f]{4})"
    r"|\\{1,4}x(?P<byte>[2-7][0-9A-Fa-f])"
    # letters with accents, wide and styled ones, punctuation; what shows nothing: of all other scripts there is no plain form
    r"|(?P<letter>[\u00a0-\u024f\u1e00-\u1eff\u2000-\u206f\u2100-\u218f\u2460-\u24ff\ufe00-\ufe0f\ufeff-\uff5e\U0001d400-\U0001d7ff\U000e0000-\U000e007f])"
)
_LINES: Final = re.compile(r"\\{1,4}(?:[nrt]|x0[aAdD9]|u000[aAdD9])|%0[aAdD]")
_WITH_LINES: Final = re.compile(
    # where a printed text begins and ends, its first and its last line do
    r"(?P<edge>(?:(?:(?<=[:=(\[{])|(?<=[:=(\[{] )|\A)[bu]?\\{0,4}[\"'](?=\\{0,8}[\"'\w|+ ]))|\\{0,4}[\"'](?=\\{0,8}[\"']?[}\])]|\Z)|(?<==)(?=[A-Za-z%|]))"
    rf"|{_OTHERWISE.pattern}|\\{{1,4}}(?:r(?=\\{{1,4}}n)|(?P<control>[nrt]|x0[aAdD9])|(?P<quote>[\"']))"
)
_CONTROLS: Final = {"n": "\n", "r": "\n", "t": "\t", "x0a": "\n", "x0d": "\n", "x09": "\t"}
_NAMED: Final = {
    "quot": '"', "apos": "'", "lt": "<", "gt": ">", "amp": "&", "nbsp": " ", "colon": ":", "equals": "=", "commat": "@", "period": ".", "lowbar": "_",
}  # fmt: skip
_SPELT: Final = dict.fromkeys("“”„‟«»", '"') | dict.fromkeys("‘’‚‛", "'") | dict(zip("łŁøØđĐıħ", "lLoOdDih", strict=True))  # noqa: RUF001 - these are meant
_BASES: Final = {"percent": 16, "byte": 16, "unicode": 16, "hex": 16, "decimal": 10}
_FIRST_PRINTABLE: Final = 0x20
_SURROGATES: Final = range(0xD800, 0xE000)


class View(NamedTuple):
    """
    A text as it reads.

    Attributes:
        text: What is read.
        starts: Where each of its characters begins in the text itself.
        ends: Where each of them ends there.
    """

    text: str
    starts: list[int]
    ends: list[int]

    def back(self, span: Span) -> Span:
        """Give a span of the view as one of the text itself."""
        start, end, rule = span
        return self.starts[start], self.ends[end - 1], rule


def views(text: str, *, lines: bool = False) -> Iterator[View]:
    """
    Give the ways in which a text reads differently; most texts have none.

    Args:
        text: Any text.
        lines: Whether line breaks that are written out (``%0A``, a backslash and its letter) matter, too: where a secret's name stands, a line may tell the rest.
    """
    escaped = "%" in text or "&" in text or "\\" in text
    if not escaped and "\x1b" not in text and text.isascii():
        return
    pattern = _WITH_LINES if lines and escaped and _LINES.search(text) else _OTHERWISE
    coloured = _HAS_COLOUR.search(text) is not None
    # a colour may begin beside a word, and inside one
    for between in (" ", "") if coloured else ("",):
        read = _read(text, between, pattern)
        if read is not None:
            yield read


def _read(text: str, between: str, pattern: re.Pattern[str]) -> View | None:
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    done = 0
    changed = False
    for match in pattern.finditer(text):
        start, end = match.span()
        said = between if match.lastgroup == "colour" else _said(str(match.lastgroup), match)
        if said is None:
            continue
        changed = True
        pieces += (text[done:start], said)
        starts += (*range(done, start), *([start] * len(said)))
        ends += (*range(done + 1, start + 1), *([end] * len(said)))
        done = end
    if not changed:
        return None
    pieces.append(text[done:])
    starts += range(done, len(text))
    ends += range(done + 1, len(text) + 1)
    return View("".join(pieces), starts, ends)


def _said(group: str, match: re.Match[str]) -> str | None:
    """What a match stands for; None when that is the same, or no text."""
    if group not in _BASES:
        return _written(group, match)
    found = match[group]
    code = int(found, _BASES[group])
    if code in _SURROGATES or code > 0x10FFFF or (code < _FIRST_PRINTABLE and chr(code) not in "\t\r\n"):  # noqa: PLR2004 - Unicode's last
        return None
    return _plain(chr(code)) or chr(code)


def _written(group: str, match: re.Match[str]) -> str | None:
    match group:
        case "name":
            return _NAMED[match["name"]]
        case "letter":
            return _plain(match["letter"])
        case "control":
            return _CONTROLS[match["control"].lower()]
        case "quote":
            return match["quote"]
        case "edge":
            return "\n"
        case _:
            # the first half of a written-out \\r\\n
            return ""


@lru_cache(maxsize=4_096)
def _plain(letter: str) -> str | None:
    """Give a letter without accents, width and style; nothing for one that does not show; None when there is no plainer one."""
    if letter in _SPELT:
        return _SPELT[letter]
    if unicodedata.category(letter) == "Cf" or "\ufe00" <= letter <= "\ufe0f":
        return ""
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(sign))
    return plain if plain != letter and plain.isascii() and plain else None
