"""What the spans of other instrumentations tell of tool calls: tables of names, one for each convention, and general rules. Pure."""

from __future__ import annotations

from otel_tool_audit.recognise.caller import CallerSource, ToldCaller, caller_in
from otel_tool_audit.recognise.facts import CallFacts, facts_of
from otel_tool_audit.recognise.kinds import SpanRole, agent_in, kind_of
from otel_tool_audit.recognise.outcomes import Event
from otel_tool_audit.recognise.requests import Request, may_hold, requests_in
from otel_tool_audit.recognise.roles import Roles

__all__ = [
    "CallFacts",
    "CallerSource",
    "Event",
    "Request",
    "Roles",
    "SpanRole",
    "ToldCaller",
    "agent_in",
    "caller_in",
    "facts_of",
    "kind_of",
    "may_hold",
    "requests_in",
]
