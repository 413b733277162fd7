"""Where the bars of a chart stand. Pure; whoever draws it gives them their colours."""

from __future__ import annotations

from typing import Final, NamedTuple

from otel_tool_audit.export.document import Ranking, Series

HEIGHT: Final = 100
"""Of a chart, in its own units."""

COLOURS: Final = {2: (0, 3), 6: (0, 1, 4, 5, 2, 3)}
"""Which colour each part of a bar has, by how many parts there are: failures are always the last."""

_STEP: Final = 10
_BAR: Final = 8
_FEW: Final = 12
NAMED: Final = 7
"""Up to so many bars each has its name below it; of more only the first and the last."""
_LEAST: Final = 1.5


class Rect(NamedTuple):
    """A part of a bar: its colour, and where it stands, from the top left."""

    part: int
    x: float
    y: float
    width: float
    height: float


class Chart(NamedTuple):
    """Bars of a series."""

    width: int
    rects: tuple[Rect, ...]


def vertical(series: Series) -> Chart:
    """Draw a series from left to right; what is not nothing can be seen."""
    highest = max((bar.total for bar in series.bars), default=0)
    colours = COLOURS[len(series.parts)]
    rects: list[Rect] = []
    # few bars do not fill the page: they stay bars
    thick = _BAR * min(1.0, len(series.bars) / _FEW)
    for number, bar in enumerate(series.bars):
        top = float(HEIGHT)
        for part, colour in zip(bar.parts, colours, strict=True):
            if part:
                height = max(_LEAST, HEIGHT * part / highest)
                top = max(0.0, top - height)
                rects.append(Rect(colour, round(number * _STEP + (_STEP - thick) / 2, 2), round(top, 2), round(thick, 2), round(height, 2)))
    return Chart(max(1, len(series.bars)) * _STEP, tuple(rects))


def share(part: int, ranking: Ranking) -> float:
    """Give the length of a part of a bar, in percent of the longest bar."""
    longest = max((bar.total for bar in ranking.bars), default=0)
    return round(100 * part / longest, 2) if longest else 0.0
