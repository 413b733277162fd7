"""What a process pays before it does anything: importing the package, and starting the command. Ratios of processor time, in one run, in turn."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest

import otel_tool_audit as audit

pytestmark = pytest.mark.benchmark

ROUNDS = 9
NOTHING = "pass"
SDK = "import opentelemetry.sdk.trace, opentelemetry.sdk.trace.export"
PACKAGES = "import typer, rich"
LEAST = """
import typer
from typing import Annotated
from rich.console import Console

app = typer.Typer(add_completion=False, rich_markup_mode=None)

@app.command()
def main(name: Annotated[str, typer.Option()] = "x", loud: Annotated[bool, typer.Option("--loud")] = False) -> None:
    Console().print(name)

app(["--name", "y"], standalone_mode=False)
"""
"""The least that a command can be which reads options with typer and prints with rich."""


def seconds(*arguments: str | Path) -> float:
    """Processor time of a Python process: what else the machine does meanwhile counts little."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, timeout=120, env={**os.environ, "PYTHONPATH": os.getcwd()})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def medians(commands: dict[str, tuple[str | Path, ...]]) -> dict[str, float]:
    """Run each in turn, round after round; the first round fills the caches."""
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(ROUNDS + 1):
        for name, arguments in commands.items():
            spent = seconds(*arguments)
            if number:
                taken[name].append(spent)
    return {name: median(spent) for name, spent in taken.items()}


def test_importing_costs_little_more_than_the_sdk(capsys: pytest.CaptureFixture[str]) -> None:
    """The package alone at most 1.15 times what the SDK alone takes; tool, configure and attribution, and a decorated tool, at most 1.5 times."""
    names = "from otel_tool_audit import tool, configure, attribution"
    found = medians({
        "python": ("-c", NOTHING),
        "SDK": ("-c", SDK),
        "package": ("-c", "import otel_tool_audit"),
        "names": ("-c", names),
        "decorated": ("-c", f"{names}\n@tool(subject='a')\ndef f(a): ..."),
    })  # fmt: skip
    sdk = found["SDK"] - found["python"]
    ratios = {name: (found[name] - found["python"]) / sdk for name in ("package", "names", "decorated")}
    with capsys.disabled():
        print(f"\nimporting, of the SDK's {sdk * 1000:.0f} ms:", ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items()))
    assert ratios["package"] <= 1.15
    assert ratios["names"] <= 1.5
    assert ratios["decorated"] <= 1.5


def test_the_command_starts_as_fast_as_its_packages_let_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--version and --help at most 1.3 times Python with typer and rich; `calls` at most 1.8 times the least program that uses both."""
    with audit.configure(tmp_path / "audit", durability="os"), audit.attribution(user="usr_1", conversation="conv_1", model="gpt-4.1"):
        for number in range(5):
            audit.execute_tool("get_order", {"order_id": number}, lambda order_id: {"order_id": order_id})
    command = ("-m", "otel_tool_audit")
    found = medians({
        "packages": ("-c", PACKAGES),
        "least": ("-c", LEAST),
        "--version": (*command, "--version"),
        "--help": (*command, "--help"),
        "calls": (*command, "calls", tmp_path / "audit"),
    })  # fmt: skip
    ratios = {
        "--version": found["--version"] / found["packages"],
        "--help": found["--help"] / found["packages"],
        "calls": found["calls"] / found["least"],
    }
    with capsys.disabled():
        floors = f"packages {found['packages'] * 1000:.0f} ms, least program {found['least'] * 1000:.0f} ms"
        print(f"\nstarting ({floors}):", ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items()))
    assert ratios["--version"] <= 1.3
    assert ratios["--help"] <= 1.3
    assert ratios["calls"] <= 1.8
