"""Small drawings in rows: hour strips, carbon bars, trend lines, fit bars, progress and key ramps."""

from collections.abc import Sequence
from datetime import datetime

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from frontend.components.formats import carbon_step, grams_up
from frontend.components.svg import Number, drawing, element, joined, number, points

HOUR_SECONDS = 3600
PARTS = ("price", "latency", "green")


def hour_strip(carbon_mg_per_kwh: Sequence[int], *, start: datetime, window: tuple[datetime, datetime]) -> SafeString:
    """One cell per hour from `start`, coloured by carbon, with a frame around the chosen window."""
    count = max(1, len(carbon_mg_per_kwh))
    left, right = (min(count, max(0.0, (edge - start).total_seconds() / HOUR_SECONDS)) for edge in window)
    inside = [mg for index, mg in enumerate(carbon_mg_per_kwh) if left <= index < right] or list(carbon_mg_per_kwh)
    mean = grams_up(sum(inside) // len(inside)) if inside else 0
    cells = joined(
        element("rect", x=number(index + 0.03), y=4, width=0.94, height=24, class_=f"sw-c{carbon_step(mg)}")
        for index, mg in enumerate(carbon_mg_per_kwh)
    )
    wide = number(max(0.2, right - left))
    frame = joined(
        element("rect", x=number(left), y=1, width=wide, height=30, class_=name) for name in ("gap", "window")
    )
    label = _("Hourly carbon intensity; your window averages %(grams)d grams per kilowatt-hour") % {"grams": mean}
    return drawing(cells, frame, label=label, viewBox=f"0 0 {count} 32", preserveAspectRatio="none")


def carbon_bars(carbon_mg_per_kwh: Sequence[int]) -> SafeString:
    """A bar per hour, tall and brown where power is dirty."""
    count = max(1, len(carbon_mg_per_kwh))
    bars = []
    for index, mg in enumerate(carbon_mg_per_kwh):
        tall = 22 * min(1.0, max(0.15, mg / 560_000))
        step = f"sw-c{carbon_step(mg)}"
        bars.append(element("rect", x=index * 5, y=number(22 - tall), width=4, height=number(tall), class_=step))
    low, high = (grams_up(f(carbon_mg_per_kwh)) if carbon_mg_per_kwh else 0 for f in (min, max))
    label = _("Carbon by hour, %(low)d to %(high)d grams per kilowatt-hour") % {"low": low, "high": high}
    return drawing(*bars, label=label, viewBox=f"0 0 {count * 5} 22", preserveAspectRatio="none", class_="spark")


def trend(values: Sequence[Number], *, label: str) -> SafeString:
    """A line through `values`, scaled to fit."""
    low, high = min(values, default=0), max(values, default=0)
    span = (high - low) or 1
    line = points((index * 5, 20 - (value - low) / span * 18) for index, value in enumerate(values))
    wide = max(5, (len(values) - 1) * 5)
    return element(
        "span",
        drawing(
            element("polyline", points=line, class_="line"),
            label=label,
            viewBox=f"0 0 {wide} 22",
            preserveAspectRatio="none",
            class_="spark",
        ),
        class_="chart",
    )


def fit_bar(*, price: Number, latency: Number, green: Number, total: Number) -> SafeString:
    """Three parts of a fit out of 100, side by side."""
    label = _("Fit %(total)d of 100: price %(price)d, latency %(latency)d, green %(green)d") % {
        "total": round(total),
        "price": round(price),
        "latency": round(latency),
        "green": round(green),
    }
    at, bars = 0.0, []
    for name, value in zip(PARTS, (price, latency, green), strict=True):
        wide = max(0.0, float(value))
        bars.append(element("rect", x=number(at), width=number(max(0.0, wide - 0.6)), height=10, class_=f"sw-{name}"))
        at += wide
    return drawing(*bars, label=label, viewBox="0 0 100 10", preserveAspectRatio="none")


def progress(share: Number, *, label: str, classes: str = "bar") -> SafeString:
    """A bar filled to `share` of 1."""
    wide = number(100 * min(1.0, max(0.0, float(share))))
    return drawing(
        element("rect", width=wide, height=8),
        label=label,
        viewBox="0 0 100 8",
        preserveAspectRatio="none",
        class_=classes,
    )


def ramp(names: Sequence[str]) -> SafeString:
    """The steps of a scale side by side for a key: `ramp(["c1", "c2"])`; the words beside it say what it means."""
    cells = [element("rect", x=index, width=1, height=1, class_=f"sw-{name}") for index, name in enumerate(names)]
    box = f"0 0 {len(names)} 1"
    return element("svg", *cells, viewBox=box, preserveAspectRatio="none", aria_hidden="true")
