"""
The command ``otel-tool-audit``, also ``python -m otel_tool_audit``.

Without the packages of the extra ``cli`` it says in one line how to get them.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

from otel_tool_audit.exit_codes import USAGE


def main() -> int:
    """Run the command with the arguments of this process and return its exit code."""
    if find_spec("typer") is None or find_spec("rich") is None:
        sys.stderr.write("otel-tool-audit: the command line needs typer and rich: pip install 'otel-tool-audit[cli]'\n")
        return USAGE
    from otel_tool_audit.cli.app import run  # noqa: PLC0415 - the extra is known to be there only now

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
