"""
The one walker that applies all rules, to any Python object.

It fails closed: what it cannot look at is replaced by a digest or a type's name, never stored as it is. It never raises.

Source: DESIGN, "Sanitizing".
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import math
import pathlib
import uuid
from collections.abc import Iterable, Mapping, Set
from typing import Any, Final

import orjson

from otel_tool_audit.record.jsonsafe import LARGEST_INT, json_safe
from otel_tool_audit.sanitize.keyring import Keyring
from otel_tool_audit.sanitize.keys import KeyKind, KeyNames
from otel_tool_audit.sanitize.texts import Texts
from otel_tool_audit.sanitize.values import MARK, Redaction, Sanitized, ToolRules

MAX_TEXT: Final = 16_384
"""Longest text that is stored, in characters; a longer one is cut to its size and a keyed digest."""

MAX_ITEMS: Final = 2_000
"""Most values that are looked at in one go; the rest is named by its number."""

MAX_DEPTH: Final = 48
MAX_REDACTIONS: Final = 100
_JSON_STARTS: Final = ("{", "[", '"{', '"[')
_NO_RULES: Final = ToolRules()
_PLAIN_TEXT: Final = (decimal.Decimal, uuid.UUID, pathlib.PurePath, datetime.datetime, datetime.date, datetime.time, datetime.timedelta, complex)


class Sanitizer:
    """Applies key names, typed patterns, and a tool's own rules. Safe for threads; holds no state but its configuration."""

    def __init__(
        self, keyring: Keyring | None = None, *, secret_keys: Iterable[str] = (), keep_keys: Iterable[str] = (), max_text: int = MAX_TEXT, max_items: int = MAX_ITEMS
    ) -> None:
        """
        Set up the rules.

        Args:
            keyring: Keys of digests and pseudonyms.
            secret_keys: More names whose values are secret.
            keep_keys: Names that are not, whatever the packaged rules say.
            max_text: Longest text that is stored, in characters.
            max_items: Most values that are looked at in one go.
        """
        self.keyring = keyring or Keyring()
        self._names = KeyNames(secret_keys, keep_keys)
        self._texts = Texts(self._names)
        self._max_text = max_text
        self._max_items = max_items

    def value(self, value: object, path: str = "", rules: ToolRules | None = None) -> Sanitized:
        """
        Sanitize any object.

        Args:
            value: It is read, never changed; generators and iterators are not consumed.
            path: Where it stands, for the redactions.
            rules: What the tool's author said of the arguments; their names are the keys of *value*.
        """
        walk = _Walk(self, rules or _NO_RULES)
        try:
            found = walk.arguments(value, path) if rules is not None and isinstance(value, dict) else walk.any(value, path, 0, KeyKind.PLAIN)
        except Exception:  # noqa: BLE001 - fails closed: whatever went wrong, nothing raw is stored
            return Sanitized(self._opaque(value), (Redaction(path, "unsanitizable", 1),))
        return Sanitized(found, walk.redactions())

    def text(self, text: object, path: str = "") -> Sanitized:
        """Sanitize free text by all rules: errors, exception text, status descriptions."""
        return self._as_text(text, path, KeyKind.PLAIN)

    def identifier(self, text: object, path: str = "") -> Sanitized:
        """Sanitize an identifier: secrets are removed, what merely looks like personal data stays."""
        return self._as_text(text, path, KeyKind.IDENTIFIER)

    def attributes(self, attributes: Mapping[str, object], path: str = "") -> Sanitized:
        """
        Sanitize span attributes of any instrumentation, each by its key.

        Args:
            attributes: Values of any type; JSON inside strings is sanitized and stays JSON.
            path: Where they stand, for the redactions.

        Returns:
            Values that OpenTelemetry accepts; those that needed no change are the same objects.
        """
        walk = _Walk(self, _NO_RULES)
        clean: dict[str, Any] = {}
        for key, value in attributes.items():
            name = str(key)
            try:
                clean[walk.key(name)] = walk.attribute(value, _join(path, name), self._names.kind(name))
            except Exception:  # noqa: BLE001 - fails closed: the attribute's type is all that is told
                clean[name] = f"<unsanitizable {type(value).__name__}>"
                walk.count(_join(path, name), "unsanitizable", 1)
        return Sanitized(clean, walk.redactions())

    def _as_text(self, text: object, path: str, kind: KeyKind) -> Sanitized:
        walk = _Walk(self, _NO_RULES)
        try:
            found = walk.any(text if isinstance(text, str) else str(text), path, 0, kind)
            return Sanitized(found if isinstance(found, str) else orjson.dumps(found).decode(), walk.redactions())
        except Exception:  # noqa: BLE001 - fails closed
            return Sanitized(self._opaque(text), (Redaction(path, "unsanitizable", 1),))

    def _opaque(self, value: object) -> str:
        return f"<unsanitizable {type(value).__name__}>"


class _Walk:
    """One walk over one value."""

    def __init__(self, sanitizer: Sanitizer, rules: ToolRules) -> None:
        self._sanitizer = sanitizer
        self._names = sanitizer._names  # noqa: SLF001 - the walker is the sanitizer's other half
        self._texts = sanitizer._texts  # noqa: SLF001
        self._left = sanitizer._max_items  # noqa: SLF001
        self._max_text = sanitizer._max_text  # noqa: SLF001
        self._rules = rules
        self._counts: dict[tuple[str, str], int] | None = None
        self._open: set[int] = set()

    def count(self, path: str, rule: str, number: int) -> None:
        if self._counts is None:
            self._counts = {}
        self._counts[path, rule] = self._counts.get((path, rule), 0) + number

    def redactions(self) -> tuple[Redaction, ...]:
        if self._counts is None:
            return ()
        found = [Redaction(json_safe(path)[:512], rule, number) for (path, rule), number in self._counts.items()]
        if len(found) > MAX_REDACTIONS:
            rest = sum(r.count for r in found[MAX_REDACTIONS:])
            found = [*found[:MAX_REDACTIONS], Redaction("", "more", rest)]
        return tuple(found)

    def arguments(self, value: dict[str, Any], path: str) -> dict[str, Any]:
        """The top level, where a tool's own rules name arguments."""
        clean: dict[str, Any] = {}
        for key, item in value.items():
            name = str(key)
            where = _join(path, name)
            if name in self._rules.redact:
                clean[self.key(name)] = MARK
                self.count(where, "tool-redact", 1)
            elif name in self._rules.pseudonymize and item is not None:
                clean[self.key(name)] = self._sanitizer.keyring.pseudonym(str(item), self._rules.pseudonymize[name])
                self.count(where, "pseudonym", 1)
            elif self._rules.keep is not None and name not in self._rules.keep and not any(k.startswith(name + ".") for k in self._rules.keep):
                clean[self.key(name)] = MARK
                self.count(where, "allow-list", 1)
            else:
                clean[self.key(name)] = self._under(name, item, where, 1)
        return clean

    def any(self, value: object, path: str, depth: int, kind: KeyKind) -> Any:
        """Any object, by its type; the most frequent types first."""
        if value is None or value is True or value is False:
            return value
        exact = type(value)
        if exact is str:
            return self._text(value, path, depth, kind)  # type: ignore[arg-type]  # exact is str
        if exact is int:
            return self._number(value, path, kind)  # type: ignore[arg-type]  # exact is int
        if exact is float:
            return value if math.isfinite(value) else json_safe(value)  # type: ignore[arg-type]  # exact is float
        self._left -= 1
        if depth >= MAX_DEPTH:
            self.count(path, "too-deep", 1)
            return f"<{exact.__name__} too deep>"
        if id(value) in self._open:
            return f"<{exact.__name__} contains itself>"
        self._open.add(id(value))
        try:
            return self._container(value, path, depth, kind)
        finally:
            self._open.discard(id(value))

    def _container(self, value: object, path: str, depth: int, kind: KeyKind) -> Any:  # noqa: PLR0911 - one return for each type
        if isinstance(value, enum.Enum):
            return self.any(value.value, path, depth + 1, kind)
        if isinstance(value, str):
            return self._text(str.__str__(value), path, depth, kind)
        if isinstance(value, int | float):
            return json_safe(value)
        if isinstance(value, bytes | bytearray | memoryview):
            return self._bytes(value, path, depth, kind)
        if isinstance(value, Mapping):
            return self._mapping(value, path, depth)
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return self._mapping(dict(zip(value._fields, value, strict=False)), path, depth)
        if isinstance(value, list | tuple | Set):
            return self._sequence(value, path, depth, kind)
        if isinstance(value, BaseException):
            return self._text(f"{type(value).__name__}: {value}", path, depth, kind)
        if isinstance(value, _PLAIN_TEXT):
            return self._text(value.isoformat() if hasattr(value, "isoformat") else str(value), path, depth, KeyKind.IDENTIFIER)
        fields = _fields(value)
        if fields is not None:
            return self._mapping(fields, path, depth)
        if type(value).__module__ == "numpy" and hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
            return self.any(value.item(), path, depth + 1, kind)
        # its repr may hold anything, and may run anything: the type is enough
        return f"<{type(value).__module__}.{type(value).__qualname__}>"

    def _mapping(self, value: Mapping[Any, Any], path: str, depth: int) -> dict[str, Any]:
        clean: dict[str, Any] = {}
        for key, item in value.items():
            if self._left <= 0:
                clean["_more"] = len(value) - len(clean)
                break
            self._left -= 1
            name = key if isinstance(key, str) else str(key.value if isinstance(key, enum.Enum) else key)
            where = _join(path, name)
            if where in self._rules.redact:
                clean[self.key(name)] = MARK
                self.count(where, "tool-redact", 1)
            else:
                clean[self.key(name)] = self._under(name, item, where, depth + 1)
        return clean

    def _under(self, name: str, item: object, path: str, depth: int) -> Any:
        kind = self._names.kind(name)
        if kind is KeyKind.SECRET and item is not None and item != "" and not isinstance(item, bool):
            if item != MARK:
                self.count(path, "secret-key", 1)
            return MARK
        return self.any(item, path, depth, kind)

    def _sequence(self, value: Iterable[Any], path: str, depth: int, kind: KeyKind) -> list[Any]:
        clean: list[Any] = []
        for at, item in enumerate(value):
            if self._left <= 0:
                clean.append(f"<{len(value) - at} more>")  # type: ignore[arg-type]  # lists, tuples and sets have a length
                break
            self._left -= 1
            clean.append(self.any(item, f"{path}[{at}]", depth + 1, kind))
        return clean

    def key(self, name: str) -> str:
        """A key may hold a secret itself, and must be as JSON-safe as a value."""
        if len(name) > 512:
            return f"<key of {len(name)} characters>"
        clean = self._texts.clean(name, lambda rule, n: self.count("", f"{rule} in a key", n), pii=True) if len(name) > 6 else name
        return clean if clean.isascii() else str(json_safe(clean))

    def _number(self, value: int, path: str, kind: KeyKind) -> Any:
        if not -LARGEST_INT <= value <= LARGEST_INT:
            return json_safe(value)
        if value < 10**11 or kind is KeyKind.IDENTIFIER:
            return value
        text = str(value)
        clean = self._texts.clean(text, lambda rule, n: self.count(path, rule, n))
        return value if clean is text else clean

    def _text(self, value: str, path: str, depth: int, kind: KeyKind) -> Any:
        if len(value) > self._max_text:
            return self._cut(value.encode("utf-8", "surrogatepass"))
        if not value.isascii():
            value = str(json_safe(value))
        if value.startswith(_JSON_STARTS) or value[:1].isspace():
            nested = self._json(value, path, depth)
            if nested is not None:
                return nested
        return self._texts.clean(value, lambda rule, n: self.count(path, rule, n), pii=kind is not KeyKind.IDENTIFIER, phone=kind is KeyKind.PHONE)

    def _json(self, value: str, path: str, depth: int) -> str | None:
        """JSON inside a string: sanitized by its keys, and put back as JSON; None when it is none."""
        if depth >= MAX_DEPTH or not value.lstrip().startswith(_JSON_STARTS):
            return None
        try:
            content = orjson.loads(value)
        except ValueError:
            return None
        before = sum(self._counts.values()) if self._counts else 0
        clean = self.any(content, path, depth + 1, KeyKind.PLAIN)
        after = sum(self._counts.values()) if self._counts else 0
        return value if before == after and self._left > 0 else orjson.dumps(clean).decode()

    def _bytes(self, value: bytes | bytearray | memoryview, path: str, depth: int, kind: KeyKind) -> Any:
        raw = bytes(value) if len(value) <= self._max_text * 4 else None
        if raw is not None:
            try:
                text = raw.decode()
                if text.isprintable() or text.replace("\n", "").replace("\t", "").replace("\r", "").isprintable():
                    return self._text(text, path, depth, kind)
            except UnicodeDecodeError:
                pass
        return {"_bytes": len(value), "_digest": self._sanitizer.keyring.digest(bytes(value))}

    def _cut(self, encoded: bytes) -> dict[str, Any]:
        return {"_cut": True, "_size": len(encoded), "_digest": self._sanitizer.keyring.digest(encoded)}

    def attribute(self, value: object, path: str, kind: KeyKind) -> Any:
        """One span attribute; what comes back is a value that OpenTelemetry accepts."""
        if kind is KeyKind.SECRET and value is not None and value != "" and not isinstance(value, bool):
            if value != MARK:
                self.count(path, "secret-key", 1)
            return MARK
        if isinstance(value, bool | int | float) and not isinstance(value, enum.Enum):
            clean = self.any(value, path, 0, kind)
            return value if clean == value or (isinstance(value, float) and not math.isfinite(value)) else clean
        if isinstance(value, list | tuple) and all(isinstance(item, type(value[0])) and isinstance(item, str | bool | int | float) for item in value):
            items = [self.attribute(item, f"{path}[{at}]", kind) for at, item in enumerate(value)]
            return value if all(a is b for a, b in zip(items, value, strict=True)) else [str(i) for i in items]
        clean = self.any(value, path, 0, kind)
        return clean if clean is None or isinstance(clean, str | bool | int | float) else orjson.dumps(clean).decode()


def _fields(value: object) -> dict[str, Any] | None:
    """The fields of a dataclass, a pydantic model (either version) or an attrs class, without importing any of them."""
    cls = type(value)
    if dataclasses.is_dataclass(cls):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(cls)}
    for source in ("model_fields", "__fields__", "__attrs_attrs__"):
        found = getattr(cls, source, None)
        if isinstance(found, Mapping) and found:
            extra = getattr(value, "__pydantic_extra__", None) or {}
            return {**{name: getattr(value, name) for name in found}, **extra}
        if isinstance(found, tuple) and found:
            return {a.name: getattr(value, a.name) for a in found}
    return None


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
