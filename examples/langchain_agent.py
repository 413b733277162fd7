"""
LangChain (and LangGraph, on which its agents run): a tool runs only when its start is on record.

`who=` reads the user of each run from LangChain's own context; the conversation is the graph's thread. The model is a stub.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.tools import tool

import otel_tool_audit as audit
from otel_tool_audit.capture.langchain import AuditMiddleware


@dataclass
class Session:
    """What the application knows of a run."""

    user: str
    role: str


def open_chart(patient_id: str, section: str) -> dict[str, str]:
    """Open a patient's chart."""
    return {"record_id": "REC-7", "section": section, "status": "opened"}


class StubModel(GenericFakeChatModel):
    """Says what it was told to say."""

    def bind_tools(self, *_: object, **__: object) -> StubModel:
        """Know the tools already."""
        return self


ANSWERS = [
    AIMessage(
        "",
        tool_calls=[{"id": "call_1", "name": "open_chart", "args": {"patient_id": "P-10234", "section": "allergies"}}],
        response_metadata={"model_name": "stub-model"},
    ),
    AIMessage("Penicillin."),
]


def main(trail: str) -> None:
    gate = AuditMiddleware(
        who=lambda request: {"user": request.runtime.context.user, "role": request.runtime.context.role},
        about={"open_chart": {"subject": "patient_id", "purpose": "treatment", "retention": "healthcare"}},
    )
    agent = create_agent(StubModel(messages=iter(ANSWERS)), [tool(open_chart)], middleware=[gate], name="ward", context_schema=Session)
    with audit.configure(trail, service_name="clinic"):
        answer = agent.invoke(
            {"messages": [("user", "What is P-10234 allergic to?")]},
            config={"configurable": {"thread_id": "conv_ward3"}},
            context=Session(user="dr_meyer", role="physician"),
        )
        print(answer["messages"][-1].content)
    for call in audit.TrailReader(trail).calls(conversation="conv_ward3"):
        print(f"{call['tool_name']}: {call['status']}, by {call['user_id']} through {call['agent']}, subject {call['subject']}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "./audit")
