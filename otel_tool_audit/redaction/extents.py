"""
How far a value reaches that stands behind a name: to its quote, the end of its line, element or field; never less than it does.

Where two readings are possible the longer one counts: a mark that is too wide hides a word, one that is too narrow leaves a tail.

Source: ARCHITECTURE.md, R31; YAML 1.2.2, section 8.1 (block scalars); RFC 9110, section 5.5 (a header's value ends with its line).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_LOOK: Final = 256
"""Characters of a line in which another field is looked for; a value that is longer goes to the end of its line."""

_QUOTE: Final = re.compile(r"(?:[brfuRBFUN@]{1,2}|[lL]it)?(\\{0,7})([\"'`])")
_BLANKS: Final = re.compile(r"[ \t]{0,64}")
_LINE_END: Final = re.compile(r"[\r\n\x00\u2028\u2029]|\\r\\n|\\n(?![a-z])|<br ?/?>")
_BLOCK: Final = re.compile(r"[|>][+-]?[0-9]?[ \t]{0,8}\r?\n([ \t]{1,64})")
_ELEMENT_BREAK: Final = re.compile(r"\s{0,64}")
_NEXT_FIELD: Final = re.compile(
    r"[ \t]{0,4}[,;&|][ \t]{0,4}(?=[\"'`]?[A-Za-z_$][\w .$-]{0,40}?[\"'`]?[ \t]{0,2}(?:=|:[ \t]|=>))"
    r"|[ \t]{1,8}(?=[\"'`]?[A-Za-z_$][\w.$-]{0,40}[\"'`]?(?:=(?![= ])|:[ \t]))"
    r"|[ \t]{1,4}(?:[|/][ \t]|&&|\|\||-{1,2}[A-Za-z][\w-]{0,32}(?:[= \t]|$)|-->)"
)
_COMMAND: Final = re.compile(
    r"[ \t]{1,4}(?:[./~]\S{0,128}|(?:sudo|env|exec|psql|pg_dump|pg_restore|mysql|mysqldump|docker|podman|kubectl|helm|terraform|ansible\S{0,16}|aws|gcloud|az|python3?|node|npm|npx|yarn"
    r"|pnpm|ruby|bundle|java|mvn|gradle|go|cargo|make|bash|sh|zsh|curl|wget|git|ssh|rsync|rclone|restic|borg|vault|redis-cli|mongosh?|uvicorn|gunicorn|flask|pytest|uv|pip3?))(?=[ \t\r\n]|$)"
)
_TALK: Final = re.compile(
    r"(?=[^ ]{0,128}[0-9])([^ ]{4,128})[ ](?:is|was|are|were|for|in|on|at|to|from|by|and|or|but|has|had|did|does|not|failed|after|before|when|while|as|with|returned)[ ]"
)
"""One telling word, and a sentence that goes on behind it."""

_OPENERS: Final = {")": "(", "]": "[", "}": "{"}
_LINE_START: Final = re.compile(
    r"[ \t>*#;/+-]{0,64}(?:(?:export|set|setx|SET|ENV|ARG|env|declare -x|local|readonly|let|\$env:|@)[ \t]{0,4}){0,2}(?:[A-Za-z0-9_. ]{1,40}:[ \t])?(?:[A-Za-z0-9 ]{1,24})?[\"'`*_]{0,3}"
)
_URL_SIGNS: Final = re.compile(r"[^\s\"'`&#<>|;,)\]}\\]+")
_TO_BLANK: Final = re.compile(r"\S+")
_SHELL_PART: Final = re.compile(r"\"(?:[^\"\\]|\\.){0,4096}(?:\"|$)|'[^']{0,4096}(?:'|$)|\\.|[^\s\"'\\]+", re.DOTALL)
_TRAILING: Final = ".,;:!?"


class ValueExtent(NamedTuple):
    """
    Where a value stands.

    Attributes:
        start: Where it begins.
        end: Where it ends.
        quoted: Whether it stands in quotes.
        closed: Whether its quote closes; else it goes to the end of the text.
    """

    start: int
    end: int
    quoted: bool = False
    closed: bool = True


def quoted(text: str, at: int) -> ValueExtent | None:
    """Find a value in quotes that begin here; one that never closes goes to the end of the text. None where no quote begins."""
    quote = _QUOTE.match(text, at)
    if quote is None:
        return None
    start, escape, sign = quote.end(), quote[1], quote[2]
    closing = escape + sign
    if not escape and text.startswith(sign * 2, start):
        start += 2
        closing = sign * 3
    stop = text.find(closing, start)
    while stop >= 0 and not escape and _escaped(text, stop, start):
        stop = text.find(closing, stop + 1)
    if stop < 0:
        return ValueExtent(start, len(text), quoted=True, closed=False)
    return ValueExtent(start, stop, quoted=True)


def _escaped(text: str, at: int, start: int) -> bool:
    slashes = 0
    while at - 1 - slashes >= start and text[at - 1 - slashes] == "\\" and slashes < 8:  # noqa: PLR2004 - nobody escapes deeper
        slashes += 1
    return slashes % 2 == 1


def element(text: str, at: int) -> ValueExtent | None:
    """Find the text of an XML element that begins here."""
    begin = _ELEMENT_BREAK.match(text, at)
    start = begin.end() if begin else at
    if text.startswith("<![CDATA[", start):
        stop = text.find("]]>", start)
        return ValueExtent(start + 9, len(text) if stop < 0 else stop)
    stop = text.find("<", start)
    stop = len(text) if stop < 0 else stop
    while stop > start and text[stop - 1].isspace():
        stop -= 1
    return ValueExtent(start, stop)


def block(text: str, at: int) -> ValueExtent | None:
    """Find a YAML block scalar that begins here: all lines that are indented as deep as its first."""
    head = _BLOCK.match(text, at)
    if head is None:
        return None
    indent = head[1]
    start = end = head.end()
    while True:
        stop = text.find("\n", end)
        if stop < 0:
            return ValueExtent(start, len(text))
        end = stop + 1
        if not text.startswith(indent, end) and text[end : end + 1] not in ("\n", "\r"):
            return ValueExtent(start, stop)


def line_end(text: str, at: int, look: int) -> int:
    """Where the line ends, at most *look* characters further; a line break that is written out ends one, too."""
    stop = min(len(text), at + look)
    found = _LINE_END.search(text, at, stop)
    return found.start() if found else stop


def shell_word(text: str, at: int) -> ValueExtent | None:
    """Find one word of a shell's, its quotes and escapes included."""
    end = at
    while (part := _SHELL_PART.match(text, end)) is not None:
        end = part.end()
    if end == at:
        return None
    inner = text[at] if text[at] in "\"'" else ""
    if inner and text[end - 1] == inner and text.find(inner, at + 1) == end - 1:
        return ValueExtent(at + 1, end - 1, quoted=True)
    return ValueExtent(at, end)


class TextLine(NamedTuple):
    """
    What stands around a name on its line.

    Attributes:
        opens: Whether the name opens the line, as in YAML, .env and most configuration files.
        quote: The quote that stands open directly before the name, with its escapes; "" for none.
        inside: A quote that stands open somewhere before it on the line; "" for none.
        url: Whether it is a parameter in a URL or a form.
        bracket: The innermost bracket that stands open before it; "" for none.
    """

    opens: bool
    quote: str
    inside: str
    url: bool
    bracket: str


_ADJACENT: Final = re.compile(r"([\"'`])(\\{0,7})")
_CHUNK_BEFORE: Final = re.compile(r"[^\s\"'`<>]{0,128}")


def around(text: str, start: int, end: int) -> TextLine:
    """
    Look at what stands before a name.

    Args:
        text: Where it stands.
        start: Where the name begins.
        end: Where it ends.
    """
    left = text[max(0, start - _LOOK) : start]
    cut = max(left.rfind("\n"), left.rfind("\\n"))
    if cut >= 0:
        left = left[cut + (1 if left[cut] == "\n" else 2) :]
    at_start = cut >= 0 or start <= _LOOK
    adjacent = _ADJACENT.match(left[-8:][::-1])
    quote = ""
    if adjacent is not None and not text.startswith(adjacent[2] + adjacent[1], end):
        quote = adjacent[2] + adjacent[1]
    inside = ""
    for sign in '"`':
        if left.count(sign) % 2:
            inside = sign
    if not inside and left.count("'") % 2 and not (left[left.rfind("'") - 1 : left.rfind("'")].isalpha() and left.rfind("'") > 0):
        inside = "'"
    chunk = _CHUNK_BEFORE.match(left[::-1])
    before = chunk.group() if chunk else ""
    # what a parameter's value begins with is a text of its own
    url = before[:1] in ("?", "&", "#") or (before[:1] != "=" and ("?" in before or "//:" in before))
    opens = not url and ((before[:1] == "=" and "?" in before) or (at_start and _LINE_START.fullmatch(left) is not None))
    # what opened before a quote did is no part of the text in it
    return TextLine(opens, quote, inside, url, "" if quote else _open_bracket(left[left.rfind(inside) + 1 :] if inside else left))


def _open_bracket(left: str) -> str:
    depth = {"(": 0, "[": 0, "{": 0}
    for sign in reversed(left[-128:]):
        if sign in _OPENERS:
            depth[_OPENERS[sign]] += 1
        elif sign in depth:
            if depth[sign] == 0:
                return sign
            depth[sign] -= 1
    return ""


def unquoted(text: str, at: int, line: TextLine, *, separator: str, to_line_end: bool, look: int, header: bool = False) -> ValueExtent | None:  # noqa: C901 - what ends a value differs from notation to notation
    """
    Find how far a value without quotes reaches.

    Args:
        text: Where it stands.
        at: Where it begins.
        line: What stands before its name.
        separator: What stands between the two.
        to_line_end: Whether a blank does not end it: in headers, and behind a name that opens its line or a colon.
        look: The most characters it may have.
        header: Whether it is a header's: then no other field stands on its line.
    """
    if line.url:
        found = _URL_SIGNS.match(text, at, at + look)
        return ValueExtent(at, found.end()) if found else None
    if line.quote:
        stop = text.find(line.quote, at)
        while stop > 0 and len(line.quote) == 1 and _escaped(text, stop, at):
            stop = text.find(line.quote, stop + 1)
        limit = min(len(text) if stop < 0 else stop, at + look)
    else:
        limit = line_end(text, at, look)
        if line.inside and not line.opens:
            stop = text.find(line.inside, at, limit)
            limit = stop if stop >= 0 else limit
    if at >= limit:
        return None
    wide = to_line_end or bool(line.quote)
    if not wide:
        blank = _TO_BLANK.match(text, at, limit)
        limit = blank.end() if blank else limit
    end = limit if header and not line.bracket else _to_field(text, at, limit, line, separator=separator)
    if wide and separator == "=" and not line.quote:
        follower = _COMMAND.search(text, at, min(end, at + _LOOK)) or (None if line.opens else _TALK.match(text, at, min(end, at + _LOOK)))
        if follower:
            end = follower.start() if follower.re is _COMMAND else follower.end(1)
    while end > at and text[end - 1] in " \t":
        end -= 1
    if not wide or not line.opens:
        while end - 1 > at and text[end - 1] in _TRAILING and (end == len(text) or text[end] in " \t\r\n\"'"):
            end -= 1
    return ValueExtent(at, end) if end > at else None


def _to_field(text: str, at: int, limit: int, line: TextLine, *, separator: str) -> int:
    """Shorten a value to where the next field begins, or its bracket closes."""
    look = min(limit, at + _LOOK)
    end = limit
    environment = line.opens and separator == "=" and not line.bracket
    if not environment or " " in text[at:look] or ";" in text[at:look]:
        field = _NEXT_FIELD.search(text, at, look)
        if field and field.start() > at and not (environment and field.group().strip() in ("&", ",", "|")):
            end = field.start()
    if line.bracket:
        closer = {"(": ")", "[": "]", "{": "}"}[line.bracket]
        depth = 0
        for place in range(at, min(end, look)):
            sign = text[place]
            if sign == line.bracket:
                depth += 1
            elif sign == closer:
                if not depth:
                    return place
                depth -= 1
            elif sign == "," and not depth and place > at:
                return place
    return end
