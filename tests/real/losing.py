"""
What a Collector loses when it is killed, by what stands before its file: ``python tests/real/losing.py [ROUNDS]`` measures.

Each round starts it, sends spans from four threads, and ends it by kill -9 while they are sending. Lost is what was acknowledged and
is not in the files after one last, orderly run. Where a queue stands before the file, nobody takes from it until that last run: what is
measured is the queue, and not how quickly this machine empties it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from fixtures import Starter
from load import Load
from otlp import record_ids, spans_in
from parts import COLLECTOR, built
from running import free_ports

HEAD = """
receivers:
  otlp: {protocols: {http: {endpoint: "${env:HTTP}"}}}
  otlp/loop: {protocols: {grpc: {endpoint: "${env:LOOP}"}}}
extensions:
  file_storage: {directory: "${env:QUEUE}", create_directory: true, fsync: true}
exporters:
  file: {path: "${env:OUT}/spans.jsonl", create_directory: true%s}
  otlp_grpc: {endpoint: "${env:TO}", tls: {insecure: true}, retry_on_failure: {initial_interval: 100ms, max_elapsed_time: 0}%s}
service:
  extensions: [file_storage]
  telemetry: {metrics: {level: none}}
  pipelines:
    traces/in: {receivers: [otlp], exporters: [%s]}
    traces/file: {receivers: [otlp/loop], exporters: [file]}
"""
ROTATION = ", rotation: {max_megabytes: 1024, max_backups: 0}"
STORAGE = ", sending_queue: {storage: file_storage, sizer: items, queue_size: 1000000, block_on_overflow: true}"
VARIANTS = {
    "file exporter alone": ("", "", "file"),
    "file exporter, append": (", append: true", "", "file"),
    "file exporter, rotation": (ROTATION, "", "file"),
    "queue in memory before the file": (ROTATION, ", sending_queue: {sizer: items, queue_size: 1000000}", "otlp_grpc"),
    "queue on disk before the file": (ROTATION, STORAGE, "otlp_grpc"),
}

STANDS_STILL = 6
"""Seconds without another span in the file, after which those that are missing are lost."""


class Losses(NamedTuple):
    """What became of acknowledged spans."""

    acknowledged: int
    lost: int
    repeated: int


def lose(starter: Starter, variant: str, rounds: int, spans: int = 500) -> Losses:
    """
    Kill a Collector a number of times and count.

    Args:
        starter: Starts it.
        variant: Of :data:`VARIANTS`.
        rounds: How often it is killed.
        spans: How many it acknowledges before each kill, at least.
    """
    directory = starter.directory / f"losing-{len(starter.started)}"
    directory.mkdir()
    (directory / "losing.yaml").write_text(HEAD % VARIANTS[variant])
    ports = free_ports("http", "loop", "nobody")
    nobody = ports.pop("nobody")
    environment = {"HTTP": f"127.0.0.1:{ports['http']}", "LOOP": f"127.0.0.1:{ports['loop']}", "TO": f"127.0.0.1:{nobody}"}
    environment |= {"QUEUE": str(directory / "queue"), "OUT": str(directory / "out")}
    collector = starter.collector(directory / "losing.yaml", environment, start=False, **ports)
    acknowledged: set[int] = set()
    for number in range(rounds):
        collector.start()
        with Load(collector, first=1 + number * 1_000_000, again=False) as load:
            load.wait_for(spans)
            collector.kill()
        acknowledged |= load.acknowledged
    collector.environment["TO"] = environment["LOOP"]
    collector.start()
    found = lambda: record_ids(spans_in(directory / "out"))  # noqa: E731 - asked twice
    missing = lambda: sum(f"{n:032x}" not in ids for ids in [found()] for n in acknowledged)  # noqa: E731 - asked until it stands still
    left, unchanged = missing(), 0
    while left and unchanged < STANDS_STILL:
        time.sleep(1)
        left, previous = missing(), left
        unchanged = unchanged + 1 if left == previous else 0
    collector.stop()
    return Losses(len(acknowledged), missing(), sum(n - 1 for n in found().values()))


def main() -> None:
    """Print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    print(f"{rounds} kills each\n| before the file | acknowledged | lost | written twice |\n| --- | --- | --- | --- |")
    for variant in VARIANTS:
        with tempfile.TemporaryDirectory() as directory:
            starter = Starter(Path(directory), built(COLLECTOR), Path)
            try:
                counted = lose(starter, variant, rounds)
            finally:
                starter.stop()
            print(f"| {variant} | {counted.acknowledged} | {counted.lost} | {counted.repeated} |", flush=True)


if __name__ == "__main__":
    main()
