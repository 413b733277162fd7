"""
OpenTelemetry's GenAI conventions, and what was used before they had a name for it.

Source: OpenTelemetry semantic conventions 1.38, "Execute tool span" and registry ``gen_ai``, ``user``, ``enduser``, ``client``.
"""

from __future__ import annotations

from typing import Final

from otel_tool_audit.recognise import convention as c

GEN_AI: Final = c.Convention(
    "gen_ai",
    {
        c.KIND: ("gen_ai.operation.name", "gen_ai.span.kind"),
        c.NAME: ("gen_ai.tool.name",),
        c.CALL_ID: ("gen_ai.tool.call.id", "gen_ai.tool.call_id"),
        c.ARGUMENTS: ("gen_ai.tool.call.arguments", "gen_ai.tool.arguments", "gen_ai.tool.input", "gen_ai.tool.args", "gen_ai.tool.parameters"),
        c.INPUT: ("gen_ai.input.messages", "gen_ai.task.input"),
        c.RESULT: ("gen_ai.tool.call.result", "gen_ai.tool.result", "gen_ai.tool.output", "gen_ai.tool.response"),
        c.OUTPUT: ("gen_ai.output.messages", "gen_ai.task.output"),
        c.STATUS: ("gen_ai.tool.status", "gen_ai.task.status", "gen_ai.tool.call.status"),
        c.FAILED: ("gen_ai.tool.is_error", "gen_ai.tool.error"),
        c.ERROR: ("error.message", "exception.message", "gen_ai.tool.error.message"),
        c.ERROR_TYPE: ("error.type", "exception.type"),
        c.USER: ("user.id", "enduser.id", "gen_ai.user.id", "enduser.pseudo.id"),
        c.ROLE: ("user.role", "enduser.role"),
        c.CONVERSATION: ("gen_ai.conversation.id", "gen_ai.thread.id"),
        c.SESSION: ("session.id", "gen_ai.session.id"),
        c.MODEL: ("gen_ai.request.model", "gen_ai.response.model"),
        c.AGENT: ("gen_ai.agent.name",),
        c.CLIENT_IP: ("client.address",),
        c.USER_AGENT: ("user_agent.original",),
    },
)
