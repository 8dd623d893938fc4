"""Stacked hours: the power sources of a site, or what is booked against what green power could run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from django.utils.safestring import SafeString

from frontend.components.formats import clock, moment, weekday, zone_of
from frontend.components.svg import Chart, Number, drawing, element, joined, number, percent, points

TOP = 16
DAYS_APART = 72  # hours; of more, days alone are named
BEFORE_A_DAY = 18  # hours that the first one's name needs before the name of a day


@dataclass(frozen=True, slots=True)
class Series:
    """One layer of the stack: its word, its colour class (`solar`, `c2`, `unsold` …) and a value per hour."""

    name: str
    swatch: str
    values: tuple[Number, ...]


def stacks(
    hours: Sequence[datetime],
    series: Sequence[Series],
    *,
    caption: str,
    hour_header: str,
    zone: str | tzinfo | None = None,
    top: Number | None = None,
    window: tuple[int, int] | None = None,
    line: Sequence[Number] | None = None,
    height: int = 300,
) -> Chart:
    """Bars of `series` stacked from below, one column per hour; `window` frames columns [a, b); `line` is drawn over
    them on a scale of its own."""
    totals = [sum(layer.values[index] for layer in series) for index in range(len(hours))]
    highest = float(top if top is not None else max(totals, default=1)) or 1.0
    plot = height - TOP - 26
    where = zone_of(zone)
    svg = drawing(
        _hatch(),
        _grid(highest, plot),
        _columns(series, len(hours), highest, plot),
        _over(line, plot) if line else "",
        _frame(window, len(hours), plot) if window else "",
        _labels(hours, where, height),
        label=caption,
        height=height,
        class_="inset",
    )
    rows = tuple(
        (moment(hour, where), *(number(layer.values[index]) for layer in series)) for index, hour in enumerate(hours)
    )
    return Chart(svg, caption, (hour_header, *(layer.name for layer in series)), rows)


def _grid(highest: float, plot: int) -> SafeString:
    out = []
    steps = int(highest) if highest in {1, 2, 3} else 4  # so few units have no quarters
    places = decimals(highest / steps)
    for step in range(steps + 1):
        y = TOP + plot * (1 - step / steps)
        out.append(element("line", x1=0, x2="100%", y1=number(y), y2=number(y), class_="rule"))
        out.append(element("text", _label(highest * step / steps, places), x=-7, y=number(y + 4), text_anchor="end"))
    return joined(out)


def decimals(step: float) -> int:
    """How many decimals tell the lines of a scale apart that are a `step` from each other; at least one."""
    return max(1, -math.floor(math.log10(step)) + 1 if step < 1 else 1)


def _label(value: float, places: int) -> str:
    return f"{value:.{places}f}".rstrip("0").rstrip(".")


def _hatch() -> SafeString:
    """Diagonal stripes: what is unsold differs by more than its colour."""
    ground = element("rect", width=6, height=6, class_="hatch-ground")
    stripe = element("path", d="M0 0h3v6h-3z", class_="hatch-stripe")
    turned = {"width": 6, "height": 6, "patternUnits": "userSpaceOnUse", "patternTransform": "rotate(45)"}
    return element("defs", element("pattern", ground, stripe, id="hatch", **turned))


def _paint(swatch: str) -> dict[str, str]:
    return {"fill": "url(#hatch)"} if swatch == "unsold" else {"class_": f"sw-{swatch}"}


def _columns(series: Sequence[Series], count: int, highest: float, plot: int) -> SafeString:
    """A bar per hour and layer; of many hours a layer is one path, save where its hatching would be stretched."""
    out: list[tuple[int, SafeString]] = []
    below = [0.0] * count
    for layer in series:
        tall = [float(value) / highest * plot for value in layer.values]
        bars = [(n, plot - below[n] - tall[n], max(0.4, tall[n] - 0.8)) for n in range(count) if tall[n] > 0]
        alone = count <= DAYS_APART or layer.swatch == "unsold"
        out += _bars(bars, count, layer.swatch) if alone else [(0, _path(bars, count, plot, layer.swatch))]
        below = [base + high for base, high in zip(below, tall, strict=True)]
    return joined(each for _hour, each in sorted(out, key=lambda pair: pair[0]))


Bars = Sequence[tuple[int, float, float]]  # the hour's number, its bar's top below the plot's, its height


def _bars(bars: Bars, count: int, swatch: str) -> list[tuple[int, SafeString]]:
    return [(n, _bar(n, top, high, count, swatch)) for n, top, high in bars]


def _bar(n: int, top: float, high: float, count: int, swatch: str) -> SafeString:
    x, width = percent((n + 0.06) / count), percent(0.88 / count)
    return element("rect", x=x, y=number(TOP + top), width=width, height=number(high), **_paint(swatch))


def _path(bars: Bars, count: int, plot: int, swatch: str) -> SafeString:
    steps = "".join(f"M{number(n + 0.06)} {number(top)}h.88v{number(high)}h-.88z" for n, top, high in bars)
    return element(
        "svg",
        element("path", d=steps, **_paint(swatch)),
        y=TOP,
        width="100%",
        height=plot,
        viewBox=f"0 0 {count} {plot}",
        preserveAspectRatio="none",
    )


def _over(line: Sequence[Number], plot: int) -> SafeString:
    low, high = min(line), max(line)
    span = (high - low) or 1
    path = points((index + 0.5, plot * 0.9 - (value - low) / span * plot * 0.75) for index, value in enumerate(line))
    return element(
        "svg",
        element("polyline", points=path, class_="halo"),
        element("polyline", points=path, class_="line"),
        y=TOP,
        width="100%",
        height=plot,
        viewBox=f"0 0 {len(line)} {plot}",
        preserveAspectRatio="none",
    )


def _frame(window: tuple[int, int], count: int, plot: int) -> SafeString:
    first, last = window
    wide = percent((last - first) / count)
    return element("rect", x=percent(first / count), y=TOP - 8, width=wide, height=plot + 8, rx=4, class_="window")


def _labels(hours: Sequence[datetime], where: tzinfo, height: int) -> SafeString:
    out = []
    many = len(hours) > DAYS_APART
    for index, hour in enumerate(hours):
        local = hour.astimezone(where)
        if many and not index and local.hour > 24 - BEFORE_A_DAY:
            continue
        if index and (local.hour % (24 if many else 6) or index < 4):
            continue
        midnight = local.hour == 0
        text = weekday(hour, where) if midnight else clock(hour, where)
        classes = "strong" if midnight else "narrow-hide" if local.hour % 12 and index else None
        out.append(element("text", text, x=percent(index / len(hours)), y=height - 6, class_=classes))
    return joined(out)
