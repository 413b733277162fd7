"""
A sampler that lets every span reach the processors, and no other span reach the exporter than before.

Source: OpenTelemetry specification, trace SDK, "AlwaysRecord"; the SDK has one from 1.45 on, older ones are supported.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, DEFAULT_ON, Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind
from opentelemetry.trace.span import TraceState
from opentelemetry.util.types import Attributes

_DEFAULT: Final = cast("Sampler", DEFAULT_ON).get_description()


class RecordAll(Sampler):
    """
    Turns DROP into RECORD_ONLY.

    Attributes:
        root: Decides what is sampled.
    """

    def __init__(self, root: Sampler) -> None:
        """
        Wrap a sampler.

        Args:
            root: The application's.
        """
        self.root = root

    def should_sample(  # noqa: PLR0917 - the SDK's interface
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Ask the application's sampler, and record what it would drop."""
        result = self.root.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)
        if result.decision is not Decision.DROP:
            return result
        # a sampler that drops also drops the attributes, which the record needs
        return SamplingResult(Decision.RECORD_ONLY, attributes, result.trace_state)

    def get_description(self) -> str:
        """Name both samplers."""
        return f"RecordAll{{{self.root.get_description()}}}"


def records_all(sampler: object) -> bool:
    """Tell whether no span is dropped before the processors see it, as far as the sampler is known."""
    if sampler is None or sampler is ALWAYS_ON or isinstance(sampler, RecordAll):
        return True
    return type(sampler).__name__ == "AlwaysRecordSampler"


def follows_callers(sampler: object) -> bool:
    """Tell whether a sampler is what the SDK takes when nobody names one: it drops only what a caller in another process did not sample."""
    return isinstance(sampler, Sampler) and sampler.get_description() == _DEFAULT
