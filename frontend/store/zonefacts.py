"""What the page of zones tells of each: its shelf, its hours, how fresh they are, forecasts and settled uses."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count

from marketplace.catalog.models import Offer
from marketplace.common.units import ceil_div
from marketplace.energy.forecast import DAY
from marketplace.energy.models import ForecastSignal, GridZone, SignalFeed
from marketplace.energy.services import ZoneHours, hours_of
from marketplace.energy.zonestats import (
    YEAR,
    Score,
    SettledShares,
    Told,
    points_in,
    retired_in,
    scores_of,
    settled_in,
    told_of,
)

Signals = tuple[int, int, int]  # life-cycle intensity in mg/kWh, renewable and carbon-free share in ppm


@dataclass(frozen=True, slots=True)
class ZoneFacts:
    """One zone; None where nothing is known."""

    zone: GridZone
    offers: int
    now: Signals | None
    day: Signals | None
    stale_since: datetime | None
    score: Score | None
    points: int
    told: Told | None
    month: SettledShares | None
    year: SettledShares | None
    retired: Mapping[str, int]


def zone_facts(now: datetime) -> list[ZoneFacts]:
    """Every zone, those with the most offers first. A constant number of queries."""
    zones = list(GridZone.objects.order_by("code"))
    shelf = Offer.objects.live().order_by().values_list("site__zone").annotate(count=Count("pk"))
    offers = dict(shelf)
    hours = hours_of(zones=zones, start=now, hours=DAY, now=now)
    scores, points, told = scores_of(zones=zones, now=now), points_in(zones=zones), told_of(zones=zones, now=now)
    month, year = settled_in(zones=zones, now=now), settled_in(zones=zones, now=now, back=YEAR)
    retired = retired_in(zones=zones, now=now)
    stale = SignalFeed.objects.stale_since(now)
    found = [
        ZoneFacts(
            zone=zone,
            offers=offers.get(zone.pk, 0),
            now=mean_of(hours.zone(zone), 1) if hours.has(zone) else None,
            day=mean_of(hours.zone(zone), DAY) if hours.has(zone) else None,
            stale_since=stale.get(zone.pk),
            score=scores.get(zone.pk, {}).get(ForecastSignal.LIFECYCLE),
            points=points.get(zone.pk, 0),
            told=told.get(zone.pk),
            month=month.get(zone.pk),
            year=year.get(zone.pk),
            retired=retired.get(zone.pk, {}),
        )
        for zone in zones
    ]
    return sorted(found, key=lambda facts: (-facts.offers, facts.zone.code))


def mean_of(hours: ZoneHours, count: int) -> Signals:
    """The means of the first `count` hours: intensity rounded up, shares down."""
    return (
        ceil_div(sum(hours.lifecycle_mg[:count]), count),
        sum(hours.renewable_ppm[:count]) // count,
        sum(hours.carbon_free_ppm[:count]) // count,
    )
