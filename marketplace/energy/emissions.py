"""Observed and expected life-cycle averages of zones, in the units and shapes of thought of the Carbon Aware SDK."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from marketplace.common.clock import HOUR, hour_ceil, hour_floor
from marketplace.energy.models import GridForecast, GridHour, GridZone
from marketplace.energy.signals.sample import SOURCE
from marketplace.energy.starts import Band, HourOutlook, candidate_starts, run_outlook
from marketplace.energy.windows import FORECAST, METERED, MODELLED, SAMPLE
from marketplace.energy.zoneoutlook import told_hours


@dataclass(frozen=True, slots=True)
class Rating:
    """The life-cycle average of a place over `length` from `start`, mg/kWh; `quality` as in `windows.QUALITIES`."""

    location: str
    start: datetime
    length: timedelta
    mg_per_kwh: int
    quality: int


def observed_ratings(*, location: str, zone: GridZone, start: datetime, end: datetime, now: datetime) -> list[Rating]:
    """Each published hour that [start, end) touches, earliest first; hours that nobody told are left out."""
    last = min(max(hour_ceil(end), hour_floor(start) + HOUR), hour_floor(now))
    told = told_hours(zone=zone, start=hour_floor(start), end=last)
    return [
        Rating(location, hour, HOUR, row.lifecycle_mg_per_kwh, _quality_of(row)) for hour, row in told.items()
    ]  # fmt: skip


def best_ratings(ratings: Iterable[Rating]) -> list[Rating]:
    """Those with the lowest intensity, in their order."""
    found = list(ratings)
    least = min((rating.mg_per_kwh for rating in found), default=None)
    return [rating for rating in found if rating.mg_per_kwh == least]


def expected_ratings(
    *, location: str, row: GridForecast, start: datetime, end: datetime, length: timedelta
) -> list[Rating]:
    """The median of a run of `length` at `start` and at every whole hour after it that ends by `end`.

    `row` is a forecast of the life-cycle intensity that covers [start, end).
    """
    quality = SAMPLE if row.zone.sample else FORECAST
    hours = [HourOutlook(Band(None, value, None), Band(None, 0, None), quality) for value in row.p50]
    runs = [run_outlook(hours, row.origin, each, length) for each in candidate_starts(start, end, length)]
    return [Rating(location, run.start, length, run.lifecycle.p50, quality) for run in runs]


def _quality_of(row: GridHour) -> int:
    if row.source == SOURCE:
        return SAMPLE
    return MODELLED if row.estimated else METERED
