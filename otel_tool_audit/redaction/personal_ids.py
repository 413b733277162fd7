"""
Numbers of persons in groups that can be switched on: they go under their own names, and behind their own labels.

Whether a check digit is right is not asked: under its own name a number with a slip in it is somebody's all the same.

Source: ``personal_ids.toml``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

from otel_tool_audit.errors import SettingsError
from otel_tool_audit.redaction.recognizers import Recognizer

ALL: Final = "all"
"""Stands for every group."""

_BETWEEN: Final = r"(?:[ _-]?(?:number|no|nr|num|nummer|id|code|card|#))?(?:[ ]?\([^()\n]{1,24}\))?[\"'*_`]{0,3}\.?[ \t]{0,3}(?:[:#=]|is|was|ist|est|es)?[ \t]{0,3}[\"'*_`]{0,3}"
_DATE: Final = (
    r"[0-3]?[0-9][./ -][0-3]?[0-9][./ -](?:1[89]|20)?[0-9]{2}|(?:1[89]|20)[0-9]{2}[./-][01]?[0-9][./-][0-3]?[0-9]|(?:1[89]|20)[0-9]{6}"
    r"|[0-3]?[0-9](?:st|nd|rd|th|\.)?[ -][^\W\d_]{3,12}\.?,?[ -](?:1[89]|20)[0-9]{2}|[^\W\d_]{3,12}\.?[ -][0-3]?[0-9](?:st|nd|rd|th)?,?[ -](?:1[89]|20)[0-9]{2}"
)


class Group(NamedTuple):
    """
    One kind of number.

    Attributes:
        id: Its name, and the rule's.
        names: Of keys that hold one.
        labels: What stands before one in text, as a pattern.
        value: What one looks like, as a pattern.
    """

    id: str
    names: tuple[str, ...]
    labels: str
    value: str


@cache
def groups() -> dict[str, Group]:
    """Read the table, once."""
    read = tomllib.loads(files("otel_tool_audit.redaction").joinpath("personal_ids.toml").read_text("utf-8"))["group"]
    return {g["id"]: Group(g["id"], tuple(g["names"]), g["labels"], _DATE if g["value"] == "date" else g["value"]) for g in read}


def groups_of(names: Iterable[str]) -> list[Group]:
    """
    Give the groups that a setting names.

    Raises:
        SettingsError: There is no such group.
    """
    wanted = list(names)
    known = groups() if wanted else {}
    if unknown := sorted(set(wanted) - {ALL, *known}):
        raise SettingsError(f"there is no group of personal ids {unknown[0]!r}; groups are: {', '.join(known)}, or {ALL}")
    return list(known.values()) if ALL in wanted else [known[name] for name in known if name in wanted]


class _Labelled(Recognizer):
    """Finds the numbers of one group behind their labels; linear by itself, so no thread has to wait for it."""

    def _found(self, text: str) -> Iterable[tuple[int, int]]:
        return self.find(text)


def labelled(group: Group) -> Recognizer:
    """Make what finds the numbers of a group behind their labels."""
    pattern = re.compile(rf"(?i)(?<![^\W_])(?:{group.labels}){_BETWEEN}(?P<value>{group.value})(?![^\W_])")

    def find(text: str) -> Iterator[tuple[int, int]]:
        return (match.span("value") for match in pattern.finditer(text))

    return _Labelled(group.id, find)
