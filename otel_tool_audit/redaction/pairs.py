"""
Values that another value beside them names: ``{"name": "DB_PASSWORD", "value": …}``, what is typed into a password's field, ``user`` and ``pass``.

Source: ARCHITECTURE.md, R3; the arguments of browser tools (Playwright MCP: ``element`` and ``text``; Selenium, Puppeteer: ``selector`` and
``value``), of Kubernetes (``env``) and of HTTP archives (``headers``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from otel_tool_audit.redaction.judging import is_secret_value
from otel_tool_audit.redaction.keys import KeyKind, KeyNames, word_set
from otel_tool_audit.redaction.phrases import is_telling_password

_PREFIXES: Final = ("field", "param", "parameter", "option", "variable", "var", "setting", "property", "prop", "attr", "attribute", "header", "config", "env", "secret", "arg", "argument", "key", "flag", "input")  # fmt: skip


def _spelt(words: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Write names of several words in all the ways in which programs do: snake_case, kebab-case, camelCase, PascalCase, in capitals."""
    spelt: dict[str, None] = {}
    for name in words:
        pascal = "".join(map(str.capitalize, name))
        spelt |= dict.fromkeys(("_".join(name), "-".join(name), name[0] + pascal[len(name[0]) :], pascal, "_".join(name).upper()))
    return tuple(spelt)


_NAMING: Final = _spelt(
    [("name",), ("key",), ("k",), *((each,) for each in _PREFIXES), *((each, last) for each in _PREFIXES for last in ("name", "key"))]
)
_NAMED: Final = frozenset(
    _spelt([(last,) for last in ("value", "val", "v")] + [(each, last) for each in _PREFIXES for last in ("value", "val", "data", "content")])
)
_LOGINS: Final = word_set("login logins signin sign_in logon user_pass userpass user_password basic account")
_FIELDS: Final = (
    "element", "label", "field", "selector", "locator", "placeholder", "target", "id", "type", "xpath", "css", "aria-label", "inputType",
    "name", "key", "header", "variable", "Name", "Key",
)  # fmt: skip
_TYPED: Final = frozenset({"value", "Value", "val", "text", "input", "keys", "characters", "content"})
_SHORT: Final = frozenset({"pass", "pw"})
_ACCOUNTS: Final = word_set("user username user_name userName login email account host hostname server")
_NAMING_KEYS: Final = frozenset(_NAMING)
_CHANGED: Final = frozenset(
    {"content", "current", "default", "data", "new_value", "old_value", "newValue", "oldValue", "from", "to", "before", "after"}
)
_KEY_TYPES: Final = frozenset({"RSA", "EC", "OKP", "oct"})
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
"""Members of a JSON Web Key that are private (RFC 7518, sections 6.2.2, 6.3.2 and 6.4; RFC 8037, section 2)."""

_STORED: Final = ("data", "stringData")
_FIRST: Final = _NAMED | _TYPED | _SHORT | _CHANGED | {"kty", "kind"}
_OF_A_FORM: Final = re.compile(r"(?i)\b(?:text|input|edit)?[ _-]?(?:field|box|input|entry|element|control|area)\b")
_LONGEST: Final = 256
_SHORTEST_PASSWORD: Final = 6
_NOTHING: Final[frozenset[str]] = frozenset()


def secret_by_neighbour(value: Mapping[Any, Any], names: KeyNames) -> frozenset[str]:
    """
    List the keys of a mapping whose values are secret by what stands beside them.

    Args:
        value: Any mapping.
        names: Judges names.
    """
    if type(value) is not dict or _FIRST.isdisjoint(value):
        return _NOTHING
    found: set[str] = set()
    named = [key for key in value if key in _NAMED]
    if named and any(_names_secret(value[key], names, value[named[0]]) for key in value if key in _NAMING_KEYS):
        found.update(named)
    typed = {key for key in _TYPED if _is_token(value.get(key))}
    if typed and any(_is_field(value.get(key), names) for key in _FIELDS):
        found |= typed
    if not _CHANGED.isdisjoint(value) and any(_names_secret(value.get(key), names) for key in _NAMING_KEYS.intersection(value)):
        found |= {key for key in _CHANGED if _is_token(value.get(key))}
    if value.get("kty") in _KEY_TYPES:
        found |= _PRIVATE
    if value.get("kind") == "Secret" and "apiVersion" in value:
        # a cluster's: whatever the names in it
        found.update(_STORED)
    if not _SHORT.isdisjoint(value) and not _ACCOUNTS.isdisjoint(value):
        found |= {key for key in _SHORT if isinstance(value.get(key), str)}
    return frozenset(found)


def is_login(path: str, user: object, password: object) -> bool:
    """Tell whether two items of a list are a user and a password, by the name of the list and by their looks."""
    return (
        path.rpartition(".")[2].partition("[")[0].lower() in _LOGINS
        and type(user) is str
        and type(password) is str
        and len(password) >= _SHORTEST_PASSWORD
        and is_telling_password(password)
    )


def _names_secret(name: object, names: KeyNames, value: object = None) -> bool:
    if type(name) is not str:
        return False
    said = names.judge(name)
    return said.kind is KeyKind.SECRET or (said.kind is not KeyKind.PLAIN and type(value) is str and is_secret_value(value, said))


def _is_token(value: object) -> bool:
    # a message that only speaks of a password has several words
    return type(value) is str and 0 < len(value) <= _LONGEST and not any(map(str.isspace, value))


def _is_field(name: object, names: KeyNames) -> bool:
    return type(name) is str and len(name) <= _LONGEST and names.judge(_OF_A_FORM.sub("", name)).kind is KeyKind.SECRET
