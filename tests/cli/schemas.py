"""The JSON that commands print, held against the schemas that the package brings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import otel_tool_audit.cli

LINES = {"calls": "call", "tail": "call", "timeline": "call", "stats": "tool-statistics"}
"""What a line of ``--format jsonl`` is."""

SCHEMAS = Path(otel_tool_audit.cli.__file__).parent / "schemas"


def named(arguments: Sequence[str]) -> str | None:
    """Name the schema of what a command prints with ``--json``; None when it was not asked for JSON."""
    if not {"--json", "json"} & set(arguments) or "-h" in arguments or "--help" in arguments:
        return None
    verb = next(a for a in arguments if not a.startswith("-"))
    if verb == "report":
        return f"report-{arguments[1]}"
    if verb == "sanitize" and "--scan" in arguments:
        return "sanitize-scan"
    return "export-check" if verb == "export" and "--check" in arguments else verb


def check(arguments: Sequence[str], printed: str) -> None:
    """Hold what was printed against its schema, if it is JSON: what is printed must be described, every key of it."""
    name = named(arguments)
    if name is not None and printed:
        _hold(name, json.loads(printed))
    line_schema = LINES.get(arguments[0]) if "jsonl" in arguments else None
    for line in printed.splitlines() if line_schema else ():
        _hold(line_schema, json.loads(line))


def _hold(name: str, value: object) -> None:
    errors = [f"{error.json_path}: {error.message[:300]}" for error in validator(name).iter_errors(value)]
    assert [] == errors, f"{name}.json"


@cache
def validator(name: str) -> Any:
    """Make a schema's validator, which allows no key that the schema does not name."""
    jsonschema, referencing = pytest.importorskip("jsonschema"), pytest.importorskip("referencing")
    read = {path.name: strict(json.loads(path.read_text(encoding="utf-8"))) for path in SCHEMAS.glob("*.json")}
    registry = referencing.Registry().with_resources((file, referencing.Resource.from_contents(schema)) for file, schema in read.items())
    return jsonschema.Draft202012Validator(read[f"{name}.json"], registry=registry)


def strict(schema: Any) -> Any:
    """Close every object that has properties: readers should allow more, and whoever prints more should say so here."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: strict(part) for key, part in schema.items()}
    return closed | {"unevaluatedProperties": False} if "properties" in schema and "required" in schema else closed
