"""A trail in a directory of its own for each test."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from making import Made


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path / "trail", tmp_path / "state")
