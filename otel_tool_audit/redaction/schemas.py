"""
Objects that describe a secret and hold none: JSON Schema, OpenAPI, models' fields, the configuration of authentication.

Source: JSON Schema 2020-12, "Validation" and "Meta-Data" vocabularies; OpenAPI 3.1, sections 4.8.24 (Schema) and 4.8.27 (Security Scheme).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from otel_tool_audit.redaction.keys import word_set, words_of

_SAYS: Final = words_of("schemas.says")
"""Keys of objects that describe; what stands under them is judged by its own name and look."""

_HOLDS: Final = word_set("default example examples const enum value defaultValue default_value fallback input")
"""Keys in such an object whose values may be a secret all the same."""

_KEY_IN_TEXT: Final = re.compile(
    r"[\"']([A-Za-z$_][\w$-]{0,40})\\{0,7}[\"']\s{0,4}:(\s{0,4}(?:[Nn]one|null|[Tt]rue|[Ff]alse|\"\"|''|\[\]|\{\})(?=\s{0,4}(?:[,}\]]|$)))?"
)


def describes(text: str) -> bool:
    """Tell whether the inside of an object or list, in text, has keys, and only such as describe."""
    keys = _KEY_IN_TEXT.findall(text)
    return bool(keys) and all(key in _SAYS or (nothing and key in _HOLDS) for key, nothing in keys)


def is_description(value: object) -> bool:
    """Tell whether an object under a secret's name describes it, at least in part: then it keeps its shape, and its leaves are judged."""
    if not isinstance(value, Mapping):
        return False
    return any(key in _SAYS or key in _HOLDS for key in value if type(key) is str) or (bool(value) and all(map(_is_switch, value.values())))


def holds_value(key: object) -> bool:
    """Tell whether what stands under a key of a describing object is judged as the secret itself."""
    return key not in _SAYS


def _is_switch(value: Any) -> bool:  # noqa: ANN401
    return value is None or isinstance(value, bool) or (isinstance(value, Mapping | list | tuple | str) and not value)
