"""The filters that all verbs share which ask for calls: declared once, and given to each verb as one question."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Final

from otel_tool_audit.access.question import Question
from otel_tool_audit.cli import options as opt

_FILTERS: Final[dict[str, Any]] = {
    "user": opt.User, "role": opt.Role, "agent": opt.Agent, "model": opt.Model, "conversation": opt.Conversation, "tool": opt.Tool,
    "trigger": opt.TriggerIs, "subject": opt.Subject, "purpose": opt.Purpose, "status": opt.StatusIs, "retention": opt.Retention, "text": opt.Words,
    "trace_id": opt.Trace,
}  # fmt: skip


_TIMES: Final[dict[str, Any]] = {"since": opt.Since, "until": opt.Until, "during": opt.During, "time_zone": opt.TimeZone}


def asks(command: Callable[..., None]) -> Callable[..., None]:
    """
    Give a verb the options that filter calls; its parameter ``question`` becomes what they say.

    Args:
        command: The verb.
    """
    own = inspect.signature(command, eval_str=True)
    added = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind) for name, kind in (_FILTERS | _TIMES).items()]
    kept = [parameter for parameter in own.parameters.values() if parameter.name != "question"]
    first = [parameter for parameter in kept if parameter.kind is not inspect.Parameter.KEYWORD_ONLY]
    last = [parameter for parameter in kept if parameter.kind is inspect.Parameter.KEYWORD_ONLY]

    @functools.wraps(command)
    def verb(**given: Any) -> None:  # noqa: ANN401 - as many types as options
        times = {name: given.pop(name) for name in _TIMES}
        only = {name: value for name in _FILTERS if (value := given.pop(name)) is not None}
        asked = opt.asked(times["since"], times["until"], times["during"], times["time_zone"])
        said = {name: text for name, text in times.items() if text is not None}
        command(**given, question=Question({name: str(value) for name, value in only.items()}, asked, said))

    signature = own.replace(parameters=[*first, *added, *last])
    # typer reads either, depending on its version
    vars(verb)["__signature__"] = signature
    verb.__annotations__ = {name: parameter.annotation for name, parameter in signature.parameters.items()}
    return verb
