"""Energy of a site's own plants that nobody has bought yet: forecast supply that meets free machines, hour by hour.

Of each hour the supply of the point's plants and contracts serves what is sold there first. What is left, as far as
free machines could use it, is unsold; each offer has its part of it by the energy of its free units, in whole units.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from frontend.console.hours import OfferHour, Window, best_window
from marketplace.booking.contracts import watts_with_overhead
from marketplace.booking.hours import hour_of_week
from marketplace.catalog.models import Offer
from marketplace.common.units import PPM

MM_PER_MINOR = 1_000


@dataclass(frozen=True, slots=True)
class GreenHour:
    """An hour at one metering point: units that exist, sold ones (of which the point's own power runs `on_green`), what
    of its free units that power would run, offer by offer, and how many Wh of it that is."""

    start: datetime
    total: int
    sold: int
    on_green: int
    units: Mapping[int, int]  # by offer
    wh: int

    @property
    def unsold(self) -> int:
        """Free units that own power would run."""
        return sum(self.units.values())


@dataclass(frozen=True, slots=True)
class GreenSite:
    """The hours of one metering point, the offers there by key, and the names of its sites."""

    name: str
    point: int
    offers: Mapping[int, Offer]
    hours: Sequence[GreenHour]

    @property
    def supplied(self) -> bool:
        """Whether own power is expected at all."""
        return any(hour.on_green or hour.wh for hour in self.hours)

    @property
    def free(self) -> int:
        """Unit-hours that nobody has bought."""
        return sum(hour.total - hour.sold for hour in self.hours)

    @property
    def unsold(self) -> int:
        """Unit-hours of them that own power would run."""
        return sum(hour.unsold for hour in self.hours)

    @property
    def wh(self) -> int:
        """The energy of those."""
        return sum(hour.wh for hour in self.hours)

    @property
    def value_minor(self) -> int:
        """What they bring at the present prices, without electricity and fees, rounded down."""
        return sum(worth_mm(offer, self.hours) for offer in self.offers.values()) // MM_PER_MINOR

    def best(self) -> Window | None:
        """The hours in a row with the most unsold units."""
        return best_window([hour.unsold for hour in self.hours], self.hours[0].start) if self.hours else None

    def best_offer(self, window: Window) -> Offer:
        """The offer that has most of them."""
        hours = self.hours[window.first : window.last]
        return max(self.offers.values(), key=lambda offer: sum(hour.units.get(offer.pk, 0) for hour in hours))


def worth_mm(offer: Offer, hours: Sequence[GreenHour], percent: int = 100) -> int:
    """What the offer's part of `hours` brings at so many per cent of its present rates, in thousandths."""
    return sum(hour.units.get(offer.pk, 0) * rate_at(offer, hour.start, percent) for hour in hours)


def rate_at(offer: Offer, hour: datetime, percent: int = 100) -> int:
    """So many per cent of the offer's rate in that hour, rounded down to a thousandth."""
    return int(offer.rate_mm[hour_of_week(hour)]) * percent // 100


def green_sites(
    *, offers: Sequence[Offer], machines: Mapping[int, Sequence[OfferHour]], watts: Mapping[int, int]
) -> list[GreenSite]:  # fmt: skip
    """Every metering point of `offers` (with their `machines`, each counted once), the one with most unsold first.

    `watts` is what all that a point has on sale draws at the site's meter.
    """
    points: dict[int, list[Offer]] = {}
    for offer in offers:
        if offer.pk in machines:
            points.setdefault(offer.site.point_id, []).append(offer)
    sites = [
        GreenSite(
            ", ".join(sorted({offer.site.name for offer in here})), point, {offer.pk: offer for offer in here},
            _hours(here, machines, watts.get(point, 0)),
        )
        for point, here in points.items()
    ]  # fmt: skip
    return sorted(sites, key=lambda site: (-site.unsold, site.name))


def _hours(offers: Sequence[Offer], machines: Mapping[int, Sequence[OfferHour]], load_wh: int) -> list[GreenHour]:
    draws = {offer.pk: watts_with_overhead(offer) for offer in offers}
    rows = zip(*(machines[offer.pk] for offer in offers), strict=True)
    return [_hour(dict(zip(draws, row, strict=True)), draws, load_wh) for row in rows]


def _hour(hours: Mapping[int, OfferHour], draws: Mapping[int, int], load_wh: int) -> GreenHour:
    head = next(iter(hours.values()))
    supply = head.own_ppm * load_wh // PPM
    sold_wh = sum(hour.promised * draws[key] for key, hour in hours.items())
    free = {key: max(0, hour.free) for key, hour in hours.items()}
    free_wh = sum(units * draws[key] for key, units in free.items())
    wh = min(max(0, supply - sold_wh), free_wh)
    sold = sum(hour.promised for hour in hours.values())
    on_green = sold if sold_wh <= supply else sold * supply // sold_wh
    units = {key: count * wh // free_wh if free_wh else 0 for key, count in free.items()}
    return GreenHour(head.start, sum(hour.total for hour in hours.values()), sold, on_green, units, wh)
