"""One offer for one need: the window that is priced, the week around it, and what to do when it is sold out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.http import QueryDict
from django.utils.translation import gettext as _

from frontend.components import stacks
from frontend.components.calendar import CalendarHour
from frontend.components.formats import zone_of
from frontend.components.svg import Chart
from frontend.store.question import WHENS, moment_in
from frontend.store.shelfview import local_midnight
from marketplace.booking.greenhours import green_hours_at
from marketplace.booking.models import CapacityDay
from marketplace.catalog.models import Offer, Place
from marketplace.common.clock import HOUR, hour_floor
from marketplace.energy.pointhours import PointHours
from scheduler.search import Need, Row, SearchResult, search
from scheduler.snapshot import hourly_prices

WEEK_HOURS = 168
MOST_HOURS = 168
LIKE_IT = 3


@dataclass(frozen=True, slots=True)
class Order:
    """What the order box asks: units for hours from `start`; None lets `when` choose it."""

    offer: Offer
    units: int
    hours: int
    near: str
    start: datetime | None
    when: str

    def need(self, now: datetime) -> Need:
        """The need of this offer alone, as quotes take it."""
        running = self.start is not None and self.start <= now
        return Need(
            units=self.units,
            hours=self.hours,
            near=self.near or None,
            when="now" if running else self.when,
            start=None if running else self.start,
            limits={"offer": [self.offer.public_id], "family": [self.offer.hardware.family]},
        )

    def query(self, **changes: str) -> str:
        """The address of this order with `changes`."""
        query = QueryDict(mutable=True)
        values = {"units": str(self.units), "hours": str(self.hours), "near": self.near}
        values |= {"start": _stamp(self.start) if self.start else "", "when": "" if self.start else self.when}
        for name, value in (values | changes).items():
            if value and not (name == "when" and value == "balanced"):
                query[name] = value
        return f"?{query.urlencode(safe=':')}"


def _stamp(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def read_order(offer: Offer, given: QueryDict, now: datetime) -> Order:
    """The order of an address or a form; what cannot be read or lies in the past has its usual value."""
    near = given.get("near", "")
    start = moment_in(given.get("start", ""))
    when = given.get("when", "balanced")
    return Order(
        offer=offer,
        units=_whole(given.get("units", ""), default=min(8, offer.units), most=100_000),
        hours=_whole(given.get("hours", ""), default=6, most=MOST_HOURS),
        near=near if Place.objects.filter(slug=near).exists() else "",
        start=hour_floor(start) if start and hour_floor(start) >= hour_floor(now) else None,
        when=when if when in WHENS else "balanced",
    )


def _whole(text: str, *, default: int, most: int) -> int:
    return min(most, max(1, int(text))) if text.isdigit() and len(text) < 9 else default


@dataclass(frozen=True, slots=True)
class Week:
    """Seven local days of an offer from midnight today: all-in mm per unit-hour, energy, free units."""

    first: datetime
    price_mm: Sequence[int]
    green: PointHours
    free: Sequence[int]

    def hours(self) -> list[CalendarHour]:
        """As the calendar takes them."""
        return [
            CalendarHour(
                start=self.first + index * HOUR,
                rate_mm=self.price_mm[index],
                carbon_mg_per_kwh=self.green.lifecycle_mg[index],
                renewable_ppm=self.green.renewable_ppm[index],
                free=self.free[index],
                quality=self.green.quality(index),
            )
            for index in range(WEEK_HOURS)
        ]

    def next_free(self, units: int, now: datetime) -> datetime | None:
        """The first hour from now on with `units` free."""
        begin = (hour_floor(now) - self.first) // HOUR
        found = next((index for index in range(begin, WEEK_HOURS) if self.free[index] >= units), None)
        return None if found is None else self.first + found * HOUR


def week_of(offer: Offer, now: datetime) -> Week:
    """The week of `offer` in its site's time. Raises NoHistory where nothing is known of its zone."""
    zone = zone_of(offer.site.zone.timezone)
    first = local_midnight(now, now.astimezone(zone).utcoffset() or timedelta())
    hours = green_hours_at(site=offer.site, start=first, hours=WEEK_HOURS, now=now)
    last = (first + WEEK_HOURS * HOUR).date()
    known = CapacityDay.objects.free_by_hour(offer, first.date(), last)
    starts = [first + index * HOUR for index in range(WEEK_HOURS)]
    free = [known.get((start.date(), start.hour), 0) for start in starts]
    return Week(first, hourly_prices(offer, first, WEEK_HOURS), hours, free)


def power_of(week: Week, day: datetime, window: tuple[datetime, datetime] | None, zone: str) -> Chart:
    """Where the site's electricity comes from in the 24 hours from `day`, and the offer's price over it."""
    begin = max(0, min(WEEK_HOURS - 24, (day - week.first) // HOUR))
    hours = [week.first + index * HOUR for index in range(begin, begin + 24)]
    span = slice(begin, begin + 24)
    courses = (week.green.matched_ppm, week.green.renewable_ppm, week.green.carbon_free_ppm)
    own, renewable, free = ([ppm // 10_000 for ppm in course[span]] for course in courses)
    frame = None
    if window:
        left, right = ((edge - hours[0]) / HOUR for edge in window)
        frame = (max(0, int(left)), min(24, -int(-right // 1))) if left < 24 and right > 0 else None
    return stacks.stacks(
        hours,
        [
            *([stacks.Series(_("Plants of this site"), "hydro", tuple(own))] if any(own) else []),
            stacks.Series(_("Renewable, from the grid"), "c2", _above(renewable, own)),
            stacks.Series(_("Other carbon-free"), "nuclear", _above(free, renewable)),
            stacks.Series(_("Rest of the grid"), "grid", tuple(100 - value for value in free)),
        ],
        caption=_("Sources of the site's electricity by hour, per cent; the line is the price of a unit-hour."),
        hour_header=_("Hour"),
        zone=zone,
        top=100,
        window=frame,
        line=week.price_mm[span],
        height=190,
    )


def _above(whole: Sequence[int], part: Sequence[int]) -> tuple[int, ...]:
    return tuple(more - less for more, less in zip(whole, part, strict=True))


def priced(order: Order, now: datetime) -> SearchResult:
    """The order priced by the code that quotes: one row, or none with what keeps it away."""
    return search(need=order.need(now), now=now)


def why_not(order: Order, result: SearchResult) -> list[str]:
    """The limits that keep this offer from the order."""
    return next((sorted(codes) for facts, codes in result.refused if facts.id == order.offer.public_id), ["capacity"])


def three_like_it(order: Order, now: datetime) -> list[Row]:
    """The best other offers of the same family for the same need."""
    need = replace(order.need(now), limits={"family": [order.offer.hardware.family]}, start=None)
    rows = search(need=need, now=now).rows
    return [row for row in rows if row.offer.pk != order.offer.pk][:LIKE_IT]
