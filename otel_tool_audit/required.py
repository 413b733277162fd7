"""
What ``opentelemetry-instrument`` imports before it starts the agent (entry point ``opentelemetry_environment_variables``).

With ``OTEL_TOOL_AUDIT_REQUIRED``, or its option, this module's import lets OpenTelemetry's set-up in the agent's process begin with
``setup.zero_code.distro()``: where that set-up fails OpenTelemetry only logs it, and the agent would run unaudited.

Source: opentelemetry-instrumentation, ``auto_instrumentation/__init__.py``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

from otel_tool_audit.settings import is_required, variable

_DISTRO: Final = "OTEL_PYTHON_DISTRO"
_OPTION: Final = "--tool_audit_required"


def _asked(arguments: Sequence[str]) -> bool:
    """Tell whether the command's own options say that auditing is required; the last one counts."""
    found = False
    for at, argument in enumerate(arguments):
        option, equals, value = argument.partition("=")
        if option == _OPTION:
            found = is_required(value if equals else arguments[at + 1] if at + 1 < len(arguments) else "")
    return found


if is_required(os.environ.get(variable("required"), "")) or _asked(sys.argv[1:]):
    os.environ.setdefault(_DISTRO, "tool_audit")
