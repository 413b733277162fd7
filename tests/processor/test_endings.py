"""Calls that end when nearly all is over: after the trail was closed, in workers that skip exit hooks, in threads that export."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import otel_tool_audit as audit

BEGIN = """
import multiprocessing, os, sys, threading, time, concurrent.futures
import otel_tool_audit as audit
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
PATH, OUT = sys.argv[1], sys.argv[2]

class Lines(SpanExporter):
    def export(self, spans):
        time.sleep(0.05)
        with open(OUT, "a") as file:
            file.writelines(f"{os.getpid()} {span.name}\\n" for span in spans)
        return SpanExportResult.SUCCESS

TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "look"}
def configured():
    return audit.configure(PATH, forward=BatchSpanProcessor(Lines(), schedule_delay_millis=60_000), durability="os")
def look(n):
    with trace.get_tracer("another").start_as_current_span("execute_tool look", attributes={**TOOL, "gen_ai.tool.call.id": f"call_{n}"}):
        return os.getpid()
"""

MANUAL = """
trail = audit.Trail.open(PATH, durability="os")
provider = TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(audit.AuditSpanProcessor(trail, forward=BatchSpanProcessor(Lines())))
trace.set_tracer_provider(provider)
"""

STORIES = {
    "fork": """
configured()
if __name__ == "__main__":
    with trace.get_tracer("another").start_as_current_span("execute_tool outer", attributes={**TOOL, "gen_ai.tool.name": "outer"}):
        jobs = [multiprocessing.get_context("fork").Process(target=look, args=(n,)) for n in range(3)]
        for job in jobs: job.start()
        for job in jobs: job.join()
    print(3)
""",
    "pool": """
configured()
if __name__ == "__main__":
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
        list(pool.map(look, range(6)))
    print(6)
""",
    "pool that recycles": """
configured()
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2, maxtasksperchild=1) as pool:
        pool.map(look, range(5), chunksize=1)
        pool.close()
        pool.join()
    print(5)
""",
    "forkserver": """
def work(n):
    configured()
    return look(n)
if __name__ == "__main__":
    jobs = [multiprocessing.get_context("forkserver").Process(target=work, args=(n,)) for n in range(2)]
    for job in jobs: job.start()
    for job in jobs: job.join()
    print(2)
""",
    "forkserver, imported late": """
del audit
for name in [n for n in sys.modules if n.startswith("otel_tool_audit")]: del sys.modules[name]
def work(n):
    global audit
    import otel_tool_audit as audit
    configured()
    return look(n)
if __name__ == "__main__":
    job = multiprocessing.get_context("forkserver").Process(target=work, args=(1,))
    job.start(); job.join()
    print(1)
""",
    "spawn": """
def work(n):
    configured()
    return look(n)
if __name__ == "__main__":
    job = multiprocessing.get_context("spawn").Process(target=work, args=(1,))
    job.start(); job.join()
    print(1)
""",
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a script to its end; give its trail, what was exported, and what it said."""
    monkeypatch.setenv("OTEL_TOOL_AUDIT_STATE", str(tmp_path / "state"))

    def told(script, before=""):
        file = tmp_path / "story.py"
        file.write_text(before + BEGIN + script)
        done = subprocess.run(
            [sys.executable, file, tmp_path / "audit", tmp_path / "spans"], capture_output=True, text=True, check=False, timeout=100, env=os.environ
        )
        assert 0 == done.returncode, done.stderr[-3000:]
        spans = (tmp_path / "spans").read_text().splitlines() if (tmp_path / "spans").exists() else []
        return audit.verify(tmp_path / "audit"), list(audit.TrailReader(tmp_path / "audit").calls()), spans, done

    return told


@pytest.mark.parametrize("story", STORIES)
def test_workers_that_skip_exit_hooks_lose_nothing(run, story):
    """Every call is on record, every writer is closed, every span is exported; what the parent has open is the parent's to end."""
    found, calls, spans, done = run(STORIES[story])
    assert ("intact", "complete") == (found.integrity, found.completeness)
    wanted = int(done.stdout.split()[-1])
    assert wanted == len([call for call in calls if (call["tool_name"], call["status"]) == ("look", "success")])
    assert {"success"} == {call["status"] for call in calls}
    assert wanted == len([line for line in spans if line.endswith(" execute_tool look")])


def test_a_process_that_leaves_at_once_is_named(run):
    """Nobody hears of os._exit: the writer that was never closed is a gap that verify names."""
    found, _, _, _ = run(MANUAL + "if os.fork() == 0:\n    look(1)\n    os._exit(0)\nos.wait()\n")
    assert ("intact", "known gaps") == (found.integrity, found.completeness)


def test_a_span_that_ends_after_its_trail_was_closed_is_recorded(run):
    """By a writer of its own; one that was given up as interrupted gets its outcome."""
    script = """
tracer = trace.get_tracer("another")
open_one = tracer.start_span("execute_tool look", attributes={**TOOL, "gen_ai.tool.name": "open", "gen_ai.tool.call.id": "call_0"})
provider.get_tracer("x")
provider._active_span_processor._span_processors[0].shutdown()
trail.close()
open_one.set_attribute("gen_ai.tool.call.result", "done")
open_one.end()
look(1)
"""
    found, calls, _, done = run(MANUAL + script)
    assert ("intact", "complete") == (found.integrity, found.completeness)
    assert {("open", "success"), ("look", "success")} == {(call["tool_name"], call["status"]) for call in calls}
    assert "did not reach its backend" in done.stderr


def test_nothing_is_made_anew_for_what_comes_late(run, tmp_path):
    """A trail that was moved away is not begun again in its place; what is lost is said, and a gap as soon as the trail is there again."""
    script = """
look(1)
trail.close()
os.rename(PATH, PATH + ".moved")
look(2)
assert not os.path.exists(PATH)
os.rename(PATH + ".moved", PATH)
look(3)
"""
    found, calls, _, done = run(MANUAL + script)
    assert ("intact", "known gaps") == (found.integrity, found.completeness)
    assert ["call_1", "call_3"] == [call["tool_call_id"] for call in calls]
    assert "is no longer there" in done.stderr
    assert "is not on record" in done.stderr


EARLY = """
import atexit, sys
def look_late():
    sys.modules["__main__"].look(9)
atexit.register(look_late)
"""


@pytest.mark.parametrize("early", [True, False])
def test_a_call_in_an_exit_hook_is_recorded(run, early):
    """Whichever hook runs first, ours or that of what ends spans in the background."""
    script = "look(1)\n" if early else "look(1)\natexit.register(lambda: look(9))\n"
    found, calls, _, _ = run("import atexit\nconfigured()\n" + script, before=EARLY if early else "")
    assert ("intact", "complete") == (found.integrity, found.completeness)
    assert ["call_1", "call_9"] == sorted(call["tool_call_id"] for call in calls)
