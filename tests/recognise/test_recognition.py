"""What a span tells of a call, whatever instrumentation made it."""

from __future__ import annotations

import enum
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spelling import ARGUMENTS, AS_JSON, NO_TOOLS, TOLD

from otel_tool_audit.recognise import CallerSource, Roles, SpanRole, caller_in, facts_of, kind_of, requests_in
from otel_tool_audit.recognise import convention as c
from otel_tool_audit.recognise.caller import CONTEXT, OWN
from otel_tool_audit.recognise.results import telling
from otel_tool_audit.recognise.roles import TABLE, role_of
from otel_tool_audit.recognise.values import arguments_in

ROLES = Roles()


def kind(name, attributes):
    return kind_of(ROLES.found(attributes), attributes, name)


def facts(name, attributes, events=()):
    return facts_of(name, attributes, ROLES.found(attributes), events, ROLES)


@pytest.mark.parametrize("told", TOLD.values(), ids=TOLD)
def test_a_call_is_the_same_however_it_is_spelt(told):
    """The tool and its arguments come out the same."""
    name, attributes = told
    assert kind(name, attributes) is SpanRole.TOOL
    found = facts(name, attributes)
    assert "get_order" == found.tool_name
    assert "ORD-1" == found.arguments["order_id"]
    assert found.arguments.items() <= ARGUMENTS.items()
    assert found.tool_call_id in {None, "c1"}
    assert found.failure is None


@pytest.mark.parametrize("told", NO_TOOLS.values(), ids=NO_TOOLS)
def test_what_is_no_tool_is_not_taken_for_one(told):
    """Models, agents, chains, requests and queries speak of tools, too."""
    assert kind(*told) is not SpanRole.TOOL


@given(st.sampled_from(list(TOLD.values())), st.data())
def test_a_part_is_recognised_while_any_sign_of_a_tool_is_left(told, data):
    """Facts may be missing; the rest is still read."""
    _, attributes = told
    kept = data.draw(st.dictionaries(st.sampled_from(list(attributes)), st.none()))
    left = {key: value for key, value in attributes.items() if key in kept}
    signs = [key for key in left if (role := role_of(key)) is not None and role.fact in {*c.TOOL_SIGNS}]
    kinds = [key for key in left if (role := role_of(key)) is not None and role.fact == c.KIND and kind("x", {key: left[key]}) is SpanRole.TOOL]
    denied = any(role_of(key).fact == c.KIND and kind("x", {key: left[key]}) is SpanRole.GENERIC for key in left if role_of(key)) and len(signs) < 2
    if (signs and not denied) or kinds:
        assert kind("x", left) is SpanRole.TOOL
        assert facts("x", left) is not None


PREFIXES = st.sampled_from(["", "acme", "gen_ai", "my.agent", "Vendor", "x_y"])
PLACES = {
    "name": ("tool.name", "tool_call.name"),
    "arguments": ("tool.arguments", "tool_call.args", "tool.input", "tool_call.parameters"),
    "id": ("tool_call.id", "tool.call.id"),
    "result": ("tool.result", "tool_call.output"),
}
OTHERS = (
    "llm",
    "LLM",
    "chat",
    "generation",
    "inference.framework",
    "retriever",
    "RETRIEVER",
    "embedding",
    "EMBEDDING",
    "rerank",
    "guardrail",
    "agent",
    "invoke_agent",
    "agentic.turn",
    "workflow",
    "evaluator",
    "prompt",
)


def spelt(draw, words):
    """The words of a name, joined as one instrumentation or another would."""
    separator = draw(st.sampled_from([".", "_", "-", ":", "/"]))
    parts = [part for part in words.replace("_", ".").split(".") if part]
    if draw(st.booleans()):
        return parts[0] + "".join(part.capitalize() for part in parts[1:])
    return separator.join(draw(st.sampled_from([str.lower, str.capitalize]))(part) for part in parts)


@given(st.data())
def test_known_words_are_recognised_however_they_are_joined(data):
    """Any prefix, separator and case, each attribute in another: tool, arguments and id come out, and the result is found."""
    told = {"name": "get_order", "arguments": AS_JSON, "id": "c1", "result": '{"status": "shipped"}'}
    attributes = {}
    for place, value in told.items():
        prefix, name = data.draw(PREFIXES), spelt(data.draw, data.draw(st.sampled_from(PLACES[place])))
        attributes[f"{prefix}.{name}" if prefix else name] = value
    assert kind("step", attributes) is SpanRole.TOOL
    found = facts("step", attributes)
    assert ("get_order", "c1", ARGUMENTS, {"status": "shipped"}) == (found.tool_name, found.tool_call_id, found.arguments, found.result)


@given(
    st.sampled_from(OTHERS),
    st.sampled_from(["span.kind", "span.type", "observation.type", "operation.type", "run_type", "node.kind"]),
    PREFIXES,
    st.data(),
)
def test_what_says_that_it_is_something_else_is_never_a_call(said, words, prefix, data):
    """Whatever else stands on it: models, retrievers, embeddings and agents speak of tools, too."""
    attributes = {f"{prefix}.{spelt(data.draw, words)}" if prefix else words: said}
    names = sorted(name for names in PLACES.values() for name in names)
    attributes |= dict.fromkeys(data.draw(st.lists(st.sampled_from(names), max_size=4)), "get_order")
    attributes |= data.draw(
        st.dictionaries(st.sampled_from(["input.value", "output.value", "gen_ai.request.model", "tags"]), st.just(AS_JSON), max_size=3)
    )
    assert kind(data.draw(st.sampled_from(["get_order", "execute_tool get_order", "x"])), attributes) is not SpanRole.TOOL


@pytest.mark.parametrize("state", ["error", "failed"])
def test_a_result_says_what_became_of_it_beside_its_parts(state):
    """A message with a state; a tool's own result may have one, too, and is left alone."""
    message = {"content": [{"type": "text", "text": "it broke", "created_at": "now"}], "state": state, "id": "c1"}
    found = facts("t", {"gen_ai.tool.name": "t", "gen_ai.tool.call.result": json.dumps(message)})
    assert (True, "it broke") == (found.failure is not None, found.error_text)
    assert facts("t", {"gen_ai.tool.name": "t", "gen_ai.tool.call.result": json.dumps({"state": state, "city": "x"})}).failure is None


def test_a_component_that_runs_several_tells_of_each():
    """What came of it, too; what stands in the history that was handed over was told before."""

    def result(name, call_id, failed):
        return {
            "tool_call_result": {
                "result": f"of {call_id}",
                "origin": {"tool_name": name, "arguments": {"id": call_id}, "id": call_id},
                "error": failed,
            }
        }

    told = {
        "haystack.component.name": "desk", "haystack.component.type": "ToolInvoker",
        "haystack.component.input": json.dumps({"messages": [], "state": [result("a", "c0", False)]}),
        "haystack.component.output": json.dumps({"tool_messages": [{"content": [result("a", "c1", False)]}, {"content": [result("b", "c2", True)]}], "state": [result("a", "c0", False)]}),
    }  # fmt: skip
    found = facts("haystack.component.run", told)
    calls = [(each.tool_name, each.arguments, each.result, each.failure is not None) for each in (found, *found.others)]
    assert [("a", {"id": "c1"}, "of c1", False), ("b", {"id": "c2"}, "of c2", True)] == calls


class Name(enum.StrEnum):
    TOOL = "execute_tool"


class Text(str):
    __slots__ = ()


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.sampled_from(
        [Name.TOOL, Text("x"), object(), "{'a': 1", '{"a": ', "[" * 500, "(" * 5000, '{"args": 1, "kwargs": 2}', "f(x=1)", "-" * 3000 + "1"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(TABLE)) | st.text(max_size=30), VALUES, max_size=8), st.text(max_size=30))
def test_no_value_of_any_type_breaks_it(attributes, name):
    """Attribute values are what instrumentations put there, not what the specification allows."""
    found = ROLES.found(attributes)
    kind_of(found, attributes, name)
    facts_of(name, attributes, found, [("e", attributes), ("gen_ai.choice", attributes), ("exception", attributes)], ROLES)
    caller_in([CallerSource(OWN, attributes, found), CallerSource(CONTEXT, attributes, found)], ROLES)
    requests_in(attributes, [("gen_ai.choice", attributes)])


@pytest.mark.parametrize("value", ["{oops", '"oops', '{"type": "{oops"}', '"\\"oops"', "{'type': '{'}"])
def test_a_kind_that_only_begins_like_json_is_untold(value):
    """What begins with a brace or a quote and is no JSON ends the reading; it says nothing, and the span is looked at all the same."""
    assert kind("x", {"openinference.span.kind": value}) is SpanRole.UNTOLD


def test_values_that_are_enums_count_as_their_text():
    """Some frameworks set members of enums that are text."""
    assert kind("x", {"gen_ai.operation.name": Name.TOOL}) is SpanRole.TOOL


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.integers() | st.text(max_size=8) | st.booleans() | st.none(), min_size=2, max_size=5))
def test_arguments_come_through_every_notation(arguments):
    """JSON, JSON in JSON, Python's notation, named arguments: what went in comes out."""
    if arguments.keys() & {"args", "kwargs", "input_str", "properties", "function", "call", "request"} or all(map(role_of, arguments)):
        return
    assert arguments == arguments_in(json.dumps(arguments))
    assert arguments == arguments_in(json.dumps(json.dumps(arguments)))
    assert arguments == arguments_in(str(arguments))
    assert arguments == arguments_in(json.dumps({"args": [], "kwargs": arguments}))
    assert arguments == arguments_in(json.dumps({"name": "t", "arguments": arguments}))


def test_python_is_read_and_never_run():
    """A call in the text is text; what is too deep or too long stays as it is."""
    assert {"a": "__import__('os').getcwd()"} == arguments_in("{'a': __import__('os').getcwd()}")
    assert {"when": "datetime.date(2026, 1, 1)"} == arguments_in("{'when': datetime.date(2026, 1, 1)}")
    assert ("[" * 1000) == arguments_in("[" * 1000)
    assert isinstance(arguments_in("{'a': '" + "x" * 40_000 + "'}"), str)


def test_a_schema_is_no_argument():
    """OpenInference's tool.parameters is either; what describes arguments does not stand for them."""
    schema = json.dumps({"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]})
    assert facts("t", {"openinference.span.kind": "TOOL", "tool.parameters": schema}).arguments is None


def test_arguments_and_results_in_events():
    """Strands tells them in events of the tool's own span."""
    events = [
        ("gen_ai.tool.message", {"role": "tool", "content": '{"order_id": "ORD-1"}', "id": "c1"}),
        ("gen_ai.choice", {"message": '[{"text": "{\\"status\\": \\"shipped\\"}"}]', "id": "c1"}),
    ]
    found = facts("execute_tool get_order", {"gen_ai.tool.name": "get_order"}, events)
    assert ({"order_id": "ORD-1"}, "c1", {"status": "shipped"}) == (found.arguments, found.tool_call_id, found.result)


def test_a_name_that_stands_only_in_an_event():
    """Of the tool's own span."""
    events = [("tool.start", {"tool.name": "get_order", "arguments": '{"order_id": "ORD-1"}'})]
    found = facts("work", {"acme.span.kind": "tool"}, events)
    assert ("get_order", {"order_id": "ORD-1"}) == (found.tool_name, found.arguments)


FAILURES = {
    "error.type": {"error.type": "ValueError"},
    "tool status": {"gen_ai.tool.status": "error"},
    "task status": {"gen_ai.task.status": "failure"},
    "level": {"langfuse.observation.level": "ERROR"},
    "truth value": {"acme.tool.is_error": True},
    "text for true": {"haystack.tool.error": "True"},
    "no success": {"acme.tool.success": False},
    "mcp result": {"output.value": '{"content": [{"type": "text", "text": "no"}], "isError": true}'},
    "traceloop result": {"traceloop.entity.output": '{"result": "no", "is_error": true}'},
    "tool message": {"output.value": '{"type": "tool", "data": {"content": "no", "status": "error", "tool_call_id": "c1"}}'},
    "python text": {"output.value": "content='no' name='t' tool_call_id='c1' status='error'"},
    "text given to the model": {"output.value": "Error executing tool t: no"},
    "an exception's text": {"output.value": "ValueError('no')"},
    "llama-index": {"output.value": json.dumps({"tool_name": "t", "tool_output": {"raw_output": "no", "is_error": True}})},
    "bedrock result": {"output.value": '{"toolResult": {"toolUseId": "c1", "status": "error", "content": [{"text": "no"}]}}'},
}


@pytest.mark.parametrize("signs", FAILURES.values(), ids=FAILURES)
def test_failure_shows_in_many_ways(signs):
    """Status is one of them."""
    assert facts("t", {"gen_ai.tool.name": "t", **signs}).failure is not None


@pytest.mark.parametrize(
    "signs",
    [
        {"gen_ai.tool.status": "success"},
        {"langfuse.observation.level": "DEFAULT"},
        {"acme.tool.is_error": False},
        {"error": "false"},
        {"acme.tool.success": True},
        {"output.value": "Errors: none found"},
        {"output.value": "The error was mended"},
        {"output.value": '{"status": "error", "message": "a tool\'s own words"}'},
        {"output.value": '{"content": [{"type": "text", "text": "fine"}], "isError": false}'},
    ],
)
def test_success_is_not_taken_for_failure(signs):
    """Nor is a tool's own result, which may speak of errors."""
    assert facts("t", {"gen_ai.tool.name": "t", **signs}).failure is None


@pytest.mark.parametrize(
    ("messages", "chosen"),
    [
        (("it broke", "other"), "it broke"),
        (("Error running tool (non-fatal)", "Error: it broke"), "Error: it broke"),
        (("ToolRetryError: ", "it broke"), "it broke"),
        (("Tool Error", None, "", "it broke"), "it broke"),
        (("Error running tool: {'error': 'it broke'}", "An error occurred."), "Error running tool: {'error': 'it broke'}"),
        (("An error occurred.", "tool failed"), "An error occurred."),
        ((None, ""), None),
    ],
)
def test_the_message_that_tells_most_is_chosen(messages, chosen):
    """A status often says only that there was an error, and the result which."""
    assert chosen == telling(messages)


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("execute_tool (merged)", {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "(merged tools)"}),
        ("handoff to billing", {"openinference.span.kind": "TOOL"}),
        ("handoff", {"openinference.span.kind": "TOOL", "input.value": "x"}),
    ],
)
def test_pseudo_calls_are_no_calls(name, attributes):
    """Several calls merged into a span, a change of agents."""
    assert facts(name, attributes) is None


def test_a_tool_that_hands_over_is_a_tool():
    """Where an attribute names it, it was called."""
    assert "handoff_to_billing" == facts("x", {"gen_ai.tool.name": "handoff_to_billing"}).tool_name


def caller(own=(), context=(), **more):
    places = [CallerSource(name, values, ROLES.found(values)) for name, values in {OWN: dict(own), CONTEXT: dict(context), **more}.items()]
    return {name: answer.value for name, answer in caller_in(places, ROLES).items()}


def test_the_conversation_counts_more_than_a_session():
    """Also where the session is named nearer."""
    assert "c" == caller({"session.id": "s"}, ancestor={"gen_ai.conversation.id": "c"})["conversation"]
    assert "c" == caller({"session.id": "s", "metadata": '{"thread_id": "c", "session_id": "m"}'})["conversation"]


def test_what_only_repeats_the_context_counts_as_context():
    """The call's own metadata says more."""
    assert "b" == caller({"user.id": "a", "metadata": '{"user_id": "b"}'}, {"user.id": "a"})["user"]
    assert "a" == caller({"user.id": "a", "metadata": '{"user_id": "b"}'}, {"user.id": "z"})["user"]


def test_an_id_that_was_made_up_gives_way_to_one_in_the_context():
    """Not to any other place, and not to another made-up one."""
    made_up = "01a20794-9ba5-77e6-8474-6ba098b69ffd"
    assert "c" == caller({"gen_ai.conversation.id": made_up}, {"session.id": "c"})["conversation"]
    assert made_up == caller({"gen_ai.conversation.id": made_up}, ancestor={"session.id": "c"})["conversation"]
    assert made_up == caller({"gen_ai.conversation.id": made_up}, {"session.id": made_up.replace("0", "1")})["conversation"]


@pytest.mark.parametrize(
    ("values", "field", "value"),
    [
        ({"langfuse.propagated.user_id": "u"}, "user", "u"),
        ({"association_properties": {"user_id": "u", "session_id": "s"}}, "user", "u"),
        ({"association_properties": {"user_id": "u", "session_id": "s"}}, "conversation", "s"),
        ({"opentelemetry.util.genai.conversation_id-93d7f6b6-8c7e-4550-8267-a927412a82bc": "c"}, "conversation", "c"),
        ({"ai.telemetry.metadata.userId": "u"}, "user", "u"),
        ({"enduser.id": "u"}, "user", "u"),
        ({"acme.user_id": 5}, "user", 5),
        ({"acme.threadId": "t"}, "conversation", "t"),
        ({"acme.customer_params.customer_identifier": "u"}, "user", "u"),
        ({"acme.threads.thread_identifier": "t"}, "conversation", "t"),
        ({"acme.sessions.session_identifier": "s"}, "conversation", "s"),
    ],
)
def test_callers_are_named_in_many_ways(values, field, value):
    """In context values as in attributes."""
    assert value == caller(context=values)[field]


@pytest.mark.parametrize("name", ["thread.id", "mcp.session.id", "langsmith.trace.session_id", "jsonrpc.request.id", "gen_ai.agent.id"])
def test_other_ids_are_no_conversation(name):
    """A thread of the process, a transport's session, a project."""
    assert "conversation" not in caller({name: "x"})


REQUESTS = {
    "gen_ai": {
        "gen_ai.output.messages": json.dumps(
            [{"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "t", "arguments": {"a": 1}}]}]
        )
    },
    "openinference": {
        "llm.output_messages.0.message.tool_calls.0.tool_call.id": "c1",
        "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "t",
        "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"a": 1}',
    },
    "traceloop": {
        "gen_ai.completion.0.tool_calls.0.id": "c1",
        "gen_ai.completion.0.tool_calls.0.name": "t",
        "gen_ai.completion.0.tool_calls.0.arguments": '{"a": 1}',
    },
    "openai": {
        "output.value": json.dumps(
            {"choices": [{"message": {"tool_calls": [{"id": "c1", "type": "function", "function": {"name": "t", "arguments": '{"a": 1}'}}]}}]}
        )
    },
    "anthropic": {"output.value": json.dumps({"content": [{"type": "tool_use", "id": "c1", "name": "t", "input": {"a": 1}}]})},
    "bedrock": {"output.value": json.dumps([{"toolUse": {"toolUseId": "c1", "name": "t", "input": {"a": 1}}}])},
    "vercel": {"ai.response.toolCalls": json.dumps([{"toolCallId": "c1", "toolName": "t", "args": '{"a": 1}'}])},
}


@pytest.mark.parametrize("attributes", REQUESTS.values(), ids=REQUESTS)
def test_what_a_model_asked_for_is_read_from_its_span(attributes):
    """Name, arguments and id, in each provider's form; told twice it is one request."""
    assert [("t", {"a": 1}, "c1")] == [tuple(r) for r in requests_in(attributes)]


def test_a_message_in_the_kinds_place_is_the_message():
    """What has a blank in it is no kind of error."""
    failure = facts("t", {"gen_ai.tool.name": "t", "error.type": "it broke"}).failure
    assert ("it broke", None) == (failure.message, failure.type)


def test_a_class_name_hides_no_message():
    """A result may name the error and tell it beside."""
    assert "it broke" == facts("t", {"gen_ai.tool.name": "t", "output.value": '{"error": "RuntimeError", "details": "it broke"}'}).error_text


def test_descriptions_of_tools_are_no_requests():
    """A model's span lists what it may call."""
    listed = json.dumps([{"type": "function", "function": {"name": "t", "parameters": {"type": "object", "properties": {"a": {}}}}}])
    assert [] == requests_in({"output.tools": listed})


def test_names_with_numbers_do_not_fill_the_memory():
    """What was judged is forgotten when it becomes too much."""
    roles = Roles()
    for n in range(30_000):
        roles.found({f"x.{n}.y": 1})
    assert len(roles._roles) <= 8_200
    assert len(roles._together) <= 1_024
    assert SpanRole.TOOL is kind_of(roles.found({"gen_ai.tool.name": "t"}), {"gen_ai.tool.name": "t"}, "x")
