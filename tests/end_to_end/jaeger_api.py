"""Asking a real Jaeger, by the HTTP interface that its own pages use."""

from __future__ import annotations

import json
import time
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from running import Program

HOUR = 3600 * 10**6


class Chain(NamedTuple):
    """The agent's Collector, the gateway it sends to, and the Jaeger behind that."""

    agent: Program
    gateway: Program
    jaeger: Program

    @property
    def audit_files(self) -> list[Path]:
        """What the gateway's audit pipeline wrote."""
        return sorted(Path(self.gateway.environment["GATEWAY_AUDIT_DIRECTORY"]).glob("*.jsonl"))

    def kept(self) -> bytes:
        """All bytes that both Collectors have on disk, and all that the three programs said."""
        directories = [
            self.agent.environment["AGENT_QUEUE"],
            self.gateway.environment["GATEWAY_QUEUE"],
            self.gateway.environment["GATEWAY_AUDIT_DIRECTORY"],
        ]
        files = [path for directory in directories for path in Path(directory).rglob("*") if path.is_file()]
        return b"".join(path.read_bytes() for path in (*files, self.agent.log, self.gateway.log, self.jaeger.log))


def traces(jaeger: Program, service: str, tags: Mapping[str, str] | None = None, limit: int = 10_000) -> list[dict[str, Any]]:
    """Find the traces with a span of a service, whose tags are these."""
    now = time.time_ns() // 1000
    asked = {"service": service, "start": now - HOUR, "end": now + HOUR, "limit": limit, "lookback": "custom"}
    if tags:
        asked["tags"] = json.dumps(tags)
    return list(json.loads(jaeger.get("http", f"/api/traces?{urllib.parse.urlencode(asked)}"))["data"])


def spans(jaeger: Program, service: str, tags: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Give the spans of :func:`traces`, each with its tags and its process' tags by name."""
    return [
        {**span, "tags": named(span["tags"]), "resource": named(trace["processes"][span["processID"]]["tags"])}
        for trace in traces(jaeger, service, tags)
        for span in trace["spans"]
    ]


def named(tags: list[dict[str, Any]]) -> dict[str, Any]:
    """Give tags by name; lists and maps come as JSON text."""
    return {tag["key"]: tag["value"] for tag in tags}


def everything(jaeger: Program, *services: str) -> str:
    """Give all that Jaeger tells of services, as text to search in."""
    return "".join(json.dumps(traces(jaeger, service), ensure_ascii=False) for service in services)
