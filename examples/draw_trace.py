"""
A picture of a trace, asked of Jaeger: who called what, how long it took, and where the evidence of each call stands.

    otel-tool-audit demo                                          # with OTEL_EXPORTER_OTLP_ENDPOINT set
    python draw_trace.py http://localhost:16686 demo-shop conversation=conv_ben > trace.svg

The second argument is a service; what follows are tags that one of the trace's spans has. Without any, the latest trace is drawn.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, TOP = 1080, 470, 110, 128
ROW, TALL = 30, 48
LONGEST = 62
CHARACTER = 6.65
FONT: Final = "ui-sans-serif, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"
MONO: Final = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
INK, SOFT, FAINT, RULE = "#1f2933", "#5b6875", "#8a96a3", "#e4e8ec"
COLOURS: Final = {"invoke_agent": "#7c6bd6", "chat": "#c9a227", "execute_tool": "#2a8f78"}
FAILED, OTHER = "#c8453b", "#6b7785"
LEGEND: Final = (
    (277, "agent", COLOURS["invoke_agent"]),
    (213, "model", COLOURS["chat"]),
    (148, "tool call", COLOURS["execute_tool"]),
    (76, "failed", FAILED),
)
SHORT: Final = {"conversation": "gen_ai.conversation.id", "user": "user.id", "tool": "gen_ai.tool.name", "trigger": "tool_audit.trigger"}


class Span(NamedTuple):
    """
    A span where it stands in its trace.

    Attributes:
        depth: How many spans it lies in.
        name: Its name.
        start: Microseconds since the trace began.
        duration: Microseconds.
        tags: By name.
    """

    depth: int
    name: str
    start: int
    duration: int
    tags: Mapping[str, Any]

    @property
    def tool(self) -> bool:
        """Whether it is of a tool's call that is on record."""
        return "tool_audit.hash" in self.tags

    @property
    def failed(self) -> bool:
        """Whether it says that something went wrong."""
        return "error.type" in self.tags

    @property
    def colour(self) -> str:
        """Its bar's colour."""
        return FAILED if self.failed else COLOURS.get(str(self.tags.get("gen_ai.operation.name")), OTHER)

    @property
    def height(self) -> int:
        """Its row's height."""
        return TALL if self.tool else ROW


def find(address: str, service: str, tags: Mapping[str, str]) -> dict[str, Any]:
    """Ask Jaeger for the latest trace of a service with these tags."""
    now = time.time_ns() // 1000
    asked = {"service": service, "tags": json.dumps(tags), "start": now - 86_400_000_000, "end": now, "limit": 1}
    with urllib.request.urlopen(f"{address}/api/traces?{urllib.parse.urlencode(asked)}", timeout=30) as answer:  # noqa: S310 - the address that the user gave
        found = json.load(answer)["data"]
    if not found:
        sys.exit(f"Jaeger at {address} has no trace of {service} with {tags or 'any tags'} from the last day")
    trace: dict[str, Any] = found[0]
    return trace


def arranged(trace: Mapping[str, Any]) -> list[Span]:
    """Put each span under the one it was made in, in the order in which they started."""
    begin = min(span["startTime"] for span in trace["spans"])
    ids = {span["spanID"] for span in trace["spans"]}
    below: dict[str | None, list[dict[str, Any]]] = {}
    for span in sorted(trace["spans"], key=lambda span: span["startTime"]):
        parent = next((r["spanID"] for r in span["references"] if r["spanID"] in ids), None)
        below.setdefault(parent, []).append(span)

    def under(parent: str | None, depth: int) -> Iterator[Span]:
        for span in below.get(parent, ()):
            tags = {tag["key"]: tag["value"] for tag in span["tags"]}
            yield Span(depth, span["operationName"], span["startTime"] - begin, span["duration"], tags)
            yield from under(span["spanID"], depth + 1)

    return list(under(None, 0))


def text(x: float, y: float, what: str, size: float = 13, fill: str = INK, *, mono: bool = False, bold: bool = False, end: bool = False) -> str:
    """Write a line of text."""
    style = f'font-family="{MONO if mono else FONT}" font-size="{size}" fill="{fill}"'
    weight, anchor = ' font-weight="600"' if bold else "", ' text-anchor="end"' if end else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}{weight}{anchor}>{escape(what)}</text>'


def took(microseconds: float) -> str:
    """Write a duration for people."""
    milliseconds = microseconds / 1000
    return f"{milliseconds:.1f} ms" if milliseconds < 100 else f"{milliseconds:.0f} ms" if milliseconds < 10_000 else f"{milliseconds / 1000:.1f} s"


def heading(spans: list[Span], service: str, trace_id: str) -> Iterator[str]:
    """Say whose trace it is."""
    told = next((span.tags for span in spans if span.tool), {})
    tools = [span for span in spans if span.tool]
    yield text(28, 40, f"{service}: {told.get('gen_ai.conversation.id', spans[0].name)}", 19, bold=True)
    failed = sum(span.failed for span in tools)
    counted = f"{len(spans)} spans, {len(tools)} tool calls{f', {failed} failed' if failed else ''}, {took(max(s.start + s.duration for s in spans))}"
    yield text(28, 63, f"for {told.get('user.id', 'unknown')} by {told.get('gen_ai.agent.name', 'unknown')}  ·  {counted}", 13, SOFT)
    yield text(WIDTH - 28, 40, f"trace {trace_id[:16]}…", 11.5, FAINT, mono=True, end=True)
    for x, name, colour in LEGEND:
        yield f'<rect x="{WIDTH - x}" y="53.5" width="10" height="10" rx="2.5" fill="{colour}"/>'
        yield text(WIDTH - x + 15, 63, name, 12, SOFT)


def axis(total: float, bottom: float) -> Iterator[str]:
    """Draw steps of time, each one, two or five of something."""
    step = next(n * 10**power for power in range(12) for n in (1, 2, 5) if total / (n * 10**power) <= 6)
    for at in range(int(total // step) + 1):
        x = LEFT + (WIDTH - LEFT - RIGHT) * at * step / total
        yield f'<line x1="{x:.1f}" y1="{TOP - 24}" x2="{x:.1f}" y2="{bottom:.1f}" stroke="{RULE}"/>'
        yield text(x + 4, TOP - 28, f"{at * step / 1000:g} ms" if at else "0", 11, FAINT)


def row(span: Span, y: float, total: float) -> Iterator[str]:
    """Draw one span: its name to the left, its bar where it happened, and under a tool's what is on record."""
    x, room = 28 + span.depth * 20, WIDTH - LEFT - RIGHT
    yield f'<line x1="28" y1="{y:.1f}" x2="{WIDTH - 28}" y2="{y:.1f}" stroke="{RULE}"/>'
    yield f'<rect x="{x}" y="{y + 9.5:.1f}" width="4" height="{span.height - 19}" rx="2" fill="{span.colour}"/>'
    yield text(x + 12, y + 20, span.name, 13, bold=span.tool)
    begin, length = LEFT + room * span.start / total, max(3.0, room * span.duration / total)
    yield f'<rect x="{begin:.1f}" y="{y + 9:.1f}" width="{length:.1f}" height="13" rx="3" fill="{span.colour}"/>'
    yield text(begin + length + 7, y + 20, took(span.duration), 11.5, SOFT)
    if span.tool:
        arguments = str(span.tags.get("gen_ai.tool.call.arguments", ""))
        yield text(x + 12, y + 38, arguments if len(arguments) <= LONGEST else arguments[: LONGEST - 1] + "…", 11, SOFT, mono=True)
        chain = str(span.tags.get("audit.sequence.stream_id", "")).rpartition("/")[2]
        trigger, error = str(span.tags.get("tool_audit.trigger", "")), str(span.tags.get("error.type", ""))
        yield text(LEFT, y + 38, trigger, 11, SOFT, mono=True)
        if error:
            yield text(LEFT + CHARACTER * (len(trigger) + 2), y + 38, error, 11, FAILED, mono=True)
        record = f"{chain}/{span.tags.get('audit.sequence.number')}  sha256 {str(span.tags['tool_audit.hash'])[:12]}…"
        yield text(WIDTH - 28, y + 38, record, 11, SOFT, mono=True, end=True)


def draw(trace: Mapping[str, Any], service: str) -> str:
    """Draw a trace as SVG."""
    spans = arranged(trace)
    total = float(max(span.start + span.duration for span in spans))
    bottom = TOP + sum(span.height for span in spans)
    parts = [*heading(spans, service, trace["traceID"]), *axis(total, bottom)]
    y = float(TOP)
    for span in spans:
        parts += row(span, y, total)
        y += span.height
    size = f'width="{WIDTH}" height="{bottom + 24}" viewBox="0 0 {WIDTH} {bottom + 24}"'
    frame = f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{bottom + 23}" rx="10" fill="#ffffff" stroke="{RULE}"/>'
    return "\n".join(
        [f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="A trace of {escape(service)}">', frame, *parts, "</svg>", ""]
    )


def main(address: str, service: str, *tags: str) -> None:
    pairs = (tag.partition("=") for tag in tags)
    named = {SHORT.get(name, name): value for name, _, value in pairs}
    sys.stdout.write(draw(find(address.rstrip("/"), service, named), service))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
