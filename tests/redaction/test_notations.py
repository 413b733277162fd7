"""A secret is known by its name in whatever notation a span holds it: JSON in JSON, Python's own, both in each other, text around them."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import quote

import pytest

from otel_tool_audit.redaction import Sanitizer

SECRET = "hunter2xyz"
CALL = {"order_id": "O-1", "api_key": SECRET}
AS_JSON = json.dumps(CALL)

NOTATIONS = {
    "json": AS_JSON,
    "json in json": json.dumps({"x": AS_JSON}),
    "json in json in json": json.dumps({"x": json.dumps({"y": AS_JSON})}),
    "python": str(CALL),
    "python, with a quote in it": str({"it's": 1, **CALL}),
    "python in json": json.dumps({"input_str": str(CALL)}),
    "json in python": str({"input": AS_JSON}),
    "python in python": str({"input": str(CALL)}),
    "bytes in python": f"{{'api_key': b'{SECRET}'}}",
    "named arguments": f"get_order(order_id='O-1', api_key='{SECRET}')",
    "an object": f"ToolCall(id='c', name='t', arguments={{'api_key': '{SECRET}', 'o': 1}})",
    "fields of a model": f"order_id='O-1' api_key='{SECRET}'",
    "a wrapped value": f"Args(token=SecretValue('{SECRET}'))",
    "a model's message": json.dumps([{"role": "assistant", "parts": [{"type": "tool_call", "arguments": AS_JSON}]}]),
    "a framework's message": json.dumps({"lc": 1, "kwargs": {"additional_kwargs": {"tool_calls": [{"function": {"arguments": AS_JSON}}]}}}),
    "a message's text": json.dumps({"content": f"AIMessage(tool_calls=[{{'name': 't', 'args': {{'api_key': '{SECRET}'}}}}])"}),
    "arguments and named ones": json.dumps({"args": ["O-1"], "kwargs": CALL}),
    "each argument by name and type": json.dumps({"code.function.parameters.api_key.value": SECRET}),
    "an exception's text": f"ValueError: bad call t(api_key='{SECRET}')",
    "a stack trace": f'  File "x", line 1\n    get_order("O", api_key="{SECRET}")\nValueError: x',
    "text around": f"calling the tool with {AS_JSON} now",
    "escaped": 'called with {\\"api_key\\": \\"' + SECRET + '\\"} ok',
    "cut in the middle": AS_JSON + '{"x": "aaaa',
    "a default in a description": json.dumps({"properties": {"api_key": {"type": "string", "default": SECRET}}}),
}


@pytest.mark.parametrize("text", NOTATIONS.values(), ids=NOTATIONS)
@pytest.mark.parametrize("key", ["input.value", "gen_ai.input.messages", "exception.message", "note"])
def test_a_secret_goes_in_every_notation(key, text):
    """By the name it stands under, not by what it looks like; what stands beside it stays."""
    clean = Sanitizer().attributes({key: text}).value[key]
    assert SECRET[:8] not in repr(clean)
    assert "O-1" not in text or "O-1" in repr(clean)


@pytest.mark.parametrize(
    "key",
    [
        "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments.api_key",
        "tool.parameters.api_key",
        "code.function.parameters.api_key.value",
    ],
)
def test_a_secret_that_is_an_attribute_of_its_own_goes(key):
    """Where each argument has an attribute."""
    assert {key: "***REDACTED***"} == Sanitizer().attributes({key: SECRET}).value


TOLD_BY_LINES = {
    "csv": f"id,name,api_token\n1,Al,{SECRET}\n2,Bo,x\n",
    "quoted csv": f'"user","password"\n"bob","{SECRET}"\n',
    "tabs": f"id\tuser\tpassword\n7\tbob\t{SECRET}\n",
    "a drawn table": f"| Name | API Key | Env |\n|---|---|---|\n| a | `{SECRET}` | prod |",
    "a directive": f"port 6379\nrequirepass {SECRET}\n",
    "the first directive": f"requirepass {SECRET}\nport 6379\n",
    "a manifest": f"apiVersion: v1\nkind: Secret\nstringData:\n  a: {SECRET}\n",
    "a dialogue": f"220 hello\nUSER bob\nPASS {SECRET}\n230 ok",
    "a block": f"db:\n  password: |\n    {SECRET}\n  host: x\n",
}
WRITTEN_OUT: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "python": repr,
    "bytes": lambda text: repr(text.encode()),
    "json": json.dumps,
    "in a dict": lambda text: repr({"code": 0, "out": text}),
    "in an object": lambda text: "got " + json.dumps({"code": 0, "out": text}),
    "json in json": lambda text: "got " + json.dumps(json.dumps({"out": text})),
    "an error": lambda text: f"RuntimeError({text!r})",
    "a url": lambda text: "data=" + quote(text),
    "both signs of a line's end": lambda text: repr({"out": text.replace("\n", "\r\n")}),
}


@pytest.mark.parametrize("written", WRITTEN_OUT)
@pytest.mark.parametrize("kind", TOLD_BY_LINES)
def test_what_lines_tell_is_told_where_line_breaks_are_written_out(kind: str, written: str) -> None:
    """A table in a program's output is one in that output's repr, JSON text and URL, too."""
    assert SECRET not in Sanitizer().text(WRITTEN_OUT[written](TOLD_BY_LINES[kind])).value


@pytest.mark.parametrize(
    "text",
    [r"open('C:\new\token\table.txt')", r"re.split('\n|\t', token_names)", repr({"out": "id,token_count\n1,12345\n"}), r"token \n is a line break"],
)
def test_written_out_line_breaks_make_no_secrets(text: str) -> None:
    """Paths of Windows, patterns, counts and talk stay."""
    assert text == Sanitizer().text(text).value
