"""What metering points used and what served them, hour by hour: readings side by side, no claim.

A point's slice of a plant is counted with the hours that the plant's meter told; what a plant whose certificates are
sold made serves nobody here. Where no meter of the point spoke, what its users are modelled to have used stands in, and
says so.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db import connection
from django.db.models import Exists, OuterRef, Sum

from marketplace.energy.models import GenerationQuality, PointHour, SourceKind, UseHour
from marketplace.energy.querysets import UseHourQuerySet

SERVING = (SourceKind.ONSITE, SourceKind.PPA_PHYSICAL, SourceKind.PPA_VIRTUAL)
MADE = """
    SELECT share.point_id, hour.start,
           sum(hour.wh * upper(share.slice) / 1000000 - hour.wh * lower(share.slice) / 1000000)::bigint
    FROM energy_sourceshare AS share
    JOIN energy_energysource AS source ON source.id = share.source_id
    JOIN energy_generationhour AS hour ON hour.source_id = source.id AND share.valid @> hour.start
    WHERE share.point_id = ANY(%s) AND hour.start >= %s AND hour.start < %s AND hour.quality = %s
      AND source.kind = ANY(%s) AND NOT source.certificates_sold
    GROUP BY share.point_id, hour.start
"""


class PointAt(NamedTuple):
    """A point (by key) in the hour from `start`."""

    point: int
    start: datetime


@dataclass(slots=True)
class Balance:
    """Wh of one hour at one point: used, made by the slices that serve it; `metered` says whose word the use is."""

    used: int = 0
    made: int = 0
    metered: bool = False

    @property
    def covered(self) -> int:
        """Used while the point's own plants made as much."""
        return min(self.used, self.made)


class Settled(NamedTuple):
    """What the settled uses of an hour add up to, in Wh: all of them, matched by the hour, and by volume only."""

    used: int
    matched: int
    volume: int


def balance_of(*, points: Iterable[int], start: datetime, end: datetime) -> dict[PointAt, Balance]:
    """The hours of `points` (keys) that start in [start, end) of which anything is known; three queries."""
    keys = list(points)
    found: dict[PointAt, Balance] = {}
    for point, hour, wh in _made(keys, start, end):
        found.setdefault(PointAt(point, hour), Balance()).made = wh
    told = PointHour.objects.filter(point__in=keys).within(start, end)
    for point, hour, wh in told.values_list("point_id", "start", "total_wh"):
        told_of = found.setdefault(PointAt(point, hour), Balance())
        told_of.used, told_of.metered = wh, True
    rows = unmetered(points=keys, start=start, end=end).values_list("point_id", "start").annotate(wh=Sum("site_wh"))
    for point, hour, wh in rows:
        found.setdefault(PointAt(point, hour), Balance()).used = wh
    return found


def unmetered(*, points: Iterable[int], start: datetime, end: datetime) -> UseHourQuerySet:
    """Uses at `points` (keys) in hours that start in [start, end) of which no meter of the point told anything."""
    uses: UseHourQuerySet = UseHour.objects.filter(point__in=list(points), start__gte=start, start__lt=end).order_by()
    return uses.exclude(Exists(PointHour.objects.filter(point=OuterRef("point"), start=OuterRef("start"))))


def settled_at(*, points: Iterable[int], start: datetime, end: datetime) -> dict[datetime, Settled]:
    """What was settled at `points` (keys) together, by the hours that start in [start, end)."""
    rows = UseHour.objects.filter(
        point__in=list(points), start__gte=start, start__lt=end, settled_at__isnull=False
    ).order_by()
    sums = rows.values_list("start").annotate(used=Sum("site_wh"), matched=Sum("matched_wh"), volume=Sum("volume_wh"))
    return {hour: Settled(used, matched, volume) for hour, used, matched, volume in sums}


def _made(points: list[int], start: datetime, end: datetime) -> list[tuple[int, datetime, int]]:
    with connection.cursor() as cursor:
        cursor.execute(MADE, [points, start, end, str(GenerationQuality.METERED), [str(kind) for kind in SERVING]])
        return list(cursor.fetchall())
