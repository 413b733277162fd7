"""
Whether what stands under a secret's name is a secret: not a variable, a template, a mask, a choice among few, a sentence, an expression.

Source: ARCHITECTURE.md, R3 and R31.
"""

from __future__ import annotations

import re
from typing import Final

from otel_tool_audit.redaction.keys import KeyKind, KeyName, KeyNames, words, words_of
from otel_tool_audit.redaction.randomness import looks_random

_REFERENCE: Final = re.compile(
    r"\$\{\{.{0,256}|\$\{[^{}]{0,256}\}?|\$\([^()]{0,256}\)?|\{\{.{0,256}|\{[%#].{0,256}|\{[A-Za-z_][A-Za-z_. ()!:-]{0,64}[0-9]{0,2}\}|\{\d?\}|\$[A-Za-z_]\w{0,64}(?:[.:/-][\w.:/()\[\]'\"$-]{0,64})?|\$[0-9@*]"
    r"|<[A-Za-z_][^<>]{0,128}>?|</?|<%.{0,128}|\[[A-Za-z<][^\[\]]{0,128}\]?|%\w{1,64}%|%\([a-z_]{1,64}\)s|%[sdvrq]|[#@]\{[^{}]{0,256}\}?|:\w{1,64}|@\w{1,64}|\?|`\w.{0,128}`"
    r"|(?:\*\*|\.\.|…|_{3}|-{4}|#{4}|•).{0,256}|(?:x{3,64}|X{3,64}|\*{2,64}|\.{3,64}|#{3,64}|•{2,64}|…|_{3,64}|-{3,64})(?:[ -]?(?:x{2,64}|X{2,64}|\*{2,64}|#{2,64}|•{2,64})){0,8}[ -]?.{0,4}|\(\(.{0,64}|!Ref .{0,64}|!Sub .{0,128}|!(?:secret|vault|env_var|ENV|GetAtt)\b.{0,128}|(?i:(?:your|insert|enter|replace)[-_ ](?:[a-z]{1,16}[-_ ]){0,4}(?:key|token|password|secret|here))|(?:arn|vault|env|file|op|ssm|secretsmanager|keyring|sops|awssm|gcpsm):(?:/|aws|[A-Za-z_./]{2}).{0,256}"
)
"""What only points to a value; the whole of it must match."""

_LONGEST_WORD: Final = 24
_SCHEME: Final = re.compile(r"(?i)(?:bearer|basic|token|digest|negotiate|ntlm|apikey|api-key|hawk|ssws|aws4-hmac-sha256)[ \t]{1,4}(?=\S)")
_EMPTY: Final = words_of("judging.empty")
"""Words that stand for a value in text."""

_CHOICES: Final = words_of("judging.choices")
"""Values under a secret's name that choose among few, and tell nothing."""

_FUNCTION_WORDS: Final = words_of("judging.function-words")
_SUBJECT_WORDS: Final = words_of("judging.subject-words")
_NUMBER: Final = re.compile(r"[0-9]{1,4}(?:[-–.,:/][0-9]{1,4})?[+%]?")  # noqa: RUF001 - a dash is meant
_BARE_WORD: Final = re.compile(r"[^\W\d_]{1,64}(?:['’/-][^\W\d_]{1,64}){0,8}")  # noqa: RUF001 - an apostrophe is meant
_MIXED: Final = re.compile(r"[a-z][A-Z]|[A-Z]{2}[a-z]{2}")
"""Capital letters where no word and few names have them."""

_WEAK_NAMES: Final = words_of("judging.weak-names")
_PHRASES: Final = frozenset({"passphrase", "passphrases", "phrase", "mnemonic"})
_LONG_PROSE: Final = 8

_PATH: Final = r"[A-Za-z_$][A-Za-z_$]*[0-9]{0,2}(?:(?:\.|::|->|\?\.|!\.|!!\.)[A-Za-z_$][A-Za-z_$]*[0-9]{0,2}!?){0,12}"
_CALL: Final = re.compile(
    rf"(?:(?:await|new|return|not|!|&|\*|lambda:?|yield|typeof|async)[ ]?){{0,3}}(?P<path>{_PATH})(?:<[\w<>, ]{{0,64}}>)?!?(?P<open>[(\[])", re.ASCII
)
_AFTER_CALL: Final = re.compile(
    r"\s*(?:$|[;,.)\]:?&|+*/=<>!#\n\\-]|\}(?:[\s,;)}]|$)|\?\?|if\b|else\b|or\b|and\b|for\b|as\b|in\b|is\b|not\b|WHERE\b|FROM\b|AND\b|RETURNING\b|\[|\()"
)
_AFTER_TIGHT_CALL: Final = re.compile(r"$|[;,\s)]|\.[A-Za-z_]")
"""What follows a call where no blank stands around the sign before it: passwords have brackets in them, too."""

_HEADER_NAME: Final = re.compile(r"[Xx](?:-[A-Za-z]{2,16}){1,4}")
"""Where a key is sent, not the key."""

_ROOTS: Final = words_of("judging.roots")
_KEYWORDS: Final = re.compile(
    r"(?:await|new|return|not|lambda|async|function|typeof|yield|raise|throw|match|case)\b[ ({:]|\(\s*\)\s*=>|\w+\s*=>|(?:f|rf|fr)?[\"'`]\s*[+%]|null\b|nil\b|None\b|undefined\b"
)
_TYPE: Final = re.compile(
    r"(?:[&*?]{0,2}(?:mut\s)?(?:str|string|String|bytes|Bytes|int|any|Any|object|char|Text|unknown|never|NSString|SecretStr|SecretBytes|number|boolean|bool)"
    r"|(?:Optional|Union|List|list|Sequence|Annotated|Mapped|Promise|Option|Secret|Literal|Final|ClassVar|Callable|Maybe|Ref|Partial|Record|Vec|Box|dict|Dict|Array|tuple|Tuple)[\[<][^\n]{0,128}[\]>]"
    r"|[A-Z][A-Za-z]{1,40}(?:Str|String|Token|Key|Secret|Type|Schema|Credentials?|Config|Options|Provider|Auth|Password|Handler|Callback|Manager|Service|Client|Store|Info|Data))"
    r"(?:\[\]|[?!*])?(?:\s{0,2}\|\s{0,2}(?:None|null|undefined|[A-Za-z]{2,32}(?:\[\])?)){0,4}(?=\s*(?:$|[,;)=}\]\n#]|\s-|\s//|NOT\b))"
)
_WRAPPERS: Final = words_of("judging.wrappers")


def is_placeholder(value: str) -> bool:
    """Tell whether *value* holds the place of a secret: a variable, a template, dots, a word like *password*, one letter repeated."""
    bare = value.strip().strip("\"'`\\")
    scheme = _SCHEME.match(bare) if " " in bare or "\t" in bare else None
    if scheme:
        bare = bare[scheme.end() :].strip("\"'`\\")
    if not bare or (len(bare) < _LONGEST_WORD and bare.lower().rstrip(".,;:!?)") in _EMPTY):
        return True
    # what begins with a letter or digit is no reference, unless it names a place: most values are told by their first sign
    if (not bare[0].isalnum() or bare[0] in "xXyYiIeErR" or ":" in bare[:16]) and _REFERENCE.fullmatch(bare.rstrip(",;")):
        return True
    return len(set(bare)) == 1 and (len(bare) > 3 or not bare.isalnum())  # noqa: PLR2004 - "aaa" may be meant


def is_choice(value: str) -> bool:
    """Tell whether a value under a secret's name only chooses among few (``required``, ``include``, ``Bearer``), or is empty."""
    return len(value) < 20 and (not value or value.strip().lower() in _CHOICES or _HEADER_NAME.fullmatch(value) is not None)  # noqa: PLR2004 - no choice is longer


def is_sentence(value: str, name: str) -> bool:
    """
    Tell whether words behind a name and a colon speak of the thing (``password: must have 12 characters``), and are no passphrase.

    Args:
        value: What stands there.
        name: The last word of the name: behind *password* a few words may be one, behind *token* they are none.
    """
    found = value.split(None, 25)[:25]
    weak = name in _WEAK_NAMES
    if len(found) < 2:  # noqa: PLR2004 - one word
        bare = value.strip(".,;:!?()\"'`*")
        return weak and bare.isalpha() and (bare.islower() or bare.istitle() or bare.isupper()) and len(bare) < 20  # noqa: PLR2004 - no word is longer
    plain = [word.strip(".,;:!?()[]{}\"'`*_/").lower() for word in found[:24]]
    spoken = [word for word in plain if word and not _NUMBER.fullmatch(word)]
    odd = sum(_BARE_WORD.fullmatch(word) is None for word in spoken) + sum(_MIXED.search(word) is not None for word in found[:24])
    if odd > len(spoken) // 4:
        return False
    speaking = sum(word in _FUNCTION_WORDS for word in spoken)
    if name in _PHRASES:
        return speaking >= 2 and speaking * 3 >= len(spoken)  # noqa: PLR2004 - one or two words of a phrase may be common ones
    if speaking >= 2 or (speaking and (weak or plain[0] in _FUNCTION_WORDS or len(spoken) >= _LONG_PROSE)):  # noqa: PLR2004 - two are no chance
        return True
    return odd == 0 and (weak or all(word in _SUBJECT_WORDS for word in spoken))


def is_likely(value: str) -> bool:
    """Tell whether a value is a secret under a name that may be one's (``pass``, ``session_id``): no word, small number, sentence or UUID."""
    bare = value.strip()
    if len(bare) < 4 or is_choice(bare) or is_placeholder(bare) or _UUID.fullmatch(bare):  # noqa: PLR2004 - as a PIN
        return False
    if bare.isdecimal():
        return len(bare) < 13  # noqa: PLR2004 - a time in milliseconds
    if _KNOWN_ID.match(bare):
        return False
    if " " in bare:
        return False
    # words in any style, and small numbers between them, are no secret
    return not all(
        (piece.isalpha() and (piece.islower() or piece.isupper() or piece.istitle())) or (piece.isdecimal() and len(piece) <= 4)  # noqa: PLR2004 - a year
        for piece in re.split(r"[-_./:]+", bare)
        if piece
    )


_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_KNOWN_ID: Final = re.compile(r"(?:sess|session|conv|chat|thread|run|user|usr|conversation)[-_]")


def is_expression(text: str, at: int, stop: int, name: str, names: KeyNames, *, code: bool) -> int | None:  # noqa: PLR0911 - one return a kind of expression
    """
    Tell whether code stands behind a secret's name: a call, a path, a type, a variable of that name.

    Args:
        text: Where it stands.
        at: Where it begins.
        stop: The end of its line, or of what is looked at.
        name: The secret's name.
        names: Judges names.
        code: Whether what stands around looks like code: then a variable's name may be one.

    Returns:
        None when it is none; else where a value may follow: the beginning of a literal inside a wrapping call, or 0.
    """
    if _KEYWORDS.match(text, at, stop):
        return 0
    typed = _TYPE.match(text, at, stop)
    if typed:
        return 0
    call = _CALL.match(text, at, stop)
    if call:
        closing = _closing(text, call.end() - 1, min(stop, call.end() + 512))
        if closing and (_AFTER_CALL if code else _AFTER_TIGHT_CALL).match(text, closing):
            last = words(call["path"])[-1:]
            return (
                call.end()
                if call["open"] == "(" and (last and last[0] in _WRAPPERS) and text[call.end() : call.end() + 3].lstrip("bBrfu")[:1] in "\"'`"
                else 0
            )
        # `getenv("X"` in a text that ends there
        return (
            0
            if closing is None and text.find("(", at, at + 64) > 0 and call.end() < len(text) and stop == len(text) and _getter(call["path"])
            else None
        )
    path = _VARIABLE.match(text, at, stop)
    if path is None or name.isupper():
        return None
    found = path["path"]
    if "." in found or "->" in found or "::" in found:
        parts = re.split(r"\.|->|::|\?\.", found)
        return 0 if parts[0].lower() in _ROOTS or any(names.judge(part).kind is KeyKind.SECRET for part in parts) else None
    if found.lower() in (name.lower(), name.rpartition(".")[2].lower()) or (code and [found.lower()] == list(words(name))[-1:]):
        return 0
    parts = [word for word in words(found) if word.isalpha()]
    return 0 if code and len(parts) > 1 and (names.judge(found).kind is not KeyKind.PLAIN or path["end"] == ";") else None


_VARIABLE: Final = re.compile(
    rf"(?:[&*!]|\.\.\.)?(?P<path>{_PATH})(?P<end>\s*(?:$|[,;)\]}}\n]|\s(?:if|else|or|and|as|is|not|in|for)\b|\?\?|\|\||&&|==|!=|\?))", re.ASCII
)


def _getter(path: str) -> bool:
    return bool({"get", "getenv", "environ", "env", "getpass", "input", "prompt", "read", "load", "fetch", "find", "open"} & set(words(path)))


def _closing(text: str, at: int, stop: int) -> int | None:
    """Find what closes a bracket; quotes inside hide others. None when nothing does."""
    depth = 0
    opening = text[at]
    closing = _CLOSERS[opening]
    for sign in _BRACKET.finditer(text, at, stop):
        first = sign.group()[0]
        if first == opening:
            depth += 1
        elif first == closing:
            depth -= 1
            if not depth:
                return sign.end()
    return None


_CLOSERS: Final = {"(": ")", "[": "]"}
_BRACKET: Final = re.compile(r"\"(?:[^\"\\\n]|\\.){0,256}\"|'(?:[^'\\\n]|\\.){0,256}'|[()\[\]{}]")


def is_secret_value(value: str, said: KeyName) -> bool:
    """
    Tell whether a value is the secret that its name says.

    Args:
        value: As it stands in text.
        said: What the name says.
    """
    if said.kind is KeyKind.LIKELY:
        return is_likely(value)
    if said.kind is KeyKind.SUSPECT:
        return is_generated_value(value.strip(), provider=said.provider)
    return not is_placeholder(value)


_ONE_TOKEN: Final = re.compile(r"[A-Za-z0-9_+/=.~-]{1,4096}")


def is_generated_value(value: str, *, provider: bool) -> bool:
    """
    Tell whether a value is a secret when its name only may be a secret's.

    Args:
        value: One token.
        provider: Whether the name is that of a service that gives out keys.
    """
    return _ONE_TOKEN.fullmatch(value) is not None and looks_random(value, shortest=12 if provider else 16)
