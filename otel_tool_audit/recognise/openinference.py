"""
OpenInference.

``tool.parameters`` is the arguments in some instrumentations and their JSON schema in others, so ``input.value`` comes first.

Source: OpenInference semantic conventions, "Tool", "Session and user", "LLM".
"""

from __future__ import annotations

from typing import Final

from otel_tool_audit.recognise import convention as c

OPENINFERENCE: Final = c.Convention(
    "openinference",
    {
        c.KIND: ("openinference.span.kind",),
        c.NAME: ("tool.name",),
        c.LABEL: ("graph.node.name",),
        c.CALL_ID: ("tool_call.id", "tool.call_id", "tool.id"),
        c.INPUT: ("input.value",),
        c.SCHEMA: ("tool.parameters",),
        c.OUTPUT: ("output.value",),
        c.STATUS: ("tool.status",),
        c.MODEL: ("llm.model_name",),
        c.AGENT: ("agent.name",),
        c.METADATA: ("metadata",),
    },
)
