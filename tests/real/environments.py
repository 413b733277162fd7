"""
Make the environments that have agent frameworks in them: ``python3 tests/real/environments.py`` prints where they are.

They come to hundreds of megabytes each, and pin what this package does not; so they are installed apart from it, once, under the
user's cache directory by the hash of their pins. An environment counts when it has been completed; a lock lets one process make it
while others wait.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PINS = {name: ROOT / ".ci" / "constraints" / f"{name}.txt" for name in ("frameworks", "mcp1", "presidio", "workers")}
"""
The second has the MCP SDK's version 1, which no environment can have beside version 2; the third has other sanitizers; the fourth Celery alone,
which is small.
"""

PATIENCE = 900
"""Seconds that one installation may take; with packages at hand it takes one minute."""


class EnvironmentMissing(Exception):
    """It cannot be made here; the text says why."""


def python_of(name: str) -> Path:
    """
    Give the interpreter of an environment, made if it is not there yet.

    Raises:
        EnvironmentMissing: It cannot be installed.
    """
    pins = PINS[name].read_bytes()
    key = hashlib.sha256(sys.version.encode() + pins).hexdigest()[:24]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "otel-tool-audit" / "environments"
    home = cache / f"{name}-{key}"
    complete = home / "complete"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{name}-{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            # whoever died here left no mark, so nobody has used what there is
            shutil.rmtree(home, ignore_errors=True)
            _install(home, PINS[name])
            complete.touch()
    return home / "bin" / "python"


def interpreter(name: str) -> Path:
    """Give the interpreter of an environment to a test; skip where it cannot be had, fail in CI."""
    import pytest  # noqa: PLC0415 - not there when environments are made

    try:
        return python_of(name)
    except EnvironmentMissing as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error).splitlines()[0])


def _install(home: Path, pins: Path) -> None:
    for command in (
        [sys.executable, "-m", "venv", home],
        [home / "bin" / "python", "-m", "pip", "install", "-q", "--no-deps", "--disable-pip-version-check", "-r", pins],
    ):
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", check=False, timeout=PATIENCE)
        except subprocess.TimeoutExpired as error:
            raise EnvironmentMissing(f"installing {pins} took more than {PATIENCE} s") from error
        if done.returncode:
            raise EnvironmentMissing(f"{pins} cannot be installed:\n{done.stdout[-4000:]}")


def main() -> int:
    """Make all of them and print where they are."""
    for name in PINS:
        try:
            print(name, python_of(name), flush=True)
        except EnvironmentMissing as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
