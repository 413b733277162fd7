"""Two agents, each a service: a planner hands a task to a clerk in another process, on behalf of its user."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from opentelemetry import context, propagate, trace

import otel_tool_audit as audit


def agent(service: str, trail: str):
    """Start a service's auditing, and give what makes its agents' spans."""
    audit.configure(trail, service_name=service)
    return trace.get_tracer("agents")


def span(tracer, operation: str, name: str):
    return tracer.start_as_current_span(f"{operation} {name}", attributes={"gen_ai.operation.name": operation, "gen_ai.agent.name": name})


def planner(trails: str) -> None:
    tracer = agent("planner", f"{trails}/planner")
    with (
        audit.attribution(user="usr_1", role="customer", model="m", conversation="conv_1", agent="planner", trigger="user_request"),
        span(tracer, "invoke_agent", "planner"),
    ):
        audit.execute_tool("plan", {"goal": "refund"}, lambda goal: {"id": "PLAN-1"})
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        subprocess.run([sys.executable, __file__, "clerk", trails], env={**os.environ, "CARRIER": json.dumps(carrier)}, check=True)
    audit.shutdown()


def clerk(trails: str) -> None:
    tracer = agent("clerk", f"{trails}/clerk")
    context.attach(propagate.extract(json.loads(os.environ["CARRIER"])))
    with span(tracer, "invoke_agent", "clerk"), audit.attribution(agent="clerk"):
        audit.execute_tool("refund", {"order_id": "ORD-1", "token": "t0p-s3cret"}, lambda order_id, token: {"id": "REF-1"})
    audit.shutdown()


if __name__ == "__main__":
    {"planner": planner, "clerk": clerk}[sys.argv[1]](sys.argv[2])
