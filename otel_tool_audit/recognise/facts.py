"""
A span of any instrumentation, read as a tool call.

Pure: attributes in, values out; nothing is sanitized yet.

Source: ARCHITECTURE.md, "Spans of other instrumentations".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from otel_tool_audit.recognise import convention as c
from otel_tool_audit.recognise.answers import answers_in
from otel_tool_audit.recognise.convention import FactMatch
from otel_tool_audit.recognise.kinds import failed_tool, is_answer, is_nameless, is_pseudo, is_wrapper, runs_tools, tool_in
from otel_tool_audit.recognise.outcomes import Event, Halt, ToldFailure, failure_in, halt_in, message_in
from otel_tool_audit.recognise.requests import Request, requests_of
from otel_tool_audit.recognise.results import Result, error_in, result_in, told_error, verdict_on
from otel_tool_audit.recognise.roles import Roles
from otel_tool_audit.recognise.values import arguments_in, plain_text, scalar
from otel_tool_audit.record.outcomes import Failed

_NO_RESULT: Final = Result(None, failed=False)
_NO_VALUES: Final = (None, "")
_FAILED: Final = ToldFailure(None, None)
UNKNOWN_TOOL: Final = "unknown"
_EXCEPTION: Final = "exception"
_SAID: Final = ("content", "message", "body", "arguments", "result")
_ASKING: Final = ("tool.message", "tool.input", "tool.start", "tool_call", "tool.call")
_ANSWERING: Final = ("choice", "tool.output", "tool.end", "tool.result", "tool_result", "tool.response")


class CallFacts(NamedTuple):
    """
    What a span told of a call.

    Attributes:
        tool_name: What was called.
        tool_call_id: The provider's id of the call.
        arguments: A mapping where the names are told; None when nothing was.
        result: Without the envelope it came in.
        has_result: Whether the span told it; a result may be null.
        failure: That it failed, as attributes, events and the result tell; None when none does.
        halt: That it waits, was refused, was cut off, or handed over; it counts more than a failure.
        message: What went wrong in words, whether or not anything says that something did.
        source: The convention that the span follows most.
        answers: Whether it only tells what the tool gave back; the call had a span of its own before.
        nameless: Whether nothing tells which tool it was; inside another tool's span it is a part of that call.
        repeats: The tool whose failed call this span may only tell of again: ``get_order``, of ``get_order_error``.
        alias: What the tool is called where the call is handed over to.
        others: More calls that the same span tells of: it is of a component that runs tools.
    """

    tool_name: str
    tool_call_id: str | None
    arguments: Any
    result: Any
    has_result: bool
    failure: ToldFailure | None
    halt: Halt | None
    message: str | None
    source: str
    answers: bool = False
    nameless: bool = False
    repeats: str | None = None
    alias: str | None = None
    others: tuple[CallFacts, ...] = ()

    @property
    def error_text(self) -> str | None:
        """What the result says went wrong, of a call that is known to have failed."""
        return error_in(self.result)

    @property
    def error(self) -> object | None:
        """The same where it is no text: a mapping, a code."""
        error = told_error(self.result)
        return None if error is True else error


def facts_of(name: str, attributes: Mapping[str, Any], found: FactMatch, events: Sequence[Event], roles: Roles) -> CallFacts | None:
    """
    Read a span that is known to be a tool's.

    Args:
        name: The span's.
        attributes: As the instrumentation set them.
        found: What their names tell.
        events: The span's.
        roles: Judges the names inside events.

    Returns:
        None when it is a pseudo call: several calls merged into a span, a change of agents.
    """
    named = _first_text(found, attributes, c.NAME) or (_name_in_events(events, roles) if events else None)
    request = None if named is not None else _requested(found, attributes, name)
    tool = named or (None if request is None else request.tool) or tool_in(_first_text(found, attributes, c.LABEL) or name) or UNKNOWN_TOOL
    if is_pseudo(tool, named=named is not None) or (named is None and is_pseudo(tool_in(name), named=False)):
        return None
    result = _result(found, attributes, events, roles) or _NO_RESULT
    has_result = result is not _NO_RESULT
    halt = halt_in(found, attributes, events, has_result=has_result and result.value not in _NO_VALUES)
    failure = failure_in(found, attributes) or (_raised(events) if events else None)
    failure, halt = _with_verdict(result, failure, halt)
    call_id = _call_id(found, attributes, events) or result.call_id
    if request is not None:
        call_id, arguments = call_id or request.call_id, request.arguments
    else:
        arguments = _arguments(found, attributes, events, roles, tool)
    late = failed_tool(tool) if arguments is None and result is _NO_RESULT and failure is not None else None
    facts = CallFacts(
        tool,
        call_id,
        arguments,
        result.value,
        has_result,
        failure,
        halt,
        (_exception_message(events) if events else None) or message_in(found, attributes),
        found.source,
        is_answer(name),
        named is None and request is None and is_nameless(tool),
        late,
        _first_text(found, attributes, c.ALIAS),
    )
    return _spread(facts, found, attributes) if named is None and runs_tools(found, attributes) else facts


def _spread(facts: CallFacts, found: FactMatch, attributes: Mapping[str, Any]) -> CallFacts:
    """A component may run several calls at a time: then what it gave back says of each what came of it."""
    given = answers_in(attributes[key] for key in found.answering)
    # a history that was handed over is handed back
    before = {(answer.tool, answer.call_id) for answer in answers_in(attributes[key] for key in found.asking)} if len(given) > 1 else set()
    told = {(answer.tool, answer.call_id, repr(answer.arguments)): answer for answer in given}
    calls = []
    for answer in told.values():
        if answer.call_id is None or (answer.tool, answer.call_id) not in before:
            failure, halt = _with_verdict(answer.result, facts.failure, facts.halt)
            calls.append(
                facts._replace(
                    tool_name=answer.tool,
                    tool_call_id=answer.call_id,
                    arguments=answer.arguments,
                    result=answer.result.value,
                    has_result=True,
                    failure=failure,
                    halt=halt,
                    nameless=False,
                )
            )
    return calls[0]._replace(others=tuple(calls[1:])) if calls else facts


def _with_verdict(result: Result, failure: ToldFailure | None, halt: Halt | None) -> tuple[ToldFailure | None, Halt | None]:
    """Join what the result says of its call with what attributes and events say."""
    verdict = verdict_on(result)
    if isinstance(verdict, Failed):
        return failure or _FAILED, halt
    return failure, halt or verdict


def _first_text(found: FactMatch, attributes: Mapping[str, Any], fact: str) -> str | None:
    for key in found.by.get(fact, ()):
        text = scalar(attributes[key])
        if isinstance(text, str):
            return text
    return None


def _name_in_events(events: Sequence[Event], roles: Roles) -> str | None:
    for _, told in events:
        for key in roles.found(told).keys(c.NAME):
            if isinstance(text := scalar(told[key]), str):
                return text
    return None


def _requested(found: FactMatch, attributes: Mapping[str, Any], name: str) -> Request | None:
    """A span around a tool may be named for what wraps it; then the call stands in what went in, with the tool's name."""
    label = tool_in(_first_text(found, attributes, c.LABEL) or name)
    asked = requests_of(attributes[key] for fact in (c.ARGUMENTS, c.INPUT) for key in found.keys(fact))
    if any(request.tool == label for request in asked):
        return next(request for request in asked if request.tool == label)
    if runs_tools(found, attributes):
        return asked[0] if asked else None
    # of several the first: what is asked now stands before the history that some hand over with it
    return asked[0] if asked and (is_wrapper(label) or len({request.tool for request in asked}) == 1) else None


def _call_id(found: FactMatch, attributes: Mapping[str, Any], events: Sequence[Event]) -> str | None:
    for key in found.by.get(c.CALL_ID, ()):
        if (value := scalar(attributes[key])) is not None:
            return str(value)
    for event, told in events:
        if any(word in event for word in _ASKING) and (value := scalar(told.get("id"))) is not None:
            return str(value)
    return None


def _arguments(found: FactMatch, attributes: Mapping[str, Any], events: Sequence[Event], roles: Roles, tool: str) -> Any:  # noqa: ANN401 - whatever the span told
    if found.parts:
        return {part: attributes[key] for part, key in found.parts}
    best: Any = None
    for key in found.asking:
        arguments = arguments_in(attributes[key], tool)
        if type(arguments) is dict or isinstance(arguments, Mapping):
            return arguments
        if best is None:
            best = arguments
    if found.input_parts:
        return {part: attributes[key] for part, key in found.input_parts}
    for value in _in_events(events, roles, (c.ARGUMENTS, c.INPUT), _ASKING) if events else ():
        arguments = arguments_in(value, tool)
        if isinstance(arguments, Mapping):
            return arguments
        if best is None:
            best = arguments
    return best


def _result(found: FactMatch, attributes: Mapping[str, Any], events: Sequence[Event], roles: Roles) -> Result | None:
    for key in found.answering:
        if attributes[key] is not None:
            return result_in(attributes[key])
    for value in _in_events(events, roles, (c.RESULT, c.OUTPUT), _ANSWERING) if events else ():
        return result_in(value)
    return None


def _in_events(events: Sequence[Event], roles: Roles, facts: tuple[str, ...], words: tuple[str, ...]) -> Iterator[Any]:
    """Give what events tell: by the names of their attributes, or because of the event's own name."""
    for event, told in events:
        if event == _EXCEPTION:
            continue
        inner = roles.found(told)
        for fact in facts:
            yield from (told[key] for key in inner.keys(fact))
        if any(word in event for word in words):
            yield from (told[key] for key in _SAID if key in told)


def _raised(events: Sequence[Event]) -> ToldFailure | None:
    for event, told in events:
        if event == _EXCEPTION:
            return ToldFailure(plain_text(told.get("exception.message")), plain_text(told.get("exception.type")))
    return None


def _exception_message(events: Sequence[Event]) -> str | None:
    return next((text for event, told in events if event == _EXCEPTION and (text := plain_text(told.get("exception.message")))), None)
