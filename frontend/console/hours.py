"""A provider's next hours: what is promised and what is unsold, on green and on grid power.

The green part of an hour's units is its renewable share times the units, rounded down. What a site's own plants would
run of it is `unsold`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from marketplace.booking.greenhours import green_hours
from marketplace.booking.models import CapacityDay
from marketplace.catalog.models import Offer
from marketplace.common.clock import HOUR, hour_floor
from marketplace.common.units import PPM

HOURS_OF_DAY = 24


@dataclass(frozen=True, slots=True)
class OfferHour:
    """One hour of one offer: units that exist, units promised, and the place's power.

    `own_ppm` is the part of all that the point has on sale which its own plants are expected to run; 0 without any.
    """

    start: datetime
    total: int
    promised: int
    renewable_ppm: int
    carbon_mg_per_kwh: int
    quality: str
    own_ppm: int = 0

    @property
    def free(self) -> int:
        """Units unsold."""
        return self.total - self.promised

    @property
    def green_total(self) -> int:
        """Units that renewable power would run."""
        return self.total * self.renewable_ppm // PPM

    @property
    def on_green(self) -> int:
        """Promised units that renewable power runs."""
        return min(self.promised, self.green_total)

    @property
    def green_free(self) -> int:
        """Units unsold that renewable power would run."""
        return min(self.free, self.green_total - self.on_green)


@dataclass(frozen=True, slots=True)
class Window:
    """Hours in a row with the most unsold green units; `unit_hours` of them."""

    start: datetime
    end: datetime
    unit_hours: int
    first: int
    last: int


def hours_ahead(offers: Sequence[Offer], now: datetime, hours: int = HOURS_OF_DAY) -> dict[int, list[OfferHour]]:
    """{offer key: its next hours from the running one}; a zone without history leaves its offers out."""
    first = hour_floor(now)
    power = green_hours(sites=[offer.site for offer in offers], start=first, hours=hours, now=now)
    capacity = _capacity(offers, first, hours)
    ahead: dict[int, list[OfferHour]] = {}
    for offer in offers:
        if not power.has(offer.site.point_id):
            continue
        green = power.points[offer.site.point_id]
        ahead[offer.pk] = [
            OfferHour(
                start=first + n * HOUR,
                total=total,
                promised=promised,
                renewable_ppm=green.renewable_ppm[n],
                carbon_mg_per_kwh=green.lifecycle_mg[n],
                quality=green.quality(n),
                own_ppm=green.matched_ppm[n],
            )
            for n, (total, promised) in enumerate(_units(capacity, offer.pk, first, hours))
        ]
    return ahead


def machines_of(offers: Sequence[Offer], ahead: Mapping[int, list[OfferHour]]) -> dict[int, list[OfferHour]]:
    """The same hours with machines that two offers share counted once: beside the firm offer, with what both promised.

    The interruptible one is left out; it sells what the other has not promised.
    """
    pairs = [(offer.twin_id, offer.pk) for offer in offers if offer.twin_id is not None]
    shared = {firm: beside for firm, beside in pairs if firm in ahead and beside in ahead}
    loose = set(shared.values())
    alone = {key: hours for key, hours in ahead.items() if key not in loose}
    for firm, beside in shared.items():
        alone[firm] = [
            replace(hour, promised=hour.promised + other.promised)
            for hour, other in zip(ahead[firm], ahead[beside], strict=True)
        ]
    return alone


Days = dict[tuple[int, date], tuple[list[int], list[int]]]


def _capacity(offers: Sequence[Offer], first: datetime, hours: int) -> Days:
    last = first + hours * HOUR
    rows = CapacityDay.objects.filter(offer__in=[offer.pk for offer in offers], day__range=(first.date(), last.date()))
    return {
        (offer, day): (total, promised)
        for offer, day, total, promised in rows.values_list("offer_id", "day", "units_total", "units_promised")
    }


def _units(capacity: Days, offer: int, first: datetime, hours: int) -> list[tuple[int, int]]:
    """(total, promised) of each hour; an hour without a CapacityDay has none."""
    nothing = ([0] * HOURS_OF_DAY, [0] * HOURS_OF_DAY)
    units = []
    for n in range(hours):
        hour = first + n * HOUR
        total, promised = capacity.get((offer, hour.date()), nothing)
        units.append((total[hour.hour], promised[hour.hour]))
    return units


def best_window(green_free: Sequence[int], first: datetime, longest: int = 6) -> Window | None:
    """The hours in a row around the peak of what is unsold and green: every hour at least half of the peak."""
    peak = max(green_free, default=0)
    if not peak:
        return None
    left = right = green_free.index(peak)
    while right - left + 1 < longest:
        after = green_free[right + 1] if right + 1 < len(green_free) else -1
        before = green_free[left - 1] if left else -1
        if max(after, before) * 2 < peak:
            break
        left, right = (left, right + 1) if after >= before else (left - 1, right)
    start, end = first + left * HOUR, first + (right + 1) * HOUR
    return Window(start, end, sum(green_free[left : right + 1]), left, right + 1)
