"""
Build the real Collector, Jaeger and other judges, once: ``python3 tests/real/parts.py [NAME…]`` prints where they are.

A binary is kept under the user's cache directory by the hash of all that decides its bytes: the module's files, the flags and Go's
version. It gets its name only when it is whole, so whoever finds it can run it; a lock lets one process build while others wait.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = 2400
"""Seconds that one build may take; from nothing, on two busy cores, Jaeger takes 15 minutes."""


class PartMissing(Exception):
    """There is no Go here to build with."""


class BuildFailed(Exception):
    """Go said no; the text says why."""


@dataclass(frozen=True)
class Part:
    """A program that is built from a committed Go module."""

    name: str
    module: Path
    package: str
    linker: str = "-s -w"
    tags: str = ""


COLLECTOR = Part("collector", ROOT / "collector-config" / "collector", ".")
JAEGER = Part(
    "jaeger",
    ROOT / "tests" / "real" / "jaeger",
    "github.com/jaegertracing/jaeger/cmd/jaeger",
    # the module's version is 1.76.0; the release that holds the v2 program calls itself this
    "-s -w -X github.com/jaegertracing/jaeger/internal/version.latestVersion=v2.13.0",
)
PROMTOOL = Part("promtool", ROOT / "tests" / "real" / "promtool", "github.com/prometheus/prometheus/cmd/promtool")
# without the clients of two dozen clouds: what it reads here has addresses
PROMETHEUS = Part("prometheus", ROOT / "tests" / "real" / "prometheus", "github.com/prometheus/prometheus/cmd/prometheus", tags="remove_all_sd")
COMPOSE = Part("compose", ROOT / "tests" / "real" / "compose", "github.com/compose-spec/compose-go/v2/cmd")
KAFKA = Part("kafka", ROOT / "tests" / "real" / "kafka", ".")
GITLEAKS = Part("gitleaks", ROOT / "tests" / "real" / "gitleaks", "github.com/zricethezav/gitleaks/v8")
# a verifier of trails that was written from FORMAT.md alone
AUDITCHECK = Part("auditcheck", ROOT / "tests" / "real" / "stranger", ".")
PARTS = {part.name: part for part in (GITLEAKS, COLLECTOR, JAEGER, PROMTOOL, COMPOSE, KAFKA, PROMETHEUS, AUDITCHECK)}


def built(part: Part) -> Path:
    """
    Give the program, built if it is not there yet.

    Raises:
        PartMissing: There is no Go.
        BuildFailed: Go could not build it.
    """
    if shutil.which("go") is None:
        raise PartMissing(f"no `go` on the path to build the real {part.name} with")
    target = cache_directory() / f"{part.name}-{_key(part)}" / part.name
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with (target.parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not target.exists():
                _build(part, target)
    return target


def cache_directory() -> Path:
    """Tell where built programs are kept; never inside the repository."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "otel-tool-audit" / "parts"


def _key(part: Part) -> str:
    """Hash what decides the bytes of the program."""
    version = subprocess.run(["go", "env", "GOVERSION", "GOOS", "GOARCH"], cwd=part.module, capture_output=True, check=True).stdout
    digest = hashlib.sha256(version + part.linker.encode() + part.tags.encode())
    for file in sorted(p for p in part.module.iterdir() if p.suffix in {".go", ".mod", ".sum"}):
        digest.update(f"{file.name}\0{file.stat().st_size}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:24]


def _build(part: Part, target: Path) -> None:
    # whatever dies here leaves a file that nobody takes for the program; the next build writes it anew
    half = target.with_suffix(".half")
    command = ["go", "build", "-mod=readonly", "-trimpath", "-tags", part.tags, "-ldflags", part.linker, "-o", half, part.package]
    done = subprocess.run(
        command,
        cwd=part.module,
        env={**os.environ, "CGO_ENABLED": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
        timeout=PATIENCE,
    )
    if done.returncode:
        raise BuildFailed(f"{part.name} cannot be built in {part.module}:\n{done.stdout[-4000:]}")
    half.rename(target)


def main(names: list[str]) -> int:
    """Build what is named, or everything, and print where it is."""
    try:
        for name in names or PARTS:
            print(f"{name} {built(PARTS[name])}", flush=True)
    except KeyError as error:
        print(f"there is no part {error}; parts are: {', '.join(PARTS)}", file=sys.stderr)
        return 2
    except (PartMissing, BuildFailed) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
