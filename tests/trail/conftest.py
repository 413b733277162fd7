"""How these tests find their helpers, and the usual trail of a test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_tool_audit.trail.trail import Trail

for _place in (Path(__file__).parent, Path(__file__).parents[1] / "faults"):
    if str(_place) not in sys.path:
        sys.path.insert(0, str(_place))


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Trail]]:
    """Open the test's trail, with the test's state; closed at the end, if it can be."""
    made: list[Trail] = []

    def open_trail(**options: Any) -> Trail:
        where = {"path": tmp_path / "trail", "state": tmp_path / "state", **options}
        trail = Trail.open(**where)
        made.append(trail)
        return trail

    yield open_trail
    for trail in made:
        trail.close()
