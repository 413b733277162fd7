"""Whose span an agent's span is, where no attribute of it names the agent."""

from __future__ import annotations

import pytest

from otel_tool_audit.recognise.kinds import agent_in, names_agent

NAMES = {
    "invoke_agent support": "support", "agent_run [order_agent]": "order_agent", "support.agent": "support", "support.run": "support", "support.continue_run": "support", "order_agent": "order_agent",
    "CodeAgent.run": "CodeAgent", "create_agent billing": "billing", "agent: support": "support", "Agent run support": "support",
}  # fmt: skip
NONE = [
    "invoke_agent",
    "Agent workflow",
    "agent",
    "Agent.run",
    "run",
    "turn",
    "workflow",
    "crew",
    "ai.generateText",
    "FunctionAgent.run",
    "POST /chat",
    "",
]


@pytest.mark.parametrize(("name", "agent"), NAMES.items())
def test_an_agents_span_is_named_for_it(name, agent):
    """However the framework puts what it does around the name."""
    assert agent == agent_in(name)


@pytest.mark.parametrize("name", NONE)
def test_what_an_agent_does_is_not_its_name(name):
    """A word for running, or for agents as such."""
    assert agent_in(name) is None


def test_a_name_alone_may_say_that_it_is_an_agents():
    """Google ADK's spans have no attribute that does."""
    assert names_agent("agent_run [order_agent]")
    assert not names_agent("agents.py")
    assert not names_agent("chat gpt-4.1")
