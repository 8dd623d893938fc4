"""The blend forecast (energy.md, Forecast): what an hour of the day usually is, bent towards what the last hours were.

At origin o, y[o-1] is known; step h = 1, 2, … predicts y[o+h-1] = m + a·e^(-h/18). m is the mean of the seven latest
known values at that hour of the day; a is the mean over t = o-1 … o-3 of y[t] - mean(y[t-24d], d = 1 … 7).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

DAY = 24
DAYS = 7
FADE_HOURS = 18.0
LATEST = 3
STEP = 6  # hours between the origins whose residuals make an interval
NEEDED = DAY * DAYS + LATEST  # hours of history that a forecast rests on
INTERVAL_DAYS = 60
INTERVAL_NEEDED = NEEDED + DAY * INTERVAL_DAYS
METHOD = "blend"

Series = npt.NDArray[np.float64]
Table = npt.NDArray[np.float64]


class Bands(NamedTuple):
    """Three values for each hour ahead: one in ten is expected below `low`, one in ten above `high`."""

    low: Series
    middle: Series
    high: Series


def blend(history: Series, hours: int) -> Series:
    """The next `hours` values after `history` ([n] hourly values, the last one just known).

    Raises ValueError with fewer than 171 hours of history.
    """
    ahead: Series = blends(history, np.array([len(history)]), hours)[0]
    return ahead


def blends(series: Series, origins: npt.NDArray[np.int64], hours: int) -> Table:
    """Forecasts from many origins at once: row i holds `hours` values from index `origins[i]` of `series` [n] on.

    Row i reads nothing of `series` at or after its origin. Raises ValueError when an origin has fewer than 171 hours
    before it, or lies beyond the end.
    """
    _refuse_strangers(series, origins)
    steps = np.arange(1, hours + 1)
    usual = _usual(series)
    unusual = np.full(len(series), np.nan)
    unusual[DAY * DAYS :] = series[DAY * DAYS :] - usual[DAY * (DAYS - 1) : -DAY]
    drift = np.mean([unusual[origins - back] for back in range(1, LATEST + 1)], axis=0)
    ahead: Table = usual[origins[:, None] - DAY + (steps - 1) % DAY] + drift[:, None] * np.exp(-steps / FADE_HOURS)
    return ahead


def usuals(series: Series, origins: npt.NDArray[np.int64], hours: int) -> Table:
    """As `blends`, by m alone: what each hour of the day was on average over the last seven days.

    For the output of the sun, whose last hours say little of the next ones. Raises ValueError as `blends` does.
    """
    _refuse_strangers(series, origins)
    ahead: Table = _usual(series)[origins[:, None] - DAY + np.arange(hours) % DAY]
    return ahead


def _refuse_strangers(series: Series, origins: npt.NDArray[np.int64]) -> None:
    """Raise ValueError for an origin that has too little before it or lies beyond the end."""
    if len(origins) and not NEEDED <= origins.min() <= origins.max() <= len(series):
        raise ValueError(f"a forecast needs {NEEDED} hours of history, got {min(int(origins.min()), len(series))}")


def _usual(series: Series) -> Series:
    """For each t the mean of y[t], y[t-24], … y[t-144]; nan where that reaches before the start."""
    means = np.full(len(series), np.nan)
    first = DAY * (DAYS - 1)
    means[first:] = sum(series[first - DAY * back : len(series) - DAY * back] for back in range(DAYS)) / DAYS
    return means


def bands(history: Series, hours: int, *, days: int = INTERVAL_DAYS) -> Bands:
    """(P10, P50, P90) of the next `hours` values after `history` ([n] hourly values).

    P50 is the blend. P10 and P90 add the empirical quantiles of its residuals at the same step over the six-hourly
    origins of the last `days` days, as far as they are known. Raises ValueError with less than `days` days and 171
    hours of history, or for more hours than those days hold.
    """
    size, rows = len(history), days * DAY // STEP
    if size < NEEDED + DAY * days:
        raise ValueError(f"an interval needs {NEEDED + DAY * days} hours of history, got {size}")
    if hours > (rows - 1) * STEP:
        raise ValueError(f"{days} days of history say nothing about more than {(rows - 1) * STEP} hours ahead")
    middle = blend(history, hours)
    low, high = _residual_quantiles(history, hours, rows)
    return Bands(middle + low, middle, middle + high)


def _residual_quantiles(history: Series, hours: int, rows: int) -> tuple[Series, Series]:
    """The 10th and 90th percentile of what came minus what was forecast, per step."""
    size = len(history)
    origins = size - STEP * np.arange(1, rows + 1)  # latest first: row k knows STEP·(k+1) hours of its future
    columns = origins[:, None] + np.arange(hours)
    came = np.append(history, np.full(hours, np.nan))[np.minimum(columns, size)]
    residuals = came - blends(history, origins, hours)
    low, high = np.empty(hours), np.empty(hours)
    for block in range(0, hours, STEP):
        steps = slice(block, min(block + STEP, hours))
        low[steps], high[steps] = np.quantile(residuals[block // STEP :, steps], (0.1, 0.9), axis=0)
    return low, high
