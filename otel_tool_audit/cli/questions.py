"""The options that many verbs share: declared once, and given to each verb as values, what is asked and how the answer is wanted."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from otel_tool_audit.access.journal import Entry
from otel_tool_audit.access.question import Question
from otel_tool_audit.access.reader import TrailReader
from otel_tool_audit.cli import options as opt
from otel_tool_audit.cli import output

_FILTERS: Final[dict[str, Any]] = {
    "user": opt.User, "role": opt.Role, "agent": opt.Agent, "model": opt.Model, "conversation": opt.Conversation, "tool": opt.Tool,
    "trigger": opt.TriggerIs, "subject": opt.Subject, "purpose": opt.Purpose, "status": opt.StatusIs, "retention": opt.Retention, "text": opt.Words,
    "trace_id": opt.Trace,
}  # fmt: skip


_TIMES: Final[dict[str, Any]] = {"since": opt.Since, "until": opt.Until, "during": opt.During, "time_zone": opt.TimeZone}


class AnswerRequest(NamedTuple):
    """
    Who asks, and how they want the answer.

    Attributes:
        name: What ``--as`` says.
        reason: What ``--reason`` says.
        json: Whether ``--json`` was given.
        state: What ``--state`` says.
        style: What ``--format`` says.
        file: What ``--output`` says.
    """

    name: str | None
    reason: str | None
    json: bool
    state: str | None
    style: str | None = None
    file: str | None = None

    def format(self, names: Sequence[str]) -> str:
        """
        Tell in which format the answer is wanted.

        Args:
            names: Of the formats that there are.

        Raises:
            BadUsage: A file would get a table.
            SettingsError: The file cannot be written.
        """
        return opt.choose(names, self.style, self.file, json=self.json)

    def open(self, path: str) -> TrailReader:
        """
        Open a trail for asking; whether a reading is on record is said on stderr.

        Args:
            path: Its directory.

        Raises:
            TrailCorrupt: There is no trail.
            UnsupportedFormat: A newer version wrote it.
        """
        return TrailReader(path, state=self.state, asked_by=self.name, reason=self.reason, tell=_announce)


class Options(NamedTuple):
    """
    Options that a verb is given as one value.

    Attributes:
        kinds: Name to kind, in the order in which help lists them.
        read: Makes the value of what they say.
    """

    kinds: dict[str, Any]
    read: Callable[..., Any]


def request_options(*, file: bool = True, style: Any = None) -> Options:  # noqa: ANN401 - an annotated type
    """
    Give the options that make a :class:`AnswerRequest`.

    Args:
        file: Whether there is ``--output``.
        style: The kind of ``--format``; None: there is no such option.
    """
    kinds = {"name": opt.As, "reason": opt.Reason, "file": file and opt.Output, "style": style, "json": opt.Json, "state": opt.State}
    return Options({name: kind for name, kind in kinds.items() if kind}, AnswerRequest)


def asks(command: Callable[..., None]) -> Callable[..., None]:
    """
    Give a verb the options that it shares with others.

    Args:
        command: The verb. Options that filter calls stand in the place of a parameter that is a :class:`Question`, and those of
            :func:`request_options` in that of ``Annotated[AnswerRequest, request_options(…)]``.
    """
    own = inspect.signature(command, eval_str=True)
    shared = {name: options for name, parameter in own.parameters.items() if (options := _options_of(parameter.annotation)) is not None}
    parameters: list[inspect.Parameter] = []
    for name, parameter in own.parameters.items():
        parameters += [_parameter(*kind) for kind in shared[name].kinds.items()] if name in shared else [parameter]

    @functools.wraps(command)
    def verb(**given: Any) -> None:  # noqa: ANN401 - as many types as options
        values = {name: options.read(**{option: given.pop(option) for option in options.kinds}) for name, options in shared.items()}
        command(**given, **values)

    # typer reads either, depending on its version
    vars(verb)["__signature__"] = own.replace(parameters=parameters)
    verb.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return verb


def _options_of(annotation: Any) -> Options | None:  # noqa: ANN401 - an annotated type
    if annotation is Question:
        return Options(_FILTERS | _TIMES, _question)
    return next((found for found in getattr(annotation, "__metadata__", ()) if isinstance(found, Options)), None)


def _parameter(name: str, kind: Any) -> inspect.Parameter:  # noqa: ANN401 - an annotated type
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False if kind is opt.Json else None, annotation=kind)


def _question(**given: Any) -> Question:  # noqa: ANN401 - as many types as options
    times = {name: given[name] for name in _TIMES}
    asked = opt.asked(times["since"], times["until"], times["during"], times["time_zone"])
    only = {name: str(value) for name in _FILTERS if (value := given[name]) is not None}
    return Question(only, asked, {name: text for name, text in times.items() if text is not None})


def _announce(entry: Entry) -> None:
    output.say(entry.in_words(), "dim" if entry.address else "yellow")
