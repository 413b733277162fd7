"""Spans as they travel: made by hand, sent straight to a receiver, read from the Collector's file, counted in its metrics."""

from __future__ import annotations

import json
import re
import ssl
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData
from running import Program

_FIELDS = {bool: "bool_value", int: "int_value", float: "double_value", bytes: "bytes_value", str: "string_value"}


def value(of: Any) -> AnyValue:
    """Write a Python value as OTLP does."""
    if isinstance(of, dict):
        return AnyValue(kvlist_value=KeyValueList(values=attributes(of)))
    if isinstance(of, list):
        return AnyValue(array_value=ArrayValue(values=[value(item) for item in of]))
    return AnyValue() if of is None else AnyValue(**{_FIELDS[type(of)]: of})


def attributes(of: Mapping[str, Any]) -> list[KeyValue]:
    """Write attributes as OTLP does."""
    return [KeyValue(key=key, value=value(item)) for key, item in of.items()]


def span(number: int, name: str = "execute_tool get_order", **attributes_: Any) -> Span:
    """Make a span that can be told from all others: its id, and its record's, are the number."""
    now = time.time_ns()
    told = {"audit.record.id": f"{number:032x}", "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "get_order"}
    return Span(
        trace_id=(number + 1).to_bytes(16, "big"),
        span_id=(number + 1).to_bytes(8, "big"),
        name=name,
        kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=now - 1_000_000,
        end_time_unix_nano=now,
        attributes=attributes({**told, **attributes_}),
    )


def request(*spans: Span, service: str = "shop") -> ExportTraceServiceRequest:
    """Put spans into a request."""
    made = ExportTraceServiceRequest()
    resource = made.resource_spans.add()
    resource.resource.attributes.extend(attributes({"service.name": service}))
    resource.scope_spans.add().spans.extend(spans)
    return made


def send(program: Program, what: ExportTraceServiceRequest, *, name: str = "", token: str = "", timeout: float = 10) -> int:
    """
    Send a request over OTLP/HTTP and give the status; 0 when nobody answered.

    Args:
        program: An agent's Collector, or with a name and token the gateway.
        what: The request.
        name: Of the sender.
        token: Of the sender.
        timeout: Seconds to wait for an answer.
    """
    headers = {"Content-Type": "application/x-protobuf"}
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    scheme = "http"
    if name:
        scheme = "https"
        headers["Authorization"] = "Basic " + b64encode(f"{name}:{token}".encode()).decode()
        handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=program.environment["GATEWAY_CERT"])))
    url = f"{scheme}://{program.address('http')}/v1/traces"
    try:
        opener = urllib.request.build_opener(*handlers)
        with opener.open(urllib.request.Request(url, what.SerializeToString(), headers), timeout=timeout) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def requests_in(directory: Path) -> Iterator[TracesData]:
    """Read every whole request in the files that the file exporter wrote; lines may be joined, and the last of a crash be torn."""
    decoder = json.JSONDecoder()
    for file in sorted(directory.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            at = 0
            while at < len(line):
                try:
                    found, at = decoder.raw_decode(line, at)
                except json.JSONDecodeError:
                    # a fragment: what follows it on the line begins with the next request
                    following = line.find('{"resourceSpans"', at + 1)
                    at = len(line) if following < 0 else following
                    continue
                yield json_format.ParseDict(found_as_proto(found), TracesData())


def found_as_proto(found: Any) -> Any:
    """Turn OTLP's hexadecimal ids into the base64 that protobuf's JSON has."""
    if isinstance(found, dict):
        ids = ("traceId", "spanId", "parentSpanId")
        return {k: b64encode(bytes.fromhex(v)).decode() if k in ids else found_as_proto(v) for k, v in found.items()}
    return [found_as_proto(item) for item in found] if isinstance(found, list) else found


def spans_in(directory: Path) -> list[Span]:
    """Give every span in the audit file, repeated ones too."""
    return [s for data in requests_in(directory) for r in data.resource_spans for scope in r.scope_spans for s in scope.spans]


def ids_in(directory: Path) -> set[str]:
    """Find the records' ids in the audit file without reading all of it: quick, for waiting."""
    pattern = re.compile(r'"audit\.record\.id","value":{"stringValue":"([0-9a-f]{32})"}')
    return {found for file in directory.glob("*.jsonl") for found in pattern.findall(file.read_text(encoding="utf-8", errors="replace"))}


def record_ids(spans: list[Span]) -> Counter[str]:
    """Count how often each record's id is there."""
    return Counter(told(s.attributes).get("audit.record.id") for s in spans)


def told(of: Any) -> dict[str, Any]:
    """Read attributes as Python values."""
    return {a.key: plain(a.value) for a in of}


def plain(of: AnyValue) -> Any:
    """Read a value."""
    match of.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [plain(item) for item in of.array_value.values]
        case "kvlist_value":
            return told(of.kvlist_value.values)
        case kind:
            return getattr(of, kind)


def metrics(program: Program, port: str = "metrics") -> dict[str, dict[str, float]]:
    """Read a Prometheus page: by name the value of each set of labels."""
    found: dict[str, dict[str, float]] = {}
    for line in program.get(port, "/metrics").splitlines():
        if match := re.fullmatch(r"([a-zA-Z_:][\w:]*)(\{.*\})? (\S+)", line):
            found.setdefault(match[1], {})[match[2] or ""] = float(match[3])
    return found


def total(page: Mapping[str, Mapping[str, float]], name: str, label: str = "") -> float:
    """Add up a metric's values where the labels hold a text."""
    return sum(v for labels, v in page.get(name, {}).items() if label in labels)
