"""Stored forecasts judged against what came, once the hours of a day are known."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from django.db import transaction

from marketplace.common.clock import HOUR, hour_floor
from marketplace.common.units import PPM, nearest_div
from marketplace.energy.copying import wait_for_turn
from marketplace.energy.forecast import DAY, Series, Table
from marketplace.energy.models import SIGNAL_COLUMNS, ForecastScore, ForecastSignal, GridForecast, GridHour, GridZone

SCORED_BACK = timedelta(days=14)  # a day whose hours come later than that is not scored any more
ONE_DAY = timedelta(days=1)
AHEAD = [f"{band}__0_{DAY}" for band in ("p10", "p50", "p90")]  # the first 24 values of each array


class Known(NamedTuple):
    """What came, from the UTC midnight `start` on: a row per hour, a column per signal, nan where nothing is known."""

    start: datetime
    values: Table

    def days(self) -> Iterator[date]:
        """The days that can be judged: all their hours are known, and so are those of the day before."""
        by_day = self.values.reshape(-1, DAY, self.values.shape[1])
        whole = [not np.isnan(day).any() for day in by_day]
        for number, both in enumerate(pairwise(whole), start=1):
            if all(both):
                yield (self.start + number * ONE_DAY).date()


class Foresight(NamedTuple):
    """Forecasts of one signal by one method: for each its origin in hours, and P10, P50 and P90 of 24 hours."""

    origins: list[int]
    bands: list[Table]


@transaction.atomic
def record_scores(*, zones: Iterable[GridZone], now: datetime) -> int:
    """Score each of the last 14 days of `zones` that is over, known to its last hour and not scored yet; rows written.

    A day that no stored forecast foresaw within 24 hours gets none. Running it twice, or in two processes at once,
    scores each day once.
    """
    wait_for_turn()
    fresh = [score for zone in zones for score in _scores(zone, now)]
    return len(ForecastScore.objects.bulk_create(fresh))


def _scores(zone: GridZone, now: datetime) -> Iterator[ForecastScore]:
    midnight = hour_floor(now).replace(hour=0)
    first = midnight - SCORED_BACK
    scored = set(ForecastScore.objects.of_days(zone, first.date(), midnight.date()).values_list("day", flat=True))
    if len(scored) == SCORED_BACK.days:
        return
    known = _known(zone, first - ONE_DAY, midnight)
    days = [day for day in known.days() if day not in scored]
    if days:
        for (signal, method), seen in _foresight(zone, known.start, days).items():
            for day in days:
                yield from _score(zone, signal, method, day, known, seen)


def _known(zone: GridZone, start: datetime, end: datetime) -> Known:
    values = np.full(((end - start) // HOUR, len(SIGNAL_COLUMNS)), np.nan)
    rows = GridHour.objects.within([zone], start, end)
    for at, *found in rows.values_list("start", *SIGNAL_COLUMNS.values()):
        values[(at - start) // HOUR] = found
    return Known(start, values)


def _foresight(zone: GridZone, start: datetime, days: list[date]) -> dict[tuple[str, str], Foresight]:
    """By signal and method what was foreseen of `days`; origins count the hours from `start`."""
    begin, end = _midnight(min(days)), _midnight(max(days)) + ONE_DAY
    found: dict[tuple[str, str], Foresight] = defaultdict(lambda: Foresight([], []))
    rows = GridForecast.objects.foreseeing(zone, begin, end, ahead=ONE_DAY)
    for signal, method, origin, *bands in rows.values_list("signal", "method", "origin", *AHEAD):
        seen = found[signal, method]
        seen.origins.append((origin - start) // HOUR)
        table = np.full((len(AHEAD), DAY), np.nan)
        table[:, : len(bands[0])] = bands
        seen.bands.append(table)
    return found


def _score(
    zone: GridZone, signal: str, method: str, day: date, known: Known, seen: Foresight
) -> Iterator[ForecastScore]:
    """The score of `day`; none when no forecast reaches into it."""
    first = (_midnight(day) - known.start) // HOUR
    came = known.values[:, list(SIGNAL_COLUMNS).index(ForecastSignal(signal))]
    hours = np.array(seen.origins)[:, None] + np.arange(DAY)
    low, middle, high = np.stack(seen.bands, axis=1)
    judged = (first <= hours) & (hours < first + DAY) & ~np.isnan(middle)
    count = int(judged.sum())
    if not count:
        return
    at = hours[judged]
    inside = (low[judged] <= came[at]) & (came[at] <= high[judged])
    yield ForecastScore(
        zone=zone, signal=signal, day=day, method=method, hours=count,
        mae=_mean_error(middle[judged], came[at]), naive_mae=_mean_error(came[at - DAY], came[at]),
        inside_ppm=int(inside.sum()) * PPM // count,
    )  # fmt: skip


def _mean_error(said: Series, came: Series) -> int:
    """In whole units of the signal, the nearest; at least one value."""
    return nearest_div(int(np.abs(said - came).sum()), len(came))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
