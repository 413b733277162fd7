"""
The names of span attributes, and how a call is told in them.

None of these conventions has a stable Python package, so all names stand here, with the version they follow. Stable names come
first, then GenAI's, then those of OpenTelemetry's audit draft, and ``tool_audit.*`` for what has no upstream name.

Source: OpenTelemetry semantic conventions 1.38 (general, ``gen_ai.*``); OTEP "Audit logging" (draft, ``audit.*``);
OpenInference semantic conventions; ARCHITECTURE.md, R24.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from otel_tool_audit.record.model import UNKNOWN, Receipt, ToolCall

VERSION: Final = "1.38.0"
"""The version of the semantic conventions that the stable and GenAI names were taken from."""

SCHEMA_URL: Final = f"https://opentelemetry.io/schemas/{VERSION}"

USER_ID: Final = "user.id"
USER_ROLES: Final = "user.roles"
CLIENT_ADDRESS: Final = "client.address"
USER_AGENT: Final = "user_agent.original"
ERROR_TYPE: Final = "error.type"
EXCEPTION_EVENT: Final = "exception"
EXCEPTION_TYPE: Final = "exception.type"
EXCEPTION_MESSAGE: Final = "exception.message"
EXCEPTION_STACKTRACE: Final = "exception.stacktrace"

OPERATION: Final = "gen_ai.operation.name"
EXECUTE_TOOL: Final = "execute_tool"
TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
TOOL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
TOOL_RESULT: Final = "gen_ai.tool.call.result"
CONVERSATION: Final = "gen_ai.conversation.id"
AGENT: Final = "gen_ai.agent.name"
MODEL: Final = "gen_ai.request.model"

RECORD_ID: Final = "audit.record.id"
ACTOR_ID: Final = "audit.actor.id"
ACTOR_TYPE: Final = "audit.actor.type"
ACTION: Final = "audit.action"
OUTCOME: Final = "audit.outcome"
TARGET_ID: Final = "audit.target.id"
TARGET_TYPE: Final = "audit.target.type"
SEQUENCE: Final = "audit.sequence.number"
PREVIOUS_HASH: Final = "audit.sequence.previous_hash"
STREAM: Final = "audit.sequence.stream_id"

HASH: Final = "tool_audit.hash"
TRIGGER: Final = "tool_audit.trigger"
TURN: Final = "tool_audit.turn"
PURPOSE: Final = "tool_audit.purpose"
SUBJECT: Final = "tool_audit.subject"
ATTEMPT: Final = "tool_audit.attempt"
RETRY_OF: Final = "tool_audit.retry_of"
WAITS_FOR: Final = "tool_audit.waits_for.kind"
WAIT_REASON: Final = "tool_audit.waits_for.reason"
DENIAL_RULE: Final = "tool_audit.denial.rule"
DENIAL_REASON: Final = "tool_audit.denial.reason"
DENIED_BY: Final = "tool_audit.denial.by"
CONTINUES: Final = "tool_audit.continues"
REDACTIONS: Final = "tool_audit.redactions"

RETRY: Final = ((ATTEMPT, "attempt"), (RETRY_OF, "retry_of"))
"""Attributes of a retry, and the record's fields."""

TOOL_ERROR: Final = "tool_error"
"""``error.type`` of a call whose result told of an error, as MCP's conventions call it."""

_OPTIONAL: Final = (
    (TOOL_CALL_ID, "tool_call_id"), (AGENT, "agent"), (TRIGGER, "trigger"), (TURN, "turn_number"), (PURPOSE, "purpose"), (SUBJECT, "subject"), *RETRY,
)  # fmt: skip


def identity(call: ToolCall) -> dict[str, Any]:
    """
    Tell who calls what, why and for whom.

    Args:
        call: Sanitized; only what is known becomes an attribute.
    """
    told: dict[str, Any] = {OPERATION: EXECUTE_TOOL, TOOL_NAME: call["tool_name"], ACTION: EXECUTE_TOOL}
    told[TARGET_TYPE], told[TARGET_ID] = "tool", call["tool_name"]
    if call["user_id"] != UNKNOWN:
        told[USER_ID] = told[ACTOR_ID] = call["user_id"]
        told[ACTOR_TYPE] = "system" if call["trigger"] == "system" else "user"
    if call["user_role"] is not None:
        told[USER_ROLES] = (call["user_role"],)
    if call["conversation_id"] != UNKNOWN:
        told[CONVERSATION] = call["conversation_id"]
    if call["model"] != UNKNOWN:
        told[MODEL] = call["model"]
    fields: Mapping[str, Any] = call
    for attribute, name in _OPTIONAL:
        value = fields[name]
        if value is not None:
            told[attribute] = value
    for attribute, key in ((CLIENT_ADDRESS, "client_ip"), (USER_AGENT, "user_agent")):
        value = call["session_metadata"].get(key)
        if isinstance(value, str):
            told[attribute] = value
    return told


def redactions(call: ToolCall) -> tuple[str, ...]:
    """Tell what was removed, as ``path (rule)``."""
    return tuple(
        f"{entry['path']} ({entry['rule']})" if entry["path"] else f"{entry['count']} {entry['rule'].strip('…')}" for entry in call["redactions"]
    )


def stamp(call: ToolCall, receipt: Receipt | None, trail_id: str) -> dict[str, Any]:
    """
    Tell what came of a call, and where its record stands.

    Args:
        call: The finished or observed call.
        receipt: Of its record; None when that is lost.
        trail_id: 32 hex digits.
    """
    told: dict[str, Any] = {RECORD_ID: call["call_id"]}
    if call["success"] is not None:
        told[OUTCOME] = "success" if call["success"] else "failure"
    if call["success"] is False:
        told[ERROR_TYPE] = call["error_type"] or TOOL_ERROR
    told.update(_neither(call))
    if call["redactions"]:
        told[REDACTIONS] = redactions(call)
    if receipt is not None:
        told[SEQUENCE] = receipt.seq
        told[PREVIOUS_HASH] = receipt.previous_hash
        told[STREAM] = f"{trail_id}/{receipt.chain}"
        told[HASH] = receipt.hash
    return told


def _neither(call: ToolCall) -> dict[str, Any]:
    """Tell of a call that neither succeeded nor failed what it waits for, or who said no; and of any which one it goes on with."""
    waits_for, denial = call.get("waits_for"), call.get("denial")
    told: dict[str, Any] = {OUTCOME: call.get("outcome"), CONTINUES: call.get("continues")}
    if waits_for is not None:
        told |= {WAITS_FOR: waits_for["kind"], WAIT_REASON: waits_for["reason"]}
    if denial is not None:
        told |= {DENIAL_RULE: denial["rule"], DENIAL_REASON: denial["reason"], DENIED_BY: denial["by"]}
    return {name: value for name, value in told.items() if value is not None}


def openinference(call: ToolCall, arguments: str) -> dict[str, Any]:
    """
    Tell a call in OpenInference's names too, so that Phoenix and the like render it.

    Args:
        call: The finished call; its result is told by its summary.
        arguments: Sanitized, as JSON.
    """
    told = {"openinference.span.kind": "TOOL", "tool.name": call["tool_name"], "input.value": arguments, "input.mime_type": "application/json"}
    if call["result_summary"] is not None:
        told["output.value"] = orjson.dumps(call["result_summary"]).decode()
        told["output.mime_type"] = "application/json"
    if call["conversation_id"] != UNKNOWN:
        told["session.id"] = call["conversation_id"]
    return told
