"""What `--json` prints is described: a schema for every command that has it, which holds for good, broken and empty answers alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
import schemas
from made_calls import Printed, call, record
from typer.main import get_command

from otel_tool_audit.cli.app import VERBS
from otel_tool_audit.trail.trail import Trail

jsonschema = pytest.importorskip("jsonschema")
Command = Callable[..., Printed]
SHARED = {"common", *schemas.LINES.values()}


def having_json() -> set[str]:
    """Name every command with the option, as the schemas are named."""
    found = set()
    for name, verb in VERBS.items():
        made = getattr(import_module(f"otel_tool_audit.cli.{verb.module}"), name)
        commands = {f"{name}-{below}": made for below, made in get_command(made).commands.items()} if name == "report" else {name: made}
        for called, one in commands.items():
            options = {option for parameter in one.params for option in parameter.opts} if name == "report" else _options(one)
            if "--json" in options:
                found |= {called, *(f"{called}-{option}" for option in ("check", "scan") if f"--{option}" in options)}
    return found


def _options(function: Callable[..., None]) -> set[str]:
    from typer import Typer  # noqa: PLC0415 - as the command makes it

    app = Typer()
    app.command()(function)
    return {option for parameter in get_command(app).params for option in parameter.opts}


def test_every_command_with_json_has_a_schema_and_no_other() -> None:
    """A command that learns to print JSON learns to say what, and a schema goes when its command does."""
    assert {path.stem for path in schemas.SCHEMAS.glob("*.json")} == having_json() | SHARED


@pytest.mark.parametrize("path", sorted(schemas.SCHEMAS.glob("*.json")), ids=lambda path: path.stem)
def test_each_is_a_schema_whose_references_lead_somewhere(path: Path) -> None:
    """Of JSON Schema 2020-12; whoever takes the files elsewhere needs nothing from the network."""
    read = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(read)
    assert "https://json-schema.org/draft/2020-12/schema" == read["$schema"]
    for reference in _references(read):
        file, _, place = reference.partition("#/")
        found = json.loads((path.parent / file).read_text(encoding="utf-8")) if file else read
        for part in place.split("/"):
            found = found[part]


def _references(schema: object) -> list[str]:
    if isinstance(schema, list):
        return [found for part in schema for found in _references(part)]
    if not isinstance(schema, dict):
        return []
    own = [str(schema["$ref"])] if "$ref" in schema else []
    return own + [found for part in schema.values() for found in _references(part)]


@pytest.fixture
def patients(tmp_path: Path, state: Path) -> Path:
    """Calls that succeeded, failed and never ended, of a subject, in two chains."""
    path = tmp_path / "patients"
    with Trail.open(path, service="shop") as opened:
        record(opened, call(1, subject="P-1", purpose="treatment", retention_class="healthcare"))
        record(opened, call(2, tool_name="issue_refund"), success=False, error="too late", error_type="RefundError")
        opened.append("tool_call.started", call(3))
    return path


@pytest.mark.parametrize("trail", ["good", "broken", "without state"])
def test_every_command_prints_what_its_schema_says(command: Command, patients: Path, state: Path, tmp_path: Path, trail: str) -> None:
    """Each is run; the fixture that runs it holds what it printed against the schema, and here that it printed something."""
    pytest.importorskip("duckdb")
    given, spans = tmp_path / "given", tmp_path / "spans.jsonl"
    spans.touch()
    assert 0 == command("export", patients, "--format", "jsonl", "-o", given).code
    if trail == "broken":
        segment = next((patients / "general").glob("*.jsonl"))
        segment.write_bytes(segment.read_bytes().replace(b"too late", b"too earl"))
    elif trail == "without state":
        state.rename(tmp_path / "elsewhere")
    commands: dict[str, tuple[object, ...]] = {
        "verify": ("verify", patients, "--deep"), "calls": ("calls", patients, "--limit", 1), "tail": ("tail", patients),
        "timeline": ("timeline", patients, "conv_1"), "show": ("show", patients, f"{1:032x}"), "stats": ("stats", patients, "--every", "hour"),
        "sql": ("sql", patients, "SELECT tool_name, COUNT(*) FROM calls GROUP BY 1"), "export": ("export", patients, "-o", tmp_path / "more"),
        "export-check": ("export", patients, "--check", given), "reconcile": ("reconcile", patients, "--otlp-file", spans),
        "sanitize": ("sanitize", '{"password": "hunter2", "note": [1, 2.5, null]}'), "doctor": ("doctor", patients),
        "sanitize-scan": ("sanitize", "--scan", patients),
        "report-access": ("report", "access", patients, "--subject", "P-1"), "report-activity": ("report", "activity", patients),
        "report-conversation": ("report", "conversation", patients, "--conversation", "conv_1"),
    }  # fmt: skip
    assert having_json() == commands.keys()
    for name, arguments in commands.items():
        printed = command(*arguments, "--json")
        assert json.loads(printed.out), name
    for address in ("trail/0", "general/0"):
        assert json.loads(command("show", patients, address, "--json").out)
    for verb in schemas.LINES:
        lines = command(verb, patients, *(["conv_1"] if verb == "timeline" else []), "--format", "jsonl").out.splitlines()
        assert all(map(json.loads, lines))


def test_what_a_schema_does_not_say_is_noticed(command: Command, patients: Path) -> None:
    """A key that is missing, one that nobody described, and one of another kind."""
    printed = json.loads(command("calls", patients, "--json").out)
    for change in ({"next": 7}, {"more": 1}, {"calls": [printed["calls"][0] | {"status": "fine"}]}, {"calls": [{}]}, {"trail": None}):
        with pytest.raises(AssertionError, match=r"calls\.json"):
            schemas.check(["calls", "--json"], json.dumps(printed | change))
    with pytest.raises(AssertionError, match=r"call\.json"):
        schemas.check(["tail", "--format", "jsonl"], json.dumps(printed["calls"][0] | {"seq": "1"}))
