"""
An agent loop of your own.

A model answers with tool calls: a name, arguments as JSON text, an id. Each goes through `execute_tool()`, which records
the start before the handler runs and the outcome before its result goes back to the model.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import otel_tool_audit as audit

ORDERS = {"ORD-456": {"order_id": "ORD-456", "status": "delivered"}}


def get_order(order_id: str) -> dict[str, Any]:
    return ORDERS[order_id]


def issue_refund(order_id: str, cents: int) -> dict[str, Any]:
    if cents > 10_000:
        return {"error": "refunds above $100 need a human", "order_id": order_id}
    return {"refund_id": "REF-1", "order_id": order_id, "status": "refunded"}


TOOLS: dict[str, Callable[..., Any]] = {"get_order": get_order, "issue_refund": issue_refund}

# what a model's client library would give back, turn by turn
ANSWERS: list[list[dict[str, str]]] = [
    [{"id": "call_1", "name": "get_order", "arguments": '{"order_id": "ORD-456"}'}],
    [{"id": "call_2", "name": "issue_refund", "arguments": '{"order_id": "ORD-456", "cents": 25000}'}],
    [{"id": "call_3", "name": "issue_refund", "arguments": '{"order_id": "ORD-456", "cents": 9900}'}],
    [{"id": "call_4", "name": "get_order", "arguments": '{"order_id": "ORD-000"}'}],
]


def run_agent() -> None:
    with audit.attribution(user="usr_98765", role="support_agent", agent="refunds", model="gpt-4.1", conversation="conv_abc123"):
        for turn, tool_calls in enumerate(ANSWERS, start=1):
            with audit.attribution(turn=turn, trigger="user_request" if turn == 1 else "follow_up"):
                for wanted in tool_calls:
                    answer = audit.execute_tool(
                        wanted["name"],
                        json.loads(wanted["arguments"]),
                        TOOLS[wanted["name"]],
                        tool_call_id=wanted["id"],
                        reraise=False,  # a model can do something with an error; an exception would end the loop
                    )
                    print(f"turn {turn}: the model gets {answer}")


def main(trail: str) -> None:
    with audit.configure(trail, service_name="refund-agent"):
        run_agent()
    print(audit.TrailReader(trail).timeline("conv_abc123"))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "./audit")
