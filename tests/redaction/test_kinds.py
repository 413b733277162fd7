"""A mark means that all of it is gone: secrets of every kind in every container, whole and cut, and clean texts of the same kinds."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from clean import CLEAN
from kinds import CONTAINERS, KINDS, LINED, Kind, draw, left_of
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Status, StatusCode

from otel_tool_audit.processor.spans import SpanSanitizer
from otel_tool_audit.redaction import MARK, Sanitizer

SANITIZER = Sanitizer()
TIMES = 3
GROUPS = sorted({kind.name.split()[0] for kind in KINDS})


def of(group: str) -> list[Kind]:
    return [kind for kind in KINDS if kind.name.split()[0] == group]


def missed(group: str, container: str) -> list[tuple[str, Any]]:
    """Draw secrets of all kinds of a group, and list those of which a piece is left."""
    found = []
    for kind in of(group):
        chance = random.Random(f"{kind.name} {container}")
        for _ in range(TIMES):
            secret = draw(chance, kind)
            text = kind.place.replace("§", secret)
            shown = SANITIZER.value(CONTAINERS[container](text)).value
            if left_of(secret, shown, kind.place):
                found.append((text, shown))
    return found


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("group", GROUPS)
def test_no_piece_of_a_secret_is_left(group: str, container: str) -> None:
    """Not six characters of one in a hundred, whatever it is made of and wherever it stands."""
    found = missed(group, container)
    assert len(found) <= 0.01 * TIMES * len(of(group)), found[:3]


@pytest.mark.parametrize("container", ["text", "value", "deep", "json", "json in json", "bytes", "message"])
@pytest.mark.parametrize("kind", LINED, ids=lambda kind: kind.name)
def test_no_piece_is_left_of_one_that_lines_tell(kind: Kind, container: str) -> None:
    """Tables, files' directives, manifests and errors show their secrets by lines; each of them goes."""
    chance = random.Random(f"{kind.name} {container}")
    for _ in range(TIMES):
        secret = draw(chance, kind)
        shown = SANITIZER.value(CONTAINERS[container](kind.place.replace("§", secret))).value
        assert left_of(secret, shown, kind.place) == []


@pytest.mark.parametrize(
    "value",
    [
        {"kty": "RSA", "n": "n0", "d": "Yx81hNw0Zq"},
        {"kind": "Secret", "apiVersion": "v1", "data": {"a": "Yx81hNw0Zq"}},
        {"field": "api_key", "old_value": "Yx81hNw0Zq"},
        {"name": "X-Team-Key", "value": "Yx81hNw0ZqBb72LmTt"},
    ],
)
def test_what_stands_beside_tells(value: dict[str, Any]) -> None:
    """A key's private members, a cluster's secrets and a changed setting go, whatever their own names."""
    assert "Yx81hN" not in json.dumps(SANITIZER.value(value).value)


@pytest.mark.parametrize(
    "text",
    [
        "UPDATE users SET password = $1, token = NULL WHERE id = $2",
        "UPDATE users SET password = crypt(:password, gen_salt('bf')) WHERE id = :id",
        "INSERT INTO users (name, password) VALUES (%s, %s)",
        '<label for="password">Password:</label>',
        'let secret = prompt::password::read_password("Password: ")?;',
        'PASSWORD="${DB_PASSWORD:?must be set}"',
        "password = random_password.db.result",
        "2024-03-15 10:32:00 INFO auth: login ok user=usr_42 method=password",
        'WWW-Authenticate: Bearer realm="api", error="invalid_token"',
        "--- PASS: TestToken (0.00s)",
        "password=*** token=[REDACTED]",
        "api_key=YOUR_API_KEY",
        "Use `Authorization: Bearer <token>` in each request.",
        "id,name,token_count\n1,Al,512",
        "| Field | Type |\n| --- | --- |\n| password | varchar(255) |\n| token | char(64) |",
        "kubectl create configmap c --from-literal=mode=dark",
        "vault login -method=oidc",
        "requests.get(u, auth=(user, password))",
        "{'token': {'anyOf': [{'type': 'string'}, {'type': 'null'}], 'default': None}}",
        "The password was changed to comply with policy",
    ],
)
def test_what_only_speaks_of_a_secret_stays(text: str) -> None:
    """Statements' parameters, prompts, references, test runs, headers' names and tables of other things come back as they were."""
    assert SANITIZER.value(text).value == text


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("mark", ["", "…", "... [truncated]"])
def test_no_piece_is_left_of_one_that_was_cut(group: str, mark: str) -> None:
    """A limit may cut a text anywhere inside a secret: what is left of it goes."""
    found = []
    for kind in of(group):
        chance = random.Random(f"{kind.name} cut{mark}")
        for _ in range(TIMES):
            secret = draw(chance, kind)
            text = kind.place.replace("§", secret)
            at = text.index(secret)
            end = chance.randint(at + 6, at + len(secret))
            shown = SANITIZER.text(text[:end] + mark).value
            if left_of(secret[: end - at], shown, kind.place):
                found.append((text[:end], shown))
    # a word of letters behind an unknown service's name may be a word
    allowed = 0.25 if group == "vendor" else 0.02
    assert len(found) <= max(1, allowed * TIMES * len(of(group))), found[:3]


@pytest.mark.parametrize("container", ["json", "json in json", "printed", "printed in json"])
def test_no_piece_is_left_of_a_container_that_was_cut(container: str) -> None:
    """JSON and Python's own notation, cut anywhere inside a secret, are no longer either, and hide it all the same."""
    found, total = [], 0
    for kind in KINDS:
        chance = random.Random(f"{kind.name} cut {container}")
        secret = draw(chance, kind)
        whole = CONTAINERS[container](kind.place.replace("§", secret))
        at = whole.find(secret)
        if at < 0 or kind.name.startswith("vendor"):
            continue
        total += 1
        end = chance.randint(at + 6, at + len(secret))
        shown = SANITIZER.value(whole[:end]).value
        if left_of(secret[: end - at], shown, kind.place):
            found.append((whole[:end], shown))
    assert len(found) <= 0.02 * total, found[:3]


@pytest.mark.parametrize("kind", [kind for kind in KINDS[::7] if not kind.name.startswith("vendor")], ids=lambda kind: kind.name)
def test_a_secret_is_hidden_wherever_it_recurs(kind: Kind) -> None:
    """Before its name and behind it, in the same text and beside it, though nothing tells of it there."""
    chance = random.Random(kind.name)
    secret = draw(chance, kind)
    text = f"first {secret} then\n{kind.place.replace('§', secret)}\nlast ({secret})."
    value = {"seen": f"saw {secret} here", "text": text, "after": [f"'{secret}'", secret]}
    assert [] == left_of(secret, SANITIZER.value(value).value, kind.place)
    assert [] == left_of(secret, SANITIZER.text(text).value, kind.place)


def span(name: str, attributes: dict[str, Any], event: dict[str, Any], status: str) -> ReadableSpan:
    return ReadableSpan(name, attributes=attributes, events=[Event("exception", event)], status=Status(StatusCode.ERROR, status))


@pytest.mark.parametrize("kind", [kind for kind in KINDS[::11] if not kind.name.startswith("vendor")], ids=lambda kind: kind.name)
@pytest.mark.parametrize("place", ["attribute", "event", "status"])
def test_a_span_hides_it_in_all_its_parts(kind: Kind, place: str) -> None:
    """What one part of a span tells of a secret hides it in all the others."""
    chance = random.Random(f"{kind.name} {place}")
    secret = draw(chance, kind)
    told, bare = kind.place.replace("§", secret), f"got {secret} back"
    texts = {name: told if name == place else bare for name in ("attribute", "event", "status")}
    made = span("work", {"note": texts["attribute"], "list": ["x", bare]}, {"exception.message": texts["event"]}, texts["status"])
    clean = SpanSanitizer(SANITIZER).cleaned(made)
    shown = [dict(clean.attributes or {}), dict(clean.events[0].attributes or {}), clean.status.description]
    assert [] == left_of(secret, shown, kind.place)
    assert MARK in json.dumps(shown)


@pytest.mark.parametrize("group", CLEAN)
def test_clean_traffic_stays(group: str) -> None:
    """At most one of a hundred schemas, lines of code, configurations, sentences and logs is touched; each is read as text and as a value."""
    values = CLEAN[group]
    touched = [(value, found.value) for value in values if (found := SANITIZER.value(value)).redactions]
    assert len(touched) <= 0.01 * len(values), touched[:5]
