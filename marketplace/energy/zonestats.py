"""What is known of many zones at once: how good their forecasts were, and what was settled in them."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection
from django.db.models import Count, Sum

from marketplace.common.clock import hour_floor
from marketplace.common.units import PPM, nearest_div
from marketplace.energy.models import CertificateLot, ForecastScore, GridHour, GridZone, MeterPoint, UseHour
from marketplace.energy.querysets.grid import IS_REAL
from marketplace.energy.signals.sample import SOURCE

TRAILING = timedelta(days=30)
YEAR = timedelta(days=365)
WEEK = timedelta(days=7)
# Per zone: the Wh of all hours, and of those whose grid is known the Wh, Σ(M + (E − M)·g) and ΣE·g in ppm of a Wh.
SHARES = """
    WITH used AS (
        SELECT point.zone_id AS zone, use.start, sum(use.site_wh) AS site, sum(use.matched_wh) AS matched
        FROM energy_usehour AS use JOIN energy_meterpoint AS point ON point.id = use.point_id
        WHERE point.zone_id = ANY(%s) AND use.settled_at IS NOT NULL AND use.start >= %s
        GROUP BY point.zone_id, use.start
    )
    SELECT used.zone, sum(site), sum(matched), sum(site) FILTER (WHERE ppm IS NOT NULL),
           sum(matched * 1000000 + (site - matched) * ppm), sum(site * ppm), count(*)
    FROM used LEFT JOIN LATERAL (
        SELECT renewable_ppm AS ppm FROM energy_gridhour AS hour
        WHERE hour.zone_id = used.zone AND hour.start = used.start
        ORDER BY hour.source <> %s DESC, hour.published_at DESC, hour.id DESC LIMIT 1
    ) AS grid ON true
    GROUP BY used.zone
"""


class Score(NamedTuple):
    """One signal of one zone over the last 30 days: errors in its unit, parts in ppm, and how many were judged."""

    signal: str
    mae: int
    mase_ppm: int | None
    inside_ppm: int
    days: int
    hours: int


class SettledShares(NamedTuple):
    """What settled uses were, in ppm: of how many Wh, hours of the zone and uses.

    Matched is of all of them; blended and grid are of the `known_wh` in hours whose grid is known, None of nothing.
    """

    matched: int
    blended: int | None
    grid: int | None
    wh: int
    known_wh: int
    hours: int
    uses: int


class Told(NamedTuple):
    """Who said last what a zone's power is like: for which hour, from which source, in which vintage."""

    start: datetime
    source: str
    vintage: str


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


def settled_in(*, zones: Iterable[GridZone], now: datetime, back: timedelta = TRAILING) -> dict[int, SettledShares]:
    """By zone (key) the three shares of all uses in the last `back` that are settled, each a sum of its own.

    Two queries.
    """
    keys, since = [zone.pk for zone in zones], now - back
    settled = UseHour.objects.filter(point__zone__in=keys, settled_at__isnull=False, start__gte=since).order_by()
    uses = dict(settled.values_list("point__zone").annotate(uses=Count("subject", distinct=True)))
    with connection.cursor() as cursor:
        cursor.execute(SHARES, [keys, since, SOURCE])
        rows = cursor.fetchall()
    return {
        zone: SettledShares(
            int(matched) * PPM // int(site),
            int(blended) // int(known) if known else None,
            int(grid) // int(known) if known else None,
            int(site), int(known or 0), hours, uses[zone],
        )
        for zone, site, matched, known, blended, grid, hours in rows
        if site
    }  # fmt: skip


def points_in(*, zones: Iterable[GridZone]) -> dict[int, int]:
    """By zone (key) how many metering points are there. One query."""
    rows = MeterPoint.objects.filter(zone__in=list(zones)).order_by().values_list("zone")
    return dict(rows.annotate(points=Count("pk")))


def retired_in(*, zones: Iterable[GridZone], now: datetime) -> dict[int, dict[str, int]]:
    """By zone (key) of the point and scheme the Wh that are cancelled of energy made in the last 12 months. One query.

    What an issuer took back later is not among them.
    """
    found: dict[int, dict[str, int]] = defaultdict(dict)
    lots = CertificateLot.objects.filter(
        point__zone__in=list(zones), cancelled_wh__gt=0, issuance__start__gte=now - YEAR
    )
    rows = lots.order_by("point__zone", "issuance__scheme").values_list("point__zone", "issuance__scheme")
    for zone, scheme, wh in rows.annotate(wh=Sum("cancelled_wh")):
        found[zone][scheme] = int(wh)
    return found


def told_of(*, zones: Iterable[GridZone], now: datetime) -> dict[int, Told]:
    """By zone (key) the latest published hour of the last week, by its best source's latest vintage. One query."""
    rows = GridHour.objects.filter(zone__in=list(zones), start__gte=now - WEEK, start__lte=now)
    best = rows.order_by("zone_id", "-start", IS_REAL.desc(), "-published_at", "-pk").distinct("zone_id")
    rows_of = best.values_list("zone_id", "start", "source", "vintage")
    return {zone: Told(start, source, vintage) for zone, start, source, vintage in rows_of}
