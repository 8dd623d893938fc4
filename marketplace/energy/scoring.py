"""How good the forecast is: pure back-tests of the blend on hourly series that are known to the end."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from marketplace.common.units import share_percent_down
from marketplace.energy.forecast import DAY, INTERVAL_NEEDED, STEP, Series, Table, bands, blends
from marketplace.energy.paths import Supply, hours_needed, supply_paths
from marketplace.energy.shares import bands_of

AHEAD = 96
Choose = Callable[[Table], Table]  # of hourly values [origins, hours] the hours used of each, [origins, hours]
SPANS = {"1-6": slice(0, 6), "1-24": slice(0, 24), "25-48": slice(24, 48), "49-96": slice(48, 96)}


class Errors(NamedTuple):
    """Mean errors per span of steps: absolute, and in per cent of what came."""

    absolute: dict[str, float]
    percent: dict[str, float]


def origins_of(series: Series, first: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Every sixth hour from index `first` on that still has 96 known hours ahead."""
    return np.arange(first, len(series) - AHEAD + 1, STEP)


def came(series: Series, origins: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> Table:
    """What followed each origin: [origins, 96]."""
    values: Table = series[origins[:, None] + np.arange(AHEAD)]
    return values


def blend_errors(series: Series, first: int) -> Errors:
    """The errors of the blend from every origin at or after index `first` of `series` [hours]."""
    origins = origins_of(series, first)
    return _errors(blends(series, origins, AHEAD), came(series, origins))


def yesterday_errors(series: Series, first: int) -> Errors:
    """The errors of saying that each hour will be as the same hour of the last known day."""
    origins = origins_of(series, first)
    lag = series[origins[:, None] - DAY + np.arange(AHEAD) % DAY]
    return _errors(lag, came(series, origins))


def coverage(series: Series, first: int, *, hours: int = DAY, every: int = 30) -> float:
    """The part of the next `hours` that fell between P10 and P90, over origins `every` hours apart; 0.8 is right."""
    inside = [_inside(series, origin, hours) for origin in range(first, len(series) - hours + 1, every)]
    return float(np.mean(inside))


def _inside(series: Series, origin: int, hours: int) -> float:
    low, _, high = bands(series[origin - INTERVAL_NEEDED : origin], hours)
    values = series[origin : origin + hours]
    return float(np.mean((low <= values) & (values <= high)))


class Shifting(NamedTuple):
    """Carbon of jobs, one arriving every hour: run at once, at the best forecast, at the best in fact."""

    at_once: float
    chosen: float
    best: float

    @property
    def saved(self) -> float:
        return 1 - self.chosen / self.at_once

    @property
    def could_be_saved(self) -> float:
        return 1 - self.best / self.at_once


class Places(NamedTuple):
    """Mean intensities over the same hours: of all zones, of the best one, and of the best one of each hour."""

    average: float
    best: float
    best_each_hour: float


def shifting(series: Series, first: int, *, run: int = 4, window: int = DAY) -> Shifting:
    """What waiting for the cleanest `run` hours that end within `window` saves, by forecast and by hindsight."""
    origins = np.arange(first, len(series) - window + 1)
    ahead = blends(series, origins, window)
    truth = series[origins[:, None] + np.arange(window)]
    expected, real = (np.stack(list(_windows(table, run)), axis=1) for table in (ahead, truth))
    chosen = np.take_along_axis(real, expected.argmin(axis=1)[:, None], axis=1)
    return Shifting(float(real[:, 0].sum()), float(chosen.sum()), float(real.min(axis=1).sum()))


def scattering(series: Series, first: int, *, run: int, window: int) -> Shifting:
    """What the `run` cleanest hours within `window` save, wherever they lie, by forecast and by hindsight."""
    return choosing(series, first, lambda table: _lowest(table, run), run=run, window=window)


def choosing(series: Series, first: int, choose: Choose, *, run: int, window: int) -> Shifting:
    """What a way to `choose` hours of a window saves against the first `run` hours, by forecast and by hindsight."""
    origins = np.arange(first, len(series) - window + 1)
    truth = series[origins[:, None] + np.arange(window)]
    chosen, best = (float((truth * choose(table)).sum()) for table in (blends(series, origins, window), truth))
    return Shifting(float(truth[:, :run].sum()), chosen, best)


def _lowest(table: Table, run: int) -> Table:
    """1 for the `run` lowest hours of each row, the earliest of equal ones, 0 for the rest."""
    weights = np.zeros_like(table)
    np.put_along_axis(weights, np.argsort(table, axis=1, kind="stable")[:, :run], 1, axis=1)
    return weights


def place_beats_time(zones: Table) -> Places:
    """What a choice of place is worth: `zones` [zones, hours] of intensities over the same hours."""
    by_zone = zones.mean(axis=1)
    return Places(float(by_zone.mean()), float(by_zone.min()), float(zones.min(axis=0).mean()))


def promises_kept(output: Series, *, solar: bool, load: float, days: range) -> float:
    """The part of day-ahead promises that the day kept: each day's P10 of the matched share, in whole per cent.

    `output` is hourly, in Wh, from a midnight on; the load is flat at `load` times its mean. The promise for day d is
    made at its midnight from what is known by then. Raises ValueError when too little is.
    """
    use = np.full(DAY, round(load * float(output.mean())))
    needed, kept = hours_needed(DAY), 0
    for day in days:
        known = Supply(output[day * DAY - needed : day * DAY], solar)
        supply = supply_paths([known], DAY)
        promised, _, _ = bands_of(use, supply, np.zeros_like(supply)).matched
        came = np.floor(output[day * DAY : (day + 1) * DAY]).astype(np.int64)
        done = int(np.minimum(use, came).sum())
        kept += done * 100 >= share_percent_down(int(promised)) * int(use.sum())
    return kept / len(days)


def _windows(table: Table, run: int) -> Iterator[Series]:
    """The mean of each `run` columns in a row."""
    for start in range(table.shape[1] - run + 1):
        yield table[:, start : start + run].mean(axis=1)


def _errors(forecast: Table, truth: Table) -> Errors:
    off = np.abs(forecast - truth)
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(truth > 0, off / truth, np.nan)
    return Errors(
        {name: float(off[:, span].mean()) for name, span in SPANS.items()},
        {name: 100 * float(np.nanmean(part[:, span])) for name, span in SPANS.items()},
    )
