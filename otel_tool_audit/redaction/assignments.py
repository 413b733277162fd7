"""
A secret's name with its value after it, in any text: ``password=hunter2``, ``"api_key": "…"``, ``--token abc``, ``curl -u user:pass``.

The text is read at the places where a part of a secret's name stands; only what follows a name is looked at closer, no further than
a bounded stretch before it is taken for a value, so the time is linear in the text.

Source: ARCHITECTURE.md, R3 and R31; RFC 9110, section 11.6.2 (Authorization).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from otel_tool_audit.redaction.commands import OPTION_TALK
from otel_tool_audit.redaction.extents import TextLine, ValueExtent, around, block, element, line_end, quoted, shell_word, unquoted
from otel_tool_audit.redaction.judging import is_choice, is_expression, is_generated_value, is_placeholder, is_secret_value, is_sentence
from otel_tool_audit.redaction.keys import KeyKind, KeyName, KeyNames, word_set, words
from otel_tool_audit.redaction.randomness import looks_random
from otel_tool_audit.redaction.schemas import describes
from otel_tool_audit.redaction.spans import Span
from otel_tool_audit.redaction.work import Work

RULE: Final = "secret-key"

_WORD_BEFORE: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_WORD: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}+")
_STEMS: Final = (
    "pass", "pwd", "token", "secret", "key", "auth", "cred", "cookie", "ssn", "cvv", "cvc", "cvn", "jwt", "bearer", "otp", "card", "security",
    "code", "access", "bundle_", "conn", "mnemonic", "phrase", "ccn", "cc_", "contrase", "senha", "woord", "kennwort", "psk", "pw", "sid", "sess",
    "assertion", "pin", "puk", "hasl", "heslo", "salasana", "verifier", "saml", "pword",
)  # fmt: skip
"""In lower case: one of them stands in every name of a secret."""

_GENERATED: Final = re.compile(r"[^\s,;]{12,512}")
SHORTEST_GENERATED: Final = 12
"""Characters of the shortest value whose look alone tells that it is a secret."""

_WINDOW: Final = 64
_SEPARATOR: Final = re.compile(
    r"(?:\\{0,7}[\"'`]?(?:\[[0-9]{0,4}\]|[\])])?\??(?:[ \t]{1,4}(?:string|str|String|NSString|let|char))?[*_]{0,3}(?:[ \t]{1,3}(?:is|was|are|lautet|ist|est|es)(?=[ \t]?:[ \t]))?[ \t]{0,12}"
    r"(=>|:=|:{2,3}=|\?\?=|\|\|=|(?:\|\||\?\?)(?=[ \t]{0,4}[\"'`])|\?=|\.=|\+=|!=|={1,3}|:|>|：|＝)(?:[*_]{1,2}(?=[ \t]))?[ \t]{0,64}(?:>(?![+-]?[0-9]?[ \t]{0,8}\r?\n)[ \t]{0,4})?)"  # noqa: RUF001 - wide signs are meant
)
_ARGUMENT: Final = re.compile(r"\\{0,7}[\"'`][ \t]{0,4}(,)[ \t]{0,4}(?=b?\\{0,7}[\"'`])")
_ATTRIBUTE: Final = re.compile(r"\\{0,7}[\"'][^<>\n]{0,128}?\bvalue=(?=\\{0,7}[\"'])")
_RARE_SEPARATOR: Final = re.compile(r"[ \t]{0,8}[\"']{0,2}[ \t]{0,3}(?:,|>|\|\||:{2,3}=)[`'\" \t=>]{0,5}")
_NAME_BEFORE: Final = re.compile(r"(?<![A-Za-z0-9_.-])[A-Za-z_][A-Za-z_.-]{1,63}[0-9]{0,3}(?=[\\\"'`)\]]{0,4}[ \t]{0,12}[:=>,|?+!])")
"""A word that a sign stands behind, as behind a name."""

_RARE: Final = re.compile(r"(?:,|>|\|\|)[`'\" =>]{0,5}[A-Za-z0-9][A-Za-z0-9_/+=.-]{11}")
_TYPE: Final = re.compile(
    r"(?:(?:string|str|String|NSString|any|char|text|bytes|Any|SecretStr)\??|Optional\[\w{1,32}\]|[A-Za-z]{2,32}(?:\[\])?(?:[ ]?\|[ ]?\w{2,16}){1,3}|&(?:'static )?str)[ \t]{0,4}=(?!=)[ \t]{0,4}"
)
_PARAMETER: Final = re.compile(r"(?:\$[0-9]{1,2}|[:@][a-z_]{1,32}|\?|%s|%\([a-z_]{1,32}\)s)[ \t]{0,2}(?:[,;)]|(?i:where|returning|and|or)\b|$)")
"""A parameter of a statement: what it stands for is told elsewhere."""

_LOGGED: Final = re.compile(r"(?!(?i:basic|bearer|digest|token|negotiate|user)\b)[a-z]{2,24} [a-z]{2,24}(?: |$)")
"""What a logger called *auth* says."""

_BEFORE_TAG: Final = re.compile(r"[A-Za-z0-9:=] ?$")
_TUPLE: Final = re.compile(r"\([A-Za-z_][\w.]{0,64}(?:,[ ]?[A-Za-z_][\w.]{0,64}){1,4}\)(?=[\s,);]|$)")
_USER_AND: Final = re.compile(r"\([ ]{0,2}[\"'][^\"'\n]{0,128}[\"'],[ ]{0,2}(?=[\"'])")
_TEST_RUN: Final = re.compile(r"(?:---|===)[ ]$")
_ONE_IN_BRACKETS: Final = re.compile(r"\[(?=[^\s\]]{0,256}[0-9])([^\s\"'\[\]()…,<>]{6,256})(?:\]|$|…|[ ]?\[)")
_UNTIL_BLANK: Final = re.compile(r"[^\s\"'`,;&<>)}\]|\\]+")
_IS: Final = re.compile(r"[\"'`]?\s{1,3}(?:is|was|=|are|to|ist|lautet|est|es)\s{1,3}:?\s{0,2}")
_PAIR: Final = re.compile(r"\\{0,7}[\"'`]?\s{0,3}[,;>]?\s{0,40}\\{0,7}[\"'`]?(?:[a-z_]{0,16}value)\\{0,7}[\"'`]?\s{0,4}[:=]\s{0,4}")
_SIGNATURE: Final = re.compile(
    r"(?i)(?:[?&](?:key|code)|\b(?:sig|signature|x-amz-signature|x-goog-signature|x-amz-security-token|client_assertion))=([A-Za-z0-9%+/=_~.-]{16,4096})"
)
_ARN_BEFORE: Final = re.compile(r"arn:[a-z-]{1,12}:[\w.:/-]{0,128}$")
_SHORT_NUMBER: Final = re.compile(r"[0-9]{1,3}[;,)]?(?:\s.*)?")
_TINY_NUMBER: Final = re.compile(r"[0-9]{1,2}[;,)]?(?:\s.*)?")
_NUMERIC: Final = word_set("pin code otp totp cvv cvc cvv2 cvc2 ccn number ssn")
_LONGEST_NAME: Final = 128
_COLON_TALK: Final = word_set("token auth cookie cookies credentials credential authorization bearer secret tokens key code")
_HEADERS: Final = frozenset({"authorization", "auth", "cookie", "cookies"})
_CANDIDATE: Final = 160
"""What looking behind one name costs, in characters."""

_LONGEST_SEEN: Final = 256
"""Characters of a value that are looked at to tell whether it is one."""


def stems_in(lower: str, names: KeyNames) -> list[str]:
    """List the parts of secrets' names that a text in lower case holds."""
    return [stem for stem in (*_STEMS, *names.stems) if stem in lower]


def find_assignments(text: str, lower: str, names: KeyNames, longest: int, stems: Sequence[str], work: Work) -> Iterator[Span]:
    """
    Find values that stand after a secret's name.

    Args:
        text: Any text.
        lower: The same in lower case, character by character.
        names: Judges names.
        longest: The length of the longest word.
        stems: What :func:`stems_in` gave.
        work: Counts what is looked at.
    """
    done = 0
    for begin, end in _candidates(text, lower, stems, longest, work):
        if begin < done:
            # inside a value that goes as a whole
            continue
        start, name = begin, text[begin:end]
        said = names.judge(name)
        if name[0] in "nrt" and text[start - 1 : start] == "\\" and start:
            # the letter of a line break that is written out
            inner = names.judge(name[1:])
            if inner.kind is not KeyKind.PLAIN and inner.kind.value >= said.kind.value:
                start, name, said = start + 1, name[1:], inner
        before = _WORD_BEFORE.match(text[max(0, start - _WINDOW) : start - 1][::-1]) if start and text[start - 1] == " " else None
        if before is not None and said.kind is not KeyKind.SECRET and not name.startswith("-"):
            # "API key: …": two words that only together name a secret
            joined = names.judge(f"{before.group()[::-1]} {name}")
            said = joined if joined.kind.value > said.kind.value else said
        if said.kind is not KeyKind.PLAIN:
            found = _after(text, (start, end), name, said, names, work, prose=before is not None)
            if found is not None:
                done = found[1]
                yield found
    if "=" in text and any(hint in lower for hint in ("sig", "-token=", "key=", "code=", "assertion=")):
        yield from ((m.start(1), m.end(1), "url-signature") for m in _SIGNATURE.finditer(text) if looks_random(m.group(1)))


def _candidates(text: str, lower: str, stems: Sequence[str], longest: int, work: Work) -> list[tuple[int, int]]:
    """Where words stand that may name a secret: those with a stem, the word after one, and what precedes a generated value."""
    found: set[tuple[int, int]] = set()
    for stem in stems:
        at = lower.find(stem)
        while at >= 0:
            left = _WORD_BEFORE.match(text[max(0, at - _LONGEST_NAME) : at][::-1])
            start = at - left.end() if left else at
            word = _WORD.match(text, start)
            end = word.end() if word else at + len(stem)
            while end > start + 1 and text[end - 1] in ".-":
                end -= 1
            found.add((start, end))
            follower = _WORD.match(text, end + 1) if text[end : end + 1] == " " else None
            if follower:
                found.add(follower.span())
            work.spend(end - start)
            at = lower.find(stem, max(end, at + len(stem)))
    if ("=" in text or ":" in text or _RARE.search(text)) and longest >= SHORTEST_GENERATED:
        for value in _GENERATED.finditer(text):
            chunk = value.group()
            if "://" not in chunk and any(c.isdigit() for c in chunk[:_LONGEST_NAME]):
                work.spend(2 * _WINDOW)
                found.update(
                    w.span() for w in _NAME_BEFORE.finditer(text, max(0, value.start() - _WINDOW), min(value.end(), value.start() + _WINDOW))
                )
    return sorted(found)


def _last(name: str) -> str:
    found = words(name)
    return found[-1] if found else ""


def _after(text: str, at: tuple[int, int], name: str, said: KeyName, names: KeyNames, work: Work, *, prose: bool) -> Span | None:
    """Find the value behind one name, and tell whether it is a secret."""
    start, end = at
    work.spend(_CANDIDATE)
    separator = _SEPARATOR.match(text, end)
    if separator is not None and separator[1] == ">" and text[start - 1 : start] not in ("<", ":"):
        separator = None
    argument = _ARGUMENT.match(text, end) if separator is None and _may_be_followed(text, start, name) else None
    last = _last(name)
    if argument is not None:
        found = quoted(text, argument.end())
        if found is not None and not _is_value_of_pair(text[found.start : found.end], name):
            found = None
    elif separator is None:
        found = _spoken(text, end, name, said) or _beside(text, end)
    else:
        found = _separated(text, at, separator, name, said, names, prose=prose)
    if found is None or found.start >= found.end:
        return None
    value = text[found.start : min(found.end, found.start + _LONGEST_SEEN)]
    work.spend(len(value))
    if not is_secret_value(value, said):
        return None
    if not found.quoted and found.end - found.start >= _LONGEST_SEEN:
        # it is one: now all of it
        whole = _separated(text, at, separator, name, said, names, prose=prose, look=len(text)) if separator else None
        found = whole or found
    if found.quoted and (is_choice(value) or (said.kind is not KeyKind.SECRET and is_sentence(value, last))):
        return None
    return found.start, found.end, RULE


def _beside(text: str, end: int) -> ValueExtent | None:
    """Find a generated value behind a sign that rarely stands for an assignment: in a table, a list of arguments, markup."""
    sign = _RARE_SEPARATOR.match(text, end)
    word = _UNTIL_BLANK.match(text, sign.end(), sign.end() + _LONGEST_SEEN) if sign else None
    if word is None or not is_generated_value(word.group().rstrip(".,;:"), provider=True):
        return None
    return ValueExtent(word.start(), word.end())


def _may_be_followed(text: str, start: int, name: str) -> bool:
    """Tell whether a comma behind a name's quote may lead to its value: in a call, a list of options, a pair."""
    before = text[max(0, start - 4) : start].rstrip("\\\"'`b")[-1:]
    return name.startswith("-") or before in ("(", "[") or (before == "," and name.startswith("-"))


def _is_value_of_pair(value: str, name: str) -> bool:
    # two names in a list are no name and its value
    if name.startswith("-"):
        return not re.match(r"--?[A-Za-z]", value)
    return not value.replace("_", "").replace(" ", "").isalpha() or _last(name) in _HEADERS


def _separated(  # noqa: C901, PLR0911, PLR0912 - a return for each notation
    text: str, at: tuple[int, int], separator: re.Match[str], name: str, said: KeyName, names: KeyNames, *, prose: bool, look: int = _LONGEST_SEEN
) -> ValueExtent | None:
    """Find the value behind a name and a sign."""
    start, end = at
    sign, value_at = separator[1], separator.end()
    typed = _TYPE.match(text, value_at)
    value_at = typed.end() if typed else value_at
    if sign == ">" and text[start - 1 : start] == "<" and _BEFORE_TAG.search(text, max(0, start - 8), start - 1) and text.find("</", value_at) < 0:
        # "Bearer <token>" holds the place of one
        return None
    if sign == ">":
        return element(text, value_at) if text[start - 1 : start] != ":" or text.find("</", value_at) >= 0 else None
    found = quoted(text, value_at)
    if found is not None:
        return None if sign == ":" and _closes(text, at, value_at) else found
    if text.startswith("</", value_at):
        return None
    second = _USER_AND.match(text, value_at)
    if second is not None:
        return quoted(text, second.end())
    if text[value_at : value_at + 1] in ("{", "["):
        return _container(text, value_at, quoted_name=text[end : end + 1] in "\"'`\\")
    if sign == ":" and (inner := block(text, value_at)) is not None:
        return inner
    if text[value_at : value_at + 1] in ("\r", "\n", ""):
        return None
    if _ARN_BEFORE.search(text, max(0, start - 160), start):
        return None
    if said.kind is not KeyKind.SECRET and not name.startswith("-"):
        # the look of one token decides
        word = None if _TEST_RUN.search(text, max(0, start - 4), start) else _UNTIL_BLANK.match(text, value_at, value_at + look)
        if word is None or not is_secret_value(word.group().rstrip(".,;:"), said):
            return None
        if said.kind is KeyKind.LIKELY and is_expression(text, value_at, line_end(text, value_at, _LONGEST_SEEN), name, names, code=True) is not None:
            return None
        ends = word.end() - (1 if word.group().endswith((".", ":")) and not word.group().endswith("..") else 0)
        return ValueExtent(value_at, ends)
    line = around(text, start, end)
    if name.startswith("-") and not line.url:
        return shell_word(text, value_at) if not line.quote else unquoted(text, value_at, line, separator="=", to_line_end=False, look=look)
    return _bare(text, value_at, line, sign, name, names, prose=prose, spaced=text[value_at - 1] in " \t", look=look)


def _closes(text: str, at: tuple[int, int], place: int) -> bool:
    """Tell whether a quote ends the text that a name stands in (``input("Password: ")``), and begins no value."""
    start, end = at
    if text[end : end + 1] in ('"', "'", "`", "\\") or text[place + 1 : place + 2] not in (")", "]", "}", ",", ";", "\n", ""):
        return False
    line = around(text, start, end)
    return text[place] in (line.quote, line.inside)


def _bare(text: str, at: int, line: TextLine, sign: str, name: str, names: KeyNames, *, prose: bool, spaced: bool, look: int) -> ValueExtent | None:  # noqa: PLR0911 - a return for each thing it is not
    """Find a value without quotes: not code, not a sentence, and all of it."""
    last = _last(name)
    header = last in _HEADERS or "authorization" in name.lower()
    colon = sign in (":", "：") and (spaced or sign == "：")  # noqa: RUF001 - a wide sign is meant
    if (
        _TUPLE.match(text, at)
        or sign in ("==", "===", "!=")
        or _PARAMETER.match(text, at)
        or (sign == ":" and (text[at] == ":" or text[at - 1 : at + 1] == ":?"))
    ):
        return None
    stop = line_end(text, at, _LONGEST_SEEN)
    environment = name.isupper() and sign == "=" and not spaced
    if not environment and not line.url:
        inner = is_expression(text, at, stop, name, names, code=spaced or line.bracket in ("(", "{"))
        if inner is not None:
            return quoted(text, inner) if inner else None
    whole = header or colon or (line.opens and sign in ("=", ":", "＝"))  # noqa: RUF001 - as above
    found = unquoted(text, at, line, separator=sign, to_line_end=whole, look=look, header=header and colon)
    if found is None:
        return None
    value = text[found.start : min(found.end, found.start + _LONGEST_SEEN)]
    if (_TINY_NUMBER if last in _NUMERIC else _SHORT_NUMBER).fullmatch(value):
        return None
    # a key of several words in a file is no word of a sentence, and what stands behind it rarely one
    told = "" if line.opens and " " in value and len(words(name)) > 1 else last
    if is_choice(value.rstrip(".,;:)")) or (whole and sign != "=" and is_sentence(value, told)):
        return None
    if whole and sign == "=" and spaced and " " in value and is_sentence(value, last):
        return None
    if name == "auth" and sign == ":" and _LOGGED.match(value):
        return None
    if prose and sign == ":" and last in _COLON_TALK and value.rstrip(".,;:!?").isalpha() and text[at - 2 : at - 1] not in ("-", "{", ","):
        return None
    return found


def _container(text: str, at: int, *, quoted_name: bool) -> ValueExtent | None:
    """Find a list or an object that stands as a secret's value in text; one that only describes it stays."""
    if not quoted_name:
        one = _ONE_IN_BRACKETS.match(text, at)
        return ValueExtent(*one.span(1)) if one else None
    end = _bracket_end(text, at)
    inside = text[at + 1 : min(end, at + _LONGEST_SEEN)]
    if not inside.strip(" \t\r\n]}") or describes(inside):
        return None
    return ValueExtent(at, end)


_BRACKETS: Final = re.compile(r"\\*\"(?:[^\"\\]|\\.){0,4096}\"|'(?:[^'\\]|\\.){0,4096}'|[\[\]{}]")
_MOST_BRACKETS: Final = 256


def _bracket_end(text: str, at: int) -> int:
    """Where the bracket that opens here closes; the end of the text when it never does."""
    depth = 0
    for number, sign in enumerate(_BRACKETS.finditer(text, at)):
        first = sign.group()[0]
        if first in "[{":
            depth += 1
        elif first in "]}":
            depth -= 1
            if depth <= 0:
                return sign.end()
        if number > _MOST_BRACKETS:
            return sign.end()
    return len(text)


def _spoken(text: str, end: int, name: str, said: KeyName) -> ValueExtent | None:  # noqa: C901, PLR0911 - as above
    """What stands after a name without a separator: ``--token abc``, ``name: TOKEN, value: abc``, ``my password is hunter2``."""
    if said.kind is KeyKind.SECRET and name.startswith("-") and text[end : end + 1] in (" ", "\t") and name.strip("-"):
        value_at = end + 1
        while text[value_at : value_at + 1] in (" ", "\t", "\\", "\n") and value_at < end + 32:
            value_at += 1
        found = shell_word(text, value_at)
        if found is None or re.match(r"--?[A-Za-z]", text[found.start : found.end]):
            return None
        if not found.quoted and text[found.start : found.end].rstrip(".,;:!?)").lower() in OPTION_TALK:
            return None
        return found
    pair = _PAIR.match(text, end)
    if pair is not None:
        return quoted(text, pair.end()) or (_line_at if "\n" in pair.group() else _word_at)(text, pair.end())
    attribute = _ATTRIBUTE.match(text, end) if text[end : end + 1] in ("'", '"', "\\") else None
    if attribute is not None:
        return quoted(text, attribute.end())
    spoken = _IS.match(text, end) if said.kind in (KeyKind.SECRET, KeyKind.LIKELY) else None
    if spoken is None:
        return None
    found = quoted(text, spoken.end()) or _word_at(text, spoken.end())
    if found is None:
        return None
    value = text[found.start : found.end]
    if not found.quoted:
        value = value.rstrip(".,;:!?")
    # "password is required" tells nothing, "password is hunter2" does
    telling = len(value) > 3 and (any(c.isdigit() for c in value) or not value.replace("-", "").replace("'", "").isalpha())  # noqa: PLR2004
    if not telling or is_placeholder(value) or is_sentence(value, _last(name)):
        return None
    return ValueExtent(found.start, found.start + len(value) if not found.quoted else found.end, quoted=found.quoted)


_WORD_VALUE: Final = re.compile(r"[^\s\"'`,;<>|]{1,8192}")


def _line_at(text: str, at: int) -> ValueExtent:
    return ValueExtent(at, at + len(text[at : line_end(text, at, _LONGEST_SEEN)].rstrip()))


def _word_at(text: str, at: int) -> ValueExtent | None:
    word = _WORD_VALUE.match(text, at)
    return ValueExtent(at, word.end()) if word else None
