"""The outlook of every listing: what its point's plants and grid may give a flat load over the next 7 and 30 days.

What is still free of a point shares its supply with what is sold there. A flat load of the free capacity, matched by
its part of the supply, has the share of the whole capacity matched by the whole supply; so that is what is computed,
once for a point, and all its listings have it. No listing is told that the plant is its own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import batched
from typing import NamedTuple

import numpy as np
from django.db import transaction
from django.db.models import Count, Sum

from marketplace.common.clock import HOUR, hour_floor
from marketplace.common.units import PPM
from marketplace.energy.forecast import DAY, Series
from marketplace.energy.models import GridHour, GridZone, ShareOutlook, UseHour
from marketplace.energy.models.outlooks import DAYS
from marketplace.energy.outlook import Place, flat_outlook, paths_at
from marketplace.energy.paths import FEWEST_PATHS, Whole
from marketplace.energy.pointhours import PointLoad
from marketplace.energy.shares import ShareBands
from marketplace.energy.supplyhours import LOOKBACK_HOURS, Plant, Plants, plants_of
from marketplace.energy.windows import OUTAGE_HOURS

SETTLED_BACK = timedelta(days=365)
AT_ONCE = 200  # points whose hours are held in memory
LONGEST = max(DAYS) * DAY
KEY = ["subject", "days"]
WRITTEN = [
    "point", "origin", "load_wh", "matched", "blended", "grid", "paths", "supplied", "unproven", "history_days",
    "settled_ppm", "settled_wh", "settled_uses", "sample",
]  # fmt: skip


class Listing(NamedTuple):
    """An offer (by public id) and the load of its metering point."""

    subject: str
    load: PointLoad


class GridHistory(NamedTuple):
    """A zone's renewable share in ppm without a gap up to the last known hour; `until` numbers the hour after it."""

    known: Series
    run: int
    until: int


class Settled(NamedTuple):
    """What was settled at a point: the matched share in ppm (None of nothing), its Wh and the number of uses."""

    ppm: int | None = None
    wh: int = 0
    uses: int = 0


@transaction.atomic
def refresh_outlooks(*, listings: Iterable[Listing], now: datetime) -> int:
    """Write the outlook of each of `listings` anew and forget those of others; how many rows."""
    by_point: dict[int, list[Listing]] = {}
    for listing in listings:
        by_point.setdefault(listing.load.point, []).append(listing)
    loads = [members[0].load for members in by_point.values()]
    grids = grid_histories(zones={load.zone for load in loads}, now=now)
    settled = settled_at(points=by_point, now=now)
    kept = 0
    for some in batched(loads, AT_ONCE, strict=False):
        rows = [
            row
            for outlook in _outlooks(some, grids, settled, now)
            for row in _for_each(outlook, by_point[outlook.point_id])
        ]
        ShareOutlook.objects.bulk_create(
            rows, batch_size=2_000, update_conflicts=True, unique_fields=KEY, update_fields=WRITTEN
        )
        kept += len(rows)
    subjects = [listing.subject for members in by_point.values() for listing in members]
    ShareOutlook.objects.exclude(subject__in=subjects).delete()
    return kept


def _for_each(outlook: ShareOutlook, listings: Sequence[Listing]) -> Iterator[ShareOutlook]:
    fields = {name: getattr(outlook, name) for name in WRITTEN if name != "point"}
    for listing in listings:
        yield ShareOutlook(subject=listing.subject, point_id=outlook.point_id, days=outlook.days, **fields)


def _outlooks(
    loads: Sequence[PointLoad], grids: Mapping[int, GridHistory], settled: Mapping[int, Settled], now: datetime
) -> Iterator[ShareOutlook]:
    first = hour_floor(now)
    plants = plants_of(points=[load.point for load in loads], first=first, hours=LONGEST, now=now)
    for load in loads:
        for days in DAYS:
            outlook = outlook_at(load=load, days=days, plants=plants, grid=grids.get(load.zone.pk))
            outlook.settled_ppm, outlook.settled_wh, outlook.settled_uses = settled.get(load.point, Settled())
            yield outlook


def outlook_at(*, load: PointLoad, days: int, plants: Plants, grid: GridHistory | None) -> ShareOutlook:
    """The outlook of a point over `days` from the window of `plants` on, not stored; nothing settled is in it."""
    serving = plants.of_point.get(load.point, [])
    proven = [plant for plant in serving if plant.is_proven]
    place, origin = _place(proven, grid, plants, days * DAY)
    paths = paths_at(place, plants.skip - origin + days * DAY) if place else 0
    is_said = bool(place and paths >= FEWEST_PATHS and load.watts > 0)
    bands = _bands(place, load.watts, days * DAY, plants.skip - origin) if place and is_said else None
    unproven = bool(serving) and (not proven or bands is None)
    return ShareOutlook(
        point_id=load.point, days=days, origin=plants.begin + origin * HOUR, load_wh=load.watts,
        matched=None if unproven or bands is None else bands.matched[:, 0].tolist(),
        blended=None if unproven or bands is None else bands.blended[:, 0].tolist(),
        grid=None if bands is None else bands.grid[:, 0].tolist(), paths=paths,
        supplied=bool(serving), unproven=unproven, history_days=max((plant.days for plant in serving), default=0),
        settled_wh=0, settled_uses=0, sample=load.zone.sample or any(plant.sample for plant in proven),
    )  # fmt: skip


def _place(
    proven: Sequence[Plant], grid: GridHistory | None, plants: Plants, hours: int
) -> tuple[Place | None, int]:  # fmt: skip
    """What serves a point, up to the last hour that all of it is known for; and the number of the hour after that."""
    if grid is None or plants.skip - grid.until > OUTAGE_HOURS:
        return None, plants.skip
    origin = min([grid.until, *(plant.until for plant in proven)])
    lead = plants.skip - origin
    supplies = [plant.supply(origin, _ahead(plant.free[:hours], lead)) for plant in proven]
    return Place(supplies, grid.known[grid.run : origin]), origin


def _ahead(free: Whole, lead: int) -> Whole:
    """The same with `lead` whole hours before it."""
    return np.pad(free, (lead, 0), constant_values=PPM)


def _bands(place: Place, watts: int, hours: int, lead: int) -> ShareBands:
    return flat_outlook(place, np.array([watts], dtype=np.int64), hours, lead=lead)


def grid_histories(*, zones: Iterable[GridZone], now: datetime) -> dict[int, GridHistory]:
    """By zone (key) its renewable shares as far as they are known without a gap; hours are numbered as of plants."""
    end = hour_floor(now)
    begin = end - LOOKBACK_HOURS * HOUR
    known = {zone.pk: np.full(LOOKBACK_HOURS, np.nan) for zone in zones}
    rows = GridHour.objects.within(known, begin, end)
    for zone, start, ppm in rows.values_list("zone_id", "start", "renewable_ppm"):
        known[zone][(start - begin) // HOUR] = ppm
    return {zone: _unbroken(values) for zone, values in known.items() if not np.isnan(values).all()}


def _unbroken(values: Series) -> GridHistory:
    until = int(np.flatnonzero(~np.isnan(values))[-1]) + 1
    gaps = np.flatnonzero(np.isnan(values[:until]))
    return GridHistory(values, int(gaps[-1]) + 1 if gaps.size else 0, until)


def settled_at(*, points: Iterable[int], now: datetime) -> dict[int, Settled]:
    """By point what was settled of the uses of the last twelve months."""
    rows = (
        UseHour.objects.filter(point__in=list(points), settled_at__isnull=False, start__gte=now - SETTLED_BACK)
        .order_by()
        .values_list("point_id")
        .annotate(matched=Sum("matched_wh"), site=Sum("site_wh"), uses=Count("subject", distinct=True))
    )
    return {
        point: Settled(int(matched) * PPM // int(site), int(site), uses) for point, matched, site, uses in rows if site
    }
