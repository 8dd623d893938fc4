"""What is known of many zones at once: how good their forecasts were, and what was settled in them."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Count, Sum

from marketplace.common.clock import hour_floor
from marketplace.common.units import PPM, nearest_div
from marketplace.energy.models import ForecastScore, GridZone, UseHour

TRAILING = timedelta(days=30)


class Score(NamedTuple):
    """One signal of one zone over the last 30 days: errors in its unit, parts in ppm, and how many were judged."""

    signal: str
    mae: int
    mase_ppm: int | None
    inside_ppm: int
    days: int
    hours: int


class SettledShare(NamedTuple):
    """What was matched of the settled uses, in ppm, of how many Wh and uses."""

    ppm: int
    wh: int
    uses: int


def scores_of(*, zones: Iterable[GridZone], now: datetime) -> dict[int, dict[str, Score]]:
    """By zone (key) and signal; what has not been judged yet is missing. One query."""
    until = hour_floor(now).date()
    found: dict[int, dict[str, Score]] = defaultdict(dict)
    rows = ForecastScore.objects.filter(zone__in=list(zones), day__gte=until - TRAILING, day__lt=until)
    for zone, totals in rows.by_zone():
        found[zone][totals.signal] = Score(
            totals.signal, nearest_div(totals.error, totals.hours),
            nearest_div(totals.error * PPM, totals.naive_error) if totals.naive_error else None,
            totals.inside_ppm // totals.hours, totals.days, totals.hours,
        )  # fmt: skip
    return found


def settled_in(*, zones: Iterable[GridZone], now: datetime) -> dict[int, SettledShare]:
    """By zone (key) the share matched of all uses of the last 30 days that are settled. One query."""
    rows = (
        UseHour.objects.filter(point__zone__in=list(zones), settled_at__isnull=False, start__gte=now - TRAILING)
        .order_by()
        .values_list("point__zone")
        .annotate(matched=Sum("matched_wh"), site=Sum("site_wh"), uses=Count("subject", distinct=True))
    )
    return {
        zone: SettledShare(int(matched) * PPM // int(site), int(site), uses)
        for zone, matched, site, uses in rows
        if site
    }
