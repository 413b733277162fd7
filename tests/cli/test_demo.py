from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from made_calls import Printed

from otel_tool_audit.access.reader import TrailReader
from otel_tool_audit.cli.demo.script import CARD, CARRIER_KEY
from otel_tool_audit.review.verify.verifier import verify

Command = Callable[..., Printed]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Path]:
    """The demonstration, run once as its user runs it: what it printed, where it put things, and that user's home."""
    directory, home = tmp_path_factory.mktemp("demo") / "new", tmp_path_factory.mktemp("home")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "XDG_"))} | {"HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-m", "otel_tool_audit", "demo", "--dir", directory],
        env=environment, capture_output=True, encoding="utf-8", check=False, timeout=60, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout, directory, home


def test_it_tells_the_whole_story(demo: tuple[str, Path, Path]) -> None:
    """A success, a refusal, an exception, a retry, parallel calls and a killed worker are told."""
    printed, directory, _ = demo
    reader = TrailReader(directory / "audit", state=directory / "state")
    ben = list(reader.calls(conversation="conv_ben"))
    assert ["error", "error", "error", "success"] == [call["status"] for call in ben]
    assert [None, "LookupError", "PaymentTimeout", None] == [call["error_type"] if call["error_type"] != "error" else None for call in ben]
    assert (ben[2]["call_id"], 2) == (ben[3]["retry_of"], ben[3]["attempt"])
    assert ["interrupted"] == [call["status"] for call in reader.calls(conversation="conv_dora")]
    cleo = list(reader.calls(conversation="conv_cleo"))
    assert max(call["timestamp"] for call in cleo) < min(call["records"][-1]["timestamp"] for call in cleo)
    for conversation in ("conv_anna", "conv_ben", "conv_cleo", "conv_dora"):
        assert conversation in printed
    for mark in ("✅", "❌", "⛔"):
        assert mark in printed


def test_no_secret_is_printed_or_kept(demo: tuple[str, Path, Path]) -> None:
    """Neither the carrier's key nor the card number is in what is printed or in any file of trail and state."""
    printed, directory, _ = demo
    files = [path for name in ("audit", "state") for path in (directory / name).rglob("*") if path.is_file()]
    held = b"".join(path.read_bytes() for path in files) + printed.encode()
    assert CARRIER_KEY.encode() not in held
    assert CARD.encode() not in held
    assert b"***REDACTED***" in held


def test_each_forgery_is_found_and_the_trail_left_whole(demo: tuple[str, Path, Path]) -> None:
    """Three forgeries, three times broken, with the record named; undone, the trail is what it was."""
    printed, directory, _ = demo
    assert 3 == printed.count("broken")
    target = next(r for r in TrailReader(directory / "audit", state=directory / "state").records("financial") if r["event"] == "tool_call.finished")
    assert printed.count(f"✗ financial/{target['seq']}") >= 2
    found = verify(directory / "audit", state=directory / "state", deep=True)
    assert ("intact", "known gaps") == (found.integrity, found.completeness)


def test_the_user_s_own_state_is_left_alone(demo: tuple[str, Path, Path]) -> None:
    """Nothing appears in the home of whoever runs it."""
    assert [] == list(demo[2].rglob("*"))


def test_what_it_suggests_works(demo: tuple[str, Path, Path], command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands it ends with can be copied, and succeed."""
    printed, *_ = demo
    exports = [line.strip().removeprefix("export ").partition("=") for line in printed.splitlines() if line.strip().startswith("export ")]
    assert {"OTEL_TOOL_AUDIT_TRAIL", "OTEL_TOOL_AUDIT_STATE"} == {name for name, _, _ in exports}
    for name, _, value in exports:
        monkeypatch.setenv(name, value)
    commands = [line.strip().partition("  ")[0].split()[1:] for line in printed.splitlines() if line.strip().startswith("otel-tool-audit ")]
    assert ["calls", "timeline", "show", "verify", "doctor"] == [arguments[0] for arguments in commands]
    for arguments in commands:
        assert 0 == command(*arguments).code, arguments


@pytest.mark.benchmark
def test_it_is_quick_enough_to_watch(tmp_path: Path, command: Command) -> None:
    """It is over within the 15 seconds that it may take, by a wide margin."""
    began = time.monotonic()
    assert 0 == command("demo", "--dir", tmp_path / "new").code
    assert time.monotonic() - began < 15


def test_a_directory_in_use_is_left_alone(tmp_path: Path, command: Command) -> None:
    """The demo never mixes with what is there."""
    (tmp_path / "precious").write_text("x")
    printed = command("demo", "--dir", tmp_path)
    assert (2, "") == (printed.code, printed.out)
    assert ["precious"] == [path.name for path in tmp_path.iterdir()]


def test_spans_go_where_the_environment_says(tmp_path: Path) -> None:
    """With an OTLP endpoint set, every call's span arrives there, stamped with its record."""
    pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
    code = Path(__file__).with_name("otlp_receiver.py")
    with subprocess.Popen([sys.executable, code], stdout=subprocess.PIPE, text=True) as receiver:
        assert receiver.stdout is not None
        port = receiver.stdout.readline().strip()
        environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
        done = subprocess.run(
            [sys.executable, "-m", "otel_tool_audit", "demo", "--dir", tmp_path / "new"],
            env=environment, capture_output=True, encoding="utf-8", check=False, timeout=60, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        receiver.terminate()
        spans = [json.loads(line) for line in receiver.stdout.read().splitlines()]
    assert (0, "") == (done.returncode, done.stderr)
    tools = [span for span in spans if span["name"].startswith("execute_tool ")]
    assert 11 == len(tools)
    assert all("audit.sequence.number" in span["attributes"] and "tool_audit.hash" in span["attributes"] for span in tools)
    assert f"23 spans were exported to http://127.0.0.1:{port}." in done.stdout
    assert CARRIER_KEY not in json.dumps(spans)
