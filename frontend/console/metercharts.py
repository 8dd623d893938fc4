"""Drawings of the meters' page: what points used against what served them, and what of it was matched by the hour."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from frontend.components.formats import grouped, zone_of
from frontend.components.sharecalendar import share_calendar
from frontend.components.stacks import Series, stacks
from frontend.components.svg import Chart
from marketplace.common.clock import HOUR, hour_floor
from marketplace.energy.balance import Balance, balance_of, settled_at
from marketplace.energy.settling import SETTLE_AFTER

WEEK_HOURS = 168
CALENDAR_DAYS = 7
WH_PER_KWH = 1_000
SWATCHES = ("c2", "grid", "unsold")


@dataclass(slots=True)
class Parts:
    """Wh of an hour: used while own plants made it, used beyond that, made and not used."""

    wh: list[int] = field(default_factory=lambda: [0, 0, 0])
    known: bool = False
    modelled: bool = False

    @property
    def used(self) -> int:
        return self.wh[0] + self.wh[1]


Hours = dict[datetime, Parts]


def layers() -> list[dict[str, str]]:
    """The layers of the chart, from below."""
    words = (_("Used while own plants made it"), _("Used beyond that"), _("Made and not used"))
    return [{"name": word, "swatch": swatch} for word, swatch in zip(words, SWATCHES, strict=True)]


def parts_of(points: Sequence[int], first: datetime, end: datetime) -> Hours:
    """Every hour in [first, end): what it consists of, and whether a meter spoke for all of its use."""
    hours = {first + n * HOUR: Parts() for n in range((end - first) // HOUR)}
    for key, each in balance_of(points=points, start=first, end=end).items():
        parts = hours[key.start]
        parts.known = True
        parts.wh = [one + other for one, other in zip(parts.wh, _split(each), strict=True)]
        parts.modelled |= bool(each.used) and not each.metered
    return hours


def _split(balance: Balance) -> tuple[int, int, int]:
    return balance.covered, balance.used - balance.covered, balance.made - balance.covered


def week_of(points: Sequence[int], now: datetime, zone: str) -> dict[str, Any]:
    """The chart of the seven days before the running hour, and of how many of its hours whose word holds."""
    end = hour_floor(now)
    hours = parts_of(points, end - WEEK_HOURS * HOUR, end)
    return {
        "chart": _chart(hours, zone) if any(parts.known for parts in hours.values()) else None,
        "legend": layers(),
        "used_hours": sum(parts.used > 0 for parts in hours.values()),
        "modelled": sum(parts.modelled for parts in hours.values()),
    }


def _chart(hours: Hours, zone: str) -> Chart:
    series = [
        Series(layer["name"], layer["swatch"], tuple(parts.wh[place] / WH_PER_KWH for parts in hours.values()))
        for place, layer in enumerate(layers())
    ]
    drawn = stacks(
        list(hours), series, caption=_("Seven days by hour: what was used against what the own plants made, in kWh."),
        hour_header=_("Day"), zone=zone, height=260,
    )  # fmt: skip
    return replace(drawn, rows=_days(hours, zone))


def _days(hours: Hours, zone: str) -> tuple[tuple[str, ...], ...]:
    """The hours added up to days of the zone."""
    days: dict[str, list[int]] = {}
    for start, parts in hours.items():
        name = f"{start.astimezone(zone_of(zone)):%Y-%m-%d}"
        days[name] = [one + other for one, other in zip(days.get(name, [0, 0, 0]), parts.wh, strict=True)]
    return tuple((name, *(grouped(Decimal(wh) / WH_PER_KWH, 2) for wh in sums)) for name, sums in days.items())


def matched_calendar(points: Sequence[int], now: datetime, zone: str) -> dict[str, Any]:
    """The last seven days that are settled, by the share that was matched by the hour, and their sums."""
    where = zone_of(zone)
    last = (now - SETTLE_AFTER).astimezone(where).date()
    day = last - timedelta(days=CALENDAR_DAYS - 1)
    first = datetime.combine(day, time(), where)
    hours = settled_at(points=points, start=first, end=first + timedelta(days=CALENDAR_DAYS))
    parts = {start: (each.matched, each.used) for start, each in hours.items() if each.used}
    return {
        "calendar": share_calendar(parts, first=first, days=CALENDAR_DAYS, zone=zone),
        "settled": len(parts),
        "used_wh": sum(each.used for each in hours.values()),
        "matched_wh": sum(each.matched for each in hours.values()),
        "volume_wh": sum(each.volume for each in hours.values()),
    }
