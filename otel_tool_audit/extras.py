"""Packages that only those have who asked for them: imported where they are used, or missed with what to install."""

from __future__ import annotations

import importlib
from typing import Any

from otel_tool_audit.errors import SettingsError


def optional(module: str, missing: str) -> Any:  # noqa: ANN401 - a module, perhaps without types
    """
    Import a module of an extra.

    Args:
        module: Its name.
        missing: What to say where it is not installed: what needs it, and how to get it.

    Raises:
        SettingsError: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise SettingsError(missing) from error
