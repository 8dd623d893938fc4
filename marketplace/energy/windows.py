"""Signals over any window of hours: published where known, forecast where not, and the means of a run over them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from django.db import connection

from marketplace.common.clock import HOUR, hour_ceil, hour_floor
from marketplace.common.units import PPM, ceil_div
from marketplace.energy.errors import NoHistory
from marketplace.energy.forecast import NEEDED, blend
from marketplace.energy.models import GridHour, GridYear, GridZone
from marketplace.energy.signals.sample import SOURCE
from marketplace.energy.starts import overlaps
from marketplace.energy.years import years_by_hour

OUTAGE_HOURS = 5 * 24  # a zone silent for longer is not forecast any more
LOOKBACK_HOURS = NEEDED + OUTAGE_HOURS
QUALITIES = ("metered", "modelled", "forecast", "yearly", "sample")  # from best to worst
METERED, MODELLED, FORECAST, YEARLY, SAMPLE = range(len(QUALITIES))
COLUMNS = ("renewable_ppm", "carbon_free_ppm", "lifecycle_mg_per_kwh", "direct_mg_per_kwh")
LATEST = "SELECT (SELECT max(id) FROM energy_gridhour), (SELECT max(id) FROM energy_gridyear)"
CEILINGS = np.array([PPM, PPM, np.inf, np.inf])  # of the columns


@dataclass(frozen=True, slots=True)
class ZoneHours:
    """Hourly signals of one zone from a whole hour on: shares in ppm, average intensities in mg/kWh.

    `forecast` marks the hours that nobody has published yet.
    """

    renewable_ppm: tuple[int, ...]
    carbon_free_ppm: tuple[int, ...]
    lifecycle_mg: tuple[int, ...]
    direct_mg: tuple[int, ...]
    forecast: tuple[bool, ...]
    qualities: tuple[int, ...]

    def quality(self, index: int) -> str:
        """What the value of hour `index` is: `metered`, `modelled`, `forecast`, `yearly` (its year's) or `sample`.

        Whatever rests on invented hours says `sample`, its forecasts too.
        """
        return QUALITIES[self.qualities[index]]


@dataclass(frozen=True, slots=True)
class HourWindow:
    """Signals of several zones over the same hours. A zone of which too little is known has none."""

    start: datetime
    hours: int
    zones: dict[int, ZoneHours]

    def zone(self, zone: GridZone) -> ZoneHours:
        """The hours of `zone`; raises NoHistory."""
        if zone.pk not in self.zones:
            raise NoHistory(zone.code)
        return self.zones[zone.pk]

    def has(self, zone: GridZone) -> bool:
        """Whether the hours of `zone` are known or can be forecast."""
        return zone.pk in self.zones


@dataclass(frozen=True, slots=True)
class GreenShare:
    """Time-weighted means over a run: shares rounded down (ppm), intensities rounded up (mg/kWh)."""

    renewable_ppm: int
    carbon_free_ppm: int
    lifecycle_mg: int
    direct_mg: int
    quality: str


def hours_of(*, zones: Iterable[GridZone], start: datetime, hours: int, now: datetime) -> HourWindow:
    """Signals of `zones` for `hours` from the whole hour that `start` lies in.

    Hours that had not ended by `now` are forecast, and so are gaps. A zone that cannot be forecast has the average of
    the year for every hour; one of which no year is known either is left out: asking the window for it raises
    NoHistory. One query when the hours are remembered, a few when they are not.
    """
    known = tuple(sorted({(zone.pk, zone.sample) for zone in zones}))
    with connection.cursor() as cursor:
        cursor.execute(LATEST)
        latest = cursor.fetchone()
    database = str(connection.settings_dict["NAME"])
    return _window(database, latest, known, hour_floor(start), hours, hour_floor(now))


def share_over(*, zone: GridZone, start: datetime, end: datetime, now: datetime) -> GreenShare:
    """Means over [start, end), each hour weighted by the part of it that the run covers.

    Raises ValueError for an empty span, NoHistory where nothing is known.
    """
    if end <= start:
        raise ValueError("a span must end after it starts")
    first = hour_floor(start)
    count = (hour_ceil(end) - first) // HOUR
    hours = hours_of(zones=[zone], start=first, hours=count, now=now).zone(zone)
    return mean_of(hours, overlaps(start, end))


def mean_of(hours: ZoneHours, weights: Sequence[int]) -> GreenShare:
    """The means of `hours` under `weights` (whole numbers, one for each of the first hours, not all 0)."""
    whole = sum(weights)

    def total(values: Sequence[int]) -> int:
        return sum(weight * value for weight, value in zip(weights, values, strict=False))

    worst = max(quality for quality, weight in zip(hours.qualities, weights, strict=False) if weight)
    return GreenShare(
        renewable_ppm=total(hours.renewable_ppm) // whole,
        carbon_free_ppm=total(hours.carbon_free_ppm) // whole,
        lifecycle_mg=ceil_div(total(hours.lifecycle_mg), whole),
        direct_mg=ceil_div(total(hours.direct_mg), whole),
        quality=QUALITIES[worst],
    )


@lru_cache(maxsize=64)
def _window(
    database: str,
    latest: tuple[int | None, int | None],
    zones: tuple[tuple[int, bool], ...],
    first: datetime,
    hours: int,
    by: datetime,
) -> HourWindow:  # fmt: skip
    """Reads and forecasts. `database` and `latest` (the newest rows' keys) are there to tell stale answers apart."""
    begin = min(first, by) - LOOKBACK_HOURS * HOUR
    end = first + hours * HOUR
    size = (end - begin) // HOUR
    values = {pk: np.full((size, len(COLUMNS)), np.nan) for pk, _ in zones}
    grades = {pk: np.full(size, SAMPLE if sample else FORECAST) for pk, sample in zones}
    rows = GridHour.objects.within(values, begin, min(by, end))
    for zone, start, source, estimated, *signals in rows.values_list(
        "zone_id", "start", "source", "estimated", *COLUMNS
    ):
        index = (start - begin) // HOUR
        values[zone][index] = signals
        grades[zone][index] = SAMPLE if source == SOURCE else MODELLED if estimated else METERED
    skip = (first - begin) // HOUR
    found = {pk: _zone_hours(values[pk], grades[pk], skip) for pk, _ in zones}
    hourly = {pk: zone for pk, zone in found.items() if zone}
    years = GridYear.objects.of_zones(found.keys() - hourly.keys()) if len(hourly) < len(found) else {}
    return HourWindow(first, hours, hourly | {pk: _flat(of, first, hours) for pk, of in years.items()})


def _flat(years: Sequence[GridYear], first: datetime, hours: int) -> ZoneHours:
    """The averages of the years in place of hours."""
    rows = years_by_hour(years, first, hours)
    return ZoneHours(
        renewable_ppm=tuple(row.renewable_ppm for row in rows),
        carbon_free_ppm=tuple(row.carbon_free_ppm for row in rows),
        lifecycle_mg=tuple(row.lifecycle_mg_per_kwh for row in rows),
        direct_mg=tuple(row.direct_mg_per_kwh for row in rows),
        forecast=(True,) * hours, qualities=(YEARLY,) * hours,
    )  # fmt: skip


def _zone_hours(values: npt.NDArray[np.float64], grades: npt.NDArray[np.int64], skip: int) -> ZoneHours | None:
    """The window from index `skip` of `values` [hours, columns] on; unknown hours are nan. None without history."""
    unknown = np.isnan(values[:, 0])
    if not _fill(values, unknown, skip):
        return None
    rounded = np.clip(np.rint(values[skip:]), 0, CEILINGS).astype(np.int64)
    rounded[:, 1] = np.maximum(rounded[:, 0], rounded[:, 1])
    renewable, free, lifecycle, direct = (tuple(column.tolist()) for column in rounded.T)
    return ZoneHours(
        renewable_ppm=renewable, carbon_free_ppm=free, lifecycle_mg=lifecycle, direct_mg=direct,
        forecast=tuple(unknown[skip:].tolist()), qualities=tuple(grades[skip:].tolist()),
    )  # fmt: skip


def _fill(values: npt.NDArray[np.float64], unknown: npt.NDArray[np.bool_], skip: int) -> bool:
    """Forecast each gap from what lies before it; False when the window from `skip` on keeps a gap.

    A gap before the window that cannot be filled only shortens the history.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], unknown, [False]]).astype(np.int8)))
    first = 0
    for gap, until in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        is_outage = until - gap > OUTAGE_HOURS and until < len(values)
        if gap - first < NEEDED or is_outage:
            if until > skip:
                return False
            first = until
            continue
        for column in values.T:
            column[gap:until] = blend(column[first:gap], until - gap)
    return True
