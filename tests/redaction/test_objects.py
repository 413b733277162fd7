"""Any Python object comes out JSON-safe, whatever it does while it is looked at."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import ipaddress
import pathlib
import time
import types
import uuid
from collections import ChainMap, Counter, OrderedDict, UserDict, defaultdict, deque, namedtuple
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import orjson
import pytest

from otel_tool_audit.redaction import MARK, Keyring, Sanitized, Sanitizer

SECRET = "hunter2-Zx81-qwerty"
RING = Keyring([("k1", b"k" * 32)])


class Color(enum.Enum):
    """Holds a secret under no secret's name."""

    KEY = "password=" + SECRET


class Level(enum.IntEnum):
    """Is an int, too."""

    HIGH = 3


@dataclasses.dataclass
class Login:
    """Has a secret's name and a harmless one."""

    user: str = "ann"
    password: str = SECRET


class Model:
    """Looks like a model of pydantic 2."""

    model_fields = {"api_key": None, "n": None}  # noqa: RUF012

    def __init__(self) -> None:
        self.api_key = SECRET
        self.n = 1


class OldModel:
    """Looks like a model of pydantic 1."""

    __fields__ = {"token": None}  # noqa: RUF012
    token = SECRET


class Broken:
    """Raises whatever it is asked."""

    def __repr__(self) -> NoReturn:
        raise RuntimeError(SECRET)

    __str__ = __hash__ = __len__ = __iter__ = __bool__ = __eq__ = __repr__  # type: ignore[assignment]

    def __getattr__(self, name: str) -> NoReturn:
        raise RuntimeError(SECRET)


class BrokenMapping(Mapping[str, Any]):
    """Has keys, and raises for every value."""

    def __getitem__(self, key: str) -> NoReturn:
        raise ValueError(SECRET)

    def __iter__(self) -> Iterator[str]:
        return iter(["a", "password"])

    def __len__(self) -> int:
        return 2


class BrokenText(str):
    """Text that refuses to be text."""

    __slots__ = ()

    def __str__(self) -> NoReturn:
        raise RuntimeError(SECRET)

    __repr__ = __len__ = encode = startswith = __str__  # type: ignore[assignment]


class BrokenError(Exception):
    """Cannot say what happened."""

    def __str__(self) -> NoReturn:
        raise RuntimeError(SECRET)


class ManyItems(UserDict[str, int]):
    """Never ends."""

    def items(self) -> Any:
        return ((f"k{n}", n) for n in iter(int, 1))


Point = namedtuple("Point", ["x", "token"])  # noqa: PYI024 - the untyped kind is common


def cyclic() -> dict[str, Any]:
    """Contain itself."""
    found: dict[str, Any] = {"a": 1}
    found["self"] = [found]
    return found


def deep(levels: int) -> list[Any]:
    """Lie deep, with a secret at the bottom."""
    found: list[Any] = [{"password": SECRET}]
    for _ in range(levels):
        found = [found]
    return found


OBJECTS: dict[str, object] = {
    "none": None, "bool": True, "large int": 2**70, "huge int": 1 << 100_000, "nan": float("nan"), "inf": float("-inf"),
    "enum": Color.KEY, "int enum": Level.HIGH, "dataclass": Login(), "dataclass type": Login, "pydantic 2": Model(),
    "pydantic 1": OldModel(), "namedtuple": Point(1, SECRET), "set": {1, "password=" + SECRET}, "frozenset": frozenset({1}),
    "deque": deque(["password=" + SECRET]), "counter": Counter("aab"), "ordered": OrderedDict(password=SECRET),
    "default": defaultdict(list, token=[SECRET]), "chain map": ChainMap({"secret": SECRET}),
    "user dict": UserDict({"pwd": SECRET}),
    "proxy": types.MappingProxyType({"password": SECRET}), "decimal": decimal.Decimal("1.10"), "fraction": fractions.Fraction(1,
    3),
    "uuid": uuid.UUID(int=5), "date": dt.date(2026, 11, 24), "time": dt.time(9, 30), "path": pathlib.PurePath("/a/b"),
    "timedelta": dt.timedelta(seconds=5), "ip": ipaddress.ip_address("10.1.2.3"), "bytes": b"password=" + SECRET.encode(),
    "binary": b"\xff\xfe" + SECRET.encode(), "bytearray": bytearray(b"\xff\x00"), "memoryview": memoryview(b"\xff\x00"),
    "error": ValueError("password=" + SECRET), "broken error": BrokenError(), "broken": Broken(), "broken in a list": [Broken()],
    "broken in a dict": {"a": Broken(), "password": SECRET}, "broken mapping": BrokenMapping(),
    "broken text": BrokenText("a" * 40),
    "broken key": {Color.KEY: 1, 5: 2, None: 3, ("password", SECRET): 4}, "cyclic": cyclic(), "deep": deep(200),
    "two thousand deep": deep(2_000), "generator": (n for n in [SECRET]), "iterator": iter([SECRET]), "function": cyclic,
    "lambda": lambda: SECRET, "class": Broken, "module": types, "object": object(), "complex": 1j, "range": range(3),
    "slice": slice(1, 2), "endless": ManyItems(), "surrogate": "a\ud800b", "surrogate key": {"\udc80": 1}, "empty": {},
    "nul": "a\x00b",
    "not a model": types.SimpleNamespace(password=SECRET), "ellipsis": ..., "secret container": {"tokens_": 1,
    "password": {"a": [SECRET]}},
    "bad json": '{"password": "' + SECRET, "deep json": "[" * 5_000 + "]" * 5_000, "long key": {"k" * 100_000: 1},
}  # fmt: skip


def is_json_safe(value: object) -> bool:
    """Say whether only JSON's own types are in it, and only numbers that every reader keeps."""
    if isinstance(value, dict):
        return type(value) is dict and all(type(key) is str and is_json_safe(item) for key, item in value.items())
    if isinstance(value, list):
        return type(value) is list and all(map(is_json_safe, value))
    if type(value) is float:
        return value == value and abs(value) != float("inf")  # noqa: PLR0124 - NaN
    return value is None or type(value) in {str, bool} or (type(value) is int and abs(value) < 2**53)


@pytest.mark.parametrize("name", OBJECTS)
def test_any_object_is_read_without_an_error_and_without_its_secret(name: str) -> None:
    """No method raises, keeps a secret, or returns what JSON cannot carry."""
    sanitizer, value = Sanitizer(RING), OBJECTS[name]
    results: list[Sanitized] = [
        sanitizer.value(value, "arguments"),
        sanitizer.value({"a": [value]}),
        sanitizer.text(value),
        sanitizer.identifier(value),
    ]
    assert all(is_json_safe(result.value) for result in results)
    for result in (*results, sanitizer.attributes({"a": value})):
        written = orjson.dumps(result.value).decode() + repr(result.redactions)
        assert SECRET not in written


@pytest.mark.parametrize("name", OBJECTS)
def test_attributes_come_out_as_opentelemetry_takes_them(name: str) -> None:
    """Each is text, a bool, a number or a list of one of these."""
    for value in Sanitizer(RING).attributes({"a": OBJECTS[name]}).value.values():
        items = value if isinstance(value, list | tuple) else [value]
        assert all(isinstance(item, str | bool | int | float) for item in items)
        assert len({type(item) for item in items}) <= 1


def test_generators_are_not_consumed() -> None:
    """The tool still gets everything its argument yields."""
    items = iter([1, 2, 3])
    Sanitizer().value({"items": items})
    Sanitizer().attributes({"items": items})
    assert [1, 2, 3] == list(items)


def test_the_value_itself_is_not_changed() -> None:
    """What the tool gets is what the caller passed."""
    value = {"password": SECRET, "list": [{"token": SECRET}]}
    Sanitizer().value(value)
    assert value == {"password": SECRET, "list": [{"token": SECRET}]}


def test_a_mappings_fields_keep_their_names() -> None:
    """A dataclass, a model and a named tuple are stored by their fields, secrets marked."""
    clean = Sanitizer().value([Login(), Model(), Point(1, SECRET)]).value
    assert clean == [{"user": "ann", "password": MARK}, {"api_key": MARK, "n": 1}, {"x": 1, "token": MARK}]


def test_an_interrupt_is_not_swallowed() -> None:
    """Never raising is about errors: Ctrl-C while an object is read still stops the program."""

    class Slow(UserDict[str, int]):
        def items(self) -> NoReturn:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Sanitizer().value(Slow(a=1))


def test_a_hundred_megabytes_are_not_searched() -> None:
    """A text too long to be stored leaves its size and keyed digest, in less time than any pattern would need."""
    text = "password=hunter2 " * 6_000_000
    before = time.process_time()
    result = Sanitizer(RING).value({"text": text, "data": text.encode()})
    spent = time.process_time() - before
    assert result.value["text"] == {"_cut": True, "_size": len(text), "_digest": RING.digest(text.encode())}
    assert result.value["data"]["_digest"] == RING.digest(text.encode())
    assert spent < 20


def test_without_a_key_a_long_text_leaves_no_digest() -> None:
    """A bare hash of a guessable text would give it away."""
    found = Sanitizer(max_text=10).value({"text": "a" * 11}).value["text"]
    assert found == {"_cut": True, "_size": 11, "_digest": None}


def test_many_items_are_cut() -> None:
    """A million items leave a bounded record."""
    clean = Sanitizer().value(list(range(1_000_000))).value
    assert len(orjson.dumps(clean)) < 2**20
