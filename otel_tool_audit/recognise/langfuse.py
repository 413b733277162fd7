"""
Langfuse: observations.

Source: Langfuse SDK 3 and 4, ``LangfuseOtelSpanAttributes``.
"""

from __future__ import annotations

from typing import Final

from otel_tool_audit.recognise import convention as c

LANGFUSE: Final = c.Convention(
    "langfuse",
    {
        c.KIND: ("langfuse.observation.type",),
        c.INPUT: ("langfuse.observation.input",),
        c.OUTPUT: ("langfuse.observation.output",),
        c.STATUS: ("langfuse.observation.level",),
        c.ERROR: ("langfuse.observation.status_message",),
        c.USER: ("langfuse.user.id", "langfuse.trace.user_id", "langfuse.propagated.user_id", "langfuse_user_id"),
        c.SESSION: ("langfuse.session.id", "langfuse.trace.session_id", "langfuse.propagated.session_id", "langfuse_session_id"),
        c.MODEL: ("langfuse.observation.model.name",),
        c.METADATA: ("langfuse.observation.metadata", "langfuse.trace.metadata", "langfuse.propagated.metadata"),
    },
)
