"""Presidio as a recognizer, as the sanitizer's page shows it, and detect-secrets: run in the environment that has both; lines come on standard input."""

from __future__ import annotations

import json
import logging
import sys
import tempfile

import spacy
from detect_secrets import SecretsCollection
from detect_secrets.settings import default_settings
from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import SpacyNlpEngine

from otel_tool_audit.redaction.sanitizer import Sanitizer

logging.disable(logging.CRITICAL)
engine = SpacyNlpEngine()
engine.nlp = {"en": spacy.blank("en")}
analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])


def find_presidio(text: str) -> list[tuple[int, int]]:
    return [(found.start, found.end) for found in analyzer.analyze(text, language="en") if found.score >= 0.4]


find_presidio("warm")
lines = json.load(sys.stdin)
sanitizer = Sanitizer(recognizers=[find_presidio])
with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file, default_settings():
    file.write("\n".join(line.replace("\n", " ").replace("\r", " ") for line in lines) + "\n")
    file.flush()
    collection = SecretsCollection()
    collection.scan_file(file.name)
    secrets: dict[int, list[str]] = {}
    for _, found in collection:
        secrets.setdefault(found.line_number - 1, []).append(found.secret_value or "")
told = [
    {
        "sanitized": sanitizer.text(line).value,
        "presidio": [line[start:end] for start, end in find_presidio(line)],
        "detect-secrets": secrets.get(at, []),
    }
    for at, line in enumerate(lines)
]
json.dump(told, sys.stdout)
