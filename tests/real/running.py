"""Real programs as children: each with its own log file, loopback ports and environment, ended by its process id."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

PATIENCE = 120
"""Seconds after which something never happens; a busy machine takes its time."""


class Program:
    """
    A program that runs, or ran.

    Attributes:
        log: The file with everything it says.
        ports: By what they are for.
    """

    def __init__(
        self, command: list[str], log: Path, environment: Mapping[str, str], ports: Mapping[str, int], ready: Callable[[Program], bool]
    ) -> None:
        """Say what to run; :meth:`start` runs it."""
        self.command = command
        self.log = log
        self.environment = dict(environment)
        self.ports = dict(ports)
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None
        self._from = 0

    def start(self) -> Program:
        """Run it and wait until it is ready."""
        self.launch()
        wait_for(lambda: self._ready(self) or not self.alive, self._said)
        if not self.alive:
            raise RuntimeError(self._said())
        return self

    def launch(self) -> None:
        """Run it and don't wait."""
        assert not self.alive, f"{self.command[0]} runs already"
        self._from = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={"PATH": os.environ["PATH"], **self.environment}
            )

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def stop(self, patience: float = 20) -> int:
        """End it in order, and if that takes too long at once."""
        if self._process is None:
            return 0
        if self.alive:
            self._process.send_signal(signal.SIGTERM)
            try:
                return self._process.wait(patience)
            except subprocess.TimeoutExpired:
                self._process.kill()
        return self._process.wait()

    def kill(self) -> None:
        """End it as a crash would: kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def text(self) -> str:
        """Give what it said since it was started last."""
        with self.log.open("rb") as log:
            log.seek(self._from)
            return log.read().decode(errors="replace")

    def get(self, port: str, path: str = "/") -> str:
        """Ask one of its HTTP ports."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{self.ports[port]}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    def address(self, port: str) -> str:
        """Give ``127.0.0.1:port``."""
        return f"127.0.0.1:{self.ports[port]}"

    def _said(self) -> str:
        return f"{' '.join(self.command)} is not up; it said:\n{self.text()[-4000:]}"


def wait_for(condition: Callable[[], bool], complaint: Callable[[], str] | str) -> None:
    """Wait until something holds, as long as that takes on a busy machine; raise when it never does."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(complaint if isinstance(complaint, str) else complaint())
        time.sleep(0.05)


def free_ports(*names: str) -> dict[str, int]:
    """
    Find a free loopback port for each name.

    They lie below the range that outgoing connections use, so that a program which is killed finds its port again.
    """
    found: dict[str, int] = {}
    while len(found) < len(names):
        port = random.randrange(10_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found.values():
            found[names[len(found)]] = port
    return found
