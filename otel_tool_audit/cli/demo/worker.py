"""
A worker process that is killed inside a tool call: ``python -m otel_tool_audit.cli.demo.worker TRAIL STATE``.

It writes the line ``inside`` when the tool's body runs, and waits there for its end.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import otel_tool_audit as audit
from otel_tool_audit.cli.demo.script import AGENT, MODEL


@audit.tool
def charge_payment(order_id: str, cents: int) -> dict[str, Any]:
    """Never answer."""
    sys.stdout.write("inside\n")
    sys.stdout.flush()
    time.sleep(60)
    return {"order_id": order_id, "cents": cents}


def main(trail: str, state: str) -> None:
    """Call the tool, as an agent's worker would."""
    audit.configure(trail, state=state, service_name="demo-worker", required=True)
    with audit.attribution(user="usr_dora", role="customer", agent=AGENT, model=MODEL, conversation="conv_dora", turn=1, trigger="user_request"):
        charge_payment("ORD-1005", cents=8900)


if __name__ == "__main__":
    main(*sys.argv[1:])
