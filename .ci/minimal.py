"""What must work where only the core is installed: recording, verifying, and one line that says how to get the command."""

from __future__ import annotations

import os
import subprocess
import sys

os.environ["OTEL_TRACES_EXPORTER"] = "none"

import otel_tool_audit as audit

trail = sys.argv[1]
with audit.configure(trail):

    @audit.tool
    def get_order(order_id: str) -> dict[str, str]:
        """Look an order up."""
        return {"order_id": order_id, "status": "shipped"}

    with audit.attribution(user="usr_1", model="m", conversation="c"):
        get_order("ORD-1")

found = audit.verify(trail)
assert (True, "complete") == (found.ok, found.completeness), found
command = os.path.join(os.path.dirname(sys.executable), "otel-tool-audit")
done = subprocess.run([command, "verify", trail], capture_output=True, text=True, check=False)
assert (2, "") == (done.returncode, done.stdout), done
assert 1 == done.stderr.count("\n"), done.stderr
assert "pip install 'otel-tool-audit[cli]'" in done.stderr, done.stderr
