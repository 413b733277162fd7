"""Span attributes of any instrumentation, and one sanitizer in many threads."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

from otel_tool_audit.redaction import MARK, Redaction, Sanitizer


def test_messages_of_a_model_lose_their_secrets_and_stay_json() -> None:
    """The arguments and messages that GenAI instrumentations put into attributes are read as JSON."""
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.tool.call.arguments": json.dumps({"password": "hunter2", "n": 1}),
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "card 4012888888881881"}]}]),
        "gen_ai.usage.input_tokens": 812,
        "gen_ai.request.max_tokens": 512,
    }
    result = Sanitizer().attributes(attributes)
    assert json.loads(result.value["gen_ai.tool.call.arguments"]) == {"password": MARK, "n": 1}
    assert json.loads(result.value["gen_ai.input.messages"])[0]["parts"][0]["content"] == f"card {MARK}"
    kept = ("gen_ai.operation.name", "gen_ai.usage.input_tokens", "gen_ai.request.max_tokens")
    assert {key: attributes[key] for key in kept} == {key: result.value[key] for key in kept}
    assert Redaction("gen_ai.tool.call.arguments.password", "secret-key", 1) in result.redactions


def test_headers_and_urls_lose_their_credentials() -> None:
    """What HTTP instrumentations capture is covered, in lists as well."""
    clean = (
        Sanitizer()
        .attributes(
            {
                "http.request.header.authorization": ["Bearer zx81zx82zx83"],
                "http.request.header.x-api-key": ("zx81zx82",),
                "http.request.header.cookie": "sid=zx81zx82",
                "url.full": "https://app:hunter2@example.com/x?page=2&access_token=zx81zx82",
                "http.request.header.accept": ["text/html", "application/json"],
            }
        )
        .value
    )
    written = json.dumps(clean)
    assert not any(secret in written for secret in ("zx81", "hunter2"))
    assert clean["http.request.header.accept"] == ["text/html", "application/json"]
    assert clean["url.full"].startswith("https://app:")
    assert "page=2" in clean["url.full"]


def test_a_list_keeps_its_places() -> None:
    """One address among other texts is marked in its place."""
    assert list(Sanitizer().attributes({"to": ["ann@example.com", "the warehouse"]}).value["to"]) == [MARK, "the warehouse"]


def test_what_is_no_attribute_becomes_json_text() -> None:
    """A mapping or a mixed list, which OpenTelemetry would drop, is kept as JSON text."""
    clean = Sanitizer().attributes({"a": {"password": "x", "n": [1]}, "b": [1, "a"]}).value
    assert json.loads(clean["a"]) == {"password": MARK, "n": [1]}
    assert json.loads(clean["b"]) == [1, "a"]


def test_an_attributes_name_can_hold_a_secret() -> None:
    """A name made of data is sanitized like a value."""
    result = Sanitizer().attributes({"user ann@example.com": 1})
    assert "ann@example.com" not in repr(result)


def test_one_sanitizer_serves_many_threads() -> None:
    """No state of one call leaks into another."""
    sanitizer = Sanitizer()
    values = [{"n": n, "password": f"p{n}", "mail": f"user{n}@example.com", "note": f"item {n}"} for n in range(400)]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda value: sanitizer.value(value, "arguments"), values))
    assert [{"n": n, "password": MARK, "mail": MARK, "note": f"item {n}"} for n in range(400)] == [r.value for r in results]
    assert {2} == {len(r.redactions) for r in results}
