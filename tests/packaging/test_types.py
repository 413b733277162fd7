"""Types as users see them: under mypy's strictest rules, with the package's own annotations."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import pytest

import otel_tool_audit as audit
from otel_tool_audit.recording import ToolOptions, tool_spec
from otel_tool_audit.settings import Arguments, Settings

api = pytest.importorskip("mypy.api")
ROOT = Path(__file__).parents[2]
RIGHT = """
from collections.abc import Iterator
from typing import assert_type

import otel_tool_audit as audit

audit.configure("./audit", durability="os", secret_keys=["pin"])


@audit.tool
def get(order_id: str, *, limit: int = 1) -> list[str]:
    return [order_id] * limit


@audit.tool(subject="patient_id", redact=["pin"])
async def chart(patient_id: str, pin: str) -> dict[str, str]:
    return {}


class Shop:
    @audit.tool(name="pages")
    def pages(self, count: int) -> Iterator[int]:
        yield count

    @staticmethod
    @audit.tool
    def close() -> float:
        return 1.0


@audit.attribution(user="usr_1", ticket=7)
def serve(count: int) -> str:
    return audit.carry(str)(count)


async def run() -> None:
    assert_type(get("ORD-1", limit=2), list[str])
    assert_type(await chart("P-1", pin="1"), dict[str, str])
    assert_type(Shop().pages(1), Iterator[int])
    assert_type(Shop.close(), float)
    assert_type(serve(1), str)
    async with audit.tool_call("chart", {"patient_id": "P-1"}, subject="patient_id", keep=None) as call:
        assert_type(call.call_id, str | None)
    assert_type(audit.verify("./audit").ok, bool)
"""
WRONG = {
    "get(1)": "arg-type",
    'audit.configure("./audit", durabilty="os")': "call-arg",
    'audit.configure("./audit", durability="maybe")': "arg-type",
    'audit.tool(subjekt="patient_id")': "call-overload",
    'audit.tool_call("t", subjekt="patient_id")': "call-arg",
    'audit.execute_tool("t", {}, get, redact=7)': "arg-type",
}


def checked(path: Path, code: str) -> str:
    (path / "agent.py").write_text(code, encoding="utf-8")
    options = ["--strict", "--no-error-summary", "--no-pretty", "--config-file=", f"--cache-dir={ROOT / '.mypy_cache' / 'users'}"]
    said, problems, _ = api.run([*options, str(path / "agent.py")])
    assert "" == problems
    return said


def test_what_the_readme_shows_and_signatures_pass_strict_checking(tmp_path):
    """Decorated tools keep their signatures, and wrong calls of ours are told before anything runs."""
    (shown,) = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    wrong = "\n".join(WRONG)
    told = checked(tmp_path, f"{RIGHT}\n\ndef shown() -> None:\n" + "".join(f"    {line}\n" for line in shown.splitlines()) + wrong)
    assert list(WRONG.values()) == re.findall(r"error: .*\[([a-z-]+)\]", told), told


@pytest.mark.parametrize(
    ("typed", "names"),
    [(Arguments, {f.name for f in fields(Settings)} - {"trail"}), (ToolOptions, set(inspect.signature(tool_spec).parameters) - {"name"})],
)
def test_typed_arguments_are_all_there_are(typed, names):
    """An editor offers every setting, and everything there is to say of a tool."""
    assert names == set(get_type_hints(typed))


def test_a_misspelt_setting_is_answered_with_the_one_that_is_meant():
    """The nearest name comes first, then all of them."""
    with pytest.raises(audit.SettingsError, match="no setting 'durabilty'; is durability meant"):
        audit.configure("./audit", durabilty="os")
