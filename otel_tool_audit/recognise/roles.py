"""
From an attribute's name to the fact it tells: by the conventions' tables, else by general rules.

The general rules know words, not conventions: ``acme.tool_call.arguments`` tells arguments whoever Acme is. Every name is judged
once, and so is every set of names; looking at a span is then one look into a table.

Source: ARCHITECTURE.md, "Spans of other instrumentations".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from otel_tool_audit.recognise import convention as c
from otel_tool_audit.recognise.convention import GENERAL, NOTHING, Convention, FactMatch, Role
from otel_tool_audit.recognise.gen_ai import GEN_AI
from otel_tool_audit.recognise.langfuse import LANGFUSE
from otel_tool_audit.recognise.mcp import MCP
from otel_tool_audit.recognise.openinference import OPENINFERENCE
from otel_tool_audit.recognise.single_frameworks import SINGLE_FRAMEWORKS
from otel_tool_audit.recognise.traceloop import TRACELOOP

CONVENTIONS: Final[tuple[Convention, ...]] = (GEN_AI, MCP, OPENINFERENCE, TRACELOOP, LANGFUSE, *SINGLE_FRAMEWORKS)
"""In the order in which they are believed."""

_PER_CONVENTION: Final = 100
_GENERAL_RANK: Final = 10_000
_MOST_NAMES: Final = 8_192
"""Names that are remembered; spans with numbers in their attributes' names must not fill the memory."""

_MOST_SETS: Final = 1_024
_LARGEST_SET: Final = 256

_LONGEST_NAME: Final = 200

_NO_CONVERSATION: Final = ("thread.id", "thread.name", "mcp.session.id", "langsmith.trace.session_id", "langsmith.trace.session_name")
"""What looks like a conversation and is a thread of the process, a transport, a project."""

_SPLIT: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[._:\-/ ]+")
_IN_A_LIST: Final = re.compile(r"\.\d+\.")
"""A message of many, a tool of many: that says nothing of the span itself."""

_CONTEXT_SUFFIX: Final = re.compile(r"-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")

# patterns over the words of a name, joined by single dots: "acme.toolCall.argsJSON" is "acme.tool.call.args.json"
_DOT: Final = r"(?:^|(?<!code)(?<!lambda)(?<!cloud)(?<!db)\.)"
"""A function of these is where code lies (``code.function.name`` stands on any span) or runs; it is no tool."""

_TOOL: Final = _DOT + r"(?:tool|function)(?:s?\.(?:call|use|invocation|execution|run|request))?\."
_IN: Final = r"(?:arguments?|args|kwargs|inputs?|parameters?|params)(?:\.(?:json|value|data|str|string|raw))?$"
_OUT: Final = r"(?:results?|outputs?|response|return(?:\.value)?)(?:\.(?:json|value|data|str|string|content|raw))?$"

_VENDOR: Final = r"(?:openai|azure|anthropic|claude|bedrock|gemini|vertex|google|mistral|cohere|groq|ollama|deepseek|litellm|genai|completion)"

_HALT: Final = (
    r"(?:^|\.)(?:deferral|deferred|interrupts?|interrupted|interruption|paused?|suspended|suspension|awaiting|waiting|pending|approval|confirmation|consent|elicitation|hitl)"
    r"(?:\.(?:name|type|kind|reason|status|state|required|requested|needed|pending|id|message|value|decision|result|metadata|question|prompt))?$|"
    r"(?:^|\.)(?:requires?|needs?|awaits?|waits?|awaiting|waiting)\.(?:for\.)?(?:human|user|tool)?\.?(?:approval|confirmation|consent|input|answer|feedback|action|human|user)$"
)
"""What speaks of waiting for somebody, and the words that such a name ends with."""

_RULES: Final[tuple[tuple[str, re.Pattern[str]], ...]] = tuple(
    (fact, re.compile(pattern))
    for fact, pattern in (
        (c.KIND, r"(?:^|\.)(?:span|observation|operation|run|entity|node|step|event|log|component)\.(?:kind|type)$|(?:^|\.)run\.type$"),
        (c.ALIAS, r"(?:^|\.)(?:delegate\.)?original\.(?:tool\.)?name$"),
        (c.NAME, _TOOL + r"name$|(?:^|\.)tool\.(?:tool\.)?name$|(?:^|\.)(?:function\.tool|tool\.function)\.name$"),
        (c.CALL_ID, _TOOL + r"(?:call\.)?id$|(?:^|\.)tool\.(?:use|pair)\.id$"),
        (c.ARGUMENTS, _TOOL + _IN + r"|(?:^|\.)function\.tool\." + _IN),
        (c.RESULT, _TOOL + _OUT + r"|(?:^|\.)function\.tool\." + _OUT),
        (c.HALT, _HALT),
        (c.STATUS, r"(?:^|\.)(?:tool|call|task|run|step|function)(?:\.call)?\.(?:status|state|outcome)$"),
        (c.FAILED, r"(?:^|\.)is\.error$|(?:^|\.)(?:has\.)?error$|(?:^|\.)tool\.(?:call\.)?(?:failed|error)$|(?:^|\.)failed$"),
        (c.SUCCEEDED, r"(?:^|\.)(?:is\.)?success(?:ful)?$|(?:^|\.)succeeded$"),
        (c.ERROR, r"(?:^|\.)(?:error|exception|status)\.(?:message|msg|text|description|details?)$"),
        (c.ERROR_TYPE, r"(?:^|\.)(?:error|exception)\.(?:type|class|code|name)$"),
        (c.USER, r"(?:^|\.)(?:end)?user\.?id$|(?:^|\.)end\.user(?:\.id)?$|(?:^|\.)(?:user|customer)\.identifier$"),
        (c.ROLE, r"(?:^|\.)(?:end)?user\.role$"),
        (c.CONVERSATION, r"(?:^|\.)(?:conversation|thread|chat|dialog(?:ue)?)\.?id(?:entifier)?$"),
        (c.SESSION, r"(?:^|\.)session\.?id(?:entifier)?$"),
        (
            c.MODEL,
            r"(?:^|\.)(?:(?:request|response|llm|chat|ai|gen\.ai)\.model(?:\.(?:name|id))?|model\.(?:name|id))$|(?:^|\.)"
            + _VENDOR
            + r"\.model$|(?:^|\.)ls\.model\.name$|^model$",
        ),
        (c.AGENT, r"(?:^|\.)agent\.name$"),
        (c.AGENT, r"(?:^|\.)(?:agent\.(?:role|node|display\.name)|langgraph\.node)$"),
        (c.METADATA, r"(?:^|\.)(?:metadata|association\.properties)$"),
        (c.INPUT, r"(?:^|\.)" + _IN),
        (c.OUTPUT, r"(?:^|\.)" + _OUT),
        (c.LABEL, _DOT + r"(?:entity|span|node|operation|component|function)\.name$|^name$"),
    )
)
_WHOLE_PREFIX: Final = re.compile(r"^code\.function\.parameters\.(.+)\.value$")
_PART: Final = re.compile(r"^(?:.*[._])?(?:inputs|arguments|args|kwargs)\.([A-Za-z_]\w*)$")
"""One argument of many under a name that no table knows; what holds values under "input" holds their types there, too."""


def _tables() -> Iterator[tuple[str, Role]]:
    for place, convention in enumerate(CONVENTIONS):
        for fact, keys in convention.keys.items():
            for at, key in enumerate(keys):
                yield key, Role(place * _PER_CONVENTION + at, fact, convention.name)


def _joined() -> dict[str, Role]:
    joined: dict[str, Role] = {}
    for key, role in _tables():
        joined.setdefault(key, role)
    return joined


TABLE: Final[Mapping[str, Role]] = _joined()
"""What all conventions say, by attribute."""


class Roles:
    """Remembers what names tell, and what sets of names tell together: spans of one kind have the same names."""

    __slots__ = ("_roles", "_together")

    def __init__(self) -> None:
        """Begin with what the tables say."""
        self._roles: dict[Any, Role | None] = dict(TABLE)
        self._together: dict[tuple[Any, ...], FactMatch] = {}

    def found(self, attributes: Mapping[Any, Any]) -> FactMatch:
        """
        Tell what a span's attributes tell.

        Args:
            attributes: As the instrumentation set them; names that are no text are passed over.
        """
        names = tuple(attributes)
        known = self._together.get(names)
        if known is None:
            known = self._judged(names)
            if len(self._together) >= _MOST_SETS:
                self._together.clear()
            if len(names) <= _LARGEST_SET:
                self._together[names] = known
        return known

    def _judged(self, names: tuple[Any, ...]) -> FactMatch:
        roles = self._roles
        if len(roles) >= _MOST_NAMES:
            self._roles = roles = dict(TABLE)
        telling = []
        for name in names:
            if name not in roles:
                roles[name] = role_of(name) if isinstance(name, str) else None
            role = roles[name]
            if role is not None:
                telling.append((role, name))
        return FactMatch(telling) if telling else NOTHING


def role_of(name: str) -> Role | None:
    """
    Judge one name.

    Args:
        name: Of an attribute, an entry of baggage, or a context value.

    Returns:
        None when it tells nothing.
    """
    known = TABLE.get(name)
    if known is not None:
        return known
    if len(name) > _LONGEST_NAME or name in _NO_CONVERSATION or _IN_A_LIST.search(name):
        return None
    part = _WHOLE_PREFIX.match(name)
    if part:
        return Role(_GENERAL_RANK, c.ARGUMENTS, GENERAL, part.group(1))
    base = _CONTEXT_SUFFIX.sub("", name)
    if base != name and base in TABLE:
        return TABLE[base]
    spelt = ".".join(word for word in _SPLIT.split(base.replace("_", ".")) if word).lower()
    for at, (fact, pattern) in enumerate(_RULES):
        if pattern.search(spelt) and not (fact in c.TOOL_SIGNS and "metadata." in spelt):
            return Role(_GENERAL_RANK + at * _PER_CONVENTION + min(len(name), _PER_CONVENTION - 1), fact, GENERAL)
    return _part(name)


def _part(name: str) -> Role | None:
    """An attribute that holds one argument of many: ``acme.tool.arguments.order_id``."""
    head, dot, _ = name.rpartition(".")
    while dot:
        role = TABLE.get(head)
        if role is not None:
            return Role(_GENERAL_RANK, c.ARGUMENTS, role.convention, name[len(head) + 1 :]) if role.fact == c.ARGUMENTS else None
        head, dot, _ = head.rpartition(".")
    part = _PART.match(name)
    # an input is no sign of a tool
    return None if part is None else Role(_GENERAL_RANK, c.INPUT, GENERAL, part.group(1))
