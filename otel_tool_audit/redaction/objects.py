"""
What is inside the objects that tools take: fields, items, or text, without importing the libraries they come from.

Source: ARCHITECTURE.md, D7.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import ipaddress
import pathlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

from otel_tool_audit.record.jsonsafe import json_safe

LONGEST_KEY: Final = 256
"""The longest key that is written out, in characters."""

_WRITTEN: Final = (
    decimal.Decimal, fractions.Fraction, uuid.UUID, pathlib.PurePath, dt.timedelta, dt.tzinfo, complex,
    ipaddress.IPv4Address, ipaddress.IPv6Address, ipaddress.IPv4Network, ipaddress.IPv6Network,
)  # fmt: skip
_MOMENTS: Final = (dt.date, dt.time)


def field_names(cls: type) -> tuple[str, ...] | None:
    """Name the fields of a dataclass, a pydantic model (either version), an attrs class or a named tuple; None when it is none."""
    if dataclasses.is_dataclass(cls):
        return tuple(f.name for f in dataclasses.fields(cls))
    for source in ("__pydantic_fields__", "model_fields", "__fields__"):
        found = getattr(cls, source, None)
        if isinstance(found, Mapping):
            return tuple(map(str, found))
    found = getattr(cls, "__attrs_attrs__", None)
    if isinstance(found, tuple):
        return tuple(a.name for a in found)
    found = getattr(cls, "_fields", None)
    return tuple(map(str, found)) if isinstance(found, tuple) and issubclass(cls, tuple) else None


def as_fields(value: object) -> Mapping[Any, Any] | None:
    """Read an object as names and values; None when it has none."""
    if isinstance(value, Mapping):
        return value
    names = field_names(type(value))
    if names is None:
        return None
    found = {name: getattr(value, name, None) for name in names}
    extra = getattr(value, "__pydantic_extra__", None)
    return {**found, **extra} if isinstance(extra, dict) else found


def as_text(value: object) -> str | None:
    """Write an object of one value as text; None when it is more than that."""
    if isinstance(value, _MOMENTS):
        return value.isoformat()
    if isinstance(value, _WRITTEN):
        return str(value)
    return str(int.__int__(value)) if isinstance(value, int) and not isinstance(value, bool) else None


def as_sequence(value: object) -> Iterable[Any] | None:
    """Read an object as items in a row; None for all else, generators and iterators among it: reading them would use them up."""
    return value if isinstance(value, Sequence | AbstractSet) else None


def error_text(error: BaseException) -> str:
    """Write an exception as its type and message."""
    return f"{type(error).__name__}: {error}"


def key_text(key: object) -> str:
    """Write a key as text; of what is no plain value only its type."""
    if isinstance(key, enum.Enum):
        key = key.value
    if isinstance(key, str):
        return str.__str__(key)
    if key is None or isinstance(key, bool | int | float):
        return str(json_safe(key))
    if isinstance(key, bytes):
        return key.decode("utf-8", "replace") if len(key) <= LONGEST_KEY else f"<key of {len(key)} bytes>"
    return as_text(key) or f"<{type(key).__name__}>"
