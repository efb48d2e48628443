"""A bar chart as SVG text, without any library."""

import math
from dataclasses import dataclass
from html import escape
from typing import Final

LABEL_WIDTH: Final = 430
BAR_AREA_WIDTH: Final = 420
WIDTH: Final = LABEL_WIDTH + BAR_AREA_WIDTH + 70
LINE_HEIGHT: Final = 24
TOP: Final = 44
STYLE: Final = (
    "text{font:13px sans-serif;fill:#222}rect.met{fill:#2a7de1}rect.missed{fill:#d9822b}"
    "line{stroke:#999}line.target{stroke:#222;stroke-width:2}"
)


@dataclass(frozen=True)
class Bar:
    """One bar: `value` times as good, drawn against a mark at `target`."""

    label: str
    value: float
    target: float


def draw(title: str, bars: list[Bar]) -> str:
    """The chart on a logarithmic axis that has 1 (the same) as a line."""
    height = TOP + LINE_HEIGHT * len(bars) + 12
    values = [1.0, *(bar.value for bar in bars), *(bar.target for bar in bars)]
    low, high = min(values) / 1.2, max(values) * 1.2

    def x(value: float) -> float:
        return LABEL_WIDTH + BAR_AREA_WIDTH * math.log(value / low) / math.log(high / low)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="8" y="22">{escape(title)}</text>',
    ]
    for index, bar in enumerate(bars):
        parts.append(_bar(bar, TOP + LINE_HEIGHT * index, x(low), x(bar.value), x(bar.target)))
    one = x(1.0)
    parts.append(f'<line x1="{one:.1f}" x2="{one:.1f}" y1="{TOP - 8}" y2="{height - 8}"/>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _bar(bar: Bar, y: int, start: float, end: float, target: float) -> str:
    kind = "met" if bar.value >= bar.target else "missed"
    return (
        f'<text x="{LABEL_WIDTH - 8}" y="{y + 14}" text-anchor="end">{escape(bar.label)}</text>'
        f'<rect class="{kind}" x="{start:.1f}" y="{y + 2}" width="{end - start:.1f}" height="15"/>'
        f'<line class="target" x1="{target:.1f}" x2="{target:.1f}" y1="{y}" y2="{y + 19}"/>'
        f'<text x="{end + 6:.1f}" y="{y + 14}">{bar.value:.2f}</text>'
    )
