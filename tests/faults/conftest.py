"""Where these tests lie, and how they find their helpers: test directories are no packages."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

_MEMORY = "/dev/shm"


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """
    A directory in memory where there is one: thousands of syncs then cost no disk.

    A killed process and an injected error are the same on any file system; what only a power loss shows is tested on the simulated disk.
    """
    if not os.access(_MEMORY, os.W_OK) or os.environ.get("AUDIT_TESTS_ON_DISK"):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=_MEMORY, prefix="otel-tool-audit-test-") as made:
        yield Path(made)


@pytest.fixture(scope="module")
def quick_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """As :func:`tmp_path`, for what several tests share."""
    if not os.access(_MEMORY, os.W_OK) or os.environ.get("AUDIT_TESTS_ON_DISK"):
        yield tmp_path_factory.mktemp("shared")
        return
    with tempfile.TemporaryDirectory(dir=_MEMORY, prefix="otel-tool-audit-test-") as made:
        yield Path(made)
