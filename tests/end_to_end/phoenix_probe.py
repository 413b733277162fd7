"""
Run a Phoenix, send it the demo, print what it has of that: ``phoenix_probe.py PYTHON DIRECTORY``, in a network namespace of its own.

Phoenix' gRPC port listens on every interface whatever its settings say, so it must not run where others could reach it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ADDRESS = "http://127.0.0.1:6006"
PATIENCE = 150


def ask(path: str):
    with urllib.request.urlopen(ADDRESS + path, timeout=10) as answer:
        return json.load(answer)


def spans() -> list[dict]:
    try:
        return list(ask("/v1/projects/default/spans?limit=100")["data"])
    except (OSError, KeyError, ValueError):
        return []


def main(python: str, directory: Path) -> None:
    environment = {
        **os.environ,
        "PHOENIX_WORKING_DIR": str(directory / "phoenix"),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": "6006",
        "PHOENIX_TELEMETRY_ENABLED": "false",
    }
    with (
        (directory / "phoenix.log").open("wb") as log,
        subprocess.Popen([python, "-m", "phoenix.server.main", "serve"], env=environment, stdout=log, stderr=log) as phoenix,
    ):
        try:
            deadline = time.monotonic() + PATIENCE
            while time.monotonic() < deadline:
                try:
                    urllib.request.urlopen(ADDRESS + "/healthz", timeout=2).close()
                    break
                except (urllib.error.URLError, OSError):
                    time.sleep(0.5)
            exporting = {
                "OTEL_EXPORTER_OTLP_ENDPOINT": ADDRESS,
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                "OTEL_TOOL_AUDIT_OPENINFERENCE": "true",
            }
            subprocess.run(
                [sys.executable, "-m", "otel_tool_audit", "demo", "--dir", directory / "demo"],
                env={**os.environ, **exporting},
                stdout=sys.stderr,
                check=True,
            )
            while len(spans()) < 23 and time.monotonic() < deadline:
                time.sleep(0.5)
            print(json.dumps(spans()))
        finally:
            phoenix.terminate()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
