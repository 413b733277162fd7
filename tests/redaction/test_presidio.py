"""Microsoft Presidio as a recognizer, in an environment of its own, with its pattern rules and a blank model."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from environments import interpreter

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).parent / "presidio_find.py"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_presidio_is_a_recognizer() -> None:
    """What its patterns find and ours do not goes, too; clean text stays."""
    lines = ["bitcoin to 1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2 please", "the parcel arrived"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [interpreter("presidio"), SCRIPT], input=json.dumps(lines), env=environment, capture_output=True, text=True, check=True, timeout=300
    )
    crypto, clean = json.loads(done.stdout)
    assert "bitcoin to ***REDACTED*** please" == crypto["sanitized"]
    assert "the parcel arrived" == clean["sanitized"]
