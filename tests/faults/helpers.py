"""Starting writers, and comparing what they were promised with what is in the files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from checker import read_trail
from worker import write

REPOSITORY = Path(__file__).parents[2]
_ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join((str(REPOSITORY), str(Path(__file__).parent)))}


def start(**order: Any) -> subprocess.Popen[bytes]:
    """Start a writer in a process of its own; see ``worker.write`` for what it can be told."""
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("worker.py")), json.dumps(order)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_ENVIRONMENT,
    )  # fmt: skip


def spawn(**order: Any) -> tuple[int, int]:
    """Run a writer in a forked child: much quicker to start. Returns its pid and the pipe that it prints to."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.dup2(write_end, 1)
            os.close(read_end)
            os.close(write_end)
            write(**order)
            code = 0
        except BaseException as error:  # noqa: BLE001 - the child must end here, whatever happened
            os.write(1, json.dumps({"error": type(error).__name__, "message": str(error)}).encode() + b"\n")
        finally:
            os._exit(code)
    os.close(write_end)
    return child, read_end


def end(child: int, pipe: int) -> tuple[int, list[Any]]:
    """Wait for a child; its wait status and what it printed."""
    with os.fdopen(pipe, "rb") as file:
        told = parse(file.read())
    return os.waitpid(child, 0)[1], told


def forked(**order: Any) -> tuple[int, list[Any]]:
    """Run a writer in a forked child to its end; its wait status and what it printed."""
    return end(*spawn(**order))


def was_killed(status: int) -> bool:
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def parse(output: bytes) -> list[Any]:
    """What a writer printed, but for a last line that was cut off."""
    return [json.loads(line) for line in output.split(b"\n")[:-1]]


def receipts(told: list[Any]) -> list[tuple[str, str, int, str]]:
    return [tuple(row) for row in told if isinstance(row, list)]


def assert_kept(trail: Path, state: Path, promised: list[tuple[str, str, int, str]]) -> dict[str, list[dict[str, Any]]]:
    """Every acknowledged record stands in the files, once, at its seq, with its hash; the chains follow."""
    chains: dict[str, list[dict[str, Any]]] = read_trail(trail, state)
    for call_id, chain, seq, found in promised:
        record = chains[chain][seq]
        assert (call_id, seq, found) == (record["call_id"], record["seq"], record["hash"])
    return chains
