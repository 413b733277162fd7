"""The examples run as they stand, and their trails hold what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from environments import interpreter

from otel_tool_audit.access.reader import TrailReader
from otel_tool_audit.review.verify.verifier import verify

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def needs(*modules: str) -> None:
    """Skip without the packages of a framework; where CI promises them, fail."""
    for module in modules:
        if find_spec(module) is None and os.environ.get("CI") != "true":
            pytest.skip(f"{module} is not installed (dependency group `test`)")


def run(name: str, trail: Path, python: str = sys.executable) -> str:
    """Run an example as a user would, and give what it printed."""
    environment = {**os.environ, "OTEL_TRACES_EXPORTER": "none", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([python, EXAMPLES / name, trail], env=environment, capture_output=True, encoding="utf-8", check=False, timeout=120)
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout


def calls(trail: Path) -> list[dict[str, Any]]:
    """Give the calls of a trail that is whole."""
    found = verify(trail)
    assert ("intact", "complete") == (found.integrity, found.completeness)
    return list(TrailReader(trail).calls())


def test_every_example_is_tested_and_described() -> None:
    """A script that nobody runs would not be one."""
    names = {path.name for path in EXAMPLES.rglob("*.py")}
    # one needs a Jaeger, and is run where one runs; one is asked about a trail of the reader's tests
    elsewhere = (ROOT / "tests" / "end_to_end" / "test_seen_in_jaeger.py", ROOT / "tests" / "review" / "test_warehouse.py")
    tests = "".join(path.read_text(encoding="utf-8") for path in (Path(__file__), *elsewhere))
    described = "".join(path.read_text(encoding="utf-8") for path in EXAMPLES.rglob("README.md"))
    assert set() == {name for name in names if (f'run("{name}"' not in tests and f'/ "{name}"' not in tests) or f"({name})" not in described}


def test_a_hand_written_loop_records_each_call_of_the_model(tmp_path: Path) -> None:
    """Results, refusals and exceptions go back to the model, and are on record with the provider's call ids."""
    printed = run("hand_written_loop.py", tmp_path / "audit")
    found = calls(tmp_path / "audit")
    assert ["success", "error", "success", "error"] == [call["status"] for call in found]
    assert ["call_1", "call_2", "call_3", "call_4"] == [call["tool_call_id"] for call in found]
    assert ["general", "financial", "financial", "general"] == [call["chain"] for call in found]
    assert {("usr_98765", "support_agent", "refunds", "gpt-4.1")} == {(c["user_id"], c["user_role"], c["agent"], c["model"]) for c in found}
    assert "[Turn 3] ✅ issue_refund(" in printed


def test_an_existing_provider_exports_stamped_spans(tmp_path: Path) -> None:
    """Own and foreign tool spans carry their record's place when they are exported, and subjects are pseudonyms."""
    printed = run("existing_provider.py", tmp_path / "audit")
    own, foreign = sorted(calls(tmp_path / "audit"), key=lambda call: str(call["tool_name"]))
    assert ("access_patient_record", "healthcare", "treatment") == (own["tool_name"], own["chain"], own["purpose"])
    assert ("find_bed", "general", {"ward": 3}, "dr_meyer") == (foreign["tool_name"], foreign["chain"], foreign["arguments"], foreign["user_id"])
    assert str(own["subject"]).startswith("psn:")
    for call in (own, foreign):
        assert re.search(rf"exported: execute_tool {call['tool_name']}, record [0-9a-f]{{32}}/{call['chain']}/{call['seq']}\n", printed)
    assert not [file for file in (tmp_path / "audit").rglob("*.jsonl") if b'"subject":"P-10234"' in file.read_bytes()]


def test_a_service_attributes_calls_to_the_user_of_each_request(tmp_path: Path) -> None:
    """Two requests at the same time, each with parallel tools, are told apart."""
    needs("starlette", "uvicorn")
    run("async_service.py", tmp_path / "audit")
    found = calls(tmp_path / "audit")
    expected = {
        ("usr_anna", "customer", "conv_anna", "get_order"),
        ("usr_anna", "customer", "conv_anna", "estimate_delivery"),
        ("usr_ben", "support_agent", "conv_ben", "get_order"),
        ("usr_ben", "support_agent", "conv_ben", "estimate_delivery"),
    }
    assert expected == {(call["user_id"], call["user_role"], call["conversation_id"], call["tool_name"]) for call in found}
    assert {("success", "127.0.0.1", "ShopApp/5.2")} == {
        (call["status"], call["session_metadata"]["client_ip"], call["session_metadata"]["user_agent"]) for call in found
    }


def test_a_framework_is_recorded_with_no_change_to_its_tools(tmp_path: Path) -> None:
    """pydantic-ai's own tool spans become one record each, attributed."""
    needs("pydantic_ai")
    run("pydantic_ai_agent.py", tmp_path / "audit")
    found = calls(tmp_path / "audit")
    assert {"get_order", "issue_refund"} == {call["tool_name"] for call in found}
    assert [["tool_call.observed"]] * 2 == [[record["event"] for record in call["records"]] for call in found]
    assert {("success", "usr_98765", "conv_abc123", "support")} == {
        (call["status"], call["user_id"], call["conversation_id"], call["agent"]) for call in found
    }


def test_langchain_runs_a_tool_only_on_record(tmp_path: Path) -> None:
    """The user comes from the run's context, the subject from an argument; the record is the gate's."""
    printed = run("langchain_agent.py", tmp_path / "audit", str(interpreter("frameworks")))
    (call,) = calls(tmp_path / "audit")
    assert ("open_chart", "success", "healthcare", "treatment") == (call["tool_name"], call["status"], call["chain"], call["purpose"])
    assert ("dr_meyer", "physician", "ward", "stub-model") == (call["user_id"], call["user_role"], call["agent"], call["model"])
    assert "P-10234" not in printed + str(call)


def test_openai_agents_failures_that_only_the_model_hears_of_are_on_record(tmp_path: Path) -> None:
    """With the exception's own type and text."""
    printed = run("openai_agents_agent.py", tmp_path / "audit", str(interpreter("frameworks")))
    get, cancel = calls(tmp_path / "audit")
    assert ("success", {"order_id": "ORD-1", "api_key": "***REDACTED***"}) == (get["status"], get["arguments"])
    assert ("error", "ValueError", "ORD-1 has been shipped") == (cancel["status"], cancel["error_type"], cancel["error"])
    assert "❌ cancel_order(" in printed


def test_an_mcp_server_records_for_its_clients_user(tmp_path: Path) -> None:
    """Signed, so it is no claim."""
    printed = run("mcp_client_and_server.py", tmp_path / "audit", str(interpreter("frameworks")))
    (call,) = calls(tmp_path / "audit")
    assert ("get_order", "usr_98765", "customer", "shop", None) == tuple(
        call[name] for name in ("tool_name", "user_id", "user_role", "agent", "claimed")
    )
    assert "get_order: success, by usr_98765 through shop, claimed: None" in printed


def test_smolagents_own_spans_become_records(tmp_path: Path) -> None:
    """Its way to end a run is a tool, too."""
    run("smolagents_agent.py", tmp_path / "audit", str(interpreter("frameworks")))
    found = calls(tmp_path / "audit")
    assert [("get_order", {"order_id": "ORD-1"}), ("final_answer", {"answer": "It has been shipped."})] == [
        (call["tool_name"], call["arguments"]) for call in found
    ]
    assert {("success", "usr_98765", "stub-model")} == {(call["status"], call["user_id"], call["model"]) for call in found}


def test_agno_own_spans_become_records(tmp_path: Path) -> None:
    """With agent and model, from the spans around the tool's."""
    run("agno_agent.py", tmp_path / "audit", str(interpreter("frameworks")))
    (call,) = calls(tmp_path / "audit")
    assert ("get_order", "success", "support", "stub-model") == (call["tool_name"], call["status"], call["agent"], call["model"])


def test_what_is_shown_of_tests_passes(tmp_path: Path) -> None:
    """The fixture, copied from the README into an application's tests, finds what was recorded."""
    (shown,) = re.findall(r"^```python\n(.*?)^```$", (EXAMPLES / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    plugin, _, test = shown.partition("\n")
    tool = "import otel_tool_audit as audit\n\n\n@audit.tool\ndef refund(order_id, api_key):\n    return {}\n"
    (tmp_path / "conftest.py").write_text(plugin, encoding="utf-8")
    (tmp_path / "test_shop.py").write_text(tool + test, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", "-c", os.devnull, tmp_path]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, encoding="utf-8", check=False, timeout=120
    )
    assert 0 == done.returncode, done.stdout
    assert "1 passed" in done.stdout
