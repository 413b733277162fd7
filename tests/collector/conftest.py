"""An agent's Collector and a gateway, as an operator runs them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures import Starter
from otlp import spans_in
from running import Program, wait_for

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="module")
def gateway(module_starter: Starter) -> Program:
    """One for all tests of a file; they tell their spans apart by number."""
    return module_starter.gateway()


@pytest.fixture(scope="module")
def agent(module_starter: Starter, gateway: Program) -> Program:
    return module_starter.agent(gateway=gateway)


@pytest.fixture(scope="module")
def kept(gateway: Program) -> Callable[..., dict]:
    """Wait until the audit file has spans with these numbers or ids, and give them by id."""

    def wait(*numbers: int | bytes) -> dict:
        wanted = {(n + 1).to_bytes(8, "big") if isinstance(n, int) else n for n in numbers}
        found: dict = {}

        def there() -> bool:
            found.update((s.span_id, s) for s in spans_in(Path(gateway.environment["GATEWAY_AUDIT_DIRECTORY"])))
            return wanted <= found.keys()

        wait_for(there, lambda: f"{wanted - found.keys()} did not arrive; the gateway said:\n{gateway.text()[-3000:]}")
        return {key: found[key] for key in wanted}

    return wait
