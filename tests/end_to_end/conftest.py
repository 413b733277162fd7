"""A Jaeger with what leads to it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from running import Program

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "review"))

from jaeger_api import Chain


@pytest.fixture
def chain(run_jaeger: Callable[..., Program], run_gateway: Callable[..., Program], run_agent: Callable[..., Program]) -> Chain:
    jaeger = run_jaeger()
    gateway = run_gateway(jaeger=jaeger)
    return Chain(run_agent(gateway=gateway), gateway, jaeger)
