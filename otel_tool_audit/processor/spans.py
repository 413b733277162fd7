"""
Sanitized copies of spans. A span that has ended is frozen, so what must not be exported can only be left out of a copy.

Source: ARCHITECTURE.md, R3 and R25.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link, Status

from otel_tool_audit.observe.span_view import plain
from otel_tool_audit.redaction.redacted_values import RedactedValues, TraceValues
from otel_tool_audit.redaction.sanitizer import Sanitizer, out_of_attributes

FAILED: Final = "tool_audit.sanitizer_failed"
"""Stands alone on a span whose attributes could not be sanitized."""

_SHORTEST_IN_NAMES: Final = 3
_MOST_NAMES: Final = 4096
_NOTHING: Final[Mapping[str, Any]] = {}


class SpanCopy(ReadableSpan):
    """A span with other contents, which still knows how much the original had dropped."""

    def __init__(
        self,
        original: ReadableSpan,
        *,
        name: str,
        attributes: Mapping[str, Any],
        events: Sequence[Event],
        links: Sequence[Link],
        resource: Resource,
        status: Status,
    ) -> None:
        """Take everything else from *original*."""
        super().__init__(
            name=name, context=original.context, parent=original.parent, resource=resource, attributes=attributes, events=events, links=links,
            kind=original.kind, status=status, start_time=original.start_time, end_time=original.end_time,
            instrumentation_scope=original.instrumentation_scope,
        )  # fmt: skip
        self._dropped = (original.dropped_attributes, original.dropped_events, original.dropped_links)

    @property
    def dropped_attributes(self) -> int:
        """How many attributes the original had dropped."""
        return self._dropped[0]

    @property
    def dropped_events(self) -> int:
        """How many events the original had dropped."""
        return self._dropped[1]

    @property
    def dropped_links(self) -> int:
        """How many links the original had dropped."""
        return self._dropped[2]


class SpanSanitizer:
    """Makes copies that may be exported."""

    def __init__(self, sanitizer: Sanitizer, traces: TraceValues | None = None) -> None:
        """
        Take the rules.

        Args:
            sanitizer: Applies them.
            traces: What was taken out of calls and spans, by trace; each span adds to it, and hides what is there.
        """
        self._sanitizer = sanitizer
        self._traces = TraceValues() if traces is None else traces
        self._names: dict[str, str] = {}
        self._resource: tuple[Resource | None, Resource | None] = (None, None)

    def cleaned(self, span: ReadableSpan, stamped: Mapping[str, Any] = _NOTHING) -> ReadableSpan:
        """
        Sanitize a span.

        Args:
            span: Ended.
            stamped: Attributes that the gate put there itself: they are sanitized already.

        Returns:
            *span* itself when nothing in it had to change.
        """
        memory = RedactedValues(None if span.context is None else self._traces.of(span.context.trace_id))
        attributes = plain(span.attributes)
        # the usual own span: nobody put anything over what the gate stamped
        cleaned = attributes if attributes == stamped else self._attributes(attributes, memory, stamped)
        name = self._name(span.name)
        resource = self._cleaned_resource(span.resource)
        description = span.status.description
        said = str(self._sanitizer.text(description, withheld=memory).value) if description else description
        had_events, had_links = span.events, span.links
        events = self._events(had_events, memory) if had_events else had_events
        links = self._links(had_links, memory) if had_links else had_links
        if memory:
            # what one part told of a value hides it in the others, too; what the gate stamped is as the record has it, and stays
            cleaned = _without(memory, cleaned, stamped)
            name = memory.out_of(name, "", _SHORTEST_IN_NAMES)[0]
            said = memory.out_of(said, "")[0] if said else said
            events = [_other(event, memory) for event in events]
            links = [link if (kept := _without(memory, plain(link.attributes))) is link.attributes else Link(link.context, kept) for link in links]
        same = cleaned is attributes and name == span.name and resource is span.resource and said == description
        if same and _unchanged(events, had_events) and _unchanged(links, had_links):
            return span
        status = span.status if said == description else Status(span.status.status_code, said)
        return SpanCopy(span, name=name, attributes=cleaned, events=events, links=links, resource=resource, status=status)

    def stamped(self, span: ReadableSpan, attributes: Mapping[str, Any]) -> ReadableSpan:
        """Copy a sanitized span with other attributes."""
        return SpanCopy(span, name=span.name, attributes=attributes, events=span.events, links=span.links, resource=span.resource, status=span.status)

    def bare(self, span: ReadableSpan) -> ReadableSpan:
        """Keep of a span only what no one can have put a secret into: when and where it happened, and whether it failed."""
        status = Status(span.status.status_code)
        return SpanCopy(span, name="span", attributes={FAILED: True}, events=(), links=(), resource=Resource({}), status=status)

    def _attributes(
        self, attributes: Mapping[str, Any], memory: RedactedValues | None = None, stamped: Mapping[str, Any] = _NOTHING
    ) -> Mapping[str, Any]:
        suspects = attributes
        if stamped:
            # equal to what the gate stamped means sanitized; a limit may have cut it, the tool may have put something over it
            suspects = {key: value for key, value in attributes.items() if key not in stamped or stamped[key] != value}
        if not suspects:
            return attributes
        safe = self._sanitizer.attributes(suspects, withheld=memory).value
        if len(safe) == len(suspects) and all(key in safe and safe[key] is value for key, value in suspects.items()):
            return attributes
        if suspects is attributes:
            return dict(safe)
        kept = {key: value for key, value in attributes.items() if key not in suspects}
        return {**kept, **safe}

    def _name(self, name: str) -> str:
        known = self._names.get(name)
        if known is None:
            known = str(self._sanitizer.text(name).value)
            if len(self._names) >= _MOST_NAMES:
                # names with ids in them: the table is no use then, and must not grow
                self._names.clear()
            self._names[name] = known
        return known

    def _events(self, events: Sequence[Event], memory: RedactedValues) -> Sequence[Event]:
        made = []
        for event in events:
            attributes = plain(event.attributes)
            cleaned = self._attributes(attributes, memory)
            name = self._name(event.name)
            same = cleaned is attributes and name == event.name
            made.append(event if same else Event(name, cleaned, event.timestamp))
        return made

    def _links(self, links: Sequence[Link], memory: RedactedValues) -> Sequence[Link]:
        made = []
        for link in links:
            attributes = plain(link.attributes)
            cleaned = self._attributes(attributes, memory)
            made.append(link if cleaned is attributes else Link(link.context, cleaned))
        return made

    def _cleaned_resource(self, resource: Resource) -> Resource:
        known, cleaned = self._resource
        if known is not resource or cleaned is None:
            attributes = dict(resource.attributes)
            safe = self._attributes(attributes)
            cleaned = resource if safe is attributes else Resource(safe, resource.schema_url)
            # one assignment of both: threads see a pair that belongs together
            self._resource = (resource, cleaned)
        return cleaned


def _without(memory: RedactedValues, attributes: Mapping[str, Any], stamped: Mapping[str, Any] = _NOTHING) -> Mapping[str, Any]:
    """Take out of attributes what is withheld; the same object when nothing is there."""
    suspects = {key: value for key, value in attributes.items() if key not in stamped or stamped[key] != value} if stamped else attributes
    clean, _ = out_of_attributes(memory, suspects, "")
    if all(clean[key] is value for key, value in suspects.items()):
        return attributes
    return {**attributes, **clean}


def _other(event: Event, memory: RedactedValues) -> Event:
    attributes = plain(event.attributes)
    kept = _without(memory, attributes)
    return event if kept is attributes else Event(event.name, kept, event.timestamp)


def _unchanged(cleaned: Sequence[object], original: Sequence[object]) -> bool:
    return not original or all(a is b for a, b in zip(cleaned, original, strict=True))
