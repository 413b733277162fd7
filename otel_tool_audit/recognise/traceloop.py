"""
OpenLLMetry (Traceloop): entities, and properties that belong to everything inside a workflow.

Source: OpenLLMetry semantic conventions, ``SpanAttributes``.
"""

from __future__ import annotations

from typing import Final

from otel_tool_audit.recognise import convention as c

_PROPERTIES: Final = "traceloop.association.properties."

TRACELOOP: Final = c.Convention(
    "traceloop",
    {
        c.KIND: ("traceloop.span.kind", "llm.request.type"),
        c.LABEL: ("traceloop.entity.name",),
        c.INPUT: ("traceloop.entity.input",),
        c.OUTPUT: ("traceloop.entity.output",),
        c.CONVERSATION: (f"{_PROPERTIES}thread_id", f"{_PROPERTIES}conversation_id", f"{_PROPERTIES}chat_id"),
        c.SESSION: (f"{_PROPERTIES}session_id",),
        c.USER: (f"{_PROPERTIES}user_id",),
        c.AGENT: (f"{_PROPERTIES}lc_agent_name",),
        c.MODEL: ("llm.request.model", "llm.response.model"),
        c.METADATA: ("association_properties",),
    },
)
