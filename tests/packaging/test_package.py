"""What is installed, and what importing it costs and loads."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

import otel_tool_audit

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
OPTIONAL = {"typer", "rich", "click"}


def _loaded_by(code: str) -> set[str]:
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


def test_importing_the_package_loads_none_of_its_rooms() -> None:
    """An `import` at the top of an application costs it nothing before something is used."""
    loaded = {name for name in _loaded_by("import otel_tool_audit") if name.startswith("otel_tool_audit.")}
    assert set() == loaded


def test_the_core_needs_no_extra() -> None:
    """Recording imports none of the packages of the command line."""
    loaded = {name.partition(".")[0] for name in _loaded_by("from otel_tool_audit import tool, attribution, configure, verify, TrailReader")}
    assert set() == loaded & OPTIONAL


def test_decorating_tools_loads_neither_trail_nor_sdk() -> None:
    """What stands at the top of an agent's modules costs little: the rest comes when somebody configures, or calls a tool."""
    loaded = _loaded_by(
        "from otel_tool_audit import attribution, carry, configure, execute_tool, shutdown, tool, tool_call\n@tool\ndef f(a): ...\nshutdown()"
    )
    rooms = ("recognise", "observe", "processor", "trail", "review", "redaction.sanitizer", "recording.recorder", "setup.assembly")
    heavy = (
        "asyncio",
        "concurrent",
        "grpc",
        "importlib.metadata",
        "multiprocessing",
        "opentelemetry.sdk",
        "ssl",
        *(f"otel_tool_audit.{room}" for room in rooms),
    )
    assert [] == sorted(name for name in loaded if name in heavy or name.startswith(tuple(f"{module}." for module in heavy)))


def test_every_public_name_can_be_had() -> None:
    """What `__all__` and `dir()` list exists, and nothing else is listed."""
    assert sorted(otel_tool_audit.__all__) == dir(otel_tool_audit)
    assert [] == [name for name in otel_tool_audit.__all__ if not hasattr(otel_tool_audit, name)]


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A misspelt name fails as it does in any module."""
    with pytest.raises(AttributeError, match="recrod"):
        otel_tool_audit.recrod  # noqa: B018 - the access is what is tested


def test_the_package_is_typed_and_brings_its_documents() -> None:
    """Type checkers find `py.typed`; readers find the format and the architecture."""
    package = Path(otel_tool_audit.__file__).parent
    assert all((package / name).exists() for name in ("py.typed", "ARCHITECTURE.md", "trail/FORMAT.md"))


def test_the_wheel_holds_the_package_and_nothing_else(tmp_path: Path) -> None:
    """Built from here: every module, document, template and schema that git knows, and the metadata."""
    if find_spec("hatchling") is None and os.environ.get("CI") != "true":
        pytest.skip("hatchling is not installed (dependency group `test`)")
    if not (ROOT / ".git").exists():
        pytest.skip("only a checkout knows its files")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path], cwd=ROOT, capture_output=True, check=True, timeout=120
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        (entry_points,) = (archive.read(name).decode() for name in archive.namelist() if name.endswith("entry_points.txt"))
    known = subprocess.run(["git", "ls-files", "otel_tool_audit"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout.split()
    assert set(known) == held
    assert f"otel_tool_audit-{otel_tool_audit.__version__}-" in wheel.name
    assert "otel-tool-audit = otel_tool_audit.__main__:main" in entry_points


def test_every_public_function_class_and_module_has_a_docstring() -> None:
    """Reference is what the code says of itself."""
    missing = []
    for path in (ROOT / "otel_tool_audit").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        nodes = [tree] if tree.body else []
        nodes += [
            node
            for parent in ast.walk(tree)
            if isinstance(parent, (ast.Module, ast.ClassDef)) and not getattr(parent, "name", "").startswith("_")
            for node in parent.body
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and not node.name.startswith("_")
            if "overload" not in {getattr(decorator, "id", "") for decorator in node.decorator_list}
        ]
        missing += [f"{path.relative_to(ROOT)}:{getattr(node, 'name', '')}" for node in nodes if ast.get_docstring(node) is None]
    assert [] == missing


def test_extras_exist_only_for_rooms_that_do() -> None:
    """No extra is offered for what is not built yet."""
    assert {"all", "cli", "query", "report", "secrets"} == set(PROJECT["project"]["optional-dependencies"])


def test_the_oldest_versions_tested_are_the_lower_bounds_promised() -> None:
    """Each dependency's lower bound is the version that CI tests with."""
    pinned = dict(line.split("==") for line in (ROOT / ".ci/constraints/oldest.txt").read_text(encoding="utf-8").split())
    project = PROJECT["project"]
    wanted = [*project["dependencies"], *(d for name, extra in project["optional-dependencies"].items() if name != "all" for d in extra)]
    bounds = dict(re.fullmatch(r"([\w-]+)>=([\d.]+)", dependency).groups() for dependency in wanted)  # type: ignore[union-attr]
    assert {} == {name: bound for name, bound in bounds.items() if not f"{pinned[name]}.0.0".startswith(f"{bound}.")}


def test_constraints_name_versions_only() -> None:
    """No address of anybody's package index is in the repository."""
    for path in (ROOT / ".ci/constraints").glob("*.txt"):
        assert [] == [line for line in path.read_text(encoding="utf-8").splitlines() if not re.fullmatch(r"[\w.-]+==[\w.]+", line)]


def test_tests_have_a_state_directory_of_their_own() -> None:
    """No test can reach the state directory of whoever runs it."""
    assert not os.environ["OTEL_TOOL_AUDIT_STATE"].startswith(os.path.expanduser("~/.local"))
