"""
What all stories have in common: one agent, two tools, one secret, one failure.

    python FRAMEWORK.py DIRECTORY INSTRUMENTATION [gate]

The trail is DIRECTORY/audit, exported spans are lines of DIRECTORY/spans.jsonl, and standard output says which tools' bodies ran.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys

from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

import otel_tool_audit as audit

SECRET = "sk-test-123"
ASKED = [("call_1", "get_order", {"order_id": "ORD-123", "api_key": SECRET}), ("call_2", "cancel_order", {"order_id": "ORD-456"})]
DIRECTORY, INSTRUMENTATION = sys.argv[1], sys.argv[2]
GATE = "gate" in sys.argv[3:]
BROKEN = "broken" in sys.argv[3:]

INSTRUMENTORS = {
    "openinference": "openinference.instrumentation.{}",
    "traceloop": "opentelemetry.instrumentation.{}",
    "genai": "opentelemetry.instrumentation.genai.{}",
    "agents-v2": "opentelemetry.instrumentation.openai_agents",
}
ran: list[str] = []
audited: audit.Audit


def get_order(order_id: str, api_key: str) -> dict[str, str]:
    """
    Look an order up.

    Args:
        order_id: Which.
        api_key: Of the shop.
    """
    ran.append("get_order")
    return {"order_id": order_id, "status": "shipped"}


def cancel_order(order_id: str) -> dict[str, str]:
    """
    Cancel an order.

    Args:
        order_id: Which.
    """
    ran.append("cancel_order")
    message = "Cannot cancel shipped order"
    raise ValueError(message)


if "decorated" in sys.argv[3:]:
    get_order, cancel_order = audit.tool(retention="financial")(get_order), audit.tool(retention="financial")(cancel_order)

turns = iter(range(9))


def answer(request):
    """Stand for a provider of chat completions: ask for one tool after the other."""
    turn = next(turns)
    asked = ASKED[turn] if turn < len(ASKED) else None
    if asked is None and b'"final_answer"' in request.content:
        # smolagents ends by a tool of its own
        asked = ("call_9", "final_answer", {"answer": "done"})
    message = {"role": "assistant", "content": "done"}
    if asked is not None:
        call_id, name, arguments = asked
        call = {"id": call_id, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    completion = {"id": "c", "object": "chat.completion", "created": 0, "model": "stub-model", "choices": [choice], "usage": usage}
    return importlib.import_module("httpx").Response(200, json=completion)


class Lines(SpanExporter):
    """Writes each span as a line."""

    def export(self, spans):
        with open(f"{DIRECTORY}/spans.jsonl", "a", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(json.loads(span.to_json()))}\n" for span in spans)
        return SpanExportResult.SUCCESS


def configured() -> audit.Audit:
    """Configure, before a framework is instrumented."""
    global audited
    audited = audit.configure(f"{DIRECTORY}/audit", forward=SimpleSpanProcessor(Lines()), durability="os")
    return audited


def instrument(framework: str, class_name: str) -> None:
    """Switch the instrumentation on that the command line names."""
    if INSTRUMENTATION in ("none", "native"):
        return
    module = importlib.import_module(INSTRUMENTORS[INSTRUMENTATION].format(framework))
    getattr(module, class_name)().instrument()


@contextlib.contextmanager
def alice():
    """Let alice be the user."""
    with audit.attribution(user="user-alice", role="customer", conversation="conv-789", turn=1, trigger="user_request"):
        yield


def break_the_trail() -> None:
    """From here on nothing can be made durable."""
    audited.trail.close()


def tell(outcome: object) -> None:
    """Say what happened, and end as an application does."""
    audit.shutdown()
    print(json.dumps({"ran": ran, "outcome": str(outcome)}))
    sys.stdout.flush()
    os._exit(0)


def run(story) -> None:
    """Run a story to its end, whatever that is."""
    with alice():
        if BROKEN:
            break_the_trail()
        try:
            outcome = story()
        except BaseException as error:
            outcome = f"{type(error).__name__}: {error}"
            cause = error.__cause__
            while cause is not None:
                outcome += f" < {type(cause).__name__}"
                cause = cause.__cause__
    tell(outcome)
