"""What the spans of other instrumentations tell of tool calls: tables of names, one for each convention, and general rules. Pure."""

from __future__ import annotations

from otel_tool_audit.recognise.caller import Place, Told, caller_in
from otel_tool_audit.recognise.facts import Event, Facts, facts_of
from otel_tool_audit.recognise.kinds import Kind, kind_of
from otel_tool_audit.recognise.requests import Request, may_hold, requests_in
from otel_tool_audit.recognise.roles import Roles

__all__ = ["Event", "Facts", "Kind", "Place", "Request", "Roles", "Told", "caller_in", "facts_of", "kind_of", "may_hold", "requests_in"]
