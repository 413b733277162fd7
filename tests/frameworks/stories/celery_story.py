"""
Celery: a worker whose children are recycled after each task, over a broker and a backend in files.

The worker is a process of this story's own; its children are forked, and leave by os._exit.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import common
from celery import Celery
from opentelemetry import trace
from opentelemetry.sdk.trace.export import BatchSpanProcessor

import otel_tool_audit as audit

WORKER = "worker" in sys.argv[3:]
PLACE = os.path.join(common.DIRECTORY, "celery")
TASKS = 5

for folder in ("queue", "results", "control"):
    os.makedirs(os.path.join(PLACE, folder), exist_ok=True)
app = Celery("story", broker="filesystem://", backend=f"file://{PLACE}/results")
app.conf.update(
    broker_transport_options={"data_folder_in": f"{PLACE}/queue", "data_folder_out": f"{PLACE}/queue", "control_folder": f"{PLACE}/control"},
    worker_max_tasks_per_child=1,
    worker_hijack_root_logger=False,
    task_ignore_result=False,
    broker_connection_retry_on_startup=True,
)


@audit.tool
def charge(n: int) -> dict[str, int]:
    return {"payment_id": n}


@app.task(name="work")
def work(n: int) -> int:
    """One own call, and one that only a span tells of."""
    with audit.attribution(user=f"user-{n}", conversation=f"conv-{n}", model="m"):
        charge(n)
        told = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "look", "gen_ai.tool.call.id": f"call_{n}"}
        with trace.get_tracer("another").start_as_current_span("execute_tool look", attributes=told):
            return os.getpid()


def serve() -> None:
    audit.configure(f"{common.DIRECTORY}/audit", forward=BatchSpanProcessor(common.Lines(), schedule_delay_millis=60_000), durability="os")
    app.worker_main(
        ["worker", "--pool=prefork", "--concurrency=2", "--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=ERROR"]
    )


def ask() -> str:
    command = [sys.executable, "-W", "ignore", __file__, common.DIRECTORY, common.INSTRUMENTATION, "worker"]
    worker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        answers = [work.delay(n) for n in range(TASKS)]
        pids = {answer.get(timeout=90, interval=0.1) for answer in answers}
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(60)
    return f"{TASKS} tasks in {len(pids)} processes"


if WORKER:
    serve()
else:
    import json

    print(json.dumps({"ran": [], "outcome": ask()}))
