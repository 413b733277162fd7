"""
What a span is: a tool's, a model's, an agent's, or something else.

Source: the conventions' lists of kinds and operations; ARCHITECTURE.md, "Spans of other instrumentations".
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from typing import Any, Final

from otel_tool_audit.recognise import convention as c
from otel_tool_audit.recognise.convention import FactMatch
from otel_tool_audit.recognise.values import parsed, plain_text


class SpanRole(enum.Enum):
    """What a span is of."""

    TOOL = "tool"
    MODEL = "model"
    AGENT = "agent"
    PSEUDO = "pseudo"
    OTHER = "other"
    GENERIC = "generic"
    """A piece of work that says nothing of what kind."""

    UNTOLD = "untold"


_TOOL_WORDS: Final = """
    tool executetool toolcall toolscall aitoolcall tooluse calltool invoketool runtool usetool toolexecution toolrun toolinvocation
    executefunction functiontool functioncall mcptool mcptools mcptoolcall toolcalling toolv runningtool toolexecute
    toolinvoker toolnode toolsnode toolexecutor toolcomponent toolresponse toolresult
"""
_MODEL_WORDS: Final = """
    chat llm generation completion completions textcompletion chatcompletion generatecontent generate model chatmodel llmcall response
    aigeneratetextdogenerate aistreamtextdostream aigenerateobjectdogenerate aistreamobjectdostream inference modelinvoke
"""
_AGENT_WORDS: Final = "agent invokeagent agentrun runagent createagent aigeneratetext aistreamtext agentic agentinvoke crew"
_PSEUDO_WORDS: Final = "handoff transfer mergedtools"
_GENERIC_WORDS: Final = "chain task executetask step activity operation node component function runnable"
_OTHER_WORDS: Final = """
    workflow embedding embeddings retriever retrieval reranker rerank guardrail evaluator eval score parser prompt
    invokeworkflow initialize toolslist promptsget promptslist resourcesread resourceslist executeeventloopcycle
    session memory speech transcription listtools evaluation turn
"""
_WORDS: Final[Mapping[str, SpanRole]] = {
    word: kind
    for kind, words in (
        (SpanRole.TOOL, _TOOL_WORDS),
        (SpanRole.MODEL, _MODEL_WORDS),
        (SpanRole.AGENT, _AGENT_WORDS),
        (SpanRole.PSEUDO, _PSEUDO_WORDS),
        (SpanRole.OTHER, _OTHER_WORDS),
        (SpanRole.GENERIC, _GENERIC_WORDS),
    )
    for word in words.split()
}
"""Words in lower case, letters only; a word that stands in no list says nothing."""

_SPELT: Final[Mapping[str, SpanRole]] = {
    "execute_tool": SpanRole.TOOL, "TOOL": SpanRole.TOOL, "chat": SpanRole.MODEL, "LLM": SpanRole.MODEL, "invoke_agent": SpanRole.AGENT,
    "AGENT": SpanRole.AGENT, "CHAIN": SpanRole.GENERIC,
}  # fmt: skip
"""What is told most, as it is spelt."""

_LETTERS: Final = re.compile(r"[^a-z]")
_FAMILY: Final = re.compile(r"^[a-z_]+(?:\.[a-z_]+)+$")
_GENERATOR: Final = re.compile(r"^[A-Z]\w*Generator$")
_RUNNERS: Final = frozenset({"toolinvoker", "toolnode", "toolsnode", "toolexecutor", "toolcomponent"})
"""Kinds of what runs tools, several at a time."""

_LATE_ERROR: Final = re.compile(r"^(?=.{7,200}$)(\S+)[_.]error$")
_TOOL_NAMES: Final = re.compile(
    r"^(?:execute[_ ]tool|running tool|tools?/call|MCP (?:send|request:?|receive|server handle request:?) tools/call|tool[_ ](?:call|use|invocation|execution)|"
    r"call_tool|ai\.toolCall|Function:|[Tt]ool:|tool\.execute|run_tool|invoke_tool|use_tool|tool[_ ](?:response|result|output))"
    r"[ :]+\[?(\S[^\]]*)\]?$"
)
_ANSWERS: Final = re.compile(r"^tool[_ ](?:response|result|output)\b")
_LABELLED: Final = re.compile(r"^(?:function_?)?tools?(?:[.:/ -]+\[?|\[|\()([A-Za-z_][^\]()\[]*)[\])]?$", re.IGNORECASE)
_TOOL_STARTS: Final = frozenset("ertMaFTciu")
"""Letters that those names begin with."""

_TOOL_NAMES_ALONE: Final = frozenset({"haystack.agent.step.tool", "execute_tool", "tools/call", "running tool", "ai.toolCall", "function_tool"})
_MODEL_NAMES_ALONE: Final = frozenset({"haystack.agent.step.llm"})
_MODEL_NAME: Final = re.compile(r"(?:^|[._ /-])(?:chat|llm|completions?|generate(?:[_.]?(?:content|text))?)(?:$|[._ /-])", re.IGNORECASE)
_TOOL_ENDINGS: Final = (
    ".tool", ".tool_call", ".function_tool", ".__call__", ".call", ".acall", ".run", ".arun", ".invoke", ".ainvoke", ".execute", ".forward", " tool", " (tool)",
)  # fmt: skip
_NAMELESS: Final = frozenset({
    "error", "success", "start", "finish", "end", "retry", "run", "arun", "call", "acall", "invoke", "ainvoke", "execute", "function", "tool",
    "_run", "_arun", "__call__", "tool_call", "tool_use", "unknown",
})  # fmt: skip
"""What a span may be named without naming a tool."""
_AGENT_NAMES: Final = re.compile(r"^(?:(?:invoke|run|create|call|execute)[_ ]agent|agent[_ ]?(?:run|step|turn)?)[ :/]+\[?([^\]]+)\]?$", re.IGNORECASE)
_AGENT_STARTS: Final = frozenset("iIrRcCeEaA")
_AGENT_ENDING: Final = re.compile(
    r"\.(?:agent|a?run|a?continue_run|run_(?:sync|stream|async)|a?invoke|a?stream|a?execute|_?execute_(?:core|task)|a?kickoff|a?call|__call__|step|chat)$"
)
_NO_AGENTS: Final = frozenset(
    {
        "run",
        "execute",
        "call",
        "invoke",
        "agentworkflow",
        "agentexecutor",
        "agenttask",
        "assistant",
        "turn",
        "main",
        "root",
        "langgraph",
        "crewai",
        "runner",
        "functionagent",
        "generatetext",
        "streamtext",
    }
)
"""What an agent's span may be named without naming an agent."""

_DELEGATED: Final = re.compile(r"^delegate (\S+)$")
"""FastMCP: a server hands a call over to one that is mounted in it."""

_PSEUDO_STARTS: Final = frozenset("(hH")
_MERGED: Final = re.compile(r"^\(merged(?: tools?)?\)$", re.IGNORECASE)
_HANDOFF: Final = re.compile(r"^handoffs?(?:\b.*|_to_.*)?$", re.IGNORECASE)
_LONGEST: Final = 200
_MOST_PARTS: Final = 8


def kind_of(found: FactMatch, attributes: Mapping[str, Any], name: str) -> SpanRole:
    """
    Tell what a span is.

    Args:
        found: What its attributes tell.
        attributes: The attributes.
        name: The span's.

    Returns:
        ``UNTOLD`` or ``GENERIC`` when nothing tells more.
    """
    told = SpanRole.UNTOLD
    for key in found.by.get(c.KIND, ()):
        kind = _said(attributes[key])
        if kind is SpanRole.GENERIC:
            told = kind
        elif kind is not SpanRole.UNTOLD:
            return kind
    if told is SpanRole.GENERIC:
        # some call every step a task: then a tool's name beside its arguments tells more
        if len(c.TOOL_SIGNS & found.by.keys()) > 1:
            return SpanRole.TOOL
    elif found.tells_tool or name in _TOOL_NAMES_ALONE or (name[:1] in _TOOL_STARTS and _TOOL_NAMES.match(name[:_LONGEST])):
        return SpanRole.TOOL
    if name in _MODEL_NAMES_ALONE or found.names_model or (c.MODEL in found.by and _MODEL_NAME.search(name[:_LONGEST])):
        return SpanRole.MODEL
    return told


def tool_in(name: str) -> str:
    """Give the tool's name that a span's name holds; the span's name where it holds nothing else."""
    shown = name[:_LONGEST].strip()
    match = _TOOL_NAMES.match(shown) or _LABELLED.match(shown) or _DELEGATED.match(shown)
    if match:
        return match.group(1).strip()
    for ending in _TOOL_ENDINGS:
        if shown.endswith(ending) and len(shown) > len(ending):
            return shown.removesuffix(ending)
    return shown


def agent_in(name: str) -> str | None:
    """
    Give the agent that the name, or the label, of an agent's span holds; None when it only says that there is one.

    Args:
        name: Of a span that is known to be an agent's.
    """
    shown = name[:_LONGEST].strip()
    match = _AGENT_NAMES.match(shown)
    found = shown if match is None else next(filter(None, match.groups()))
    while (shorter := _AGENT_ENDING.sub("", found)) not in {found, ""}:
        found = shorter
    word = _LETTERS.sub("", found.lower())
    return None if not word or " " in found or word in _WORDS or word in _NO_AGENTS else found


def names_agent(name: str) -> bool:
    """Tell whether a span's name alone says that it is an agent's, and whose: ``agent_run [support]``."""
    return name[:1] in _AGENT_STARTS and _AGENT_NAMES.match(name[:_LONGEST]) is not None


def is_nameless(tool: str) -> bool:
    """Tell whether a span's name says what happened and not of which tool."""
    return tool.lower() in _NAMELESS


def is_wrapper(name: str) -> bool:
    """Tell whether a span is named for what runs tools, whichever."""
    return _WORDS.get(_LETTERS.sub("", name.lower())) is SpanRole.TOOL or is_nameless(name)


def runs_tools(found: FactMatch, attributes: Mapping[str, Any]) -> bool:
    """Tell whether a span's kind is that of a component which runs tools, of any name and number."""
    for key in found.by.get(c.KIND, ()):
        text = plain_text(attributes[key])
        if text is not None and _LETTERS.sub("", text.lower()) in _RUNNERS:
            return True
    return False


def failed_tool(name: str) -> str | None:
    """Give the tool whose error a span of its own tells, after the call's: ``get_order_error``; None when it tells none."""
    match = _LATE_ERROR.match(name)
    return None if match is None else match.group(1)


def is_answer(name: str) -> bool:
    """Tell whether a span only tells what a tool gave back; the call itself had a span of its own before."""
    return name[:1] == "t" and _ANSWERS.match(name) is not None


def is_pseudo(tool: str, *, named: bool) -> bool:
    """
    Tell whether what is called a tool is none: several calls merged into one span, a change of agents.

    Args:
        tool: What it is called.
        named: Whether an attribute names it; a tool that is really called may have "handoff" in its name.
    """
    if tool[:1] not in _PSEUDO_STARTS:
        return False
    return _MERGED.match(tool) is not None or (not named and _HANDOFF.match(tool) is not None)


def _said(value: object) -> SpanRole:
    text = plain_text(value)
    if text is None or len(text) > _LONGEST:
        return SpanRole.UNTOLD
    known = _SPELT.get(text)
    if known is not None:
        return known
    text = text.strip()
    if text[:1] in {"{", '"'}:
        # MLflow writes each value as JSON; Braintrust's is a mapping with the type in it
        inner = parsed(text)
        if inner != text:
            return _said(inner.get("type") if isinstance(inner, Mapping) else inner)
    first = text.split(" ", 1)[0].lower()
    word = _LETTERS.sub("", first)
    known = _WORDS.get(word) or _by_parts(text.split(" ", 1)[0])
    # a step, a chunk, an inference of a model
    return known or (SpanRole.MODEL if word.startswith(("model", "llm")) else SpanRole.UNTOLD)


def _by_parts(word: str) -> SpanRole | None:
    """A kind with its family before it: ``agentic.tool.invocation``, ``OpenAIChatGenerator``; ``GetTool`` is a method of anything."""
    if _GENERATOR.match(word):
        return SpanRole.MODEL
    if not _FAMILY.match(word):
        return None
    parts = word.replace("_", "").split(".")[:_MOST_PARTS]
    for at in range(1, len(parts)):
        known = _WORDS.get("".join(parts[at:]))
        if known is not None:
            return known
    return _WORDS.get(parts[0])
