"""Seven days by 24 hours: one table whose cells carry carbon, price, renewable share and free units at once.

The layer shown is an attribute of the table, so changing it changes no cell.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from frontend.components.formats import (
    carbon_step,
    grams_up,
    intensity,
    moment,
    percent_down,
    rate,
    weekday,
    zone_of,
)

HOUR = timedelta(hours=1)
LAYERS = ("carbon", "price", "renewable", "free")
PRICE_STEPS = 6


@dataclass(frozen=True, slots=True)
class CalendarHour:
    """One hour of an offer: price per unit-hour, energy and free units. `quality`: sample, forecast or metered."""

    start: datetime
    rate_mm: int
    carbon_mg_per_kwh: int
    renewable_ppm: int
    free: int
    quality: str = "forecast"


@dataclass(frozen=True, slots=True)
class Cell:
    """One hour in the table; `href` is empty where a start cannot be chosen; `start` None where the hour is missing."""

    classes: str
    text: str = ""
    href: str = ""
    start: datetime | None = None
    current: bool = False


@dataclass(frozen=True, slots=True)
class Day:
    """One local day: its name, its best figure in each layer, and 24 cells."""

    name: str
    date: date
    best: dict[str, str]
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Calendar:
    """All days with the key's ends for each layer: {layer: (low, high)}."""

    days: tuple[Day, ...]
    ends: dict[str, tuple[str, str]]
    quality: str


def calendar(
    hours: Sequence[CalendarHour],
    *,
    now: datetime,
    href: Callable[[datetime], str],
    units: int = 1,
    window: tuple[datetime, datetime] | None = None,
    zone: str | tzinfo | None = None,
    currency: str = "USD",
) -> Calendar:
    """The table of `hours` in `zone`; hours with fewer than `units` free are sold, hours before `now` past."""
    where = zone_of(zone)
    bounds = _price_bounds([hour.rate_mm for hour in hours])
    most = max((hour.free for hour in hours), default=0)
    view = _View(now, href, units, window, where, currency, tuple(bounds), most)
    by_day: dict[date, dict[int, CalendarHour]] = {}
    for hour in hours:
        local = hour.start.astimezone(where)
        by_day.setdefault(local.date(), {}).setdefault(local.hour, hour)
    days = []
    for day, found in sorted(by_day.items()):
        cells = tuple(_cell(found.get(index), index, view) for index in range(24))
        first = next(iter(found.values()))
        days.append(Day(weekday(first.start, where), day, _best(list(found.values()), now, currency), cells))
    return Calendar(tuple(days), _ends(hours, currency), hours[0].quality if hours else "forecast")


@dataclass(frozen=True, slots=True)
class _View:
    """What every cell of one table needs to know."""

    now: datetime
    href: Callable[[datetime], str]
    units: int
    window: tuple[datetime, datetime] | None
    where: tzinfo
    currency: str
    price_bounds: tuple[int, ...]
    most_free: int


def _cell(hour: CalendarHour | None, index: int, view: _View) -> Cell:
    if hour is None:
        return Cell("none")
    past, sold = hour.start + HOUR <= view.now, hour.free < view.units
    classes = [
        f"c{carbon_step(hour.carbon_mg_per_kwh)}",
        f"p{1 + sum(hour.rate_mm > bound for bound in view.price_bounds)}",
        f"r{renewable_step(hour.renewable_ppm)}",
        f"f{_free_step(hour.free, view.most_free)}",
        *(["past"] if past else ["sold"] if sold else []),
        *_window_classes(hour.start, index, view.window),
    ]
    return Cell(
        " ".join(classes),
        _cell_text(hour, view.where, view.currency, sold=sold),
        "" if past or sold else view.href(hour.start),
        hour.start,
        bool(view.window and view.window[0] <= hour.start < view.window[0] + HOUR),
    )


def renewable_step(ppm: int) -> int:
    """The carbon step a grid would have at this share: all renewable is step 1, none is step 7."""
    return carbon_step(12_000 + 588_000 * (1_000_000 - ppm) // 1_000_000)


def _window_classes(start: datetime, index: int, window: tuple[datetime, datetime] | None) -> list[str]:
    """`w` inside the window, `ws`/`we` at its ends; `ws-n`/`we-n` at its ends where cells are two hours, on a phone."""
    if window is None or not window[0] - HOUR < start < window[1]:
        return []
    out = ["w"]
    if start <= window[0] or index == 0:
        out.append("ws")
    if start + HOUR >= window[1] or index == 23:
        out.append("we")
    if start <= window[0] + HOUR or index == 0:
        out.append("ws-n")
    if start + 2 * HOUR >= window[1] or index >= 22:
        out.append("we-n")
    return out


def _cell_text(hour: CalendarHour, where: tzinfo, currency: str, *, sold: bool) -> str:
    free = ngettext("%(count)d free", "%(count)d free", hour.free) % {"count": hour.free}
    parts = [
        rate(hour.rate_mm, currency),
        intensity(hour.carbon_mg_per_kwh),
        _("%(share)s renewable") % {"share": percent_down(hour.renewable_ppm)},
        _("sold, %(free)s") % {"free": free} if sold else free,
    ]
    return f"{moment(hour.start, where)}: {', '.join(parts)}"


def _price_bounds(rates: Sequence[int]) -> list[int]:
    """Five bounds that put about a sixth of the hours into each step."""
    ordered = sorted(set(rates))
    if len(ordered) < 2:
        return []
    return sorted({ordered[(len(ordered) - 1) * step // PRICE_STEPS] for step in range(1, PRICE_STEPS)})


def _free_step(free: int, most: int) -> int:
    return 0 if free <= 0 or most <= 0 else min(4, 1 + 4 * (free - 1) // most)


def _best(hours: Sequence[CalendarHour], now: datetime, currency: str) -> dict[str, str]:
    ahead = [hour for hour in hours if hour.start + HOUR > now] or list(hours)
    return {
        "carbon": f"{grams_up(min(hour.carbon_mg_per_kwh for hour in ahead))} g",
        "price": rate(min(hour.rate_mm for hour in ahead), currency),
        "renewable": percent_down(max(hour.renewable_ppm for hour in ahead)),
        "free": str(max(hour.free for hour in ahead)),
    }


def _ends(hours: Sequence[CalendarHour], currency: str) -> dict[str, tuple[str, str]]:
    if not hours:
        return {layer: ("", "") for layer in LAYERS}
    rates = [hour.rate_mm for hour in hours]
    return {
        "carbon": ("0", "600+ g/kWh"),
        "price": (rate(min(rates), currency), rate(max(rates), currency)),
        "renewable": ("100%", _("%(share)s renewable") % {"share": "0%"}),
        "free": (_("few free"), _("many free")),
    }
