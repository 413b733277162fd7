"""
The one walker that applies all rules, to any Python object.

It fails closed, node by node: what cannot be read is named by its type, never stored as it is, and its neighbours stay.

Source: ARCHITECTURE.md, D7.
"""

from __future__ import annotations

import enum
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from time import perf_counter
from typing import Any, Final

from otel_tool_audit.format.nesting import is_too_deep
from otel_tool_audit.keys.pseudonyms import Keyring, is_pseudonym
from otel_tool_audit.record.jsonsafe import json_safe
from otel_tool_audit.redaction.commands import BY_PLACE, secret_words
from otel_tool_audit.redaction.jsontext import read_json
from otel_tool_audit.redaction.judging import is_choice, is_likely, is_secret_value
from otel_tool_audit.redaction.keys import PLAIN_NAME, KeyKind, KeyName, KeyNames
from otel_tool_audit.redaction.objects import LONGEST_KEY, as_fields, as_sequence, as_text, error_text, key_text
from otel_tool_audit.redaction.pairs import is_login, secret_by_neighbour
from otel_tool_audit.redaction.phrases import is_telling_password
from otel_tool_audit.redaction.recognizers import PATIENCE, Recognizer, RecognizerFailed, failed
from otel_tool_audit.redaction.redacted_values import RedactedValues
from otel_tool_audit.redaction.rules import ArgumentRules
from otel_tool_audit.redaction.schemas import holds_value, is_description
from otel_tool_audit.redaction.spans import Span
from otel_tool_audit.redaction.texts import LONGEST_PLAIN, Texts, is_plain
from otel_tool_audit.redaction.validators import is_card
from otel_tool_audit.redaction.values import MARK, Redaction
from otel_tool_audit.redaction.work import Exhausted, Work

MAX_REDACTIONS: Final = 100
_TEXT_BUDGET: Final = 16
WORK: Final = 96
"""Characters that rules may look at for each character of the longest text, in one call: some forty times what ordinary texts of that size take."""

_LONGEST_PATH: Final = 512
_SMALLEST_CARD: Final = 10**12
_PAIR: Final = 2


class Walk:
    """One walk over one value."""

    __slots__ = (
        "_chars", "_counts", "_keyring", "_keys", "_left", "_max_depth", "_max_text", "_names", "_open", "_patience", "_rules", "_texts", "_work",
        "memory",
    )  # fmt: skip

    def __init__(
        self,
        texts: Texts,
        keyring: Keyring,
        limits: tuple[int, int, int],
        rules: ArgumentRules | None,
        keys: dict[str, str],
        withheld: RedactedValues | None = None,
    ) -> None:
        """
        Begin a walk.

        Args:
            texts: Cleans texts.
            keyring: Makes digests and pseudonyms.
            limits: Longest text in characters, most items, deepest level.
            rules: What the tool says of its arguments.
            keys: Names of keys that are known to hold nothing; shared by all walks of a sanitizer.
            withheld: Gets what is taken out because of its name or place.
        """
        self.memory = withheld
        self._work: Work | None = None
        self._patience = 4 * PATIENCE
        self._texts, self._keyring, self._rules, self._keys = texts, keyring, rules, keys
        self._names: KeyNames = texts.names
        self._max_text, self._left, self._max_depth = limits
        self._chars = self._max_text * _TEXT_BUDGET
        self._counts: dict[tuple[str, str], int] = {}
        self._open: set[int] = set()

    @property
    def work(self) -> Work:
        """What this walk has cost so far, and how much it may."""
        if self._work is None:
            self._work = Work(self._max_text * WORK)
        return self._work

    def count(self, path: str, rule: str, number: int = 1) -> None:
        """Note that *rule* removed something at *path*."""
        at = (path, rule)
        self._counts[at] = self._counts.get(at, 0) + number

    def _withhold(self, value: Any, shown: str, path: str, rule: str) -> str:  # noqa: ANN401
        """Note that a value was taken out, whatever it looks like, and give what stands in its place."""
        self.count(path, rule)
        memory = self.memory
        if memory is None:
            memory = self.memory = RedactedValues()
        memory.add(value, shown, rule)
        return shown

    def ask(self, recognizer: Recognizer, text: str) -> list[Span]:
        """
        Ask one of the user's own rules.

        Raises:
            RecognizerFailed: It could not be asked, or others have used up the time that one value may take.
        """
        if self._patience <= 0:
            raise RecognizerFailed(recognizer.name, f"was not asked, for recognizers took more than {4 * PATIENCE:g} seconds for one value")
        begun = perf_counter()
        try:
            return recognizer.spans(text)
        finally:
            self._patience -= perf_counter() - begun

    def pseudonym(self, value: str, kind: str) -> str:
        """Make the pseudonym of a value; the mark where there is no key."""
        return self._keyring.pseudonym(value, kind) if self._keyring.has_key else MARK

    def remember(self, value: object, shown: str, rule: str) -> None:
        """Keep a value that was taken out, to find it where it recurs."""
        if self.memory is None:
            self.memory = RedactedValues()
        self.memory.add(value, shown, rule)

    def redactions(self) -> tuple[Redaction, ...]:
        """List what was removed; the rest of a long list is one entry that counts it."""
        if not self._counts:
            return ()
        found = [Redaction(path[:_LONGEST_PATH], rule, number) for (path, rule), number in self._counts.items()]
        if len(found) > MAX_REDACTIONS:
            rest = sum(r.count for r in found[MAX_REDACTIONS:])
            found = [*found[:MAX_REDACTIONS], Redaction("", "…more", rest)]
        return tuple(found)

    def any(self, value: Any, path: str, depth: int = 0, said: KeyName = PLAIN_NAME, place: str | None = None) -> Any:  # noqa: ANN401
        """
        Sanitize any object.

        Args:
            value: Read, never changed.
            path: Where it stands, for the redactions.
            depth: How deep that is.
            said: What the name it stands under says of it.
            place: Its dotted path for the tool's rules; None where there are none.
        """
        if place is not None and self._rules is not None and self._rules.is_unnamed_leaf(value, place):
            return self._withhold(value, MARK, path, "allow-list")
        exact = type(value)
        if value is None or exact is bool:
            return value
        if exact is str:
            return self.text(value, path, depth, said, place)
        if exact is int:
            return self._int(value, path, said)
        if exact is float:
            return self._float(value, path, said)
        return self._object(value, path, depth, said, place)

    def text(self, value: str, path: str, depth: int = 0, said: KeyName = PLAIN_NAME, place: str | None = None) -> Any:  # noqa: ANN401
        """Sanitize text: JSON by its keys, all other by patterns; too long a text becomes its size and digest."""
        size = len(value)
        self._chars -= size
        if size > self._max_text or self._chars < 0:
            return self._cut(value.encode("utf-8", "surrogatepass"))
        if not value.isascii():
            value = str(json_safe(value))
        if value[:1] in '{["' or value[:1].isspace():
            nested = self.json(value, path, depth, place)
            if nested is not None:
                return nested
        return self._clean(value, path, said)

    def json(self, value: str, path: str, depth: int, place: str | None = None) -> str | None:
        """Sanitize JSON inside text by its keys, and put it back as JSON; None when it is none."""
        if value.lstrip()[:1] not in ("{", "[", '"') or depth >= self._max_depth:
            return None
        if is_too_deep(value):
            # a secret could lie where no parser goes
            self.count(path, "too-deep")
            return '"<text too deep>"'
        content, doubled = read_json(value)
        if not isinstance(content, dict | list | str):
            return None
        before = sum(self._counts.values())
        left = self._left
        clean = self.any(content, path, depth + 1, PLAIN_NAME, place)
        untouched = before == sum(self._counts.values()) and not doubled and self._left > 0 and (left < 0 or clean == content)
        return value if untouched else json.dumps(clean, ensure_ascii=False)

    def key(self, key: object) -> str:
        """Make a key's name JSON-safe and free of secrets: a key may be one itself."""
        if type(key) is not str:
            key = key_text(key)
        known = self._keys.get(key)
        if known is not None:
            return known
        if len(key) > LONGEST_KEY:
            return f"<key of {len(key)} characters>"
        safe = key if key.isascii() else str(json_safe(key))
        try:
            clean, _ = self._texts.clean(safe, self)
        except (Exhausted, RecognizerFailed):
            return f"<key of {len(key)} characters>"
        if clean == key and len(self._keys) < self._names.cache:
            self._keys[key] = clean
        return clean

    def mapping(self, value: Mapping[Any, Any], path: str, depth: int, place: str | None = None) -> dict[str, Any]:
        """Sanitize what has names, each value by its name."""
        clean: dict[str, Any] = {}
        names, known = self._names, self._keys
        paired = secret_by_neighbour(value, names)
        for key, item in value.items():
            if self._left <= 0:
                clean["_more"] = "<more items>"
                break
            self._left -= 1
            name = known.get(key) if type(key) is str else None
            if name is None:
                name = self.key(key)
                if name in clean or name != key:
                    name = self._own_name(clean, name, path, key)
            said = names.judge(key) if type(key) is str else names.judge(name)
            if place is None and not paired and self._is_plain(item, said):
                clean[name] = item
                continue
            where = f"{path}.{name}" if path else name
            if place is not None:
                at = f"{place}.{key}" if place else str(key)
                ruled = self._by_rule(item, at, name if type(key) is not str else key, where)
                if ruled is not None:
                    clean[name] = ruled
                    continue
                clean[name] = self._named(item, where, depth, said, at, paired=name in paired)
            else:
                clean[name] = self._named(item, where, depth, said, None, paired=name in paired)
        return clean

    def _is_plain(self, item: Any, said: KeyName) -> bool:  # noqa: ANN401
        """Tell whether an item is what most are, short text that stays as it is: the way through all rules is long."""
        if self._texts.has_own or type(item) is not str or said.kind is not KeyKind.PLAIN or said.phone:
            return False
        size = len(item)
        if size > LONGEST_PLAIN or size > self._max_text or size > self._chars or is_plain(item) is None:
            return False
        self._chars -= size
        return True

    def _own_name(self, clean: dict[str, Any], name: str, path: str, key: object) -> str:
        """Keep two keys that became the same apart, and note that a key was changed."""
        if MARK in name and name != key:
            self.count(f"{path}.{name}" if path else name, "key")
        if name not in clean:
            return name
        number = 2
        while f"{name} ({number})" in clean:
            number += 1
        return f"{name} ({number})"

    def _named(self, item: Any, where: str, depth: int, said: KeyName, place: str | None, *, paired: bool) -> Any:  # noqa: ANN401
        kind = KeyKind.SECRET if paired else said.kind
        if kind is KeyKind.PLAIN or item is None or type(item) is bool:
            return self.any(item, where, depth + 1, said, place)
        if kind is KeyKind.SECRET:
            return self.secret(item, where, depth, place)
        if type(item) is str and self._texts.is_suspicious(item, said):
            return self._withhold(item, MARK, where, "secret-key")
        if kind is KeyKind.LIKELY and type(item) is int and where.lower().endswith(_CODES) and is_likely(str(item)):
            return self._withhold(item, MARK, where, "secret-key")
        return self.any(item, where, depth + 1, said, place)

    def secret(self, item: Any, where: str, depth: int = 0, place: str | None = None) -> Any:  # noqa: ANN401
        """Take out what stands under a secret's name, unless it only tells of the secret: a choice, a switch, a schema, nothing."""
        exact = type(item)
        if exact is str:
            return item if item == MARK or is_choice(item) else self._withhold(item, MARK, where, "secret-key")
        if item is None or exact is bool or (exact in _CONTAINERS and not item):
            return item
        if exact is dict and is_description(item):
            return self._described(item, where, depth, place)
        if exact is list and all(type(each) is dict and is_description(each) for each in item):
            return [self._described(each, f"{where}[{at}]", depth + 1, place) for at, each in enumerate(item)]
        if exact is list and all(type(each) is str and is_choice(each) for each in item):
            return self.any(item, where, depth + 1)
        return self._withhold(item, MARK, where, "secret-key")

    def _described(self, value: dict[Any, Any], where: str, depth: int, place: str | None) -> Any:  # noqa: ANN401
        """Keep the shape of an object that describes a secret; what holds a value in it is judged as the secret itself."""
        self._left -= len(value) + 1
        if depth >= self._max_depth or self._left <= 0:
            return self._withhold(value, MARK, where, "secret-key")
        clean: dict[str, Any] = {}
        for key, item in value.items():
            name = self.key(key)
            at = f"{where}.{name}"
            if holds_value(key) and not isinstance(item, int):
                clean[name] = self.secret(item, at, depth + 1, place)
            else:
                clean[name] = self._named(item, at, depth + 1, self._names.judge(name), place, paired=False)
        return clean

    def _by_rule(self, item: Any, place: str, name: str, where: str) -> str | None:  # noqa: ANN401
        """Apply what the tool says of its argument; None when it says nothing."""
        rules = self._rules
        if rules is None:
            return None
        if rules.is_redacted(name, place):
            return self._withhold(item, MARK, where, "tool-redact")
        kind = rules.kind(place)
        if kind is not None and item is not None:
            return self._pseudonym(item, kind, where)
        if not rules.may_keep(place):
            return self._withhold(item, MARK, where, "allow-list")
        return None

    def _pseudonym(self, item: Any, kind: str, where: str) -> str:  # noqa: ANN401
        if type(item) is str and is_pseudonym(item):
            return item
        raw = item if type(item) is str else as_text(item)
        if raw is None or not self._keyring.has_key:
            return self._withhold(item, MARK, where, "no-pseudonym")
        return self._withhold(raw, self._keyring.pseudonym(raw, kind), where, "pseudonym")

    def _object(self, value: Any, path: str, depth: int, said: KeyName, place: str | None) -> Any:  # noqa: ANN401
        kind = type(value).__name__
        self._left -= 1
        if depth >= self._max_depth or self._left < 0:
            self.count(path, "too-deep" if self._left >= 0 else "too-many")
            return f"<{kind} too deep>" if self._left >= 0 else f"<{kind} left out>"
        if id(value) in self._open:
            return f"<{kind} contains itself>"
        self._open.add(id(value))
        try:
            return self._read(value, path, depth, said, place)
        except Exception:  # noqa: BLE001 - fails closed: its type is all that is told
            self.count(path, "unsanitizable")
            return f"<unsanitizable {kind}>"
        finally:
            self._open.discard(id(value))

    def _read(self, value: Any, path: str, depth: int, said: KeyName, place: str | None) -> Any:  # noqa: ANN401, C901, PLR0911 - a return for each type
        exact = type(value)
        if exact is dict:
            return self.mapping(value, path, depth, place)
        if exact is list or exact is tuple:
            return self._sequence(value, path, depth, said, place)
        if isinstance(value, enum.Enum):
            return self.any(value.value, path, depth + 1, said, place)
        if isinstance(value, str):
            return self.text(str.__str__(value), path, depth, said, place)
        if isinstance(value, int):
            return self._int(int.__int__(value), path, said)
        if isinstance(value, bytes | bytearray | memoryview):
            return self._bytes(value, path, depth, said, place)
        fields = as_fields(value)
        if fields is not None:
            return self.mapping(fields, path, depth, place)
        if isinstance(value, BaseException):
            return self.text(error_text(value), path, depth, said, place)
        text = as_text(value)
        if text is not None:
            return self.text(text, path, depth, said, place)
        items = as_sequence(value)
        if items is not None:
            return self._sequence(items, path, depth, said, place)
        if isinstance(value, float):
            return json_safe(float.__float__(value))
        if exact.__module__ == "numpy" and getattr(value, "ndim", 1) == 0:
            return self.any(value.item(), path, depth + 1, said, place)
        # its repr may hold anything, and may run anything: the type is enough
        return f"<{exact.__module__}.{exact.__qualname__}>"

    def _sequence(self, value: Iterable[Any], path: str, depth: int, said: KeyName, place: str | None) -> list[Any]:
        clean: list[Any] = []
        listed = value if isinstance(value, list | tuple) else ()
        paired = len(listed) == _PAIR and (self._is_pair(*listed) or is_login(path, *listed))
        words = self._words_of_command(listed)
        for at, item in enumerate(value):
            if self._left <= 0:
                clean.append("<more items>")
                break
            self._left -= 1
            where = f"{path}[{at}]"
            if paired and at == 1:
                clean.append(self._named(item, where, depth, said, place, paired=True))
            elif at in words:
                start, end = words[at]
                clean.append(item[:start] + self._withhold(item[start:end], MARK, where, "command-password") + item[end:])
            else:
                clean.append(self.any(item, where, depth + 1, said, place))
        return clean

    def _words_of_command(self, value: Sequence[Any]) -> dict[int, tuple[int, int]]:
        """Tell which items of a list of arguments are secrets, and which part of each."""
        if not any(type(item) is str and ((item[:1] == "-" and item[1:2] not in ("", " ")) or item in BY_PLACE) for item in value):
            return {}
        words = [item if type(item) is str and len(item) <= self._max_text else "" for item in value]
        return {at: (start, end) for at, start, end in secret_words(words, self._names) if words[at][start:end] != MARK}

    def _is_pair(self, name: object, value: object) -> bool:
        # a header or variable as a pair; a lone word ("password", "token") may be one of two words in a list, and so may two names be
        return (
            type(name) is str
            and type(value) is str
            and len(name) < LONGEST_KEY
            and (
                "-" in name
                or "_" in name
                or name.lower() in ("authorization", "cookie")
                or (is_telling_password(value) and not value.lower().startswith(name.lower()))
            )
            and (not value.replace("_", "").isalpha())
            and (said := self._names.judge(name)).kind is not KeyKind.PLAIN
            and (said.kind is KeyKind.SECRET or is_secret_value(value, said))
            and self._names.judge(value).kind is KeyKind.PLAIN
        )

    def _float(self, value: float, path: str, said: KeyName) -> Any:  # noqa: ANN401
        # some JSON readers make every number one with a fraction
        if abs(value) >= _SMALLEST_CARD and value.is_integer() and self._int(int(value), path, said) == MARK:
            return MARK
        return value if math.isfinite(value) else json_safe(value)

    def _int(self, value: int, path: str, said: KeyName) -> Any:  # noqa: ANN401
        if -_SMALLEST_CARD < value < _SMALLEST_CARD and not said.phone:
            return value
        if not said.identifier and not said.number and value > 0:
            digits = str(value) if value.bit_length() < 64 else ""  # noqa: PLR2004 - 19 digits
            rule = "card" if is_card(digits) else "phone" if said.phone and len(digits) > 5 else None  # noqa: PLR2004
            if rule:
                self.count(path, rule)
                return MARK
        return json_safe(value)

    def _clean(self, value: str, path: str, said: KeyName) -> Any:  # noqa: ANN401
        try:
            clean, rules = self._texts.clean(value, self, typed=not said.identifier, hinted=said.phone, counted=said.number)
        except Exhausted:
            self.count(path, "too-costly")
            return self._cut(value.encode("utf-8", "surrogatepass"))
        except RecognizerFailed as error:
            # fails closed: what nobody could look at is not shown
            failed(error)
            self.count(path, "recognizer-failed")
            return MARK
        for rule in rules:
            self.count(path, rule)
        return clean

    def _bytes(self, value: bytes | bytearray | memoryview, path: str, depth: int, said: KeyName, place: str | None) -> Any:  # noqa: ANN401
        raw = value.tobytes() if isinstance(value, memoryview) else bytes(value)
        if len(raw) <= self._max_text * 4:
            try:
                text = raw.decode()
            except UnicodeDecodeError:
                text = "\x00"
            if text.translate(_BLANKS).isprintable():
                return self.text(text, path, depth, said, place)
            return {"_bytes": len(raw), "_digest": self._keyring.digest(raw)}
        return self._cut(raw)

    def _cut(self, encoded: bytes) -> dict[str, Any]:
        return {"_cut": True, "_size": len(encoded), "_digest": self._keyring.digest(encoded)}


_CODES: Final = ("pin", "pass")
_CONTAINERS: Final = (dict, list, tuple)
_BLANKS: Final = dict.fromkeys(map(ord, "\t\n\r"), " ")
