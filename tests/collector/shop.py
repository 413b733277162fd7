"""An agent at work with the real package: ``shop.py TRAIL CALLS [--metrics]`` calls a tool, sends spans where the variables say, and tells how it ended."""

from __future__ import annotations

import sys
import time

from opentelemetry import metrics
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

import otel_tool_audit as audit


@audit.tool
def get_order(order_id: str, api_key: str) -> dict:
    """Look an order up."""
    if order_id.endswith("7"):
        raise LookupError(f"no order {order_id}")
    return {"order_id": order_id, "status": "shipped"}


def main() -> None:
    """Call, one after the other, for a few seconds."""
    if "--metrics" in sys.argv:
        reader = PeriodicExportingMetricReader(OTLPMetricExporter(), export_interval_millis=200)
        metrics.set_meter_provider(MeterProvider([reader], Resource({"service.name": "shop", "service.instance.id": "shop-1"})))
    audit.configure(sys.argv[1], service_name="shop", durability="os")
    for number in range(int(sys.argv[2])):
        with audit.attribution(user="usr_1", conversation=f"conv_{number // 10}", turn=number % 10, trigger="user_request"):
            try:
                get_order(f"ORD-{number}", api_key="sk-live51H8xYzKq0AbCdEfGhIjKl")
            except LookupError:
                continue
            finally:
                time.sleep(0.01)
    audit.shutdown()


if __name__ == "__main__":
    main()
