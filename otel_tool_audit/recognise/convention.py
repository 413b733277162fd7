"""
What a convention is here: a table of attribute names, by the fact that each tells.

Conventions overlap, and an instrumentation follows several of them, each only partly. So no code asks *which* convention a span
follows: all tables are joined into one (:mod:`~otel_tool_audit.recognise.roles`), and every attribute counts for the fact it tells.

The tables are in the modules beside: ``gen_ai``, ``mcp``, ``openinference``, ``traceloop``, ``langfuse``, and for all other frameworks ``single_frameworks``.

Source: ARCHITECTURE.md, "Spans of other instrumentations".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

KIND: Final = "kind"
"""What a span is: its value says tool, model, agent or something else."""

NAME: Final = "name"
"""What the tool is called; to carry it is a sign of a tool span."""

LABEL: Final = "label"
"""A name that any kind of span carries."""

ALIAS: Final = "alias"
"""What the tool is called where the call is handed over to."""

CALL_ID: Final = "call_id"
"""The provider's id of the call; a sign of a tool span."""

ARGUMENTS: Final = "arguments"
"""Arguments, under a name that only a tool span has."""

INPUT: Final = "input"
"""What went in, of any kind of span."""

SCHEMA: Final = "schema"
"""Arguments in some instrumentations, the description of them in others."""

RESULT: Final = "result"
"""The result, under a name that only a tool span has."""

OUTPUT: Final = "output"
"""What came out, of any kind of span."""

STATUS: Final = "status"
"""A word that says whether it went well."""

FAILED: Final = "failed"
"""A truth value: whether it failed; text is what went wrong."""

SUCCEEDED: Final = "succeeded"
"""A truth value: whether it went well."""

ERROR: Final = "error"
"""What went wrong, in words."""

ERROR_TYPE: Final = "error_type"
"""What kind of error."""

HALT: Final = "halt"
"""That the call waits for somebody, or that somebody was asked: a word, a truth value, or the exception that says so."""

USER: Final = "user"
ROLE: Final = "role"
CONVERSATION: Final = "conversation"
SESSION: Final = "session"
"""A session: the conversation, where nothing names that itself."""

MODEL: Final = "model"
AGENT: Final = "agent"
CLIENT_IP: Final = "client_ip"
USER_AGENT: Final = "user_agent"
METADATA: Final = "metadata"
"""A mapping, often as JSON, that may name user, conversation, agent."""

TOOL_SIGNS: Final = frozenset({NAME, CALL_ID, ARGUMENTS, RESULT})
"""Facts that only a span of a tool tells."""

CALLER_FACTS: Final = frozenset({USER, ROLE, CONVERSATION, SESSION, MODEL, AGENT, CLIENT_IP, USER_AGENT, METADATA})
"""Facts about who called, which any span around the tool's may tell."""


GENERAL: Final = "general"
"""What ``source`` calls the general rules."""


_MODEL_CONVENTIONS: Final = frozenset({"gen_ai", "openinference", "traceloop", "langfuse"})


class Convention(NamedTuple):
    """
    The names of one convention.

    Attributes:
        name: What a record's ``source`` calls it.
        keys: For each fact the attributes that tell it, best first.
    """

    name: str
    keys: Mapping[str, tuple[str, ...]]


class Role(NamedTuple):
    """
    What an attribute tells.

    Attributes:
        rank: The less, the better; among attributes of one fact.
        fact: One of the facts above.
        convention: Whose name it is.
        part: The argument's name, of an attribute that holds only one argument.
    """

    rank: int
    fact: str
    convention: str
    part: str = ""


class FactMatch:
    """
    What the names of a span's attributes tell; the same for every span with the same names.

    Attributes:
        by: For each fact that is told the names of the attributes that tell it, best first.
        source: The convention of the best sign of a tool.
        tells_tool: Whether there is an attribute that only tools have.
        telling: Attributes that tell who called, or may.
        names_model: Whether a convention's own name for a model is among them.
        asking: Attributes that may hold arguments, best first.
        answering: Attributes that may hold the result, best first.
        parts: Arguments that have an attribute each: the argument's name and the attribute's.
        input_parts: The same of what went in, of any kind of span.
        callers: Facts about who called, and the attributes that tell them.
        metadata: Attributes that hold more of these.
    """

    __slots__ = (
        "answering", "asking", "by", "callers", "input_parts", "metadata", "names_model", "parts", "source", "telling", "tells_tool",
    )  # fmt: skip

    def __init__(self, roles: Iterable[tuple[Role, str]]) -> None:
        """
        Sort out what was found.

        Args:
            roles: What each attribute tells, and its name.
        """
        by: dict[str, list[tuple[Role, str]]] = {}
        self.source = GENERAL
        telling = None
        for role, key in sorted(roles):
            by.setdefault(role.fact, []).append((role, key))
            if telling is None and (role.fact == KIND or role.fact in TOOL_SIGNS):
                telling = role.convention
            if self.source == GENERAL:
                self.source = role.convention
        self.source = telling or self.source
        self.by = {fact: tuple(key for _, key in told) for fact, told in by.items()}
        self.tells_tool = not TOOL_SIGNS.isdisjoint(by)
        asking = [pair for fact in (ARGUMENTS, INPUT, SCHEMA) for pair in by.get(fact, ())]
        self.asking = tuple(key for role, key in asking if not role.part)
        self.parts = tuple((role.part, key) for role, key in asking if role.part and role.fact == ARGUMENTS)
        self.input_parts = tuple((role.part, key) for role, key in asking if role.part and role.fact == INPUT)
        self.answering = tuple(key for fact in (RESULT, OUTPUT) for key in self.by.get(fact, ()))
        self.callers = tuple((fact, key) for fact, told in self.by.items() if fact in CALLER_FACTS and fact != METADATA for key in told)
        self.metadata = self.by.get(METADATA, ())
        self.telling = (*(key for _, key in self.callers), *self.metadata)
        self.names_model = MODEL in by and by[MODEL][0][0].convention in _MODEL_CONVENTIONS

    def __bool__(self) -> bool:
        """Whether anything is told."""
        return bool(self.by)

    def keys(self, fact: str) -> tuple[str, ...]:
        """Name the attributes that tell a fact, best first."""
        return self.by.get(fact, ())


NOTHING: Final = FactMatch(())
"""Of a span whose attributes tell nothing."""
