"""
A real framework: pydantic-ai makes spans of its tool calls by itself, and these become records.

Nothing is changed in the tools. The model is pydantic-ai's own test model, which calls every tool once.
"""

from __future__ import annotations

import sys

from pydantic_ai import Agent, InstrumentationSettings
from pydantic_ai.models.test import TestModel

import otel_tool_audit as audit

agent = Agent(TestModel(), name="support", instructions="Help customers with their orders.")


@agent.tool_plain
def get_order(order_id: str) -> dict[str, str]:
    """Look an order up."""
    return {"order_id": order_id, "status": "shipped"}


@agent.tool_plain
def issue_refund(order_id: str, cents: int) -> dict[str, str]:
    """Refund an order."""
    return {"refund_id": "REF-1", "order_id": order_id}


def main(trail: str) -> None:
    with audit.configure(trail, service_name="support") as audited:
        Agent.instrument_all(InstrumentationSettings(tracer_provider=audited.provider))
        with audit.attribution(user="usr_98765", role="customer", model="test", conversation="conv_abc123", turn=1, trigger="user_request"):
            print(agent.run_sync("Where is ORD-1? If it is lost, refund it.").output)
    for call in audit.TrailReader(trail).calls():
        print(f"{call['tool_name']}: {call['status']}, {call['arguments']}, by {call['user_id']} through {call['agent']}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "./audit")
