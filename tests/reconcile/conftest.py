"""Trails and backends that agree, until a test changes one of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "review"))

from backend import Exported, export


@pytest.fixture
def exported(tmp_path: Path) -> Callable[..., Exported]:
    def make(calls: int = 5, **settings) -> Exported:
        return export(tmp_path / "audit", calls, **settings)

    return make
