"""What a framework fills in for a tool is no argument of it."""

from __future__ import annotations

import re
from typing import Annotated, Any

import pytest

from otel_tool_audit.capture.arguments import binder


def made_in(module, name):
    """A class as a framework has it."""
    return type(name, (), {"__module__": module})


RunContext = made_in("pydantic_ai.tools", "RunContext")
RunContextWrapper = made_in("agents.run_context", "RunContextWrapper")
Context = made_in("fastmcp.server.context", "Context")
ToolRuntime = made_in("langgraph.prebuilt.tool_node", "ToolRuntime")
RunnableConfig = made_in("langchain_core.runnables.config", "RunnableConfig")
InjectedState = made_in("langgraph.prebuilt.tool_node", "InjectedState")
OrderContext = made_in("shop.orders", "OrderContext")
Runtime = made_in("shop.films", "Runtime")


def function(annotation):
    """A tool whose first parameter is annotated so."""

    def tool(first, order_id):
        pass

    tool.__annotations__ = {"first": annotation}
    return tool


INJECTED = [
    RunContext,
    RunContextWrapper,
    Context,
    ToolRuntime,
    RunnableConfig,
    Context | None,
    Annotated[dict, InjectedState],
    Annotated[str, InjectedState()],
]


def shown(annotation):
    """Name a case the same in every process: without the addresses of objects."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(annotation))


OWN = [OrderContext, Runtime, str, Any, dict[str, int], Annotated[str, "a Context"], OrderContext | None]


@pytest.mark.parametrize("annotation", INJECTED, ids=shown)
@pytest.mark.parametrize(("args", "kwargs"), [(("x", "ORD-1"), {}), (("x",), {"order_id": "ORD-1"}), ((), {"first": "x", "order_id": "ORD-1"})])
def test_what_is_injected_is_hidden(annotation, args, kwargs):
    """By place or by name: contexts, runtimes, configurations, and what is marked as injected."""
    assert {"order_id": "ORD-1"} == binder(function(annotation))(args, kwargs)


@pytest.mark.parametrize("annotation", OWN, ids=shown)
def test_what_the_application_calls_so_is_an_argument(annotation):
    """A class of its own may be called a context, too."""
    assert {"first": "x", "order_id": "ORD-1"} == binder(function(annotation))(("x", "ORD-1"), {})


@pytest.mark.parametrize(
    ("annotation", "hidden"),
    [
        ("RunContext[int]", True),
        ("Annotated[dict, InjectedState]", True),
        ("ToolContext", True),
        ("OrderContext", False),
        ("Runtime", False),
        ("str", False),
    ],
)
def test_annotations_that_are_text_are_looked_up(annotation, hidden):
    """As far as their names are known where the tool is; a framework's own name counts where they are not."""
    assert hidden is ("first" not in binder(function(annotation))(("x", "ORD-1"), {}))


def test_a_call_that_does_not_fit_hides_it_too():
    """The record of a call that will fail shows what the model gave."""
    assert {"args": ["ORD-1", "more"]} == binder(function(RunContext))(("x", "ORD-1", "more"), {})
