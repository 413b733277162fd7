"""
The sanitizer: what may be written and exported of values, texts, identifiers and span attributes.

Source: ARCHITECTURE.md, D7.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Self

from otel_tool_audit.keys.pseudonyms import Keyring
from otel_tool_audit.record.jsonsafe import json_safe
from otel_tool_audit.redaction.keys import PLAIN_NAME, KeyKind, KeyName, KeyNames
from otel_tool_audit.redaction.personal_ids import groups_of, labelled
from otel_tool_audit.redaction.recognizers import as_recognizers
from otel_tool_audit.redaction.redacted_values import RedactedValues
from otel_tool_audit.redaction.rules import ArgumentRules
from otel_tool_audit.redaction.texts import Texts
from otel_tool_audit.redaction.values import Redaction, Sanitized, ToolRules
from otel_tool_audit.redaction.walker import Walk
from otel_tool_audit.settings import Settings

MAX_TEXT: Final = 16_384
MAX_ITEMS: Final = 2_000
MAX_DEPTH: Final = 64
_TAIL: Final = 512
_LONGEST_JSON: Final = 16
_COUNTS: Final = re.compile(r"(?:tokens?|count|size|length|duration|port|status|code|line|lineno|index|total|number|ms|seconds|bytes)(?:$|[._])")
_OPENING: Final = frozenset('{["')
_SCALARS: Final = (str, bool, int, float)
_IDENTIFIER: Final = PLAIN_NAME._replace(identifier=True)


class Sanitizer:
    """Applies a tool's own rules, key names, and patterns. Never raises; safe for threads; holds only its configuration."""

    def __init__(
        self,
        keyring: Keyring | None = None,
        *,
        secret_keys: Iterable[str] = (),
        keep_keys: Iterable[str] = (),
        recognizers: object = None,
        personal_ids: Iterable[str] = (),
        max_text: int = MAX_TEXT,
        max_items: int = MAX_ITEMS,
        max_depth: int = MAX_DEPTH,
    ) -> None:
        """
        Set up the rules.

        Args:
            keyring: Keys of digests and pseudonyms.
            secret_keys: More names whose values are secret.
            keep_keys: Names that are not, whatever the packaged rules say.
            recognizers: The user's own rules: a TOML file's path, or a list of ``Pattern``, ``Recognizer`` and functions.
            personal_ids: Groups of personal numbers that go under their own names and labels, too; see ``personal_ids.toml``.
            max_text: Longest text that is stored, in characters; a longer one becomes its size and a keyed digest.
            max_items: Most values that are looked at in one go.
            max_depth: Deepest level that is looked at.
        """
        self.keyring = keyring or Keyring([])
        groups = groups_of(personal_ids)
        names = KeyNames([*secret_keys, *(name for group in groups for name in group.names)], keep_keys)
        self._texts = Texts(names, [*as_recognizers(recognizers), *map(labelled, groups)])
        self._limits = (max_text, max_items, max_depth)
        self._keys: dict[str, str] = {}

    @classmethod
    def of(cls, settings: Settings, keyring: Keyring | None = None) -> Self:
        """
        Make the sanitizer that settings describe.

        Args:
            settings: Resolved.
            keyring: Keys of digests and pseudonyms.

        Raises:
            SettingsError: Its recognizers cannot be read.
        """
        return cls(
            keyring,
            secret_keys=settings.secret_keys,
            keep_keys=settings.keep_keys,
            recognizers=settings.recognizers,
            personal_ids=settings.personal_ids,
        )

    def value(self, value: object, path: str = "", rules: ToolRules | None = None, withheld: RedactedValues | None = None) -> Sanitized:
        """
        Sanitize any object.

        Args:
            value: Read, never changed; generators and iterators are not consumed.
            path: Where it stands, for the redactions.
            rules: What the tool says of its arguments; names are the keys of *value*.
            withheld: Gets what is taken out, and is asked by whoever gave it where else that recurs; else this value is searched for it.
        """
        walk = self._walk(rules, withheld)
        try:
            found = walk.any(value, path, 0, PLAIN_NAME, None if rules is None else "")
            if withheld is None and walk.memory is not None:
                # what was taken out under one name may stand in clear under another
                found, again = walk.memory.out_of_value(found, path)
                return Sanitized(found, walk.redactions() + again)
        except Exception:  # noqa: BLE001 - fails closed: its type is all that is told
            return _unreadable(value, path)
        return Sanitized(found, walk.redactions())

    def text(self, text: object, path: str = "", withheld: RedactedValues | None = None) -> Sanitized:
        """
        Sanitize free text by all rules: errors, exception text, status descriptions.

        Args:
            text: Text; any other object is read like a value and written as JSON.
            path: Where it stands, for the redactions.
            withheld: As for :meth:`value`.

        Returns:
            Text; of a text too long its beginning, its size and keyed digest.
        """
        return self._written(text, path, PLAIN_NAME, withheld)

    def identifier(self, text: object, path: str = "") -> Sanitized:
        """Sanitize an identifier: secrets are removed, what merely looks like personal data stays."""
        return self._written(text, path, _IDENTIFIER)

    def attributes(self, attributes: Mapping[str, object], path: str = "", withheld: RedactedValues | None = None) -> Sanitized:
        """
        Sanitize span attributes of any instrumentation, each by its key.

        Args:
            attributes: Values of any type; JSON inside strings is sanitized and stays JSON.
            path: Where they stand, for the redactions.
            withheld: As for :meth:`value`.

        Returns:
            Values that OpenTelemetry accepts; those that needed no change are the same objects, None is left out.
        """
        walk = self._walk(None, withheld)
        judge = self._texts.names.judge
        clean: dict[str, Any] = {}
        for key, value in attributes.items():
            if value is None:
                continue
            name = walk.key(key)
            where = f"{path}.{name}" if path else name
            try:
                clean[name] = self._attribute(walk, value, where, judge(key) if type(key) is str else PLAIN_NAME)
            except Exception:  # noqa: BLE001 - fails closed: its type is all that is told
                walk.count(where, "unsanitizable")
                clean[name] = f"<unsanitizable {type(value).__name__}>"
        if withheld is None and walk.memory is not None:
            clean, again = out_of_attributes(walk.memory, clean, path)
            return Sanitized(clean, walk.redactions() + again)
        return Sanitized(clean, walk.redactions())

    def _walk(self, rules: ToolRules | None, withheld: RedactedValues | None = None) -> Walk:
        return Walk(self._texts, self.keyring, self._limits, None if rules is None else ArgumentRules(rules), self._keys, withheld)

    def _written(self, text: object, path: str, said: KeyName, withheld: RedactedValues | None = None) -> Sanitized:
        walk = self._walk(None, withheld)
        try:
            found = self._long(walk, text, path, said) if isinstance(text, str) else walk.any(text, path, 0, said)
            if withheld is None and walk.memory is not None and not (isinstance(text, str) and text.lstrip()[:1] not in _OPENING):
                # one text was searched as a whole; what has parts is searched part by part
                found, again = walk.memory.out_of_value(found, path)
                return Sanitized(_as_text(found), walk.redactions() + again)
        except Exception:  # noqa: BLE001 - fails closed
            return _unreadable(text, path)
        return Sanitized(_as_text(found), walk.redactions())

    def _long(self, walk: Walk, text: str, path: str, said: KeyName) -> Any:  # noqa: ANN401
        """Text of any length; of a long one the beginning is kept, as far as no key can have been cut in two."""
        plain = str.__str__(text)
        longest = self._limits[0]
        if len(plain) <= longest or longest <= 2 * _TAIL:
            return walk.text(plain, path, 0, said)
        encoded = plain.encode("utf-8", "surrogatepass")
        head = walk.text(plain[:longest], path, 0, said)
        kept = head[: longest - _TAIL].rpartition(" ")[0] if isinstance(head, str) else ""
        rest, _ = self._texts.clean(kept, walk, typed=not said.identifier)
        digest = self.keyring.digest(encoded)
        return f"{rest} <cut: {len(encoded)} bytes{', ' + digest if digest else ''}>"

    def _attribute(self, walk: Walk, value: Any, where: str, said: KeyName) -> Any:  # noqa: ANN401
        exact = type(value)
        if said.kind is KeyKind.SECRET:
            found = walk.secret(value, where)
            return found if type(found) in _SCALARS else list(found) if isinstance(found, (list, tuple)) and _is_texts(found) else _as_text(found)
        if exact is str:
            clean = self._attribute_text(walk, value, where, said)
            return value if clean == value else clean
        if exact is bool or (exact is float and math.isfinite(value)):
            return value
        if (exact is list or exact is tuple) and value and _is_uniform(value):
            return self._attribute_items(walk, value, where, said)
        found = walk.any(value, where, 0, said)
        return found if type(found) in _SCALARS else _as_text(found)

    def _attribute_items(self, walk: Walk, value: Sequence[Any], where: str, said: KeyName) -> Sequence[Any]:
        items = [self._attribute(walk, item, f"{where}[{at}]", said) for at, item in enumerate(value[:MAX_ITEMS])]
        if len(items) == len(value) and all(a is b for a, b in zip(items, value, strict=True)):
            return value
        return items if _is_uniform(items) else list(map(_as_text, items))

    def _attribute_text(self, walk: Walk, value: str, where: str, said: KeyName) -> str:
        if said.kind is KeyKind.SUSPECT and self._texts.is_suspicious(value, said):
            return str(walk.secret(value, where))
        if self._limits[0] < len(value) <= self._limits[0] * _LONGEST_JSON and value.lstrip()[:1] in ("{", "["):
            # conversations are long; each text in one is short enough
            nested = walk.json(value if value.isascii() else str(json_safe(value)), where, 0)
            if nested is not None:
                return nested
        return _as_text(self._long(walk, value, where, said))


def out_of_attributes(memory: RedactedValues, attributes: Mapping[str, Any], path: str) -> tuple[dict[str, Any], tuple[Redaction, ...]]:
    """
    Take out of sanitized attributes what is withheld; numbers that count something are nobody's.

    Args:
        memory: What is withheld.
        attributes: As OpenTelemetry holds them.
        path: Where they stand, for the redactions.

    Returns:
        The attributes, untouched values as the same objects, and what was removed.
    """
    clean: dict[str, Any] = {}
    removed: tuple[Redaction, ...] = ()
    for key, value in attributes.items():
        if isinstance(value, (bool, float)) or (isinstance(value, int) and _COUNTS.search(key)):
            clean[key] = value
            continue
        clean[key], found = memory.out_of_value(value, f"{path}.{key}" if path else key)
        removed += found
    return clean, removed


def _unreadable(value: object, path: str) -> Sanitized:
    return Sanitized(f"<unsanitizable {type(value).__name__}>", (Redaction(path, "unsanitizable", 1),))


def _is_texts(items: Sequence[Any]) -> bool:
    return all(type(item) is str for item in items)


def _is_uniform(items: Sequence[Any]) -> bool:
    kind = type(items[0])
    return kind in _SCALARS and all(type(item) is kind for item in items)


def _as_text(found: Any) -> str:  # noqa: ANN401
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
