"""The next hours at a glance: bars of renewable supply coloured by carbon, a price line, the chosen window."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from frontend.components.formats import carbon_step, clock, intensity, moment, percent_down, rate, weekday, zone_of
from frontend.components.svg import Chart, drawing, element, joined, percent, points

TOP, PLOT, HEIGHT = 20, 126, 200
BASE = TOP + PLOT
LOWEST_BAR = 18
FIRST_LABEL, LABEL, NARROW = 0.1, 0.055, 3  # shares of a wide drawing; on a phone labels are so many times wider


@dataclass(frozen=True, slots=True)
class RibbonHour:
    """One hour: mean carbon intensity, renewable share and price of the offers listed."""

    start: datetime
    carbon_mg_per_kwh: int
    renewable_ppm: int
    rate_mm: int


def ribbon(
    hours: Sequence[RibbonHour],
    *,
    zone: str | tzinfo | None = None,
    window: tuple[datetime, datetime] | None = None,
    finish_by: datetime | None = None,
    currency: str = "USD",
    unit: str = "/PFLOP-h",
) -> Chart:
    """The ribbon over consecutive `hours` (at least one); `window` is the chosen [start, end)."""
    if not hours:
        raise ValueError("a ribbon needs at least one hour")
    where = zone_of(zone)
    rates = [hour.rate_mm for hour in hours]
    caption = _caption(rates, currency, unit)
    axis = _Axis(hours[0].start, len(hours))
    svg = drawing(
        _bars(hours, axis, finish_by),
        element("line", x1=0, x2="100%", y1=BASE + 0.5, y2=BASE + 0.5, class_="axis"),
        _ticks(hours, where, axis, window),
        _price_line(rates, currency, unit),
        _limit(axis, finish_by, where),
        _window(axis, window, where),
        label=caption,
        width="100%",
        height=HEIGHT,
    )
    rows = tuple(
        (
            moment(h.start, where),
            rate(h.rate_mm, currency),
            intensity(h.carbon_mg_per_kwh),
            percent_down(h.renewable_ppm),
        )
        for h in hours
    )
    return Chart(svg, caption, (_("Hour"), _("Price") + " " + unit, _("Carbon"), _("Renewable")), rows)


def _caption(rates: Sequence[int], currency: str, unit: str) -> str:
    return _(
        "Next %(hours)d hours. Bars: renewable supply, coloured by carbon. "
        "Line: mean price from %(low)s to %(high)s %(unit)s."
    ) % {"hours": len(rates), "low": rate(min(rates), currency), "high": rate(max(rates), currency), "unit": unit}


@dataclass(frozen=True, slots=True)
class _Axis:
    """Time to a share of the width, kept inside it."""

    start: datetime
    count: int

    def at(self, when: datetime) -> float:
        return min(1.0, max(0.0, (when - self.start).total_seconds() / 3600 / self.count))


def _bars(hours: Sequence[RibbonHour], axis: _Axis, finish_by: datetime | None) -> SafeString:
    step = 1 / axis.count
    out = []
    for index, hour in enumerate(hours):
        share = min(1.0, max(0.0, (hour.renewable_ppm / 1e6 - 0.3) / 0.65))
        tall = LOWEST_BAR + share * (PLOT - LOWEST_BAR)
        late = finish_by is not None and hour.start >= finish_by
        out.append(
            element(
                "rect",
                x=percent(index * step),
                y=f"{BASE - tall:.1f}",
                width=percent(step * 0.88),
                height=f"{tall:.1f}",
                rx=1,
                class_=f"sw-c{carbon_step(hour.carbon_mg_per_kwh)}" + (" dim" if late else ""),
            )
        )
    return joined(out)


def _ticks(
    hours: Sequence[RibbonHour], where: tzinfo, axis: _Axis, window: tuple[datetime, datetime] | None
) -> SafeString:
    """The hours under the axis; an edge of the window cuts through none of them, at any width."""
    edges = [axis.at(edge) for edge in window] if window else []
    free = min(edges, default=1.0)
    out = []
    if free > FIRST_LABEL or free == 0:
        classes = "narrow-hide" if 0 < free < NARROW * FIRST_LABEL else None
        out.append(element("text", moment(hours[0].start, where), x=0, y=BASE + 18, class_=classes))
    for index, hour in enumerate(hours):
        local = hour.start.astimezone(where)
        if index < 5 or local.hour % 6:
            continue
        near = min((abs(edge - index / len(hours)) for edge in edges), default=1.0)
        if near < LABEL / 2:
            continue
        midnight = local.hour == 0
        crowded = index < 14 or local.hour % 12 or near < NARROW * LABEL / 2
        classes = " ".join(filter(None, ["strong" if midnight else "", "narrow-hide" if crowded else ""])) or None
        x = percent(index / len(hours))
        out.append(element("line", x1=x, x2=x, y1=BASE, y2=BASE + 5, class_="axis"))
        text = weekday(hour.start, where) if midnight else clock(hour.start, where)
        out.append(element("text", text, x=x, y=BASE + 18, text_anchor="middle", class_=classes))
    return joined(out)


def _price_line(rates: Sequence[int], currency: str, unit: str) -> SafeString:
    low, high = min(rates) * 0.97, max(rates) * 1.02
    span = (high - low) or 1.0
    ys = [PLOT - (value - low) / span * PLOT * 0.86 - 6 for value in rates]
    path = points([(index + 0.5, y) for index, y in enumerate(ys)])
    frame = element(
        "svg",
        element("polyline", points=path, class_="halo"),
        element("polyline", points=path, class_="line"),
        y=TOP,
        width="100%",
        height=PLOT,
        viewBox=f"0 0 {len(rates)} {PLOT}",
        preserveAspectRatio="none",
    )
    last = TOP + ys[-1]
    name = element("text", rate(rates[-1], currency), x="100%", dx=7, y=f"{last + 4:.1f}", class_="strong")
    return joined([frame, name, element("text", unit, x="100%", dx=7, y=f"{last + 18:.1f}")])


def _limit(axis: _Axis, finish_by: datetime | None, where: tzinfo) -> SafeString:
    if finish_by is None or axis.at(finish_by) >= 1:
        return joined([])
    share = axis.at(finish_by)
    left = share > 0.6
    text = _("finish by %(when)s") % {"when": moment(finish_by, where)}
    return joined(
        [
            element("line", x1=percent(share), x2=percent(share), y1=2, y2=BASE, class_="limit"),
            element("text", text, x=percent(share), dx=-5 if left else 5, y=11, text_anchor="end" if left else None),
        ]
    )


def _window(axis: _Axis, window: tuple[datetime, datetime] | None, where: tzinfo) -> SafeString:
    if window is None:
        return joined([])
    start, end = (axis.at(edge) for edge in window)
    hours = (window[1] - window[0]).total_seconds() / 3600
    text = f"{moment(window[0], where)} · {hours:g} h"
    wide = 16 + sum(12 if ord(letter) > 0x2E80 else 7 for letter in text)
    right = start > 0.6
    box = element(
        "rect",
        x=percent(start),
        y=TOP - 6,
        width=percent(max(end - start, 0.004)),
        height=PLOT + 32,
        rx=5,
        class_="window",
    )
    flag = element(
        "svg",
        element("rect", x=-wide if right else 0, y=0, width=wide, height=22, rx=4, class_="flag"),
        element("text", text, x=8 - (wide if right else 0), y=15, class_="on"),
        x=percent(end if right else start),
        y=BASE + 26,
        width=1,
        height=22,
        overflow="visible",
    )
    return element("g", box, flag, class_="brk")
