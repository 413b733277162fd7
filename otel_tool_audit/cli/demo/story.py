"""What the demonstration does, step by step, and what it tells."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

import otel_tool_audit as audit
from otel_tool_audit.cli.demo.agent import converse
from otel_tool_audit.cli.demo.forger import FORGERIES, forged
from otel_tool_audit.cli.demo.script import CARD, CARRIER_KEY, CONVERSATIONS
from otel_tool_audit.cli.demo.shop import Shop
from otel_tool_audit.cli.output import safe
from otel_tool_audit.cli.verdicts import STYLES
from otel_tool_audit.errors import SettingsError
from otel_tool_audit.format.events import FINISHED
from otel_tool_audit.review.calls.timeline import one_line
from otel_tool_audit.review.verify.findings import Verification
from otel_tool_audit.review.verify.verifier import verify
from otel_tool_audit.settings import variable

if TYPE_CHECKING:
    from otel_tool_audit.review.reader import UnauditedReader

_MARGIN: Final = 3
_WIDEST: Final = 110
_COMMAND_WIDTH: Final = 40
_DEED_WIDTH: Final = 46
_LABEL_WIDTH: Final = 14
_TURN_WIDTH: Final = 9
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_STATUS_STYLES: Final = {"✅": "green", "❌": "red", "⛔": "yellow", "⏳": "cyan"}
_WORKER: Final = "otel_tool_audit.cli.demo.worker"


def tell(console: Console, directory: str) -> None:
    """
    Run the demonstration.

    Args:
        console: Where it is told.
        directory: Where everything is put; made if it is missing.

    Raises:
        SettingsError: Something is there already.
    """
    trail, state, database = (os.path.join(directory, name) for name in ("audit", "state", "shop.db"))
    os.makedirs(directory, mode=0o700, exist_ok=True)
    if os.listdir(directory):
        message = f"{directory} is not empty: name a new directory for the demo"
        raise SettingsError(message)
    _Story(console, trail, state, database).tell()


class _Story:
    def __init__(self, console: Console, trail: str, state: str, database: str) -> None:
        self._console = console
        self._trail = trail
        self._state = state
        self._database = database
        self._width = min(console.width, _WIDEST) if console.is_terminal else _WIDEST
        self._steps = 0

    def tell(self) -> None:
        self._console.print()
        self._text(
            "A support agent serves customers of a small shop. Each call of its tools becomes an OpenTelemetry span for operators, "
            "and records in a trail: evidence, on disk before the tool runs."
        )
        self._agent_works()
        self._worker_dies()
        self._secrets_are_kept_out()
        self._trail_holds()
        self._forger_fails()
        self._what_next()

    def _agent_works(self) -> None:
        self._step("The agent works")
        shop = Shop(self._database)
        with _only_asked_exports(), audit.configure(self._trail, state=self._state, service_name="demo-shop", required=True, on_unavailable="refuse"):
            for conversation in CONVERSATIONS:
                converse(shop, conversation)
        shop.close()
        for conversation in CONVERSATIONS:
            self._timeline(conversation.name)
        self._exported()

    def _worker_dies(self) -> None:
        self._step("A worker is killed (-9) while it charges a customer")
        environment = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
        command = [sys.executable, "-m", _WORKER, self._trail, self._state]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as worker:  # noqa: S603 - our own module
            line = worker.stdout.readline() if worker.stdout is not None else b""
            worker.send_signal(signal.SIGKILL)
        if line != b"inside\n":
            message = f"the demo's worker did not start; try: {' '.join(command)}"
            raise SettingsError(message)
        self._timeline("conv_dora")
        self._text(
            "Its start was on disk before the tool ran, so even this leaves evidence: someone has to find out whether the customer was charged."
        )

    def _secrets_are_kept_out(self) -> None:
        self._step("What was kept out")
        for call in self._reader().calls(conversation=CONVERSATIONS[0].name):
            for redaction in call["redactions"]:
                self._columns((call["tool_name"], "bold", 18), (redaction["path"], "", 22), (f"rule {redaction['rule']}", "dim", 0))
        stored = b"".join(_contents(self._trail))
        leaked = [secret for secret in (CARRIER_KEY, CARD) if secret.encode() in stored]
        self._console.print()
        self._text(
            f"Searched for in all {len(stored):,} bytes of the trail: the carrier's key and the card number. "
            + ("FOUND!" if leaked else "Neither is there.")
        )

    def _trail_holds(self) -> None:
        self._step("Does the trail hold?")
        found = self._verify()
        self._verdict(found)
        for gap in found.gaps:
            self._hanging(Text.assemble(("~ ", "yellow"), safe(gap)), 2)

    def _forger_fails(self) -> None:
        self._step("Someone changes the evidence")
        record, segment, index = self._target()
        self._text(
            f"Record {record['chain']}/{record['seq']} says that $49.00 were refunded. Whoever can write the trail's files, and knows their format, tries:"
        )
        for forgery in FORGERIES:
            with forged(segment, index, forgery):
                found = self._verify()
            self._deed(forgery.deed, found)
        self._deed("all of it undone, byte for byte", self._verify())
        self._console.print()
        self._text(
            "Where each chain ends is remembered outside of the trail, in the state directory. Whoever can write both is found out by "
            "what others hold: each exported span carries its record's hash."
        )

    def _what_next(self) -> None:
        self._step("Look around")
        self._line(Text(f"export {variable('trail')}={self._trail}"))
        self._line(Text(f"export {variable('state')}={self._state}"))
        for arguments, purpose in (
            ("calls --status error", "what failed"),
            ("timeline conv_ben", "one conversation"),
            (f"show {self._interrupted()}", "the charge that was cut off"),
            ("verify", "the whole trail"),
            ("doctor", "what could be better"),
        ):
            self._columns((f"otel-tool-audit {arguments}", "bold", _COMMAND_WIDTH), (purpose, "dim", 0))
        self._console.print()
        self._text('In your agent: audit.configure("./audit"), @audit.tool, with audit.attribution(user=…): see README.md.')
        self._console.print()

    # --- asking the trail

    def _reader(self) -> UnauditedReader:
        # the story is about the agent: whoever watches it is no part of its evidence
        return audit.TrailReader(self._trail, state=self._state).unaudited

    def _verify(self) -> Verification:
        return verify(self._trail, state=self._state)

    def _interrupted(self) -> str:
        call = next(iter(self._reader().calls(status="interrupted")))
        return f"{call['chain']}/{call['seq']}"

    def _target(self) -> tuple[Mapping[str, Any], str, int]:
        """Find the record of the refund: the record, its segment, and the index of its line there."""
        for index, record in enumerate(self._reader().records("financial")):
            if record["event"] == FINISHED and record["tool_name"] == "issue_refund":
                return record, os.path.join(self._trail, "financial", "000000000000.jsonl"), index
        raise AssertionError

    # --- telling

    def _step(self, title: str) -> None:
        self._steps += 1
        self._console.print()
        self._console.print(Text.assemble((f"{self._steps}  ", "bold cyan"), (title, "bold")))
        self._console.print()

    def _text(self, text: str) -> None:
        self._hanging(Text(text), 0)

    def _line(self, line: Text) -> None:
        line.rstrip()
        self._console.print(Text(" " * _MARGIN) + line)

    def _hanging(self, text: Text, indent: int) -> None:
        """Print text with the lines after the first one indented, in spaces."""
        first, *others = text.wrap(self._console, self._width - _MARGIN - 1) or [Text()]
        self._line(first)
        rest = Text(" ").join(others)
        for line in rest.wrap(self._console, self._width - _MARGIN - indent - 1) if others else ():
            self._line(Text(" " * indent) + line)

    def _columns(self, *cells: tuple[str, str, int]) -> None:
        """Print cells side by side: text, style, width in cells."""
        line = Text()
        for text, style, width in cells:
            shown = safe(text)
            line.append(shown, style).append(" " * max(2, width - cell_len(shown)))
        self._line(line)

    def _deed(self, deed: str, found: Verification) -> None:
        self._console.print()
        self._columns((deed, "bold", _DEED_WIDTH), (found.integrity, STYLES[found.integrity], 0))
        self._finding(found)

    def _timeline(self, conversation: str) -> None:
        reader = self._reader()
        calls = list(reader.calls(conversation=conversation))
        who = one_line({**calls[0], "tool_name": None, "trigger": None})
        self._line(Text.assemble((conversation, "bold"), (f"  {who}", "dim")))
        for line in reader.timeline(conversation).splitlines():
            self._call(line)
        self._console.print()

    def _call(self, line: str) -> None:
        """Print a line of a timeline; one that is too long is broken before what came of the call."""
        head, arrow, rest = line.partition(" → ")
        style = next((style for mark, style in _STATUS_STYLES.items() if mark in head), "")
        if cell_len(line) < self._width - _MARGIN:
            self._line(Text.assemble(head, (arrow, "dim"), (rest, style)))
            return
        self._hanging(Text(head), _TURN_WIDTH)
        self._hanging(Text.assemble(" " * _TURN_WIDTH, ("→ ", "dim"), (rest, style)), _TURN_WIDTH + 2)

    def _verdict(self, found: Verification) -> None:
        self._columns(("integrity", "dim", _LABEL_WIDTH), (found.integrity, STYLES[found.integrity], 0))
        self._columns(("completeness", "dim", _LABEL_WIDTH), (found.completeness, STYLES[found.completeness], 0))
        self._columns(("records", "dim", _LABEL_WIDTH), (str(found.records), "", 0))
        self._finding(found)

    def _finding(self, found: Verification) -> None:
        for finding in found.findings[:1]:
            self._hanging(Text.assemble(("✗ ", "bold red"), (safe(finding.where), "bold"), f"  {safe(finding.message)}"), 2)

    def _exported(self) -> None:
        endpoint = next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), None)
        if endpoint is None:
            self._text("The spans went nowhere: OTEL_EXPORTER_OTLP_ENDPOINT is not set. Set it to see them in Jaeger, Phoenix or Tempo.")
            return
        last: Mapping[str, Any] = {}
        for record in self._reader().records("trail"):
            last = record["details"]["counters"] if "counters" in (record.get("details") or {}) else last
        sent, dropped = last.get("spans_forwarded", 0), last.get("spans_dropped", 0)
        lost = f", of which {dropped} could not be delivered: is it running?" if dropped else "."
        self._text(f"{sent} spans were exported to {_without_credentials(endpoint)}{lost}")


@contextmanager
def _only_asked_exports() -> Iterator[None]:
    """Export nothing unless an endpoint was named: the default one is nobody's wish here."""
    before = os.environ.get("OTEL_TRACES_EXPORTER")
    if not any(os.environ.get(name) for name in _ENDPOINTS):
        os.environ["OTEL_TRACES_EXPORTER"] = "none"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("OTEL_TRACES_EXPORTER", None)
        else:
            os.environ["OTEL_TRACES_EXPORTER"] = before


def _contents(directory: str) -> Iterator[bytes]:
    for folder, _, names in os.walk(directory):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                yield file.read()


def _without_credentials(address: str) -> str:
    return address.rpartition("@")[2]
