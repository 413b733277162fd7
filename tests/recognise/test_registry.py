"""OpenTelemetry's own attributes: none of them makes a tool's span but those that are about tools."""

from __future__ import annotations

import importlib
import pkgutil

import pytest
from opentelemetry.semconv._incubating import attributes as registry

from otel_tool_audit.recognise import Roles, SpanRole, kind_of

ROLES = Roles()


def registered():
    """Give every attribute of the semantic conventions, as the installed version knows them."""
    for module in pkgutil.iter_modules(registry.__path__):
        found = vars(importlib.import_module(f"{registry.__name__}.{module.name}"))
        yield from (value for name, value in found.items() if name.isupper() and isinstance(value, str))


def is_tool(name, attributes):
    return kind_of(ROLES.found(attributes), attributes, name) is SpanRole.TOOL


def test_of_all_registered_attributes_only_those_of_tools_make_a_tools_span():
    """What any instrumentation may put on any span (where code lies, which function a cloud runs) tells of no tool."""
    telling = {attribute for attribute in registered() if is_tool("GET /orders", {attribute: "x"})}
    assert {attribute for attribute in telling if attribute.startswith("gen_ai.tool.")} == telling
    assert "gen_ai.tool.name" in telling


@pytest.mark.parametrize("name", ["fastapi.endpoint", "fastapi.dependencies", "fastapi.background_task", "fastapi.serialization"])
def test_a_web_frameworks_spans_are_no_tools(name):
    """FastAPI names the function that each of its spans runs."""
    assert not is_tool(name, {"code.function.name": "shop.get_order", "code.file.path": "shop.py", "code.line.number": 7})


@pytest.mark.parametrize("attribute", ["code.function.name", "aws.lambda.function.name", "cloud.function.name", "db.function.name"])
def test_a_function_elsewhere_is_no_tool(attribute):
    """A function's name says where code lies or runs."""
    assert not is_tool("run", {attribute: "get_order"})
    assert is_tool("run", {"function.name": "get_order"})
