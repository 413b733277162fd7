"""
For tests of applications: a trail and a state directory of one's own, a fixed clock and ids, and assertions.

    with audit_trail() as trail:
        with attribution(user="usr_1", conversation="conv_1", model="gpt-4.1"):
            get_order("ORD-123")
        trail.assert_recorded("get_order", user_id="usr_1", arguments={"order_id": "ORD-123"}, success=True)

With pytest, ``pytest_plugins = ["otel_tool_audit.testing"]`` gives the fixture ``audit_trail_fixture``.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import orjson
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_tool_audit.processor import AuditSpanProcessor
from otel_tool_audit.review.reader import UnauditedReader
from otel_tool_audit.review.verify.verifier import Verification, verify
from otel_tool_audit.settings import variable
from otel_tool_audit.setup import Audit, configure

START: Final = 1_772_366_400_000_000_000
"""2026-03-01T12:00:00Z, in nanoseconds since the Unix epoch: where the fixed clock starts."""

_MICROSECOND: Final = 1_000


class FixedClock:
    """A clock that goes on by itself: each look is one microsecond after the last, so that order is kept."""

    def __init__(self, start: int = START) -> None:
        """
        Set it.

        Args:
            start: Nanoseconds since the Unix epoch.
        """
        self.now = start

    def __call__(self) -> int:
        """Look at it."""
        self.now += _MICROSECOND
        return self.now

    def advance(self, seconds: float) -> None:
        """Move it, back too."""
        self.now += int(seconds * 1_000_000_000)


def counting_ids() -> Callable[[], str]:
    """Make ids that count: ``000…001``, ``000…002``, …, 32 hex digits each."""
    numbers = itertools.count(1)
    return lambda: f"{next(numbers):032x}"


class RecordedCalls:
    """
    What was recorded while ``audit_trail()`` ran.

    Attributes:
        audit: What ``configure()`` gave.
        path: The trail's directory.
        state: The state directory.
        clock: Of the calls' timestamps.
    """

    def __init__(self, audit: Audit, path: str, state: str, clock: FixedClock, exporter: InMemorySpanExporter) -> None:
        """Not for applications: use :func:`audit_trail`."""
        self.audit = audit
        self.path = path
        self.state = state
        self.clock = clock
        self._exporter = exporter

    def calls(self, **filters: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - as TrailReader.calls() takes them
        """List the calls, their records folded; filters as for ``TrailReader.calls()``."""
        self.audit.flush()
        return list(UnauditedReader(self.path, state=self.state).calls(**filters))

    def records(self, chain: str = "general") -> list[dict[str, Any]]:
        """List a chain's records, as written."""
        self.audit.flush()
        lines: list[bytes] = []
        for segment in sorted(Path(self.path, chain).glob("*.jsonl")):
            lines += segment.read_bytes().split(b"\n")
        return [orjson.loads(line) for line in lines if line]

    def spans(self) -> list[ReadableSpan]:
        """List the spans that were exported: sanitized, and stamped if they are tool calls."""
        self.audit.flush()
        return list(self._exporter.get_finished_spans())

    def verify(self) -> Verification:
        """Verify the trail."""
        return verify(self.path, state=self.state)

    def assert_recorded(self, tool: str, *, times: int | None = None, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - a record's fields
        """
        Assert that a tool was called, with what a call's fields are.

        Args:
            tool: Its name.
            times: How often; without it, at least once.
            **fields: Fields of the call (FORMAT.md, section 4), equal.

        Returns:
            The last such call.

        Raises:
            AssertionError: It was not; the message shows the tool's calls as they were.
        """
        called = [call for call in self.calls() if call["tool_name"] == tool]
        found = [call for call in called if all(call.get(name) == value for name, value in fields.items())]
        if not found or (times is not None and len(found) != times):
            shown = [{name: call.get(name) for name in fields} for call in called]
            wanted = "at least once" if times is None else f"{times} times"
            message = f"{tool} was to be recorded {wanted} with {fields}; it was {len(found)} times; its {len(called)} calls have: {shown}"
            raise AssertionError(message)
        return found[-1]


@contextlib.contextmanager
def audit_trail(**settings: Any) -> Iterator[RecordedCalls]:  # noqa: ANN401 - as configure() takes them
    """
    Configure this process with a trail of its own for the length of a block; the user's state directory is not touched.

    Spans go to memory, through a provider that is not the global one. Durability is ``os`` unless told otherwise.

    Args:
        **settings: As for ``configure()``.

    Raises:
        SettingsError: This process is configured already, or a setting cannot be used.
    """
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(tempfile.TemporaryDirectory(prefix="tool-audit-"))
        path = str(settings.pop("path", os.path.join(place, "audit")))
        state = str(settings.pop("state", os.path.join(place, "state")))
        stack.enter_context(_environment(variable("state"), state))
        audit = configure(path, state=state, tracer_provider=provider, forward=SimpleSpanProcessor(exporter), **({"durability": "os"} | settings))
        stack.callback(provider.shutdown)
        stack.callback(audit.shutdown)
        clock = FixedClock()
        if isinstance(audit.processor, AuditSpanProcessor):
            audit.processor.recorder.calls.clock = clock
            audit.processor.recorder.calls.ids = counting_ids()
        yield RecordedCalls(audit, path, state, clock, exporter)


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before


try:
    import pytest
except ImportError:  # pytest is the application's, not ours
    pass
else:

    @pytest.fixture
    def audit_trail_fixture() -> Iterator[RecordedCalls]:
        """A trail of the test's own."""
        with audit_trail() as recorded:
            yield recorded
