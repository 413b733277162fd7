"""
Work for another process, with the attribution of whoever gave it.

What crosses is text and numbers: the attribution's values, and the ids of the span around. A fork's child drops what it inherits
(:mod:`~otel_tool_audit.propagation.context`), so without this it would know nobody.

Source: ARCHITECTURE.md, R9; Python, ``multiprocessing``, "Programming guidelines".
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from otel_tool_audit.propagation.context import KEY, NOBODY, Attribution, current_context, run_in

Function = Callable[..., Any]


class CarriedJob:
    """A function that runs, in another process, on behalf of whoever it was given by."""

    def __init__(self, function: Function, said: bytes) -> None:
        """
        Bind a function.

        Args:
            function: What is to run; it must be such as can be sent there.
            said: What :func:`carried` made of the context.
        """
        self.function = function
        self.said = said

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the function's own
        """Run it."""
        values, metadata, claimed, adapted, span = pickle.loads(self.said)  # noqa: S301 - made by the parent, and sent beside the function itself
        context = otel.set_value(KEY, Attribution(values, metadata, claimed, adapted), otel.Context())
        if span is not None:
            around = SpanContext(span[0], span[1], is_remote=True, trace_flags=TraceFlags(span[2]))
            context = trace.set_span_in_context(NonRecordingSpan(around), context)
        leave = run_in(context)
        try:
            return self.function(*args, **kwargs)
        finally:
            leave()


def carried(function: Function) -> Function:
    """
    Bind a function to the attribution that holds here, wherever it will run.

    Args:
        function: What is to run.

    Returns:
        The function itself where nobody is known; what cannot be sent to another process stays behind.
    """
    context = current_context()
    said = context.get(KEY)
    if not isinstance(said, Attribution) or said is NOBODY or isinstance(function, CarriedJob):
        return function
    around = trace.get_current_span(context).get_span_context()
    span = (around.trace_id, around.span_id, int(around.trace_flags)) if around.is_valid else None
    for metadata in (said.metadata, {}):
        try:
            told = pickle.dumps((dict(said.values), dict(metadata), dict(said.claimed), said.adapted, span))
        except Exception:  # noqa: BLE001, S112 - what an application says may be anything; then the next less
            continue
        return CarriedJob(function, told)
    return function
