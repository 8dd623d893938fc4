"""A line drawing on two logarithmic axes, as SVG text."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 92, 120, 64, 72
AIR = 0.2  # powers of ten between the points and the frame, where numbers stand
STYLE = """<style>
text { font-family: system-ui, 'Helvetica Neue', Arial, sans-serif; fill: #15201F; font-size: 13px }
.title { font-size: 19px; font-weight: 600 } .axis { fill: #46514E } .value { font-size: 12px; font-weight: 600 }
.grid { stroke: #DEDCD3; stroke-width: 1 } .frame { stroke: #606A66; stroke-width: 1 }
</style>"""


class Axis(NamedTuple):
    """What is along it, and the unit behind each number."""

    label: str
    unit: str


class Line(NamedTuple):
    """A name, a colour and the points (both numbers above 0), from left to right."""

    name: str
    colour: str
    points: Sequence[tuple[float, float]]


class Scale(NamedTuple):
    """Whole powers of ten from `low` to `high` along the picture from `begin` to `end`."""

    low: int
    high: int
    begin: float
    end: float

    def at(self, value: float) -> float:
        """Where in the picture a value lies."""
        return self.begin + (math.log10(value) - self.low) / (self.high - self.low) * (self.end - self.begin)

    def ticks(self) -> Iterator[tuple[float, float]]:
        """(value, place) of every power of ten."""
        for power in range(self.low, self.high + 1):
            yield 10.0**power, self.at(10.0**power)


def scale_of(values: Sequence[float], begin: float, end: float, air: float = -1e-9) -> Scale:
    """The powers of ten around `values`, with `air` (in powers of ten) at both ends at least."""
    low, high = math.floor(math.log10(min(values)) - air), math.ceil(math.log10(max(values)) + air)
    return Scale(low, max(high, low + 1), begin, end)


def draw_lines(title: str, across: Axis, up: Axis, lines: Sequence[Line]) -> str:
    """The picture. Raises ValueError when there is nothing to draw."""
    points = [point for line in lines for point in line.points]
    if not points:
        raise ValueError("nothing was measured")
    x = scale_of([point[0] for point in points], LEFT, WIDTH - RIGHT)
    y = scale_of([point[1] for point in points], HEIGHT - BOTTOM, TOP, AIR)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' aria-label="{escape(title)}">{STYLE}<rect width="100%" height="100%" fill="#F6F4EE"/>',
        f'<text class="title" x="{LEFT}" y="34">{escape(title)}</text>',
        *_axes(x, y, across, up),
        *(_line(line, x, y, up.unit, below=number == 0) for number, line in enumerate(lines)),
    ]
    return "\n".join(parts) + "\n</svg>\n"


def _axes(x: Scale, y: Scale, across: Axis, up: Axis) -> Iterator[str]:
    for value, place in x.ticks():
        yield f'<path class="grid" d="M{place:.1f} {TOP}V{HEIGHT - BOTTOM}"/>'
        yield _text(place, HEIGHT - BOTTOM + 22, told(value, across.unit), "middle")
    for value, place in y.ticks():
        yield f'<path class="grid" d="M{LEFT} {place:.1f}H{WIDTH - RIGHT}"/>'
        yield _text(LEFT - 12, place + 4, told(value, up.unit), "end")
    yield f'<path class="frame" fill="none" d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>'
    yield _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 20, across.label, "middle", "axis")
    yield _text(LEFT, TOP - 12, up.label, "start", "axis")


def _line(line: Line, x: Scale, y: Scale, unit: str, *, below: bool) -> str:
    places = [(x.at(across), y.at(up), up) for across, up in line.points]
    path = "L".join(f"{across:.1f} {up:.1f}" for across, up, _ in places)
    drawn = [f'<path d="M{path}" fill="none" stroke="{line.colour}" stroke-width="2.5" stroke-linejoin="round"/>']
    for number, (across, up, value) in enumerate(places):
        drawn.append(f'<circle cx="{across:.1f}" cy="{up:.1f}" r="4.5" fill="{line.colour}"/>')
        text = told(value, unit) + (f"  {line.name}" if number == len(places) - 1 else "")
        if across > x.end - 1:
            drawn.append(_text(across + 12, up + 4, text, "start", "value", line.colour))
        else:
            side, right = ("start", 8) if number == 0 else ("middle", 0)
            drawn.append(_text(across + right, up + (20 if below else -14), text, side, "value", line.colour))
    return "".join(drawn)


def _text(x: float, y: float, text: str, anchor: str, kind: str = "", colour: str = "") -> str:
    look = (f' class="{kind}"' if kind else "") + (f' style="fill:{colour}"' if colour else "")
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{look}>{escape(text)}</text>'


def told(value: float, unit: str) -> str:
    """Three digits at most, thousands divided, and the unit."""
    digits = max(0, 2 - math.floor(math.log10(value)))
    number = f"{value:,.{digits}f}"
    number = number.rstrip("0").rstrip(".") if "." in number else number
    return f"{number} {unit}".strip()
