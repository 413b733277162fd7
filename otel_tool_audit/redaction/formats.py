"""
Keys that services give out, known by their shape: the table ``formats.toml``, and what a key looks like of a service it does not name.

A keyword is looked for first; only where it stands is its pattern tried, and a run of signs in which it failed is not tried again, so
the time is linear in the text. What a limit cut off inside a key is known by the key's beginning.

Source: ``formats.toml``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

from otel_tool_audit.redaction.keys import word_set, words_of
from otel_tool_audit.redaction.randomness import entropy, looks_random, stands_in
from otel_tool_audit.redaction.spans import Span
from otel_tool_audit.redaction.work import Work

SHORTEST: Final = 15
"""The least length of a key of any shape, in characters."""

_TOKEN: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
_LEFT: Final = _TOKEN | {"+"}
_RIGHT: Final = _TOKEN | {"_", "-"}
_BASE64: Final = frozenset("+/~")
_UNLIKE_BASE64: Final = frozenset("-_:.")
_RUN: Final = re.compile(r"[A-Za-z0-9_-]*+")
_CHUNK: Final = re.compile(rf"\S{{{SHORTEST},}}+")
_OPEN_REPEAT: Final = re.compile(r"(\{\d+,\})(?!\+)")
_NAMELESS: Final = re.compile(r"[_-](?P<body>[A-Za-z0-9]{24,}+)(?![A-Za-z0-9_-])")
_NAMELESS_CUT: Final = re.compile(
    r"(?<![A-Za-z0-9_./@-])(?P<prefix>[A-Za-z][A-Za-z0-9]{1,16}(?:_[A-Za-z0-9]{1,8}){0,2})_(?P<body>[A-Za-z0-9]{8,23}+)$"
)
_PREFIX_BEFORE: Final = re.compile(r"(?:[A-Za-z0-9]{1,24}[_-]){0,3}[A-Za-z0-9]{1,24}(?![A-Za-z0-9])")
_TELLING_PART: Final = word_set("sk key secret token pat api live test prod apikey access refresh oauth pk auth cred priv private pass")
_IDS: Final = words_of("formats.ids")
"""First parts of identifiers that many services write before random signs: ids are no keys."""

_CUT: Final = re.compile(r"(?:\s{0,3}(?:…|\.{2,3}|\[?\(?<?(?:truncated|cut|snip)[^\n]{0,64}|\[\.{3}\]?|\[…\]?)){0,3}\s{0,3}$")
_LONG_NUMBER: Final = 6
_CUT_SIGNS: Final = frozenset(".…])> \n")
_LONGEST_CUT_SIGN: Final = 96
_PIECE: Final = re.compile(r"[A-Za-z0-9]+")
_WORDS: Final = re.compile(r"(?:[A-Z]?[a-z]{2,64}|[A-Z]{1,64}|[0-9]{1,64})(?:[A-Z][a-z]{1,64}){0,16}")


class Format(NamedTuple):
    """
    One kind of key.

    Attributes:
        rule: Its name in ``redactions``.
        keywords: What stands in every text that holds one.
        source: Matches the key; group 1 is what must look generated.
        bits: Least entropy of that, in bits a character.
        search: Whether the key may begin before its keyword.
        words: Whether words begin like it.
        examples: Keys of this kind, as tests draw them.
        checked: When the provider's description was last compared.
    """

    rule: str
    keywords: tuple[str, ...]
    source: str
    bits: float
    search: bool
    words: bool
    examples: tuple[str, ...]
    checked: str


@cache
def formats() -> tuple[Format, ...]:
    """Read the table, once, when the first text needs it; where two match the same text, the first names the rule."""
    read: list[dict[str, Any]] = tomllib.loads(files("otel_tool_audit.redaction").joinpath("formats.toml").read_text("utf-8"))["format"]
    return tuple(
        Format(
            rule["id"], tuple(rule["keywords"]), rule["pattern"], float(rule["bits"]), rule.get("search", False), rule.get("words", False),
            tuple(rule["examples"]), str(rule["checked"]),
        )
        for rule in read
    )  # fmt: skip


@cache
def _keywords() -> tuple[tuple[str, Format], ...]:
    return tuple((keyword, rule) for rule in formats() for keyword in rule.keywords)


@cache
def _by_beginning() -> tuple[dict[str, list[tuple[str, Format]]], frozenset[str], list[tuple[str, Format]]]:
    """Sort keywords by their first three signs; those that are shorter stand apart."""
    begun: dict[str, list[tuple[str, Format]]] = {}
    for keyword, rule in _keywords():
        if len(keyword) >= _GRAM:
            begun.setdefault(keyword[:_GRAM], []).append((keyword, rule))
    return begun, frozenset(begun), [(keyword, rule) for keyword, rule in _keywords() if len(keyword) < _GRAM]


_GRAM: Final = 3
_LONG_TEXT: Final = 512


def _present(text: str) -> list[tuple[str, Format]]:
    """List the keywords in a text, in the table's order of beginnings."""
    if len(text) > _LONG_TEXT:
        return [(keyword, rule) for keyword, rule in _keywords() if keyword in text]
    begun, beginnings, short = _by_beginning()
    here = beginnings.intersection([text[at : at + _GRAM] for at in range(len(text) - 2)])
    found = [pair for pair in short if pair[0] in text]
    for beginning in here:
        found += [pair for pair in begun[beginning] if pair[0] in text]
    # where two match the same text, the first of the table names the rule
    return sorted(found, key=_place) if len(found) > 1 else found


def _place(pair: tuple[str, Format]) -> int:
    return _places()[pair[1]]


@cache
def _places() -> dict[Format, int]:
    return {rule: at for at, rule in enumerate(formats())}


@cache
def _pattern(source: str) -> re.Pattern[str]:
    # possessive: no run of signs is given back sign by sign
    return re.compile(_OPEN_REPEAT.sub(r"\1+", source))


@cache
def _longest_example(rule: Format) -> int:
    """Count the characters of a whole key, as the table's examples have them."""
    return max((len(_DRAWN.sub(lambda part: "x" * int(part[1]), example)) for example in rule.examples), default=0)


@cache
def _partial(rule: Format) -> re.Pattern[str]:
    """What a part of a key consists of: letters, digits, and what else its examples have."""
    others = {sign for example in rule.examples for sign in _DRAWN.sub("", example)} & set("./@:~%|")
    return re.compile(rf"[A-Za-z0-9_=+{re.escape(''.join(sorted(others)))}-]*+")


_DRAWN: Final = re.compile(r"\{[a-zA-Z2]([0-9]{1,4})\}")


def find_formats(text: str, words: Collection[str], work: Work) -> Iterator[Span]:
    """
    Find keys by their shape.

    Args:
        text: Any text.
        words: Those of its words that are not known to be harmless.
        work: Counts what is looked at.
    """
    long = " ".join([word for word in words if len(word) >= SHORTEST])
    likely = _present(long)
    nameless = "_" in long or "-" in long
    if likely:
        for chunk in _CHUNK.finditer(text):
            begin, stop = chunk.span()
            work.spend(stop - begin)
            for keyword, rule in likely:
                yield from (_searched if rule.search else _anchored)(text, keyword, rule, begin, stop, work)
    if nameless:
        yield from _unnamed(text, work)


def cut_at(text: str) -> int:
    """Tell where a text ends, without a sign that says that it was cut."""
    sign = _CUT.search(text, max(0, len(text) - _LONGEST_CUT_SIGN)) if text[-1:] in _CUT_SIGNS else None
    return sign.start() if sign else len(text)


def find_cut(text: str, work: Work) -> Iterator[Span]:
    """Find a key that a limit cut off: its beginning stands at the end of the text, or before a sign that says so."""
    end = cut_at(text)
    begin = max(text.rfind(" ", 0, end), text.rfind("\n", 0, end), text.rfind('"', 0, end), text.rfind("'", 0, end)) + 1
    tail = text[begin:end]
    if len(tail) < 4:  # noqa: PLR2004 - less than any beginning
        return
    for keyword, rule in _present(tail):
        if rule.search or len(keyword) < 3 or keyword not in tail:  # noqa: PLR2004 - no beginning that tells
            continue
        at = text.rfind(keyword, begin, end)
        run = _partial(rule).match(text, at + len(keyword), end)
        work.spend(end - at)
        if run is None or run.end() != end or (at and text[at - 1] in _LEFT and not _after_escape(text, at)):
            continue
        body = run.group()
        telling = any(_WORDS.fullmatch(piece) is None or (piece.isdecimal() and len(piece) >= _LONG_NUMBER) for piece in _PIECE.findall(body[:256]))
        if (
            telling
            and len(body) < _longest_example(rule) - len(keyword)
            and (len(keyword) > 3 or len(body) >= 6)  # noqa: PLR2004 - short beginnings tell less
            and not stands_in(body)
            and "EXAMPLE" not in body
            and len(set(body)) * 2 > min(len(body), 16)
        ):
            yield at, end, rule.rule
            return
    unnamed = _NAMELESS_CUT.search(tail)
    if (
        unnamed is not None
        and _IDS.isdisjoint(re.split("[_-]", unnamed["prefix"].lower()))
        and all(any(kind(c) for c in unnamed["body"]) for kind in (str.isupper, str.islower, str.isdigit))
    ):
        yield begin + unnamed.start(), end, "generic-token"
        return
    if (at := tail.rfind("eyJ")) >= 0 and len(tail) - at >= 12 and _RUN.match(tail, at) and not stands_in(tail[at:]):  # noqa: PLR2004 - a header's first letters
        yield begin + at, end, "jwt"


def _anchored(text: str, keyword: str, rule: Format, begin: int, stop: int, work: Work) -> Iterator[Span]:
    at = text.find(keyword, begin, stop)
    pattern = _pattern(rule.source)
    while at >= 0:
        after = at + len(keyword)
        if not at or text[at - 1] not in _LEFT or _after_escape(text, at):
            match = pattern.match(text, at)
            run = _RUN.match(text, at)
            after = max(after, match.end() if match else run.end() if run else after)
            work.spend(after - at)
            if match is not None and (match.end() == len(text) or _ends_here(text, at, match.end())) and _generated(match[1], rule):
                yield at, match.end(), rule.rule
        at = text.find(keyword, after, stop)


def _searched(text: str, keyword: str, rule: Format, begin: int, stop: int, work: Work) -> Iterator[Span]:
    work.spend(stop - begin)
    for match in _pattern(rule.source).finditer(text, begin, stop) if text.find(keyword, begin, stop) >= 0 else ():
        start, end = match.span()
        if start and text[start - 1] in _LEFT and not _after_escape(text, start):
            continue
        if (end == len(text) or _ends_here(text, start, end)) and _generated(match[1], rule):
            yield start, end, rule.rule


def _generated(body: str, rule: Format) -> bool:
    body = body[:512]
    if entropy(body) < rule.bits or stands_in(body):
        return False
    return not rule.words or looks_random(body, shortest=14)


def _after_escape(text: str, start: int) -> bool:
    # the n of a written-out line break, or the 3D of a percent sign, is no part of what follows
    return (text[start - 1] in "nrt" and text[start - 2 : start - 1] == "\\") or text[start - 3 : start].upper() in {
        "%3D",
        "%20",
        "%22",
        "%3A",
        "%27",
        "%2C",
        "%26",
        "%2F",
    }


def _ends_here(text: str, start: int, end: int) -> bool:
    after = text[end]
    if after in _RIGHT:
        return False
    if after in _BASE64:
        # base64 goes on with these; what base64 cannot hold ends here, as a part of a path does
        return not _UNLIKE_BASE64.isdisjoint(text[start:end])
    # a file's or a host's name goes on after the dot, a sentence doesn't
    return after != "." or end + 1 == len(text) or text[end + 1] not in _TOKEN


def _unnamed(text: str, work: Work) -> Iterator[Span]:
    """Find ``prefix_<24 or more random>`` of a service nobody named, unless the prefix is one of ids."""
    for match in _NAMELESS.finditer(text):
        body = match["body"]
        work.spend(len(body) + 64)
        reverse = _PREFIX_BEFORE.match(text[max(0, match.start() - 80) : match.start()][::-1])
        if reverse is None:
            continue
        prefix = reverse.group()[::-1].lower()
        start = match.start() - len(prefix)
        if not prefix[0].isalpha() or (start and text[start - 1] in "/.+-_"):
            continue
        parts = re.split("[_-]", prefix)
        telling = not _TELLING_PART.isdisjoint(parts) and text[match.start()] in "_-"
        if not telling and (
            (text[match.start()] == "-" and not _is_mixed(body))
            or not _IDS.isdisjoint(parts)
            or (set(body.lower()) <= _HEX and len(body) in _DIGESTS)
        ):
            continue
        end = match.end()
        if end < len(text) and not _ends_here(text, start, end):
            continue
        if looks_random(body[:256], shortest=20, bits=3.0 if telling or set(body.lower()) <= _HEX else 3.4) and not stands_in(body[:256]):
            yield start, end, "generic-token"


def _is_mixed(body: str) -> bool:
    # behind a dash names of machines and releases have generated parts, but none with all three kinds of signs
    return all(any(map(kind, body)) for kind in (str.isupper, str.islower, str.isdigit)) and not _WORDS.fullmatch(body)


_HEX: Final = frozenset("0123456789abcdef")
_DIGESTS: Final = frozenset({32, 40, 64, 96, 128})
