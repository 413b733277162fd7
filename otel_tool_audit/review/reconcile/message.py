"""
OTLP's ``TracesData``, as far as it is read: the rest of a span is passed over, and its attributes are looked up by name.

On the wire a list of key and value is a map. Declared as one, attributes need not be looked at one by one in Python, which takes half of
the time. Of a key that stands twice the last value counts.

Source: opentelemetry-proto 1.7, ``trace/v1/trace.proto`` and ``common/v1/common.proto``; the encoding of maps: protobuf.dev, "Maps".
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto

_PACKAGE = "otel_tool_audit"


def traces_data() -> Any:  # noqa: ANN401 - a class that is made here
    """Make the message's class: its ``FromString`` reads, and raises ``DecodeError`` where the bytes are no message."""
    file = descriptor_pb2.FileDescriptorProto(name="traces_data.proto", package=_PACKAGE, syntax="proto3")
    value = file.message_type.add(name="Value")
    value.oneof_decl.add(name="value")
    # read as bytes: whether all text is UTF-8 is not asked
    value.field.add(name="text", number=1, type=FieldDescriptorProto.TYPE_BYTES, label=FieldDescriptorProto.LABEL_OPTIONAL, oneof_index=0)
    value.field.add(name="number", number=3, type=FieldDescriptorProto.TYPE_INT64, label=FieldDescriptorProto.LABEL_OPTIONAL, oneof_index=0)
    span = file.message_type.add(name="Span")
    _plain(span, "trace_id", 1, FieldDescriptorProto.TYPE_BYTES)
    _plain(span, "span_id", 2, FieldDescriptorProto.TYPE_BYTES)
    _plain(span, "start_time_unix_nano", 7, FieldDescriptorProto.TYPE_FIXED64)
    _attributes(span, 9)
    _many(file.message_type.add(name="ScopeSpans"), "spans", 2, "Span")
    _attributes(file.message_type.add(name="Resource"), 1)
    resource_spans = file.message_type.add(name="ResourceSpans")
    _plain(resource_spans, "resource", 1, FieldDescriptorProto.TYPE_MESSAGE, "Resource")
    _many(resource_spans, "scope_spans", 2, "ScopeSpans")
    _many(file.message_type.add(name="TracesData"), "resource_spans", 1, "ResourceSpans")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.TracesData"))


def _plain(message: DescriptorProto, name: str, number: int, kind: Any, of: str = "") -> None:  # noqa: ANN401 - an enumeration's value
    made = message.field.add(name=name, number=number, type=kind, label=FieldDescriptorProto.LABEL_OPTIONAL)
    if of:
        made.type_name = f".{_PACKAGE}.{of}"


def _many(message: DescriptorProto, name: str, number: int, of: str) -> None:
    kind = FieldDescriptorProto.TYPE_MESSAGE
    message.field.add(name=name, number=number, type=kind, label=FieldDescriptorProto.LABEL_REPEATED, type_name=f".{_PACKAGE}.{of}")


def _attributes(message: DescriptorProto, number: int) -> None:
    entry = message.nested_type.add(name="AttributesEntry")
    entry.options.map_entry = True
    _plain(entry, "key", 1, FieldDescriptorProto.TYPE_STRING)
    _plain(entry, "value", 2, FieldDescriptorProto.TYPE_MESSAGE, "Value")
    _many(message, "attributes", number, f"{message.name}.AttributesEntry")
