"""
A query engine in an environment of its own: ``engine.py clickhouse|spark CALLS.parquet`` answers questions, a line of JSON each, until stdin ends.

A question is ``{"text": SQL, "parameters": […]}``, its answer ``{"rows": […]}`` or ``{"error": …}``; the first line out, ``{"rows": []}``,
says that the engine is there. Values go as JSON has them, so that what is no number, text or truth in the engine is an error and no guess.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

Run = Callable[[str, Sequence[Any]], Sequence[Sequence[Any]]]


def clickhouse(path: str) -> Run:
    """ClickHouse inside this process."""
    import chdb  # noqa: PLC0415 - one of two

    def run(text: str, parameters: Sequence[Any]) -> Sequence[Sequence[Any]]:
        parts = text.split("?")
        bound = "".join(f"{part}{{p{number}:String}}" for number, part in enumerate(parts[:-1])) + parts[-1]
        source = f"WITH calls AS (SELECT * FROM file('{path}', Parquet)) {bound}"
        found = chdb.query(source, "JSONCompactEachRow", params={f"p{number}": value for number, value in enumerate(parameters)})
        return [json.loads(line) for line in str(found).splitlines()]

    return run


def spark(path: str) -> Run:
    """Spark inside this host, one session for all questions."""
    from pyspark.sql import SparkSession  # noqa: PLC0415 - one of two

    from otel_tool_audit.review.index.warehouse import over_spark  # noqa: PLC0415 - as above

    settings = {
        "spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "1", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.warehouse.dir": os.getcwd(),
    }  # fmt: skip
    session = SparkSession.builder.master("local[1]").config(map=settings).getOrCreate()
    session.read.parquet(path).createOrReplaceTempView("calls")
    return over_spark(session)


def main(engine: str, path: str) -> None:
    """Answer until nobody asks any more."""
    # whatever an engine prints must not look like an answer
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    run = {"clickhouse": clickhouse, "spark": spark}[engine](path)
    print(json.dumps({"rows": []}), file=answers, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = json.dumps({"rows": [list(row) for row in run(asked["text"], asked["parameters"])]})
        except Exception as error:  # noqa: BLE001 - whoever asked raises it
            answer = json.dumps({"error": f"{type(error).__name__}: {error}"})
        print(answer, file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
