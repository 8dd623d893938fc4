"""The outlook of every listing: what its point's plants and grid may give a flat load over the next 7 and 30 days.

What is still free of a point shares its supply with what is sold there. A flat load of the free capacity, matched by
its part of the supply, has the share of the whole capacity matched by the whole supply; so that is what is computed,
once for a point, and all its listings have it. No listing is told that the plant is its own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

import numpy as np
from django.db import transaction
from django.db.models import Count, Sum

from marketplace.common.clock import HOUR, hour_floor
from marketplace.common.units import PPM
from marketplace.energy.forecast import DAY, Series
from marketplace.energy.models import GridHour, GridZone, ShareOutlook, UseHour
from marketplace.energy.models.outlooks import DAYS
from marketplace.energy.paths import FEWEST_PATHS, Whole, grid_paths, paths_known, supply_paths
from marketplace.energy.pointhours import PointLoad
from marketplace.energy.shares import ShareBands, flat_bands
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


class Foreseen(NamedTuple):
    """From which hour on, by how many paths, and what they say: nothing where fewer than ten are known."""

    origin: int
    paths: int
    bands: ShareBands | None


class GridHistory:
    """A zone's renewable share in ppm by hour, nan where unknown. Its futures serve every point in it and are kept.

    `until` numbers the hour after the last known one, `run` the first of the unbroken run before it.
    """

    def __init__(self, known: Series) -> None:
        self.until = int(np.flatnonzero(~np.isnan(known))[-1]) + 1
        gaps = np.flatnonzero(np.isnan(known[: self.until]))
        self.run = int(gaps[-1]) + 1 if gaps.size else 0
        self._known = known
        self._paths: dict[tuple[int, int, int], Whole] = {}

    def paths(self, origin: int, hours: int, paths: int) -> Whole:
        """Its futures from hour number `origin` on, ppm [paths, hours]."""
        key = origin, hours, paths
        if key not in self._paths:
            self._paths[key] = grid_paths(self._known[self.run : origin], hours, paths)
        return self._paths[key]


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
    remaining = iter(loads)
    while some := list(islice(remaining, AT_ONCE)):
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
    foreseen = _foresee(load.watts, proven, grid, plants, days * DAY)
    unproven = bool(serving) and (not proven or foreseen.bands is None)
    told = None if unproven else foreseen.bands
    return ShareOutlook(
        point_id=load.point, days=days, origin=plants.begin + foreseen.origin * HOUR, load_wh=load.watts,
        matched=told and told.matched[:, 0].tolist(), blended=told and told.blended[:, 0].tolist(),
        grid=foreseen.bands and foreseen.bands.grid[:, 0].tolist(), paths=foreseen.paths, supplied=bool(serving),
        unproven=unproven, history_days=max((plant.days for plant in serving), default=0), settled_wh=0, settled_uses=0,
        sample=load.zone.sample or any(plant.sample for plant in proven),
    )  # fmt: skip


def _foresee(
    watts: int, proven: Sequence[Plant], grid: GridHistory | None, plants: Plants, hours: int
) -> Foreseen:  # fmt: skip
    """The bands of a flat load from the last hour on that all of what serves it is known up to."""
    if grid is None or plants.skip - grid.until > OUTAGE_HOURS:
        return Foreseen(plants.skip, 0, None)
    origin = min([grid.until, *(plant.until for plant in proven)])
    lead = plants.skip - origin
    runs = [grid.run, *(plant.run for plant in proven)]
    paths = min(paths_known(origin - run, lead + hours) for run in runs)
    if paths < FEWEST_PATHS or watts <= 0:
        return Foreseen(origin, paths, None)
    free = [np.pad(plant.free[:hours], (lead, 0), constant_values=PPM) for plant in proven]
    supplies = [plant.supply(origin, part) for plant, part in zip(proven, free, strict=True)]
    supply = supply_paths(supplies, lead + hours, paths)[:, lead:]
    load = np.array([watts], dtype=np.int64)
    return Foreseen(origin, paths, flat_bands(load, supply, grid.paths(origin, lead + hours, paths)[:, lead:]))


def grid_histories(*, zones: Iterable[GridZone], now: datetime) -> dict[int, GridHistory]:
    """By zone (key) its renewable shares as far as they are known without a gap; hours are numbered as of plants."""
    end = hour_floor(now)
    begin = end - LOOKBACK_HOURS * HOUR
    known = {zone.pk: np.full(LOOKBACK_HOURS, np.nan) for zone in zones}
    rows = GridHour.objects.within(known, begin, end)
    for zone, start, ppm in rows.values_list("zone_id", "start", "renewable_ppm"):
        known[zone][(start - begin) // HOUR] = ppm
    return {zone: GridHistory(values) for zone, values in known.items() if not np.isnan(values).all()}


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
